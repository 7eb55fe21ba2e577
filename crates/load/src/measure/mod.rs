//! What is measured of a load test while it runs, without Prometheus.
//!
//! - the API server's own histograms and counters, as the increase from look to look;
//! - pods, as a watch sees them; processes, as the system does;
//! - etcd's size, asked of the etcd; what took it too long, from its log.
//!
//! A look that gets no answer is named and left out: a run whose API server is killed is measured like any other. What a
//! figure means is said where it is kept, in [`measured`].

mod api;
pub mod etcd;
mod exposition;
mod histogram;
pub mod measured;
mod objectives;
pub mod pods;
mod processes;
mod samples;
pub mod took_too_long;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

pub use self::measured::Measured;
pub use self::pods::PodCounts;

use self::etcd::EtcdGateway;
use self::measured::StepFigures;
use self::pods::PodTimes;
use self::processes::Processes;
use self::samples::{Sampler, Samples};
use self::took_too_long::{Tail, TookTooLong};
use kubeclash_cluster::backoff::backoff;
use kubeclash_timeline::LoadStep;

/// How often logs are looked at: they lose their middle when they are long, and a second's lines are never that many.
const LOGS: Duration = Duration::from_millis(500);

/// What is measured, and how often.
#[derive(Debug, Clone)]
pub struct MeasureOptions {
    /// The moment that all times count from.
    pub zero: Instant,
    /// How often API server and etcd are asked, besides once a step.
    pub metrics_every: Duration,
    /// How often processes are looked at.
    pub processes_every: Duration,
    /// How long an answer may take.
    pub patience: Duration,
    /// Which keys of etcd are counted besides [`etcd::COUNTED`], by how they begin.
    pub prefixes: Vec<String>,
    /// The logs in which "took too long" is looked for: etcd's and the API server's.
    pub logs: Vec<PathBuf>,
}

impl Default for MeasureOptions {
    /// From now on, every 10 s and every second, and no logs.
    fn default() -> Self {
        Self {
            zero: Instant::now(),
            metrics_every: Duration::from_secs(10),
            processes_every: Duration::from_secs(1),
            patience: Duration::from_secs(30),
            prefixes: Vec::new(),
            logs: Vec::new(),
        }
    }
}

/// Why nothing can be measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The watch on pods did not begin.
    #[error("failed to measure: no answer to the watch on pods within {waited:.0?}: {why}")]
    NotArmed {
        /// How long was waited.
        waited: Duration,
        /// What came instead.
        why: String,
    },
    /// etcd can't be asked.
    #[error(transparent)]
    Etcd(#[from] etcd::EtcdError),
}

/// Measures a cluster until it is told to [`finish`](Self::finish). Dropping it ends it as well, without figures.
#[derive(Debug)]
pub struct Measuring {
    zero: Instant,
    patience: Duration,
    state: Arc<State>,
    samples: Arc<Mutex<Samples>>,
    marks: mpsc::UnboundedSender<usize>,
    sampler: AbortOnDropHandle<()>,
    counts: watch::Receiver<PodCounts>,
    _tasks: [AbortOnDropHandle<()>; 3],
}

/// What is looked at here, and by the tasks.
#[derive(Debug)]
struct State {
    pods: Mutex<PodTimes>,
    processes: Mutex<Processes>,
    logs: Mutex<Logs>,
    steps: Mutex<Vec<Mark>>,
}

#[derive(Debug)]
struct Logs {
    tails: Vec<(PathBuf, Tail)>,
    seen: TookTooLong,
    trouble: Option<String>,
}

/// A step that began.
#[derive(Debug, Clone, Copy)]
struct Mark {
    step: LoadStep,
    at: Duration,
    /// What had taken too long by then.
    took_too_long: u64,
}

impl Measuring {
    /// Starts to measure: returns when the watch on pods has begun and everything was looked at once. What is there by then
    /// is what increases count from.
    ///
    /// `client` must be allowed to read `/metrics` and pods everywhere. `etcd` is the address of an etcd that speaks plain
    /// HTTP, and `processes` are names with process ids.
    ///
    /// # Errors
    /// When the watch does not begin. An API server without metrics, or an etcd that does not answer, is named in
    /// [`Measured::missing`].
    pub async fn start(
        client: &Client,
        etcd: Option<&str>,
        processes: &[(String, u32)],
        options: MeasureOptions,
    ) -> Result<Self, MeasureError> {
        let MeasureOptions { zero, patience, .. } = options;
        let gateway = etcd.map(|url| EtcdGateway::new(url, &options.prefixes, patience));
        let logs = options
            .logs
            .into_iter()
            .map(|path| (path.clone(), Tail::at_end_of(&path)));
        let state = Arc::new(State {
            pods: Mutex::default(),
            processes: Mutex::new(Processes::new()),
            logs: Mutex::new(Logs {
                tails: logs.collect(),
                seen: TookTooLong::default(),
                trouble: None,
            }),
            steps: Mutex::default(),
        });
        let samples = Arc::new(Mutex::new(Samples::default()));
        let sampler = Sampler {
            client: client.clone(),
            etcd: gateway.transpose()?,
            zero,
            every: options.metrics_every,
            patience,
            samples: Arc::clone(&samples),
        };
        let (pods, counts) = arm(client, &state, zero, patience).await?;
        sampler.begin().await;
        lock(&state.processes).watch(processes);
        lock(&state.processes).sample(zero.elapsed());
        let (marks, coming) = mpsc::unbounded_channel();
        let every = options.processes_every;
        let looking = Arc::clone(&state);
        let look = repeat(every, move || lock(&looking.processes).sample(zero.elapsed()));
        let reading = Arc::clone(&state);
        let read = repeat(LOGS, move || lock(&reading.logs).read());
        Ok(Self {
            zero,
            patience,
            state,
            samples,
            marks,
            sampler: task(sampler.run(coming)),
            counts,
            _tasks: [pods, task(look), task(read)],
        })
    }

    /// How long it has measured: what times in the figures count.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.zero.elapsed()
    }

    /// Says that a step begins, and the one before it ends.
    ///
    /// Returns at once. Pods are its own from now on; requests from the look on that is taken now and ends soon after
    /// ([`Measuring::looks`]): what is answered meanwhile still counts for the step before it.
    pub fn step(&self, step: LoadStep) {
        let mut logs = lock(&self.state.logs);
        logs.read();
        let took_too_long = logs.seen.total;
        drop(logs);
        let mut steps = lock(&self.state.steps);
        steps.push(Mark {
            step,
            at: self.zero.elapsed(),
            took_too_long,
        });
        // Nobody to hear of it means that the sampler has ended: its figures say so.
        let _ = self.marks.send(steps.len() - 1);
    }

    /// Says which processes there are now, e.g. because one was restarted: a known name goes on under its new id.
    pub fn processes(&self, now: &[(String, u32)]) {
        let mut processes = lock(&self.state.processes);
        // What the old one took up to now, if it is still there.
        processes.sample(self.zero.elapsed());
        processes.watch(now);
        processes.sample(self.zero.elapsed());
    }

    /// How many pods there are, as they come and go.
    #[must_use]
    pub fn pods(&self) -> watch::Receiver<PodCounts> {
        self.counts.clone()
    }

    /// How often API server and etcd have been looked at so far.
    #[must_use]
    pub fn looks(&self) -> u64 {
        lock(&self.samples).cost().samples
    }

    /// Looks once more, ends, and says what was measured.
    pub async fn finish(self) -> Measured {
        // Without marks to come, the sampler looks once more and ends.
        drop(self.marks);
        let mut missing = Vec::new();
        let patience = self.patience + Duration::from_secs(5);
        match tokio::time::timeout(patience, self.sampler).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => missing.push(format!("the last look at API server and etcd failed: {error}")),
            Err(_) => missing.push(format!(
                "the last look at API server and etcd took more than {patience:?}"
            )),
        }
        let end = self.zero.elapsed();
        let state = self.state;
        lock(&state.logs).read();
        let mut processes = lock(&state.processes);
        processes.sample(end);
        let uses = std::mem::replace(&mut *processes, Processes::new()).uses();
        drop(processes);
        let samples = lock(&self.samples);
        let logs = lock(&state.logs);
        let pods = lock(&state.pods);
        missing.extend(samples.missing());
        missing.extend(logs.missing());
        missing.extend(
            uses.iter()
                .filter(|one| one.curve.t_ms.is_empty())
                .map(|one| format!("\"{}\" was not seen among the system's processes", one.name)),
        );
        let mut measured = Measured {
            latency: samples.latency(),
            requests: samples.requests(),
            pods: pods.measured(end),
            processes: uses,
            etcd: samples.etcd(),
            took_too_long: logs.seen.clone(),
            steps: Vec::new(),
            cost: samples.cost(),
            missing,
        };
        measured.cost.pod_events = pods.events();
        if measured.pods.gaps > 0 {
            let gaps = measured.pods.gaps;
            measured.missing.push(format!(
                "the watch on pods had to list again {gaps} times: what happened meanwhile was seen late, and a pod that \
                 came and went in it was not seen"
            ));
        }
        measured.steps = steps(&lock(&state.steps), &samples, &pods, &measured, end);
        measured
    }
}

impl Logs {
    fn read(&mut self) {
        for (path, tail) in &mut self.tails {
            let seen = &mut self.seen;
            if let Err(error) = tail.read(|line| seen.see(line)) {
                let told = || format!("\"{}\" can't be read: {error}", path.display());
                self.trouble.get_or_insert_with(told);
            }
        }
    }

    fn missing(&self) -> Vec<String> {
        let lost = self
            .tails
            .iter()
            .filter(|(_, tail)| tail.lost > 0)
            .map(|(path, tail)| {
                let (path, lost) = (path.display(), tail.lost);
                format!("\"{path}\" grew faster than it was read, {lost} times: lines of it were not seen")
            });
        self.trouble.iter().cloned().chain(lost).collect()
    }
}

/// Starts the watch on pods, and returns when it has seen what is there.
async fn arm(
    client: &Client,
    state: &Arc<State>,
    zero: Instant,
    patience: Duration,
) -> Result<(AbortOnDropHandle<()>, watch::Receiver<PodCounts>), MeasureError> {
    let api: Api<pods::Pod> = Api::all_with(client.clone(), &pods::resource());
    let (told, counts) = watch::channel(PodCounts::default());
    let (armed, mut arming) = watch::channel(Err("no answer yet".to_owned()));
    let state = Arc::clone(state);
    let watching = async move {
        let mut events = watcher::watcher(api, watcher::Config::default())
            .backoff(backoff())
            .boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    let mut pods = lock(&state.pods);
                    pods.see(zero.elapsed(), Timestamp::now(), event);
                    if pods.armed() && armed.borrow().is_err() {
                        drop(armed.send_replace(Ok(())));
                    }
                    told.send_if_modified(|counts| std::mem::replace(counts, pods.counts()) != pods.counts());
                }
                Err(error) => {
                    armed.send_if_modified(|armed| {
                        armed.is_err() && {
                            *armed = Err(error.to_string());
                            true
                        }
                    });
                }
            }
        }
    };
    let watching = task(watching);
    let began = tokio::time::timeout(patience, arming.wait_for(Result::is_ok))
        .await
        .is_ok_and(|seen| seen.is_ok());
    if !began {
        let why = arming.borrow().clone().err().unwrap_or_default();
        return Err(MeasureError::NotArmed {
            waited: patience,
            why,
        });
    }
    Ok((watching, counts))
}

/// The figures of each step.
fn steps(
    marks: &[Mark],
    samples: &Samples,
    pods: &PodTimes,
    measured: &Measured,
    end: Duration,
) -> Vec<StepFigures> {
    let [created, scheduled, running, deleted] = pods.moments();
    let all = marks.iter().enumerate().map(|(number, mark)| {
        let next = marks.get(number + 1);
        let (from, to) = (ms(mark.at), ms(next.map_or(end, |next| next.at)));
        let within = |moments: &[u64]| {
            // A step often ends because of what was just seen: in the same millisecond, that was before.
            let first = moments.partition_point(|&t| t <= from);
            let last = moments.partition_point(|&t| t <= to);
            first..last.max(first)
        };
        let of_step = samples.steps.get(&number);
        let counted = of_step
            .map(|of_step| samples::counts(&of_step.added))
            .unwrap_or_default();
        let kinds = of_step.map(|of_step| of_step.added.kinds()).unwrap_or_default();
        let kinds = kinds
            .into_iter()
            .filter_map(|(kind, histogram)| Some((kind, histogram.quantiles()?)));
        let slow_until = next.map_or(measured.took_too_long.total, |next| next.took_too_long);
        StepFigures {
            step: mark.step,
            started_ms: from,
            ended_ms: to,
            latency: kinds.collect(),
            requests: counted.total,
            rejected: counted.rejections(),
            failed: counted.failures(),
            terminated: counted.terminated.values().sum::<u64>() + counted.aborted.values().sum::<u64>(),
            pods_created: within(&created).len() as u64,
            pods_scheduled: pods::rate(&scheduled[within(&scheduled)]),
            pods_running: pods::rate(&running[within(&running)]),
            pods_deleted: within(&deleted).len() as u64,
            processes: processes::in_step(&measured.processes, from, to),
            etcd: of_step.and_then(|of_step| of_step.etcd.clone()),
            took_too_long: slow_until - mark.took_too_long,
        }
    });
    all.collect()
}

/// Does something now and then, for ever.
async fn repeat(every: Duration, mut look: impl FnMut()) {
    let mut looks = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        look();
    }
}

fn task(work: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    let handle: JoinHandle<()> = tokio::spawn(work);
    AbortOnDropHandle::new(handle)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds, as figures have them.
fn ms(t: Duration) -> u64 {
    u64::try_from(t.as_millis()).unwrap_or(u64::MAX)
}
