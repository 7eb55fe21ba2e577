//! A ledger: its builds in order with their colours, and what does not fit together.

use std::fmt::Write as _;

use owo_colors::Style as Ink;
use serde_json::json;

use super::Style;
use super::markdown::cell;
use super::terminal::paint;
use crate::ledger::{Build, Contradiction, Entry, chronicle};
use kubeclash_timeline::Label;

/// Letters where there are no colours.
fn letter(verdict: Option<Label>) -> &'static str {
    match verdict {
        Some(Label::Green) => "G",
        Some(Label::Red) => "R",
        Some(Label::Black) => "B",
        None => "-",
    }
}

fn square(verdict: Option<Label>, style: &Style) -> String {
    if !(style.colour && style.unicode) {
        return letter(verdict).to_owned();
    }
    match verdict {
        Some(Label::Green) => paint("■", Ink::new().truecolor(0xc5, 0xf0, 0x15), style),
        Some(Label::Red) => paint("■", Ink::new().truecolor(0xf0, 0x3c, 0x15), style),
        // Black on a dark terminal is nothing: a frame shows on both.
        Some(Label::Black) => paint("▣", Ink::new().bright_black(), style),
        None => "□".to_owned(),
    }
}

fn legend(style: &Style) -> String {
    let known = [Label::Green, Label::Red, Label::Black];
    let mut told: Vec<String> = known
        .iter()
        .map(|label| format!("{} {label}: {}", square(Some(*label), style), label.meaning()))
        .collect();
    told.push(format!("{} no verdict", square(None, style)));
    told.join("\n") + "\n"
}

fn counts(entries: &[Entry], builds: usize) -> String {
    let of = |verdict: Option<Label>| entries.iter().filter(|entry| entry.verdict == verdict).count();
    format!(
        "{} of {}: {} green, {} red, {} black, {} without a verdict",
        plural(entries.len(), "run"),
        plural(builds, "build"),
        of(Some(Label::Green)),
        of(Some(Label::Red)),
        of(Some(Label::Black)),
        of(None)
    )
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// What a person reads on a terminal.
#[must_use]
pub fn text(entries: &[Entry], contradictions: &[Contradiction], style: &Style) -> String {
    let builds = chronicle(entries);
    let strip: Vec<String> = builds
        .iter()
        .map(|build| build.runs.iter().map(|run| square(run.verdict, style)).collect())
        .collect();
    let mut text = format!("{}\n{}\n\n", counts(entries, builds.len()), strip.join(" "));
    text.push_str(&legend(style));
    text.push('\n');
    let name = builds
        .iter()
        .map(|build| build.name.chars().count())
        .max()
        .unwrap_or(0)
        .min(20);
    let date = width(entries, |entry| entry.date.as_deref());
    let runner = width(entries, |entry| entry.runner.as_deref());
    for Build { name: build, runs } in &builds {
        for (at, run) in runs.iter().enumerate() {
            let shown = if at == 0 { cut(build, name) } else { String::new() };
            let commit = run.short_commit().unwrap_or("-");
            let more = if run.commits.len() > 1 { "+" } else { " " };
            let _ = write!(text, "{shown:<name$}  {}  ", square(run.verdict, style));
            let rest = format!(
                "{commit:<8}{more}  {:<date$}  {:<runner$}  {}",
                run.date.as_deref().unwrap_or("-"),
                run.runner.as_deref().unwrap_or("-"),
                cut(
                    &run.title,
                    style.columns().saturating_sub(name + date + runner + 20).max(20)
                )
            );
            text.push_str(style.fit(&rest).trim_end());
            text.push('\n');
        }
    }
    if !contradictions.is_empty() {
        let _ = write!(text, "\n{}:\n", plural(contradictions.len(), "contradiction"));
        for one in contradictions {
            let kind = paint(&format!("[{}]", one.kind), Ink::new().yellow(), style);
            let _ = writeln!(text, "  {kind} {}", style.fit(&one.sentence));
        }
    }
    text
}

fn width(entries: &[Entry], of: impl Fn(&Entry) -> Option<&str>) -> usize {
    let widths = entries
        .iter()
        .filter_map(|entry| Some(of(entry)?.chars().count()));
    widths.max().unwrap_or(1)
}

/// A text that fits into some columns.
fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let head: String = text.chars().take(columns.saturating_sub(1)).collect();
    format!("{}…", head.trim_end())
}

/// A page: a table of the runs, and a list of what does not fit.
#[must_use]
pub fn markdown(entries: &[Entry], contradictions: &[Contradiction]) -> String {
    let builds = chronicle(entries);
    let mut text = format!("## Ledger\n\n{}\n\n", counts(entries, builds.len()));
    text.push_str("| build | verdict | commit | date of run | runner | reached | figures | evidence |\n|---|---|---|---|---|---|---|---|\n");
    for run in builds.iter().flat_map(|build| &build.runs) {
        let label = match run.verdict {
            Some(Label::Green) => "🟢 green",
            Some(Label::Red) => "🔴 red",
            Some(Label::Black) => "⚫ black",
            None => "–",
        };
        let figures: Vec<String> = run
            .figures
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        let commits: Vec<&str> = run
            .commits
            .iter()
            .map(|commit| commit.get(..8).unwrap_or(commit))
            .collect();
        let _ = writeln!(
            text,
            "| {} | {label} | {} | {} | {} | {} | {} | {} |",
            cell(&run.build),
            cell(&commits.join(", ")),
            cell(run.date.as_deref().unwrap_or("–")),
            cell(run.runner.as_deref().unwrap_or("–")),
            run.reached.map_or("–".to_owned(), |step| cell(step.name())),
            cell(&figures.join("; ")),
            cell(&run.evidence.join("; "))
        );
    }
    if !contradictions.is_empty() {
        let _ = write!(
            text,
            "\n### Contradictions\n\n| kind | what does not fit |\n|---|---|\n"
        );
        for one in contradictions {
            let _ = writeln!(text, "| {} | {} |", one.kind, cell(&one.sentence));
        }
    }
    text
}

/// JSON lines: the runs in the order of their builds, then what does not fit.
#[must_use]
pub fn json(entries: &[Entry], contradictions: &[Contradiction]) -> String {
    let builds = chronicle(entries);
    let runs = builds
        .iter()
        .flat_map(|build| &build.runs)
        .map(|run| json!({"run": run}));
    let wrong = contradictions.iter().map(|one| json!({"contradiction": one}));
    runs.chain(wrong).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        let run = |build: &str, verdict| Entry {
            build: build.to_owned(),
            verdict,
            title: format!("{build} | <b>"),
            ..Entry::default()
        };
        vec![
            run("06/18", Some(Label::Red)),
            run("05/21", Some(Label::Green)),
            run("06/18", None),
        ]
    }

    #[test]
    fn builds_stand_in_order_with_a_letter_or_a_colour_a_run() {
        let plain = text(&entries(), &[], &Style::default());
        assert!(
            plain.starts_with("3 runs of 2 builds: 1 green, 1 red, 0 black, 1 without a verdict\nG R-\n"),
            "{plain}"
        );
        assert!(
            plain.contains("\n05/21  G  ") && plain.contains("\n       -  "),
            "{plain}"
        );
        let coloured = text(
            &entries(),
            &[],
            &Style {
                colour: true,
                ..Style::default()
            },
        );
        assert!(coloured.contains("\u{1b}[38;2;240;60;21m■"), "{coloured:?}");
    }

    #[test]
    fn a_table_is_not_broken_by_what_is_in_it() {
        let mut all = entries();
        all[0].build = "a|b".to_owned();
        assert!(markdown(&all, &[]).contains("| a\\|b | 🔴 red |"));
        assert_eq!(json(&all, &[]).lines().count(), 3);
    }
}
