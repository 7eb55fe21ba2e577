//! What a fork needs besides its binary: configuration, policy, arguments, a name.

use std::fs;
use std::path::Path;

use kubeclash::exit;
use rstest::rstest;
use serde_json::Value;

use crate::cli_sandbox::{Ended, Sandbox, ended, files_below};

fn verdicts(ended: &Ended) -> Vec<(String, String)> {
    let lines = ended.stdout.lines();
    let outcomes = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    outcomes
        .map(|outcome| {
            let word = |name: &str| outcome[name].as_str().unwrap().to_owned();
            (word("arm"), word("verdict"))
        })
        .collect()
}

fn arms(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(arm, verdict)| ((*arm).to_owned(), (*verdict).to_owned()))
        .collect()
}

/// The shipped file or a manifest of a case, by its path in the repository.
fn shipped(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(path)
        .display()
        .to_string()
}

#[rstest]
#[case::kubeconfig("--scheduler-arg=--kubeconfig=/etc/x", "--kubeconfig is kubeclash's own")]
#[case::port("--scheduler-arg=--secure-port=1", "--secure-port is kubeclash's own")]
#[case::config("--scheduler-arg=--config=x", "--scheduler-config names the file")]
#[case::policy(
    "--descheduler-arg=--policy-config-file=x",
    "--descheduler-policy names the file"
)]
#[case::interval("--descheduler-arg=--descheduling-interval=1s", "--pace sets it")]
#[case::dry_run("--descheduler-arg=--dry-run", "evicts nothing on purpose cures nothing")]
#[case::dry_run_said_so("--descheduler-arg=--dry-run=true", "evicts nothing on purpose cures nothing")]
fn an_argument_that_would_take_the_harness_away_is_refused(#[case] arg: &str, #[case] words: &str) {
    let sandbox = Sandbox::without_components();
    let flag = arg.split('=').next().unwrap();
    sandbox
        .run(&["run", "c5", arg])
        .assert(exit::USAGE, &[flag, words]);
    sandbox.assert_clean();
}

#[rstest]
#[case::no_yaml("--descheduler-policy", "profiles: [\n", &["mine.yaml:", "not YAML"])]
#[case::no_policy("--descheduler-policy", "apiVersion: v1\nkind: Pod\n", &["mine.yaml:2: kind:", "DeschedulerPolicy"])]
#[case::no_version("--descheduler-policy", "kind: DeschedulerPolicy\napiVersion: descheduler/v1\n", &["mine.yaml:2: apiVersion:", "v1alpha2"])]
#[case::no_config("--scheduler-config", "\nkind: DeschedulerPolicy\n", &["mine.yaml:2: kind:", "KubeSchedulerConfiguration"])]
#[case::bad_config("--scheduler-config", "a:\n\t- b\n", &["mine.yaml:", "not YAML"])]
fn a_file_that_is_none_is_named_with_its_line(
    #[case] flag: &str,
    #[case] text: &str,
    #[case] words: &[&str],
) {
    let sandbox = Sandbox::without_components();
    let file = sandbox.path("mine.yaml");
    fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    sandbox
        .run(&["run", "c5", flag, &file])
        .assert(exit::USAGE, &[&[flag], words].concat());
    sandbox.assert_clean();
}

/// A policy with an argument beside `args`.
const BESIDE_ARGS: &str = "tests/field/policies/node-fit-beside-args.yaml";

/// Everything but a run: a release that is too old is refused after the policy is told of.
const NO_RUN: [&str; 4] = ["run", "c5", "--kubernetes", "v1.23.17"];

#[test]
fn a_dry_run_that_is_none_is_no_mistake() {
    let sandbox = Sandbox::without_components();
    let ended = sandbox.run(&[&NO_RUN[..], &["--descheduler-arg=--dry-run=false"]].concat());
    ended.assert(exit::USAGE, &["kube-apiserver v1.23.17 is older than v1.24"]);
}

#[test]
fn a_policy_that_allows_no_eviction_is_refused_as_a_dry_run_is() {
    let sandbox = Sandbox::without_components();
    let file = sandbox.path("mine.yaml");
    let policy = fs::read_to_string(shipped("manifests/c5_remove_duplicates_loop/policy.yaml")).unwrap();
    fs::write(&file, format!("{policy}maxNoOfPodsToEvictTotal: 0\n")).unwrap();
    let ended = sandbox.run(&["run", "c5", "--descheduler-policy", &file.display().to_string()]);
    ended.assert(
        exit::USAGE,
        &[
            "mine.yaml:",
            "maxNoOfPodsToEvictTotal: 0",
            "evicts nothing on purpose",
        ],
    );
}

#[test]
fn a_field_that_nobody_reads_is_a_warning_on_standard_error() {
    let sandbox = Sandbox::without_components();
    let file = shipped(BESIDE_ARGS);
    let args = [&NO_RUN[..], &["--descheduler-policy", &file]].concat();
    let ended = sandbox.run(&args);
    let warning = format!(
        "warning: {file}:8: profiles[0].pluginConfig[0].nodeFit is read by no descheduler up to v0.36: it belongs below \"args\""
    );
    assert!(ended.stderr.lines().any(|line| line == warning), "{ended}");
    assert_eq!(ended.stdout, "");
    let coloured = sandbox.run(&[&["--color", "always"], &args[..]].concat());
    assert!(coloured.stderr.contains("\u{1b}["), "{coloured}");
    assert!(!coloured.stderr.contains(&warning), "{coloured}");
}

#[test]
fn a_policy_is_told_of_by_every_verb_that_takes_one_and_once() {
    let sandbox = Sandbox::without_components();
    let file = shipped(BESIDE_ARGS);
    let count = |ended: &Ended| ended.stderr.matches("nodeFit is read by no descheduler").count();
    let old = format!("old:kubernetes=v1.23.17,descheduler-policy={file}");
    let new = old.replace("old:", "new:");
    for args in [
        vec!["compare", &old, &new, "c5"],
        vec!["matrix", "c5", "--spec", &old, "--spec", &new],
    ] {
        let ended = sandbox.run(&args);
        assert_eq!(count(&ended), 1, "{args:?}: {ended}");
    }
    let mut command = sandbox.command(&NO_RUN);
    command.env("KUBECLASH_DESCHEDULER_POLICY", &file);
    assert_eq!(count(&ended(command)), 1, "as a variable");
    let quiet = sandbox.run(&["matrix", "c5", "--spec", "old:"]);
    assert_eq!(quiet.stderr, "");
}

#[test]
fn a_policy_among_helm_values_is_used_and_its_place_is_told() {
    let sandbox = Sandbox::without_components();
    let file = shipped("tests/field/policies/helm-values.yaml");
    let ended = sandbox.run(&[&NO_RUN[..], &["--descheduler-policy", &file]].concat());
    let note = format!(
        "note: {file}:6: the policy is the one below descheduler.deschedulerPolicy, as descheduler/v1alpha2"
    );
    assert!(ended.stderr.lines().any(|line| line == note), "{ended}");
    assert!(!ended.stderr.contains("warning"), "{ended}");
}

#[test]
fn a_config_map_is_refused_with_what_to_do() {
    let sandbox = Sandbox::without_components();
    let file = shipped("tests/field/policies/config-map.yaml");
    sandbox.run(&["run", "c5", "--descheduler-policy", &file]).assert(
        exit::USAGE,
        &[
            "config-map.yaml:5",
            "the text under data[\"policy.yaml\"]",
            "put that into a file of its own",
        ],
    );
}

#[tokio::test]
async fn what_the_release_that_runs_does_not_read_is_told_as_well() {
    let sandbox = Sandbox::new().await;
    let file = sandbox.path("mine.yaml");
    let policy = fs::read_to_string(shipped("manifests/c5_remove_duplicates_loop/policy.yaml")).unwrap();
    fs::write(&file, format!("{policy}gracePeriodSeconds: 3\n")).unwrap();
    let file = file.display().to_string();
    // c7 has no descheduler: this one is asked for its version, and never run.
    let script = "#!/bin/sh\necho 'Descheduler version {Major:0 Minor:32 GitVersion:v0.32.2}'\n";
    let old = sandbox.program("descheduler", script);
    let ended = sandbox.run(&[
        "run",
        "c7",
        "--arm",
        "broken",
        "--descheduler-policy",
        &file,
        "--descheduler",
        &old,
    ]);
    ended.assert(
        exit::EXPECTED,
        &["gracePeriodSeconds is for deschedulers from v0.33 on: this one does not know it"],
    );
}

#[test]
fn a_file_that_is_not_there_is_named_by_its_flag() {
    let sandbox = Sandbox::without_components();
    sandbox
        .run(&["run", "c5", "--descheduler-policy", "/there/is/nothing"])
        .assert(
            exit::USAGE,
            &["--descheduler-policy", "/there/is/nothing", "No such file"],
        );
}

#[test]
fn a_configuration_without_the_profile_that_pods_ask_for_is_named() {
    let sandbox = Sandbox::without_components();
    let config = shipped("docs/examples/scheduler-without-topology-spread.yaml");
    sandbox
        .run(&[
            "run",
            "c5",
            "--scheduler-config",
            &config,
            "--scheduler-name",
            "mine",
        ])
        .assert(
            exit::USAGE,
            &["\"mine\"", "it has \"default-scheduler\"", &config],
        );
    sandbox.assert_clean();
}

#[tokio::test]
async fn an_api_version_that_a_release_does_not_know_is_named_before_the_run() {
    let sandbox = Sandbox::new().await;
    let old = shipped("manifests/c5_remove_duplicates_loop/policy.v1alpha1.yaml");
    sandbox.run(&["run", "c5", "--descheduler-policy", &old]).assert(
        exit::USAGE,
        &[
            "is descheduler/v1alpha1, which descheduler v0.36.0 does not know",
            "up to v0.30",
        ],
    );
    let file = sandbox.path("beta.yaml");
    let text = "apiVersion: kubescheduler.config.k8s.io/v1beta3\nkind: KubeSchedulerConfiguration\n";
    fs::write(&file, text).unwrap();
    sandbox
        .run(&["run", "ds3", "--scheduler-config", &file.display().to_string()])
        .assert(
            exit::USAGE,
            &[
                "beta.yaml takes the place of the case's \"scheduler-full.yaml\"",
                "v1beta3, which kube-scheduler v1.36.3 does not know",
                "up to v1.28",
            ],
        );
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_scheduler_without_topology_spread_cures_c3() {
    let sandbox = Sandbox::new().await;
    let config = shipped("docs/examples/scheduler-without-topology-spread.yaml");
    let ended = sandbox.run(&[
        "run",
        "c3",
        "--arm",
        "broken",
        "--scheduler-config",
        &config,
        "--format",
        "json",
    ]);
    ended.assert(exit::DIFFERED, &[]);
    assert_eq!(
        verdicts(&ended),
        arms(&[("broken", "absent"), ("broken", "absent")]),
        "{ended}"
    );
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_policy_takes_the_place_of_a_cases_own() {
    let sandbox = Sandbox::new().await;
    let policy = shipped("manifests/c5_remove_duplicates_loop/policy-node-fit.yaml");
    let ended = sandbox.run(&[
        "run",
        "c5",
        "--arm",
        "broken",
        "--descheduler-policy",
        &policy,
        "--format",
        "json",
    ]);
    ended.assert(exit::DIFFERED, &[]);
    assert_eq!(verdicts(&ended), arms(&[("broken", "absent")]), "{ended}");
    let evidence = files_below(&sandbox.path("out"));
    let used = evidence
        .iter()
        .find(|file| file.ends_with("manifests/policy.yaml"))
        .unwrap();
    assert!(
        fs::read_to_string(used).unwrap().contains("nodeFit: true"),
        "the evidence has another"
    );
    sandbox.assert_clean();
}

#[tokio::test]
async fn an_argument_beside_args_is_told_and_the_controls_failure_returns() {
    let sandbox = Sandbox::new().await;
    let policy = shipped(BESIDE_ARGS);
    let ended = sandbox.run(&[
        "run",
        "c5",
        "--arm",
        "control",
        "--descheduler-policy",
        &policy,
        "--format",
        "json",
    ]);
    ended.assert(
        exit::DIFFERED,
        &["profiles[0].pluginConfig[0].nodeFit is read by no descheduler"],
    );
    assert_eq!(verdicts(&ended), arms(&[("control", "reproduced")]), "{ended}");
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_descheduler_runs_on_the_policy_that_is_among_helm_values() {
    let sandbox = Sandbox::new().await;
    let file = sandbox.path("values.yaml");
    let values = "descheduler:\n  deschedulerPolicy:\n    profiles:\n      - name: from-values\n        pluginConfig: [{name: \
                  RemoveDuplicates}]\n        plugins: {balance: {enabled: [RemoveDuplicates]}}\n";
    fs::write(&file, values).unwrap();
    let file = file.display().to_string();
    let ended = sandbox.run(&["run", "c5", "--arm", "broken", "--descheduler-policy", &file]);
    ended.assert(
        exit::EXPECTED,
        &["the policy is the one below descheduler.deschedulerPolicy"],
    );
    let used = files_below(&sandbox.path("out"))
        .into_iter()
        .find(|file| file.ends_with("manifests/policy.yaml"))
        .unwrap();
    let used = fs::read_to_string(used).unwrap();
    assert!(
        used.starts_with("apiVersion: descheduler/v1alpha2\nkind: DeschedulerPolicy\nprofiles:"),
        "{used}"
    );
    assert!(used.contains("from-values"), "{used}");
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_second_scheduler_binds_the_cases_pods_and_takes_arguments() {
    let sandbox = Sandbox::new().await;
    let ended = sandbox.run(&[
        "run",
        "c5",
        "c7",
        "--scheduler-name",
        "mine",
        "--scheduler-arg=--v=3",
        "--format",
        "json",
    ]);
    ended.assert(exit::EXPECTED, &[]);
    let mut found = verdicts(&ended);
    found.sort();
    let each = [
        ("broken", "reproduced"),
        ("broken", "reproduced"),
        ("control", "absent"),
        ("control", "absent"),
    ];
    assert_eq!(found, arms(&each), "{ended}");
    for file in files_below(&sandbox.path("out")) {
        let text = || fs::read_to_string(&file).unwrap();
        if file.ends_with("second-scheduler.log") {
            assert!(
                text().contains("second-scheduler-config.yaml --v=3\n"),
                "{}",
                file.display()
            );
        }
        if file.ends_with("kube-scheduler.log") {
            assert!(!text().contains("--v=3"), "{}", file.display());
        }
        if file.ends_with("timeline.jsonl") {
            let pods = text().matches("\"pod\":").count();
            assert!(pods > 0);
            assert_eq!(
                text().matches("\"scheduler\":\"mine\"").count(),
                pods,
                "{}",
                file.display()
            );
        }
    }
    sandbox.assert_clean();
}
