//! The fields of JSON output: the reference has those that the verbs print.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::{root, text};

/// What stands in backquotes in the row of a command.
fn documented(command: &str) -> BTreeSet<String> {
    let page = text("docs/reference/json.md");
    let row = page
        .lines()
        .find(|line| line.starts_with(&format!("| `{command}` |")));
    let row = row.unwrap_or_else(|| panic!("docs/reference/json.md: no {command}"));
    let fields = row.split('`').skip(3).step_by(2);
    fields.map(str::to_owned).collect()
}

/// The fields of all lines that a command prints, whatever its exit code.
fn printed(arguments: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_kubeclash"))
        .args(arguments)
        .args(["--format", "json"])
        .current_dir(root())
        .output()
        .expect("the program was built for this test");
    let text = String::from_utf8(output.stdout).expect("the program prints UTF-8");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
    let fields = lines.filter_map(|line| Some(line.as_object()?.keys().cloned().collect::<Vec<_>>()));
    let all: BTreeSet<String> = fields.flatten().collect();
    assert!(
        !all.is_empty(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    all
}

#[test]
fn the_book_has_the_fields_that_are_always_printed() {
    let logs = tempfile::tempdir().expect("there is room");
    let log = logs.path().join("kube-apiserver.log");
    fs::write(&log, "I0618 10:00:00.000000 1 x.go:1] \"ready\"\n").expect("there is room");
    let log = log.display().to_string();
    let recording = "manifests/c7_taint_recreate_loop/recorded/broken.jsonl";
    for (command, arguments) in [
        ("list", vec!["list"]),
        ("replay", vec!["replay", recording]),
        ("classify", vec!["classify", &log]),
    ] {
        assert_eq!(printed(&arguments), documented(command), "{command}");
    }
}

#[test]
fn the_book_has_the_fields_that_are_sometimes_printed() {
    let folder = tempfile::tempdir().expect("there is room");
    fs::write(
        folder.path().join("case.yaml"),
        "format: kubeclash.case/v1\nidd: x1\n",
    )
    .expect("there is room");
    let folder = folder.path().display().to_string();
    let spec = "old:kubernetes=v1.35.4";
    for (command, arguments) in [
        ("case check", vec!["case", "check", &folder]),
        ("matrix", vec!["matrix", "c3", "--load", "100", "--spec", spec]),
    ] {
        let mut printed = printed(&arguments);
        // A component that a spec names.
        printed.remove("kubernetes");
        let documented = documented(command);
        let missing: Vec<&String> = printed.difference(&documented).collect();
        assert!(
            missing.is_empty(),
            "docs/reference/json.md: {command}: {missing:?}"
        );
    }
}
