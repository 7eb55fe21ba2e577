//! What is done to a cluster, as a value: the card of a case, its manifests, its shape, its steps.
//!
//! Nothing in here touches a cluster or a clock. [`crate::drive`] carries a [`Scenario`] out; tests can look at
//! one without running it.

mod card;
mod curve;
pub mod items;
mod manifest;
mod policy;
mod quantity;
mod step;
mod taint;
pub mod yaml;

pub use card::{Card, CardError};
pub use curve::{CpuCurve, CpuShare, CpuUse, Load};
pub use manifest::{Images, Manifest, ManifestError, TIME_TO_COMPLETE, TIME_TO_DIE, manifests_of};
pub use policy::{NoteKind, Policy, PolicyApi, PolicyNote, policies_in, policy_of};
pub use quantity::thousandths;
pub(crate) use manifest::{missing_of, time_to_die_of};
pub use step::{NodePick, Step};
pub use taint::{TaintChange, taint, taint_change};

pub use crate::experiment::{Arm, Pace, Shape, worker};
pub use crate::timeline::{Condition, Outlook};

use std::time::Duration;

/// The steps of one arm of one case, ready to be carried out on a cluster of its shape.
///
/// Durations are at the recorded pace; [`Pace::scale`] is applied by whoever carries the steps out.
#[derive(Debug, Clone)]
#[must_use]
pub struct Scenario {
    /// The case's folder, e.g. `c7_taint_recreate_loop`.
    pub case: &'static str,
    /// Which half of the experiment this is.
    pub arm: Arm,
    /// The nodes that it needs.
    pub shape: Shape,
    /// The CPU that pods use, where something looks at it.
    pub load: Option<Load>,
    /// What is done to the API server, where that is what it is about.
    pub overload: Option<Overload>,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

/// An API server that is asked whether it lives, under a load test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overload {
    /// The profile of the load test, a file of the case's folder; of its cluster as well.
    pub profile: &'static str,
    /// How many cores the API server gets at most, once the cluster is ready.
    pub apiserver_cpu: Option<f64>,
}

impl Scenario {
    /// An empty scenario of a case's card.
    pub fn of(card: &Card, arm: Arm) -> Self {
        Self {
            case: card.folder,
            arm,
            shape: card.shape(),
            load: None,
            overload: None,
            steps: Vec::new(),
        }
    }

    /// Gives pods a CPU curve, which the metrics API then reports.
    pub fn load(mut self, load: Load) -> Self {
        self.load = Some(load);
        self
    }

    /// Asks the API server whether it lives, as kubeadm does, and bounds its CPU.
    pub fn overload(mut self, overload: Overload) -> Self {
        self.overload = Some(overload);
        self
    }

    /// Runs the load test of [`Overload`] again and again, for a window; the first verdict of `Reproduced` ends it, at any pace.
    pub fn load_test(self, window: Duration) -> Self {
        self.step(Step::LoadTest { window })
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Applies a manifest of the case's folder, as `kubectl apply -f` does.
    pub fn apply(self, file: &'static str) -> Self {
        self.step(Step::Apply { file })
    }

    /// Labels a node.
    pub fn label(self, node: String, key: &'static str, value: impl Into<String>) -> Self {
        self.step(Step::Label {
            node,
            key,
            value: value.into(),
        })
    }

    /// Taints a node.
    pub fn taint(self, node: String, key: &'static str, value: &'static str, effect: &'static str) -> Self {
        self.step(Step::Taint {
            node,
            key,
            value,
            effect,
        })
    }

    /// Drains a node: cordon, then evict its pods through the Eviction API.
    pub fn drain(self, node: NodePick) -> Self {
        self.step(Step::Drain { node })
    }

    /// Uncordons the node that the last drain took.
    pub fn uncordon_drained(self) -> Self {
        self.step(Step::Uncordon)
    }

    /// Starts the descheduler with a policy, a file of the case's folder or of `_shared`.
    pub fn descheduler(self, policy: &'static str) -> Self {
        self.step(Step::StartDescheduler { policy })
    }

    /// Stops the descheduler.
    pub fn stop_descheduler(self) -> Self {
        self.step(Step::StopDescheduler)
    }

    /// Puts a named mark on the timeline, for the judge to look from.
    pub fn mark(self, name: &'static str) -> Self {
        self.step(Step::Mark { name })
    }

    /// Waits for a condition; when it is not met in time, the arm ends without a verdict.
    pub fn settle(self, condition: Condition, within: Duration) -> Self {
        self.step(Step::Settle { condition, within })
    }

    /// Waits for a condition, but goes on without it when it is not met in time.
    ///
    /// For states that a *cure* would change: whether it came is the judge's business.
    pub fn await_up_to(self, condition: Condition, within: Duration) -> Self {
        self.step(Step::AwaitUpTo { condition, within })
    }

    /// Watches for a while, longer than nothing happening would take; see [`Step::Observe`].
    pub fn observe(self, window: Duration) -> Self {
        self.step(Step::Observe {
            window,
            until_verdict: true,
        })
    }

    /// Watches for the whole window, whatever the judge already says: for windows that later steps follow.
    pub fn watch(self, window: Duration) -> Self {
        self.step(Step::Observe {
            window,
            until_verdict: false,
        })
    }
}

/// Seconds, for scenarios: `secs(60)`.
#[must_use]
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
