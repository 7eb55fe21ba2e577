//! Looks at API server and etcd, taken now and then and at each step, and what they come to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kube::Client;
use tokio::sync::mpsc;

use super::api::{Count, DURATION, Look};
use super::etcd::{ALL, EtcdGateway};
use super::histogram::whole;
use super::measured::{Cost, Etcd, EtcdMoment, EtcdSize, Latency, LatencyMoment, Requests};
use super::ms;
use super::objectives::{self, OBJECTIVES};

/// Who is asked, and how often.
pub(super) struct Sampler {
    pub(super) client: Client,
    pub(super) etcd: Option<EtcdGateway>,
    pub(super) zero: Instant,
    pub(super) every: Duration,
    pub(super) patience: Duration,
    pub(super) samples: Arc<Mutex<Samples>>,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Samples {
    /// The last look that was answered.
    last: Option<(Duration, Look)>,
    all: Look,
    curve: Vec<LatencyMoment>,
    restarts: u64,
    peak_in_flight: u64,
    peak_in_queue: u64,
    etcd: Etcd,
    /// By the number of the step's mark.
    pub(super) steps: BTreeMap<usize, StepSamples>,
    cost: Cost,
    spent: Duration,
    etcd_spent: Duration,
    metrics_trouble: Trouble,
    etcd_trouble: Trouble,
    bad_lines: Option<(String, u64)>,
}

/// What was seen of a step.
#[derive(Debug, Default)]
pub(super) struct StepSamples {
    pub(super) added: Look,
    pub(super) etcd: Option<EtcdSize>,
}

/// Questions without an answer.
#[derive(Debug, Default)]
struct Trouble {
    times: u64,
    first: Option<(Duration, String)>,
}

impl Trouble {
    fn note(&mut self, t: Duration, why: String) {
        self.times += 1;
        self.first.get_or_insert((t, why));
    }

    fn told(&self, what: &str) -> Option<String> {
        let (t, why) = self.first.as_ref()?;
        let (times, t) = (self.times, t.as_secs_f64());
        Some(format!(
            "{what} was asked {times} times without an answer, first at {t:.1} s: {why}"
        ))
    }
}

impl Sampler {
    /// Looks once: what is counted from is what there was before.
    pub(super) async fn begin(&self) {
        self.look(None, 0).await;
    }

    /// Looks until there are no more marks to come, and once more then. A mark is the number of a step that begins.
    pub(super) async fn run(self, mut marks: mpsc::UnboundedReceiver<usize>) {
        let mut looks = tokio::time::interval_at(tokio::time::Instant::now() + self.every, self.every);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut open = None;
        loop {
            let next = tokio::select! {
                biased;
                mark = marks.recv() => Some(mark),
                _ = looks.tick() => None,
            };
            let Some(mark) = next else {
                self.look(open, open.map_or(0, |step| step + 1)).await;
                continue;
            };
            let Some(mut step) = mark else {
                return self.look(open, usize::MAX).await;
            };
            // Steps that took no time need no look each.
            while let Ok(later) = marks.try_recv() {
                step = later;
            }
            self.look(open, step).await;
            open = Some(step);
            looks.reset();
        }
    }

    /// What was added since the last look is the step `open`'s; etcd's size is that of all steps from it up to `until`.
    async fn look(&self, open: Option<usize>, until: usize) {
        let began = Instant::now();
        let (api, etcd) = tokio::join!(Look::take(&self.client, self.patience), async {
            let asked = Instant::now();
            let size = self.etcd.as_ref()?.size().await;
            Some((size, asked.elapsed()))
        });
        let took = began.elapsed();
        let t = self.zero.elapsed();
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.cost.samples += 1;
        match api {
            Ok((look, read)) => {
                samples.spent += took;
                samples.cost.peak_sample_ms = samples.cost.peak_sample_ms.max(took.as_secs_f64() * 1e3);
                samples.cost.peak_metrics_bytes = samples.cost.peak_metrics_bytes.max(read.bytes);
                if samples.bad_lines.is_none() {
                    samples.bad_lines = read.bad;
                }
                samples.see(t, look, open);
            }
            Err(why) => {
                samples.cost.failed_samples += 1;
                samples.metrics_trouble.note(t, why);
            }
        }
        match etcd {
            Some((Ok((version, size)), took)) => {
                samples.etcd_spent += took;
                samples.see_etcd(t, version, size, open, until);
            }
            Some((Err(error), _)) => samples.etcd_trouble.note(t, error.to_string()),
            None => {}
        }
    }
}

impl Samples {
    fn see(&mut self, t: Duration, look: Look, open: Option<usize>) {
        let count = |gauge: Option<f64>| gauge.map(whole);
        let (in_flight, in_queue) = (count(look.in_flight), count(look.in_queue));
        self.peak_in_flight = self.peak_in_flight.max(in_flight.unwrap_or_default());
        self.peak_in_queue = self.peak_in_queue.max(in_queue.unwrap_or_default());
        if let Some((since, earlier)) = &self.last {
            let (added, restarted) = look.since(earlier);
            self.restarts += u64::from(restarted);
            let seconds = t.saturating_sub(*since).as_secs_f64();
            let requests: f64 = added.counted(Count::Code).map(|(_, count)| count).sum();
            let p99 = added
                .kinds()
                .into_iter()
                .filter_map(|(kind, histogram)| Some((kind, rounded(histogram.quantile(0.99)?.value * 1e3))));
            self.curve.push(LatencyMoment {
                t_ms: ms(t),
                requests_per_s: if seconds > 0.0 {
                    rounded(requests / seconds)
                } else {
                    0.0
                },
                in_flight,
                in_queue,
                p99_ms: p99.collect(),
            });
            self.all.absorb(&added);
            if let Some(step) = open {
                self.steps.entry(step).or_default().added.absorb(&added);
            }
        }
        self.last = Some((t, look));
    }

    fn see_etcd(&mut self, t: Duration, version: String, size: EtcdSize, open: Option<usize>, until: usize) {
        if let Some(open) = open {
            for step in open..until.max(open + 1).min(open + 64) {
                self.steps.entry(step).or_default().etcd = Some(size.clone());
            }
        }
        let etcd = &mut self.etcd;
        etcd.version = Some(version).filter(|version| !version.is_empty());
        etcd.peak_db_bytes = etcd.peak_db_bytes.max(size.db_bytes);
        etcd.peak_keys = etcd
            .peak_keys
            .max(size.keys.get(ALL).copied().unwrap_or_default());
        etcd.curve.push(EtcdMoment { t_ms: ms(t), size });
    }

    /// What could not be seen.
    pub(super) fn missing(&self) -> Vec<String> {
        let bad = self.bad_lines.as_ref().map(|(first, times)| {
            format!("{times} lines of the API server's metrics can't be read: {first}")
        });
        let none = (self.last.is_some() && self.all.durations.is_empty()).then(|| {
            format!("the API server has no \"{DURATION}\", or answered no request between two looks")
        });
        let told = [
            self.metrics_trouble.told("the API server"),
            self.etcd_trouble.told("etcd"),
            bad,
            none,
        ];
        told.into_iter().flatten().collect()
    }

    pub(super) fn latency(&self) -> Latency {
        let judged = self.all.indicator.unwrap_or(DURATION);
        let kinds = self.all.kinds().into_iter();
        Latency {
            metric: DURATION.to_owned(),
            judged_metric: judged.to_owned(),
            objectives: OBJECTIVES.to_owned(),
            rows: objectives::rows(&self.all),
            kinds: kinds
                .filter_map(|(kind, histogram)| Some((kind, histogram.quantiles()?)))
                .collect(),
            curve: self.curve.clone(),
            restarts: self.restarts,
        }
    }

    pub(super) fn requests(&self) -> Requests {
        let mut requests = counts(&self.all);
        requests.peak_in_flight = self.peak_in_flight;
        requests.peak_in_queue = self.peak_in_queue;
        requests
    }

    pub(super) fn etcd(&self) -> Etcd {
        self.etcd.clone()
    }

    pub(super) fn cost(&self) -> Cost {
        let mean = |spent: Duration, times: u64| {
            if times == 0 {
                0.0
            } else {
                rounded(spent.as_secs_f64() * 1e3 / times as f64)
            }
        };
        Cost {
            mean_sample_ms: mean(self.spent, self.cost.samples - self.cost.failed_samples),
            peak_sample_ms: rounded(self.cost.peak_sample_ms),
            mean_etcd_ms: mean(self.etcd_spent, self.etcd.curve.len() as u64),
            ..self.cost
        }
    }
}

/// The counts of what was added.
pub(super) fn counts(added: &Look) -> Requests {
    let by = |what| {
        let counted = added
            .counted(what)
            .map(|(label, count)| (label.to_owned(), whole(count)));
        counted.collect::<BTreeMap<String, u64>>()
    };
    let by_code = by(Count::Code);
    Requests {
        total: by_code.values().sum(),
        by_code,
        rejected: by(Count::Rejected),
        terminated: by(Count::Terminated),
        aborted: by(Count::Aborted),
        post_timeout: by(Count::PostTimeout),
        peak_in_flight: 0,
        peak_in_queue: 0,
    }
}

/// A figure with a decimal.
fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
