//! The control plane in kind's node: rights, the scheduler's static pod, and whether everything runs.

use std::time::Duration;

use jiff::SignedDuration;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleRef, Subject};
use kube::api::{ListParams, PostParams};
use kube::runtime::conditions;
use kube::runtime::wait::{Condition, await_condition};
use kube::{Api, Client};

use super::config::CONTROL_PLANE;
use super::failed;
use super::made::Made;
use crate::ProviderError;
use crate::pki::CLIENTS;
use kubeclash_host::engine::Engine;

/// Who runs in static pods.
const CONTROLLERS: [&str; 2] = ["kube-controller-manager", SCHEDULER];

const SCHEDULER: &str = "kube-scheduler";

/// A lease is renewed every two seconds, and lost after ten; the node's clock may be another machine's.
const RENEWAL: SignedDuration = SignedDuration::from_secs(30);

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

/// Waits until the controllers lead, and pods can be made in the default namespace.
///
/// Their pods are ready much later: a startup probe first looks after ten seconds.
///
/// # Errors
/// Who was late.
pub(super) async fn ready(client: &Client, own_scheduler: bool, patience: Duration) -> Result<(), String> {
    let leases = Api::<Lease>::namespaced(client.clone(), NAMESPACE);
    let accounts = Api::<ServiceAccount>::default_namespaced(client.clone());
    let late = tokio::time::Instant::now() + patience;
    for component in controllers(own_scheduler) {
        let leads = await_condition(leases.clone(), component, |lease: Option<&Lease>| {
            holder(lease).is_some()
        });
        if !matches!(tokio::time::timeout_at(late, leads).await, Ok(Ok(_))) {
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

fn holder(lease: Option<&Lease>) -> Option<&str> {
    let holder = lease?.spec.as_ref()?.holder_identity.as_deref()?;
    (!holder.is_empty()).then_some(holder)
}

/// Whether the controllers in the node run as they were started; if not, who does not.
pub(super) async fn unbroken(client: &Client, own_scheduler: bool) -> Result<(), String> {
    let unseen = |e: kube::Error| format!("the API server did not list its controllers at the end: {e}");
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
    let options = ListParams::default().labels("tier=control-plane");
    let pods = pods.list(&options).await.map_err(unseen)?;
    let leases = Api::<Lease>::namespaced(client.clone(), NAMESPACE);
    let leases = leases.list(&ListParams::default()).await.map_err(unseen)?;
    for component in controllers(own_scheduler) {
        let pod = pods
            .iter()
            .find(|pod| pod.metadata.name == Some(pod_of(component)));
        let lease = leases
            .iter()
            .find(|lease| lease.metadata.name.as_deref() == Some(component));
        runs(component, pod, lease, jiff::Timestamp::now())?;
    }
    Ok(())
}

/// Whether a controller is one container that was never restarted, and still renews its lease.
fn runs(
    component: &str,
    pod: Option<&Pod>,
    lease: Option<&Lease>,
    now: jiff::Timestamp,
) -> Result<(), String> {
    let statuses = pod.and_then(|pod| pod.status.as_ref()?.container_statuses.as_ref());
    let Some(status) = statuses.and_then(|list| list.first()) else {
        return Err(format!("{component} had no container at the end"));
    };
    if status.restart_count > 0 {
        return Err(format!(
            "{component} has been restarted, {} times",
            status.restart_count
        ));
    }
    if status.state.as_ref().is_none_or(|state| state.running.is_none()) {
        return Err(format!("{component} did not run at the end"));
    }
    let renewed = lease.and_then(|lease| lease.spec.as_ref()?.renew_time.as_ref().map(|time| time.0));
    let since = renewed.map(|renewed| now.duration_since(renewed));
    match since {
        Some(since) if since < RENEWAL => Ok(()),
        Some(since) => Err(format!(
            "{component} hung at the end: it renewed its lease {:.0} s ago",
            since.as_secs_f64()
        )),
        None => Err(format!("{component} did not lead at the end")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(restarts: i32, state: &str) -> Pod {
        let status = json!({"name": "c", "image": "i", "imageID": "i", "ready": false,
                            "restartCount": restarts, "state": {state: {}}});
        serde_json::from_value(json!({"metadata": {}, "status": {"containerStatuses": [status]}})).unwrap()
    }

    #[test]
    fn a_controller_that_was_restarted_or_hangs_is_told() {
        let lease: Lease = serde_json::from_value(json!({"metadata": {}, "spec": {
            "holderIdentity": "me", "renewTime": "2026-01-01T00:00:00.000000Z"}}))
        .unwrap();
        let at = |seconds: i64| jiff::Timestamp::new(1_767_225_600 + seconds, 0).unwrap();
        let said = |pod: Option<&Pod>, lease: Option<&Lease>, now| runs("kube-scheduler", pod, lease, now);
        let good = pod(0, "running");
        assert_eq!(said(Some(&good), Some(&lease), at(2)), Ok(()));
        for (pod, lease, now, why) in [
            (None, Some(&lease), at(2), "no container"),
            (Some(pod(2, "running")), Some(&lease), at(2), "restarted, 2 times"),
            (Some(pod(0, "terminated")), Some(&lease), at(2), "did not run"),
            (Some(good.clone()), Some(&lease), at(60), "lease 60 s ago"),
            (Some(good.clone()), None, at(2), "did not lead"),
        ] {
            let told = said(pod.as_ref(), lease, now).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
        assert_eq!(holder(Some(&lease)), Some("me"));
        assert_eq!(holder(None), None);
    }
}
