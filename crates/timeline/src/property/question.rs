//! What is asked of a property: of which time and workload, and from how much on something is a violation.
//!
//! Whatever is left out is a property's own default, so that any recording can be asked without a claim. Durations here are those
//! of the timeline, which the pace has scaled already.

use std::time::Duration;

use super::Kind;
use crate::{History, Series, Span, WorkloadRef};

/// How often a state must come back to be a loop, where nothing else is said.
pub(crate) const ROUNDS: usize = 3;

/// A descheduler's interval where nothing else is said, at the recorded pace: the study's.
const CYCLE: Duration = Duration::from_secs(10);

/// What is asked of a property.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// From when on.
    pub since: Duration,
    /// Until when; the end of what was seen without it.
    pub until: Option<Duration>,
    /// Of which workload; of all without it.
    pub of: Option<WorkloadRef>,
    /// Of `rests`: which kind of loop; all of them without it.
    pub kind: Option<Kind>,
    /// From how many rounds, pods or nodes on it is a violation.
    pub at_least: Option<usize>,
    /// How long it must last.
    pub lasting: Option<Duration>,
    /// Of `schedules` and `keeps-spread`: what holds all the while; a state counts only where it does.
    pub meanwhile: Option<Series<bool>>,
    /// The descheduler's interval: rounds closer together than half of it are one.
    pub cycle: Option<Duration>,
    /// Of `keeps-floor`: what was promised; everything that somebody promised without it.
    pub floor: Option<Floor>,
    /// Of `keeps-floor`: whether wanted replicas are looked at instead of available ones.
    pub wanted: bool,
    /// Of `keeps-spread`: the topology key; all constraints of the workload's own without it.
    pub over: Option<String>,
    /// Of `keeps-spread`: the skew that is allowed; the constraint's own, or 1, without it.
    pub max_skew: Option<i64>,
    /// Of `scales-with-load`: up to how many replicas; the autoscaler's maximum without it.
    pub up_to: Option<UpTo>,
    /// Of `scales-with-load`: that no load was offered, as whoever asks knows; a high utilisation then explains nothing.
    pub no_load: bool,
}

/// What was promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Floor {
    /// The autoscaler's minimum.
    HpaMin,
    /// The disruption budget's.
    Budget,
    /// The wanted replicas without those that a rolling update may take away.
    MaxUnavailable,
    /// The wanted replicas without so many.
    Replicas(i64),
    /// So many.
    Number(i64),
}

/// Up to how many replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpTo {
    /// The autoscaler's maximum.
    HpaMax,
    /// So many.
    Number(i64),
}

impl Question {
    /// Whether a time is asked about.
    pub(super) fn covers(&self, t: Duration) -> bool {
        t >= self.since && self.until.is_none_or(|until| t <= until)
    }

    /// The end of what is asked about.
    pub(crate) fn end(&self, history: &History<'_>) -> Duration {
        self.until.unwrap_or(history.end()).min(history.end())
    }

    /// The workloads that are asked about.
    pub(super) fn workloads(&self, history: &History<'_>) -> Vec<WorkloadRef> {
        match &self.of {
            Some(one) => vec![one.clone()],
            None => history.tops(),
        }
    }

    /// The descheduler's interval.
    pub(super) fn interval(&self, history: &History<'_>) -> Duration {
        self.cycle.unwrap_or(history.timeline.header.pace.scale(CYCLE))
    }

    /// Whether what recurs at that interval has ended: the last of it lies three intervals before the end.
    pub(super) fn quiet(&self, history: &History<'_>, last: Duration) -> bool {
        self.end(history).saturating_sub(last) >= self.interval(history) * 3
    }
}

/// The stretches in which a state holds, of what is asked about, and in which all that must hold meanwhile does.
pub(super) fn stretches(history: &History<'_>, question: &Question, state: &Series<bool>) -> Vec<Span> {
    let state = match &question.meanwhile {
        Some(meanwhile) => state.with(meanwhile, |state, held| *state && *held),
        None => state.clone(),
    };
    let end = question.end(history);
    if end <= question.since {
        return Vec::new();
    }
    state.since(question.since).until(end).spans(|state| *state)
}
