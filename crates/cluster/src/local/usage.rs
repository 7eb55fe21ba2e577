//! What pods use of CPU: by the curves that were set, pod by pod and moment by moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::kubelet::{Change, Container, Inner, Registry};
use crate::{CpuShare, CpuUse};
use kubeclash_timeline::Pace;

/// The curves that were set, each at its time, and already set to the pace.
#[derive(Debug, Clone, Default)]
struct Uses(Vec<(CpuUse, Instant)>);

impl Uses {
    fn set(&mut self, cpu: CpuUse, at: Instant) {
        self.0.retain(|(old, _)| old.of != cpu.of);
        self.0.push((cpu, at));
    }

    /// The one that a pod goes by: of those of its owners, what was set last.
    fn of(&self, container: &Container, inner: &Inner) -> Option<usize> {
        self.0
            .iter()
            .rposition(|(cpu, _)| container.is_of(&cpu.of, &inner.owners))
    }
}

/// Measures what pods have used, some time after they did.
#[derive(Debug)]
pub(super) struct Meter {
    registry: Registry,
    pace: Pace,
    /// Until when it has measured.
    until: Instant,
    uses: Uses,
    stopped: BTreeSet<String>,
    pods: BTreeMap<String, Metered>,
}

/// A pod, and what it has used.
#[derive(Debug, Clone)]
pub(super) struct Metered {
    pub(super) container: Container,
    /// Since its containers started, in millicore-seconds.
    pub(super) used: f64,
}

impl Meter {
    /// Measures from now on.
    pub(super) fn new(registry: &Registry, pace: Pace) -> Self {
        let now = Instant::now();
        let mut inner = registry.lock();
        inner.changes.get_or_insert_default();
        let mut uses = Uses::default();
        for (cpu, at) in &inner.uses {
            uses.set(at_pace(cpu, pace), *at);
        }
        let pods = inner.running.iter().map(|(uid, container)| {
            let metered = Metered {
                container: container.clone(),
                used: 0.0,
            };
            (uid.clone(), metered)
        });
        Self {
            registry: registry.clone(),
            pace,
            until: now,
            uses,
            stopped: inner.stopped.clone(),
            pods: pods.collect(),
        }
    }

    /// Measures until a time, which may not come before the last one, and gives the pods of nodes that can be asked.
    pub(super) fn advance(&mut self, to: Instant) -> BTreeMap<String, Metered> {
        let registry = self.registry.clone();
        let mut inner = registry.lock();
        while let Some((at, change)) = next(&mut inner, to) {
            self.integrate(at, &inner);
            self.take(change, at);
        }
        self.integrate(to, &inner);
        let asked = self
            .pods
            .iter()
            .filter(|(_, pod)| !self.stopped.contains(&pod.container.node));
        asked.map(|(uid, pod)| (uid.clone(), pod.clone())).collect()
    }

    fn take(&mut self, change: Change, at: Instant) {
        match change {
            Change::Runs(uid, container) => match self.pods.get_mut(&uid) {
                Some(known) => known.container = container,
                None => _ = self.pods.insert(uid, Metered { container, used: 0.0 }),
            },
            Change::Ended(uid) => _ = self.pods.remove(&uid),
            Change::Uses(cpu) => self.uses.set(at_pace(&cpu, self.pace), at),
            Change::Stopped(node) => _ = self.stopped.insert(node),
            Change::Started(node) => _ = self.stopped.remove(&node),
        }
    }

    /// Adds what was used since the last time, in which nothing has changed.
    fn integrate(&mut self, to: Instant, inner: &Inner) {
        let from = self.until;
        if to <= from {
            return;
        }
        self.until = to;
        let lives = |container: &Container| !self.stopped.contains(&container.node);
        let goes_by: Vec<Option<usize>> = self
            .pods
            .values()
            .map(|pod| self.uses.of(&pod.container, inner))
            .collect();
        let mut sharing = BTreeMap::<usize, usize>::new();
        for (pod, at) in self.pods.values().zip(&goes_by) {
            if let Some(at) = at.filter(|_| pod.container.serves && lives(&pod.container)) {
                *sharing.entry(at).or_default() += 1;
            }
        }
        let stopped = &self.stopped;
        for (pod, at) in self.pods.values_mut().zip(goes_by) {
            let Some(at) = at.filter(|_| !stopped.contains(&pod.container.node)) else {
                continue;
            };
            let (cpu, set) = &self.uses.0[at];
            let since = match cpu.share {
                CpuShare::EachPod => pod.container.since,
                CpuShare::AllPods if pod.container.serves => *set,
                CpuShare::AllPods => continue,
            };
            let age = |at: Instant| at.saturating_duration_since(since);
            let used = cpu.curve.used(age(to)) - cpu.curve.used(age(from));
            pod.used += match cpu.share {
                CpuShare::EachPod => used,
                CpuShare::AllPods => used / sharing.get(&at).copied().unwrap_or(1) as f64,
            };
        }
    }
}

/// The first change that has come until a time.
fn next(inner: &mut Inner, to: Instant) -> Option<(Instant, Change)> {
    let changes = inner.changes.as_mut()?;
    if changes.front().is_some_and(|(at, _)| *at <= to) {
        changes.pop_front()
    } else {
        None
    }
}

fn at_pace(cpu: &CpuUse, pace: Pace) -> CpuUse {
    CpuUse {
        curve: cpu.curve.compressed(pace.factor()),
        ..cpu.clone()
    }
}

/// What the pods of each node use at a moment, in millicores.
pub(super) fn of_nodes(inner: &Inner, pace: Pace, now: Instant) -> BTreeMap<String, f64> {
    let mut uses = Uses::default();
    for (cpu, at) in &inner.uses {
        uses.set(at_pace(cpu, pace), *at);
    }
    let living = || {
        inner
            .running
            .values()
            .filter(|pod| !inner.stopped.contains(&pod.node))
    };
    let mut sharing = BTreeMap::<usize, usize>::new();
    for at in living()
        .filter(|pod| pod.serves)
        .filter_map(|pod| uses.of(pod, inner))
    {
        *sharing.entry(at).or_default() += 1;
    }
    let mut nodes = BTreeMap::<String, f64>::new();
    for pod in living() {
        let Some(at) = uses.of(pod, inner) else { continue };
        let (cpu, set) = &uses.0[at];
        let age = |since: Instant| now.saturating_duration_since(since);
        let rate = match cpu.share {
            CpuShare::EachPod => cpu.curve.rate(age(pod.since)) as f64,
            CpuShare::AllPods if pod.serves => {
                cpu.curve.rate(age(*set)) as f64 / sharing.get(&at).copied().unwrap_or(1) as f64
            }
            CpuShare::AllPods => 0.0,
        };
        *nodes.entry(pod.node.clone()).or_default() += rate;
    }
    nodes
}

#[cfg(test)]
#[path = "usage_tests.rs"]
mod tests;
