//! Markdown, fit for a job summary of GitHub Actions: a table of all arms, and the details of each.

use super::{Picture, Style, Summary, arm_name, facts, seconds};
use crate::evidence::Outcome;

/// The columns of a picture in a code block, which scrolls beyond.
const PICTURE: Style = Style {
    colour: false,
    unicode: true,
    width: 90,
};

/// A whole run: counts, table, details. `picture` finds the picture of an arm, where its timeline is at hand.
#[must_use]
pub fn report(summary: &Summary<'_>, picture: impl Fn(&Outcome) -> Option<Picture>) -> String {
    let mut text = format!("## kubeclash\n\n{}\n\n", summary.counts());
    text.push_str("| case | arm | verdict | | key numbers | time |\n|---|---|---|---|---|--:|\n");
    for outcome in summary.outcomes {
        let numbers: Vec<String> = facts(outcome).into_iter().take(4).collect();
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            cell(&outcome.case),
            cell(&arm_name(outcome)),
            cell(&outcome.verdict),
            if outcome.ok {
                "ok".to_owned()
            } else {
                format!("**{}**", outcome.flag())
            },
            cell(&numbers.join(", ")),
            seconds(outcome.elapsed_ms),
        ));
    }
    for (title, error) in summary.errors {
        let first = error.lines().next().unwrap_or_default();
        text.push_str(&format!(
            "| {} | | failed | **ERROR** | {} | |\n",
            cell(title),
            cell(first)
        ));
    }
    for outcome in summary.outcomes {
        text.push_str(&arm(outcome, picture(outcome).as_ref()));
    }
    for (title, error) in summary.errors {
        text.push_str(&format!("\n### {} failed\n\n{}", cell(title), fenced(error)));
    }
    text
}

/// The details of one arm; folded where it ended as expected.
#[must_use]
pub fn arm(outcome: &Outcome, picture: Option<&Picture>) -> String {
    let open = if outcome.ok { "" } else { " open" };
    let mut text = format!(
        "\n<details{open}><summary><code>{}</code> {}, {}</summary>\n\n{}\n",
        html(&outcome.title()),
        html(&outcome.verdict),
        outcome.expectation(),
        prose(&outcome.why)
    );
    if let Some(why) = &outcome.expected_why {
        text.push_str(&format!("\n**Expected:** {}: {}\n", outcome.expected, prose(why)));
    }
    if let Some(fight) = &outcome.fight {
        text.push_str(&format!("\n**Fight:** {}\n", prose(fight)));
    }
    let drawn = picture.map(|picture| picture.draw(&PICTURE)).unwrap_or_default();
    if !drawn.is_empty() {
        text.push_str(&format!("\n{}", fenced(&drawn)));
    }
    if !outcome.facts.is_empty() {
        text.push_str(&format!("\n**Facts:** {}\n", prose(&facts(outcome).join(", "))));
    }
    let needed = outcome.needed_ms.map(|ms| format!(", needed {}", seconds(ms)));
    text.push_str(&format!(
        "\n**Time:** ready {}{}, watched {}, {} in all ({}, {} pace)\n\n**Evidence:** {}\n\n</details>\n",
        seconds(outcome.ready_ms),
        needed.unwrap_or_default(),
        seconds(outcome.watched_ms),
        seconds(outcome.elapsed_ms),
        outcome.provider,
        outcome.pace,
        evidence(outcome)
    ));
    text
}

/// Where the evidence lies: of several runs with the verdict of each.
fn evidence(outcome: &Outcome) -> String {
    if outcome.runs.is_empty() {
        return format!("`{}`", outcome.evidence.display());
    }
    let runs = outcome.runs.iter();
    runs.map(|run| format!("{} `{}`", run.verdict, run.evidence.display()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A text as a table's cell.
pub(crate) fn cell(text: &str) -> String {
    prose(text).replace('|', "\\|")
}

/// A text that Markdown leaves as it is: no line breaks, no HTML, no emphasis by accident.
fn prose(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    html(&one_line).replace('*', "\\*")
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// A code block whose fence is longer than any in its text.
fn fenced(text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}text\n{}\n{fence}\n", text.trim_end())
}
