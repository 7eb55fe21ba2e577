//! `schedules`: every pod that is wanted gets a node.
//!
//! It pins a pod that its scheduler finds no node for (its own condition says so, and why) for longer than the scheduler's longest
//! backoff: a node that becomes free is tried again by then. That backoff is real time at any pace. What lasted that long stays a
//! violation, even if a node is found later. It leaves out pods that no scheduler has looked at, and those that wait for an image.

use std::time::Duration;

use serde_json::{Map, Value};

use super::question::stretches;
use super::room::{room_elsewhere, waits};
use super::{Kind, Question, Violation, as_seconds, note};
use crate::{Does, History, PodHistory, Series, Span, WorkloadRef};

/// How long a pod waits at most before it is tried again: kube-scheduler's `podMaxBackoffSeconds`, by default
/// (pkg/scheduler/backend/queue/scheduling_queue.go: `DefaultPodMaxBackoffDuration`).
pub(super) const LONGEST_BACKOFF: Duration = Duration::from_secs(10);

/// All violations, of each pod the longest.
pub(super) fn violations(history: &History<'_>, question: &Question) -> Vec<Violation> {
    let mut found = Vec::new();
    for workload in question.workloads(history) {
        let stuck = history
            .pods_of(&workload)
            .filter(|pod| pod.unschedulable.is_some());
        found.extend(stuck.filter_map(|pod| violation(history, question, &workload, pod)));
    }
    found
}

/// How long it must last: never less than the longest backoff.
fn long(question: &Question) -> Duration {
    question.lasting.unwrap_or_default().max(LONGEST_BACKOFF)
}

fn stuck(history: &History<'_>, question: &Question, pod: &PodHistory<'_>) -> Vec<Span> {
    let waiting = history.over_time(std::iter::once(pod), |pods| pods.values().any(|pod| waits(pod)));
    stretches(history, question, &waiting)
}

fn violation(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
    pod: &PodHistory<'_>,
) -> Option<Violation> {
    let spans = stuck(history, question, pod);
    let lasting = spans.iter().find(|span| span.length() >= long(question));
    let goes_on = spans.last().filter(|span| span.to == question.end(history));
    let span = lasting.or(goes_on)?;
    let complete = lasting.map(|span| span.from + long(question));
    let to = complete.unwrap_or(span.to);
    let mut violation = Violation::begins(Kind::Unschedulable, workload, span.from);
    violation.complete = complete;
    violation.until = span.to;
    for (t, state) in history.states(pod) {
        let message = state.and_then(|state| state.unschedulable.as_deref());
        if let Some(message) = message.filter(|_| t <= to) {
            note(&mut violation.causes, message);
        }
    }
    let acts = history
        .acts_on(workload)
        .filter(|act| act.t <= to && act.refused.is_none());
    let asks = |act: &&crate::Act| match act.does {
        Does::Writes | Does::Scales => true,
        Does::Refuses => act.name == pod.last().name,
        _ => false,
    };
    let asked: Vec<_> = acts.filter(asks).collect();
    violation.acted(asked.iter().copied());
    if let Some(wants) = asked.iter().rev().find(|act| act.does != Does::Refuses) {
        violation.cycle.push(super::words::act(wants));
    }
    let scheduler = asked
        .iter()
        .find(|act| act.does == Does::Refuses)
        .map(|act| act.actor_told());
    let scheduler = scheduler.unwrap_or_else(|| "a scheduler".to_owned());
    let reason = violation
        .causes
        .last()
        .map_or("", |cause| cause.split(". ").next().unwrap_or_default());
    violation
        .cycle
        .push(format!("{scheduler} refuses {}: \"{reason}\"", pod.last().name));
    violation.figures = figures(history, question, workload);
    let room = room_elsewhere(history, workload).since(span.from).until(to);
    let always = room.spans(|room| !room).is_empty();
    violation
        .figures
        .insert("room_elsewhere".to_owned(), always.into());
    Some(violation)
}

/// `running`, `pending_since_s`, `pending_for_s`.
pub(super) fn figures(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
) -> Map<String, Value> {
    let mut figures = Map::new();
    let running = running(history, workload)
        .since(question.since)
        .until(question.end(history));
    figures.insert("running".to_owned(), running.max().into());
    let stuck_pods = || {
        history
            .pods_of(workload)
            .filter(|pod| pod.unschedulable.is_some_and(|t| question.covers(t)))
    };
    if let Some(first) = stuck_pods()
        .filter(|pod| pod.bound.is_none())
        .filter_map(|pod| pod.unschedulable)
        .min()
    {
        figures.insert(
            "pending_since_s".to_owned(),
            as_seconds(first.saturating_sub(question.since)),
        );
    }
    let spans = stuck_pods().flat_map(|pod| stuck(history, question, pod));
    if let Some(longest) = spans.map(|span| span.length()).max() {
        figures.insert("pending_for_s".to_owned(), as_seconds(longest));
    }
    figures
}

/// How many pods of a workload run: ready, and not terminating.
pub(crate) fn running(history: &History<'_>, workload: &WorkloadRef) -> Series<usize> {
    history.over_time(history.pods_of(workload), |pods| {
        pods.values()
            .filter(|pod| pod.active() && pod.phase == "Running" && pod.ready)
            .count()
    })
}
