//! What a person reads when an arm ends, and when all have.

use owo_colors::{OwoColorize, Style as Ink};

use super::{Picture, Style, Summary, arm_names, facts, seconds};
use crate::evidence::Outcome;
use kubeclash_timeline::Verdict;

/// The columns that labels such as `why` and `facts` take.
const LABEL: usize = 10;

/// The columns of the longest verdict.
const VERDICT: usize = 12;

/// What is printed when an arm ends: verdict, why, who fought, a picture, the facts, where the evidence lies.
#[must_use]
pub fn arm(outcome: &Outcome, picture: Option<&Picture>, style: &Style) -> String {
    let mut text = format!(
        "{}: {}, {}\n",
        paint(&outcome.id.to_string(), Ink::new().bold(), style),
        paint(outcome.verdict.name(), ink(outcome), style),
        outcome.expectation()
    );
    let mut line = |label: &str, value: &str| text.push_str(&labelled(label, value, style));
    line("why", outcome.why());
    if let Some(why) = &outcome.expected_why {
        line("expected", &format!("{}: {why}", outcome.expected));
    }
    if let Some(fight) = &outcome.fight {
        line("fight", fight);
    }
    if let Some(picture) = picture {
        text.push_str(&framed(picture, style));
    }
    let mut line = |label: &str, value: &str| text.push_str(&labelled(label, value, style));
    if !outcome.facts.is_empty() {
        line("facts", &facts(outcome).join(" · "));
    }
    line("time", &times(outcome));
    if outcome.runs.is_empty() {
        line("evidence", &outcome.evidence.display().to_string());
    }
    for run in &outcome.runs {
        line("evidence", &format!("{} {}", run.verdict, run.evidence.display()));
    }
    text
}

/// The table at the end of a run, with the counts.
#[must_use]
pub fn summary(summary: &Summary<'_>, style: &Style) -> String {
    let arms: Vec<(&Outcome, String)> = summary.outcomes.iter().zip(arm_names(summary.outcomes)).collect();
    let case = width(arms.iter().map(|(o, _)| o.id.case.as_str()));
    let arm = width(arms.iter().map(|(_, arm)| arm.as_str()));
    let times: Vec<String> = arms.iter().map(|(o, _)| seconds(o.elapsed_ms)).collect();
    let time = width(times.iter().map(String::as_str));
    let flag = width(arms.iter().map(|(outcome, _)| outcome.flag()));
    let head = case + arm + VERDICT + flag + time + 10;
    let mut text = String::new();
    for ((outcome, name), took) in arms.iter().zip(&times) {
        let line = format!(
            "{:<case$}  {name:<arm$}  {}  {:<flag$}  {took:>time$}  {}",
            outcome.id.case,
            paint(&format!("{:<VERDICT$}", outcome.verdict), ink(outcome), style),
            outcome.flag(),
            key_numbers(outcome, style.columns().saturating_sub(head)),
        );
        text.push_str(style.fit(&line).trim_end());
        text.push('\n');
    }
    for failure in summary.failures {
        let failed = paint(&format!("{:<VERDICT$}", "failed"), Ink::new().red().bold(), style);
        let first = failure.error.lines().next().unwrap_or_default();
        // What follows is with the error, where it happened.
        let first = first.strip_suffix("; its last lines:").unwrap_or(first);
        let title = format!("{:<1$}", failure.of, case + arm + 2);
        text.push_str(&format!("{title}  {failed}  {}\n", style.fit(first)));
    }
    text.push('\n');
    let good = summary.failures.is_empty() && summary.outcomes.iter().all(Outcome::ok);
    let counts = Ink::new().bold();
    let counts = if good { counts.green() } else { counts.red() };
    text.push_str(&paint(&summary.counts(), counts, style));
    text.push('\n');
    text
}

fn ink(outcome: &Outcome) -> Ink {
    match &outcome.verdict {
        _ if outcome.ok() => Ink::new().green().bold(),
        Verdict::Inconclusive(_) => Ink::new().yellow().bold(),
        Verdict::Reproduced | Verdict::Absent => Ink::new().red().bold(),
    }
}

pub(crate) fn paint(text: &str, ink: Ink, style: &Style) -> String {
    if style.colour {
        text.style(ink).to_string()
    } else {
        text.to_owned()
    }
}

/// When the cluster was ready, how long the failure needed, and how long was watched for it.
fn times(outcome: &Outcome) -> String {
    let mut parts = vec![format!("ready {}", seconds(outcome.ready_ms))];
    if let Some(needed) = outcome.needed_ms {
        parts.push(format!("needed {}", seconds(needed)));
    }
    parts.push(format!("watched {}", seconds(outcome.watched_ms)));
    parts.push(format!("{} in all", seconds(outcome.elapsed_ms)));
    format!(
        "{} ({}, {} pace)",
        parts.join(" · "),
        outcome.provider,
        outcome.pace
    )
}

/// A picture, indented, with an empty line before and after it; nothing where there is nothing to see.
pub(crate) fn framed(picture: &Picture, style: &Style) -> String {
    let drawn = picture.draw(&Style {
        width: style.columns() - 2,
        ..*style
    });
    if drawn.is_empty() {
        return drawn;
    }
    let rows: Vec<String> = drawn.lines().map(|row| format!("  {row}\n")).collect();
    format!("\n{}\n", rows.concat())
}

/// A label and a text that is wrapped beside it.
pub(crate) fn labelled(label: &str, value: &str, style: &Style) -> String {
    let wide = style.columns() - LABEL - 2;
    let mut text = String::new();
    for (at, line) in wrap(&style.fit(value), wide).iter().enumerate() {
        let label = if at == 0 { label } else { "" };
        text.push_str(format!("  {label:<LABEL$}{line}").trim_end());
        text.push('\n');
    }
    text
}

/// Breaks a text between words; a word that is too long stays whole, so that a path can be copied.
fn wrap(text: &str, wide: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= wide {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// As many facts as there is room for.
fn key_numbers(outcome: &Outcome, room: usize) -> String {
    let mut numbers = String::new();
    for fact in facts(outcome) {
        let gap = if numbers.is_empty() { "" } else { " · " };
        if numbers.chars().count() + gap.chars().count() + fact.chars().count() > room {
            break;
        }
        numbers.push_str(gap);
        numbers.push_str(&fact);
    }
    numbers
}

fn width<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}
