//! Markdown, fit for a job summary of GitHub Actions: a table of all arms, and the details of each.

use super::{Picture, Style, Summary, arm_names, facts, seconds};
use crate::evidence::Outcome;

/// The columns of a picture in a code block, which scrolls beyond.
const PICTURE: Style = Style {
    colour: false,
    unicode: true,
    width: 90,
};

/// How long a report may be: GitHub refuses a step summary of more than 1 MiB, and a step may write some lines more.
const LIMIT: usize = 1_000_000;

/// A whole run: counts, table, details. `picture` finds the picture of an arm, where its timeline is at hand.
///
/// Details of what was unexpected come first into the room that there is; what is left out is said.
#[must_use]
pub fn report(summary: &Summary<'_>, picture: impl Fn(&Outcome) -> Option<Picture>) -> String {
    within(LIMIT, summary, picture)
}

fn within(limit: usize, summary: &Summary<'_>, picture: impl Fn(&Outcome) -> Option<Picture>) -> String {
    // Room for the two sentences on what is left out.
    let mut room = limit.saturating_sub(400);
    let mut text = format!("## kubeclash\n\n{}\n\n", summary.counts());
    text.push_str("| case | arm | verdict | | key numbers | time |\n|---|---|---|---|---|--:|\n");
    room = room.saturating_sub(text.len());
    let mut fits = |part: &String| {
        let fits = part.len() <= room;
        if fits {
            room -= part.len();
        }
        fits
    };
    let rows: Vec<String> = rows(summary);
    let shown: Vec<&String> = rows.iter().take_while(|row| fits(row)).collect();
    let mut details: Vec<(bool, usize, String)> = Vec::new();
    for (at, outcome) in summary.outcomes.iter().enumerate() {
        details.push((outcome.ok(), at, arm(outcome, picture(outcome).as_ref())));
    }
    for failure in summary.failures {
        let part = format!(
            "\n### {} failed\n\n{}",
            cell(&failure.of.to_string()),
            fenced(&failure.error)
        );
        details.push((false, details.len(), part));
    }
    let count = details.len();
    details.sort_by_key(|(ok, at, _)| (*ok, *at));
    details.retain(|(_, _, part)| fits(part));
    details.sort_by_key(|(_, at, _)| *at);
    text.extend(shown.iter().map(|row| row.as_str()));
    let missing = rows.len() - shown.len();
    if missing > 0 {
        text.push_str(&format!(
            "\n{missing} more arms have no row: the summary is full.\n"
        ));
    }
    text.extend(details.iter().map(|(_, _, part)| part.as_str()));
    let missing = count - details.len();
    if missing > 0 {
        text.push_str(&format!(
            "\nDetails of {missing} arms are left out, as a summary holds no more than 1 MiB: the HTML report has them.\n"
        ));
    }
    text
}

/// The rows of the table.
fn rows(summary: &Summary<'_>) -> Vec<String> {
    let arms = summary.outcomes.iter().zip(arm_names(summary.outcomes));
    let arms = arms.map(|(outcome, name)| {
        let numbers: Vec<String> = facts(outcome).into_iter().take(4).collect();
        format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            cell(&outcome.id.case),
            cell(&name),
            outcome.verdict,
            if outcome.ok() {
                "ok".to_owned()
            } else {
                format!("**{}**", outcome.flag())
            },
            cell(&numbers.join(", ")),
            seconds(outcome.elapsed_ms),
        )
    });
    let failures = summary.failures.iter().map(|failure| {
        let first = failure.error.lines().next().unwrap_or_default();
        let title = cell(&failure.of.to_string());
        format!("| {title} | | failed | **ERROR** | {} | |\n", cell(first))
    });
    arms.chain(failures).collect()
}

/// The details of one arm; folded where it ended as expected.
#[must_use]
pub fn arm(outcome: &Outcome, picture: Option<&Picture>) -> String {
    let open = if outcome.ok() { "" } else { " open" };
    let mut text = format!(
        "\n<details{open}><summary><code>{}</code> {}, {}</summary>\n\n{}\n",
        html(&outcome.id.to_string()),
        outcome.verdict,
        outcome.expectation(),
        prose(outcome.why())
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
        return code(&outcome.evidence.display().to_string());
    }
    let runs = outcome.runs.iter();
    runs.map(|run| format!("{} {}", run.verdict, code(&run.evidence.display().to_string())))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A text as a table's cell.
pub(crate) fn cell(text: &str) -> String {
    prose(text).replace('|', "\\|")
}

/// A text that Markdown leaves as it is: no line breaks, no HTML, no emphasis, link or code by accident.
pub(super) fn prose(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    html(&one_line)
        .replace('\\', "\\\\")
        .replace('*', "\\*")
        .replace('`', "\\`")
        .replace("](", "\\](")
        .replace("]:", "\\]:")
}

/// A text as code within a line, whatever is in it.
pub(super) fn code(text: &str) -> String {
    if text.contains('`') {
        format!("<code>{}</code>", prose(text))
    } else {
        format!("`{text}`")
    }
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// A code block whose fence is longer than any in its text.
pub(super) fn fenced(text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}text\n{}\n{fence}\n", text.trim_end())
}

#[cfg(test)]
#[path = "markdown_tests.rs"]
mod tests;
