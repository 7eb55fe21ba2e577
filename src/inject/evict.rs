//! Evicting one pod: a deletion that asks the disruption budgets first.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use kube::core::Request;
use kube::{Api, Client, Resource};
use serde_json::{Value, json};

use super::object::whole_seconds;
use super::{InjectError, ObjectRef, said, status};

/// The answer to one eviction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Eviction {
    /// The pod is being deleted.
    Accepted,
    /// The pod is not there any more.
    Gone,
    /// A disruption budget stands against it, for now.
    Refused {
        /// The API server's words.
        reason: String,
    },
}

/// Evicts a pod, once: deletes it if no disruption budget stands against it.
///
/// `grace` replaces the pod's own grace period, rounded up to whole seconds. To try until it is accepted,
/// and wait until the pod is gone, is what [`drain`](super::drain()) does.
///
/// # Errors
///
/// [`InjectError::Request`] if the API server fails otherwise; more than one budget for a pod is such a
/// failure.
pub async fn evict(
    client: &Client,
    namespace: &str,
    pod: &str,
    grace: Option<Duration>,
) -> Result<Eviction, InjectError> {
    post_eviction(client, namespace, pod, None, grace).await
}

/// Posts an Eviction of `policy/v1`.
///
/// Written out, because `Api::evict` of kube 4.2 names the options `delete_options`; the API server knows
/// `deleteOptions` only, and silently evicts without them.
pub(super) async fn post_eviction(
    client: &Client,
    namespace: &str,
    name: &str,
    uid: Option<&str>,
    grace: Option<Duration>,
) -> Result<Eviction, InjectError> {
    let fail = |cause| InjectError::request("evict", &ObjectRef::pod(namespace, name), cause);
    let mut options = json!({});
    if let Some(grace) = grace {
        options["gracePeriodSeconds"] = whole_seconds(grace).into();
    }
    if let Some(uid) = uid {
        options["preconditions"] = json!({ "uid": uid });
    }
    let eviction = json!({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": { "namespace": namespace, "name": name },
        "deleteOptions": options,
    });
    let request = Request::new(Pod::url_path(&(), Some(namespace)))
        .create_subresource(
            "eviction",
            name,
            &PostParams::default(),
            eviction.to_string().into_bytes(),
        )
        .map_err(kube::Error::BuildRequest)
        .map_err(fail)?;
    let error = match client.request::<Value>(request).await {
        Ok(_) => return Ok(Eviction::Accepted),
        Err(error) => error,
    };
    let Some(answer) = status(&error) else {
        return Err(fail(error));
    };
    let causes = answer.details.as_ref().map_or(&[][..], |details| &details.causes);
    match answer.code {
        404 => Ok(Eviction::Gone),
        // The precondition failed, or something else wrote the pod: the pod itself tells which.
        409 if uid.is_some() => {
            let pods = Api::<Pod>::namespaced(client.clone(), namespace);
            match pods.get_metadata_opt(name).await.map_err(fail)? {
                Some(pod) if pod.metadata.uid.as_deref() == uid => {
                    Ok(Eviction::Refused { reason: said(&error) })
                }
                _ => Ok(Eviction::Gone),
            }
        }
        429 => {
            let mut reason = said(&error);
            for cause in causes {
                reason = format!("{reason} {}", cause.message);
            }
            Ok(Eviction::Refused { reason })
        }
        // Its namespace is being deleted, and the pod with it.
        403 if causes.iter().any(|cause| cause.reason == "NamespaceTerminating") => Ok(Eviction::Accepted),
        _ => Err(fail(error)),
    }
}
