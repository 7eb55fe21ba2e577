//! Waiting for nodes.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Node;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};

use crate::backoff::backoff;

/// What tells workers from the node that the control plane runs on, where it runs on one.
pub const WORKERS: &str = "!node-role.kubernetes.io/control-plane";

/// How the taints begin that Kubernetes itself puts and takes away.
const OF_KUBERNETES: &str = "node.kubernetes.io/";

/// Waits until this many workers are ready, and, where they are to be `open`, take pods: the controller-manager removes the
/// taint that a new node begins with.
///
/// # Errors
/// How many take pods when the patience is over.
pub async fn ready(client: &Client, wanted: usize, open: bool, patience: Duration) -> Result<(), usize> {
    let nodes = Api::<Node>::all(client.clone());
    let mut there = BTreeSet::new();
    let all = async {
        let mut changes = watcher::watcher(nodes, watcher::Config::default().labels(WORKERS))
            .backoff(backoff())
            .applied_objects()
            .boxed();
        while let Some(change) = changes.next().await {
            // The watcher resumes by itself.
            let Ok(node) = change else { continue };
            let name = node.metadata.name.clone().unwrap_or_default();
            if is_ready(&node, open) {
                there.insert(name)
            } else {
                there.remove(&name)
            };
            if there.len() == wanted {
                return;
            }
        }
    };
    let in_time = tokio::time::timeout(patience, all).await.is_ok();
    if in_time && there.len() == wanted {
        Ok(())
    } else {
        Err(there.len())
    }
}

fn is_ready(node: &Node, open: bool) -> bool {
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_ref());
    let ready = conditions.is_some_and(|list| list.iter().any(|c| c.type_ == "Ready" && c.status == "True"));
    let tainted = node
        .spec
        .as_ref()
        .and_then(|s| s.taints.as_ref())
        .is_some_and(|taints| taints.iter().any(|taint| taint.key.starts_with(OF_KUBERNETES)));
    ready && (!open || !tainted)
}
