//! What a recorder has of a real cluster: every kind, in every namespace, and every request, granted or not.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{ApiResource, DynamicObject, EvictParams, GroupVersionKind, ListParams, PostParams};
use kube::{Api, Client, ResourceExt};
use kubeclash::observe::{Condition, Poll, Recorder};
use kubeclash_timeline::{
    Arm, Ending, Header, RequestSeen, Shape, Timeline, What, WorkloadRef, WorkloadSeen, World,
};
use serde_json::{Value, json};

use crate::conformance::{session, up};

/// How long anything may take on a machine that has other things to do as well.
const PATIENCE: Duration = Duration::from_secs(60);

const NAMESPACE: &str = "elsewhere";

async fn create(client: &Client, api_version: &str, kind: &str, object: Value) {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let mut object: DynamicObject = serde_json::from_value(object).unwrap();
    object.types = Some(kube::core::TypeMeta {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
    });
    let api = match kind {
        "Namespace" => Api::all_with(client.clone(), &resource),
        _ => Api::namespaced_with(client.clone(), NAMESPACE, &resource),
    };
    api.create(&PostParams::default(), &object).await.unwrap();
}

fn template(labels: &Value) -> Value {
    json!({"metadata": {"labels": labels}, "spec": {
        "containers": [{"name": "c", "image": "registry.k8s.io/pause:3.10", "resources": {"requests": {"cpu": "100m", "memory": "32Mi"}}}],
        "initContainers": [{"name": "i", "image": "registry.k8s.io/pause:3.10", "resources": {"requests": {"cpu": "300m"}}}]}})
}

/// One of each kind. Pods need not run for that: which images are there is another test's business.
async fn one_of_each(client: &Client) {
    let web = json!({"app": "web"});
    let of = |name: &str| json!({"app": name});
    let selector = |name: &str| json!({"matchLabels": of(name)});
    create(
        client,
        "v1",
        "Namespace",
        json!({"metadata": {"name": NAMESPACE}}),
    )
    .await;
    let spec = json!({"replicas": 2, "selector": {"matchLabels": web}, "template": template(&web)});
    create(
        client,
        "apps/v1",
        "Deployment",
        json!({"metadata": {"name": "web"}, "spec": spec}),
    )
    .await;
    let budget = json!({"minAvailable": 2, "selector": {"matchLabels": web}});
    create(
        client,
        "policy/v1",
        "PodDisruptionBudget",
        json!({"metadata": {"name": "web"}, "spec": budget}),
    )
    .await;
    let spec = json!({"replicas": 1, "serviceName": "db", "selector": selector("db"), "template": template(&of("db"))});
    create(
        client,
        "apps/v1",
        "StatefulSet",
        json!({"metadata": {"name": "db"}, "spec": spec}),
    )
    .await;
    let spec = json!({"selector": selector("agent"), "template": template(&of("agent"))});
    create(
        client,
        "apps/v1",
        "DaemonSet",
        json!({"metadata": {"name": "agent"}, "spec": spec}),
    )
    .await;
    let mut once = template(&of("once"));
    once["spec"]["restartPolicy"] = json!("Never");
    create(
        client,
        "batch/v1",
        "Job",
        json!({"metadata": {"name": "once"}, "spec": {"template": once}}),
    )
    .await;
    let spec = json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": once}}});
    create(
        client,
        "batch/v1",
        "CronJob",
        json!({"metadata": {"name": "yearly"}, "spec": spec}),
    )
    .await;
    let spec = json!({"replicas": 1, "selector": of("old"), "template": template(&of("old"))});
    create(
        client,
        "v1",
        "ReplicationController",
        json!({"metadata": {"name": "old"}, "spec": spec}),
    )
    .await;
    let target = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db"});
    let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 55}}});
    let spec = json!({"minReplicas": 1, "maxReplicas": 2, "scaleTargetRef": target, "metrics": [cpu]});
    create(
        client,
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        json!({"metadata": {"name": "db"}, "spec": spec}),
    )
    .await;
}

/// The kinds that there are, each with the pods that it has.
fn all_there(world: &World) -> Poll {
    let there: BTreeSet<&str> = world.workloads.values().map(|w| w.kind.as_str()).collect();
    let pods: BTreeSet<String> = world
        .pods
        .values()
        .map(|pod| world.workload_of(pod).to_string())
        .collect();
    let kinds = [
        "cronjob",
        "daemonset",
        "deployment",
        "job",
        "replicaset",
        "replicationcontroller",
        "statefulset",
    ];
    let owners = [
        "daemonset/elsewhere/agent",
        "deployment/elsewhere/web",
        "job/elsewhere/once",
        "replicationcontroller/elsewhere/old",
        "statefulset/elsewhere/db",
    ];
    let all =
        kinds.iter().all(|kind| there.contains(kind)) && owners.iter().all(|owner| pods.contains(*owner));
    let web = pods_of_web(world);
    match (all && web == 2, world.budgets.get("elsewhere/web")) {
        (true, Some(budget)) if budget.floor == 2 => Poll::Ready,
        (_, budget) => Poll::Pending(format!("{there:?}, {pods:?}, {web} of web, {budget:?}")),
    }
}

fn pods_of_web(world: &World) -> usize {
    let web = WorkloadRef::new("deployment", NAMESPACE, "web");
    let running = |pod: &&kubeclash_timeline::PodSeen| pod.phase == "Running" && pod.ready;
    let all = world.pods.values().filter(running);
    all.filter(|pod| world.workload_of(pod) == web).count()
}

fn workload<'a>(world: &'a World, kind: &str, name: &str) -> &'a WorkloadSeen {
    let name = WorkloadRef::new(kind, NAMESPACE, name);
    &world.workloads[&name]
}

fn requests(timeline: &Timeline) -> Vec<&RequestSeen> {
    let entries = timeline.entries.iter();
    entries
        .filter_map(|entry| match &entry.what {
            What::Request(request) => Some(request),
            _ => None,
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_has_every_kind_in_every_namespace_and_refused_requests() {
    let scratch = tempfile::tempdir().unwrap();
    let cluster = up(None, scratch.path()).await;
    let client = cluster.client();
    let header = Header {
        case: "recorder".into(),
        arm: Arm::Broken,
        variant: None,
        provider: "any".into(),
        pace: session().await.settings().pace,
        date: String::new(),
        shape: Shape {
            workers: 2,
            worker_cpu: 8,
        },
        components: Default::default(),
        inputs_sha256: String::new(),
        lacks: Vec::new(),
    };
    let file = scratch.path().join("timeline.jsonl");
    let audit = cluster.audit_log();
    let recorder = Recorder::arm(client, header, &file, audit.as_deref())
        .await
        .unwrap();
    one_of_each(client).await;
    let condition = Condition::new("one of each kind", all_there);
    recorder.wait(&condition, PATIENCE).await.unwrap();
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
    let web = pods.list(&ListParams::default().labels("app=web")).await.unwrap();
    let refused = pods
        .evict(&web.items[0].name_any(), &EvictParams::default())
        .await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 429));
    recorder.catch_up(client).await;
    let timeline = recorder.finish(Ending::Complete).unwrap();
    let gaps = timeline.gap_since(Duration::ZERO);
    assert_eq!(gaps, None);
    cluster.cluster.down(true).await;

    let world = timeline.world_at(timeline.end());
    let seen = workload(&world, "deployment", "web");
    assert_eq!(
        (seen.wanted, seen.max_unavailable, seen.behind),
        (2, Some(0), false)
    );
    assert_eq!(workload(&world, "daemonset", "agent").wanted, 2);
    assert_eq!(workload(&world, "replicationcontroller", "old").wanted, 1);
    assert_eq!(world.hpas["elsewhere/db"].target_percent, Some(55));
    let pod = world
        .pods
        .values()
        .find(|pod| pod.labels.get("app").is_some_and(|app| app == "web"));
    let pod = pod.unwrap();
    assert_eq!((pod.cpu_request_m, pod.memory_request), (300, 32 << 20));
    assert_eq!(pod.tolerations, []);
    assert!(world.nodes.values().all(|node| node.memory > 0 && node.pods > 0));

    let requests = requests(&timeline);
    let refusal = requests.iter().find(|r| r.resource == "pods/eviction").unwrap();
    assert_eq!((refusal.code, refusal.namespace.as_str()), (429, NAMESPACE));
    assert!(
        refusal
            .refusal
            .as_ref()
            .is_some_and(|why| why.contains("disruption budget")),
        "{refusal:?}"
    );
    let made = |resource: &str| {
        requests
            .iter()
            .filter(|r| r.resource == resource && r.verb == "create" && r.granted())
            .count()
    };
    assert!(made("pods") >= 7, "{}", made("pods"));
    assert!(
        requests
            .iter()
            .any(|r| r.resource == "replicasets" && r.replicas == Some(2))
    );
    assert!(
        requests
            .iter()
            .any(|r| r.resource == "poddisruptionbudgets" && r.name == "web")
    );
    for request in requests {
        let resource = request.resource.as_str();
        assert!(
            !["kube-system", "kube-public", "kube-node-lease"].contains(&request.namespace.as_str()),
            "{request:?}"
        );
        assert!(
            !["events", "leases", "endpoints", "endpointslices"].contains(&resource),
            "{request:?}"
        );
        assert!(
            resource == "pods/status" || !resource.ends_with("/status"),
            "{request:?}"
        );
        assert!(
            !["get", "list", "watch"].contains(&request.verb.as_str()),
            "{request:?}"
        );
    }
}
