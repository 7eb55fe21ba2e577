//! Explosion: a deployment makes replica sets although nobody changed its template.
//!
//! Each write of the deployment by somebody else than the controller-manager explains one replica set, and so does its creation.
//! A growing `status.collisionCount` says the same: the controller found its new replica set's name taken by one that it does not
//! take for its own (pkg/controller/deployment/sync.go). It leaves out who changes the replica sets: their templates are on no
//! timeline.

use std::time::Duration;

use serde_json::{Map, Value};

use super::super::question::ROUNDS;
use super::super::{Kind, Question, Violation, note, per_minute, period, words};
use crate::{Does, History, What, WorkloadRef};

/// The status of a name that is taken.
const CONFLICT: u16 = 409;

/// The replica sets that no write explains, and the collisions, each when it was seen.
fn unexplained(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
) -> (Vec<Duration>, Vec<Duration>) {
    let sets = history.owned_by(workload);
    let mut made: Vec<Duration> = sets
        .iter()
        .filter(|name| name.kind == "replicaset" && !made_by_another(history, name))
        .filter_map(|name| history.workload(name).first().map(|(t, _)| *t))
        .filter(|t| question.covers(*t))
        .collect();
    made.sort_unstable();
    let mut writes = writes(history, workload);
    writes.retain(|t| question.end(history) >= *t);
    let mut free: Vec<Duration> = Vec::new();
    let mut before = Duration::ZERO;
    for (at, t) in made.iter().enumerate() {
        let explained = at == 0 || writes.iter().any(|write| *write > before && write <= t);
        if !explained {
            free.push(*t);
        }
        before = *t;
    }
    let collisions = history
        .number(workload, |seen| seen.collisions.unwrap_or(0))
        .since(question.since);
    let mut grown = Vec::new();
    for pair in collisions.points().windows(2) {
        let [(_, before), (t, after)] = pair else { continue };
        let more = after.unwrap_or(0) - before.unwrap_or(0);
        if question.covers(*t) && before.is_some() {
            grown.extend((0..more.max(0)).map(|_| *t));
        }
    }
    (free, grown)
}

/// Whether somebody else than the controller-manager made a replica set, or changed it.
fn made_by_another(history: &History<'_>, set: &WorkloadRef) -> bool {
    history
        .acts_on(set)
        .any(|act| act.does == Does::Writes && act.refused.is_none())
}

/// When somebody else than its controller wrote the workload; without an audit log, when the scenario did anything.
fn writes(history: &History<'_>, workload: &WorkloadRef) -> Vec<Duration> {
    if history.audited {
        let by_others = history
            .acts_on(workload)
            .filter(|act| act.refused.is_none() && matches!(act.does, Does::Writes | Does::Scales));
        return by_others.map(|act| act.t).collect();
    }
    let steps = history
        .timeline
        .entries
        .iter()
        .filter_map(|entry| match &entry.what {
            What::Step(step)
                if !["wait", "watch", "observe", "mark"]
                    .iter()
                    .any(|quiet| step.starts_with(quiet)) =>
            {
                Some(entry.t)
            }
            _ => None,
        });
    steps.collect()
}

/// The explosion of a workload, complete or begun.
pub(super) fn violation(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
) -> Option<Violation> {
    let at_least = question.at_least.unwrap_or(ROUNDS).max(1);
    let (sets, collisions) = unexplained(history, question, workload);
    let complete = [&sets, &collisions]
        .into_iter()
        .filter_map(|times| times.get(at_least - 1))
        .min()
        .copied();
    let times = if sets.len() >= collisions.len() {
        &sets
    } else {
        &collisions
    };
    let (&since, &until) = (
        sets.iter().chain(&collisions).min()?,
        sets.iter().chain(&collisions).max()?,
    );
    if complete.is_none() && question.quiet(history, until) {
        return None;
    }
    let mut violation = Violation::begins(Kind::ReplicasetExplosion, workload, since);
    violation.complete = complete;
    violation.until = until;
    violation.rounds = times.len();
    violation.period = period(times);
    violation.per_minute = per_minute(times);
    violation.figures = figures(history, question, workload);
    let to = complete.unwrap_or(until);
    let sets_of = history.owned_by(workload);
    // A name that is taken is a creation that is refused.
    let makes = history.acts.iter().filter(|act| {
        (act.does == Does::Creates || act.refused == Some(CONFLICT))
            && act.t <= to
            && act.workload.as_ref().is_some_and(|of| sets_of.contains(&of))
    });
    violation.acted(makes);
    if !history.audited {
        // Nothing tells who it was, and it is a deployment's own controller that makes replica sets.
        note(&mut violation.actors, "deployment-controller");
    }
    if collisions.first().is_some_and(|t| *t <= to) {
        note(&mut violation.causes, "collisionCount");
    }
    if sets.first().is_some_and(|t| *t <= to) {
        note(&mut violation.causes, "no change of the deployment");
    }
    let wrote = history.acts_on(workload).find(|act| act.does == Does::Writes);
    violation.cycle = wrote.map(words::act).into_iter().collect();
    violation
        .cycle
        .push("deployment-controller makes a replica set and finds none that is its own".to_owned());
    Some(violation)
}

/// `replicasets`, `replicasets_per_min`, `collisions`.
pub(super) fn figures(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
) -> Map<String, Value> {
    let (sets, collisions) = unexplained(history, question, workload);
    let mut figures = Map::new();
    figures.insert("replicasets".to_owned(), sets.len().into());
    figures.insert("collisions".to_owned(), collisions.len().into());
    if let Some(rate) = per_minute(&sets) {
        figures.insert("replicasets_per_min".to_owned(), rate.into());
    }
    figures
}
