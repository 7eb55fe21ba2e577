//! Markdown, fit for a job summary of GitHub Actions: the figures, and all tables; drawings are the HTML page's.

use super::sheet::{Cell, Column, Mark, Sheet, Table};
use crate::report::markdown::{cell, fenced, prose};
use kubeclash_load::LoadRun;

/// A run, as Markdown.
#[must_use]
pub fn report(run: &LoadRun) -> String {
    let sheet = Sheet::of(run);
    let label = sheet
        .label
        .map(|(label, _)| format!(", {label}: {}", label.meaning()));
    let mut text = format!(
        "## {}\n\n**{}**{}: {}\n\n{}\n\n",
        prose(&sheet.title),
        sheet.outcome,
        label.unwrap_or_default(),
        prose(&sheet.why),
        prose(&sheet.with)
    );
    text.push_str("| figure | |\n|---|---|\n");
    for (what, value) in &sheet.facts {
        text.push_str(&format!("| {what} | {} |\n", cell(value)));
    }
    if !sheet.events.is_empty() {
        text.push_str("\n### API server's pod\n\n");
        for (t, what) in &sheet.events {
            let t = crate::report::seconds(*t);
            text.push_str(&format!("- {t}: {}\n", prose(what)));
        }
    }
    if !sheet.missing.is_empty() {
        text.push_str("\n### Not measured\n\n");
        for why in &sheet.missing {
            text.push_str(&format!("- {}\n", prose(why)));
        }
    }
    text.extend(sheet.tables.iter().map(table));
    if !sheet.profile.is_empty() {
        let profile = fenced(&sheet.profile);
        text.push_str(&format!(
            "\n<details><summary>Profile</summary>\n\n{profile}\n</details>\n"
        ));
    }
    text
}

fn table(table: &Table) -> String {
    let mut text = format!("\n### {}\n\n", table.title);
    if !table.note.is_empty() {
        text.push_str(&format!("{}\n\n", prose(&table.note)));
    }
    let (shown, folded) = table.rows.split_at(table.shown.min(table.rows.len()));
    text.push_str(&rows(&table.columns, shown));
    if !folded.is_empty() {
        let rows = rows(&table.columns, folded);
        let more = folded.len();
        text.push_str(&format!(
            "\n<details><summary>{more} more</summary>\n\n{rows}\n</details>\n"
        ));
    }
    text
}

fn rows(columns: &[Column], rows: &[Vec<Cell>]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(columns.iter().map(|column| cell(column.name)).collect());
    let rule = columns
        .iter()
        .map(|column| if column.number { "--:" } else { "---" });
    text.push_str(&format!("|{}|\n", rule.collect::<Vec<_>>().join("|")));
    for row in rows {
        text.push_str(&line(row.iter().map(shown).collect()));
    }
    text
}

/// What is not as it should be stands out.
fn shown(one: &Cell) -> String {
    match one.mark {
        Some(Mark::Bad) => format!("**{}**", cell(&one.text)),
        Some(Mark::Good | Mark::Unclear) | None => cell(&one.text),
    }
}
