//! `kubeclash submit` and `kubeclash image` without a kubelet: what is refused, what is printed, what is in an image.

use std::fs;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use kubeclash::exit;
use kubeclash::scenario::yaml;
use serde_json::Value;

use crate::cli_sandbox::Sandbox;
use crate::component_site::write_executable;
use crate::conformance::{local, up};

const CONFIG: &str = "\
apiVersion: v1
kind: Config
current-context: mine
clusters: [{name: mine, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: me, user: {}}]
contexts: [{name: mine, context: {cluster: mine, user: me, namespace: ns}}]
";

#[test]
fn a_context_has_to_be_named_and_is_looked_for_only_where_it_is_said() {
    let sandbox = Sandbox::without_components();
    let step = ["--image", "a:1", "--", "run", "c7"];
    sandbox
        .run(&[&["submit"], &step[..]].concat())
        .assert(exit::USAGE, &["--context <NAME>"]);
    let unknown = [&["submit", "--context", "other"], &step[..]].concat();
    sandbox
        .run(&unknown)
        .assert(exit::USAGE, &["failed to read kubeconfig"]);
    let file = sandbox.path("config").display().to_string();
    fs::write(&file, CONFIG).unwrap();
    let mut command = sandbox.command(&unknown);
    command.env("KUBECONFIG", &file);
    crate::cli_sandbox::ended(command)
        .assert(exit::USAGE, &["there is no context \"other\"", "there is mine"]);
    let there = [&["submit", "--kubeconfig", &file, "--context", "mine"], &step[..]].concat();
    let ended = sandbox.run(&there);
    ended.assert(
        exit::UNAVAILABLE,
        &["the cluster of context \"mine\" does not answer"],
    );
    sandbox.assert_clean();
}

#[test]
fn jobs_are_printed_and_nothing_is_asked() {
    let sandbox = Sandbox::without_components();
    let dry = [
        "submit",
        "--context",
        "nowhere",
        "--image",
        "a:1",
        "--dry-run",
        "--",
        "run",
        "c7",
        "--arm",
        "broken",
    ];
    let ended = sandbox.run(&dry);
    ended.assert(exit::EXPECTED, &[]);
    let job: Job = serde_json::from_value(yaml::value(&ended.stdout).unwrap()).unwrap();
    let pod = job.spec.unwrap().template.spec.unwrap();
    let command = pod.containers[0].command.as_ref().unwrap().join(" ");
    assert_eq!(command, "kubeclash worker run -- run c7 --arm broken");
    for (bad, why) in [
        (
            &["--", "run", "c7", "--provider", "kind"][..],
            "no container engine",
        ),
        (&["--", "run", "nonsense", "--nonsense"], "can't be a step"),
        (&["--from", "/nonexistent"], "/nonexistent"),
        (&["--cpu", "many", "--", "run", "c7"], "--cpu"),
    ] {
        sandbox
            .run(&[&dry[..6], bad].concat())
            .assert(exit::USAGE, &[why]);
    }
}

/// A hollow kubelet says that a pod is ready and can't run anything in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_gives_no_results_is_named_and_removed() {
    if !local().await {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let cluster = up(None, scratch.path()).await;
    let sandbox = Sandbox::without_components();
    let kubeconfig = cluster.kubeconfig().display().to_string();
    let out = sandbox.path("out").display().to_string();
    let ended = sandbox.run(&[
        "submit",
        "--kubeconfig",
        &kubeconfig,
        "--context",
        "kubeclash",
        "--image",
        "a:1",
        "--cpu",
        "1",
        "--memory",
        "1Mi",
        "--format",
        "json",
        "--out",
        &out,
        "--",
        "run",
        "c7",
    ]);
    ended.assert(exit::UNAVAILABLE, &[]);
    let step: Value = serde_json::from_str(&ended.stdout).unwrap();
    let why = step["why"].as_str().unwrap();
    assert!(why.contains("its results could not be fetched"), "{ended}");
    let jobs = Api::<Job>::all(cluster.client().clone());
    assert_eq!(jobs.list(&ListParams::default()).await.unwrap().items.len(), 0);
    let pods = Api::<Pod>::all(cluster.client().clone());
    assert_eq!(pods.list(&ListParams::default()).await.unwrap().items.len(), 0);
    sandbox.assert_clean();
    cluster.cluster.down(true).await;
}

#[tokio::test]
async fn an_image_has_this_program_its_components_and_forks() {
    let sandbox = Sandbox::new().await;
    let fork = sandbox.path("my-scheduler");
    let real = crate::cli_sandbox::binary(kubeclash::component::ComponentName::Scheduler).await;
    write_executable(&fork, &fs::read(real).unwrap());
    let (file, spec) = (sandbox.path("image.tar"), format!("path:{}", fork.display()));
    let to = file.display().to_string();
    let made = sandbox.run(&[
        "image",
        "--tag",
        "me/kubeclash:pr-1",
        "--out",
        &to,
        "--scheduler",
        &spec,
    ]);
    made.assert(exit::EXPECTED, &[]);
    let (mut manifest, mut config, mut paths) = (Value::Null, Value::Null, Vec::new());
    let mut archive = tar::Archive::new(fs::File::open(&file).unwrap());
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        match &*name {
            "manifest.json" => manifest = serde_json::from_reader(entry).unwrap(),
            name if name.ends_with(".json") => config = serde_json::from_reader(entry).unwrap(),
            _ => {
                let mut layer = tar::Archive::new(entry);
                let of_layer = layer
                    .entries()
                    .unwrap()
                    .map(|entry| entry.unwrap().path().unwrap().display().to_string());
                paths.extend(of_layer);
            }
        }
    }
    assert_eq!(manifest[0]["RepoTags"][0], "me/kubeclash:pr-1");
    assert_eq!(config["config"]["User"], "65532:65532");
    let env: Vec<&str> = config["config"]["Env"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let path = "usr/local/lib/kubeclash/kube-scheduler";
    assert!(
        env.contains(&&*format!("KUBECLASH_SCHEDULER=path:/{path}")),
        "{env:?}"
    );
    let has = |end: &str| paths.iter().any(|path| path.ends_with(end));
    for end in [
        "usr/local/bin/kubeclash",
        path,
        "/etcd",
        "/kwok",
        "/descheduler",
        "/kube-apiserver",
        "/entry.json",
        "tmp/",
    ] {
        assert!(has(end), "no {end} in {paths:#?}");
    }
    let refused = sandbox.run(&[
        "image",
        "--tag",
        "a:1",
        "--out",
        &to,
        "--scheduler",
        "image:me/scheduler:1",
    ]);
    refused.assert(exit::USAGE, &["image+extract:REF"]);
}
