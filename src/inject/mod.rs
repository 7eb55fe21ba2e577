//! Changes made to a cluster as a user would make them.
//!
//! A case is a conflict between controllers; what sets it off is something that a person or a pipeline does
//! in good faith: applying a manifest, tainting a node, draining it for maintenance. These functions do it
//! with the requests that `kubectl` sends, because the failures hang on their detail: case C2 exists only
//! through the three-way merge of client-side apply, and C6 only through what an eviction is allowed to do.
//!
//! | module | what |
//! |---|---|
//! | [`object`] | which object is meant; patch, label, delete |
//! | [`apply`] | client-side and server-side apply |
//! | [`merge`], [`merge_keys`], [`last_applied`] | the three-way merge, pure |
//! | [`node`] | taint, untaint, cordon, uncordon |
//! | [`mod@drain`], [`mod@evict`] | drain, evict |
//! | [`workload`] | scale, set an image |
//! | [`mod@named`] | objects by kubectl's names for them |
//!
//! Everything acts at once and returns what happened. Waiting for controllers to react, recording and
//! judging belong elsewhere.

pub mod apply;
pub mod drain;
pub mod evict;
pub mod last_applied;
pub mod merge;
pub mod merge_keys;
pub mod named;
pub mod node;
pub mod object;
pub mod workload;

use std::time::Duration;

pub use apply::{Applied, client_side_apply, client_side_apply_as, server_side_apply};
pub use drain::{DrainOptions, Drained, PodId, Stuck, drain};
pub use evict::{Eviction, evict};
pub use named::named;
pub use node::{cordon, taint, uncordon, untaint};
pub use object::{DeleteOptions, ObjectRef, Patch, Propagation, delete, established, label, patch};
pub use workload::{scale, set_image};

use merge::MergeError;

/// Why a change was not made.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum InjectError {
    /// A manifest does not say which object it describes.
    #[error("a manifest has no \"{missing}\": {manifest}")]
    Manifest {
        /// The missing field, such as `metadata.name`.
        missing: &'static str,
        /// The beginning of the manifest, as JSON.
        manifest: String,
    },
    /// The API server answered with an error, or not at all.
    #[error("failed to {step} {object}: {}", said(cause))]
    Request {
        /// What was tried, as a verb.
        step: &'static str,
        /// The object that it was tried on.
        object: String,
        /// What the client got. Its text is part of this error's.
        cause: Box<kube::Error>,
    },
    /// No group of the API server has such a kind.
    #[error("failed to look up the kind of {object}: {}", said(cause))]
    #[diagnostic(help("check \"apiVersion\" and \"kind\"; a custom resource needs its definition first"))]
    UnknownKind {
        /// The object whose kind is unknown.
        object: String,
        /// What discovery got. Its text is part of this error's.
        cause: Box<kube::Error>,
    },
    /// No kind of the API server has such a name.
    #[error("the API server knows no kind \"{kind}\"{}", cause.as_ref().map(|cause| format!(": {}", said(cause))).unwrap_or_default())]
    #[diagnostic(help("a custom resource needs its definition first"))]
    NoSuchKind {
        /// The kind, as it was written.
        kind: String,
        /// What discovery got, where it failed. Its text is part of this error's.
        cause: Option<Box<kube::Error>>,
    },
    /// A custom resource is not served in time.
    #[error("{object} is not served after {:.1} s: {last}", waited.as_secs_f64())]
    NotEstablished {
        /// Its definition.
        object: String,
        /// How long was waited.
        waited: Duration,
        /// What was last seen.
        last: String,
    },
    /// What is to get another image runs none.
    #[error("{object} has no containers, or is not there")]
    NoContainers {
        /// The object.
        object: String,
    },
    /// No patch could be computed.
    #[error("failed to merge {object}: {cause}")]
    Merge {
        /// The object that was to be patched.
        object: String,
        /// What does not fit. Its text is part of this error's.
        cause: MergeError,
    },
    /// The live object's last-applied annotation is no JSON.
    #[error(
        "failed to read the annotation \"{}\" of {object}: {cause}",
        last_applied::LAST_APPLIED
    )]
    LastApplied {
        /// The object that carries it.
        object: String,
        /// Where it breaks off. Its text is part of this error's.
        cause: serde_json::Error,
    },
    /// A taint to remove is not there.
    #[error("failed to untaint {object}: it has no taint \"{taint}\"")]
    NoSuchTaint {
        /// The node.
        object: String,
        /// The taint, as `key:effect` or `key`.
        taint: String,
    },
    /// A drain was refused before anything was evicted; the node stays cordoned, as it does with kubectl.
    #[error("refused to drain node \"{node}\": {}", pods.join("; "))]
    #[diagnostic(help(
        "DrainOptions names what may be lost: delete_emptydir_data, ignore_daemonsets, force"
    ))]
    DrainRefused {
        /// The node.
        node: String,
        /// Each pod that is in the way, with the reason.
        pods: Vec<String>,
    },
    /// Pods could not be evicted, or are still there at the deadline.
    #[error("failed to drain node \"{node}\": waited {:.1} s; last: {}", waited.as_secs_f64(), list(stuck))]
    Drain {
        /// The node.
        node: String,
        /// How long the drain took until it gave up.
        waited: Duration,
        /// The pods that are still there, each with the last reason.
        stuck: Vec<Stuck>,
    },
    /// An object that was deleted is still there at the deadline.
    #[error("failed to delete {object}: waited {:.1} s; last: {last}", waited.as_secs_f64())]
    StillThere {
        /// The object.
        object: String,
        /// How long was waited.
        waited: Duration,
        /// What was last seen of it.
        last: String,
    },
}

impl InjectError {
    pub(crate) fn request(step: &'static str, object: &ObjectRef, cause: kube::Error) -> Self {
        Self::Request {
            step,
            object: object.to_string(),
            cause: Box::new(cause),
        }
    }

    /// The API server's answer, if it was one.
    #[must_use]
    pub fn status(&self) -> Option<&kube::core::Status> {
        match self {
            Self::Request { cause, .. } | Self::UnknownKind { cause, .. } => status(cause),
            _ => None,
        }
    }
}

fn status(error: &kube::Error) -> Option<&kube::core::Status> {
    match error {
        kube::Error::Api(status) => Some(status),
        _ => None,
    }
}

/// The API server's own words where it has some: the client wraps them in a dump of the whole answer.
fn said(error: &kube::Error) -> String {
    // Which one is said beside it, and not as the client's own types.
    if let kube::Error::Discovery(kube::error::DiscoveryError::MissingKind(_)) = error {
        return "the API server has no such kind in this version of its group".to_owned();
    }
    match status(error) {
        Some(status) if !status.message.is_empty() => status.message.clone(),
        Some(status) => format!("the API server answered {} {}", status.code, status.reason),
        None => error.to_string(),
    }
}

fn list(stuck: &[Stuck]) -> String {
    stuck
        .iter()
        .map(|stuck| format!("pod \"{}\": {}", stuck.pod, stuck.reason))
        .collect::<Vec<_>>()
        .join("; ")
}
