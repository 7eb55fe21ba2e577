//! What a person reads when a load test has ended: how, the most important figures, each step, and what misses its
//! objective.

use owo_colors::{OwoColorize, Style as Ink};

use super::sheet::{Cell, Mark, Sheet, Table};
use crate::report::Style;
use kubeclash_load::LoadRun;

/// The columns of the steps that have room on a terminal, by their heads.
const STEPS: [&str; 7] = [
    "",
    "step",
    "time",
    "late",
    "requests",
    "mutating p99",
    "running, peak",
];

/// How many of what misses its objective are shown.
const MISSED: usize = 5;

/// A run, as text.
#[must_use]
pub fn summary(run: &LoadRun, style: &Style) -> String {
    let sheet = Sheet::of(run);
    let label = sheet
        .label
        .map(|(label, _)| format!(", {label}"))
        .unwrap_or_default();
    let outcome = paint(&sheet.outcome, Some(sheet.mark), style);
    let mut text = format!("{}: {outcome}{label}: {}\n", sheet.title, sheet.why);
    let width = sheet
        .facts
        .iter()
        .map(|(what, _)| what.len())
        .max()
        .unwrap_or_default();
    for (what, value) in &sheet.facts {
        text.push_str(&format!("  {what:<width$}  {value}\n"));
    }
    let named = |title| sheet.tables.iter().find(|table: &&Table| table.title == title);
    if let Some(steps) = named("Steps") {
        text.push_str(&columns(steps, &STEPS, style));
    }
    let missed = named("API latency").into_iter().flat_map(|table| &table.rows);
    let missed = missed.filter(|row| row.iter().any(|cell| cell.mark == Some(Mark::Bad)));
    for row in missed.clone().take(MISSED) {
        let [request, count, .., objective, _, _] = &row[..] else {
            continue;
        };
        let p99 = &row[5].text;
        text.push_str(&format!(
            "{} {}: p99 {p99} of {} requests, objective {}\n",
            paint("missed", Some(Mark::Bad), style),
            request.text,
            count.text,
            objective.text
        ));
    }
    let more = missed.count().saturating_sub(MISSED);
    if more > 0 {
        text.push_str(&format!(
            "and {more} more kinds of request miss their objective\n"
        ));
    }
    for why in &sheet.missing {
        text.push_str(&format!(
            "{} {why}\n",
            paint("not measured:", Some(Mark::Unclear), style)
        ));
    }
    text
}

/// Some columns of a table, each as wide as its widest cell.
fn columns(table: &Table, names: &[&str], style: &Style) -> String {
    let wanted = names
        .iter()
        .filter_map(|name| table.columns.iter().position(|column| column.name == *name));
    let wanted: Vec<usize> = wanted.collect();
    let heads: Vec<Cell> = table
        .columns
        .iter()
        .map(|column| Cell::new(column.name))
        .collect();
    let rows = || std::iter::once(&heads).chain(&table.rows);
    let wide = |at: usize| {
        rows()
            .map(|row| row[at].text.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = wanted.iter().map(|&at| wide(at)).collect();
    let mut text = String::new();
    for row in rows() {
        let cells = wanted.iter().zip(&widths).map(|(&at, &width)| {
            let cell = &row[at];
            let padded = if table.columns[at].number {
                format!("{:>width$}", cell.text)
            } else {
                format!("{:<width$}", cell.text)
            };
            paint(&padded, cell.mark, style)
        });
        text.push_str(&format!(
            "  {}\n",
            cells.collect::<Vec<_>>().join("  ").trim_end()
        ));
    }
    text
}

fn paint(text: &str, mark: Option<Mark>, style: &Style) -> String {
    let ink = match mark {
        Some(Mark::Good) => Ink::new().green(),
        Some(Mark::Bad) => Ink::new().red(),
        Some(Mark::Unclear) => Ink::new().yellow(),
        None => return text.to_owned(),
    };
    if style.colour {
        text.style(ink).to_string()
    } else {
        text.to_owned()
    }
}
