//! Arms: which were asked for, and how they are run side by side. `run`, `compare` and `matrix` share it.

use std::collections::{BTreeSet, VecDeque};
use std::panic::AssertUnwindSafe;

use clap::{Args, ValueEnum};
use futures::FutureExt;
use tokio::task::JoinSet;

use super::cases::{CasesFlags, folder_of, names};
use super::shard::Shard;
use super::{Failure, notes};
use crate::agreement::agree;
use crate::cases::{Case, Library};
use crate::drive::{ArmRun, DriveError, Plan, Sibling, drive};
use crate::exit;
use crate::session::{Session, SessionError, Settings};
use kubeclash_cluster::{Provider, arms_at_once};
use kubeclash_host::interrupt;
use kubeclash_host::progress::Progress;
use kubeclash_timeline::{Arm, ArmId};

/// Which cases, which arms of them, and which part of these.
#[derive(Debug, Clone, Args)]
pub struct ArmFlags {
    /// Which cases: an id (c7), a name, a glob, or a case's folder (./mine); all by default
    #[arg(value_name = "CASE")]
    pub cases: Vec<String>,
    /// Where cases are found
    #[command(flatten)]
    pub cases_flags: CasesFlags,
    /// Which arms
    #[arg(long, value_enum, default_value_t = Arms::Both)]
    pub arm: Arms,
}

/// Which arms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Arms {
    /// The misconfigurations.
    Broken,
    /// The fixes.
    Control,
    /// Both.
    Both,
}

/// How often and how many at once.
#[derive(Debug, Clone, Args)]
pub struct TimesFlags {
    /// How many arms run side by side [default: four a core, as far as memory goes; on kind one]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    /// Run each arm so many times, in rounds; its verdict is that on which all of them agree
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub repeat: u16,
}

impl TimesFlags {
    /// How many arms run side by side; on kind one unless more are asked for, as each is a cluster of several kubelets.
    #[must_use]
    pub fn jobs(&self, provider: Provider) -> usize {
        let default = || match provider {
            Provider::Local => arms_at_once(),
            Provider::Kind => 1,
        };
        self.jobs.map_or_else(default, usize::from)
    }
}

/// An arm of a case, or of a variant of it.
#[derive(Debug, Clone)]
pub struct Selected {
    /// The case.
    pub case: Case,
    /// Which arm of it.
    pub id: ArmId,
}

impl Selected {
    /// Short, for progress lines: `c3 broken (with-hpa)`.
    #[must_use]
    pub fn title(&self) -> String {
        self.id.short()
    }

    /// Roughly how long it takes, in recorded seconds.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.case.weight(self.id.arm)
    }
}

impl ArmFlags {
    /// The cases that there are: the built-in ones, those of `--cases`, and those that are named by their folders.
    ///
    /// # Errors
    /// All mistakes in the folders' cases together.
    pub fn library(&self) -> Result<Library, Failure> {
        self.found_in().library()
    }

    /// Where cases are found: the folders of `--cases`, and those that are named.
    #[must_use]
    pub fn found_in(&self) -> CasesFlags {
        let named = self.cases.iter().filter_map(|word| folder_of(word));
        CasesFlags {
            dirs: self.cases_flags.dirs.iter().cloned().chain(named).collect(),
        }
    }

    /// The arms that were asked for, in the order in which they are listed.
    ///
    /// # Errors
    /// When a word calls no case.
    pub fn selected(&self, library: &Library) -> Result<Vec<Selected>, Failure> {
        if let Some(word) = self
            .cases
            .iter()
            .find(|word| !library.iter().any(|case| names(word, case)))
        {
            let folder = std::path::Path::new(word).is_dir();
            let help = folder.then(|| {
                format!(
                    "there is a folder \"{word}\" without a case.yaml: --cases {word} adds the cases in it"
                )
            });
            return Err(Failure::with_help(exit::NOTHING, library.no_case(word), help));
        }
        let chosen = library
            .iter()
            .filter(|case| self.cases.is_empty() || self.cases.iter().any(|word| names(word, case)));
        let mut selected = Vec::new();
        for case in chosen {
            for variant in case.variants() {
                selected.extend(self.arms().map(|arm| Selected {
                    id: ArmId::new(case.folder(), arm, variant.as_deref()),
                    case: case.clone(),
                }));
            }
        }
        Ok(selected)
    }

    /// The same, without cases that a provider can't run and nobody named.
    ///
    /// # Errors
    /// When a word calls no case.
    pub fn on(
        &self,
        provider: Provider,
        library: &Library,
        progress: &Progress,
    ) -> Result<Vec<Selected>, Failure> {
        let mut selected = self.selected(library)?;
        if provider != Provider::Local && self.cases.is_empty() {
            let left_out = selected.extract_if(.., |one| one.case.local_only());
            for title in left_out.map(|one| one.title()) {
                progress.println(format!(
                    "note: {title} is left out: it runs on the local provider only"
                ));
            }
        }
        Ok(selected)
    }

    /// Those of both arms that were asked for.
    pub fn arms(&self) -> impl Iterator<Item = Arm> + use<> {
        let asked = self.arm;
        Arm::ALL.into_iter().filter(move |arm| match asked {
            Arms::Both => true,
            Arms::Broken => *arm == Arm::Broken,
            Arms::Control => *arm == Arm::Control,
        })
    }
}

/// The part of the arms that is this machine's.
#[must_use]
pub fn part(selected: Vec<Selected>, shard: Shard) -> Vec<Selected> {
    shard.of(selected, Selected::weight)
}

/// Opens a session, unless it is interrupted.
///
/// # Errors
/// When there are no components.
pub async fn open(settings: Settings, progress: &Progress) -> Result<Session, Failure> {
    let interrupt = interrupt::token();
    let session = tokio::select! {
        session = Session::open(settings, progress) => session.map_err(|e: SessionError| failure(e.into()))?,
        () = interrupt.cancelled() => return Err(failure(DriveError::Interrupted)),
    };
    notes::of_release(&session, progress);
    Ok(session)
}

/// Says that something is left of killed runs.
pub(super) fn hint_at_leftovers(progress: &Progress) {
    let left = kubeclash_host::sweep::killed_runs();
    if left > 0 {
        let runs = if left == 1 {
            "a killed run is".to_owned()
        } else {
            format!("{left} killed runs are")
        };
        progress.println(format!(
            "note: what is left of {runs} still there: \"kubeclash sweep\" removes it"
        ));
    }
}

/// An arm that is to be run.
pub(super) struct Group {
    /// How it is called on progress lines.
    pub(super) title: String,
    /// How.
    pub(super) plan: Plan,
}

/// An arm that has ended, or a run of it that failed.
pub(super) struct ArmResult {
    /// The place among the arms that were asked for.
    pub(super) order: usize,
    pub(super) title: String,
    pub(super) id: ArmId,
    /// Which of its runs, counted from 1, where this is one of several.
    pub(super) run: Option<u16>,
    pub(super) end: Result<ArmRun, DriveError>,
}

/// The runs of one arm that have ended, and how many are still to come.
struct Repetitions {
    title: String,
    left: usize,
    failed: usize,
    finished: Vec<ArmRun>,
}

impl Repetitions {
    /// The sum of all runs, with the timeline of the run that stands for them.
    fn sum(&mut self) -> Option<ArmRun> {
        let outcomes: Vec<_> = self.finished.iter().map(|run| run.outcome.clone()).collect();
        let outcome = agree(&outcomes, self.failed)?;
        let at = outcomes.iter().position(|run| run.evidence == outcome.evidence)?;
        Some(ArmRun {
            outcome,
            ..self.finished.swap_remove(at)
        })
    }
}

/// Runs each arm `repeat` times, in rounds and longest first, at most `jobs` at a time.
///
/// `ended` is told of each arm when its last run has ended, and of each run that failed at once. So is the list that
/// it gives, in the order of `groups`.
pub(super) async fn side_by_side(
    groups: Vec<Group>,
    repeat: u16,
    jobs: usize,
    progress: &Progress,
    mut ended: impl FnMut(&ArmResult),
) -> Vec<ArmResult> {
    let mut tallies: Vec<Repetitions> = groups
        .iter()
        .map(|group| Repetitions {
            title: group.title.clone(),
            left: usize::from(repeat),
            failed: 0,
            finished: Vec::new(),
        })
        .collect();
    let mut queue = queue(&groups, repeat);
    let mut running = JoinSet::new();
    let mut all = Vec::new();
    loop {
        while running.len() < jobs
            && let Some(Turn { order, time, sibling }) = queue.pop_front()
        {
            let mut plan = groups[order].plan.clone();
            plan.sibling = sibling;
            let progress = progress.clone();
            let run = (repeat > 1).then_some(time);
            let title = run.map_or_else(
                || groups[order].title.clone(),
                |time| format!("{}, run {time} of {repeat}", groups[order].title),
            );
            running.spawn(async move {
                let end = one(&plan, title.clone(), &progress).await;
                let id = plan.id;
                ArmResult {
                    order,
                    title,
                    id,
                    run,
                    end,
                }
            });
        }
        let Some(joined) = running.join_next().await else {
            break;
        };
        let run = joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        let tally = &mut tallies[run.order];
        tally.left -= 1;
        let order = run.order;
        match run.end {
            Ok(finished) => tally.finished.push(finished),
            Err(error) => {
                tally.failed += 1;
                let failed = ArmResult {
                    end: Err(error),
                    ..run
                };
                ended(&failed);
                all.push(failed);
            }
        }
        if tally.left == 0
            && let Some(sum) = tally.sum()
        {
            let arm = ArmResult {
                order,
                title: tally.title.clone(),
                id: sum.outcome.id.clone(),
                run: None,
                end: Ok(sum),
            };
            ended(&arm);
            all.push(arm);
        }
    }
    all.sort_by_key(|one| one.order);
    all
}

/// One run of an arm that is still to come.
struct Turn {
    /// The place of the arm among those that were asked for.
    order: usize,
    /// Which of its runs, counted from 1.
    time: u16,
    /// The link to the other arm of the same round, where that is run as well.
    sibling: Option<Sibling>,
}

/// What is run after what: rounds, so that what befalls the machine befalls all arms alike; in each the longest first,
/// as the whole takes as long as its longest arm if that one does not start last. A broken arm comes before its control, which is
/// watched twice as long as the broken one needed.
fn queue(groups: &[Group], repeat: u16) -> VecDeque<Turn> {
    let is_pair = |one: &Plan, other: &Plan| {
        (&one.id.case, &one.id.variant, &one.out) == (&other.id.case, &other.id.variant, &other.out)
    };
    let pairs: Vec<Vec<usize>> = groups
        .iter()
        .map(|one| {
            let alike = groups
                .iter()
                .enumerate()
                .filter(|(_, other)| is_pair(&one.plan, &other.plan));
            alike.map(|(order, _)| order).collect()
        })
        .collect();
    let weight = |order: usize| groups[order].plan.case.weight(groups[order].plan.id.arm);
    let mut round: Vec<usize> = (0..groups.len()).collect();
    round.sort_by_cached_key(|&order| {
        let heaviest = pairs[order].iter().map(|&one| weight(one)).max();
        (
            std::cmp::Reverse(heaviest),
            pairs[order].first().copied(),
            groups[order].plan.id.arm,
        )
    });
    let mut queue = VecDeque::new();
    for time in 1..=repeat {
        let mut siblings: Vec<(usize, Sibling)> = Vec::new();
        for &order in &round {
            let first = pairs[order][0];
            let arms: BTreeSet<Arm> = pairs[order].iter().map(|&one| groups[one].plan.id.arm).collect();
            let sibling = (arms.len() == 2).then(|| match siblings.iter().find(|(pair, _)| *pair == first) {
                Some((_, sibling)) => sibling.clone(),
                None => {
                    let sibling = Sibling::default();
                    siblings.push((first, sibling.clone()));
                    sibling
                }
            });
            queue.push_back(Turn { order, time, sibling });
        }
    }
    queue
}

/// One run of one arm.
async fn one(plan: &Plan, title: String, progress: &Progress) -> Result<ArmRun, DriveError> {
    let interrupt = interrupt::token();
    if interrupt.is_cancelled() {
        return Err(DriveError::Interrupted);
    }
    let task = progress.task(title.clone());
    let end = AssertUnwindSafe(drive(plan, &interrupt, &|now| task.say(now)))
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| Err(DriveError::Panicked(words(&*panic))));
    if let Ok(ArmRun { kept: Some(kept), .. }) = &end {
        progress.println(format!("{title}: {kept}"));
    }
    end
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a word")
        .to_owned()
}

/// A failure of the whole, from that of one arm.
pub(super) fn failure(error: DriveError) -> Failure {
    let code = code_of(&error);
    match error {
        DriveError::Component(error) => Failure {
            code,
            report: (*error).into(),
        },
        error => Failure::with_help(code, error.to_string(), error.help()),
    }
}

/// The error of one arm among others.
pub(super) fn told(title: &str, error: &DriveError) -> String {
    let failure = Failure::with_help(code_of(error), format!("{title}: {error}"), error.help());
    format!("error: {:?}", failure.report).trim_end().to_owned()
}

/// The exit code of an arm without a verdict.
pub(super) fn code_of(error: &DriveError) -> u8 {
    match error {
        DriveError::Interrupted => exit::INTERRUPTED,
        DriveError::Provider(_) | DriveError::Component(_) => exit::UNAVAILABLE,
        DriveError::Library(_)
        | DriveError::NoVariant { .. }
        | DriveError::NoFile { .. }
        | DriveError::Tuning(_) => exit::USAGE,
        DriveError::Recorder(_)
        | DriveError::Step { .. }
        | DriveError::Unfit { .. }
        | DriveError::Evidence { .. }
        | DriveError::Panicked(_) => exit::ERROR,
    }
}

/// The exit code that errors come to: an interruption first. `None` without any.
pub(super) fn code_of_all<'a>(errors: impl IntoIterator<Item = &'a DriveError>) -> Option<u8> {
    let codes: Vec<u8> = errors.into_iter().map(code_of).collect();
    [exit::INTERRUPTED, exit::ERROR, exit::UNAVAILABLE, exit::USAGE]
        .into_iter()
        .find(|code| codes.contains(code))
}
