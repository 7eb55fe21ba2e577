//! How fast pods come: each pod's times, as a watch sees them.
//!
//! The pods' own times have whole seconds; a watcher's clock is finer, and monotonic. What it sees late, for it is slow or
//! had to list again, is late at both ends of a span, but for the first.

use std::collections::HashMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod as FullPod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{ApiResource, Object};
use kube::runtime::watcher::Event;
use serde::{Deserialize, Serialize};

use super::measured::{PodCurve, Pods, Quantiles, Rate};
use super::ms;

/// How long 99 of 100 pods may take to start: the official objective for stateless pods whose images are there.
const OBJECTIVE: Duration = Duration::from_secs(5);

/// A pod with nothing but what is looked at: there are many.
pub(super) type Pod = Object<Spec, Status>;

/// What is looked at of a pod's spec.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    #[serde(default)]
    node_name: Option<String>,
}

/// What is looked at of a pod's status.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    #[serde(default)]
    phase: Option<String>,
    #[serde(default)]
    container_statuses: Option<Vec<Container>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Container {
    #[serde(default)]
    state: Option<State>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct State {
    #[serde(default)]
    running: Option<Running>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Running {
    #[serde(default)]
    started_at: Option<Timestamp>,
}

/// The resource that these are of.
pub(super) fn resource() -> ApiResource {
    ApiResource::erase::<FullPod>(&())
}

/// Takes watch events of pods, and knows each pod's times.
#[derive(Debug, Default)]
pub struct PodTimes {
    /// Those that are there, by UID.
    here: HashMap<String, Times>,
    /// Those that are gone.
    gone: Vec<Times>,
    /// UIDs that a list has shown so far.
    listed: Option<std::collections::HashSet<String>>,
    armed: bool,
    lists: u64,
    up: u64,
    peak_up: u64,
    events: u64,
}

/// When a pod was first seen to be something, milliseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    /// Whether it was there before the watch began.
    before: bool,
    created: u64,
    scheduled: Option<u64>,
    running: Option<u64>,
    /// From its last container's start to its sight, milliseconds.
    run_to_watch: Option<u64>,
    /// Whether it runs now.
    up: bool,
    deleted: Option<u64>,
}

/// How many pods there are now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PodCounts {
    /// All that are there.
    pub here: u64,
    /// Those of them that run.
    pub running: u64,
}

impl PodTimes {
    /// Whether the first list has been seen: from then on nothing is missed.
    pub(super) fn armed(&self) -> bool {
        self.armed
    }

    /// How many pods there are now.
    pub(super) fn counts(&self) -> PodCounts {
        PodCounts {
            here: self.here.len() as u64,
            running: self.up,
        }
    }

    /// How many events were looked at.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// Takes an event in, seen at `t` and, on the wall clock, at `now`.
    pub(super) fn see(&mut self, t: Duration, now: Timestamp, event: Event<Pod>) {
        self.events += 1;
        let t = ms(t);
        match event {
            Event::Init => {
                self.lists += 1;
                self.listed = Some(std::collections::HashSet::new());
            }
            Event::InitApply(pod) => {
                if let Some(listed) = &mut self.listed {
                    listed.insert(pod.uid().unwrap_or_default());
                }
                self.apply(t, now, &pod);
            }
            Event::InitDone => {
                self.armed = true;
                // Those that went while nobody looked.
                if let Some(listed) = self.listed.take() {
                    let went: Vec<String> = self
                        .here
                        .keys()
                        .filter(|uid| !listed.contains(*uid))
                        .cloned()
                        .collect();
                    went.iter().for_each(|uid| self.delete(t, uid));
                }
            }
            Event::Apply(pod) => self.apply(t, now, &pod),
            Event::Delete(pod) => self.delete(t, &pod.uid().unwrap_or_default()),
        }
        self.peak_up = self.peak_up.max(self.up);
    }

    fn apply(&mut self, t: u64, now: Timestamp, pod: &Pod) {
        let before = !self.armed;
        let times = self.here.entry(pod.uid().unwrap_or_default());
        let times = times.or_insert_with(|| Times {
            before,
            created: t,
            ..Times::default()
        });
        if pod.spec.node_name.is_some() {
            times.scheduled.get_or_insert(t);
        }
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        // A pod of a job may have ended before anybody saw it run.
        if matches!(phase, Some("Running" | "Succeeded")) && times.running.is_none() {
            times.running = Some(t);
            times.run_to_watch = started(pod).map(|started| since(now, started));
        }
        let up = phase == Some("Running");
        if up != times.up {
            times.up = up;
            self.up = if up { self.up + 1 } else { self.up - 1 };
        }
    }

    fn delete(&mut self, t: u64, uid: &str) {
        if let Some(mut times) = self.here.remove(uid) {
            times.deleted = Some(t);
            self.up -= u64::from(times.up);
            self.gone.push(times);
        }
    }

    fn all(&self) -> impl Iterator<Item = &Times> {
        self.gone.iter().chain(self.here.values())
    }

    /// Everything that was measured, up to `end`.
    pub(super) fn measured(&self, end: Duration) -> Pods {
        let ours = || self.all().filter(|times| !times.before);
        let quantiles = |span: fn(&Times) -> Option<u64>| quantiles(ours().filter_map(span).collect());
        let created = moments(ours().map(|times| Some(times.created)));
        let scheduled = moments(ours().map(|times| times.scheduled));
        let running = moments(ours().map(|times| times.running));
        let deleted = moments(self.all().map(|times| times.deleted));
        let start_up = quantiles(|times| Some(times.running?.saturating_sub(times.created)));
        let objective_ms = OBJECTIVE.as_secs_f64() * 1e3;
        Pods {
            created: created.len() as u64,
            scheduled: scheduled.len() as u64,
            running: running.len() as u64,
            deleted: deleted.len() as u64,
            there_before: self.all().filter(|times| times.before).count() as u64,
            peak_running: self.peak_up,
            create_to_schedule: quantiles(|times| Some(times.scheduled?.saturating_sub(times.created))),
            schedule_to_run: quantiles(|times| Some(times.running?.saturating_sub(times.scheduled?))),
            run_to_watch: quantiles(|times| times.run_to_watch),
            start_up,
            objective_ms,
            met: start_up.map(|took| took.p99_ms <= objective_ms),
            schedule_rate: rate(&scheduled),
            run_rate: rate(&running),
            curve: self.curve(ms(end), &created, &scheduled, &running, &deleted),
            gaps: self.lists.saturating_sub(1),
        }
    }

    fn curve(
        &self,
        end: u64,
        created: &[u64],
        scheduled: &[u64],
        running: &[u64],
        deleted: &[u64],
    ) -> PodCurve {
        let last = [created, scheduled, running, deleted]
            .into_iter()
            .filter_map(<[u64]>::last);
        let seconds = last.copied().chain([end]).max().unwrap_or_default() / 1_000 + 1;
        let seconds = usize::try_from(seconds).unwrap_or(usize::MAX);
        let counted = |moments: &[u64]| {
            let mut counts = vec![0_u32; seconds];
            for second in moments.iter().filter_map(|&t| usize::try_from(t / 1_000).ok()) {
                counts[second] += 1;
            }
            counts
        };
        PodCurve {
            created: counted(created),
            scheduled: counted(scheduled),
            running: counted(running),
            deleted: counted(deleted),
        }
    }

    /// The moments, in order, at which pods were made, bound, came to run and were removed.
    pub(super) fn moments(&self) -> [Vec<u64>; 4] {
        let ours = || self.all().filter(|times| !times.before);
        [
            moments(ours().map(|times| Some(times.created))),
            moments(ours().map(|times| times.scheduled)),
            moments(ours().map(|times| times.running)),
            moments(self.all().map(|times| times.deleted)),
        ]
    }
}

/// When the last of its containers started.
fn started(pod: &Pod) -> Option<Timestamp> {
    let containers = pod.status.as_ref()?.container_statuses.iter().flatten();
    containers
        .filter_map(|container| container.state.as_ref()?.running.as_ref()?.started_at)
        .max()
}

/// Milliseconds from a time to a later one; clocks may differ a little.
fn since(now: Timestamp, earlier: Timestamp) -> u64 {
    u64::try_from(now.as_millisecond() - earlier.as_millisecond()).unwrap_or_default()
}

fn moments(all: impl Iterator<Item = Option<u64>>) -> Vec<u64> {
    let mut moments: Vec<u64> = all.flatten().collect();
    moments.sort_unstable();
    moments
}

/// Quantiles of spans that are all known: the value at the rank, as clusterloader2 takes it.
fn quantiles(mut spans: Vec<u64>) -> Option<Quantiles> {
    spans.sort_unstable();
    let (&max, count) = (spans.last()?, spans.len());
    let at = |percent: usize| as_ms(spans[(count * percent).div_ceil(100).max(1) - 1]);
    Some(Quantiles {
        count: count as u64,
        p50_ms: at(50),
        p90_ms: at(90),
        p99_ms: at(99),
        max_ms: Some(as_ms(max)),
        beyond: false,
    })
}

/// How many a second some moments in ascending order come to.
pub(super) fn rate(moments: &[u64]) -> Rate {
    let (Some(first), Some(last)) = (moments.first(), moments.last()) else {
        return Rate::default();
    };
    let span = Duration::from_millis(last - first).max(Duration::from_secs(1));
    Rate {
        total: moments.len() as u64,
        mean_per_s: tenths(moments.len() as f64 / span.as_secs_f64()),
        peak_1s: most_within(moments, 1_000),
        peak_10s_per_s: tenths(most_within(moments, 10_000) as f64 / 10.0),
    }
}

/// The most of some ascending moments that lie within a span, wherever it begins.
fn most_within(moments: &[u64], span: u64) -> u64 {
    let mut from = 0;
    let mut most = 0;
    for (to, moment) in moments.iter().enumerate() {
        while moment - moments[from] >= span {
            from += 1;
        }
        most = most.max(to - from + 1);
    }
    most as u64
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn as_ms(ms: u64) -> f64 {
    ms as f64
}

#[cfg(test)]
#[path = "pods_tests.rs"]
mod tests;
