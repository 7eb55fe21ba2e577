//! Recreation: pods of a workload are made and thrown away, and none of them ever gets ready.
//!
//! A pod is thrown away when a kubelet rejects it (`Failed`), or when it is deleted before it was ready and before it has done
//! what it should (`Succeeded`). One that gets ready
//! begins the count anew, and so does a change of what is wanted. The loop is complete when so many were made, and all but as many
//! as are wanted thrown away: a last pod that still waits is the loop's own.

use std::time::Duration;

use serde_json::{Map, Value};

use super::super::question::ROUNDS;
use super::super::{Kind, Question, Violation, as_seconds, note, per_minute, period};
use crate::{Act, Does, History, PodHistory, WorkloadRef, controller_of};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Wanted(Option<i64>),
    Created(usize),
    Ready,
    ThrownAway(usize),
}

/// The loop of a workload, complete or begun.
pub(super) fn violation(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
) -> Option<Violation> {
    let at_least = question.at_least.unwrap_or(ROUNDS).max(1);
    let mut wanted = 1;
    let mut made: Vec<usize> = Vec::new();
    let mut thrown: Vec<usize> = Vec::new();
    let mut complete = None;
    for (t, step) in steps(history, question, workload) {
        match step {
            Step::Wanted(_) | Step::Ready if complete.is_some() => break,
            Step::Wanted(now) => {
                wanted = now.unwrap_or(1).max(1) as usize;
                made.clear();
                thrown.clear();
            }
            Step::Ready => {
                made.clear();
                thrown.clear();
            }
            Step::Created(pod) => made.push(pod),
            // Places are in order of creation.
            Step::ThrownAway(pod) if made.first().is_some_and(|&first| pod >= first) => thrown.push(pod),
            Step::ThrownAway(_) => {}
        }
        let all_but_those_wanted = thrown.len() + wanted >= made.len();
        if complete.is_none()
            && made.len() >= at_least
            && all_but_those_wanted
            && thrown.len() + wanted >= at_least
        {
            complete = Some(t);
        }
    }
    let last = *thrown.last()?;
    let until = thrown_away(history, &history.pods[last]).unwrap_or_default();
    if complete.is_none() && (thrown.len() < 2 || question.quiet(history, until)) {
        return None;
    }
    let since = history.pods[made[0]].created;
    let times: Vec<Duration> = made.iter().map(|&pod| history.pods[pod].created).collect();
    let mut violation = Violation::begins(Kind::RecreateLoop, workload, since);
    violation.complete = complete;
    violation.until = until.max(complete.unwrap_or_default());
    violation.rounds = made.len();
    violation.period = period(&times);
    violation.per_minute = per_minute(&times);
    violation.figures = figures(history, question, workload);
    let to = complete.unwrap_or(history.end());
    for &pod in &thrown {
        describe(&mut violation, history, pod, to);
    }
    let moves = [
        Does::Evicts,
        Does::Deletes,
        Does::Creates,
        Does::Binds,
        Does::Rejects,
    ];
    // A pod is asked for before it is seen.
    let asked = history
        .acts_on_pod(made[0])
        .map(|act| act.t)
        .min()
        .unwrap_or(since)
        .min(since);
    let acts = history
        .acts_on(workload)
        .filter(|act| (asked..=to).contains(&act.t) && act.refused.is_none());
    violation.acted(acts.filter(|act| moves.contains(&act.does)));
    // The first pods may go another way than those that follow: the last whole life tells the cycle.
    let whole = thrown
        .iter()
        .rev()
        .find(|&&pod| history.pods[pod].gone.is_some_and(|gone| gone <= to));
    violation.cycle = cycle(history, *whole.unwrap_or(&thrown[0]));
    Some(violation)
}

/// `distinct_pods`, `pods_per_min`, `max_terminating`, `first_eviction_s`.
pub(super) fn figures(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
) -> Map<String, Value> {
    let made = || {
        history
            .pods_of(workload)
            .filter(|pod| question.covers(pod.created))
    };
    let times: Vec<Duration> = made().map(|pod| pod.created).collect();
    let mut figures = Map::new();
    figures.insert("distinct_pods".to_owned(), times.len().into());
    if let Some(rate) = per_minute(&times) {
        figures.insert("pods_per_min".to_owned(), rate.round().into());
    }
    let terminating = history.over_time(made(), |pods| pods.values().filter(|pod| pod.terminating).count());
    figures.insert("max_terminating".to_owned(), terminating.max().into());
    if let Some(first) = made()
        .filter_map(|pod| pod.failed.into_iter().chain(pod.terminating).min())
        .min()
    {
        figures.insert(
            "first_eviction_s".to_owned(),
            as_seconds(first.saturating_sub(question.since)),
        );
    }
    figures
}

/// When a pod was thrown away. One that was ready before that is none of those that were made: it begins the count anew.
fn thrown_away(history: &History<'_>, pod: &PodHistory<'_>) -> Option<Duration> {
    let end = pod.failed.into_iter().chain(pod.terminating).min()?;
    let done = history
        .state_at(pod, end)
        .is_some_and(|state| state.phase == "Succeeded");
    (!done).then_some(end)
}

/// What happens to a workload's pods, in order of time.
fn steps(history: &History<'_>, question: &Question, workload: &WorkloadRef) -> Vec<(Duration, Step)> {
    let mut steps = Vec::new();
    for &index in history.members(workload) {
        let pod = &history.pods[index];
        let own = controller_of(pod.last());
        let deleted_by_its_own = history.audited
            && history.acts_on_pod(index).any(|act| {
                act.does == Does::Deletes && act.refused.is_none() && Some(act.actor.as_str()) == own
            });
        steps.push((pod.created, Step::Created(index)));
        steps.extend(pod.ready.map(|t| (t, Step::Ready)));
        let end = thrown_away(history, pod).filter(|_| !deleted_by_its_own || pod.failed.is_some());
        steps.extend(end.map(|t| (t, Step::ThrownAway(index))));
    }
    let wanted = history.number(workload, |seen| seen.wanted);
    steps.extend(
        wanted
            .points()
            .iter()
            .map(|(t, wanted)| (*t, Step::Wanted(*wanted))),
    );
    // What is wanted when the question begins is what was wanted before.
    steps.retain(|(t, step)| match step {
        Step::Wanted(_) => question.covers((*t).max(question.since)),
        _ => question.covers(*t),
    });
    steps.sort();
    steps
}

fn describe(violation: &mut Violation, history: &History<'_>, index: usize, to: Duration) {
    let pod = &history.pods[index];
    if thrown_away(history, pod).is_none_or(|at| at > to) {
        return;
    }
    let Some(state) = history.state_at(pod, to) else {
        return;
    };
    let cause = state.reason.as_ref().or(state.disruption.as_ref());
    note(&mut violation.causes, cause.map_or("deleted", String::as_str));
    note(&mut violation.nodes, state.node.clone().unwrap_or_default());
}

/// A pod's life: who makes it, who rejects it where and why, who takes it away.
fn cycle(history: &History<'_>, index: usize) -> Vec<String> {
    let pod = history.pods[index].last();
    let node = pod.node.as_deref().unwrap_or("no node");
    let told = |act: &Act| match act.does {
        Does::Creates => Some(format!("{} creates a pod", act.actor_told())),
        Does::Binds => Some(format!("{} binds it to {node}", act.actor_told())),
        Does::Rejects => Some(format!(
            "{} rejects it on {node} ({})",
            act.actor_told(),
            act.detail.as_deref().unwrap_or("no reason given")
        )),
        Does::Evicts | Does::Deletes => Some(format!("{} {} it", act.actor_told(), act.does)),
        _ => None,
    };
    let mut acts: Vec<&Act> = history
        .acts_on_pod(index)
        .filter(|act| act.refused.is_none())
        .collect();
    acts.sort_by_key(|act| act.t);
    acts.into_iter().filter_map(told).collect()
}
