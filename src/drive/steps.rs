//! The steps of one arm of a case, carried out on a cluster under a recorder.

mod apply;
mod change;
mod check;
mod node;

use std::collections::BTreeSet;
use std::future::Future;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::in_effect::InEffect;
use super::{DriveError, no_file_of};
use crate::case::format::{OrElse, Step};
use crate::case::{Scenario, cpu_use};
use crate::drive::condition::condition;
use crate::observe::Recorder;
use kubeclash_cluster::{Cluster, Controller};
use kubeclash_components::ComponentName;
use kubeclash_timeline::{Ending, Expect, Pace, Timeline, What, World, refusal, undone};

pub use self::check::check;

/// The interval of a descheduler that is given none: the study's.
const DESCHEDULING: Duration = Duration::from_secs(10);

/// How long the API server may take to answer when everything has been watched.
const ANSWER: Duration = Duration::from_secs(5);

/// How often the number that the verdict hangs on is told while it is watched.
const PULSE: Duration = Duration::from_millis(500);

/// The mark at the first apply.
const APPLIED: &str = "applied";

/// The mark at the first start of a descheduler or a controller.
const STARTED: &str = "started";

/// What the steps of one arm need; [`carry_out`](Self::carry_out) does them.
pub struct Steps<'a> {
    /// The arm.
    pub scenario: &'a Scenario,
    /// At which pace.
    pub pace: Pace,
    /// Its files as they are applied.
    pub in_effect: &'a InEffect,
    /// The programs of its controllers.
    pub controllers: &'a [Controller],
    /// Told what is being done.
    pub say: &'a (dyn Fn(&str) + Sync),
    /// The number that the verdict hangs on, in words.
    pub pulse: &'a (dyn Fn(&Timeline) -> String + Sync),
    /// Whether the failure is complete, and nothing later can take it back.
    pub complete: &'a (dyn Fn(&Timeline) -> bool + Sync),
}

/// What a step may refer to of those before it.
#[derive(Default)]
struct Before {
    /// The node that the last drain or cordon took.
    drained: Option<String>,
    /// The node that was stopped last.
    stopped: Option<String>,
    /// The marks that were put, or that the case puts itself.
    marked: BTreeSet<String>,
    /// What applies again and again; it ends with this.
    appliers: JoinSet<()>,
}

impl Steps<'_> {
    /// Carries the steps out, in order, and says how that ended.
    ///
    /// # Errors
    /// When a step can't be carried out, or something that the cluster is made of has died.
    pub async fn carry_out(&self, cluster: &mut Cluster, recorder: &Recorder) -> Result<Ending, DriveError> {
        let steps = &self.scenario.file.steps;
        let mut before = Before::default();
        let own = steps.iter().filter_map(|step| match step {
            Step::Mark(mark) => Some(mark.mark.clone()),
            _ => None,
        });
        before.marked.extend(own);
        for (at, step) in steps.iter().enumerate() {
            (self.say)(&step.to_string());
            let ended = self
                .step(step, at + 1 == steps.len(), cluster, recorder, &mut before)
                .await;
            // A component that has died is the better reason.
            let ended = ended.map_err(|error| cluster.trouble().map_or(error, DriveError::from))?;
            recorder.check()?;
            if let Some(trouble) = cluster.trouble() {
                return Err(trouble.into());
            }
            if let Some(why) = ended {
                return Ok(Ending::Broken(why));
            }
        }
        Ok(alive(cluster).await)
    }

    /// Carries one step out; why the steps are broken off, where they are.
    async fn step(
        &self,
        step: &Step,
        last: bool,
        cluster: &mut Cluster,
        recorder: &Recorder,
        before: &mut Before,
    ) -> Result<Option<String>, DriveError> {
        match step {
            Step::Nothing(_) => return Ok(None),
            Step::Mark(mark) => {
                recorder.note(What::Mark(mark.mark.clone()));
                return Ok(None);
            }
            _ => recorder.note(What::Step(step.to_string())),
        }
        let mark = match step {
            Step::Apply(_) => Some(APPLIED),
            Step::Descheduler(_) | Step::Start(_) => Some(STARTED),
            _ => None,
        };
        if let Some(mark) = mark.filter(|mark| before.marked.insert((*mark).to_owned())) {
            recorder.note(What::Mark(mark.to_owned()));
        }
        match step {
            Step::Wait(wait) => {
                let condition = condition(&wait.wait).map_err(|why| unfit(step, why))?;
                let waited = recorder.wait(&condition, self.pace.deadline(wait.within.0));
                match while_alive(cluster, waited).await? {
                    Err(missing) if wait.or != Some(OrElse::GoOn) => {
                        return Ok(Some(recorder.look(|_, world| unsettled(missing, world))));
                    }
                    // What it means that it did not come is the judge's business.
                    _ => {}
                }
            }
            Step::Observe(observe) => {
                while_alive(cluster, self.observe(recorder, observe.observe.0, last)).await?;
            }
            Step::Descheduler(start) => {
                let start = &start.descheduler;
                let policy = self.in_effect.policies.get(&start.policy);
                let policy = policy.ok_or_else(|| no_file_of(step, &start.policy))?;
                let every = self.pace.scale(start.every.map_or(DESCHEDULING, |every| every.0));
                let note = recorder.noter();
                let on_cycle = move || note(What::Cycle(ComponentName::Descheduler.to_string()));
                cluster
                    .start_descheduler(policy, every, Box::new(on_cycle))
                    .await?;
            }
            Step::Start(start) => {
                let controller = self.controllers.iter().find(|one| one.name == start.start);
                let none = || unfit(step, format!("the case has no controller \"{}\"", start.start));
                cluster.start_controller(controller.ok_or_else(none)?).await?;
            }
            Step::Stop(stop) if stop.stop == "descheduler" => cluster.stop_descheduler().await,
            Step::Stop(stop) if stop.stop == "apply" => before.appliers.shutdown().await,
            Step::Stop(stop) => cluster.stop_controller(&stop.stop).await,
            Step::Cpu(cpu) => {
                let cpu = cpu_use(&cpu.cpu).map_err(|why| unfit(step, why))?;
                cluster.set_cpu(&cpu);
            }
            Step::Apply(apply) => self.apply(step, apply, cluster, before).await?,
            Step::Cordon(_)
            | Step::Uncordon(_)
            | Step::Drain(_)
            | Step::StopNode(_)
            | Step::StartNode(_)
            | Step::AddNodes(_)
            | Step::RemoveNode(_) => return self.on_node(step, cluster, recorder, before).await,
            step => {
                let client = cluster.client().clone();
                while_alive(cluster, change::change(&client, step, self.pace)).await??;
            }
        }
        Ok(None)
    }

    /// Watches. The last time ends as soon as the failure is complete; at the recorded pace it is watched to its end, for its rates.
    async fn observe(&self, recorder: &Recorder, window: Duration, last: bool) {
        let window = match self.scenario.expected() {
            // At a fast pace a failure that is to come gets as long as a slow machine needs.
            Expect::Reproduced if last => self.pace.deadline(window),
            Expect::Absent if last => self.pace.window(window),
            _ => self.pace.scale(window),
        };
        let stops = last && self.pace != Pace::Recorded;
        let end = tokio::time::Instant::now() + window;
        let mut said = None;
        recorder
            .watch(end, |timeline| {
                // Nobody reads faster, and it takes the whole timeline to say it.
                if said.is_none_or(|said: Instant| said.elapsed() >= PULSE) {
                    (self.say)(&(self.pulse)(timeline));
                    said = Some(Instant::now());
                }
                stops && (self.complete)(timeline)
            })
            .await;
    }
}

/// A step that can't be carried out as it is written, or as things are.
fn unfit(step: &Step, why: impl Into<String>) -> DriveError {
    DriveError::Unfit {
        step: step.to_string(),
        why: why.into(),
    }
}

/// Goes on with some work for as long as every component lives; one that dies is the error, at once.
pub(super) async fn while_alive<T>(
    cluster: &mut Cluster,
    work: impl Future<Output = T>,
) -> Result<T, DriveError> {
    tokio::select! {
        biased;
        done = work => Ok(done),
        died = cluster.died() => Err(died.into()),
    }
}

/// Nothing seen means nothing only if somebody could have been seen.
pub(super) async fn alive(cluster: &Cluster) -> Ending {
    let answer = tokio::time::timeout(ANSWER, cluster.client().apiserver_version()).await;
    match answer {
        Ok(Ok(_)) => match cluster.answers().await {
            Ok(()) => Ending::Complete,
            Err(who) => Ending::Broken(who),
        },
        Ok(Err(error)) => Ending::Broken(format!("the API server did not answer at the end: {error}")),
        Err(_) => Ending::Broken("the API server did not answer at the end".to_owned()),
    }
}

/// What was waited for in vain, and whose turn it was.
fn unsettled(missing: String, world: &World) -> String {
    match undone(world).or_else(|| refusal(world)) {
        Some(who) => format!("{missing}; {who}"),
        None => missing,
    }
}
