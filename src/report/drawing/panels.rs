//! Numbers over time: replicas of each deployment with its autoscaler's wish, and the CPU use that this one sees.

use std::collections::BTreeSet;

use super::{Clock, Line, Panel};
use crate::report::picture::{failed_probes, follow};
use kubeclash_timeline::{Change, HpaSeen, Series, Timeline, What, WorkloadSeen};

pub(super) fn of(timeline: &Timeline, clock: Clock) -> Vec<Panel> {
    let mut deployments: BTreeSet<&str> = BTreeSet::new();
    let mut hpas: BTreeSet<&str> = BTreeSet::new();
    for entry in &timeline.entries {
        match &entry.what {
            What::Workload(seen) if seen.state.owner.is_none() => {
                deployments.insert(&seen.state.name);
            }
            What::Hpa(seen) => {
                hpas.insert(&seen.state.name);
            }
            _ => {}
        }
    }
    let names: BTreeSet<&str> = deployments.union(&hpas).copied().collect();
    let mut panels = Vec::new();
    for name in names {
        let mut lines = Vec::new();
        if deployments.contains(name) {
            lines.push(line("wanted", &replicas(timeline, name, |d| d.wanted), clock));
            lines.push(line("ready", &replicas(timeline, name, |d| d.ready), clock));
        }
        if hpas.contains(name) {
            let desired = autoscaler(timeline, name, |h| Some(h.desired));
            lines.push(line("autoscaler wants", &desired, clock));
        }
        panels.push(panel(name, "replicas", lines));
    }
    for name in hpas {
        let cpu = autoscaler(timeline, name, |h| h.cpu_percent);
        panels.push(panel(name, "CPU %", vec![line("of the request", &cpu, clock)]));
    }
    let probes = line("in a row", &failed_probes(timeline), clock);
    panels.push(panel("kube-apiserver", "failed probes", vec![probes]));
    panels.retain(|panel| panel.top > 0);
    panels
}

fn replicas(timeline: &Timeline, name: &str, number: fn(&WorkloadSeen) -> i64) -> Series<i64> {
    follow(timeline, |what| match what {
        What::Workload(d) if d.state.owner.is_none() && d.state.name == name => Some(match d.change {
            Change::Seen => number(&d.state),
            Change::Gone => 0,
        }),
        _ => None,
    })
}

fn autoscaler(timeline: &Timeline, name: &str, number: fn(&HpaSeen) -> Option<i64>) -> Series<i64> {
    follow(timeline, |what| match what {
        What::Hpa(h) if h.state.name == name => match h.change {
            Change::Seen => number(&h.state),
            Change::Gone => Some(0),
        },
        _ => None,
    })
}

fn panel(name: &str, unit: &'static str, lines: Vec<Line>) -> Panel {
    let values = lines.iter().flat_map(|line| &line.points);
    Panel {
        name: name.to_owned(),
        unit,
        top: values.map(|(_, value)| *value).max().unwrap_or(0),
        lines,
    }
}

/// A series from the beginning of the drawing on: of what was before it, the last value.
fn line(what: &str, series: &Series<i64>, clock: Clock) -> Line {
    let mut points: Vec<(f64, i64)> = Vec::new();
    for (t, value) in series.points() {
        let t = clock.ms(*t);
        match points.last_mut() {
            Some(last) if last.0 == t => last.1 = *value,
            Some(last) if last.1 == *value => {}
            _ => points.push((t, *value)),
        }
    }
    Line {
        what: what.to_owned(),
        points,
    }
}
