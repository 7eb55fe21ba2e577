//! Two builds side by side, matrices, pages of results: on evidence that is made of the recordings, and live.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kubeclash::cases::{Case, Library};
use kubeclash::evidence::{Outcome, RunContext};
use kubeclash::exit;
use kubeclash::report::results::notes;
use kubeclash_timeline::{Arm, Expect, Judgement, Verdict, read};
use rstest::rstest;
use serde_json::Value;

use crate::cli_sandbox::{Ended, Sandbox, ended};

/// The evidence of one arm: the outcome that the judge has for its recording, in `<dir>/<case>/<arm>/<run>`.
fn evidence(dir: &Path, case: &Case, arm: Arm, run: &str, change: impl FnOnce(&mut Outcome)) {
    let variant = case.variants()[0].clone();
    let name = variant.map_or_else(|| arm.to_string(), |variant| format!("{arm}-{variant}"));
    let recording = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("manifests")
        .join(case.folder())
        .join(format!("recorded/{name}.jsonl"));
    let timeline = read(&recording).unwrap().timeline;
    let judgement = case.judge(&timeline);
    let dir = dir.join(case.folder()).join(name).join(run);
    fs::create_dir_all(&dir).unwrap();
    fs::copy(recording, dir.join("timeline.jsonl")).unwrap();
    let mut outcome = outcome(&timeline.header, judgement, &dir);
    change(&mut outcome);
    fs::write(dir.join("verdict.json"), serde_json::to_string(&outcome).unwrap()).unwrap();
}

fn outcome(header: &kubeclash_timeline::Header, judgement: Judgement, dir: &Path) -> Outcome {
    let run = RunContext {
        id: header.arm_id(),
        expected: Expect::of(header.arm),
        expected_why: None,
        elapsed: Duration::from_secs(9),
        ready: Duration::from_secs(1),
        created: None,
        provider: header.provider.clone(),
        pace: header.pace,
        components: header.components.clone(),
        evidence: dir.to_owned(),
    };
    Outcome::new(run, judgement)
}

fn case(id: &str) -> Case {
    let library = Library::builtin();
    library.iter().find(|case| case.id() == id).unwrap().clone()
}

/// Both arms of two cases.
fn all(dir: &Path) {
    for id in ["c5", "c7"] {
        for arm in Arm::ALL {
            evidence(dir, &case(id), arm, "20260101T000000Z-aaaaaa", |_| ());
        }
    }
}

fn verdict(to: &Verdict) -> impl FnOnce(&mut Outcome) {
    let verdict = to.clone();
    move |outcome| outcome.verdict = verdict
}

fn two(sandbox: &Sandbox) -> [PathBuf; 2] {
    let sides = ["one", "two"].map(|name| sandbox.path(name));
    sides.iter().for_each(|side| all(side));
    sides
}

fn compare(sandbox: &Sandbox, more: &[&str]) -> Ended {
    let sides = ["one", "two"].map(|name| sandbox.path(name).display().to_string());
    sandbox.run(&[&["compare", &sides[0], &sides[1]], more].concat())
}

#[test]
fn the_same_twice_has_no_flip() {
    let sandbox = Sandbox::without_components();
    two(&sandbox);
    let ended = compare(&sandbox, &[]);
    ended.assert(exit::EXPECTED, &[]);
    assert!(ended.stdout.ends_with("\n4 arms: 4 same\n"), "{ended}");
    assert!(ended.stdout.contains("rate"), "{ended}");
    assert!(ended.stdout.contains("made of the same binaries"), "{ended}");
}

#[rstest]
#[case::cured(Arm::Broken, Verdict::Absent, exit::DIFFERED, "FLIP: cured", "1 cured")]
#[case::returned(
    Arm::Control,
    Verdict::Reproduced,
    exit::DIFFERED,
    "FLIP: returned",
    "1 returned"
)]
#[case::unclear(
    Arm::Broken,
    Verdict::Inconclusive(String::new()),
    exit::INCONCLUSIVE,
    "inconclusive",
    "1 inconclusive"
)]
fn a_flip_is_told_and_an_arm_without_a_verdict_is_none(
    #[case] arm: Arm,
    #[case] now: Verdict,
    #[case] code: u8,
    #[case] word: &str,
    #[case] count: &str,
) {
    let sandbox = Sandbox::without_components();
    let [_, other] = two(&sandbox);
    // A later run of the same build is one that must agree; of another build it is the one that counts.
    evidence(&other, &case("c5"), arm, "20260202T000000Z-bbbbbb", |outcome| {
        verdict(&now)(outcome);
        outcome.components.clear();
    });
    let ended = compare(&sandbox, &[]);
    ended.assert(code, &[]);
    assert!(
        ended.stdout.contains(word) && ended.stdout.contains(count),
        "{ended}"
    );
    let markdown = compare(&sandbox, &["--format", "markdown"]);
    markdown.assert(code, &[]);
    assert!(markdown.stdout.contains(&format!("**{word}**")), "{markdown}");
    let arm = arm.to_string();
    let json = compare(&sandbox, &["c5", "--arm", &arm, "--format", "json"]);
    json.assert(code, &[]);
    let line: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(line["b"]["verdict"], now.name());
    assert_eq!(line["flip"], code == exit::DIFFERED);
    // What was not asked for does not count.
    compare(&sandbox, &["c7"]).assert(exit::EXPECTED, &[]);
}

#[test]
fn runs_of_one_build_that_do_not_agree_are_inconclusive() {
    let sandbox = Sandbox::without_components();
    let [_, other] = two(&sandbox);
    let again = verdict(&Verdict::Absent);
    evidence(&other, &case("c5"), Arm::Broken, "20260202T000000Z-bbbbbb", again);
    let ended = compare(&sandbox, &[]);
    ended.assert(exit::INCONCLUSIVE, &[]);
    assert!(
        ended.stdout.contains("2 runs are split: 1 reproduced, 1 absent"),
        "{ended}"
    );
}

#[test]
fn an_arm_that_one_side_lacks_is_told() {
    let sandbox = Sandbox::without_components();
    let [one, _] = two(&sandbox);
    evidence(&one, &case("c1"), Arm::Broken, "20260101T000000Z-aaaaaa", |_| ());
    let ended = compare(&sandbox, &[]);
    ended.assert(exit::INCONCLUSIVE, &[]);
    assert!(
        ended
            .stdout
            .contains("c1_cpu_spike_overscale broken: reproduced → not run, MISSING"),
        "{ended}"
    );
}

#[test]
fn what_can_not_be_compared_is_told() {
    let sandbox = Sandbox::without_components();
    two(&sandbox);
    let one = sandbox.path("one").display().to_string();
    let home = sandbox.path("home").display().to_string();
    for (sides, code, word) in [
        (
            [&one, "new:scheduler=v1.35.4"],
            exit::USAGE,
            "is a folder and \"new:scheduler=v1.35.4\" is none",
        ),
        (
            ["/there/is/none", &one],
            exit::USAGE,
            "is a folder and \"/there/is/none\" is none",
        ),
        (
            ["old", "new"],
            exit::USAGE,
            "\"old\" is neither a folder nor a set of specs",
        ),
        (["a:", "a:"], exit::USAGE, "both sets are called \"a\""),
        (
            ["a:", "b:colour=red"],
            exit::USAGE,
            "\"colour\" is none of kubernetes",
        ),
        (
            ["a:", "b:scheduler=path:/there/is/none"],
            exit::UNAVAILABLE,
            "does not exist",
        ),
        ([&one, &home], exit::NOTHING, "no verdict.json"),
    ] {
        let ended = sandbox.run(&["compare", sides[0], sides[1]]);
        assert_eq!(ended.code, Some(code.into()), "{ended}");
        // Errors are wrapped to nothing: one line each.
        assert!(ended.stderr.contains(word), "no {word:?} in {ended}");
    }
    compare(&sandbox, &["--repeat", "2"]).assert(exit::USAGE, &["were run already"]);
    compare(&sandbox, &["c9"]).assert(exit::NOTHING, &["no case is called \"c9\""]);
    let broken = sandbox.path("two/c5_remove_duplicates_loop/broken/20260101T000000Z-aaaaaa/verdict.json");
    fs::write(&broken, "{}").unwrap();
    compare(&sandbox, &[]).assert(exit::USAGE, &[&broken.display().to_string(), "is not an outcome"]);
}

#[test]
fn a_matrix_is_for_from_json_and_its_parts_are_the_whole() {
    let sandbox = Sandbox::without_components();
    let matrix = |more: &[&str]| -> Vec<Value> {
        let specs = ["--spec", "old:", "--spec", "new:descheduler=v0.35.1"];
        let ended = sandbox.run(&[&["matrix", "--format", "github"], &specs[..], more].concat());
        ended.assert(exit::EXPECTED, &[]);
        assert_eq!(ended.stdout.lines().count(), 1, "{ended}");
        let value: Value = serde_json::from_str(&ended.stdout).unwrap();
        value["include"].as_array().unwrap().clone()
    };
    let whole = matrix(&[]);
    assert_eq!(whole.len(), Library::builtin().iter().count() * 2 * 2);
    let mut parts: Vec<Value> = ["1/3", "2/3", "3/3"]
        .into_iter()
        .flat_map(|part| matrix(&["--shard", part]))
        .collect();
    let place = |job: &Value| whole.iter().position(|other| other == job).unwrap();
    parts.sort_by_key(place);
    assert_eq!(parts, whole);
    // What a job gets is what `run` takes.
    let words = whole[1]["args"].as_str().unwrap().split(' ');
    let words: Vec<&str> = ["run", "--shard", "2/2"].into_iter().chain(words).collect();
    sandbox
        .run(&words)
        .assert(exit::EXPECTED, &["shard 2/2 is empty: there are 1 arms"]);
    let twice = sandbox.run(&["matrix", "--spec", "a:", "--spec", "a:etcd=3.6.16"]);
    twice.assert(exit::USAGE, &["two sets are called \"a\""]);
}

#[test]
fn a_page_of_results_is_made_of_evidence_and_notes() {
    let sandbox = Sandbox::without_components();
    let [one, two] = two(&sandbox);
    let version = |outcome: &mut Outcome, version: &str| {
        let names: BTreeMap<_, _> = outcome
            .components
            .iter()
            .map(|(name, component)| {
                let mut component = component.clone();
                if name.starts_with("kube-") {
                    version.clone_into(&mut component.version);
                }
                (name.clone(), component)
            })
            .collect();
        outcome.components = names;
    };
    evidence(
        &two,
        &case("c5"),
        Arm::Broken,
        "20260303T000000Z-cccccc",
        |outcome| {
            version(outcome, "v1.99.0");
            outcome.verdict = Verdict::Absent;
        },
    );
    let notes = sandbox.path("notes.yaml");
    fs::write(
        &notes,
        "- case: c5\n  component: kubernetes\n  release: v1.98.0\n  text: the scheduler knows better\n",
    )
    .unwrap();
    let (one, two, notes) = (
        one.display().to_string(),
        two.display().to_string(),
        notes.display().to_string(),
    );
    let ended = sandbox.run(&["results", &one, &two, "--notes", &notes]);
    ended.assert(exit::EXPECTED, &[]);
    assert!(ended.stdout.contains("Kubernetes v1.99.0"), "{ended}");
    assert!(
        ended.stdout.contains(
            "- c5_remove_duplicates_loop broken: **cured**: reproduced → absent. \
                               kubernetes v1.98.0: the scheduler knows better"
        ),
        "{ended}"
    );
    sandbox
        .run(&["results", &sandbox.path("home").display().to_string()])
        .assert(exit::NOTHING, &["no verdict.json"]);
    fs::write(&notes, "- text: x\n").unwrap();
    sandbox.run(&["results", &one, "--notes", &notes]).assert(
        exit::USAGE,
        &[
            "notes.yaml:1: component: missing",
            "notes.yaml:1: release: missing",
        ],
    );
}

#[test]
fn a_page_of_results_knows_the_cases_outside() {
    let sandbox = Sandbox::without_components();
    let dirs = ["x1_one", "x2_two"].map(|name| sandbox.path(name).display().to_string());
    for (id, dir) in [("x1", &dirs[0]), ("x2", &dirs[1])] {
        sandbox
            .run(&["case", "new", id, "--out", dir])
            .assert(exit::EXPECTED, &[]);
    }
    let evidence_dir = sandbox.path("evidence");
    for name in ["x1_one", "x2_two"] {
        evidence(
            &evidence_dir.join(name),
            &case("c5"),
            Arm::Broken,
            "20260101T000000Z-aaaaaa",
            |outcome| name.clone_into(&mut outcome.id.case),
        );
    }
    let notes = sandbox.path("notes.yaml");
    let note = "- {case: x1, component: descheduler, release: v0.30.0, text: mine}\n";
    fs::write(&notes, note).unwrap();
    let [evidence, notes] = [&evidence_dir, &notes].map(|path| path.display().to_string());
    let page = ["results", &evidence, "--notes", &notes];
    sandbox
        .run(&page)
        .assert(exit::USAGE, &["notes.yaml:1: case: no case is called \"x1\""]);
    let order = |ended: &Ended| {
        ended.assert(exit::EXPECTED, &[]);
        let at = |case: &str| ended.stdout.find(&format!("| {case} |")).unwrap();
        at("x1_one") < at("x2_two")
    };
    // The cases stand as the folders were given.
    let turned = sandbox.run(&[&page[..], &["--cases", &dirs[1], "--cases", &dirs[0]]].concat());
    assert!(!order(&turned), "{turned}");
    let mut command = sandbox.command(&page);
    command.env("KUBECLASH_CASES", dirs.join(":"));
    assert!(order(&ended(command)));
}

#[tokio::test]
async fn two_sets_are_run_in_turn_and_their_evidence_can_be_compared_again() {
    let sandbox = Sandbox::new().await;
    let ended = sandbox.run(&["compare", "old:", "new:", "c7", "--arm", "broken", "--jobs", "1"]);
    ended.assert(
        exit::EXPECTED,
        &["c7 broken, old: reproduced", "c7 broken, new: reproduced"],
    );
    assert!(
        ended.stdout.contains("old and new are made of the same binaries"),
        "{ended}"
    );
    assert!(ended.stdout.ends_with("\n1 arm: 1 same\n"), "{ended}");
    sandbox.assert_clean();
    let sides = ["out/old", "out/new"].map(|side| sandbox.path(side).display().to_string());
    let again = sandbox.run(&["compare", &sides[0], &sides[1], "--format", "json"]);
    again.assert(exit::EXPECTED, &[]);
    let line: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(line["outlook"], "same");
}

#[test]
fn the_notes_of_this_repository_are_on_its_page() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let read = |file: &str| fs::read_to_string(docs.join(file)).unwrap();
    let notes = notes(
        "results-notes.yaml",
        &read("results-notes.yaml"),
        &Library::builtin(),
    )
    .unwrap_or_else(|e| panic!("{e}"));
    let page = read("results.md");
    for note in notes {
        let told = format!("{} {}", note.component, note.release);
        assert!(
            page.contains(&told),
            "docs/results.md is older than its note on {told}"
        );
    }
}
