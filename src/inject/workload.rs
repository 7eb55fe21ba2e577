//! What is done to workloads: how many replicas, which image.

use kube::Client;
use kube::api::Patch;
use serde_json::{Value, json};

use super::object::{locate, patch_options};
use super::{InjectError, ObjectRef};

/// Sets how many replicas a workload is to have, as `kubectl scale` does: by its scale subresource.
///
/// # Errors
///
/// [`InjectError::Request`] if there is no such workload, or it can't be scaled.
pub async fn scale(client: &Client, object: &ObjectRef, replicas: i64) -> Result<(), InjectError> {
    let located = locate(client, object).await?;
    let patch = json!({ "spec": { "replicas": replicas } });
    located
        .patch_subresource(
            "scale",
            "scale",
            &Patch::Merge(&patch),
            &patch_options("kubectl-scale"),
        )
        .await?;
    Ok(())
}

/// Sets the image of all containers of a workload, as `kubectl set image … *=IMAGE` does: which rolls it out, where its controller
/// does that.
///
/// # Errors
///
/// [`InjectError::Request`] if there is no such workload, or the API server refuses; [`InjectError::NoContainers`] if it has none.
pub async fn set_image(client: &Client, object: &ObjectRef, image: &str) -> Result<(), InjectError> {
    let located = locate(client, object).await?;
    let live = located.get().await?.unwrap_or_default();
    let at = [
        "/spec/template/spec",
        "/spec/jobTemplate/spec/template/spec",
        "/spec",
    ]
    .into_iter()
    .find(|at| live.pointer(&format!("{at}/containers")).is_some());
    let Some(at) = at else {
        return Err(InjectError::NoContainers {
            object: located.object.to_string(),
        });
    };
    let containers = live
        .pointer(&format!("{at}/containers"))
        .and_then(Value::as_array);
    let containers: Vec<Value> = containers
        .into_iter()
        .flatten()
        .map(|container| json!({ "name": container["name"], "image": image }))
        .collect();
    // From the inside out.
    let mut patch = json!({ "containers": containers });
    for field in at.split('/').skip(1).collect::<Vec<_>>().into_iter().rev() {
        patch = json!({ field: patch });
    }
    located
        .patch(
            "set the image of",
            &Patch::Strategic(&patch),
            &patch_options("kubectl-set"),
        )
        .await?;
    Ok(())
}
