//! The steps that a scenario is made of.

use std::fmt;
use std::time::Duration;

use crate::timeline::Condition;

/// Which node a drain takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodePick {
    /// The one with this name.
    Named(String),
    /// The one with the most pods of the deployment, the first by name where several have; looked up when the step begins.
    Fullest {
        /// The deployment's name.
        deployment: &'static str,
    },
}

/// One thing that is done to a cluster, or waited for.
#[derive(Debug, Clone)]
pub enum Step {
    /// Apply a manifest, client-side.
    Apply {
        /// A file of the case's folder.
        file: &'static str,
    },
    /// Label a node.
    Label {
        /// The node's name.
        node: String,
        /// The label's key.
        key: &'static str,
        /// The label's value.
        value: String,
    },
    /// Taint a node.
    Taint {
        /// The node's name.
        node: String,
        /// The taint's key.
        key: &'static str,
        /// Its value.
        value: &'static str,
        /// Its effect, e.g. `NoExecute`.
        effect: &'static str,
    },
    /// Cordon a node and evict its pods.
    Drain {
        /// Which node.
        node: NodePick,
    },
    /// Uncordon the node that the last drain took.
    Uncordon,
    /// Start the descheduler.
    StartDescheduler {
        /// A file of the case's folder, or of `_shared`.
        policy: &'static str,
    },
    /// Stop the descheduler.
    StopDescheduler,
    /// Put a named mark on the timeline.
    Mark {
        /// The mark's name.
        name: &'static str,
    },
    /// Wait for a condition; without it there is no verdict.
    Settle {
        /// What for.
        condition: Condition,
        /// At the recorded pace.
        within: Duration,
    },
    /// Wait for a condition, and go on without it.
    AwaitUpTo {
        /// What for.
        condition: Condition,
        /// At the recorded pace.
        within: Duration,
    },
    /// Run the scenario's load test again and again, until a verdict of `Reproduced`.
    LoadTest {
        /// How long at most, at the recorded pace.
        window: Duration,
    },
    /// Watch for a window.
    ///
    /// With `until_verdict`, at the fast pace, the window ends as soon as the judge says `Reproduced`:
    /// nothing that comes later can take that back. A failure that never shows is watched for the whole window,
    /// in both arms alike. At the recorded pace the window is always watched to its end, for its rates.
    Observe {
        /// At the recorded pace.
        window: Duration,
        /// Whether a verdict of `Reproduced` ends it.
        until_verdict: bool,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply { file } => write!(f, "apply {file}"),
            Self::Label { node, key, value } => write!(f, "label {node} {key}={value}"),
            Self::Taint {
                node,
                key,
                value,
                effect,
            } => write!(f, "taint {node} {key}={value}:{effect}"),
            Self::Drain {
                node: NodePick::Named(node),
            } => write!(f, "drain {node}"),
            Self::Drain {
                node: NodePick::Fullest { deployment },
            } => {
                write!(f, "drain the node with most pods of {deployment}")
            }
            Self::Uncordon => f.write_str("uncordon"),
            Self::StartDescheduler { policy } => write!(f, "start descheduler {policy}"),
            Self::StopDescheduler => f.write_str("stop descheduler"),
            Self::Mark { name } => write!(f, "mark {name}"),
            Self::Settle { condition, .. } | Self::AwaitUpTo { condition, .. } => {
                write!(f, "wait for {condition}")
            }
            Self::LoadTest { .. } => f.write_str("load test"),
            Self::Observe { .. } => f.write_str("watch"),
        }
    }
}
