//! What was measured, as values: what a report shows and a file keeps.
//!
//! Times count milliseconds from the start of measuring. What could not be measured is absent, and
//! [`Measured::missing`] says why; a zero was measured.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::took_too_long::TookTooLong;
use kubeclash_timeline::LoadStep;

/// Everything that was measured of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measured {
    /// How long the API server took for its answers.
    pub latency: Latency,
    /// What the API server answered, refused and broke off.
    pub requests: Requests,
    /// How fast pods came, and how many.
    pub pods: Pods,
    /// What each process took of CPU and memory.
    pub processes: Vec<ProcessUse>,
    /// How large etcd's database was.
    pub etcd: Etcd,
    /// What took etcd too long, by prefix.
    pub took_too_long: TookTooLong,
    /// The same, by step.
    pub steps: Vec<StepFigures>,
    /// What measuring itself took.
    pub cost: Cost,
    /// What could not be measured, and why, in sentences.
    pub missing: Vec<String>,
}

/// Quantiles of something that takes time, milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Of how many.
    pub count: u64,
    /// Half took no longer.
    pub p50_ms: f64,
    /// Nine of ten took no longer.
    pub p90_ms: f64,
    /// 99 of 100 took no longer.
    pub p99_ms: f64,
    /// The longest, where each one is known; a histogram does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ms: Option<f64>,
    /// Whether `p99_ms` is only the bound of a histogram's last bucket: it took longer, and nobody knows by how much.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beyond: bool,
}

/// How long the API server took for its answers, watches and other requests that last left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// The histogram that quantiles come from.
    pub metric: String,
    /// The histogram that is held against the objectives: without the time in webhooks and in queues, where the API
    /// server has such a one.
    pub judged_metric: String,
    /// Where the objectives come from.
    pub objectives: String,
    /// Every call, the worst against its objective first.
    pub rows: Vec<LatencyRow>,
    /// All calls of a kind together, by [`CallKind`].
    pub kinds: BTreeMap<CallKind, Quantiles>,
    /// The same from one sample to the next.
    pub curve: Vec<LatencyMoment>,
    /// How often the API server began anew: its histograms do then, and what it answered between the last sample and
    /// its end is not counted.
    pub restarts: u64,
}

/// What an objective distinguishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallKind {
    /// One object is made, changed or removed.
    Mutating,
    /// One object is read.
    Read,
    /// Many objects are read, or removed in one request.
    List,
}

/// How long one kind of call took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatencyRow {
    /// `GET`, `LIST`, `POST`, …
    pub verb: String,
    /// The API group; empty for the core's.
    pub group: String,
    /// The version of the group.
    pub version: String,
    /// `pods`, …
    pub resource: String,
    /// `status`, `binding`, …; mostly empty.
    pub subresource: String,
    /// `resource`, `namespace` or `cluster`.
    pub scope: String,
    /// What it counts as.
    pub kind: CallKind,
    /// How long it took.
    #[serde(flatten)]
    pub took: Quantiles,
    /// How long 99 of 100 took by [`Latency::judged_metric`], milliseconds.
    pub judged_p99_ms: f64,
    /// How long they may take, milliseconds.
    pub objective_ms: f64,
    /// How many took longer than that; `None` where the histogram has no such bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow: Option<u64>,
    /// Whether the objective is met.
    pub met: bool,
}

/// How long calls took between two samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatencyMoment {
    /// When the sample was taken, milliseconds.
    pub t_ms: u64,
    /// How many requests were answered a second since the last.
    pub requests_per_s: f64,
    /// How many were being worked on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u64>,
    /// How many waited for their turn, where the API server has queues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_queue: Option<u64>,
    /// How long 99 of 100 took, by kind; those only that were called.
    pub p99_ms: BTreeMap<CallKind, f64>,
}

/// What the API server answered, refused and broke off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Requests {
    /// How many it answered, watches among them.
    pub total: u64,
    /// The same, by HTTP code.
    pub by_code: BTreeMap<String, u64>,
    /// How many it refused as it had too many: `429` of its queues, by reason, and of its limit.
    pub rejected: BTreeMap<String, u64>,
    /// How many it broke off itself, by code (`apiserver_request_terminations_total`).
    pub terminated: BTreeMap<String, u64>,
    /// How many ended before their answer, most of them at their time limit, by verb (`apiserver_request_aborts_total`).
    pub aborted: BTreeMap<String, u64>,
    /// How many went on after their time limit, by what became of them (`apiserver_request_post_timeout_total`).
    pub post_timeout: BTreeMap<String, u64>,
    /// The most that were being worked on in a sample.
    pub peak_in_flight: u64,
    /// The most that waited for their turn in a sample.
    pub peak_in_queue: u64,
}

impl Requests {
    /// How many were refused.
    #[must_use]
    pub fn rejections(&self) -> u64 {
        self.by_code
            .get("429")
            .copied()
            .unwrap_or_default()
            .max(self.rejected.values().sum())
    }

    /// How many ran into their time limit: answers of 504, or what was ended before an answer.
    #[must_use]
    pub fn timeouts(&self) -> u64 {
        self.by_code
            .get("504")
            .copied()
            .unwrap_or_default()
            .max(self.aborted.values().sum())
    }

    /// How many were answered with a code of 500 or above.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.by_code
            .iter()
            .filter(|(code, _)| code.starts_with('5'))
            .map(|(_, count)| count)
            .sum()
    }
}

/// How fast pods came, as a watch saw them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pods {
    /// How many were made.
    pub created: u64,
    /// How many of these were bound to a node.
    pub scheduled: u64,
    /// How many of these ran.
    pub running: u64,
    /// How many of all were removed.
    pub deleted: u64,
    /// How many were there already.
    pub there_before: u64,
    /// The most that ran at once.
    pub peak_running: u64,
    /// From the first sight of a pod until it was bound.
    pub create_to_schedule: Option<Quantiles>,
    /// From then until it was seen to run.
    pub schedule_to_run: Option<Quantiles>,
    /// From the start of its last container, by the node, until it was seen to run. The node has whole seconds, so up to
    /// one second too long.
    pub run_to_watch: Option<Quantiles>,
    /// All of it: from the first sight until it was seen to run.
    pub start_up: Option<Quantiles>,
    /// How long 99 of 100 may take to start, milliseconds: the official objective, for a cluster in a steady state.
    pub objective_ms: f64,
    /// Whether that was met.
    pub met: Option<bool>,
    /// How fast pods were bound.
    pub schedule_rate: Rate,
    /// How fast pods came to run.
    pub run_rate: Rate,
    /// How many of each, second by second.
    pub curve: PodCurve,
    /// How often the watch had to list again: what happened meanwhile was seen late.
    pub gaps: u64,
}

/// How many a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// How many in all.
    pub total: u64,
    /// From the first to the last.
    pub mean_per_s: f64,
    /// The most in any second.
    pub peak_1s: u64,
    /// The most a second over any ten seconds.
    pub peak_10s_per_s: f64,
}

/// Counts, second by second: the nth number is of the nth second.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PodCurve {
    /// Made.
    pub created: Vec<u32>,
    /// Bound.
    pub scheduled: Vec<u32>,
    /// Come to run.
    pub running: Vec<u32>,
    /// Removed.
    pub deleted: Vec<u32>,
}

/// What a process took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessUse {
    /// What it is called.
    pub name: String,
    /// How often it was started: more than once where it was restarted.
    pub starts: u64,
    /// CPU time in all, seconds.
    pub cpu_s: f64,
    /// Cores, on average.
    pub mean_cores: f64,
    /// The most cores from one sample to the next.
    pub peak_cores: f64,
    /// Resident memory, on average.
    pub mean_bytes: u64,
    /// The most resident memory.
    pub peak_bytes: u64,
    /// Each sample.
    pub curve: ProcessCurve,
}

/// The samples of a process: the nth number of each list is of the nth sample.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessCurve {
    /// When, milliseconds.
    pub t_ms: Vec<u64>,
    /// Cores since the last sample.
    pub cores: Vec<f64>,
    /// Resident memory.
    pub bytes: Vec<u64>,
}

/// How large etcd's database was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Etcd {
    /// Its version.
    pub version: Option<String>,
    /// The largest file.
    pub peak_db_bytes: u64,
    /// The most keys.
    pub peak_keys: u64,
    /// Each sample, the first at the start.
    pub curve: Vec<EtcdMoment>,
}

/// How large etcd's database was at a moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EtcdMoment {
    /// When, milliseconds.
    pub t_ms: u64,
    /// How large.
    #[serde(flatten)]
    pub size: EtcdSize,
}

/// How large a database is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtcdSize {
    /// The file.
    pub db_bytes: u64,
    /// What of it is used: the rest is free, and goes when it is defragmented.
    pub in_use_bytes: u64,
    /// How many keys there are: `all`, of `deployments`, `endpoints`, … and of each prefix that was asked for.
    pub keys: BTreeMap<String, u64>,
}

/// What was measured of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepFigures {
    /// Which.
    pub step: LoadStep,
    /// When it began, milliseconds.
    pub started_ms: u64,
    /// When the next began, or measuring ended, milliseconds.
    pub ended_ms: u64,
    /// How long the API server's answers took, by kind; those only that were called.
    pub latency: BTreeMap<CallKind, Quantiles>,
    /// How many requests it answered.
    pub requests: u64,
    /// How many it refused.
    pub rejected: u64,
    /// How many it answered with a code of 500 or above.
    pub failed: u64,
    /// How many it broke off, or were broken off.
    pub terminated: u64,
    /// How many pods were made.
    pub pods_created: u64,
    /// How many pods were bound.
    pub pods_scheduled: Rate,
    /// How many pods came to run.
    pub pods_running: Rate,
    /// How many pods were removed.
    pub pods_deleted: u64,
    /// What each process took.
    pub processes: BTreeMap<String, StepUse>,
    /// etcd's database at the step's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etcd: Option<EtcdSize>,
    /// What took etcd too long.
    pub took_too_long: u64,
}

/// What a process took in a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct StepUse {
    /// Cores, on average.
    pub mean_cores: f64,
    /// The most cores.
    pub peak_cores: f64,
    /// The most resident memory.
    pub peak_bytes: u64,
}

/// What measuring itself took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// How often the API server was asked for its metrics.
    pub samples: u64,
    /// How often it did not answer.
    pub failed_samples: u64,
    /// The largest answer.
    pub peak_metrics_bytes: u64,
    /// How long a sample took on average: the API server's answer and reading it, milliseconds.
    pub mean_sample_ms: f64,
    /// The longest, milliseconds.
    pub peak_sample_ms: f64,
    /// How long etcd took to count its keys, on average, milliseconds.
    pub mean_etcd_ms: f64,
    /// How many watch events of pods were looked at.
    pub pod_events: u64,
}
