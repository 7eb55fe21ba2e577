//! What is to be shown of a run of the load test, before it is Markdown or HTML.

use serde::Serialize;

use super::words::count;
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
