//! A search on several machines: what is to be asked is listed, what comes back is merged, and the next round follows.

use std::fs;
use std::path::Path;

use kubeclash::exit;
use kubeclash::ledger::{Entry, append};
use kubeclash_timeline::Label;
use serde_json::Value;

use crate::cli_sandbox::{Ended, Sandbox};

const VERSIONS: [&str; 6] = ["v1.30.14", "v1.31.9", "v1.32.7", "v1.33.5", "v1.34.4", "v1.36.3"];

/// The first release without the failure.
const CURED: usize = 3;

fn search(sandbox: &Sandbox, more: &[&str]) -> Ended {
    let versions = VERSIONS.join(",");
    let ledger = sandbox.path("merged.jsonl").display().to_string();
    let asked = [
        "bisect",
        "--versions",
        &versions,
        "--bad",
        VERSIONS[0],
        "--good",
        VERSIONS[5],
        "--case",
        "c8",
        "--ledger",
        &ledger,
    ];
    sandbox.run(&[&asked, more].concat())
}

/// What a job leaves: the runs of one build, in a ledger of its own.
fn artifact(folder: &Path, build: &str) {
    let label = match VERSIONS.iter().position(|version| *version == build).unwrap() {
        at if at < CURED => Label::Red,
        _ => Label::Green,
    };
    let runs: Vec<Entry> = (1..=3)
        .map(|run| Entry {
            build: build.to_owned(),
            question: Some("bisect: c8_soft_spread_loop broken, fast pace, local".to_owned()),
            verdict: Some(label),
            evidence: vec![format!("out/bisect/{build}/c8/broken/{run}")],
            ..Entry::default()
        })
        .map(Entry::named)
        .collect();
    append(&folder.join("ledger.jsonl"), &runs).unwrap();
}

#[test]
fn rounds_of_two_builds_each_end_with_the_first_build_that_differs() {
    let sandbox = Sandbox::without_components();
    let mut rounds = Vec::new();
    loop {
        let listed = search(&sandbox, &["--next", "2", "--format", "github"]);
        listed.assert(exit::EXPECTED, &[]);
        let include: Value = serde_json::from_str(&listed.stdout).unwrap();
        let jobs = include["include"].as_array().unwrap();
        if jobs.is_empty() {
            assert!(
                listed.stderr.contains("the first good build is v1.33.5"),
                "{listed}"
            );
            break;
        }
        let artifacts = sandbox.path("artifacts");
        let mut asked = Vec::new();
        for job in jobs {
            let (command, build) = (job["command"].as_str().unwrap(), job["build"].as_str().unwrap());
            let versions = VERSIONS.join(",");
            let wanted = format!(
                "bisect --versions {versions} --bad v1.30.14 --good v1.36.3 --case c8 --only {build}"
            );
            assert_eq!(command, wanted);
            artifact(&artifacts.join(build), build);
            asked.push(build.to_owned());
        }
        let added = format!("{} of ", 3 * asked.len());
        rounds.push(asked);
        let ledger = sandbox.path("merged.jsonl").display().to_string();
        let merge = ["ledger", "add", artifacts.to_str().unwrap(), "--ledger", &ledger];
        sandbox.run(&merge).assert(exit::EXPECTED, &[&added]);
        // Artifacts of all rounds are there: nothing is counted twice.
        sandbox.run(&merge).assert(exit::EXPECTED, &["0 of"]);
    }
    assert_eq!(rounds[0], ["v1.30.14", "v1.36.3"]);
    assert_eq!(rounds[1], ["v1.32.7", "v1.33.5"]);
    // What confirms that there is one change.
    assert_eq!(rounds[2..], [["v1.31.9", "v1.34.4"]]);
    // The end of it, and its report, from the merged ledger alone.
    let ended = search(&sandbox, &[]);
    ended.assert(exit::EXPECTED, &["18 runs of this search are in"]);
    assert!(
        ended.stdout.starts_with("the first good build is v1.33.5"),
        "{ended}"
    );
    let report = fs::read_to_string(sandbox.path("out/bisect/bisect.md")).unwrap();
    assert!(
        report.contains("v1.32.7") && report.contains("v1.33.5"),
        "{report}"
    );
}

#[test]
fn a_build_that_is_none_is_refused_and_one_that_is_known_is_not_asked_again() {
    let sandbox = Sandbox::without_components();
    search(&sandbox, &["--only", "v9.9.9"]).assert(exit::USAGE, &["\"v9.9.9\" is no build between"]);
    search(&sandbox, &["--only", "v1.31.9", "--next", "1"]).assert(exit::USAGE, &["cannot be used with"]);
    artifact(&sandbox.path("job"), "v1.31.9");
    let ledger = sandbox.path("job/ledger.jsonl");
    fs::copy(ledger, sandbox.path("merged.jsonl")).unwrap();
    let known = search(&sandbox, &["--only", "v1.31.9"]);
    known.assert(exit::EXPECTED, &["3 runs of this search"]);
    assert_eq!(known.stdout, "c8_soft_spread_loop broken: v1.31.9 is bad\n");
}

#[test]
fn a_run_counts_once_where_a_ledger_and_its_evidence_come_together() {
    let sandbox = Sandbox::without_components();
    let run = sandbox.path("job/bisect/v1.31.9/c8/broken/20261126T101611Z-0f900d");
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("verdict.json"), outcome()).unwrap();
    let job = sandbox.path("job").display().to_string();
    let ledger = sandbox.path("merged.jsonl").display().to_string();
    let add = ["ledger", "add", &job, "--ledger", &ledger];
    let noted = Entry {
        build: "v1.31.9".to_owned(),
        question: Some("bisect: c8".to_owned()),
        verdict: Some(Label::Red),
        evidence: vec!["elsewhere/broken/20261126T101611Z-0f900d".to_owned()],
        ..Entry::default()
    };
    append(&sandbox.path("job/ledger.jsonl"), &[noted.named()]).unwrap();
    sandbox.run(&add).assert(exit::EXPECTED, &["1 of 1 runs added"]);
    fs::write(sandbox.path("job/ledger.jsonl"), "{\"build\":\"a\"}\nrubbish\n").unwrap();
    sandbox.run(&add).assert(exit::USAGE, &["ledger.jsonl:2: no run"]);
}

/// A verdict of a run.
fn outcome() -> String {
    serde_json::json!({
        "case": "c8_soft_spread_loop", "arm": "broken", "verdict": "reproduced", "expected": "reproduced", "ok": true,
        "elapsed_ms": 1, "ready_ms": 1, "watched_ms": 1, "provider": "local", "pace": "fast", "components": {},
        "evidence": "x", "why": "it loops", "facts": {},
    })
    .to_string()
}

#[test]
fn a_load_test_is_asked_at_the_smallest_scale_first_which_may_be_a_profile_of_ones_own() {
    let sandbox = Sandbox::without_components();
    let profile = sandbox.run(&["load", "--print-profile"]).stdout;
    let file = sandbox.path("mine.yaml").display().to_string();
    fs::write(&file, profile).unwrap();
    let search = |scales: &str| {
        let versions = [
            "bisect",
            "--versions",
            "v1.34.4,v1.36.3",
            "--good",
            "v1.34.4",
            "--bad",
            "v1.36.3",
        ];
        sandbox.run(
            &[
                &versions[..],
                &["--load", scales, "--next", "1", "--format", "json"],
            ]
            .concat(),
        )
    };
    let listed = search(&format!("{file},500"));
    listed.assert(exit::EXPECTED, &[]);
    let job: Value = serde_json::from_str(&listed.stdout).unwrap();
    let command = job["command"].as_str().unwrap();
    assert!(
        command.ends_with(&format!("--load {file} --only v1.34.4")),
        "{command}"
    );
    search("many").assert(exit::USAGE, &["--load", "many: it can't be read"]);
    fs::write(&file, "nodes: none\n").unwrap();
    search(&file).assert(exit::USAGE, &["--load", "mine.yaml:1"]);
}
