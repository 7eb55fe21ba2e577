//! `kubeclash run`: arms side by side, and what is said of them.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, ValueEnum};
use futures::FutureExt;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Failure;
use super::flags::RunFlags;
use crate::cases::{self, Case};
use crate::drive::{DriveError, Finished, Plan, drive};
use crate::evidence::Outcome;
use crate::exit;
use crate::interrupt;
use crate::progress::Progress;
use crate::report::{Picture, Style, Summary, json, markdown, terminal};
use crate::scenario::Arm;
use crate::session::{Session, Settings};
use crate::verdict::Expect;

/// Run cases, and say which failures were observed.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  kubeclash run c7\n  kubeclash run c5 c8 --arm broken --pace recorded\n  \
                        kubeclash run '*loop' --scheduler path:./kube-scheduler\n  kubeclash run --format markdown >> \"$GITHUB_STEP_SUMMARY\""
)]
pub struct RunArgs {
    /// Which cases: an id (c7), a name, or a glob; all by default
    #[arg(value_name = "CASE")]
    pub cases: Vec<String>,
    /// Which arms
    #[arg(long, value_enum, default_value_t = Arms::Both)]
    pub arm: Arms,
    /// How many arms run side by side [default: two a core, as far as memory goes]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    /// How results are printed
    #[arg(long, value_enum, default_value_t = RunFormat::Text)]
    pub format: RunFormat,
    /// What is run, and on what
    #[command(flatten)]
    pub flags: RunFlags,
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

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RunFormat {
    /// For people, with pictures.
    Text,
    /// One JSON object a line and arm.
    Json,
    /// For a GitHub step summary, when everything has ended.
    Markdown,
}

/// Runs what was asked for, and gives the exit code.
///
/// # Errors
/// When nothing was selected, or there are no components.
pub async fn run(args: &RunArgs, progress: &Progress, style: &Style) -> Result<u8, Failure> {
    let selected = selected(args)?;
    let settings = args.flags.settings();
    for case in &cases::ALL {
        if selected.iter().any(|(chosen, ..)| chosen.folder == case.folder) {
            // Mistakes in a case's files are told before anything is fetched or built.
            cases::load(case, settings.manifests.as_deref())
                .map_err(|e| Failure::with_help(exit::USAGE, e.to_string(), where_from(&settings)))?;
        }
    }
    hint_at_leftovers(progress);
    let started = Instant::now();
    let interrupt = interrupt::token();
    let session = tokio::select! {
        session = Session::open(settings, progress) => session.map_err(|e| failure(e.into()))?,
        () = interrupt.cancelled() => return Err(failure(DriveError::Interrupted)),
    };
    let plans: Vec<Plan> = selected
        .into_iter()
        .map(|(case, arm, variant)| session.plan(case, arm, variant, Expect::of(arm)))
        .collect();
    let jobs = args.jobs.map_or_else(default_jobs, usize::from);
    let mut results = side_by_side(plans, jobs, progress, |finished| {
        print(args.format, finished, progress, style)
    })
    .await;
    results.sort_by_key(|result| result.order);
    let mut outcomes = Vec::new();
    let mut pictures = Vec::new();
    let mut errors = Vec::new();
    for result in results {
        match result.end {
            Ok(finished) => {
                pictures.push(Picture::of(&finished.timeline));
                outcomes.push(finished.outcome);
            }
            Err(error) => errors.push((result.title, error)),
        }
    }
    let told: Vec<(String, String)> = errors
        .iter()
        .map(|(title, error)| (title.clone(), error.to_string()))
        .collect();
    let summary = Summary {
        outcomes: &outcomes,
        errors: &told,
        took: started.elapsed(),
    };
    let picture = |outcome: &Outcome| {
        let at = outcomes
            .iter()
            .position(|other| other.evidence == outcome.evidence)?;
        Some(pictures[at].clone())
    };
    match args.format {
        RunFormat::Text => super::say(&terminal::summary(&summary, style)),
        RunFormat::Markdown => super::say(&markdown::report(&summary, picture)),
        RunFormat::Json => {}
    }
    Ok(code(
        &outcomes,
        &errors.into_iter().map(|(_, error)| error).collect::<Vec<_>>(),
    ))
}

/// Where a case's files were read, if not from the built-in ones.
fn where_from(settings: &Settings) -> Option<String> {
    let dir = settings.manifests.as_ref()?;
    Some(format!(
        "--manifests says that cases are in \"{}\": a folder each, with a case.yaml",
        dir.display()
    ))
}

type Selected = (&'static Case, Arm, Option<&'static str>);

fn selected(args: &RunArgs) -> Result<Vec<Selected>, Failure> {
    for word in &args.cases {
        if !cases::ALL.iter().any(|case| case.is_called(word)) {
            let known: Vec<&str> = cases::ALL.iter().map(Case::id).collect();
            let message = format!(
                "no case is called \"{word}\": there are {} (see \"kubeclash list\")",
                known.join(", ")
            );
            return Err(Failure::new(exit::NOTHING, message));
        }
    }
    let chosen = cases::ALL
        .iter()
        .filter(|case| args.cases.is_empty() || args.cases.iter().any(|word| case.is_called(word)));
    let arms = Arm::ALL.into_iter().filter(|arm| match args.arm {
        Arms::Both => true,
        Arms::Broken => *arm == Arm::Broken,
        Arms::Control => *arm == Arm::Control,
    });
    let arms: Vec<Arm> = arms.collect();
    Ok(chosen
        .flat_map(|case| case.variants.iter().map(move |variant| (case, *variant)))
        .flat_map(|(case, variant)| arms.iter().map(move |arm| (case, *arm, variant)))
        .collect())
}

/// What the control plane of one arm takes of memory, with some to spare: about 600 MiB were seen.
pub(super) const ARM_MEMORY: u64 = 700 << 20;

/// Two arms a core: they mostly wait. Fewer where there is no memory for so many.
pub(super) fn default_jobs() -> usize {
    use sysinfo::{MemoryRefreshKind, RefreshKind, System};
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let system = System::new_with_specifics(
        RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram()),
    );
    let room = usize::try_from(system.available_memory() / ARM_MEMORY).unwrap_or(usize::MAX);
    (2 * cores).min(room).max(1)
}

fn hint_at_leftovers(progress: &Progress) {
    let left = crate::rundir::killed_runs();
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

struct Ended {
    /// The place among the arms that were asked for.
    order: usize,
    title: String,
    end: Result<Finished, DriveError>,
}

/// Runs the plans, longest first, at most `jobs` at a time; `ended` is told of each as it ends.
async fn side_by_side(
    plans: Vec<Plan>,
    jobs: usize,
    progress: &Progress,
    mut ended: impl FnMut(&Ended),
) -> Vec<Ended> {
    let slots = Arc::new(Semaphore::new(jobs));
    let mut queue: Vec<(usize, Plan)> = plans.into_iter().enumerate().collect();
    // The whole takes as long as its longest arm, if that one does not start last.
    queue.sort_by_cached_key(|(_, plan)| std::cmp::Reverse(weight(plan)));
    let mut running = JoinSet::new();
    for (order, plan) in queue {
        let (slots, progress) = (Arc::clone(&slots), progress.clone());
        running.spawn(async move {
            let title = title(&plan);
            let slot = slots.acquire_owned().await;
            let interrupt = interrupt::token();
            if interrupt.is_cancelled() {
                return Ended {
                    order,
                    title,
                    end: Err(DriveError::Interrupted),
                };
            }
            let task = progress.task(title.clone());
            let end = AssertUnwindSafe(drive(&plan, &interrupt, &|now| task.say(now)))
                .catch_unwind()
                .await
                .unwrap_or_else(|panic| Err(DriveError::Panicked(words(&*panic))));
            drop(slot);
            Ended { order, title, end }
        });
    }
    let mut all = Vec::new();
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok(one) => {
                ended(&one);
                all.push(one);
            }
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
    all
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a word")
        .to_owned()
}

fn title(plan: &Plan) -> String {
    let id = plan.case.id();
    plan.variant.map_or_else(
        || format!("{id} {}", plan.arm),
        |variant| format!("{id} {} ({variant})", plan.arm),
    )
}

/// Roughly how long an arm takes, in recorded seconds.
fn weight(plan: &Plan) -> u64 {
    let Ok(folder) = cases::load(plan.case, plan.manifests.as_deref()) else {
        return 0;
    };
    match plan.arm {
        Arm::Broken => folder.card.needs.as_secs(),
        Arm::Control => folder.card.needs.as_secs() * 2,
    }
}

fn print(format: RunFormat, ended: &Ended, progress: &Progress, style: &Style) {
    let Ok(finished) = &ended.end else {
        if let Err(error) = &ended.end {
            progress.println(told(&ended.title, error));
        }
        return;
    };
    let text = match format {
        RunFormat::Text => {
            terminal::arm(&finished.outcome, Some(&Picture::of(&finished.timeline)), style) + "\n"
        }
        RunFormat::Json => json::line(&finished.outcome) + "\n",
        RunFormat::Markdown => return,
    };
    progress.suspend(|| super::say(&text));
}

fn failure(error: DriveError) -> Failure {
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
fn told(title: &str, error: &DriveError) -> String {
    let failure = Failure::with_help(code_of(error), format!("{title}: {error}"), error.help());
    format!("error: {:?}", failure.report).trim_end().to_owned()
}

fn code_of(error: &DriveError) -> u8 {
    match error {
        DriveError::Interrupted => exit::INTERRUPTED,
        DriveError::Provider(_) | DriveError::Component(_) => exit::UNAVAILABLE,
        DriveError::Library(_) | DriveError::NoFile { .. } => exit::USAGE,
        DriveError::Recorder(_)
        | DriveError::Step { .. }
        | DriveError::Evidence { .. }
        | DriveError::Panicked(_) => exit::ERROR,
    }
}

/// The exit code of a whole run: an interruption before errors before verdicts.
fn code(outcomes: &[Outcome], errors: &[DriveError]) -> u8 {
    let codes: Vec<u8> = errors.iter().map(code_of).collect();
    for first in [exit::INTERRUPTED, exit::ERROR, exit::UNAVAILABLE, exit::USAGE] {
        if codes.contains(&first) {
            return first;
        }
    }
    if outcomes
        .iter()
        .any(|outcome| !outcome.ok && outcome.verdict != "inconclusive")
    {
        exit::DIFFERED
    } else if outcomes.iter().any(|outcome| outcome.verdict == "inconclusive") {
        exit::INCONCLUSIVE
    } else {
        exit::EXPECTED
    }
}
