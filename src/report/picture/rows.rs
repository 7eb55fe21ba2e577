//! The rows of a picture: what is worth seeing of a timeline.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Row, Shows};
use kubeclash_timeline::{Change, LivenessChange, Series, Timeline, What, WorkloadSeen, lives};

/// How many nodes have a row at most: those with the most changes.
pub(super) const NODES: usize = 5;

/// The rows, from top to bottom, none that is zero throughout; and how many nodes are left out.
pub(super) fn of(timeline: &Timeline) -> (Vec<Row>, usize) {
    let (nodes, nodes_left_out) = nodes(timeline);
    let kinds = [
        nodes,
        replicas(timeline),
        cpu(timeline),
        vec![level("unschedulable", unschedulable(timeline))],
        churn(timeline),
        vec![level("failed probes", failed_probes(timeline))],
    ];
    let mut rows = Vec::new();
    for mut kind in kinds {
        kind.retain(|row| row.series.max() > 0);
        let top = kind.iter().map(|row| row.series.max()).max().unwrap_or(0);
        for row in &mut kind {
            row.top = top;
        }
        rows.append(&mut kind);
    }
    (rows, nodes_left_out)
}

pub(super) fn level(label: impl Into<String>, series: Series<i64>) -> Row {
    Row {
        label: label.into(),
        series,
        shows: Shows::Level,
        top: 0,
    }
}

/// A number that some entries tell, as it goes over the whole timeline.
pub(in crate::report) fn follow(
    timeline: &Timeline,
    mut read: impl FnMut(&What) -> Option<i64>,
) -> Series<i64> {
    let mut series = Series::starting(Duration::ZERO, 0);
    for entry in &timeline.entries {
        if let Some(value) = read(&entry.what) {
            series.push(entry.t, value);
        }
    }
    let last = *series.last();
    series.push(timeline.end(), last);
    series
}

/// Probes of the API server that failed in a row.
pub(in crate::report) fn failed_probes(timeline: &Timeline) -> Series<i64> {
    follow(timeline, |what| match what {
        What::Liveness(LivenessChange::ProbeFailed { in_a_row, .. }) => Some(i64::from(*in_a_row)),
        What::Liveness(LivenessChange::Alive | LivenessChange::Restarted { .. }) => Some(0),
        _ => None,
    })
}

/// Active pods of each node that ever had one, and how many nodes are left out.
fn nodes(timeline: &Timeline) -> (Vec<Row>, usize) {
    let mut home: BTreeMap<&str, &str> = BTreeMap::new();
    let mut counts: BTreeMap<&str, Series<i64>> = BTreeMap::new();
    for entry in &timeline.entries {
        let What::Pod(pod) = &entry.what else { continue };
        let here = pod.change == Change::Seen && pod.state.active();
        let node = pod.state.node.as_deref().filter(|_| here);
        let was = match node {
            Some(node) => home.insert(&pod.state.uid, node),
            None => home.remove(pod.state.uid.as_str()),
        };
        if was == node {
            continue;
        }
        for (node, by) in was.map(|n| (n, -1)).into_iter().chain(node.map(|n| (n, 1))) {
            let series = counts
                .entry(node)
                .or_insert_with(|| Series::starting(Duration::ZERO, 0));
            let now = *series.last() + by;
            series.push(entry.t, now);
        }
    }
    let mut rows: Vec<(&str, Series<i64>)> = counts.into_iter().collect();
    let left_out = rows.len().saturating_sub(NODES);
    rows.sort_by_key(|(_, series)| std::cmp::Reverse(series.points().len()));
    rows.truncate(NODES);
    // worker2 before worker10.
    rows.sort_by_key(|(name, _)| (name.len(), *name));
    let rows = rows.into_iter().map(|(name, mut series)| {
        let last = *series.last();
        series.push(timeline.end(), last);
        level(format!("on {name}"), series)
    });
    (rows.collect(), left_out)
}

/// Replicas wanted and available of each deployment, and wanted by each autoscaler, where they change.
fn replicas(timeline: &Timeline) -> Vec<Row> {
    let mut deployments: BTreeSet<&str> = BTreeSet::new();
    let mut hpas: BTreeSet<&str> = BTreeSet::new();
    for entry in &timeline.entries {
        match &entry.what {
            What::Workload(d) if d.state.owner.is_none() => {
                deployments.insert(&d.state.name);
            }
            What::Hpa(h) => {
                hpas.insert(&h.state.name);
            }
            _ => {}
        }
    }
    let mut rows = Vec::new();
    for name in deployments {
        let number = |of: fn(&WorkloadSeen) -> i64| {
            follow(timeline, |what| match what {
                What::Workload(d) if d.state.owner.is_none() && d.state.name == name => {
                    Some(if d.change == Change::Seen { of(&d.state) } else { 0 })
                }
                _ => None,
            })
        };
        let wanted = number(|d| d.wanted);
        if wanted.points().iter().filter(|(_, v)| *v > 0).count() > 1 {
            rows.push(level(format!("{name} wanted"), wanted));
        }
        rows.push(level(format!("{name} available"), number(|d| d.available)));
    }
    for name in hpas {
        let desired = follow(timeline, |what| match what {
            What::Hpa(h) if h.state.name == name => Some(h.state.desired),
            _ => None,
        });
        rows.push(level(format!("hpa {name} desired"), desired));
    }
    rows
}

/// CPU use in percent of the request, as each autoscaler sees it.
fn cpu(timeline: &Timeline) -> Vec<Row> {
    let names: BTreeSet<&str> = timeline
        .entries
        .iter()
        .filter_map(|e| match &e.what {
            What::Hpa(h) => Some(h.state.name.as_str()),
            _ => None,
        })
        .collect();
    let percent = |name| {
        follow(timeline, |what| match what {
            What::Hpa(h) if h.state.name == name => Some(h.state.cpu_percent.unwrap_or(0)),
            _ => None,
        })
    };
    names
        .into_iter()
        .map(|name| level(format!("hpa {name} cpu %"), percent(name)))
        .collect()
}

/// How many pods the scheduler finds no node for.
fn unschedulable(timeline: &Timeline) -> Series<i64> {
    let mut waiting: BTreeSet<&str> = BTreeSet::new();
    let mut series = Series::starting(Duration::ZERO, 0);
    for entry in &timeline.entries {
        if let What::Pod(pod) = &entry.what {
            let state = &pod.state;
            let waits = state.active() && state.node.is_none() && state.unschedulable.is_some();
            if waits && pod.change == Change::Seen {
                waiting.insert(&state.uid);
            } else {
                waiting.remove(state.uid.as_str());
            }
        }
        series.push(entry.t, waiting.len() as i64);
    }
    series
}

/// Pods created and pods told to go, where any were told to.
fn churn(timeline: &Timeline) -> Vec<Row> {
    let lives = lives(timeline);
    if lives.iter().all(|life| life.terminating.is_none()) {
        return Vec::new();
    }
    let row = |label: &str, mut times: Vec<Duration>| {
        times.sort();
        let mut series = Series::starting(Duration::ZERO, 0);
        for (count, t) in (1_i64..).zip(times) {
            series.push(t, count);
        }
        let last = *series.last();
        series.push(timeline.end(), last);
        Row {
            shows: Shows::Growth,
            ..level(label, series)
        }
    };
    vec![
        row("pods created", lives.iter().map(|life| life.created).collect()),
        row(
            "pods deleted",
            lives.iter().filter_map(|life| life.terminating).collect(),
        ),
    ]
}
