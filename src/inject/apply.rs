//! Applying a manifest: client-side as `kubectl apply` does, or server-side.

use std::time::Duration;

use kube::Client;
use kube::api::{Patch, PatchParams};
use serde_json::Value;

use super::object::{Located, locate, patch_options};
use super::{InjectError, ObjectRef, last_applied, merge, merge_keys};

/// The field manager under which `kubectl apply` changes things.
const CLIENT_SIDE_MANAGER: &str = "kubectl-client-side-apply";

/// How often kubectl tries again after a conflict (`maxPatchRetry` in `k8s.io/kubectl`,
/// `pkg/cmd/apply/patcher.go`).
const CONFLICT_RETRIES: u32 = 5;

/// How long kubectl waits before each try but the first (`patchRetryBackOffPeriod`, same file).
const CONFLICT_BACK_OFF: Duration = Duration::from_secs(1);

/// What an apply did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The object was not there.
    Created,
    /// The object was patched.
    Configured,
    /// There was nothing to do.
    Unchanged,
}

/// Applies a manifest as `kubectl apply` does.
///
/// The live object carries what was applied last in an annotation. What is in there and not in `manifest`
/// is deleted; what `manifest` says is set; everything else is left to whoever set it. See
/// [`merge`] for what follows from that.
///
/// After a conflict (409) the object is read again and merged again, up to five times, from the second time
/// on with a pause of 1 s as kubectl makes it. A namespaced manifest without a namespace goes to the
/// client's default namespace.
///
/// # Errors
///
/// [`InjectError::Manifest`] if the manifest names no object; [`InjectError::Request`] with the API
/// server's words if it refuses, also because of a field that it does not know; [`InjectError::UnknownKind`];
/// [`InjectError::LastApplied`] and [`InjectError::Merge`] if the three states can't be merged.
pub async fn client_side_apply(client: &Client, manifest: &Value) -> Result<Applied, InjectError> {
    client_side_apply_as(client, manifest, CLIENT_SIDE_MANAGER).await
}

/// The same under another field manager, as `kubectl apply --field-manager` does.
///
/// # Errors
///
/// As [`client_side_apply`].
pub async fn client_side_apply_as(
    client: &Client,
    manifest: &Value,
    manager: &str,
) -> Result<Applied, InjectError> {
    let (located, manifest) = locate_manifest(client, manifest).await?;
    let now = last_applied::annotated(&manifest);
    let Some(mut live) = located.get().await? else {
        let mut content = now;
        prune_nulls(&mut content);
        located.create(&content, manager).await?;
        return Ok(Applied::Created);
    };
    for retry in 0.. {
        match patch_live(&located, &now, &live, manager).await {
            Err(error) if retry < CONFLICT_RETRIES && is_conflict(&error) => {}
            done => return done,
        }
        if retry > 0 {
            tokio::time::sleep(CONFLICT_BACK_OFF).await;
        }
        live = located.get().await?.ok_or_else(|| gone(&located.object))?;
    }
    unreachable!("the loop ends with its last retry")
}

/// Merges once, and sends the patch if there is one.
async fn patch_live(
    located: &Located<'_>,
    now: &Value,
    live: &Value,
    manager: &str,
) -> Result<Applied, InjectError> {
    let ObjectRef {
        api_version, kind, ..
    } = &located.object;
    let last = last_applied::text(live)
        .map(serde_json::from_str::<Value>)
        .transpose();
    let last = last.map_err(|cause| InjectError::LastApplied {
        object: located.object.to_string(),
        cause,
    })?;
    let built_in = merge_keys::is_built_in(api_version);
    let patch = if built_in {
        merge::strategic_patch(kind, last.as_ref(), now, live)
    } else {
        merge::json_merge_patch(last.as_ref(), now, live)
    };
    let patch = patch.map_err(|cause| InjectError::Merge {
        object: located.object.to_string(),
        cause,
    })?;
    if patch.as_object().is_some_and(serde_json::Map::is_empty) {
        return Ok(Applied::Unchanged);
    }
    let patch = if built_in {
        Patch::Strategic(&patch)
    } else {
        Patch::Merge(&patch)
    };
    located.patch("apply", &patch, &patch_options(manager)).await?;
    Ok(Applied::Configured)
}

/// Applies a manifest server-side: `field_manager` comes to own the fields that it names, and gives up
/// those that it named before and no longer does.
///
/// With `force`, fields that others own are taken over; without, they are a conflict.
///
/// # Errors
///
/// As [`client_side_apply`]; a conflict is an [`InjectError::Request`] whose
/// [`status`](InjectError::status) has code 409 and names the other managers.
///
/// # Caveats
///
/// `kubectl apply --server-side` also turns earlier client-side applies of an object into server-side ones.
/// Here the two managers stay apart, so a field that was applied client-side before is not given up by
/// leaving it out.
pub async fn server_side_apply(
    client: &Client,
    manifest: &Value,
    field_manager: &str,
    force: bool,
) -> Result<Applied, InjectError> {
    let (located, manifest) = locate_manifest(client, manifest).await?;
    // Only the resource version before tells a change from none: the answer looks the same.
    let before = located.get().await?;
    let options = PatchParams {
        force,
        ..patch_options(field_manager)
    };
    let after = located.patch("apply", &Patch::Apply(&manifest), &options).await?;
    let version = |object: &Value| object.pointer("/metadata/resourceVersion").cloned();
    Ok(match before {
        None => Applied::Created,
        Some(before) if version(&before) == version(&after) => Applied::Unchanged,
        Some(_) => Applied::Configured,
    })
}

/// Where the object of `manifest` is kept, and the manifest with its namespace written out.
async fn locate_manifest<'a>(
    client: &'a Client,
    manifest: &Value,
) -> Result<(Located<'a>, Value), InjectError> {
    let located = locate(client, &ObjectRef::from_manifest(manifest)?).await?;
    let mut manifest = manifest.clone();
    if let Some(namespace) = &located.object.namespace {
        manifest["metadata"]["namespace"] = namespace.as_str().into();
    }
    Ok((located, manifest))
}

fn is_conflict(error: &InjectError) -> bool {
    error.status().is_some_and(|status| status.code == 409)
}

/// The error for an object that was deleted while it was being applied.
fn gone(object: &ObjectRef) -> InjectError {
    let message = format!("{object} was deleted meanwhile");
    let status = kube::core::Status::failure(&message, "NotFound").with_code(404);
    InjectError::request("apply", object, kube::Error::Api(status.boxed()))
}

/// Removes what is null, in maps at any depth.
///
/// A null in a manifest means "not set". Creating has to drop it, as patching does (kubernetes/kubernetes
/// issue 123304); the annotation keeps it.
fn prune_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(prune_nulls);
        }
        Value::Array(values) => values.iter_mut().for_each(prune_nulls),
        _ => {}
    }
}
