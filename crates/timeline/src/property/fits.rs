//! `fits`: no node is asked for more than it has, and no kubelet rejects what was bound to it.
//!
//! It pins pods that a kubelet did not admit (`Failed` with one of its admission's reasons, and never ready), and a node whose pods
//! ask for more CPU, memory or places than it has. It leaves out what pods use, and pods that ran and were then evicted by a
//! kubelet under pressure.

use std::time::Duration;

use serde_json::{Map, Value};

use super::room::Rooms;
use super::{Kind, Question, Violation, note, per_minute, period};
use crate::{Does, History, PodHistory, What, WorkloadRef};

/// The reasons that a kubelet's admission has (pkg/kubelet/lifecycle/predicate.go, pkg/kubelet/types/constants.go; topology and
/// device managers: pkg/kubelet/cm). `OutOf` is followed by the resource.
const ADMISSION: [&str; 12] = [
    "OutOf",
    "NodeAffinity",
    "NodeName",
    "NodePorts",
    "NodeUnschedulable",
    "TaintToleration",
    "UnexpectedAdmissionError",
    "TopologyAffinityError",
    "InvalidNodeInfo",
    "PodOSSelectorNodeLabelDoesNotMatch",
    "PodOSNotSupported",
    "InitContainersRestartPolicyForbidden",
];

/// All violations.
pub(super) fn violations(history: &History<'_>, question: &Question) -> Vec<Violation> {
    let workloads = question.workloads(history);
    let mut found: Vec<Violation> = workloads
        .iter()
        .filter_map(|workload| rejected(history, question, workload))
        .collect();
    found.extend(overcommitted(history, question, &workloads));
    found
}

/// When and why a kubelet rejected a pod, and where.
fn rejection<'a>(history: &History<'a>, pod: &PodHistory<'a>) -> Option<(Duration, &'a str, &'a str)> {
    let failed = pod.failed?;
    if pod.ready.is_some_and(|ready| ready <= failed) {
        return None;
    }
    let state = history.state_at(pod, failed)?;
    let reason = state
        .reason
        .as_deref()
        .filter(|reason| ADMISSION.iter().any(|known| reason.starts_with(known)))?;
    Some((failed, reason, state.node.as_deref().unwrap_or_default()))
}

fn rejected(history: &History<'_>, question: &Question, workload: &WorkloadRef) -> Option<Violation> {
    let all = history
        .pods_of(workload)
        .filter_map(|pod| rejection(history, pod));
    let mut all: Vec<_> = all.filter(|(t, ..)| question.covers(*t)).collect();
    all.sort_unstable();
    let at_least = question.at_least.unwrap_or(1).max(1);
    let (since, until) = (all.first()?.0, all.last()?.0);
    let complete = all.get(at_least - 1).map(|(t, ..)| *t);
    if complete.is_none() && question.quiet(history, until) {
        return None;
    }
    let times: Vec<Duration> = all.iter().map(|(t, ..)| *t).collect();
    let mut violation = Violation::begins(Kind::Rejection, workload, since);
    violation.complete = complete;
    violation.until = until;
    violation.rounds = all.len();
    violation.period = period(&times);
    violation.per_minute = per_minute(&times);
    let to = complete.unwrap_or(until);
    for (_, reason, node) in all.iter().filter(|(t, ..)| *t <= to) {
        note(&mut violation.causes, *reason);
        note(&mut violation.nodes, *node);
    }
    let moves = [Does::Creates, Does::Binds, Does::Rejects];
    let acts = history
        .acts_on(workload)
        .filter(|act| act.t <= to && act.refused.is_none() && moves.contains(&act.does));
    violation.acted(acts.clone());
    let last = |does: Does| {
        acts.clone()
            .filter(|act| act.does == does)
            .last()
            .map(super::words::act)
    };
    violation.cycle = moves.into_iter().filter_map(last).collect();
    violation.figures = figures(history, question, workload);
    Some(violation)
}

/// The first time that each node is asked for too much, told of the workload whose pod was the last straw.
fn overcommitted(history: &History<'_>, question: &Question, workloads: &[WorkloadRef]) -> Vec<Violation> {
    let mut rooms = Rooms::default();
    let mut found: Vec<Violation> = Vec::new();
    for entry in &history.timeline.entries {
        let full = |rooms: &Rooms<'_>, name: &str| rooms.node(name).and_then(|node| rooms.over(node, None));
        let What::Pod(pod) = &entry.what else {
            rooms.see(&entry.what);
            continue;
        };
        let Some(name) = pod.state.node.as_deref() else {
            rooms.see(&entry.what);
            continue;
        };
        let before = full(&rooms, name);
        rooms.see(&entry.what);
        let Some(short) = full(&rooms, name).filter(|_| before.is_none() && question.covers(entry.t)) else {
            continue;
        };
        let index = history.pod_named(&pod.state.namespace, &pod.state.name, entry.t);
        let Some(workload) = index
            .map(|index| &history.pods[index].workload)
            .filter(|of| workloads.contains(of))
        else {
            continue;
        };
        if found
            .iter()
            .any(|known| known.nodes == [name] && known.workload == *workload)
        {
            continue;
        }
        let mut violation = Violation::begins(Kind::Overcommit, workload, entry.t);
        violation.complete = Some(entry.t);
        note(&mut violation.nodes, name);
        note(&mut violation.causes, short);
        let binds = index
            .into_iter()
            .flat_map(|index| history.acts_on_pod(index))
            .filter(|act| act.does == Does::Binds);
        violation.acted(binds.clone());
        violation.cycle = binds.map(super::words::act).collect();
        let load = rooms.load(name);
        violation
            .figures
            .insert("cpu_request_m".to_owned(), load.cpu_m.into());
        violation.figures.insert("pods".to_owned(), load.pods.into());
        found.push(violation);
    }
    found
}

/// That no pod was on a node, or that a node shrank below its pods, where none was rejected and no node overcommitted by a pod.
pub(super) fn doubt(history: &History<'_>, question: &Question) -> Option<String> {
    let workload = question.of.as_ref()?;
    let end = question.end(history);
    let bound = history.pods_of(workload).any(|pod| {
        pod.bound.is_some_and(|bound| bound <= end) && pod.gone.is_none_or(|gone| gone >= question.since)
    });
    if !bound {
        return Some(format!("no pod of {workload} was bound"));
    }
    let mut rooms = Rooms::default();
    let entries = history.timeline.entries.iter();
    entries
        .take_while(|entry| entry.t <= end)
        .for_each(|entry| rooms.see(&entry.what));
    history.nodes().keys().find_map(|name| {
        let short = rooms.over(rooms.node(name)?, None)?;
        Some(format!("at the end {name} is asked for more {short} than it has"))
    })
}

/// `rejected_pods`.
pub(super) fn figures(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
) -> Map<String, Value> {
    let rejected = history
        .pods_of(workload)
        .filter_map(|pod| rejection(history, pod));
    let count = rejected.filter(|(t, ..)| question.covers(*t)).count();
    Map::from_iter([("rejected_pods".to_owned(), count.into())])
}
