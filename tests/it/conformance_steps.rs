//! What a case's file may ask for is done, on the clusters of every provider; `KUBECLASH_PROVIDER` says of which.

use std::collections::BTreeSet;
use std::path::Path;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{Api, Client, ResourceExt};
use kubeclash::case::Case;
use kubeclash::drive::DriveError;
use kubeclash::drive::in_effect::InEffect;
use kubeclash::drive::steps::{Steps, check};
use kubeclash::observe::Recorder;
use kubeclash_cluster::{Cluster, Controller, PolicyApi};
use kubeclash_timeline::{Arm, Ending, Header, RequestSeen, Timeline, What};

use crate::conformance::{local, session, turn};

/// What every case of these tests begins with; the verdict is nobody's business here.
pub(crate) const HEAD: &str = "format: kubeclash.case/v1
id: t1
title: A test of what is done.
mechanism: None.
expected-runtime: 10m
arms: {broken: {begins: broken}, control: {begins: control, fix: none}}
failure: {rests: violated}
";

pub(crate) const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: c, image: registry.k8s.io/pause:3.10, resources: {requests: {cpu: 100m}}}]
";

/// A case's steps, carried out: how they ended, what was seen, and the cluster, which is still up.
pub(crate) struct Played {
    pub(crate) ending: Result<Ending, DriveError>,
    pub(crate) timeline: Timeline,
    pub(crate) cluster: Cluster,
    pub(crate) scratch: tempfile::TempDir,
}

impl Played {
    pub(crate) fn client(&self) -> Client {
        self.cluster.client().clone()
    }

    pub(crate) fn requests(&self) -> impl Iterator<Item = &RequestSeen> {
        self.timeline
            .entries
            .iter()
            .filter_map(|entry| match &entry.what {
                What::Request(request) => Some(request),
                _ => None,
            })
    }

    pub(crate) fn marks(&self) -> Vec<&str> {
        let marks = self
            .timeline
            .entries
            .iter()
            .filter_map(|entry| match &entry.what {
                What::Mark(mark) => Some(mark.as_str()),
                _ => None,
            });
        marks.filter(|mark| *mark != "broken").collect()
    }

    pub(crate) fn complete(&self) {
        assert_eq!(self.ending.as_ref().unwrap(), &Ending::Complete);
    }
}

pub(crate) fn write(folder: &Path, files: &[(&str, &str)]) {
    for (file, text) in files {
        std::fs::write(folder.join(file), text).unwrap();
    }
}

/// Carries out what a case says, on a cluster of its own.
pub(crate) async fn play(says: &str, files: &[(&str, &str)], controllers: Vec<Controller>) -> Played {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("t1_test");
    std::fs::create_dir(&folder).unwrap();
    write(&folder, files);
    // What no case does without: a difference of its arms, and a look at what comes of its steps.
    let says = says.replace("steps:\n", "steps:\n  - mark: $begins\n");
    write(
        &folder,
        &[("case.yaml", &format!("{HEAD}{says}  - observe: 1s\n"))],
    );
    let case = Case::read(&folder).unwrap();
    let scenario = case.scenario(Arm::Broken, None).unwrap();
    let session = session().await;
    let settings = session.settings();
    let _turn = turn(settings.provider).await;
    let in_effect = InEffect::of(
        scenario,
        settings.pace,
        &settings.tuning,
        PolicyApi::V1alpha2,
        None,
    );
    check(scenario, &in_effect, settings.provider).unwrap();
    let spec = scenario.cluster().unwrap();
    let header = Header {
        case: "t1_test".to_owned(),
        arm: Arm::Broken,
        variant: None,
        provider: settings.provider.to_string(),
        pace: settings.pace,
        date: String::new(),
        shape: spec.shape(),
        components: session.took_part(),
        inputs_sha256: String::new(),
        lacks: Vec::new(),
    };
    let order = session.order(spec, scratch.path().join("logs"));
    let mut cluster = settings.provider.up(order, &|_| ()).await.unwrap();
    let client = cluster.client().clone();
    let file = scratch.path().join("timeline.jsonl");
    let recorder = Recorder::arm(&client, header, &file, cluster.audit_log().as_deref())
        .await
        .unwrap();
    let steps = Steps {
        scenario,
        pace: settings.pace,
        in_effect: &in_effect,
        controllers: &controllers,
        say: &|_| (),
        pulse: &|_| String::new(),
        complete: &|_| false,
    };
    let ending = steps.carry_out(&mut cluster, &recorder).await;
    recorder.catch_up(&client).await;
    let timeline = recorder.finish(Ending::Complete).unwrap();
    Played {
        ending,
        timeline,
        cluster,
        scratch,
    }
}

/// Whether hollow nodes are asked for, and there are some.
pub(crate) async fn hollow(test: &str) -> bool {
    let local = local().await;
    if !local {
        println!("NOT RUN: {test}: it asks hollow nodes");
    }
    local
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_have_what_the_case_says_and_may_get_more_company() {
    if !hollow("nodes_have_what_the_case_says_and_may_get_more_company").await {
        return;
    }
    let played = play(
        "cluster: {nodes: [{cpu: 1500m, memory: 4Gi, pods: 5, labels: {zone: a}}, {taints: ['gpu=yes:NoSchedule']}]}
steps:
  - add-nodes: {cpu: 2, labels: {zone: b}}
  - wait: {nodes: {open: 3}}
    within: 60s
  - cordon: kind-worker3
  - wait: {nodes: {open: 2}, node/kind-worker3: {cordoned: 1}}
    within: 60s
  - uncordon: the drained node
  - label: {kind-worker3: [zone=c, extra=1]}
  - label: {kind-worker3: extra-}
  - taint: {kind-worker2: 'gpu:NoSchedule-'}
  - remove-node: kind-worker3
  - wait: {nodes: {all: 2}}
    within: 60s
",
        &[],
        Vec::new(),
    )
    .await;
    played.complete();
    let nodes = Api::<Node>::all(played.client());
    let first = nodes.get("kind-worker").await.unwrap();
    let allocatable = first.status.as_ref().and_then(|s| s.allocatable.clone()).unwrap();
    for (resource, amount) in [("cpu", "1500m"), ("memory", "4Gi"), ("pods", "5")] {
        assert_eq!(allocatable[resource].0, amount);
    }
    assert_eq!(first.labels()["zone"], "a");
    let second = nodes.get("kind-worker2").await.unwrap();
    assert_eq!(second.spec.and_then(|spec| spec.taints).unwrap_or_default(), []);
    let labelled = played.timeline.entries.iter().any(|entry| match &entry.what {
        What::Node(node) => node.state.labels.get("zone").is_some_and(|zone| zone == "c"),
        _ => false,
    });
    assert!(labelled, "the label was set while the node was there");
    played.cluster.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_goes_not_ready_with_its_pods_on_it_and_comes_back() {
    let played = play(
        "cluster: {nodes: [{count: 2}]}
steps:
  - apply: 10-web.yaml
  - wait: {deployment/web: {available: 1}}
    within: 120s
  - stop-node: {fullest-of: deployment/web}
  - wait: {nodes: {ready: 1}, deployment/web: {available: 0}}
    within: 10m
  - start-node: the stopped node
  - wait: {nodes: {open: 2}, deployment/web: {available: 1}}
    within: 10m
",
        &[("10-web.yaml", WEB)],
        Vec::new(),
    )
    .await;
    played.complete();
    assert_eq!(played.marks(), ["applied"]);
    played.cluster.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_too_large_for_its_node_is_rejected_by_its_kubelet() {
    let large = "apiVersion: v1
kind: Pod
metadata: {name: large}
spec:
  nodeName: kind-worker
  containers: [{name: c, image: registry.k8s.io/pause:3.10, resources: {requests: {cpu: 9}}}]
";
    let played = play(
        "cluster: {nodes: [{cpu: 8}]}
steps:
  - apply: 10-large.yaml
  - wait: {pods: {all: 1}}
    within: 60s
  - observe: 60s
",
        &[("10-large.yaml", large)],
        Vec::new(),
    )
    .await;
    played.complete();
    let pod = Api::<Pod>::default_namespaced(played.client())
        .get("large")
        .await
        .unwrap();
    let status = pod.status.unwrap();
    assert_eq!(
        (status.phase.as_deref(), status.reason.as_deref()),
        (Some("Failed"), Some("OutOfcpu"))
    );
    played.cluster.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_s_second_scheduler_binds_the_pods_that_name_it() {
    if !hollow("a_case_s_second_scheduler_binds_the_pods_that_name_it").await {
        return;
    }
    let config = "apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles: [{schedulerName: packing}]
";
    let packed = WEB.replace(
        "    spec:\n      termination",
        "    spec:\n      schedulerName: packing\n      termination",
    );
    let played = play(
        "cluster: {nodes: [{}], second-scheduler: {name: packing, config: packing.yaml}}
steps:
  - apply: 10-web.yaml
  - wait: {deployment/web: {available: 1}}
    within: 120s
  - scale: {deployment/web: 2}
  - set-image: {deployment/web: 'registry.k8s.io/pause:3.9'}
  - patch: deployment/web
    with: {metadata: {labels: {patched: 'yes'}}}
  - wait: {deployment/web: {available: 2, updated: 2}}
    within: 120s
",
        &[("10-web.yaml", &packed), ("packing.yaml", config)],
        Vec::new(),
    )
    .await;
    played.complete();
    let binders: Vec<&str> = played
        .requests()
        .filter(|request| request.resource == "pods/binding")
        .map(|request| request.agent.split('/').next().unwrap())
        .collect();
    assert!(
        binders.len() >= 3 && binders.iter().all(|binder| *binder == "second-scheduler"),
        "{binders:?}"
    );
    played.cluster.down(true).await;
}

const OTHERS: &str = "apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: StatefulSet
  metadata: {name: db, namespace: shop}
  spec:
    replicas: 2
    serviceName: db
    selector: {matchLabels: {app: db}}
    template:
      metadata: {labels: {app: db}}
      spec: {serviceAccountName: clerk, containers: [{name: c, image: registry.k8s.io/pause:3.10}]}
- apiVersion: apps/v1
  kind: DaemonSet
  metadata: {name: agent, namespace: shop}
  spec:
    selector: {matchLabels: {app: agent}}
    template:
      metadata: {labels: {app: agent}}
      spec: {containers: [{name: c, image: registry.k8s.io/pause:3.10}]}
- apiVersion: batch/v1
  kind: Job
  metadata: {name: once, namespace: shop}
  spec:
    completions: 2
    template:
      metadata: {annotations: {kubeclash.dev/time-to-complete-ms: '3000'}}
      spec: {restartPolicy: Never, containers: [{name: c, image: registry.k8s.io/pause:3.10}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: clerk, namespace: shop}
";

#[tokio::test(flavor = "multi_thread")]
async fn workloads_of_all_kinds_run_in_another_namespace_and_jobs_end() {
    if !hollow("workloads_of_all_kinds_run_in_another_namespace_and_jobs_end").await {
        return;
    }
    let played = play(
        "cluster: {nodes: [{count: 2}]}
steps:
  - apply: 10-others.yaml
  - wait: {statefulset/shop/db: {running: 2}, daemonset/shop/agent: {running: 2}}
    within: 180s
  - wait: {job/shop/once: {running: 0}, pods: {running: 4}}
    within: 180s
  - observe: 30s
  - delete: [daemonset/shop/agent, statefulset/shop/db]
  - wait: {pods: {running: 0}}
    within: 120s
",
        &[("10-others.yaml", OTHERS)],
        Vec::new(),
    )
    .await;
    played.complete();
    let jobs = Api::<Job>::namespaced(played.client(), "shop");
    let status = jobs.get("once").await.unwrap().status.unwrap();
    assert_eq!((status.succeeded, status.failed), (Some(2), None));
    played.cluster.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_applies_is_in_the_audit_log_by_name_as_often_as_it_applies() {
    let played = play(
        "cluster: {nodes: [{}]}
steps:
  - apply: 10-web.yaml
    as: argo
    server-side: true
    force: true
    every: 15s
  - wait: {deployment/web: {available: 1}}
    within: 120s
  - scale: {deployment/web: 3}
  - observe: 45s
  - stop: apply
  - mark: stopped
  - wait: {deployment/web: {wanted: 1}}
    within: 60s
  - scale: {deployment/web: 2}
  - observe: 45s
",
        &[("10-web.yaml", WEB)],
        Vec::new(),
    )
    .await;
    played.complete();
    assert_eq!(played.marks(), ["applied", "stopped"]);
    let stopped = played.timeline.marked("stopped").unwrap();
    let mut applied = Vec::new();
    for entry in &played.timeline.entries {
        if let What::Request(request) = &entry.what
            && request.agent.split('/').next() == Some("argo")
        {
            assert_eq!(
                (request.verb.as_str(), request.manager.as_deref()),
                ("patch", Some("argo"))
            );
            applied.push(entry.t);
        }
    }
    let others: BTreeSet<_> = played
        .requests()
        .map(|r| (&r.agent, &r.manager, &r.resource, &r.user))
        .collect();
    assert!(applied.len() >= 3, "{applied:?} {others:?}");
    assert!(applied.iter().all(|t| *t <= stopped), "{applied:?} {stopped:?}");
    played.cluster.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_refuses_what_is_too_much() {
    let quota = "apiVersion: v1
kind: ResourceQuota
metadata: {name: one}
spec: {hard: {pods: 1}}
";
    let played = play(
        "cluster: {nodes: [{}], controller-manager: {controllers: [resourcequota]}}
steps:
  - apply: 10-quota.yaml
  - observe: 15s
  - apply: 20-web.yaml
  - wait: {deployment/web: {available: 1}}
    within: 120s
  - scale: {deployment/web: 2}
  - observe: 45s
",
        &[("10-quota.yaml", quota), ("20-web.yaml", WEB)],
        Vec::new(),
    )
    .await;
    played.complete();
    let refused = played
        .requests()
        .any(|request| request.resource == "pods" && request.verb == "create" && request.code == 403);
    assert!(refused, "the second pod was refused");
    let pods = Api::<Pod>::default_namespaced(played.client());
    assert_eq!(
        pods.list(&kube::api::ListParams::default())
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    played.cluster.down(true).await;
}
