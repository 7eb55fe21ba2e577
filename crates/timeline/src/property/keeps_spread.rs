//! `keeps-spread`: at rest, each topology spread constraint and the balance over open nodes is within its skew.
//!
//! It pins a skew that lasts: of the constraint's pods, or the workload's where it has none, over the values of a node label. A
//! value counts while an open node has it; pods on closed nodes count, too. Between two marks it must last all the time; without
//! a second mark, for [`LASTING`] in which no pod of the workload comes or goes. It leaves out minimum domains and node affinity
//! policies: a node that a pod may not use counts as an empty one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value};

use super::question::stretches;
use super::{Kind, Question, Violation, note};
use crate::{Does, History, NodeSeen, PodSeen, Series, SpreadSeen, What, WorkloadRef, set, there};

/// How long a skew lasts that no second mark bounds, at the recorded pace: three of the study's descheduling intervals, in which
/// whoever balances would have done so.
const LASTING: Duration = Duration::from_secs(30);

/// The label that each node has a value of its own of.
pub(super) const HOSTNAME: &str = "kubernetes.io/hostname";

/// All violations, of each constraint the first.
pub(super) fn violations(history: &History<'_>, question: &Question) -> Vec<Violation> {
    let workloads = question.workloads(history).into_iter();
    workloads
        .flat_map(|workload| {
            let all = constraints(history, question, &workload).into_iter();
            let found: Vec<_> = all
                .filter_map(|spread| violation(history, question, &workload, &spread))
                .collect();
            found
        })
        .collect()
}

/// What is asked about: the constraint of the key, else one over the nodes; without a key all of the workload's own.
fn constraints(history: &History<'_>, question: &Question, workload: &WorkloadRef) -> Vec<SpreadSeen> {
    let last = history
        .workload(workload)
        .iter()
        .rev()
        .find_map(|(_, seen)| *seen);
    let own = last.map_or(&[][..], |seen| &seen.spread);
    let named = |key: &str| {
        let constraint = own.iter().find(|spread| spread.key == key).cloned();
        constraint.unwrap_or(SpreadSeen {
            key: key.to_owned(),
            max_skew: 1,
            ..SpreadSeen::default()
        })
    };
    let mut asked = match (&question.over, question.of.is_some()) {
        (Some(key), _) => vec![named(key)],
        // A claim of a workload is one of its nodes; a question about all workloads is one of what each of them asks for.
        (None, true) => vec![named(HOSTNAME)],
        (None, false) => own.to_vec(),
    };
    if let Some(max_skew) = question.max_skew {
        asked.iter_mut().for_each(|spread| spread.max_skew = max_skew);
    }
    asked
}

/// How long a skew must last.
fn lasting(history: &History<'_>, question: &Question) -> Duration {
    question.lasting.unwrap_or(match question.until {
        Some(_) => question.end(history).saturating_sub(question.since),
        None => history.timeline.header.pace.scale(LASTING),
    })
}

/// That there was nothing to spread over, or no rest in which to look, where no skew lasted.
pub(super) fn doubt(history: &History<'_>, question: &Question) -> Option<String> {
    let workload = question.of.as_ref()?;
    let end = question.end(history);
    for spread in constraints(history, question, workload) {
        let values = history.timeline.series(|world| {
            let open = world.nodes.values().filter(|node| node.ready && !node.cordoned);
            open.filter_map(|node| value(node, &spread.key))
                .collect::<BTreeSet<_>>()
                .len()
        });
        if values.since(question.since).until(end).max() < 2 {
            return Some(format!("no two open nodes differ in {}", spread.key));
        }
    }
    let rest = at_rest(history, workload).since(question.since).until(end);
    let longest = rest
        .longest(|rest| *rest)
        .map_or(Duration::ZERO, |span| span.length());
    let lasting = lasting(history, question);
    (question.until.is_none() && longest < lasting).then(|| {
        format!(
            "{workload} was never at rest for {}",
            super::words::seconds(lasting)
        )
    })
}

/// What a node has for a key.
fn value<'a>(node: &'a NodeSeen, key: &str) -> Option<&'a str> {
    match key {
        HOSTNAME => Some(node.name.as_str()),
        key => node.labels.get(key).map(String::as_str),
    }
}

fn violation(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
    spread: &SpreadSeen,
) -> Option<Violation> {
    let skew = skew(history, workload, spread);
    let mut skewed = skew.with(&skew, |skew, _| *skew > spread.max_skew);
    let end = question.end(history);
    if question.until.is_none() {
        skewed = skewed.with(&at_rest(history, workload), |skewed, rest| *skewed && *rest);
    }
    let spans = stretches(history, question, &skewed);
    let lasting = lasting(history, question);
    let long = spans.iter().find(|span| span.length() >= lasting);
    let goes_on = spans
        .last()
        .filter(|span| span.to == end && question.until.is_none());
    let span = long.or(goes_on)?;
    let mut violation = Violation::begins(Kind::Skew, workload, span.from);
    violation.complete = long.map(|span| span.from + lasting);
    violation.until = span.to;
    note(&mut violation.causes, spread.key.clone());
    let to = violation.complete.unwrap_or(span.to);
    let most = skew.since(span.from).until(to).max();
    violation.figures = figures(history, question, workload);
    violation.figures.insert("skew".to_owned(), most.into());
    let moves = [
        Does::Evicts,
        Does::Deletes,
        Does::Creates,
        Does::Binds,
        Does::Uncordons,
    ];
    let acts: Vec<_> = history
        .acts
        .iter()
        .filter(|act| act.t <= to && act.refused.is_none() && moves.contains(&act.does))
        .collect();
    let mine = acts
        .iter()
        .filter(|act| act.workload.as_ref().is_none_or(|of| of == workload))
        .copied();
    violation.acted(mine.clone());
    let last = |does: Does| mine.clone().rfind(|act| act.does == does).map(super::words::act);
    violation.cycle = [Does::Evicts, Does::Binds, Does::Uncordons]
        .into_iter()
        .filter_map(last)
        .collect();
    Some(violation)
}

/// `skew_after_maintenance` (the most between the marks), `skew_at_the_end`.
pub(super) fn figures(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
) -> Map<String, Value> {
    let mut figures = Map::new();
    for spread in constraints(history, question, workload).iter().take(1) {
        let skew = skew(history, workload, spread);
        let asked = skew.since(question.since).until(question.end(history));
        figures.insert("skew_after_maintenance".to_owned(), asked.max().into());
        figures.insert("skew_at_the_end".to_owned(), (*skew.last()).into());
    }
    figures
}

/// That no pod of a workload came or went for a while is for the length of a stretch to say: here, that none is on its way.
fn at_rest(history: &History<'_>, workload: &WorkloadRef) -> Series<bool> {
    history.over_time(history.pods_of(workload), |pods| {
        pods.values()
            .all(|pod| !pod.terminating && (pod.node.is_some() || !pod.active()))
    })
}

/// The difference between the fullest and the emptiest value of a key.
fn skew(history: &History<'_>, workload: &WorkloadRef, spread: &SpreadSeen) -> Series<i64> {
    let mine: BTreeSet<&str> = history
        .pods_of(workload)
        .map(|pod| pod.last().uid.as_str())
        .collect();
    let counts = |pod: &PodSeen| {
        let selected = match spread.selector.is_empty() {
            true => mine.contains(pod.uid.as_str()),
            false => {
                let labelled = |label: (&String, &String)| pod.labels.get_key_value(label.0) == Some(label);
                pod.namespace == workload.namespace && spread.selector.iter().all(labelled)
            }
        };
        selected && pod.active()
    };
    let mut nodes: BTreeMap<&str, &NodeSeen> = BTreeMap::new();
    let mut pods: BTreeMap<&str, &PodSeen> = BTreeMap::new();
    let mut series = Series::starting(Duration::ZERO, 0);
    for entry in &history.timeline.entries {
        match &entry.what {
            What::Node(node) => set(&mut nodes, node.state.name.as_str(), there(node)),
            What::Pod(pod) => {
                let counted = there(pod).filter(|pod| counts(pod));
                set(&mut pods, pod.state.uid.as_str(), counted);
            }
            _ => continue,
        }
        series.push(entry.t, between(&nodes, pods.values().copied(), &spread.key));
    }
    series.lasting(history.end())
}

fn between<'a>(
    nodes: &BTreeMap<&str, &'a NodeSeen>,
    pods: impl Iterator<Item = &'a PodSeen>,
    key: &str,
) -> i64 {
    let value = |node: &'a NodeSeen| value(node, key);
    let open = nodes.values().filter(|node| node.ready && !node.cordoned);
    let mut domains: BTreeMap<&str, u32> = open
        .filter_map(|node| value(node))
        .map(|value| (value, 0))
        .collect();
    for pod in pods {
        let domain = pod
            .node
            .as_deref()
            .and_then(|node| nodes.get(node))
            .and_then(|node| value(node));
        if let Some(domain) = domain {
            *domains.entry(domain).or_default() += 1;
        }
    }
    let most = domains.values().max().copied().unwrap_or(0);
    i64::from(most - domains.values().min().copied().unwrap_or(0))
}
