//! What CI does for kind: the runtime without a capability, and the release of kind that it names.

use std::fs;
use std::process::Command;

use kubeclash_host::yaml;
use serde_json::{Value, json};

use crate::cli_sandbox::{Sandbox, ended, not_run};
use crate::workflow_runner::root;

/// What the runtime tells runc, and what is in the file then.
fn told(args: &[&str], file: &str, before: &Value) -> (String, Value) {
    let sandbox = Sandbox::without_components();
    fs::create_dir_all(sandbox.path("bin")).unwrap();
    sandbox.program("bin/runc", "#!/bin/sh\necho \"$@\"\n");
    let file = sandbox.path("home").join(file);
    fs::write(&file, before.to_string()).unwrap();
    let mut path = vec![sandbox.path("bin")];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let mut command = sandbox.with(Command::new(root().join(".ci/runc-without-sys-resource")), args);
    command
        .env("PATH", std::env::join_paths(path).unwrap())
        .current_dir(sandbox.path("home"));
    let ended = ended(command);
    ended.assert(0, &[]);
    let after = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    (ended.stdout.trim_end().to_owned(), after)
}

#[test]
fn the_runtime_takes_one_capability_away_and_passes_everything_on() {
    if Command::new("jq").arg("--version").output().is_err() {
        return not_run(
            "the runtime of .ci/docker",
            "there is no jq",
            "KUBECLASH_REQUIRE_DOCKER",
        );
    }
    let capabilities = |all: &[&str]| json!({"bounding": all, "effective": all, "ambient": []});
    let given = capabilities(&["CAP_SYS_ADMIN", "CAP_SYS_RESOURCE", "CAP_KILL"]);
    let left = capabilities(&["CAP_SYS_ADMIN", "CAP_KILL"]);
    let of_bundle =
        |of: &Value| json!({"process": {"args": ["/a b"], "capabilities": of}, "linux": {"x": [1]}});
    let of_process = |of: &Value| json!({"args": ["/a"], "capabilities": of});

    for args in [
        &["--root", "/r", "create", "--bundle", ".", "id"][..],
        &["--log=/l", "run", "--bundle=.", "id"],
        &["create", "id"],
    ] {
        let (passed, after) = told(args, "config.json", &of_bundle(&given));
        assert_eq!((passed, after), (args.join(" "), of_bundle(&left)));
    }
    for args in [
        &["--root", "/r", "exec", "--process", "p.json", "--detach", "id"][..],
        &["exec", "-p", "p.json", "id"],
    ] {
        let (passed, after) = told(args, "p.json", &of_process(&given));
        assert_eq!((passed, after), (args.join(" "), of_process(&left)));
    }
    // Nothing to take away, and nothing to look at.
    let plain = json!({"process": {"args": ["/a"]}});
    assert_eq!(told(&["create", "id"], "config.json", &plain).1, plain);
    for args in [&["state", "id"][..], &["exec", "id", "run"]] {
        let (passed, after) = told(args, "config.json", &of_bundle(&given));
        assert_eq!((passed, after), (args.join(" "), of_bundle(&given)));
    }
}

#[test]
fn ci_runs_the_kind_that_is_pinned() {
    let live = fs::read_to_string(root().join(".github/workflows/live.yml")).unwrap();
    let live = yaml::value(&live).unwrap();
    let version = live["jobs"]["run"]["env"]["KUBECLASH_KIND"].as_str().unwrap();
    let module = fs::read_to_string(root().join("crates/components/modules/kind/go.mod")).unwrap();
    assert!(
        module.contains(&format!("sigs.k8s.io/kind {version}\n")),
        "{version} is not in\n{module}"
    );
    // And the node image by the name that .ci/kind looks for.
    let kit = fs::read_to_string(root().join("crates/cluster/src/kind/kit.rs")).unwrap();
    let ci = fs::read_to_string(root().join(".ci/kind")).unwrap();
    let sed = ci
        .lines()
        .find_map(|line| line.trim().strip_prefix("official=$(")?.strip_suffix(')'));
    let output = Command::new("bash")
        .args(["-c", sed.unwrap()])
        .current_dir(root())
        .output()
        .unwrap();
    let found = String::from_utf8(output.stdout).unwrap();
    assert!(
        found.starts_with("kindest/node:v") && kit.contains(&format!("\"{}\"", found.trim())),
        "{found}"
    );
}
