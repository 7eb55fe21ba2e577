//! `kubeclash case`: a case that is written works, and every mistake of one is told.

use std::fs;

use kubeclash::exit;
use serde_json::Value;

use crate::cli_sandbox::Sandbox;

#[test]
fn a_new_case_is_checked_and_never_overwritten() {
    let sandbox = Sandbox::without_components();
    let folder = sandbox.path("x1_dip");
    let out = folder.to_str().unwrap();
    let ended = sandbox.run(&["case", "new", "x1", "--out", out]);
    ended.assert(exit::EXPECTED, &[]);
    assert!(ended.stdout.contains(&format!("kubeclash run {out}")), "{ended}");
    let checked = sandbox.run(&["case", "check", out]);
    checked.assert(exit::EXPECTED, &[]);
    assert!(checked.stdout.contains("no mistake"), "{checked}");
    fs::write(folder.join("case.yaml"), "mine").unwrap();
    let again = sandbox.run(&["case", "new", "x1", "--out", out]);
    again.assert(exit::USAGE, &["is there already", "choose another"]);
    assert_eq!(fs::read_to_string(folder.join("case.yaml")).unwrap(), "mine");
    let other = sandbox.path("y1");
    let named = sandbox.run(&["case", "new", "x1", "--out", other.to_str().unwrap()]);
    named.assert(exit::USAGE, &["can't have the case \"x1\"", "x1_WHAT_GOES_WRONG"]);
    assert!(!other.exists());
    sandbox
        .run(&["case", "new", "X-1"])
        .assert(exit::USAGE, &["small letters and digits"]);
}

#[test]
fn mistakes_of_all_folders_are_told_with_their_places() {
    let sandbox = Sandbox::without_components();
    let folders = ["x1", "x2", "x3"].map(|id| sandbox.path(id));
    let [one, two, good] = folders.each_ref().map(|folder| folder.to_str().unwrap());
    for (id, folder) in [("x1", one), ("x2", two), ("x3", good)] {
        sandbox
            .run(&["case", "new", id, "--out", folder])
            .assert(exit::EXPECTED, &[]);
    }
    let spoil = |folder: &str, from: &str, to: &str| {
        let file = format!("{folder}/case.yaml");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from));
        fs::write(file, text.replace(from, to)).unwrap();
    };
    spoil(one, "  - apply: $first", "  - aply: $first");
    spoil(one, "within: 120s", "within: long");
    spoil(two, "floor: hpa.min", "flor: hpa.min");
    let ended = sandbox.run(&["case", "check", one, good, two]);
    ended.assert(exit::USAGE, &[]);
    for told in [
        &*format!("{one}/case.yaml:30:5: steps[1]: unknown step \"aply\": did you mean \"apply\"?"),
        "steps[3].within: \"long\" is no duration",
        "unknown field \"flor\": did you mean \"floor\"?",
        &*format!("{good}: no mistake"),
    ] {
        assert!(ended.stdout.contains(told), "{told}\n{ended}");
    }
    let json = sandbox.run(&["case", "check", one, good, two, "--format", "json"]);
    json.assert(exit::USAGE, &[]);
    let lines: Vec<Value> = json
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3, "{json}");
    assert_eq!(
        (&lines[0]["folder"], &lines[0]["file"], &lines[0]["line"]),
        (&one.into(), &"case.yaml".into(), &30.into())
    );
    let nowhere = sandbox.run(&["case", "check", "/nowhere"]);
    nowhere.assert(exit::USAGE, &[]);
    assert!(nowhere.stdout.contains("No such file"), "{nowhere}");
}

#[test]
fn the_schema_is_the_one_that_is_published() {
    let sandbox = Sandbox::without_components();
    let ended = sandbox.run(&["case", "schema"]);
    let published = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/case.v1.json")).unwrap();
    assert_eq!(ended.stdout, published);
}
