//! Nodes that stop of load: one whose pods use more than it bears for as long as metrics take to tell, stops; and starts again when
//! nobody is left on it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kube::Client;

use super::kubelet::{self, Inner, Registry};
use super::usage;
use kubeclash_timeline::Pace;

/// For how long a node bears more than it can, at the recorded pace: one resolution of the metrics.
const BEARS: Duration = Duration::from_secs(10);

/// How often nodes are looked at in that time.
const LOOKS: u32 = 10;

/// Stops and starts nodes until it is dropped or aborted.
pub(super) async fn watch(client: Client, registry: Registry, pace: Pace) {
    let bears = pace.scale(BEARS);
    let mut looks = tokio::time::interval(bears / LOOKS);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut overload = Overload::default();
    loop {
        looks.tick().await;
        let (stop, start) = overload.look(&registry.lock(), pace, Instant::now(), bears);
        for node in stop {
            tracing::debug!(node, "a node stops of load");
            if let Err(error) = kubelet::stop(&client, &registry, &node).await {
                tracing::debug!(%error, "a node that stops of load goes on");
                overload.dead.retain(|dead| *dead != node);
            }
        }
        for node in start {
            tracing::debug!(node, "a node that stopped of load is empty and starts again");
            if let Err(error) = kubelet::start(&client, &registry, &node).await {
                tracing::debug!(%error, "a node that stopped of load does not start yet");
                overload.dead.push(node);
            }
        }
    }
}

/// Since when nodes bear too much, and which have stopped of it.
#[derive(Debug, Default)]
struct Overload {
    since: BTreeMap<String, Instant>,
    dead: Vec<String>,
}

impl Overload {
    /// Which nodes stop now, and which start again.
    fn look(
        &mut self,
        inner: &Inner,
        pace: Pace,
        now: Instant,
        bears: Duration,
    ) -> (Vec<String>, Vec<String>) {
        let usage = usage::of_nodes(inner, pace, now);
        let mut stop = Vec::new();
        for (node, (cpu_m, percent)) in &inner.mortal {
            let used = usage.get(node).copied().unwrap_or(0.0);
            let too_much = used * 100.0 > *cpu_m as f64 * f64::from(*percent);
            if !too_much || inner.stopped.contains(node) {
                self.since.remove(node);
                continue;
            }
            let since = *self.since.entry(node.clone()).or_insert(now);
            if now.saturating_duration_since(since) >= bears {
                self.since.remove(node);
                stop.push(node.clone());
            }
        }
        // What is being deleted waits for nothing but its node.
        let left = |node: &String| {
            let bound = inner.bound.get(node);
            bound.is_some_and(|pods| pods.values().any(|pod| !pod.terminating))
        };
        let (dead, start) = std::mem::take(&mut self.dead).into_iter().partition(left);
        self.dead = dead;
        self.dead.extend(stop.iter().cloned());
        (stop, start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::kubelet::{Bound, Container};
    use crate::{CpuCurve, CpuShare, CpuUse, NodeSpec};

    const S: Duration = Duration::from_secs(1);

    fn registry(start: Instant) -> Registry {
        let mortal = |name: &str| NodeSpec {
            cpu_m: 1000,
            dies_above: Some(90),
            ..NodeSpec::named(name.to_owned())
        };
        let registry = Registry::of(&[
            mortal("n"),
            mortal("idle"),
            NodeSpec::named("immortal".to_owned()),
        ]);
        let mut inner = registry.lock();
        for node in ["n", "immortal"] {
            let container = Container {
                namespace: "default".to_owned(),
                pod: "p".to_owned(),
                node: node.to_owned(),
                labels: BTreeMap::new(),
                names: Vec::new(),
                owner: None,
                since: start,
                serves: true,
            };
            inner.running.insert(node.to_owned(), container);
            let bound = [(node.to_owned(), Bound { terminating: false })].into();
            inner.bound.insert(node.to_owned(), bound);
        }
        let cpu = CpuUse {
            of: "pod/p".parse().unwrap(),
            share: CpuShare::EachPod,
            curve: CpuCurve::burst(900, S * 5, 901),
        };
        inner.uses.push((cpu, start));
        drop(inner);
        registry
    }

    #[test]
    fn a_node_that_bears_too_much_for_long_stops_and_starts_again_when_it_is_left() {
        let start = Instant::now();
        let registry = registry(start);
        let mut overload = Overload::default();
        let mut look = |registry: &Registry, seconds: u32| {
            overload.look(&registry.lock(), Pace::Recorded, start + S * seconds, S * 10)
        };
        let nothing = (Vec::<String>::new(), Vec::<String>::new());
        assert_eq!(look(&registry, 4), nothing, "just as much as it bears");
        assert_eq!(look(&registry, 6), nothing);
        assert_eq!(look(&registry, 15), nothing);
        assert_eq!(look(&registry, 16), (vec!["n".to_owned()], vec![]));
        registry.set_stopped("n", true);
        assert_eq!(look(&registry, 40), nothing, "somebody is left on it");
        registry
            .lock()
            .bound
            .get_mut("n")
            .unwrap()
            .insert("n".to_owned(), Bound { terminating: true });
        assert_eq!(look(&registry, 41), (vec![], vec!["n".to_owned()]));
    }

    #[test]
    fn a_peak_is_borne() {
        let start = Instant::now();
        let registry = registry(start);
        let mut overload = Overload::default();
        overload.look(&registry.lock(), Pace::Recorded, start + S * 6, S * 10);
        registry.lock().uses.clear();
        overload.look(&registry.lock(), Pace::Recorded, start + S * 10, S * 10);
        assert!(overload.since.is_empty(), "{overload:?}");
    }
}
