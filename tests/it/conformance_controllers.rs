//! Controllers of a case's own, nodes that bear too much, and kinds of one's own, on the clusters of every provider.

use std::path::Path;

use kubeclash_cluster::Controller;
use kubeclash_components::{Binary, ComponentName, Origin, Program};
use kubeclash_timeline::{Ending, RequestSeen};

use crate::conformance_steps::*;

/// The program that keeps a deployment's replicas, built of `fixtures/keeper`, which runs in an empty image as well.
pub(crate) fn build_keeper(out: &Path) {
    let built = std::process::Command::new("go")
        .args(["build", "-buildvcs=false", "-o"])
        .arg(out)
        .arg(".")
        .env("CGO_ENABLED", "0")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/keeper"))
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
}

/// The same as a controller of a case.
fn keeper(scratch: &Path, args: &[&str], ready: Option<&str>) -> Controller {
    let out = scratch.join("keeper");
    build_keeper(&out);
    Controller {
        name: "keeper".to_owned(),
        binary: Binary {
            name: ComponentName::Controller,
            version: "unknown".to_owned(),
            program: Program::File { path: out },
            sha256: String::new(),
            origin: Origin::Given,
            build_log: None,
        },
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        env: std::collections::BTreeMap::new(),
        ready: ready.map(str::to_owned),
    }
}

const HPA: &str = "apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 1
  maxReplicas: 5
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
  behavior: {scaleDown: {stabilizationWindowSeconds: 15}}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_case_s_own_controller_fights_with_the_autoscaler_and_is_named() {
    if !hollow("a_case_s_own_controller_fights_with_the_autoscaler_and_is_named").await {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let args = ["-replicas=2", "-every=200ms", "-listen=127.0.0.1:${port}"];
    let keeper = keeper(scratch.path(), &args, Some(":${port}/healthz"));
    let played = play(
        "cluster: {nodes: [{}]}
controllers: [{name: keeper, run: 'path:keeper'}]
steps:
  - cpu: {of: deployment/web, all-pods: [{use: 1}]}
  - apply: [10-web.yaml, 20-hpa.yaml]
  - wait: {hpa/web: {cpu: '> 50 %', desired: '>= 4'}}
    within: 300s
  - start: keeper
  - wait: {deployment/web: {wanted: 2}}
    within: 60s
  - wait: {deployment/web: {wanted: '>= 4'}}
    within: 120s
  - stop: keeper
  - cpu: {of: deployment/web, all-pods: [{use: 0}]}
  - wait: {deployment/web: {wanted: 1}}
    within: 600s
",
        &[
            ("10-web.yaml", WEB),
            ("20-hpa.yaml", HPA),
            ("keeper", "#!/bin/sh\n"),
        ],
        vec![keeper],
    )
    .await;
    played.complete();
    assert_eq!(played.marks(), ["applied", "started"]);
    let keeps = played
        .requests()
        .filter(|request| request.user.as_deref() == Some("controller:keeper"));
    let keeps: Vec<&RequestSeen> = keeps.collect();
    assert!(!keeps.is_empty());
    assert!(
        keeps
            .iter()
            .all(|request| request.verb == "patch" && request.manager.as_deref() == Some("keeper"))
    );
    assert!(played.scratch.path().join("logs/controller-keeper.log").is_file());
    played.cluster.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_crashes_is_told_with_its_last_words_and_one_that_asks_nothing_is_idle() {
    let scratch = tempfile::tempdir().unwrap();
    let says = "cluster: {nodes: [{}]}
controllers: [{name: keeper, run: 'path:keeper'}]
steps:
  - apply: 10-web.yaml
  - start: keeper
  - observe: 60s
";
    let files = [("10-web.yaml", WEB), ("keeper", "#!/bin/sh\n")];
    let crashes = keeper(scratch.path(), &["-every=100ms", "-crash-after=5"], None);
    let played = play(says, &files, vec![crashes]).await;
    let error = played.ending.as_ref().unwrap_err().to_string();
    assert!(
        error.contains("\"keeper\" exited") && error.contains("has had enough"),
        "{error}"
    );
    played.cluster.down(false).await;
    let idles = keeper(
        scratch.path(),
        &["-idle", "-listen=127.0.0.1:${port}"],
        Some(":${port}/healthz"),
    );
    let played = play(says, &files, vec![idles]).await;
    let Ok(Ending::Broken(why)) = &played.ending else {
        panic!("{:?}", played.ending)
    };
    assert_eq!(
        why,
        "controller \"keeper\" never asked the API server for anything"
    );
    played.cluster.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_hangs_is_told_at_the_end() {
    let scratch = tempfile::tempdir().unwrap();
    let hangs = keeper(
        scratch.path(),
        &["-every=100ms", "-hang-after=5", "-listen=127.0.0.1:${port}"],
        Some(":${port}/healthz"),
    );
    let played = play(
        "cluster: {nodes: [{}]}
controllers: [{name: keeper, run: 'path:keeper'}]
steps:
  - apply: 10-web.yaml
  - start: keeper
  - observe: 30s
",
        &[("10-web.yaml", WEB), ("keeper", "#!/bin/sh\n")],
        vec![hangs],
    )
    .await;
    let Ok(Ending::Broken(why)) = &played.ending else {
        panic!("{:?}", played.ending)
    };
    assert!(
        why.starts_with("controller \"keeper\" hung at the end: no answer on :"),
        "{why}"
    );
    played.cluster.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_bears_too_much_stops_and_starts_when_it_is_empty() {
    if !hollow("a_node_that_bears_too_much_stops_and_starts_when_it_is_empty").await {
        return;
    }
    let played = play(
        "cluster: {nodes: [{cpu: 1, dies-above: 90}]}
steps:
  - apply: 10-web.yaml
  - wait: {deployment/web: {available: 1}}
    within: 120s
  - cpu: {of: deployment/web, all-pods: [{use: 950m}]}
  - wait: {nodes: {ready: 0}}
    within: 10m
  - delete: deployment/web
  - wait: {nodes: {ready: 1}, pods: {all: 0}}
    within: 20m
",
        &[("10-web.yaml", WEB)],
        Vec::new(),
    )
    .await;
    played.complete();
    played.cluster.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_resource_is_applied_with_its_definition_and_patched_by_its_kind() {
    let widget = "apiVersion: x.io/v1
kind: Widget
metadata: {name: w}
spec: {size: 1}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.x.io}
spec:
  group: x.io
  scope: Namespaced
  names: {plural: widgets, kind: Widget, singular: widget}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
";
    let played = play(
        "cluster: {nodes: [{}]}
steps:
  - apply: 10-widget.yaml
  - patch: widget/w
    with: {spec: {size: 2}}
",
        &[("10-widget.yaml", widget)],
        Vec::new(),
    )
    .await;
    played.complete();
    let request = http::Request::get("/apis/x.io/v1/namespaces/default/widgets/w").body(Vec::new());
    let widget: serde_json::Value = played.client().request(request.unwrap()).await.unwrap();
    assert_eq!(widget["spec"]["size"], 2);
    played.cluster.down(true).await;
}
