//! A node's heart: its lease. KWOK keeps a node and its pods only as long as it holds that.
//!
//! A kubelet that stops is played by taking the lease away from KWOK and not renewing it: nothing on the node and on its pods changes
//! any more, and after the grace period the node lifecycle controller calls it unreachable.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use serde_json::json;

use super::Registry;
use crate::ProviderError;

/// Where nodes have their leases.
const NAMESPACE: &str = "kube-node-lease";

/// Who holds the lease of a node that has stopped.
const NOBODY: &str = "kubeclash-stopped";

/// For how long that holds: longer than any run.
const FOREVER: i32 = 365 * 86_400;

/// How long a new node's first heartbeat may take.
const BORN: Duration = Duration::from_secs(30);

/// Stops a node's kubelet.
pub(in crate::local) async fn stop(
    client: &Client,
    registry: &Registry,
    node: &str,
) -> Result<(), ProviderError> {
    let leases = Api::<Lease>::namespaced(client.clone(), NAMESPACE);
    let there = await_condition(leases.clone(), node, |lease: Option<&Lease>| lease.is_some());
    match tokio::time::timeout(BORN, there).await {
        Ok(Ok(_)) => {}
        _ => {
            return Err(ProviderError::Setup {
                what: format!("a stopped node \"{node}\""),
                why: "it has no lease: there is no such node, or it never began".to_owned(),
            });
        }
    }
    // First, so that it admits nothing more.
    registry.set_stopped(node, true);
    let taken = json!({"spec": {"holderIdentity": NOBODY, "leaseDurationSeconds": FOREVER}});
    patch(&leases, node, "stop", &taken).await
}

/// Starts it again.
pub(in crate::local) async fn start(
    client: &Client,
    registry: &Registry,
    node: &str,
) -> Result<(), ProviderError> {
    let leases = Api::<Lease>::namespaced(client.clone(), NAMESPACE);
    let free = json!({"spec": {"holderIdentity": null, "leaseDurationSeconds": 1}});
    patch(&leases, node, "start", &free).await?;
    registry.set_stopped(node, false);
    Ok(())
}

async fn patch(
    leases: &Api<Lease>,
    node: &str,
    what: &str,
    patch: &serde_json::Value,
) -> Result<(), ProviderError> {
    let patched = leases
        .patch(node, &PatchParams::default(), &Patch::Merge(patch))
        .await;
    patched.map(drop).map_err(|source| ProviderError::Api {
        what: format!("{what} node \"{node}\""),
        source: Box::new(source),
    })
}
