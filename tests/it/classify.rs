//! `kubeclash classify`: what logs of a run come to.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::Value;

use crate::cli_sandbox::{Ended, Sandbox};
use kubeclash::exit;

const SEED: &str = include_str!("fixtures/load-test-bisect-log.txt");

pub(crate) const KILL: &str = "E0930 07:12:03.000412    4711 kuberuntime_manager.go:664] killContainer \
\"kube-apiserver\"(id={\"docker\" \"2c\"}) for pod \"kube-apiserver-m_kube-system(87)\" failed: rpc error: code = \
DeadlineExceeded desc = context deadline exceeded\n";

pub(crate) const PANIC: &str = "E0930 07:13:00.500000       1 runtime.go:78] Observed a panic: \
&errors.errorString{s:\"killing connection/stream because serving request timed out and response had been started\"}\n";

const SLOW: &str = "2020-09-30 07:10:00.250000 W | etcdserver: read-only range request \
\"key:\\\"/registry/leases/kube-node-lease/hollow-node-1\\\" \" with result \"range_response_count:1 size:500\" took too \
long (123.4ms) to execute\n";

/// The fields of the JSON output.
const FIELDS: [&str; 17] = [
    "classification",
    "verdict",
    "label",
    "meaning",
    "why",
    "black",
    "red",
    "reached",
    "steps",
    "other_steps",
    "signatures",
    "lines_by_component",
    "logs",
    "unread",
    "passed_over",
    "bytes",
    "lines",
];

/// The load tool's log, up to a step.
pub(crate) fn steps(names: &[&str]) -> String {
    let lines = names.iter().enumerate().map(|(at, name)| {
        format!(
            "I0930 0{at}:17:49.991954    5672 simple_test_executor.go:135] Step \"{name}\" started\n\
             I0930 0{at}:18:00.000000    5672 simple_test_executor.go:161] Step \"{name}\" ended\n"
        )
    });
    lines.collect()
}

/// The logs of a run: what the API server, the kubelet and etcd say, and how far the load tool got.
pub(crate) fn run(dir: &Path, apiserver: &str, kubelet: &str, steps: &str) {
    fs::create_dir_all(dir).unwrap();
    let quiet = "I0930 07:00:00.000000       1 a.go:1] nothing happens\n";
    for (name, text) in [
        ("kube-apiserver.log", apiserver),
        ("kubelet.log", kubelet),
        ("etcd.log", SLOW),
        ("nohup.out", steps),
    ] {
        fs::write(dir.join(name), format!("{quiet}{text}")).unwrap();
    }
}

pub(crate) const FAR: [&str; 3] = [
    "Starting measurements",
    "Creating objects",
    "Waiting for pods to be running",
];

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{e}: {ended}"))
}

pub(crate) fn found<'a>(classified: &'a Value, id: &str) -> &'a Value {
    let all = classified["signatures"].as_array().unwrap();
    all.iter()
        .find(|found| found["id"] == id)
        .unwrap_or_else(|| panic!("no {id}"))
}

pub(crate) fn classify(sandbox: &Sandbox, args: &[&str]) -> (Ended, Value) {
    let args: Vec<&str> = ["classify", "--format", "json"]
        .iter()
        .chain(args)
        .copied()
        .collect();
    let ended = sandbox.run(&args);
    let value = json(&ended);
    (ended, value)
}

fn from_standard_input(sandbox: &Sandbox, text: &str) -> Value {
    let mut command = sandbox.command(&["classify", "-", "--format", "json"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn every_log_line_that_the_seed_quotes_is_found() {
    let sandbox = Sandbox::without_components();
    let blocks = SEED.split("```").skip(1).step_by(2);
    let lines: Vec<&str> = blocks
        .flat_map(str::lines)
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(lines.len(), 4, "{lines:#?}");
    // What stands in the text of entries.
    let words = [
        "“took too long”",
        "etcdserver: too many requests",
        "connection refused",
        "context canceled",
        "runtime error: invalid memory address or nil pointer dereference",
        "completed with timeouts",
    ];
    for line in lines.iter().chain(&words) {
        assert!(SEED.contains(line), "{line}");
        let seen = from_standard_input(&sandbox, line);
        let hits = seen["logs"][0]["hits"].as_u64().unwrap();
        assert!(hits > 0, "{line}: {seen:#}");
    }
    assert_eq!(
        from_standard_input(&sandbox, lines[0])["red"][0],
        "kubelet-kill-times-out"
    );
    assert_eq!(
        from_standard_input(&sandbox, lines[1])["red"][0],
        "killing-connection"
    );
    let step = from_standard_input(&sandbox, lines[3]);
    assert_eq!(step["reached"]["name"], "Starting measurements");
    assert_eq!(
        step["steps"][0]["started"].as_str().unwrap()[4..],
        *"-10-02T06:17:49.991954"
    );
}

#[test]
fn a_run_without_the_issue_is_green() {
    let sandbox = Sandbox::without_components();
    let dir = sandbox.path("2020-09-30");
    // As in the seed: "failed but completed with timeouts", and the kubelet's panic "as usual".
    let steps = steps(&FAR)
        + "E0930 08:00:00.000000 1 a.go:1] WaitForControlledPodsRunning error: 7 objects timed out: a\n";
    let kubelet = "E0930 07:12:03.000412 1 runtime.go:78] Observed a panic: \"invalid memory address or nil pointer dereference\"\n";
    run(&dir, "", kubelet, &steps);
    let (ended, seen) = classify(&sandbox, &[dir.to_str().unwrap()]);
    assert_eq!(ended.code, Some(exit::EXPECTED.into()), "{ended}");
    assert_eq!(
        (&seen["label"], &seen["verdict"]),
        (&"green".into(), &"absent".into())
    );
    assert_eq!(seen["meaning"], "issue is not found");
    for note in ["objects-timed-out", "kubelet-nil-pointer", "took-too-long"] {
        assert_eq!(found(&seen, note)["count"], 1, "{note}");
    }
    assert_eq!(
        found(&seen, "took-too-long")["by_prefix"]["/registry/leases/kube-node-lease/"],
        1
    );
}

#[test]
fn a_run_with_the_issue_is_red_with_the_first_date_and_time() {
    let sandbox = Sandbox::without_components();
    let dir = sandbox.path("2020-09-30");
    run(&dir, PANIC, KILL, &steps(&FAR));
    let earlier = KILL.replace("07:12:03.000412", "06:00:00.000001");
    fs::write(dir.join("kubelet.log.1"), earlier).unwrap();
    let path = dir.to_str().unwrap();
    let (ended, seen) = classify(&sandbox, &[path]);
    assert_eq!(ended.code, Some(exit::DIFFERED.into()), "{ended}");
    let names: Vec<&str> = seen.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, FIELDS, "scripts rely on them");
    assert_eq!(
        (&seen["label"], &seen["verdict"]),
        (&"red".into(), &"reproduced".into())
    );
    assert_eq!(
        seen["red"],
        serde_json::json!(["kubelet-kill-times-out", "killing-connection"])
    );
    let kill = found(&seen, "kubelet-kill-times-out");
    // By time, not by the order of files.
    assert_eq!(kill["first"]["time"], "2020-09-30T06:00:00.000001");
    assert_eq!(kill["last"]["time"], "2020-09-30T07:12:03.000412");
    assert_eq!(
        (&kill["first"]["year_from"], &kill["first"]["line"]),
        (&"path".into(), &1.into())
    );
    assert!(kill["excerpt"].as_str().unwrap().contains("DeadlineExceeded"));
    let text = sandbox.run(&["classify", path]);
    for word in [
        "red: issue is found",
        "2020-09-30T06:00:00.000001",
        "kubelet.log.1:1",
        "6 of 13 was reached",
    ] {
        assert!(text.stdout.contains(word), "no {word} in {text}");
    }
    let markdown = sandbox.run(&["classify", path, "--format", "markdown", "--expect", "red"]);
    markdown.assert(exit::EXPECTED, &[]);
    assert!(markdown.stdout.contains("![#f03c15]"), "{markdown}");
}

#[test]
fn black_goes_before_red_where_the_set_up_does_not_fit_and_before_green_where_logs_are_missing() {
    let sandbox = Sandbox::without_components();
    let dir = sandbox.path("run");
    run(&dir, PANIC, "", &steps(&FAR));
    let path = dir.to_str().unwrap();
    let wcm = dir.join("workload-controller-manager.log");
    fs::write(&wcm, "I0926 07:12:03.000412 1 a.go:1] started\n").unwrap();
    let (ended, seen) = classify(&sandbox, &[path]);
    assert_eq!(ended.code, Some(exit::INCONCLUSIVE.into()), "{ended}");
    assert_eq!(
        (&seen["label"], &seen["black"][0]),
        (&"black".into(), &"wcm-on".into())
    );
    assert!(
        seen["why"]
            .as_str()
            .unwrap()
            .contains("red signatures were found, too"),
        "{seen:#}"
    );
    // A file that was made and never written to tells of nothing.
    fs::write(&wcm, "").unwrap();
    assert_eq!(classify(&sandbox, &[path]).1["label"], "red");

    for (file, rule) in [
        ("kube-apiserver.log", "no-apiserver-log"),
        ("kubelet.log", "no-kubelet-log"),
        ("nohup.out", "no-load-log"),
    ] {
        run(&dir, "", "", &steps(&FAR));
        fs::remove_file(dir.join(file)).unwrap();
        let (_, seen) = classify(&sandbox, &[path]);
        assert_eq!(
            (&seen["label"], &seen["black"][0]),
            (&"black".into(), &rule.into())
        );
    }
    // A lack takes back an absence, not a finding.
    run(&dir, PANIC, "", &steps(&FAR));
    fs::remove_file(dir.join("kubelet.log")).unwrap();
    assert_eq!(classify(&sandbox, &[path]).1["label"], "red");
}

#[test]
fn a_run_that_did_not_get_past_a_step_is_black_with_the_step() {
    let sandbox = Sandbox::without_components();
    let dir = sandbox.path("run");
    run(&dir, "", "", &steps(&FAR[..2]));
    let path = dir.to_str().unwrap();
    let (_, seen) = classify(&sandbox, &[path]);
    assert_eq!(
        (&seen["label"], &seen["black"][0]),
        (&"black".into(), &"load-too-short".into())
    );
    assert!(
        seen["why"]
            .as_str()
            .unwrap()
            .contains("it reached step 5, \"Creating objects\""),
        "{seen:#}"
    );
    for (args, label) in [
        (["--past", "3"], "green"),
        (["--past", "Creating objects"], "black"),
        (["--without", "load-too-short"], "green"),
    ] {
        assert_eq!(
            classify(&sandbox, &[path, args[0], args[1]]).1["label"],
            label,
            "{args:?}"
        );
    }
    run(
        &dir,
        "",
        "",
        &(steps(&FAR) + "panic: runtime error: invalid memory address or nil pointer dereference\n"),
    );
    assert_eq!(classify(&sandbox, &[path]).1["black"][0], "load-tool-panic");
    run(
        &dir,
        "",
        "",
        "I0930 08:00:00.000000 1 a.go:1] Step \"[step: 01] gathering measurements\" started\n",
    );
    let (_, seen) = classify(&sandbox, &[path]);
    assert_eq!(seen["other_steps"], serde_json::json!(["gathering measurements"]));
    assert!(
        seen["why"].as_str().unwrap().contains("no step was seen"),
        "{seen:#}"
    );
    sandbox
        .run(&["classify", path, "--past", "14"])
        .assert(exit::USAGE, &["no step of the load test is called \"14\""]);
}

#[test]
fn packed_logs_are_known_by_what_they_are_and_not_by_their_names() {
    let sandbox = Sandbox::without_components();
    let gzip = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |text: &str| compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
    let dir = sandbox.path("run");
    run(&dir, "", "", &steps(&FAR));
    fs::remove_file(dir.join("kubelet.log")).unwrap();
    for (name, bytes) in [
        // Several members and frames, as rotation by appending makes them; and a name that says the wrong thing.
        (
            "kubelet.log-20200930-1601450000.gz",
            [gzip("a\n"), gzip(KILL)].concat(),
        ),
        ("kube-apiserver.log.zst", [zstd("a\n"), zstd(PANIC)].concat()),
        ("kube-apiserver.log.1.gz", zstd(PANIC)),
        ("kube-apiserver.log.2", gzip(PANIC)),
        ("etcd.log.gz", SLOW.as_bytes().to_vec()),
    ] {
        fs::write(dir.join(name), bytes).unwrap();
    }
    let (_, seen) = classify(&sandbox, &[dir.to_str().unwrap()]);
    assert_eq!(found(&seen, "killing-connection")["count"], 3);
    assert_eq!(found(&seen, "kubelet-kill-times-out")["count"], 1);
    assert_eq!(found(&seen, "took-too-long")["count"], 2);
    assert_eq!(seen["unread"], serde_json::json!([]));
    let packed: Vec<&str> = seen["logs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|log| log["packed"].as_str().unwrap())
        .collect();
    assert_eq!(
        packed.iter().filter(|how| **how == "zstd").count(),
        2,
        "{packed:?}"
    );
}

#[test]
fn a_folder_of_our_own_evidence_is_read_by_its_logs_only() {
    let sandbox = Sandbox::without_components();
    let dir = sandbox.path("evidence");
    run(&dir.join("logs"), "", "", &steps(&FAR));
    for name in ["timeline.jsonl", "verdict.json", "audit.jsonl", "kubeconfig.yaml"] {
        fs::write(dir.join(name), PANIC).unwrap();
    }
    fs::write(dir.join("logs/kube-apiserver-audit.log"), PANIC).unwrap();
    let (_, seen) = classify(&sandbox, &[dir.to_str().unwrap()]);
    assert_eq!(seen["label"], "green", "{seen:#}");
    assert_eq!(seen["passed_over"].as_array().unwrap().len(), 4);
    // What is named by itself is read all the same.
    let named = dir.join("timeline.jsonl");
    assert_eq!(classify(&sandbox, &[named.to_str().unwrap()]).1["label"], "red");
}
