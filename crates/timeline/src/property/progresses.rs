//! `progresses`: a rollout, a drain, a scale-down ends.
//!
//! It pins a standstill while somebody still tries:
//! - a pod whose eviction is refused again and again, by the same one, and never granted in between: a drain that does not end;
//! - a workload that is not what it should be (not all pods of its newest template, or more than are wanted), of which nothing
//!   moves, while requests for it are refused or its controller says that it can't go on.
//!
//! What stood still for [`LASTING`] stays a violation. It leaves out what is slow, and what nobody tries any more;
//! but what has not ended at the end was not kept either.

use std::time::Duration;

use serde_json::{Map, Value};

use super::question::stretches;
use super::{Kind, Question, Violation, as_seconds, note, per_minute, period, words};
use crate::{Act, Does, History, WorkloadRef, WorkloadSeen};

/// How long it must stand still, at the recorded pace: kubectl drain tries again every 5 s
/// (staging/src/k8s.io/kubectl/pkg/drain/drain.go), and this takes six of these.
const LASTING: Duration = Duration::from_secs(30);

/// How often somebody must have tried.
const ATTEMPTS: usize = 3;

/// All violations.
pub(super) fn violations(history: &History<'_>, question: &Question) -> Vec<Violation> {
    let mut found = Vec::new();
    for workload in question.workloads(history) {
        found.extend(undrained(history, question, &workload));
        found.extend(stalled(history, question, &workload));
    }
    found
}

fn lasting(history: &History<'_>, question: &Question) -> Duration {
    question
        .lasting
        .unwrap_or(history.timeline.header.pace.scale(LASTING))
}

/// The first pod of a workload that somebody tries to evict and may not.
fn undrained(history: &History<'_>, question: &Question, workload: &WorkloadRef) -> Option<Violation> {
    let all = history
        .members(workload)
        .iter()
        .filter_map(|&pod| refused(history, question, workload, pod));
    all.min_by_key(|violation| (violation.complete.is_none(), violation.complete, violation.since))
}

fn refused(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
    pod: usize,
) -> Option<Violation> {
    let mut attempts: Vec<&Act> = Vec::new();
    let at_least = question.at_least.unwrap_or(ATTEMPTS);
    let mut complete = None;
    for act in history
        .acts_on_pod(pod)
        .filter(|act| act.does == Does::Evicts && question.covers(act.t))
    {
        let same = attempts.first().is_none_or(|first| first.actor == act.actor);
        match act.refused {
            Some(_) if same => attempts.push(act),
            Some(_) => {}
            None if complete.is_some() => break,
            None => attempts.clear(),
        }
        let lasted = attempts
            .first()
            .is_some_and(|first| act.t.saturating_sub(first.t) >= lasting(history, question));
        if complete.is_none() && attempts.len() >= at_least && lasted {
            complete = Some(act.t);
        }
    }
    let (first, last) = (attempts.first()?, attempts.last()?);
    if complete.is_none() && question.quiet(history, last.t) {
        return None;
    }
    let times: Vec<Duration> = attempts.iter().map(|act| act.t).collect();
    let mut violation = Violation::begins(Kind::Deadlock, workload, first.t);
    violation.complete = complete;
    violation.until = last.t;
    violation.rounds = attempts.len();
    violation.period = period(&times);
    violation.per_minute = per_minute(&times);
    violation.acted(attempts.iter().copied());
    let pod = history.pods[pod].last();
    note(&mut violation.nodes, pod.node.clone().unwrap_or_default());
    let budgets: Vec<&str> = history.budgets_of(workload).map(|(name, _)| name).collect();
    for act in &attempts {
        let cause = words::cause(act);
        // A budget says 429, and its name where the API server tells its words.
        let by_a_budget = act.refused == Some(429) && !budgets.is_empty();
        let silent = act.refusal.is_none() || cause.contains("disruption budget");
        note(
            &mut violation.causes,
            if by_a_budget && silent {
                format!("disruption budget {}", budgets.join(", "))
            } else {
                cause
            },
        );
    }
    violation.cycle = vec![words::refusal(first), waits_for_a_disruption(history, workload)];
    violation.figures = figures(history, question, workload);
    Some(violation)
}

/// What had not ended, or whether nothing was there to end, where nothing stood still while somebody tried.
pub(super) fn doubt(history: &History<'_>, question: &Question) -> Option<String> {
    let workload = question.of.as_ref()?;
    let end = question.end(history);
    let rolls_out = |seen: &WorkloadSeen| {
        if under_way(seen) && seen.updated < seen.wanted {
            Some((seen.updated, seen.wanted, "of the newest template"))
        } else if under_way(seen) {
            Some((seen.replicas, seen.wanted, "there"))
        } else if is_rolled_out(seen) && seen.available < seen.wanted {
            Some((seen.available, seen.wanted, "available"))
        } else {
            None
        }
    };
    let way = history.number(workload, rolls_out);
    if let Some(Some((some, all, what))) = way.at(end) {
        return Some(format!(
            "at the end {workload} was under way: {some} of {all} pods are {what}"
        ));
    }
    let evictions = |pod: usize| {
        let acts = history.acts_on_pod(pod);
        acts.filter(|act| act.does == Does::Evicts && question.covers(act.t))
    };
    let members = history.members(workload);
    let left = members.iter().find(|&&pod| {
        let refused = evictions(pod).last().is_some_and(|act| act.refused.is_some());
        refused && history.pods[pod].terminating.is_none()
    });
    if let Some(&left) = left {
        let name = &history.pods[left].last().name;
        return Some(format!("{name} was refused its eviction, and is still there"));
    }
    let began = way
        .since(question.since)
        .until(end)
        .first(|way| matches!(way, Some(Some(_))));
    let tried = members.iter().any(|&pod| evictions(pod).next().is_some());
    (began.is_none() && !tried).then(|| format!("nothing was under way with {workload}"))
}

fn waits_for_a_disruption(history: &History<'_>, workload: &WorkloadRef) -> String {
    let budget = history.budgets_of(workload).find_map(|(name, states)| {
        let last = states.iter().rev().find_map(|(_, budget)| *budget)?;
        Some(format!(
            "{name} allows {} of {} healthy pods to go, and keeps {}",
            last.allowed, last.healthy, last.floor
        ))
    });
    budget.unwrap_or_else(|| format!("no pod of {workload} may go"))
}

/// Whether a workload is on its way: not all of its pods are of the newest template, or there are too many.
fn under_way(seen: &WorkloadSeen) -> bool {
    (is_rolled_out(seen) && seen.updated < seen.wanted) || seen.replicas > seen.wanted
}

/// Whether a workload is of a kind that rolls its newest template out.
fn is_rolled_out(seen: &WorkloadSeen) -> bool {
    matches!(seen.kind.as_str(), "deployment" | "statefulset" | "daemonset")
}

fn stalled(history: &History<'_>, question: &Question, workload: &WorkloadRef) -> Option<Violation> {
    let state = history.number(workload, |seen| {
        let numbers = (seen.wanted, seen.replicas, seen.updated, seen.available);
        under_way(seen).then_some(numbers)
    });
    let lasting = lasting(history, question);
    // Where nothing of it changes: each stretch of one state by itself.
    for (from, now) in state.points() {
        let Some(numbers @ (wanted, replicas, updated, available)) = now.flatten() else {
            continue;
        };
        let still = state.with(&state, |state, _| state.flatten() == Some(numbers));
        let spans = stretches(history, question, &still);
        let Some(span) = spans.into_iter().find(|span| span.to > *from) else {
            continue;
        };
        let goes_on = span.to == question.end(history);
        let long = span.length() >= lasting;
        let tries = tries(history, workload, span.from, span.to);
        let troubles = troubles(history, workload, span.from, span.to);
        let complete = tries
            .iter()
            .map(|act| act.t)
            .chain(troubles.iter().map(|(t, _)| *t))
            .min();
        let Some(complete) = complete.filter(|_| long || goes_on) else {
            continue;
        };
        let mut violation = Violation::begins(Kind::Deadlock, workload, span.from);
        violation.complete = long
            .then(|| complete.max(span.from + lasting))
            .filter(|at| *at <= span.to);
        violation.until = span.to;
        violation.rounds = tries.len().max(1);
        let to = violation.complete.unwrap_or(span.to);
        violation.acted(tries.iter().copied().filter(|act| act.t <= to));
        for (_, trouble) in troubles.iter().filter(|(t, _)| *t <= to) {
            note(&mut violation.causes, trouble.clone());
        }
        for act in tries.iter().filter(|act| act.t <= to) {
            note(&mut violation.causes, words::cause(act));
        }
        violation.cycle = tries.first().map(|act| words::refusal(act)).into_iter().collect();
        violation.cycle.push(format!(
            "{workload} has {replicas} pods, {updated} of them new and {available} available, and wants {wanted}"
        ));
        if let Some(most) = history.last_seen(workload).and_then(|seen| seen.max_unavailable) {
            violation
                .cycle
                .push(format!("its rolling update may take {most} away"));
        }
        violation.figures = figures(history, question, workload);
        return Some(violation);
    }
    None
}

/// Requests for a workload or its pods that were refused.
fn tries<'h>(
    history: &'h History<'_>,
    workload: &'h WorkloadRef,
    from: Duration,
    to: Duration,
) -> Vec<&'h Act> {
    let refused =
        |act: &&Act| act.refused.is_some() && (from..=to).contains(&act.t) && act.does != Does::Evicts;
    history.acts_on(workload).filter(refused).collect()
}

/// What the controllers of a workload and of what it owns say is wrong, and since when they did.
fn troubles(
    history: &History<'_>,
    workload: &WorkloadRef,
    from: Duration,
    to: Duration,
) -> Vec<(Duration, String)> {
    let mut told: Vec<(Duration, String)> = Vec::new();
    for name in std::iter::once(workload).chain(history.owned_by(workload)) {
        let troubles = history.number(name, |seen| seen.troubles.clone());
        let troubles = troubles.since(from).until(to);
        for (t, troubles) in troubles.points() {
            for trouble in troubles.iter().flatten() {
                if told.iter().all(|(_, before)| before != trouble) {
                    told.push((*t, trouble.clone()));
                }
            }
        }
    }
    told
}

/// `refused` (requests for the workload or its pods), `still_for_s` (the longest time without a change of a workload under way).
pub(super) fn figures(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
) -> Map<String, Value> {
    let mut figures = Map::new();
    let refused = history
        .acts_on(workload)
        .filter(|act| act.refused.is_some() && question.covers(act.t))
        .count();
    figures.insert("refused".to_owned(), refused.into());
    let way = history.number(workload, |seen| {
        under_way(seen).then_some((seen.wanted, seen.replicas, seen.updated, seen.available))
    });
    let way = way.since(question.since).until(question.end(history));
    let ends = way.points().iter().skip(1).map(|(t, _)| *t).chain([way.end()]);
    let still = way
        .points()
        .iter()
        .zip(ends)
        .filter(|((_, now), _)| now.flatten().is_some());
    let longest = still.map(|((from, _), to)| to.saturating_sub(*from)).max();
    figures.extend(longest.map(|long| ("still_for_s".to_owned(), as_seconds(long))));
    figures
}
