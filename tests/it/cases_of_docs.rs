//! The cases that the documents teach, and the one that `case new` writes, on a cluster.

use std::path::{Path, PathBuf};

use kubeclash::exit;
use rstest::rstest;
use serde_json::Value;

use crate::cli_sandbox::Sandbox;

/// Runs a case's folder: every arm ends as it should, and there are so many of them.
async fn runs(sandbox: &Sandbox, folder: &Path, arms: usize) {
    let ended = sandbox.run(&["run", folder.to_str().unwrap(), "--format", "json"]);
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
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "docs/cases", step].iter().collect();
    runs(&Sandbox::new().await, &folder, arms).await;
}

#[tokio::test]
async fn a_new_case_runs() {
    let sandbox = Sandbox::new().await;
    let folder = sandbox.path("x1");
    let out = folder.to_str().unwrap();
    sandbox
        .run(&["case", "new", "x1", "--out", out])
        .assert(exit::EXPECTED, &[]);
    runs(&sandbox, &folder, 2).await;
}
