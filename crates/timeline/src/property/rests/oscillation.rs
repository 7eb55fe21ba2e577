//! Oscillation: wanted replicas return to a number that they had, again and again.
//!
//! Whoever moves them: a controller against an autoscaler, two autoscalers, an applier. It leaves out why; replicas that follow a
//! load up and down return as well, and are this once they did it three times between the same marks.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::super::question::ROUNDS;
use super::super::{Kind, Question, Violation, as_seconds, per_minute, period, words};
use crate::{Does, History, WorkloadRef};

/// When wanted replicas changed, from the value at the beginning of the question on.
fn changes(history: &History<'_>, question: &Question, workload: &WorkloadRef) -> Vec<(Duration, i64)> {
    let wanted = history.number(workload, |seen| seen.wanted).since(question.since);
    let points = wanted.points().iter().filter(|(t, _)| question.covers(*t));
    points.filter_map(|(t, wanted)| Some((*t, (*wanted)?))).collect()
}

/// When each number came back, by number.
fn returns(changes: &[(Duration, i64)]) -> BTreeMap<i64, Vec<Duration>> {
    let mut returns: BTreeMap<i64, Vec<Duration>> = BTreeMap::new();
    let mut seen: Vec<i64> = Vec::new();
    for (t, number) in changes {
        if seen.last() == Some(number) {
            continue;
        }
        if seen.contains(number) {
            returns.entry(*number).or_default().push(*t);
        }
        seen.push(*number);
    }
    returns
}

/// The oscillation of a workload, complete or begun.
pub(super) fn violation(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
) -> Option<Violation> {
    let at_least = question.at_least.unwrap_or(ROUNDS).max(1);
    let changes = changes(history, question, workload);
    let returns = returns(&changes);
    let first = returns
        .iter()
        .filter_map(|(number, times)| Some((times.get(at_least - 1)?, number)))
        .min();
    let number = first.map(|(_, number)| *number);
    let number = number.or_else(|| {
        returns
            .iter()
            .max_by_key(|(_, times)| times.len())
            .map(|(number, _)| *number)
    })?;
    let times = &returns[&number];
    let complete = first.map(|(t, _)| *t);
    let since = changes
        .iter()
        .skip_while(|(_, n)| *n != number)
        .nth(1)
        .map(|(t, _)| *t)?;
    let until = changes.last()?.0;
    if complete.is_none() && question.quiet(history, until) {
        return None;
    }
    let to = complete.unwrap_or(until);
    let mut violation = Violation::begins(Kind::ReplicaOscillation, workload, since);
    violation.complete = complete;
    violation.until = until;
    violation.rounds = times.len();
    violation.period = period(times);
    violation.per_minute = per_minute(times);
    // A change is asked for before it is seen, and after the one before it.
    let before = changes
        .iter()
        .rev()
        .find(|(t, _)| *t < since)
        .map_or(question.since, |(t, _)| *t);
    let scales = history.acts_on(workload).filter(|act| act.does == Does::Scales);
    let scales: Vec<_> = scales.filter(|act| act.t > before && act.t <= to).collect();
    violation.acted(scales.iter().copied());
    let between = times[0];
    violation.cycle = scales
        .iter()
        .filter(|act| act.t <= between)
        .map(|act| words::act(act))
        .collect();
    violation.figures = figures(history, question, workload);
    Some(violation)
}

/// `rounds`, `replicas` (the first of the way that they went), `first_change_s`, `least_replicas`, `peak_replicas`.
pub(super) fn figures(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
) -> Map<String, Value> {
    let changes = changes(history, question, workload);
    let most = returns(&changes).values().map(Vec::len).max().unwrap_or(0);
    let numbers = || changes.iter().map(|(_, number)| *number);
    let mut figures = Map::new();
    figures.insert("rounds".to_owned(), most.into());
    let mut way: Vec<String> = numbers().take(7).map(|number| number.to_string()).collect();
    if numbers().count() > way.len() {
        way.push("…".to_owned());
    }
    figures.insert("replicas".to_owned(), way.join("→").into());
    if let (Some(least), Some(peak)) = (numbers().min(), numbers().max()) {
        figures.insert("least_replicas".to_owned(), least.into());
        figures.insert("peak_replicas".to_owned(), peak.into());
    }
    if let Some((t, _)) = changes.get(1) {
        figures.insert(
            "first_change_s".to_owned(),
            as_seconds(t.saturating_sub(question.since)),
        );
    }
    figures
}
