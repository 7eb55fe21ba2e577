//! What the user got wrong, or the machine lacks: a message that names it, the documented exit code, nothing left.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kubeclash::exit;
use rstest::rstest;

use crate::cli_sandbox::{Ended, Sandbox, ended, files_below};

/// The shortest arm that there is.
const ARM: [&str; 4] = ["run", "c7", "--arm", "broken"];

fn run(sandbox: &Sandbox, more: &[&str]) -> Ended {
    sandbox.run(&[&ARM, more].concat())
}

/// A copy of the built-in cases, to be spoiled.
fn manifests(sandbox: &Sandbox) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    let to = sandbox.path("manifests");
    for file in files_below(&from) {
        let copy = to.join(file.strip_prefix(&from).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(&file, copy).unwrap();
    }
    to
}

fn spoil(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "no {from:?} in {}", file.display());
    fs::write(file, text.replace(from, to)).unwrap();
}

#[test]
fn an_unknown_case_is_named_with_those_that_there_are() {
    let sandbox = Sandbox::without_components();
    let ended = sandbox.run(&["run", "c7", "c9"]);
    ended.assert(
        exit::NOTHING,
        &["no case is called \"c9\"", "c1, c2", "kubeclash list"],
    );
}

#[test]
fn a_release_that_is_too_old_is_refused_before_it_is_built() {
    let sandbox = Sandbox::without_components();
    let ended = sandbox.run(&["run", "c7", "--kubernetes", "v1.23.17"]);
    ended.assert(
        exit::USAGE,
        &[
            "kube-apiserver v1.23.17 is older than v1.24",
            "choose a later release",
        ],
    );
    assert!(!ended.stderr.contains("building"), "{ended}");
}

#[rstest]
#[case::pace("KUBECLASH_PACE", "warp", &["--pace", "warp", "\"fast\" or \"recorded\""])]
#[case::provider("KUBECLASH_PROVIDER", "cloud", &["--provider", "cloud"])]
#[case::timeout("KUBECLASH_READY_TIMEOUT", "0s", &["--ready-timeout", "more than nothing"])]
#[case::unit("KUBECLASH_READY_TIMEOUT", "90", &["--ready-timeout", "\"90s\" or \"2m\""])]
#[case::spec("KUBECLASH_SCHEDULER", "docker:x/y:z", &["--scheduler", "docker:", "image:REF"])]
fn a_bad_variable_is_told_by_its_flag(#[case] name: &str, #[case] value: &str, #[case] words: &[&str]) {
    let sandbox = Sandbox::without_components();
    let mut command = sandbox.command(&ARM);
    command.env(name, value);
    ended(command).assert(exit::USAGE, words);
}

#[test]
fn all_mistakes_in_a_cases_files_are_shown_together() {
    let sandbox = Sandbox::without_components();
    let case = manifests(&sandbox).join("c7_taint_recreate_loop");
    spoil(&case.join("case.yaml"), "count: 3", "count: many");
    spoil(&case.join("case.yaml"), "expected-runtime: 64s\n", "");
    fs::write(case.join("10-web.yaml"), "apiVersion: v1\nkind: Pod\n---\nb: [\n").unwrap();
    let dir = case.display().to_string();
    run(&sandbox, &["--cases", &dir]).assert(
        exit::USAGE,
        &[
            "mistakes in the case",
            "cluster.nodes[0].count",
            "expected-runtime",
            "10-web.yaml:1:",
            "10-web.yaml:5:",
        ],
    );
    sandbox.assert_clean();
}

#[test]
fn a_folder_of_cases_that_is_not_there_is_told_by_its_flag() {
    let sandbox = Sandbox::without_components();
    run(&sandbox, &["--cases", "/there/is/nothing"]).assert(
        exit::USAGE,
        &["/there/is/nothing", "has no case in it", "No such file"],
    );
}

#[test]
fn a_case_of_a_built_in_ones_name_is_told_with_its_place_and_a_copy_of_one_is_not() {
    let sandbox = Sandbox::without_components();
    let dir = manifests(&sandbox);
    let shown = dir.display().to_string();
    let list = ["list", "--cases", &shown, "--format", "json"];
    let copies = sandbox.run(&list);
    copies.assert(exit::EXPECTED, &[]);
    let builtin = sandbox.run(&["list", "--format", "json"]);
    assert_eq!(copies.stdout, builtin.stdout);
    for case in ["c7_taint_recreate_loop", "h22_apply_undoes_scale_up"] {
        spoil(&dir.join(case).join("case.yaml"), "observe: ", "observe: 1");
    }
    sandbox.run(&list).assert(
        exit::USAGE,
        &[
            &format!("two cases are called \"c7\": a built-in one, and another in \"{shown}/c7_taint_recreate_loop\""),
            "two cases are called \"h22\"",
        ],
    );
    let l1 = format!("{shown}/l1_apiserver_liveness_loop");
    sandbox
        .run(&["run", &l1])
        .assert(exit::USAGE, &["l1_apiserver_liveness_loop\" has no case in it"]);
}

#[test]
fn a_component_that_can_not_be_one_is_told_by_its_flag() {
    let sandbox = Sandbox::without_components();
    let text = sandbox.path("text");
    fs::write(&text, "#!/bin/sh\n").unwrap();
    let foreign = sandbox.program("foreign", "");
    // The head of an ELF file for RISC-V.
    let mut head = b"\x7fELF\x02\x01\x01".to_vec();
    head.resize(18, 0);
    head.extend([0xf3, 0]);
    head.resize(64, 0);
    fs::write(sandbox.path("foreign"), head).unwrap();
    for (spec, reason) in [
        ("path:/there/is/nothing".to_owned(), "does not exist"),
        (format!("path:{}", text.display()), "is not executable"),
        (foreign, "is made for"),
    ] {
        run(&sandbox, &["--scheduler", &spec]).assert(
            exit::UNAVAILABLE,
            &["--scheduler", &spec["path:".len()..], reason],
        );
    }
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_component_that_exits_at_once_is_quoted() {
    let sandbox = Sandbox::new().await;
    let spec = sandbox.program(
        "exits",
        "#!/bin/sh\necho 'no such flag: --kubeconfig' >&2\nexit 7\n",
    );
    let ended = run(&sandbox, &["--scheduler", &spec]);
    ended.assert(
        exit::UNAVAILABLE,
        &[
            "c7 broken: \"kube-scheduler\" exited (exit status: 7)",
            "no such flag: --kubeconfig",
            "kube-scheduler.log",
        ],
    );
    assert!(ended.stdout.contains("1 failed"), "{ended}");
    // The first start, from which later ones start faster, has nothing but the API server and etcd.
    run(&sandbox, &["--apiserver", &spec]).assert(
        exit::UNAVAILABLE,
        &["\"kube-apiserver\" exited (exit status: 7)", "no such flag"],
    );
    sandbox.assert_clean();
}

/// A component that says what version it is, and nothing else: it ignores SIGTERM as well.
const IDLE: &str = "#!/bin/sh\ncase \"$1\" in --version) exit;; esac\ntrap '' TERM\n\
                    echo waiting for better times\nwhile :; do sleep 600; done\n";

#[tokio::test]
async fn a_component_that_never_becomes_ready_is_given_up() {
    let sandbox = Sandbox::new().await;
    let spec = sandbox.program("waits", IDLE);
    // The time is for each component, and the others must have enough of it on a busy machine.
    let ended = run(
        &sandbox,
        &[
            "--controller-manager",
            &spec,
            "--ready-timeout",
            "20s",
            "--format",
            "json",
        ],
    );
    ended.assert(
        exit::UNAVAILABLE,
        &[
            "c7 broken: \"kube-controller-manager\" was not ready after 20.",
            "/healthz",
            "waiting for better times",
            "--ready-timeout",
        ],
    );
    assert_eq!(ended.stdout, "", "an arm without a verdict has no line");
    assert_eq!(
        ended.stderr.matches("waiting for better times").count(),
        1,
        "{ended}"
    );
    sandbox.assert_clean();
}

#[tokio::test]
async fn so_is_one_that_the_first_start_waits_for() {
    let sandbox = Sandbox::new().await;
    let spec = sandbox.program("waits", IDLE);
    run(&sandbox, &["--etcd", &spec, "--ready-timeout", "1s"]).assert(
        exit::UNAVAILABLE,
        &[
            "\"etcd\" was not ready after 1.",
            "/health",
            "waiting for better times",
        ],
    );
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_policy_that_the_descheduler_refuses_fails_its_arm_and_no_other() {
    let sandbox = Sandbox::new().await;
    let dir = manifests(&sandbox);
    // Under a name of its own.
    let (builtin, mine) = (dir.join("c5_remove_duplicates_loop"), dir.join("x5_mine"));
    fs::rename(builtin, &mine).unwrap();
    spoil(&mine.join("case.yaml"), "id: c5", "id: x5");
    spoil(
        &mine.join("policy.yaml"),
        "enabled: [RemoveDuplicates]",
        "enabled: [RemoveTriplicates]",
    );
    let mine = mine.display().to_string();
    let ended = sandbox.run(&[
        "run", "x5", "c7", "--arm", "broken", "--cases", &mine, "--format", "json",
    ]);
    ended.assert(
        exit::UNAVAILABLE,
        &[
            "x5 broken: \"descheduler\" exited",
            "RemoveTriplicates",
            "descheduler.log",
        ],
    );
    let lines: Vec<serde_json::Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 1, "{ended}");
    assert_eq!(lines[0]["case"], "c7_taint_recreate_loop");
    assert_eq!(lines[0]["ok"], true, "{ended}");
    sandbox.assert_clean();
}

#[test]
fn without_go_and_network_every_way_that_was_tried_is_named() {
    let sandbox = Sandbox::without_components();
    let mut command = sandbox.command(&ARM);
    command
        .env("PATH", sandbox.path("home"))
        .env("KUBECLASH_CACHE", sandbox.path("cache"));
    for mirror in ["KUBERNETES", "ETCD", "KWOK", "DESCHEDULER"] {
        // Nobody listens on port 1.
        command.env(format!("KUBECLASH_{mirror}_MIRROR"), "http://127.0.0.1:1");
    }
    let ended = ended(command);
    ended.assert(
        exit::UNAVAILABLE,
        &[
            "no way to get",
            "etcd",
            "kube-apiserver",
            "descheduler",
            "127.0.0.1:1",
            "Go",
        ],
    );
    sandbox.assert_clean();
}

#[test]
fn a_cache_that_can_not_be_written_is_named() {
    let sandbox = Sandbox::without_components();
    let file = sandbox.path("file");
    fs::write(&file, "").unwrap();
    let cache = file.join("cache");
    let mut command = sandbox.command(&ARM);
    command.env("KUBECLASH_CACHE", &cache);
    ended(command).assert(
        exit::UNAVAILABLE,
        &[&cache.display().to_string(), "KUBECLASH_CACHE"],
    );
    sandbox.assert_clean();
}

#[tokio::test]
async fn evidence_that_can_not_be_written_is_an_error_of_ours() {
    let sandbox = Sandbox::new().await;
    let file = sandbox.path("file");
    fs::write(&file, "").unwrap();
    let out = file.join("evidence").display().to_string();
    run(&sandbox, &["--out", &out]).assert(exit::ERROR, &[&out, "--out names another"]);
    sandbox.assert_clean();
}

/// Runs an arm with a small disk of its own below `dir`; `None` where this machine lets nobody mount one.
fn on_a_small_disk(sandbox: &Sandbox, dir: &str, size: &str) -> Option<Ended> {
    let disk = sandbox.path(dir);
    // In a mount namespace of its own, which goes with its last process. A user namespace is for who is not root.
    let script = "mount -t tmpfs -o size=$0 tmpfs \"$1\" && shift && exec \"$@\"";
    for namespaces in [["--mount"].as_slice(), &["--mount", "--user", "--map-root-user"]] {
        let unshare = || sandbox.with(Command::new("unshare"), namespaces);
        let mut probe = unshare();
        probe.args(["sh", "-c", script, size]).arg(&disk).arg("true");
        if !probe.output().is_ok_and(|output| output.status.success()) {
            continue;
        }
        let mut command = unshare();
        command.args(["sh", "-c", script, size]).arg(&disk);
        command.arg(env!("CARGO_BIN_EXE_kubeclash")).args(ARM);
        return Some(ended(command));
    }
    eprintln!(
        "SKIPPED: neither root nor user namespaces, so there is no small disk to fill (unshare, mount)"
    );
    None
}

#[rstest]
#[case::for_evidence("out", "24k", &["out/c7_taint_recreate_loop", "--out"])]
#[case::for_a_timeline("out", "64k", &["out/c7_taint_recreate_loop", "--out"])]
#[case::for_run_directories("tmp", "1m", &["TMPDIR"])]
#[tokio::test]
async fn a_full_disk_is_told_and_nothing_is_left(
    #[case] dir: &str,
    #[case] size: &str,
    #[case] words: &[&str],
) {
    let sandbox = Sandbox::new().await;
    let Some(ended) = on_a_small_disk(&sandbox, dir, size) else {
        return;
    };
    assert!(
        [exit::ERROR, exit::UNAVAILABLE]
            .map(|code| Some(code.into()))
            .contains(&ended.code),
        "{ended}"
    );
    for word in words {
        assert!(ended.stderr.contains(word), "no {word:?} in {ended}");
    }
    // In the system's words, or in Go's.
    assert!(
        ended.stderr.to_lowercase().contains("no space left on device"),
        "{ended}"
    );
    sandbox.assert_clean();
}

/// One of the recordings that come with the cases.
fn recording() -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/c7_taint_recreate_loop");
    let file = files_below(&dir)
        .into_iter()
        .find(|path| {
            path.extension().is_some_and(|ending| ending == "jsonl")
                && fs::read_to_string(path).is_ok_and(|text| text.contains("\"arm\":\"control\""))
        })
        .unwrap();
    fs::read_to_string(file).unwrap()
}

#[test]
fn half_a_timeline_is_judged_as_far_as_it_goes() {
    let sandbox = Sandbox::without_components();
    let text = recording();
    let half = sandbox.path("half.jsonl");
    let middle = text.len() / 2;
    // In the middle of a line.
    let cut = (middle..).find(|at| !text[..*at].ends_with('\n') && !text[*at..].starts_with('\n'));
    fs::write(&half, &text[..cut.unwrap()]).unwrap();
    let ended = sandbox.run(&["replay", &half.display().to_string()]);
    ended.assert(exit::INCONCLUSIVE, &[]);
    assert!(ended.stdout.contains("cut off"), "{ended}");
}

#[test]
fn a_timeline_that_can_not_be_read_is_named() {
    let sandbox = Sandbox::without_components();
    let text = recording();
    let file = sandbox.path("timeline.jsonl");
    let path = file.display().to_string();
    for (content, word) in [
        (
            text.replacen("\"kubeclash_timeline\":1", "\"kubeclash_timeline\":7", 1),
            "format 7",
        ),
        (String::new(), "is not a timeline"),
        ("{}\n".to_owned(), "is not a timeline"),
        (text.replacen('\n', "\n{\"t_ms\":1,\"what\":2}\n", 1), "line 2"),
    ] {
        fs::write(&file, content).unwrap();
        sandbox
            .run(&["replay", &path])
            .assert(exit::USAGE, &[&path, word]);
    }
    fs::remove_file(&file).unwrap();
    sandbox
        .run(&["replay", &path])
        .assert(exit::USAGE, &[&path, "No such file"]);
}

#[test]
fn a_mistake_in_the_case_beside_a_timeline_is_told() {
    let sandbox = Sandbox::without_components();
    let file = sandbox.path("timeline.jsonl");
    fs::write(&file, recording()).unwrap();
    let case = sandbox.path("case");
    fs::create_dir(&case).unwrap();
    fs::write(case.join("case.yaml"), "format: kubeclash.case/v1\nidd: c7\n").unwrap();
    sandbox.run(&["replay", &file.display().to_string()]).assert(
        exit::USAGE,
        &["case.yaml:2:1", "unknown field \"idd\"", "missing steps"],
    );
}
