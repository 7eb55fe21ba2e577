//! `kubeclash run`: arms side by side, and what is said of them.

use std::collections::BTreeSet;
use std::time::Instant;

use clap::{Args, ValueEnum};

use super::arms::{
    self, ArmFlags, ArmResult, Group, Selected, TimesFlags, code_of_all, hint_at_leftovers, side_by_side,
    told,
};
use super::expect::ExpectFlags;
use super::flags::RunFlags;
use super::report::{self, ReportFiles};
use super::shard::Shard;
use super::{Failure, notes};
use crate::evidence::{Evidence, Outcome};
use crate::exit;
use crate::expectation::Expectations;
use crate::report::{Attempt, HarnessFailure, Material, Picture, Style, json, junit, terminal};
use crate::session::Session;
use kubeclash_host::progress::Progress;

/// Run cases, and say which failures were observed.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  kubeclash run c7\n  kubeclash run c5 c8 --arm broken --pace recorded\n  \
                        kubeclash run '*loop' --scheduler path:./kube-scheduler\n  \
                        kubeclash run ./mine --with keeper=src:.\n  kubeclash run --format markdown >> \"$GITHUB_STEP_SUMMARY\"\n  \
                        kubeclash run --html report.html --junit junit.xml"
)]
pub struct RunArgs {
    /// Which arms
    #[command(flatten)]
    pub arms: ArmFlags,
    /// Only one of several parts, each for a machine of its own: every arm is in exactly one of 1/N to N/N
    #[arg(long, value_name = "K/N", default_value_t = Shard::WHOLE, hide_default_value = true)]
    pub shard: Shard,
    /// How often, and how many at once
    #[command(flatten)]
    pub times: TimesFlags,
    /// What is expected
    #[command(flatten)]
    pub expect: ExpectFlags,
    /// How results are printed
    #[arg(long, value_enum, default_value_t = RunFormat::Text)]
    pub format: RunFormat,
    /// What is written when everything has ended
    #[command(flatten)]
    pub reports: ReportFiles,
    /// What is run, and on what
    #[command(flatten)]
    pub flags: RunFlags,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RunFormat {
    /// For people, with pictures.
    Text,
    /// One JSON object a line and arm.
    Json,
    /// JUnit's XML, when everything has ended.
    Junit,
    /// For a GitHub step summary, when everything has ended.
    Markdown,
}

/// Runs what was asked for, and gives the exit code.
///
/// # Errors
/// When nothing was selected, or there are no components.
pub async fn run(args: &RunArgs, progress: &Progress, style: &Style) -> Result<u8, Failure> {
    let library = args.arms.library()?;
    let selected = args.arms.on(args.flags.provider, &library, progress)?;
    args.flags.with.fit(selected.iter().map(|chosen| &chosen.case))?;
    let expectations = args
        .expect
        .read(&library)
        .map_err(|why| Failure::new(exit::USAGE, why))?;
    args.reports.prepare()?;
    let mut settings = args.flags.settings();
    let jobs = args.times.jobs(settings.provider);
    settings.on_kind.at_once = jobs as u64;
    notes::of_policies(&settings.tuning.descheduler_policy, progress);
    notes::of_cases(selected.iter().map(|chosen| &chosen.case), &settings, progress);
    let of = selected.len();
    let selected = arms::part(selected, args.shard);
    if selected.is_empty() {
        // The other parts have them all: that is no mistake of whoever has cut too finely.
        progress.println(format!("shard {} is empty: there are {of} arms", args.shard));
        return Ok(exit::EXPECTED);
    }
    hint_at_leftovers(progress);
    let started = Instant::now();
    let session = arms::open(settings, progress).await?;
    let groups = groups(&session, &expectations, selected, progress);
    let print = |ended: &ArmResult| print(args.format, ended, progress, style);
    let results = side_by_side(groups, args.times.repeat, jobs, progress, print).await;
    session.close().await;
    let mut material = Material {
        took: started.elapsed(),
        ..Material::default()
    };
    let mut errors = Vec::new();
    for result in results {
        match result.end {
            Ok(finished) => material.arms.push(Evidence {
                outcome: finished.outcome,
                lacks: finished.timeline.broken_off(),
                timeline: Some(finished.timeline),
            }),
            Err(error) => {
                material.failures.push(HarnessFailure {
                    of: Attempt::Arm {
                        id: result.id,
                        run: result.run,
                    },
                    error: error.to_string(),
                });
                errors.push(error);
            }
        }
    }
    material.titles = report::titles(&material.arms, &library);
    let outcomes = material.outcomes();
    match args.format {
        RunFormat::Text => super::say(&terminal::summary(&material.summary(&outcomes), style)),
        RunFormat::Junit => super::say(&junit::report(&material)),
        RunFormat::Markdown => super::say(&report::markdown(&material)),
        RunFormat::Json => {}
    }
    let failed = code_of_all(&errors);
    let updates = args.expect.update_expect && failed != Some(exit::INTERRUPTED);
    if updates {
        for change in args.expect.update(&library, &session.versions(), &outcomes)? {
            progress.println(change);
        }
    }
    let code = failed.unwrap_or_else(|| code(&outcomes, updates));
    match args.reports.write(&material) {
        // Verdicts say more than a file that could not be written.
        Err(failure) if code != exit::EXPECTED => progress.println(format!("error: {:?}", failure.report)),
        written => written?,
    }
    Ok(code)
}

/// The arms with what is expected of each.
fn groups(
    session: &Session,
    expectations: &Expectations,
    selected: Vec<Selected>,
    progress: &Progress,
) -> Vec<Group> {
    let versions = session.versions();
    let mut notes = BTreeSet::new();
    let mut groups = Vec::new();
    for chosen in selected {
        let title = chosen.title();
        let Selected { case, id } = chosen;
        let usual = case.expected(id.arm, id.variant.as_deref());
        let decided = expectations.of(&case, id.arm, id.variant.as_deref(), &versions, usual);
        notes.extend(decided.notes);
        groups.push(Group {
            title,
            plan: session.plan(&case, id, decided.expected),
        });
    }
    for note in notes {
        progress.println(format!("note: {note}"));
    }
    groups
}

fn print(format: RunFormat, ended: &ArmResult, progress: &Progress, style: &Style) {
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
        RunFormat::Junit | RunFormat::Markdown => return,
    };
    progress.suspend(|| super::say(&text));
}

/// The exit code of arms that all have a verdict; a change that is written down is expected from now on.
fn code(outcomes: &[Outcome], written: bool) -> u8 {
    if !written && outcomes.iter().any(|outcome| outcome.change().is_some()) {
        exit::DIFFERED
    } else if outcomes.iter().any(|outcome| outcome.verdict.is_inconclusive()) {
        exit::INCONCLUSIVE
    } else {
        exit::EXPECTED
    }
}
