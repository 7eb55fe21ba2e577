//! Taints, cordons and drains against a real API server; see `inject_live`.

#![expect(clippy::unwrap_used, reason = "part of a test, where a panic is the report")]

use std::time::Duration;

use assert_matches::assert_matches;
use k8s_openapi::api::core::v1::{Pod, Taint};
use kube::api::PatchParams;
use kube::{Api, Client};
use kubeclash::inject::{
    Applied, DeleteOptions, DrainOptions, Eviction, InjectError, ObjectRef, Patch, client_side_apply, cordon,
    delete, drain, evict, patch, server_side_apply, taint, uncordon, untaint,
};
use serde_json::{Value, json};

use super::inject_live::{fresh, live, namespace, remove_namespace};

/// A node of this test's own, that nothing schedules to.
async fn node(client: &Client) -> String {
    let name = fresh("node");
    let manifest = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": name, "labels": { "kubernetes.io/hostname": name } },
    });
    server_side_apply(client, &manifest, "test", false)
        .await
        .expect("a node");
    taint(client, &name, &taint_of("example.com/test", "", "NoSchedule"))
        .await
        .expect("a taint");
    name
}

async fn remove_node(client: &Client, name: &str) {
    delete(client, &ObjectRef::node(name), &DeleteOptions::default())
        .await
        .expect("the node goes");
}

fn taint_of(key: &str, value: &str, effect: &str) -> Taint {
    let value = (!value.is_empty()).then(|| value.to_owned());
    Taint {
        key: key.to_owned(),
        value,
        effect: effect.to_owned(),
        time_added: None,
    }
}

pub(crate) async fn a_node_is_tainted_and_cordoned(client: &Client) {
    let node = node(client).await;
    let object = ObjectRef::node(&node);
    let ours = |node: Value| -> Vec<Value> {
        let taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
        taints
            .into_iter()
            .filter(|taint| taint["key"] == "key1")
            .collect()
    };
    let value1 = taint_of("key1", "value1", "NoExecute");
    assert_matches!(taint(client, &node, &value1).await, Ok(Applied::Configured));
    assert_matches!(taint(client, &node, &value1).await, Ok(Applied::Unchanged));
    let value2 = taint_of("key1", "value2", "NoExecute");
    assert_matches!(taint(client, &node, &value2).await, Ok(Applied::Configured));
    assert_matches!(
        taint(client, &node, &taint_of("key1", "", "NoSchedule")).await,
        Ok(Applied::Configured)
    );
    let expected = [
        json!({ "key": "key1", "effect": "NoSchedule" }),
        json!({ "key": "key1", "value": "value2", "effect": "NoExecute" }),
    ];
    assert_eq!(ours(live(client, &object).await), expected);

    untaint(client, &node, "key1", Some("NoExecute")).await.unwrap();
    assert_eq!(ours(live(client, &object).await), expected[..1]);
    untaint(client, &node, "key1", None).await.unwrap();
    let error = untaint(client, &node, "key1", Some("NoExecute"))
        .await
        .expect_err("it is gone");
    assert_eq!(
        error.to_string(),
        format!("failed to untaint Node \"{node}\": it has no taint \"key1:NoExecute\"")
    );

    assert_matches!(cordon(client, &node).await, Ok(Applied::Configured));
    assert_matches!(cordon(client, &node).await, Ok(Applied::Unchanged));
    assert_eq!(live(client, &object).await["spec"]["unschedulable"], true);
    assert_matches!(uncordon(client, &node).await, Ok(Applied::Configured));
    assert_eq!(live(client, &object).await["spec"]["unschedulable"], Value::Null);
    let error = cordon(client, "nowhere")
        .await
        .expect_err("there is no such node");
    assert_eq!(
        error.to_string(),
        "failed to cordon Node \"nowhere\": nodes \"nowhere\" not found"
    );
    remove_node(client, &node).await;
}

async fn pod(client: &Client, ns: &str, node: &str, name: &str, metadata: Value) {
    let mut manifest = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "namespace": ns, "labels": { "app": name } },
        "spec": {
            "nodeName": node,
            "tolerations": [{ "operator": "Exists" }],
            "containers": [{ "name": "c", "image": "registry.k8s.io/pause:3.10" }]
        }
    });
    for (field, value) in metadata.as_object().unwrap() {
        manifest["metadata"][field] = value.clone();
    }
    server_side_apply(client, &manifest, "test", false)
        .await
        .expect("a pod");
}

/// Has a pod run, as its kubelet would say: a budget does not guard what is only pending.
async fn run(client: &Client, ns: &str, name: &str) {
    let ready = json!([{ "type": "Ready", "status": "True" }]);
    let status = json!({ "status": { "phase": "Running", "conditions": ready } });
    let pods = Api::<Pod>::namespaced(client.clone(), ns);
    pods.patch_status(
        name,
        &PatchParams::default(),
        &kube::api::Patch::Strategic(status),
    )
    .await
    .unwrap();
}

/// Evicts anything, at once.
fn forced(timeout: Duration) -> DrainOptions {
    DrainOptions {
        timeout,
        grace: Some(Duration::ZERO),
        retry_every: Duration::from_millis(100),
        force: true,
        ..DrainOptions::default()
    }
}

pub(crate) async fn a_drain_respects_budgets(client: &Client) {
    let (ns, node) = (namespace(client, "budget").await, node(client).await);
    pod(client, &ns, &node, "guarded", json!({})).await;
    run(client, &ns, "guarded").await;
    pod(client, &ns, &node, "free", json!({})).await;
    let budget = json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": { "name": "one", "namespace": ns },
        "spec": { "minAvailable": 1, "selector": { "matchLabels": { "app": "guarded" } } }
    });
    client_side_apply(client, &budget).await.unwrap();
    assert_matches!(
        evict(client, &ns, "guarded", None).await,
        Ok(Eviction::Refused { .. })
    );
    assert_matches!(evict(client, &ns, "nobody", None).await, Ok(Eviction::Gone));

    let error = drain(client, &node, &forced(Duration::from_millis(700)))
        .await
        .expect_err("it is guarded");
    let text = error.to_string();
    let expected = format!("; last: pod \"{ns}/guarded\": ");
    assert!(text.contains(&expected), "{text}");
    assert!(text.contains("disruption budget"), "{text}");
    assert_matches!(error, InjectError::Drain { stuck, .. } if stuck.len() == 1);
    assert_eq!(
        live(client, &ObjectRef::node(&node)).await["spec"]["unschedulable"],
        true
    );

    let options = forced(Duration::from_secs(20));
    let budget = ObjectRef::from_manifest(&budget).unwrap();
    let none = DeleteOptions::default();
    let (drained, gone) = tokio::join!(drain(client, &node, &options), delete(client, &budget, &none));
    gone.unwrap();
    let drained = drained.expect("nothing stands against it");
    assert_eq!(
        drained
            .evicted
            .iter()
            .map(|pod| pod.name.as_str())
            .collect::<Vec<_>>(),
        ["guarded"]
    );
    remove_node(client, &node).await;
    remove_namespace(client, &ns).await;
}

pub(crate) async fn a_drain_waits_until_pods_are_gone(client: &Client) {
    let (ns, node) = (namespace(client, "gone").await, node(client).await);
    pod(
        client,
        &ns,
        &node,
        "held",
        json!({ "finalizers": ["example.com/hold"] }),
    )
    .await;
    match drain(client, &node, &forced(Duration::from_millis(500))).await {
        // What stands in for the kubelet may take finalizers away.
        Ok(drained) => assert_eq!(drained.evicted.len(), 1),
        Err(error) => {
            let expected = format!("pod \"{ns}/held\": evicted, but not gone yet");
            assert!(error.to_string().ends_with(&expected), "{error}");
            release_while_draining(client, &ns, &node).await;
        }
    }
    let again = drain(client, &node, &forced(Duration::from_secs(20)))
        .await
        .expect("nothing is there");
    assert!(again.evicted.is_empty());
    remove_node(client, &node).await;
    remove_namespace(client, &ns).await;
}

async fn release_while_draining(client: &Client, ns: &str, node: &str) {
    let options = forced(Duration::from_secs(20));
    let release = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    let held = ObjectRef::pod(ns, "held");
    let (drained, released) = tokio::join!(drain(client, node, &options), patch(client, &held, &release));
    released.unwrap();
    drained.expect("nothing holds it");
}

pub(crate) async fn a_drain_leaves_and_refuses_what_kubectl_would(client: &Client) {
    let (ns, node) = (namespace(client, "kinds").await, node(client).await);
    let daemon_set = json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": { "name": "ds", "namespace": ns },
        "spec": {
            "selector": { "matchLabels": { "app": "ds" } },
            "template": {
                "metadata": { "labels": { "app": "ds" } },
                "spec": {
                    "nodeSelector": { "kubernetes.io/hostname": node },
                    "containers": [{ "name": "c", "image": "registry.k8s.io/pause:3.10" }]
                }
            }
        }
    });
    client_side_apply(client, &daemon_set).await.unwrap();
    let daemon_set = live(client, &ObjectRef::from_manifest(&daemon_set).unwrap()).await;
    let owner = json!([{
        "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "ds", "controller": true,
        "uid": daemon_set["metadata"]["uid"]
    }]);
    pod(
        client,
        &ns,
        &node,
        "mirror",
        json!({ "annotations": { "kubernetes.io/config.mirror": "x" } }),
    )
    .await;
    pod(client, &ns, &node, "ds", json!({ "ownerReferences": owner })).await;
    pod(client, &ns, &node, "bare", json!({})).await;

    let careful = DrainOptions {
        force: false,
        ..forced(Duration::from_secs(20))
    };
    let error = drain(client, &node, &careful)
        .await
        .expect_err("a pod has no controller");
    let refused = format!("pod \"{ns}/bare\" has no controller that would replace it");
    assert_matches!(error, InjectError::DrainRefused { pods, .. } if pods == [refused]);

    let drained = drain(client, &node, &forced(Duration::from_secs(20)))
        .await
        .expect("force does");
    assert_eq!(
        drained
            .evicted
            .iter()
            .map(|pod| pod.name.as_str())
            .collect::<Vec<_>>(),
        ["bare"]
    );
    assert!(drained.left.iter().any(|pod| pod.name == "mirror"), "{drained:?}");
    // Where a DaemonSet controller runs, it may have replaced the pod by one of its own.
    assert!(
        drained
            .left
            .iter()
            .all(|pod| pod.name == "mirror" || pod.name.starts_with("ds")),
        "{drained:?}"
    );
    for name in ["mirror", "ds"] {
        let now = DeleteOptions {
            grace: Some(Duration::ZERO),
            ..DeleteOptions::default()
        };
        _ = delete(client, &ObjectRef::pod(&ns, name), &now).await;
    }
    remove_node(client, &node).await;
    remove_namespace(client, &ns).await;
}
