//! What is to be shown of a run of the load test, before it is Markdown or HTML.

use serde::Serialize;

use super::words::{bytes, count, ms, per_second};
use super::{charts, tables};
use crate::report::seconds;
use kubeclash_load::LoadRun;
use kubeclash_load::measure::measured::CallKind;
use kubeclash_load::run::LoadOutcome;
use kubeclash_timeline::Label;

/// Everything that is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sheet {
    /// What it was a run of.
    pub title: String,
    /// How it ended.
    pub outcome: String,
    /// Whether that is good.
    pub mark: Mark,
    /// What the run says of its build, and in which colour; empty where it was not judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<(Label, &'static str)>,
    /// Why it ended so, or is labelled so.
    pub why: String,
    /// When, and with what.
    pub with: String,
    /// The most important figures: what, and how much.
    pub facts: Vec<(&'static str, String)>,
    /// What could not be measured.
    pub missing: Vec<String>,
    /// How long the run was, milliseconds.
    pub length_ms: u64,
    /// The steps, as spans of time.
    pub bands: Vec<Band>,
    /// What befell the API server's pod: when, milliseconds, and what.
    pub events: Vec<(u64, String)>,
    /// Curves over the steps.
    pub charts: Vec<Chart>,
    /// All figures.
    pub tables: Vec<Table>,
    /// The profile, as it was read.
    pub profile: String,
}

/// A step, as a span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Band {
    /// Its place, counted from 1.
    pub number: usize,
    /// Its name.
    pub name: &'static str,
    /// When it began, milliseconds.
    pub from: u64,
    /// When it ended.
    pub to: u64,
    /// Whether it waited for something in vain.
    pub late: bool,
}

/// Some curves over the same time and with the same unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chart {
    /// What is shown.
    pub name: &'static str,
    /// In which unit.
    pub unit: &'static str,
    /// The greatest value that has room.
    pub top: f64,
    /// A bound that is held against, where it has room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<(f64, &'static str)>,
    /// The curves.
    pub lines: Vec<Line>,
}

/// A curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Of what.
    pub what: String,
    /// Its greatest value.
    pub peak: f64,
    /// Moments, milliseconds, with values.
    pub points: Vec<(u64, f64)>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// What it has.
    pub title: &'static str,
    /// What is to be said of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The heads of its columns.
    pub columns: Vec<Column>,
    /// Its rows, the most important first.
    pub rows: Vec<Vec<Cell>>,
    /// How many of them are shown at once; the others when they are asked for.
    pub shown: usize,
}

/// The head of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Column {
    /// What is in it.
    pub name: &'static str,
    /// Whether that is a number.
    pub number: bool,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// What it says.
    pub text: String,
    /// Whether that is good or bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
}

/// What one thinks of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Neither.
    Unclear,
}

impl Cell {
    /// A cell without a mark.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            mark: None,
        }
    }

    /// A cell that says whether something holds.
    pub(super) fn judged(text: impl Into<String>, holds: bool) -> Self {
        Self {
            text: text.into(),
            mark: Some(if holds { Mark::Good } else { Mark::Bad }),
        }
    }

    /// A count that is zero where all is well.
    pub(super) fn trouble(number: u64) -> Self {
        Self {
            text: count(number),
            mark: (number > 0).then_some(Mark::Bad),
        }
    }
}

impl Sheet {
    /// What is to be shown of a run.
    #[must_use]
    pub fn of(run: &LoadRun) -> Self {
        let components = run
            .components
            .iter()
            .map(|(name, part)| format!("{name} {}", part.version));
        let started = run.started.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        Self {
            title: format!(
                "Load test {}: {} nodes",
                run.profile.name,
                count(run.nodes as u64)
            ),
            outcome: run.outcome.to_string(),
            mark: match run.outcome {
                LoadOutcome::Completed => Mark::Good,
                LoadOutcome::CompletedWithTimeouts => Mark::Unclear,
                LoadOutcome::Aborted => Mark::Bad,
            },
            label: run.label.map(|label| (label, label.colour())),
            why: run.why.clone(),
            with: std::iter::once(started)
                .chain(components)
                .collect::<Vec<_>>()
                .join(" · "),
            facts: facts(run),
            missing: run.measured.missing.clone(),
            length_ms: length(run),
            bands: bands(run),
            events: run
                .liveness
                .iter()
                .map(|event| (event.t_ms, event.what.clone()))
                .collect(),
            charts: charts::of(run),
            tables: tables::of(run),
            profile: run.profile.yaml.clone(),
        }
    }
}

fn length(run: &LoadRun) -> u64 {
    let ends = run.steps.iter().filter_map(|step| step.ended_ms);
    ends.chain([run.elapsed_ms]).max().unwrap_or_default()
}

fn bands(run: &LoadRun) -> Vec<Band> {
    let end = length(run);
    let band = |step: &kubeclash_load::run::StepRecord| Band {
        number: step.step.number(),
        name: step.step.name(),
        from: step.started_ms,
        to: step.ended_ms.unwrap_or(end).max(step.started_ms),
        late: step.late_total > 0,
    };
    run.steps.iter().map(band).collect()
}

fn facts(run: &LoadRun) -> Vec<(&'static str, String)> {
    let measured = &run.measured;
    let pods = &measured.pods;
    let ended = run.steps.iter().filter(|step| step.ended_ms.is_some()).count();
    let mut facts = vec![
        ("time", seconds(run.elapsed_ms)),
        ("steps ended", format!("{ended} of 13, up to \"{}\"", run.reached)),
        (
            "pods",
            format!(
                "{} made, at most {} at once",
                count(pods.created),
                count(pods.peak_running)
            ),
        ),
        (
            "scheduled",
            format!(
                "{} on average, at most {}",
                per_second(pods.schedule_rate.mean_per_s),
                per_second(pods.schedule_rate.peak_1s as f64)
            ),
        ),
    ];
    if let Some(took) = pods.start_up {
        facts.push((
            "start-up p50, p99",
            format!("{}, {}", ms(took.p50_ms), ms(took.p99_ms)),
        ));
    }
    for (kind, name) in [
        (CallKind::Mutating, "mutating p99"),
        (CallKind::Read, "read p99"),
        (CallKind::List, "list p99"),
    ] {
        if let Some(took) = measured.latency.kinds.get(&kind) {
            facts.push((name, ms(took.p99_ms)));
        }
    }
    let (rejected, timeouts) = (measured.requests.rejections(), measured.requests.timeouts());
    facts.extend([
        ("requests", count(measured.requests.total)),
        (
            "rejected, timed out",
            format!("{}, {}", count(rejected), count(timeouts)),
        ),
        (
            "etcd at most",
            format!(
                "{}, {} keys",
                bytes(measured.etcd.peak_db_bytes),
                count(measured.etcd.peak_keys)
            ),
        ),
        ("took too long", count(measured.took_too_long.total)),
    ]);
    if measured.latency.restarts > 0 {
        facts.push(("API server restarts", count(measured.latency.restarts)));
    }
    facts
}
