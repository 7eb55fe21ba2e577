//! Injection against a real API server, and next to a real `kubectl` where there is one.
//!
//! Each function takes a cluster as it is, makes what it needs under names of its own, and removes it. They
//! hold with and without controllers and kubelets, so grace periods are zero where a pod has to go.
//!
//! The client must not repeat requests by itself (`default_retry` of `kube::Config` off): the API server's
//! refusal of an eviction would not be heard of in time.

#![expect(clippy::unwrap_used, reason = "part of a test, where a panic is the report")]

use std::path::Path;
use std::time::Duration;

use assert_matches::assert_matches;
use kube::Client;
use kubeclash::inject::{
    Applied, DeleteOptions, InjectError, ObjectRef, Patch, client_side_apply, delete, label, patch,
    server_side_apply,
};
use serde_json::{Value, json};

use super::{inject_live_kubectl, inject_live_node, inject_live_rules};

/// Everything, one after the other.
pub(crate) async fn injection_is_what_a_user_would_do(client: &Client, kubeconfig: &Path) {
    inject_live_rules::the_merge_rules_are_those_of_the_api_server(client).await;
    inject_live_kubectl::applying_gives_what_kubectl_gives(client, kubeconfig).await;
    a_redeploy_without_replicas_falls_to_the_default(client).await;
    server_side_apply_tells_who_owns_what(client).await;
    objects_are_patched_labelled_and_deleted(client).await;
    mistakes_are_named(client).await;
    inject_live_node::a_node_is_tainted_and_cordoned(client).await;
    inject_live_node::a_drain_respects_budgets(client).await;
    inject_live_node::a_drain_waits_until_pods_are_gone(client).await;
    inject_live_node::a_drain_leaves_and_refuses_what_kubectl_would(client).await;
}

/// A name that no other run uses.
pub(crate) fn fresh(what: &str) -> String {
    format!(
        "inject-{what}-{}",
        &uuid::Uuid::new_v4().simple().to_string()[..8]
    )
}

pub(crate) async fn namespace(client: &Client, what: &str) -> String {
    let name = fresh(what);
    let manifest = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
    server_side_apply(client, &manifest, "test", false)
        .await
        .expect("a namespace");
    name
}

pub(crate) async fn remove_namespace(client: &Client, name: &str) {
    let object = ObjectRef::new("v1", "Namespace", None, name);
    delete(client, &object, &DeleteOptions::default())
        .await
        .expect("the namespace goes");
}

/// An object as it is now.
pub(crate) async fn live(client: &Client, object: &ObjectRef) -> Value {
    patch(client, object, &Patch::Merge(json!({})))
        .await
        .expect("an empty patch reads")
}

fn deployment(namespace: &str, replicas: Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "web", "namespace": namespace },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": "registry.k8s.io/pause:3.10" }] }
            }
        }
    })
}

pub(crate) async fn a_redeploy_without_replicas_falls_to_the_default(client: &Client) {
    let ns = namespace(client, "redeploy").await;
    let web = ObjectRef::new("apps/v1", "Deployment", Some(&ns), "web");
    let mut without = deployment(&ns, json!(null));
    without["spec"].as_object_mut().unwrap().remove("replicas");

    let first = client_side_apply(client, &deployment(&ns, json!(3))).await;
    assert_matches!(first, Ok(Applied::Created));
    patch(client, &web, &Patch::Merge(json!({ "spec": { "replicas": 5 } })))
        .await
        .unwrap();
    assert_matches!(client_side_apply(client, &without).await, Ok(Applied::Configured));
    assert_eq!(
        live(client, &web).await["spec"]["replicas"],
        1,
        "deleted, so the default"
    );

    patch(client, &web, &Patch::Merge(json!({ "spec": { "replicas": 5 } })))
        .await
        .unwrap();
    assert_matches!(client_side_apply(client, &without).await, Ok(Applied::Unchanged));
    assert_eq!(
        live(client, &web).await["spec"]["replicas"],
        5,
        "the control: not ours any more"
    );
    remove_namespace(client, &ns).await;
}

pub(crate) async fn server_side_apply_tells_who_owns_what(client: &Client) {
    let ns = namespace(client, "ssa").await;
    let map = |value: &str| {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": "c", "namespace": ns },
            "data": { "a": value }
        })
    };
    assert_matches!(
        server_side_apply(client, &map("1"), "one", false).await,
        Ok(Applied::Created)
    );
    assert_matches!(
        server_side_apply(client, &map("1"), "one", false).await,
        Ok(Applied::Unchanged)
    );
    assert_matches!(
        server_side_apply(client, &map("2"), "one", false).await,
        Ok(Applied::Configured)
    );
    let error = server_side_apply(client, &map("3"), "two", false)
        .await
        .expect_err("a conflict");
    assert_eq!(error.status().map(|status| status.code), Some(409));
    assert!(error.to_string().contains("conflict with \"one\""), "{error}");
    assert_matches!(
        server_side_apply(client, &map("3"), "two", true).await,
        Ok(Applied::Configured)
    );
    remove_namespace(client, &ns).await;
}

pub(crate) async fn objects_are_patched_labelled_and_deleted(client: &Client) {
    let ns = namespace(client, "object").await;
    let map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "c", "namespace": ns },
        "data": { "a": "1" }
    });
    client_side_apply(client, &map).await.unwrap();
    let object = ObjectRef::from_manifest(&map).unwrap();
    let patched = patch(
        client,
        &object,
        &Patch::Strategic(json!({ "data": { "b": "2" } })),
    )
    .await
    .unwrap();
    assert_eq!(patched["data"], json!({ "a": "1", "b": "2" }));
    let remove = json!([{ "op": "remove", "path": "/data/a" }]);
    let patched = patch(client, &object, &Patch::Json(remove)).await.unwrap();
    assert_eq!(patched["data"], json!({ "b": "2" }));

    label(client, &object, "zone", Some("1")).await.unwrap();
    label(client, &object, "zone", Some("2")).await.unwrap();
    assert_eq!(
        live(client, &object).await["metadata"]["labels"],
        json!({ "zone": "2" })
    );
    label(client, &object, "zone", None).await.unwrap();
    assert_eq!(live(client, &object).await["metadata"]["labels"], Value::Null);

    let hold = json!({ "metadata": { "finalizers": ["example.com/hold"] } });
    patch(client, &object, &Patch::Merge(hold)).await.unwrap();
    let wait = DeleteOptions {
        wait: Some(Duration::from_millis(300)),
        ..DeleteOptions::default()
    };
    let error = delete(client, &object, &wait).await.expect_err("it is held");
    assert!(
        error
            .to_string()
            .ends_with("; last: finalizers [\"example.com/hold\"]"),
        "{error}"
    );
    let release = json!({ "metadata": { "finalizers": null } });
    patch(client, &object, &Patch::Merge(release)).await.unwrap();
    let error = delete(client, &object, &wait).await.expect_err("it is gone");
    assert_eq!(
        error.to_string(),
        format!("failed to delete ConfigMap \"{ns}/c\": configmaps \"c\" not found")
    );
    remove_namespace(client, &ns).await;
}

pub(crate) async fn mistakes_are_named(client: &Client) {
    let ns = namespace(client, "mistakes").await;
    let mut typo = deployment(&ns, json!(1));
    typo["spec"]["replicsa"] = json!(3);
    let error = client_side_apply(client, &typo)
        .await
        .expect_err("there is no such field")
        .to_string();
    assert!(
        error.starts_with(&format!("failed to create Deployment \"{ns}/web\": ")),
        "{error}"
    );
    assert!(error.contains("unknown field \"spec.replicsa\""), "{error}");

    let unknown = json!({ "apiVersion": "example.com/v1", "kind": "Wotsit", "metadata": { "name": "w" } });
    let error = client_side_apply(client, &unknown)
        .await
        .expect_err("there is no such kind");
    assert_matches!(error, InjectError::UnknownKind { .. });
    let unknown = json!({ "apiVersion": "apps/v1", "kind": "Deploymnt", "metadata": { "name": "w" } });
    let told = client_side_apply(client, &unknown)
        .await
        .expect_err("there is no such kind")
        .to_string();
    let words = ": the API server has no such kind in this version of its group";
    assert!(told.ends_with(words), "{told}");

    client_side_apply(client, &deployment(&ns, json!(1)))
        .await
        .unwrap();
    let web = ObjectRef::new("apps/v1", "Deployment", Some(&ns), "web");
    let broken = json!({ "metadata": { "annotations": {
        "kubectl.kubernetes.io/last-applied-configuration": "{"
    } } });
    patch(client, &web, &Patch::Merge(broken)).await.unwrap();
    let error = client_side_apply(client, &deployment(&ns, json!(1)))
        .await
        .expect_err("is no JSON");
    assert_matches!(error, InjectError::LastApplied { .. });
    remove_namespace(client, &ns).await;
}
