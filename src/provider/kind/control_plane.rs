//! The control plane in kind's node: rights, the scheduler's static pod, and whether everything runs.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleRef, Subject};
use kube::api::{ListParams, PostParams};
use kube::runtime::conditions;
use kube::runtime::wait::{Condition, await_condition};
use kube::{Api, Client};

use super::config::CONTROL_PLANE;
use super::failed;
use super::made::Made;
use crate::engine::Engine;
use crate::provider::ProviderError;
use crate::provider::pki::CLIENTS;

/// Who runs in static pods.
const CONTROLLERS: [&str; 2] = ["kube-controller-manager", SCHEDULER];

const SCHEDULER: &str = "kube-scheduler";

const NAMESPACE: &str = "kube-system";

/// A static pod's manifest in the node, and where it is kept when the pod is not wanted.
const MANIFEST: &str = "/etc/kubernetes/manifests/kube-scheduler.yaml";
const KEPT: &str = "/kind/kube-scheduler.yaml";

fn pod_of(component: &str) -> String {
    format!("{component}-{CONTROL_PLANE}")
}

/// Lets everybody who comes from outside the nodes do anything, as on the local provider: a fork needs rights that
/// nobody knows in advance.
pub(super) async fn grant(client: &Client) -> Result<(), ProviderError> {
    let subject = |(_, name, _): &(&str, &str, Option<&str>)| Subject {
        api_group: Some("rbac.authorization.k8s.io".to_owned()),
        kind: "User".to_owned(),
        name: (*name).to_owned(),
        namespace: None,
    };
    let binding = ClusterRoleBinding {
        metadata: kube::api::ObjectMeta {
            name: Some("kubeclash".to_owned()),
            ..Default::default()
        },
        role_ref: RoleRef {
            api_group: Some("rbac.authorization.k8s.io".to_owned()),
            kind: "ClusterRole".to_owned(),
            name: "cluster-admin".to_owned(),
        },
        subjects: Some(CLIENTS.iter().map(subject).collect()),
    };
    let created = Api::<ClusterRoleBinding>::all(client.clone())
        .create(&PostParams::default(), &binding)
        .await;
    created.map(drop).map_err(|source| ProviderError::Api {
        what: "grant rights to what is under test".to_owned(),
        source: Box::new(source),
    })
}

/// Takes the node image's own scheduler away, and waits until it is gone: two of one name would share the pods.
pub(super) async fn remove_scheduler(
    engine: Engine,
    made: &Made,
    client: &Client,
    patience: Duration,
) -> Result<(), ProviderError> {
    let name = pod_of(SCHEDULER);
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
    // Its pod in the API is the kubelet's to make: one that is not there yet is not gone.
    seen(&pods, &name, |pod: Option<&Pod>| pod.is_some(), patience).await?;
    let there = pods.get(&name).await.map_err(|source| ProviderError::Api {
        what: format!("look at {name}"),
        source: Box::new(source),
    })?;
    engine
        .run(&["exec", &made.container(CONTROL_PLANE), "mv", MANIFEST, KEPT])
        .await
        .map_err(|e| failed("remove the node image's own scheduler", e.to_string()))?;
    let uid = there.metadata.uid.unwrap_or_default();
    seen(&pods, &name, conditions::is_deleted(&uid), patience).await
}

async fn seen(
    pods: &Api<Pod>,
    name: &str,
    condition: impl Condition<Pod>,
    patience: Duration,
) -> Result<(), ProviderError> {
    let gone = await_condition(pods.clone(), name, condition);
    match tokio::time::timeout(patience, gone).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(e)) => Err(failed("remove the node image's own scheduler", e.to_string())),
        Err(_) => Err(failed(
            "remove the node image's own scheduler",
            format!(
                "its pod was not as it should be after {:.0} s",
                patience.as_secs_f64()
            ),
        )),
    }
}

/// Waits until the controllers' pods are ready, and pods can be made in the default namespace.
///
/// # Errors
/// Who was late.
pub(super) async fn ready(client: &Client, own_scheduler: bool, patience: Duration) -> Result<(), String> {
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
    let accounts = Api::<ServiceAccount>::default_namespaced(client.clone());
    let late = tokio::time::Instant::now() + patience;
    for component in controllers(own_scheduler) {
        let name = pod_of(component);
        let ready = await_condition(pods.clone(), &name, is_ready);
        if !matches!(tokio::time::timeout_at(late, ready).await, Ok(Ok(_))) {
            return Err(component.to_owned());
        }
    }
    // Without an account no pod is admitted, and without the authority's certificate none is started.
    let certificates = Api::<ConfigMap>::default_namespaced(client.clone());
    let account = await_condition(accounts, "default", |found: Option<&ServiceAccount>| {
        found.is_some()
    });
    let certificate = await_condition(certificates, "kube-root-ca.crt", |found: Option<&ConfigMap>| {
        found.is_some()
    });
    match tokio::time::timeout_at(late, async { tokio::try_join!(account, certificate) }).await {
        Ok(Ok(_)) => Ok(()),
        _ => Err("kube-controller-manager".to_owned()),
    }
}

fn controllers(own_scheduler: bool) -> impl Iterator<Item = &'static str> {
    CONTROLLERS
        .into_iter()
        .filter(move |component| own_scheduler || *component != SCHEDULER)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "a condition is asked so")]
fn is_ready(pod: Option<&Pod>) -> bool {
    let conditions = pod.and_then(|pod| pod.status.as_ref()?.conditions.as_ref());
    conditions.is_some_and(|list| list.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
}

/// Whether the controllers in the node run as they were started; if not, who does not.
pub(super) async fn unbroken(client: &Client, own_scheduler: bool) -> Result<(), String> {
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
    let found = pods
        .list(&ListParams::default().labels("tier=control-plane"))
        .await
        .map_err(|e| format!("the API server did not list its controllers at the end: {e}"))?;
    for component in controllers(own_scheduler) {
        let name = pod_of(component);
        let pod = found.iter().find(|pod| pod.metadata.name.as_ref() == Some(&name));
        if !is_ready(pod) {
            return Err(format!("{component} was not ready at the end"));
        }
        let statuses = pod.and_then(|pod| pod.status.as_ref()?.container_statuses.as_ref());
        let restarts: i32 = statuses
            .into_iter()
            .flatten()
            .map(|status| status.restart_count)
            .sum();
        if restarts > 0 {
            return Err(format!("{component} has been restarted, {restarts} times"));
        }
    }
    Ok(())
}
