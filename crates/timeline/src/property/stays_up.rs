//! `stays-up`: the control plane answers, and nodes stay ready.
//!
//! It pins an API server that is killed for not answering and started again (`restarts`, two kills), and nodes that stop one after
//! the other, each after pods of the one before it had come to it (`cascade`, two nodes). It leaves out a node that is stopped and
//! takes nobody with it, and why an API server did not answer.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{Kind, Question, Violation, as_seconds, note, per_minute, period};
use crate::{Does, History, PodHistory, What, WorkloadRef};
use crate::{LivenessChange, LoadStep};

/// How many kills make a loop, and how many nodes a cascade.
const TWO: usize = 2;

/// All violations.
pub(super) fn violations(history: &History<'_>, question: &Question) -> Vec<Violation> {
    restarted(history, question)
        .into_iter()
        .chain(cascade(history, question))
        .collect()
}

/// What befell the API server.
#[derive(Default)]
struct Fate {
    kills: Vec<Duration>,
    /// How long it took from a restart to the first answer.
    came_back: Vec<Duration>,
    failed_probes: usize,
    most_in_a_row: u32,
}

fn fate(history: &History<'_>, question: &Question) -> Fate {
    let mut fate = Fate::default();
    let mut restarted = None;
    for entry in history
        .timeline
        .entries
        .iter()
        .filter(|entry| question.covers(entry.t))
    {
        match &entry.what {
            What::Liveness(LivenessChange::ProbeFailed { in_a_row, .. }) => {
                fate.failed_probes += 1;
                fate.most_in_a_row = fate.most_in_a_row.max(*in_a_row);
            }
            What::Liveness(LivenessChange::Killing { .. }) => fate.kills.push(entry.t),
            What::Liveness(LivenessChange::Restarted { .. }) => restarted = Some(entry.t),
            What::Liveness(LivenessChange::Alive) => {
                fate.came_back
                    .extend(restarted.take().map(|t| entry.t.saturating_sub(t)));
            }
            _ => {}
        }
    }
    fate
}

fn restarted(history: &History<'_>, question: &Question) -> Option<Violation> {
    let fate = fate(history, question);
    let at_least = question.at_least.unwrap_or(TWO).max(1);
    let apiserver = WorkloadRef::new("pod", "kube-system", "kube-apiserver");
    let since = *fate.kills.first()?;
    let mut violation = Violation::begins(Kind::Restarts, &apiserver, since);
    // One kill is not the loop, and not its absence.
    violation.complete = fate.kills.get(at_least - 1).copied();
    violation.until = *fate.kills.last()?;
    violation.rounds = fate.kills.len();
    violation.period = period(&fate.kills);
    violation.per_minute = per_minute(&fate.kills);
    note(&mut violation.actors, "kubelet");
    note(&mut violation.causes, "liveness probe");
    violation.cycle = vec![
        format!(
            "kubelet asks kube-apiserver whether it lives, and gets no answer {} times in a row",
            fate.most_in_a_row
        ),
        "kubelet kills it and starts it again".to_owned(),
    ];
    violation.figures = figures(history, question);
    Some(violation)
}

/// When a node stopped being ready or there, by name: the first time that is asked about.
fn stops<'a>(history: &History<'a>, question: &Question) -> Vec<(Duration, &'a str)> {
    let mut stops = Vec::new();
    for (name, states) in history.nodes() {
        let ready = history.series(states, |node| node.ready);
        for pair in ready.points().windows(2) {
            if let [(_, Some(true)), (t, Some(false) | None)] = pair
                && question.covers(*t)
            {
                stops.push((*t, *name));
            }
        }
    }
    stops.sort_unstable();
    stops
}

/// Those of them that no step of the scenario stopped. A step that picks its node by a description takes the next one that stops.
fn fallen<'a>(history: &History<'a>, question: &Question) -> Vec<(Duration, &'a str)> {
    let mut fallen = stops(history, question);
    for entry in &history.timeline.entries {
        let What::Step(step) = &entry.what else { continue };
        let Some(node) = step.strip_prefix("stop ").or(step.strip_prefix("remove ")) else {
            continue;
        };
        let its = |(t, name): &(Duration, &str)| *t >= entry.t && (*name == node || node.starts_with("the "));
        if let Some(at) = fallen.iter().position(its) {
            fallen.remove(at);
        }
    }
    fallen
}

/// The nodes that stopped, where no cascade says it.
pub(super) fn doubt(history: &History<'_>, question: &Question) -> Option<String> {
    let fallen = fallen(history, question);
    let names: Vec<&str> = fallen.into_iter().map(|(_, name)| name).collect();
    (!names.is_empty()).then(|| format!("{} stopped", names.join(" and ")))
}

fn cascade(history: &History<'_>, question: &Question) -> Option<Violation> {
    let at_least = question.at_least.unwrap_or(TWO).max(TWO);
    // By workload, the nodes that fell, each after one of its pods had come to it from one that fell before.
    let mut chains: BTreeMap<&WorkloadRef, Vec<(Duration, &str)>> = BTreeMap::new();
    let fallen = fallen(history, question);
    for (t, node) in stops(history, question) {
        let on_it = |pod: &&PodHistory<'_>| {
            // One that goes at that instant was there: it may be seen only after the node's stop.
            let there = pod.bound.is_some_and(|at| at < t) && pod.gone.is_none_or(|gone| gone >= t);
            pod.last().node.as_deref() == Some(node) && there
        };
        for pod in history.pods.iter().filter(on_it) {
            let chain = chains.entry(&pod.workload).or_default();
            // A cascade may begin with a node that the scenario stops; the others fall by themselves.
            if !chain.is_empty() && !fallen.contains(&(t, node)) {
                continue;
            }
            let moved = chain
                .last()
                .is_none_or(|(fell, _)| pod.bound.is_some_and(|bound| bound > *fell));
            if moved && chain.iter().all(|(_, known)| *known != node) {
                chain.push((t, node));
            }
        }
    }
    let of = |workload: &WorkloadRef| question.of.as_ref().is_none_or(|of| of == workload);
    let chains = chains
        .into_iter()
        .filter(|(workload, chain)| of(workload) && chain.len() >= TWO);
    let (workload, chain) = chains.max_by_key(|(_, chain)| chain.len())?;
    let complete = chain.get(at_least - 1).map(|(t, _)| *t);
    let (since, until) = (chain.first()?.0, chain.last()?.0);
    if complete.is_none() && question.quiet(history, until) {
        return None;
    }
    let times: Vec<Duration> = chain.iter().map(|(t, _)| *t).collect();
    let mut violation = Violation::begins(Kind::Cascade, workload, since);
    violation.complete = complete;
    violation.until = until;
    violation.rounds = chain.len();
    violation.period = period(&times);
    violation.per_minute = per_minute(&times);
    let to = complete.unwrap_or(until);
    for (_, node) in chain.iter().filter(|(t, _)| *t <= to) {
        note(&mut violation.nodes, *node);
    }
    note(&mut violation.causes, "NotReady");
    let moves = [Does::Evicts, Does::Deletes, Does::Creates, Does::Binds];
    let acts = history
        .acts_on(workload)
        .filter(|act| act.t <= to && act.refused.is_none() && moves.contains(&act.does));
    violation.acted(acts.clone());
    violation.cycle.push(format!("{} stops", chain[0].1));
    violation
        .cycle
        .extend([Does::Deletes, Does::Binds].into_iter().filter_map(|does| {
            acts.clone()
                .filter(|act| act.does == does && act.t >= since)
                .map(super::words::act)
                .next()
        }));
    violation.cycle.push(format!("{} stops", chain[1].1));
    violation.figures = figures(history, question);
    Some(violation)
}

/// Of the API server `kills`, `failed_probes`, `most_in_a_row`, `load_tests`, `first_kill_s`, `second_kill_s`, `came_back_after_s`,
/// where it was asked whether it lives; of nodes `nodes_stopped`.
pub(super) fn figures(history: &History<'_>, question: &Question) -> Map<String, Value> {
    let mut figures = Map::new();
    let since = |t: &Duration| as_seconds(t.saturating_sub(question.since));
    let stopped = stops(history, question).len();
    if stopped > 0 {
        figures.insert("nodes_stopped".to_owned(), stopped.into());
    }
    let last = LoadStep::CollectMeasurements.name();
    let tests = history
        .timeline
        .entries
        .iter()
        .filter(|entry| matches!(&entry.what, What::Step(step) if step.ends_with(last)))
        .count();
    let asked = history
        .timeline
        .entries
        .iter()
        .any(|entry| matches!(entry.what, What::Liveness(_)));
    if !asked && tests == 0 {
        return figures;
    }
    let fate = fate(history, question);
    figures.insert("kills".to_owned(), fate.kills.len().into());
    figures.insert("failed_probes".to_owned(), fate.failed_probes.into());
    figures.insert("most_in_a_row".to_owned(), fate.most_in_a_row.into());
    figures.insert("load_tests".to_owned(), tests.into());
    figures.extend(fate.kills.first().map(|t| ("first_kill_s".to_owned(), since(t))));
    figures.extend(fate.kills.get(1).map(|t| ("second_kill_s".to_owned(), since(t))));
    figures.extend(
        fate.came_back
            .first()
            .map(|t| ("came_back_after_s".to_owned(), as_seconds(*t))),
    );
    figures
}
