//! What is done to nodes: taints, and whether pods may be scheduled.

use k8s_openapi::api::core::v1::{Node, NodeSpec, Taint};
use kube::Client;
use kube::api::Patch;
use serde_json::{Value, json};

use super::object::{Located, locate, patch_options};
use super::{Applied, InjectError, ObjectRef};

/// How often a change of a node's taints is computed anew because the node changed meanwhile. The node
/// lifecycle controller writes the same list, a few times in a row when a node fails.
const CONFLICT_RETRIES: u32 = 20;

/// Taints a node, as `kubectl taint --overwrite`: a taint of the same key and effect is replaced.
///
/// kubectl sends the whole list of taints without saying which state of the node it read, and so can undo a
/// taint that a controller sets in the same instant. Here the patch holds only for the state that was read.
///
/// # Errors
///
/// [`InjectError::Request`] if there is no such node, or the API server refuses the taint.
pub async fn taint(client: &Client, node: &str, taint: &Taint) -> Result<Applied, InjectError> {
    change_taints(client, node, "taint", |taints| {
        if taints.contains(taint) {
            return Ok(false);
        }
        taints.retain(|old| (&old.key, &old.effect) != (&taint.key, &taint.effect));
        // First, where kubectl puts it.
        taints.insert(0, taint.clone());
        Ok(true)
    })
    .await
}

/// Removes the taints of a node with this key, and with this effect if one is given, as
/// `kubectl taint node … key:effect-`.
///
/// # Errors
///
/// [`InjectError::NoSuchTaint`] if the node has no such taint; [`InjectError::Request`] if there is no such
/// node.
pub async fn untaint(
    client: &Client,
    node: &str,
    key: &str,
    effect: Option<&str>,
) -> Result<Applied, InjectError> {
    change_taints(client, node, "untaint", |taints| {
        let before = taints.len();
        taints.retain(|old| old.key != key || effect.is_some_and(|effect| old.effect != effect));
        if taints.len() == before {
            let taint = effect.map_or_else(|| key.to_owned(), |effect| format!("{key}:{effect}"));
            return Err(InjectError::NoSuchTaint {
                object: ObjectRef::node(node).to_string(),
                taint,
            });
        }
        Ok(true)
    })
    .await
}

/// Marks a node unschedulable, as `kubectl cordon`. Its pods stay.
///
/// # Errors
///
/// [`InjectError::Request`] if there is no such node.
pub async fn cordon(client: &Client, node: &str) -> Result<Applied, InjectError> {
    set_unschedulable(client, node, "cordon", true).await
}

/// Marks a node schedulable again, as `kubectl uncordon`. Nothing moves back by itself: case C6 hangs on it.
///
/// # Errors
///
/// [`InjectError::Request`] if there is no such node.
pub async fn uncordon(client: &Client, node: &str) -> Result<Applied, InjectError> {
    set_unschedulable(client, node, "uncordon", false).await
}

async fn set_unschedulable(
    client: &Client,
    node: &str,
    step: &'static str,
    unschedulable: bool,
) -> Result<Applied, InjectError> {
    let located = locate(client, &ObjectRef::node(node)).await?;
    let (_, spec) = read(&located, step).await?;
    if spec.unschedulable.unwrap_or(false) == unschedulable {
        return Ok(Applied::Unchanged);
    }
    // kubectl computes this patch from two states of the node, in which false is left out.
    let value = if unschedulable {
        Value::Bool(true)
    } else {
        Value::Null
    };
    let patch = json!({ "spec": { "unschedulable": value } });
    located
        .patch(
            step,
            &Patch::Strategic(&patch),
            &patch_options(&format!("kubectl-{step}")),
        )
        .await?;
    Ok(Applied::Configured)
}

/// Reads a node, has its taints changed, and writes them; again if the node changed in between.
async fn change_taints(
    client: &Client,
    node: &str,
    step: &'static str,
    change: impl Fn(&mut Vec<Taint>) -> Result<bool, InjectError>,
) -> Result<Applied, InjectError> {
    let located = locate(client, &ObjectRef::node(node)).await?;
    let mut retries = 0;
    loop {
        let (version, spec) = read(&located, step).await?;
        let mut taints = spec.taints.unwrap_or_default();
        if !change(&mut taints)? {
            return Ok(Applied::Unchanged);
        }
        let taints = if taints.is_empty() {
            Value::Null
        } else {
            json!(taints)
        };
        let patch = json!({ "metadata": { "resourceVersion": version }, "spec": { "taints": taints } });
        match located
            .patch(step, &Patch::Strategic(&patch), &patch_options("kubectl-taint"))
            .await
        {
            Ok(_) => return Ok(Applied::Configured),
            Err(error) if retries < CONFLICT_RETRIES && error.status().is_some_and(|s| s.code == 409) => {
                retries += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// The node's resource version and spec.
async fn read(located: &Located<'_>, step: &'static str) -> Result<(String, NodeSpec), InjectError> {
    let fail = |cause| InjectError::request(step, &located.object, cause);
    let node = located.get().await?.ok_or_else(|| {
        let message = format!("nodes \"{}\" not found", located.object.name);
        fail(kube::Error::Api(
            kube::core::Status::failure(&message, "NotFound")
                .with_code(404)
                .boxed(),
        ))
    })?;
    let node: Node = serde_json::from_value(node).map_err(|cause| fail(kube::Error::SerdeError(cause)))?;
    Ok((
        node.metadata.resource_version.unwrap_or_default(),
        node.spec.unwrap_or_default(),
    ))
}
