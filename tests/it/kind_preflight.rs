//! What would keep kind from making a cluster is told up front, with its remedy; engines and kinds are made up.

use std::fs;
use std::time::{Duration, Instant};

use kubeclash::exit;
use rstest::rstest;
use serde_json::{Value, json};

use crate::cli_sandbox::{Sandbox, ended};

/// What doctor says of kind where these programs, and no others, are on the PATH.
fn told(programs: &[(&str, &str)], env: &[(&str, &str)], format: &str) -> (String, Duration) {
    let sandbox = Sandbox::without_components();
    let bin = sandbox.path("bin");
    fs::create_dir(&bin).unwrap();
    for (name, script) in programs {
        sandbox.program(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}\n"));
    }
    let mut command = sandbox.command(&["doctor", "--format", format]);
    command
        .env("PATH", &bin)
        .env("DOCKER_HOST", "unix:///no/such/socket")
        .envs(env.iter().copied());
    let start = Instant::now();
    let doctor = ended(command);
    doctor.assert(exit::EXPECTED, &[]);
    (doctor.stdout, start.elapsed())
}

fn kind(programs: &[(&str, &str)], env: &[(&str, &str)]) -> Value {
    let (json, _) = told(programs, env, "json");
    serde_json::from_str::<Value>(&json).unwrap()["kind"].take()
}

/// A machine that is not this one, so that neither its disk nor its kernel is looked at.
const WELL: &str = r#"case $1 in info)
echo '{"ServerVersion":"28.2.2","Architecture":"x86_64","Name":"elsewhere","CgroupVersion":"2","DockerRootDir":"/"}' ;; esac"#;

const KIND: &str = "echo 'kind v0.33.0 go1.26.1 linux/amd64'";

#[test]
fn kind_and_an_engine_that_are_well_are_told() {
    let found = kind(&[("docker", WELL), ("kind", KIND)], &[]);
    assert_eq!(found["problems"], json!([]), "{found}");
    assert_eq!(found["notes"], json!([]), "{found}");
    assert_eq!(found["engine"], "docker");
    assert_eq!(found["engine_version"], "28.2.2");
    assert_eq!(found["kind_version"], "v0.33.0");
    assert!(found["path"].as_str().unwrap().ends_with("bin/kind"), "{found}");
    let (text, _) = told(&[("docker", WELL), ("kind", KIND)], &[], "text");
    let line = text.lines().find(|line| line.starts_with("kind ")).unwrap();
    assert!(
        line.starts_with("kind      v0.33.0 at ") && line.ends_with("drives docker 28.2.2"),
        "{line}"
    );
}

#[rstest]
#[case::no_engine(&[], &[], "no docker, podman or nerdctl", "install Docker")]
#[case::an_unknown_one(&[("docker", WELL)], &[("KIND_EXPERIMENTAL_PROVIDER", "finch")], "\"finch\"", "install Docker")]
#[case::one_that_is_named(&[("docker", WELL)], &[("KIND_EXPERIMENTAL_PROVIDER", "podman")], "no podman on PATH", "KIND_EXPERIMENTAL_PROVIDER")]
#[case::not_running(
    &[("docker", "echo 'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?' >&2; exit 1")],
    &[],
    "docker does not run",
    "systemctl start docker"
)]
#[case::no_permission(
    &[("docker", "echo 'permission denied while trying to connect to the docker API' >&2; exit 1")],
    &[],
    "no permission",
    "usermod -aG docker"
)]
#[case::rootless(
    &[("docker", r#"echo '{"ServerVersion":"28","CgroupVersion":"1","SecurityOptions":["name=rootless"]}'"#)],
    &[],
    "rootless on a machine with cgroup v1",
    "unified_cgroup_hierarchy"
)]
#[case::an_old_kind(&[("docker", WELL), ("kind", "echo kind v0.20.0 go1.20.4 linux/amd64")], &[], "older than v0.27.0", "--kind")]
#[case::no_kind(&[("docker", WELL), ("kind", "echo hello")], &[], "is not kind", "--kind")]
fn what_is_wrong_is_told_with_its_remedy(
    #[case] programs: &[(&str, &str)],
    #[case] env: &[(&str, &str)],
    #[case] what: &str,
    #[case] remedy: &str,
) {
    let found = kind(programs, env);
    let problem = &found["problems"][0];
    assert!(problem["what"].as_str().unwrap().contains(what), "{found}");
    assert!(problem["remedy"].as_str().unwrap().contains(remedy), "{found}");
    assert_eq!(found["problems"].as_array().unwrap().len(), 1, "{found}");
    let (text, _) = told(programs, env, "text");
    let line = text.lines().find(|line| line.contains("PROBLEM")).unwrap();
    assert!(line.contains(what) && line.contains(remedy), "{line}");
}

#[test]
fn nobody_is_waited_for_longer_than_ten_seconds() {
    // A PATH with nothing else has no sleep; what waits for its own input's end would get it at once.
    let silent = "while :; do /bin/sleep 1; done";
    let (text, took) = told(
        &[("docker", silent), ("podman", silent), ("kind", silent)],
        &[],
        "text",
    );
    assert!(took < Duration::from_secs(10), "{took:?}");
    for late in [
        "docker does not answer within 5s",
        "kind\" does not answer within 5s",
    ] {
        assert!(text.contains(late), "{text}");
    }
}
