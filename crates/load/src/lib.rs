//! The standard load test of Kubernetes on hollow nodes: its objects, its 13 steps, and what is measured meanwhile.
//!
//! | part | what it is |
//! |---|---|
//! | [`profile`] | how large a test is |
//! | [`objects`] | what is created, scaled and deleted |
//! | [`run`](mod@run) | how a test went, step by step: `load.json` |
//! | [`measure`] | latencies, sizes and processes while it ran |
//!
//! # Examples
//!
//! The built-in profile that has as many nodes, set to that number:
//!
//! ```
//! # fn main() -> Result<(), kubeclash_load::profile::ProfileError> {
//! let profile = kubeclash_load::profile::Profile::of(300)?;
//! assert_eq!(profile.name, "500, with 300 nodes");
//! # Ok(())
//! # }
//! ```

mod announce;
pub mod measure;
pub mod profile;
pub mod objects;
mod pods;
pub mod run;
mod requests;
mod steps;
mod watch;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use self::announce::Log;
use self::measure::{MeasureOptions, Measuring};
use self::objects::{Item, Kind};
use self::pods::Pods;
use self::profile::{Profile, Says};
use self::requests::Deed;
pub use self::run::LoadRun;
use self::run::{FORMAT, LoadOutcome, ProfileUsed};
use self::steps::{Course, Gone};
use self::watch::LogWatch;
use kubeclash_cluster::{Cluster, LivenessEvent, Order, Provider, ProviderError, Scale};
use kubeclash_components::{ComponentName, took_part};
use kubeclash_logs::Classification;
use kubeclash_timeline::{ComponentVersion, Label, Liveness, LivenessChange, LoadStep, Shape};

/// The file of a run in its evidence folder.
pub const RUN: &str = "load.json";

/// A load test that is to be run.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    /// How large.
    pub profile: Profile,
    /// How many cores the API server gets at most, once the cluster is ready.
    pub apiserver_cpu: Option<f64>,
    /// When the API server is killed for not answering; never, where there is none.
    pub liveness: Option<Liveness>,
    /// Whether the first sign of the issue in the logs ends it.
    pub stop_at_red: bool,
    /// Which of etcd's keys are counted besides the usual ones, by how they begin.
    pub prefixes: Vec<String>,
    /// Below which folder the evidence goes: `<out>/load/<nodes>/<run>`.
    pub out: PathBuf,
}

/// A load test that is over.
#[derive(Debug)]
pub struct Finished {
    /// How it went.
    pub run: LoadRun,
    /// The folder of its evidence.
    pub evidence: PathBuf,
    /// How its cluster is got at, where that was to be kept.
    pub kept: Option<String>,
    /// Whether it was interrupted, and shows nothing.
    pub interrupted: bool,
}

/// Why there is no load test.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no cluster.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// Its evidence can't be written.
    #[error("failed to write the evidence to \"{}\": {source}", .path.display())]
    Evidence {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It was interrupted before there was a cluster.
    #[error("interrupted; the cluster is torn down")]
    Interrupted,
}

/// Runs a load test on a cluster of its own; `say` is told what it is at.
///
/// The cluster is what `order` asks for, with the nodes and the control plane of the profile.
///
/// # Errors
/// When there is no cluster, or no evidence can be written. Whatever was started is gone then, too.
pub async fn run(
    plan: &LoadPlan,
    provider: Provider,
    order: Order,
    interrupt: &CancellationToken,
    say: &(dyn Fn(&str) + Sync),
) -> Result<Finished, LoadError> {
    let evidence = evidence_dir(plan)?;
    let order = made_for(plan, order, &evidence);
    let (keep, components) = (order.keep, took_part(&order.binaries));
    let failed = |path: PathBuf| move |source| LoadError::Evidence { path, source };
    let (log, path) = Log::create(&evidence.join("logs")).map_err(failed(evidence.join("logs")))?;
    tracing::debug!(log = %path.display(), "the load test's log");
    say(&format!(
        "starting the control plane and {} nodes",
        order.spec.nodes.len()
    ));
    let mut cluster = tokio::select! {
        up = provider.up(order, say) => up?,
        () = interrupt.cancelled() => return Err(LoadError::Interrupted),
    };
    let ready = cluster.ready_after();
    log.info(&format!(
        "{} nodes ready after {:.1} s",
        plan.profile.says.nodes,
        ready.as_secs_f64()
    ));
    let watch = LogWatch::over(evidence.join("logs"));
    let (gone, end, measured, began) = play(plan, &mut cluster, &watch, &log, interrupt, say).await;
    let liveness = cluster.liveness();
    let kept = keep.then(|| cluster.kept());
    cluster.down(end.is_none()).await;
    // When everybody has said their last word.
    let found = watch.finish().await;
    let befell = befell(&liveness, began.clock);
    let mut run = summed_up(plan, components, gone, end, measured, began);
    run.liveness = befell;
    judged(&mut run, found.as_ref());
    let file = evidence.join(RUN);
    fs::write(&file, run.to_json()).map_err(failed(file))?;
    Ok(Finished {
        run,
        evidence,
        kept,
        interrupted: interrupt.is_cancelled(),
    })
}

/// Measures, and carries the steps out: until they are over, a component dies, or it is interrupted. Says why it ended
/// early, if it did.
async fn play(
    plan: &LoadPlan,
    cluster: &mut Cluster,
    watch: &LogWatch,
    log: &Log,
    interrupt: &CancellationToken,
    say: &(dyn Fn(&str) + Sync),
) -> (Gone, Option<String>, measure::Measured, Began) {
    let mut gone = Gone::default();
    let began = Began {
        at: jiff::Timestamp::now(),
        clock: Instant::now(),
    };
    let client = cluster.client().clone();
    let logs = [ComponentName::Etcd, ComponentName::Apiserver].map(|name| cluster.log(name));
    let options = MeasureOptions {
        zero: began.clock,
        logs: logs.into_iter().flatten().collect(),
        prefixes: plan.prefixes.clone(),
        ..MeasureOptions::default()
    };
    let etcd = cluster.etcd();
    let measuring = Measuring::start(&client, etcd.as_deref(), &cluster.pids(), options).await;
    let measuring = match measuring {
        Ok(measuring) => Arc::new(measuring),
        Err(error) => {
            let measured = measure::Measured {
                missing: vec![error.to_string()],
                ..measure::Measured::default()
            };
            return (gone, Some(error.to_string()), measured, began);
        }
    };
    let watched = Arc::downgrade(&measuring);
    cluster.on_liveness(Box::new(move |event| {
        if let LivenessChange::Restarted { pid: Some(pid), .. } = event.change
            && let Some(measuring) = watched.upgrade()
        {
            measuring.processes(&[(ComponentName::Apiserver.to_string(), pid)]);
        }
    }));
    let course = Course {
        says: &plan.profile.says,
        client,
        on_step: &|step| measuring.step(step),
        log,
        say,
        began: began.clock,
    };
    let end = tokio::select! {
        () = course.run(&mut gone) => None,
        died = cluster.died() => Some(died.to_string()),
        red = watch.red(), if plan.stop_at_red => Some(format!("the issue was found: {red}")),
        () = interrupt.cancelled() => Some("interrupted".to_owned()),
    };
    if interrupt.is_cancelled() {
        // Who interrupts does not wait for the last answers.
        let measured = measure::Measured {
            missing: vec!["the run was interrupted".to_owned()],
            ..measure::Measured::default()
        };
        return (gone, end, measured, began);
    }
    // Whoever is told of a restart just now holds it until it has been told.
    cluster.on_liveness(Box::new(|_| ()));
    let measuring = Arc::into_inner(measuring).expect("the listener that was is gone");
    let measured = measuring.finish().await;
    (gone, end, measured, began)
}

/// What befell the API server, since the run began.
fn befell(events: &[LivenessEvent], began: Instant) -> Vec<run::LivenessEvent> {
    let since =
        |at: Instant| u64::try_from(at.saturating_duration_since(began).as_millis()).unwrap_or(u64::MAX);
    let events = events.iter().map(|event| run::LivenessEvent {
        t_ms: since(event.at),
        what: event.change.to_string(),
    });
    events.collect()
}

/// Labels a run with what its logs come to. One that ended early for any other reason does not fit a search.
fn judged(run: &mut LoadRun, found: Option<&Classification>) {
    let Some(found) = found else {
        run.label = Some(Label::Black);
        run.why = format!("{}; its logs could not be read", run.why);
        return;
    };
    let unfit = run.outcome == LoadOutcome::Aborted && found.label == Label::Green;
    run.label = Some(if unfit { Label::Black } else { found.label });
    if !unfit {
        run.why = format!("{}; {}", run.why, found.why);
    }
}

/// When a run began, by the calendar and by the clock.
struct Began {
    at: jiff::Timestamp,
    clock: Instant,
}

/// The cluster that a plan needs.
fn made_for(plan: &LoadPlan, order: Order, evidence: &Path) -> Order {
    let says = &plan.profile.says;
    let shape = Shape {
        workers: says.nodes,
        worker_cpu: says.node.cpu,
    };
    let mut order = Order {
        spec: shape.into(),
        logs: evidence.join("logs"),
        scale: Some(Scale {
            apiserver_cpu: plan.apiserver_cpu,
            liveness: plan.liveness,
            ..scale(says)
        }),
        ..order
    };
    // Of thousands of requests a second nobody asks who sent which.
    order.tuning.audit = false;
    order
}

/// What a cluster is given for a profile.
#[must_use]
pub fn scale(says: &Says) -> Scale {
    Scale {
        qps: says.control_plane.qps,
        concurrent_syncs: says.control_plane.concurrent_syncs,
        lease: Duration::from_secs(says.node.lease_s.into()),
        node_memory: says.node.memory.clone(),
        node_pods: says.node.pods,
        apiserver_args: says.control_plane.apiserver_args.clone(),
        apiserver_cpu: None,
        liveness: None,
    }
}

/// Runs a profile's steps again and again, for as long as it is polled: the load of a case. `on_step` is told of each step.
///
/// # Errors
/// When its log can't be written.
pub async fn again_and_again(
    client: kube::Client,
    says: &Says,
    logs: &Path,
    on_step: &(dyn Fn(LoadStep) + Sync),
) -> std::io::Result<std::convert::Infallible> {
    let (log, _) = Log::create(logs)?;
    loop {
        let course = Course {
            says,
            client: client.clone(),
            on_step,
            log: &log,
            say: &|_| (),
            began: Instant::now(),
        };
        course.run(&mut Gone::default()).await;
    }
}

/// Creates one deployment of so many pods, and returns when all run; `say` hears how many do.
///
/// # Errors
/// When it can't be created.
pub async fn crowd(
    client: kube::Client,
    pods: usize,
    say: &(dyn Fn(usize) + Sync),
) -> Result<(), kube::Error> {
    let mut seen = Pods::follow(client.clone());
    let mut item = Item {
        kind: Kind::Namespace,
        namespace: "load-1".to_owned(),
        name: "load-1".to_owned(),
        service: String::new(),
        size: 0,
        revision: 1,
    };
    requests::send(&client, Deed::Create, &item).await?;
    item.kind = Kind::Deployment;
    item.name = "crowd".to_owned();
    item.size = pods;
    requests::send(&client, Deed::Create, &item).await?;
    while seen.lacks(&item).is_some() {
        say(seen.count().0);
        seen.changed().await;
    }
    Ok(())
}

/// The evidence folder of a new run, with its profile.
fn evidence_dir(plan: &LoadPlan) -> Result<PathBuf, LoadError> {
    let failed = |path: PathBuf| move |source| LoadError::Evidence { path, source };
    let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let id = &uuid::Uuid::new_v4().simple().to_string()[..6];
    let size = plan.profile.says.nodes.to_string();
    let dir = plan.out.join("load").join(size).join(format!("{date}-{id}"));
    fs::create_dir_all(dir.join("logs")).map_err(failed(dir.clone()))?;
    let profile = dir.join("profile.yaml");
    fs::write(&profile, &plan.profile.text).map_err(failed(profile))?;
    Ok(dir)
}

/// What a run comes to.
fn summed_up(
    plan: &LoadPlan,
    components: BTreeMap<String, ComponentVersion>,
    gone: Gone,
    end: Option<String>,
    measured: measure::Measured,
    began: Began,
) -> LoadRun {
    let late: u64 = gone.steps.iter().map(|record| record.late_total).sum();
    let reached = gone
        .steps
        .last()
        .map_or(LoadStep::StartMeasurements, |record| record.step);
    let (outcome, why) = match end {
        Some(why) => (LoadOutcome::Aborted, why),
        None if late > 0 => (
            LoadOutcome::CompletedWithTimeouts,
            format!("{late} objects were not as they should be in time"),
        ),
        None => (LoadOutcome::Completed, "every object came in time".to_owned()),
    };
    LoadRun {
        format: FORMAT,
        started: began.at,
        elapsed_ms: u64::try_from(began.clock.elapsed().as_millis()).unwrap_or(u64::MAX),
        profile: ProfileUsed {
            name: plan.profile.name.clone(),
            yaml: plan.profile.text.clone(),
        },
        nodes: plan.profile.says.nodes,
        components,
        steps: gone.steps,
        outcome,
        reached,
        label: None,
        why,
        requests: gone.requests,
        liveness: Vec::new(),
        measured,
    }
}
