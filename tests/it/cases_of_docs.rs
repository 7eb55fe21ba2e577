//! What the documents teach, on a cluster: the cases, the tutorial's commands as they are written, and what a run prints and leaves.

use std::fs;
use std::path::{Path, PathBuf};

use kubeclash::exit;
use rstest::rstest;
use serde_json::Value;

use crate::cli_sandbox::{Ended, Sandbox, ended};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// That every arm ended as it should, and that there are so many of them.
fn assert_arms(ended: &Ended, arms: usize) {
    ended.assert(exit::EXPECTED, &[]);
    let lines: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<&Value> = lines.iter().filter(|line| line["verdict"].is_string()).collect();
    assert_eq!(told.len(), arms, "{ended}");
    for line in told {
        let expected = if line["arm"] == "broken" {
            "reproduced"
        } else {
            "absent"
        };
        assert_eq!(line["verdict"], expected, "{line}");
        assert_eq!(line["ok"], true, "{line}");
        assert_described(line);
    }
}

/// That the reference has each field of an arm, and each file of its evidence.
fn assert_described(line: &Value) {
    let described = |page: &str, name: &str| {
        let text = fs::read_to_string(docs().join(page)).unwrap();
        assert!(text.contains(&format!("`{name}`")), "docs/{page}: no {name}");
    };
    for field in line.as_object().unwrap().keys() {
        described("reference/json.md", field);
    }
    for entry in fs::read_dir(line["evidence"].as_str().unwrap()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let folder = if entry.file_type().unwrap().is_dir() {
            "/"
        } else {
            ""
        };
        described("reference/evidence.md", &format!("{name}{folder}"));
    }
}

#[rstest]
#[case::step1("step1", 2)]
#[case::step2("step2", 2)]
#[case::step3("step3", 2)]
#[case::step4("step4", 4)]
#[case::step5("step5", 2)]
#[tokio::test]
async fn a_step_of_the_tutorial_runs(#[case] step: &str, #[case] arms: usize) {
    let folder = docs().join("cases").join(step);
    let sandbox = Sandbox::new().await;
    let ended = sandbox.run(&["run", folder.to_str().unwrap(), "--format", "json"]);
    assert_arms(&ended, arms);
}

/// The block that the tutorial begins with, line by line, in an empty folder; `run` prints JSON here.
#[tokio::test]
async fn the_commands_of_the_tutorial_run_as_they_are_written() {
    let page = fs::read_to_string(docs().join("tutorial/own-case.md")).unwrap();
    let (_, block) = page.split_once("<!-- tested -->\n```sh\n").unwrap();
    let commands: Vec<&str> = block.split("```").next().unwrap().lines().collect();
    let sandbox = Sandbox::new().await;
    let folder = tempfile::tempdir().unwrap();
    let mut ran = 0;
    for line in &commands {
        let words = shlex::split(line).unwrap();
        assert_eq!(words[0], "kubeclash", "{line}");
        let mut words: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        let runs = words[0] == "run";
        if runs {
            words.extend(["--format", "json"]);
        }
        let mut command = sandbox.command(&words);
        command.current_dir(folder.path());
        let ended = ended(command);
        ended.assert(exit::EXPECTED, &[]);
        if runs {
            assert_arms(&ended, 2);
            ran += 1;
        }
    }
    assert_eq!((commands.len(), ran), (3, 1), "{commands:?}");
}
