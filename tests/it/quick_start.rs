//! The README's first command, as it is written there.

use std::path::Path;
use std::process::Command;

/// Not through cargo, which would build the whole again with optimization: its arguments, given to the program
/// that was built for this test. `.ci/run` runs the line itself.
#[test]
fn the_first_command_of_the_readme_shows_both_verdicts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let block = readme.split_once("<!-- quick-start -->").unwrap().1;
    let command = block.lines().find(|line| line.starts_with("cargo run")).unwrap();
    let (cargo, args) = command.split_once(" -- ").unwrap();
    assert_eq!(cargo, "cargo run --release");
    let out = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_kubeclash"))
        .args(args.split_whitespace())
        .env("KUBECLASH_OUT", out.path())
        .output()
        .unwrap();
    let (said, told) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(0), "{said}\n{told}");
    for verdict in [
        "broken: reproduced, as expected",
        "control: absent, as expected",
        "2 arms: 2 as expected",
    ] {
        assert!(said.contains(verdict), "no \"{verdict}\" in:\n{said}\n{told}");
    }
}
