//! `kubeclash replay`: judges a recorded timeline again, without a cluster.
//!
//! A replay proves the judge, not the failure: its output says so, and has no `ok` that a script could count.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use owo_colors::Style as Ink;
use serde_json::json;

use super::cases::CasesFlags;
use crate::case::CaseError;
use crate::evidence::TIMELINE;
use crate::report::{Picture, Style, terminal};
use kubeclash_timeline::{Expect, FormatError, Header, Judgement, Recorded, Timeline, Verdict, read};

/// What judges the timelines of an arm: a pure function.
pub struct Judge {
    /// What is said of a timeline.
    pub judge: Box<dyn Fn(&Timeline) -> Judgement>,
    /// What the arm is expected to end with.
    pub expected: Expect,
}

/// Judge a recorded timeline again, without a cluster.
///
/// The same judge as of a live run reads the file. That proves the judge, not the failure: a replay never counts as
/// a reproduction. A file that was cut off is read as far as it goes.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  \
    kubeclash replay target/evidence/c7_taint_recreate_loop/broken/<run>/timeline.jsonl\n  \
    kubeclash replay --format json timeline.jsonl | jq .facts")]
pub struct ReplayArgs {
    /// The timeline: a timeline.jsonl of the evidence, or its folder
    #[arg(value_name = "TIMELINE")]
    pub timeline: PathBuf,

    /// Where cases are found
    #[command(flatten)]
    pub cases: CasesFlags,

    /// How the judgement is printed
    #[arg(long, value_enum, default_value_t = ReplayFormat::Text)]
    pub format: ReplayFormat,
}

/// How a replay is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReplayFormat {
    /// For people, with a picture.
    Text,
    /// One JSON object on one line.
    Json,
}

/// A replay: what a judge says of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// What the judge says.
    pub verdict: Verdict,
    /// What this arm is expected to end with.
    pub expected: Expect,
    /// Whether it does.
    pub agrees: bool,
    /// What the file lacks, in words; `None` for a complete one.
    pub cut: Option<String>,
}

/// Why there was no replay.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file is no timeline that can be read.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The case beside the timeline has mistakes.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// Nothing here judges such a timeline.
    #[error("\"{}\" is a timeline of \"{case}\", a case that this kubeclash does not have: see \"kubeclash list\"", .path.display())]
    NoJudge {
        /// The file.
        path: PathBuf,
        /// Its case, with the variant.
        case: String,
    },
    /// The judgement can't be printed.
    #[error("failed to print the judgement")]
    Print(#[source] std::io::Error),
}

/// Reads a timeline, judges it and prints what came of it.
///
/// `judge_of` finds the judge for a header. An arm is expected to end as it would live: broken with `reproduced`,
/// control with `absent`. Where the file lacks its end, an `absent` is taken back: what it would have been seen in
/// is missing.
///
/// # Errors
/// When the file can't be read or is of another version, when its case is unknown or has mistakes, or `out` can't be written.
pub fn replay(
    args: &ReplayArgs,
    judge_of: impl Fn(&Path, &Header) -> Result<Option<Judge>, CaseError>,
    style: &Style,
    out: &mut impl Write,
) -> Result<Replay, ReplayError> {
    let path = if args.timeline.is_dir() {
        args.timeline.join(TIMELINE)
    } else {
        args.timeline.clone()
    };
    let Recorded { timeline, cut } = read(&path)?;
    let header = &timeline.header;
    let Judge { judge, expected } = judge_of(&path, header)?.ok_or_else(|| ReplayError::NoJudge {
        path: path.clone(),
        case: header.arm_id().case_name(),
    })?;
    let cut = cut.or_else(|| timeline.broken_off());
    let judgement = judge(&timeline);
    let replayed = Replay {
        expected,
        agrees: expected.met_by(&judgement.verdict),
        verdict: judgement.verdict.clone(),
        cut,
    };
    let text = match args.format {
        ReplayFormat::Text => text(&path, &timeline, &judgement, &replayed, style),
        ReplayFormat::Json => line(&path, &timeline, &judgement, &replayed),
    };
    out.write_all(text.as_bytes()).map_err(ReplayError::Print)?;
    Ok(replayed)
}

/// The verdict's own reason where there is one: it says what the sentence of the judge does not.
fn why(judgement: &Judgement) -> &str {
    match &judgement.verdict {
        Verdict::Inconclusive(reason) => reason,
        _ => &judgement.why,
    }
}

fn text(
    path: &std::path::Path,
    timeline: &Timeline,
    judgement: &Judgement,
    replayed: &Replay,
    style: &Style,
) -> String {
    let header = &timeline.header;
    let ink = match (&judgement.verdict, replayed.agrees) {
        (_, true) => Ink::new().green().bold(),
        (Verdict::Inconclusive(_), _) => Ink::new().yellow().bold(),
        _ => Ink::new().red().bold(),
    };
    let expectation = if replayed.agrees {
        "as expected".to_owned()
    } else {
        format!("UNEXPECTED: {} was expected", replayed.expected)
    };
    let mut text = format!(
        "replay of {}: {}, {expectation}\n",
        terminal::paint(&header.arm_id().to_string(), Ink::new().bold(), style),
        terminal::paint(judgement.verdict.name(), ink, style),
    );
    let mut line = |label: &str, value: &str| text.push_str(&terminal::labelled(label, value, style));
    line("why", why(judgement));
    if let Some(fight) = &judgement.fight {
        line("fight", fight);
    }
    if let Some(cut) = &replayed.cut {
        line(
            "cut",
            &format!(
                "{cut}; what is there was judged, up to {:.1} s",
                timeline.end().as_secs_f64()
            ),
        );
    }
    text.push_str(&terminal::framed(&Picture::of(timeline), style));
    let mut line = |label: &str, value: &str| text.push_str(&terminal::labelled(label, value, style));
    if !judgement.facts.is_empty() {
        let facts = judgement.facts.iter();
        let facts: Vec<String> = facts
            .map(|(name, value)| crate::report::fact(name, value))
            .collect();
        line("facts", &facts.join(" · "));
    }
    line(
        "recorded",
        &format!("{} on {} at {} pace", header.date, header.provider, header.pace),
    );
    line("timeline", &path.display().to_string());
    line(
        "note",
        "a replay proves the judge, not the failure: it is no reproduction",
    );
    text
}

fn line(path: &std::path::Path, timeline: &Timeline, judgement: &Judgement, replayed: &Replay) -> String {
    let header = &timeline.header;
    let object = json!({
        "replay": true,
        "case": header.case,
        "arm": header.arm,
        "variant": header.variant,
        "verdict": judgement.verdict.name(),
        "expected": replayed.expected,
        "agrees": replayed.agrees,
        "cut": replayed.cut,
        "provider": header.provider,
        "pace": header.pace,
        "date": header.date,
        "components": header.components,
        "timeline": path,
        "why": why(judgement),
        "fight": judgement.fight,
        "attribution": judgement.attribution,
        "facts": judgement.facts,
    });
    format!("{object}\n")
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
