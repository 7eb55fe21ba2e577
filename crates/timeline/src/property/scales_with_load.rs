//! `scales-with-load`: replicas follow the load that was offered.
//!
//! It pins two things of a workload that an autoscaler scales:
//! - `over-scale`: wanted replicas rise to a number that was asked about (where whoever asks knows that no load explains it), or,
//!   without one, rise by the autoscaler although the utilisation that it saw before and after was not above its target;
//! - `unexplained-fall`: somebody else than an autoscaler makes wanted replicas fall below what the autoscaler wants.
//!
//! It leaves out metrics other than CPU utilisation, and a rise up to the autoscaler's minimum. What load was offered is on no
//! timeline: it is for whoever asks to say.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{Kind, Question, UpTo, Violation, as_seconds, note, words};
use crate::{Act, Does, History, HpaSeen, Series, WorkloadRef};

/// The utilisation that an autoscaler aims at that names none, in percent (pkg/apis/autoscaling/v2/defaults.go).
const TARGET: i64 = 80;

/// Who scales for an autoscaler.
const AUTOSCALER: &str = "horizontal-pod-autoscaler";

/// All violations.
pub(super) fn violations(history: &History<'_>, question: &Question) -> Vec<Violation> {
    let mut found = Vec::new();
    for workload in question.workloads(history) {
        if history.hpas_of(&workload).next().is_none() {
            continue;
        }
        found.extend(risen(history, question, &workload));
        found.extend(fallen(history, question, &workload));
    }
    found
}

/// That nothing could have scaled it, where nothing scaled it wrongly.
pub(super) fn doubt(history: &History<'_>, question: &Question) -> Option<String> {
    let workload = question.of.as_ref()?;
    let end = question.end(history);
    let mut there = history
        .hpas_of(workload)
        .map(|(_, states)| history.series(states, Clone::clone))
        .filter(|hpa| hpa.at(end).is_some())
        .peekable();
    if there.peek().is_none() {
        return Some(format!("no autoscaler of {workload} was there at the end"));
    }
    let spoke = |hpa: &Option<HpaSeen>| {
        let hpa = hpa.as_ref();
        hpa.is_some_and(|hpa| hpa.desired > 0 || hpa.cpu_percent.is_some())
    };
    if !there.any(|hpa| hpa.until(end).first(spoke).is_some()) {
        return Some(format!(
            "the autoscaler of {workload} never said how many it wants"
        ));
    }
    let level = level(history, question, workload)?;
    let wanted = history
        .number(workload, |seen| seen.wanted)
        .since(question.since)
        .until(end);
    wanted
        .first(|wanted| wanted.is_none_or(|wanted| wanted < level))
        .is_none()
        .then(|| format!("{workload} wanted {level} all the while, and could not rise to it"))
}

/// Each change of wanted replicas that is asked about, from what to what.
fn changes(history: &History<'_>, question: &Question, workload: &WorkloadRef) -> Vec<(Duration, i64, i64)> {
    let wanted = history.number(workload, |seen| seen.wanted);
    let pairs = wanted.points().windows(2);
    pairs
        .filter_map(|pair| match pair {
            [(_, Some(from)), (t, Some(to))] if question.covers(*t) => Some((*t, *from, *to)),
            _ => None,
        })
        .collect()
}

/// What an autoscaler said last before a time, and first after it.
fn around<'a>(
    history: &'a History<'_>,
    workload: &WorkloadRef,
    t: Duration,
) -> (Option<&'a HpaSeen>, Option<(Duration, &'a HpaSeen)>) {
    let mut before = None;
    let mut after: Option<(Duration, &HpaSeen)> = None;
    for (_, states) in history.hpas_of(workload) {
        before = before.or(states
            .iter()
            .rev()
            .filter(|(at, _)| *at < t)
            .find_map(|(_, hpa)| *hpa));
        let next = states
            .iter()
            .filter(|(at, _)| *at >= t)
            .find_map(|(at, hpa)| hpa.map(|hpa| (*at, hpa)));
        after = after.or(next);
    }
    (before, after)
}

/// Who changed wanted replicas to a number, as it was seen at a time: the last who asked for it since the change before.
fn changer<'h>(history: &'h History<'_>, workload: &'h WorkloadRef, t: Duration, to: i64) -> Option<&'h Act> {
    let tail = format!("→{to}");
    let wanted = history.number(workload, |seen| seen.wanted);
    let before = wanted.points().iter().rfind(|(at, _)| *at < t);
    let since = before.map_or(Duration::ZERO, |(at, _)| *at);
    let made = |act: &&Act| {
        let to = act
            .detail
            .as_deref()
            .is_some_and(|detail| detail.ends_with(&tail));
        act.does == Does::Scales && act.refused.is_none() && act.t >= since && act.t <= t && to
    };
    history.acts_on(workload).filter(made).last()
}

/// The largest minimum that an autoscaler had at a time.
fn least_allowed(history: &History<'_>, workload: &WorkloadRef, t: Duration) -> i64 {
    let minimums = history
        .hpas_of(workload)
        .filter_map(|(_, states)| *history.series(states, |hpa| hpa.min).at(t));
    minimums.max().unwrap_or(0)
}

fn utilisation(history: &History<'_>, workload: &WorkloadRef, from: Duration, to: Duration) -> Option<i64> {
    let states = history.hpas_of(workload).flat_map(|(_, states)| states.iter());
    let within = states.filter(|(t, _)| (from..=to).contains(t));
    within
        .filter_map(|(_, hpa)| hpa.and_then(|hpa| hpa.cpu_percent))
        .max()
}

fn target(history: &History<'_>, workload: &WorkloadRef) -> i64 {
    let states = history.hpas_of(workload).flat_map(|(_, states)| states.iter());
    states
        .filter_map(|(_, hpa)| hpa.and_then(|hpa| hpa.target_percent))
        .last()
        .unwrap_or(TARGET)
}

/// The number that was asked about; of an autoscaler that is gone by then, its last maximum.
fn level(history: &History<'_>, question: &Question, workload: &WorkloadRef) -> Option<i64> {
    match question.up_to {
        Some(UpTo::Number(number)) => Some(number),
        None if !question.no_load => None,
        Some(UpTo::HpaMax) | None => {
            let all = history.hpas_of(workload).flat_map(|(_, states)| states.iter());
            all.filter_map(|(_, hpa)| hpa.map(|hpa| hpa.max)).max()
        }
    }
}

fn risen(history: &History<'_>, question: &Question, workload: &WorkloadRef) -> Option<Violation> {
    let level = level(history, question, workload);
    let rises = changes(history, question, workload)
        .into_iter()
        .filter(|(_, from, to)| to > from);
    let mut first = None;
    let (t, complete, to) = rises.into_iter().find_map(|(t, from, to)| {
        first = first.or(Some(t));
        match level {
            // To its minimum an autoscaler goes whatever the load.
            Some(level) => (from < level && to >= level && to > least_allowed(history, workload, t))
                .then_some((t, t, to)),
            None => unexplained(history, workload, t, to).map(|complete| (t, complete, to)),
        }
    })?;
    let mut violation = Violation::begins(Kind::OverScale, workload, first.unwrap_or(t));
    violation.complete = Some(complete);
    violation.until = complete;
    let target = target(history, workload);
    let seen = utilisation(history, workload, question.since, complete);
    note(
        &mut violation.causes,
        match seen {
            Some(percent) => format!("utilisation up to {percent} % at a target of {target} %"),
            None => "no utilisation was seen".to_owned(),
        },
    );
    let scales = history
        .acts_on(workload)
        .filter(|act| act.does == Does::Scales && act.refused.is_none());
    let scales: Vec<&Act> = scales
        .filter(|act| act.t >= question.since && act.t <= complete)
        .collect();
    violation.acted(scales.iter().copied());
    violation.cycle = scales.iter().map(|act| words::act(act)).collect();
    violation.figures = figures(history, question, workload);
    violation.figures.insert("reached".to_owned(), to.into());
    violation
        .figures
        .extend(seen.map(|seen| ("peak_cpu_percent".to_owned(), seen.into())));
    violation
        .figures
        .insert("target_cpu_percent".to_owned(), target.into());
    Some(violation)
}

/// When it was clear that a rise to a number has no utilisation for its reason; `None` where it has, or is not clear yet.
///
/// An autoscaler changes the scale first and tells the utilisation that it did so for right after (pkg/controller/podautoscaler/
/// horizontal.go: `reconcileAutoscaler`).
fn unexplained(history: &History<'_>, workload: &WorkloadRef, t: Duration, to: i64) -> Option<Duration> {
    let (before, after) = around(history, workload, t);
    let (told, after) = after?;
    let percent = before.and_then(|hpa| hpa.cpu_percent).max(after.cpu_percent)?;
    let its_own = if history.audited {
        changer(history, workload, t, to).is_some_and(|act| act.actor == AUTOSCALER)
    } else {
        // Nobody wrote down whose it was: its own word tells.
        after.desired == to
    };
    (its_own && to > after.min && percent <= target(history, workload)).then_some(told)
}

fn fallen(history: &History<'_>, question: &Question, workload: &WorkloadRef) -> Option<Violation> {
    let falls = changes(history, question, workload)
        .into_iter()
        .filter(|(_, from, to)| (1..*from).contains(to));
    let (t, complete, from, to, desired) = falls.into_iter().find_map(|(t, from, to)| {
        let (before, after) = around(history, workload, t);
        let wanted = before.map(|hpa| hpa.desired).filter(|desired| *desired > to)?;
        let complete = if history.audited {
            // Whose request is not written down yet is not known yet.
            changer(history, workload, t, to)
                .filter(|act| act.actor != AUTOSCALER)
                .map(|_| t)
        } else {
            after.filter(|(_, hpa)| hpa.desired > to).map(|(told, _)| told)
        };
        complete.map(|complete| (t, complete, from, to, wanted))
    })?;
    let mut violation = Violation::begins(Kind::UnexplainedFall, workload, t);
    violation.complete = Some(complete);
    violation.until = complete;
    note(&mut violation.causes, format!("the autoscaler wanted {desired}"));
    if let Some(act) = changer(history, workload, t, to) {
        violation.acted([act]);
        violation.cycle.push(words::act(act));
    } else {
        note(&mut violation.actors, "somebody");
        violation
            .cycle
            .push(format!("somebody scales {} {from}→{to}", workload.name));
    }
    let back = changes(history, question, workload)
        .into_iter()
        .find(|(at, _, now)| *at > t && *now >= from);
    violation.figures = figures(history, question, workload);
    violation.figures.insert("fell_to".to_owned(), to.into());
    let since = |t: Duration| as_seconds(t.saturating_sub(question.since));
    violation.figures.insert("fell_s".to_owned(), since(t));
    if let Some((at, ..)) = back {
        violation.figures.insert("back_s".to_owned(), since(at));
    }
    Some(violation)
}

/// `peak_replicas`, `least_replicas`, `max_reached_s`.
pub(super) fn figures(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
) -> Map<String, Value> {
    let mut figures = Map::new();
    let wanted: Series<Option<i64>> = history.number(workload, |seen| seen.wanted);
    let wanted = wanted.since(question.since).until(question.end(history));
    let numbers = || wanted.points().iter().filter_map(|(_, wanted)| *wanted);
    figures.extend(
        numbers()
            .max()
            .map(|most| ("peak_replicas".to_owned(), most.into())),
    );
    figures.extend(
        numbers()
            .min()
            .map(|least| ("least_replicas".to_owned(), least.into())),
    );
    if let Some(level) = level(history, question, workload) {
        let reached = wanted.first(|wanted| wanted.is_some_and(|wanted| wanted >= level));
        figures.extend(reached.map(|t| {
            (
                "max_reached_s".to_owned(),
                as_seconds(t.saturating_sub(question.since)),
            )
        }));
    }
    figures
}
