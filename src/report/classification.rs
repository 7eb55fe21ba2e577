//! What logs come to, for people and as Markdown: the label, why, the step reached, and what was found where.

use std::fmt::Write;

use indicatif::HumanBytes;
use owo_colors::Style as Ink;

use super::Style;
use super::markdown::{cell, code, fenced, prose};
use super::terminal::{labelled, paint};
use crate::evidence::number;
use kubeclash_logs::{Classification, Found, Place, Severity, YearFrom, how_often, in_lines, shown, written};
use kubeclash_timeline::{Label, LoadStep};

/// How many prefixes of keys a view shows; JSON has all.
const PREFIXES: usize = 5;

/// How many files a view names that could not be read, or were odd; JSON has all.
const FILES: usize = 10;

/// For a terminal, or a log of CI.
#[must_use]
pub fn text(classification: &Classification, style: &Style) -> String {
    let label = paint(
        &classification.label.to_string(),
        ink(classification.label),
        style,
    );
    let mut text = format!("{label}: {}\n", classification.meaning);
    for (name, value) in facts(classification) {
        text.push_str(&labelled(name, &value, style));
    }
    for severity in [Severity::Red, Severity::Note] {
        for found in seen(classification, severity) {
            let colour = match severity {
                Severity::Red if found.found => Ink::new().red().bold(),
                _ => Ink::new().bold(),
            };
            let _ = writeln!(
                text,
                "\n  {} {}{}",
                paint(&found.id, colour, style),
                often(found),
                style.fit(&span(found))
            );
            text.push_str(&labelled("means", &found.meaning, style));
            for (name, value) in details(found) {
                text.push_str(&labelled(name, &value, style));
            }
        }
    }
    text
}

/// As Markdown, for a pull request or a job's summary.
#[must_use]
pub fn markdown(classification: &Classification) -> String {
    let colour = classification.label.colour().trim_start_matches('#');
    let mut text = format!(
        "## ![#{colour}](https://via.placeholder.com/15/{colour}/000000?text=+) {}: {}\n\n",
        classification.label, classification.meaning
    );
    for (name, value) in facts(classification) {
        let _ = writeln!(text, "- {name}: {}", prose(&value));
    }
    text.push_str("\n| signature | | lines | first | last | where |\n|---|---|--:|---|---|---|\n");
    for severity in [Severity::Red, Severity::Note] {
        for found in seen(classification, severity) {
            let time = |place: Option<&Place>| {
                place
                    .and_then(|place| place.time)
                    .map(written)
                    .unwrap_or_default()
            };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                cell(&found.id),
                verdict(found),
                found.count,
                time(found.first.as_ref()),
                time(found.last.as_ref()),
                cell(&found.first.as_ref().map(place).unwrap_or_default())
            );
        }
    }
    for found in seen(classification, Severity::Red) {
        let _ = write!(
            text,
            "\n{}\n\n{}",
            code(&found.id),
            fenced(found.excerpt.as_deref().unwrap_or_default())
        );
    }
    for found in classification
        .signatures
        .iter()
        .filter(|found| !found.by_prefix.is_empty())
    {
        let _ = write!(
            text,
            "\n| {} by prefix | lines | |\n|---|--:|--:|\n",
            cell(&found.id)
        );
        for (prefix, count) in prefixes(found) {
            let _ = writeln!(
                text,
                "| {} | {count} | {} |",
                cell(prefix),
                percent(count, found.count)
            );
        }
    }
    text
}

fn ink(label: Label) -> Ink {
    match label {
        Label::Green => Ink::new().green().bold(),
        Label::Red => Ink::new().red().bold(),
        // Black alone can't be seen on many a terminal.
        Label::Black => Ink::new().white().on_black().bold(),
    }
}

/// What was seen of some severity: red ones by time, as the classification has them, notes by how often.
fn seen(classification: &Classification, severity: Severity) -> Vec<&Found> {
    let mut seen: Vec<&Found> = classification
        .signatures
        .iter()
        .filter(|found| found.severity == severity && found.count > 0)
        .collect();
    match severity {
        Severity::Red => seen.sort_by_key(|found| classification.red.iter().position(|id| *id == found.id)),
        Severity::Note => seen.sort_by_key(|found| std::cmp::Reverse(found.count)),
    }
    seen
}

/// What is to be said of the whole, by name.
fn facts(classification: &Classification) -> Vec<(&'static str, String)> {
    let mut facts = vec![("why", classification.why.clone())];
    let more = &classification.black[classification.black.len().min(1)..];
    if classification.label == Label::Black && !more.is_empty() {
        facts.push(("also", format!("these rules hold as well: {}", more.join(", "))));
    }
    facts.push(("step", step(classification)));
    let lines = classification.lines_by_component.iter();
    let lines: Vec<String> = lines
        .map(|(component, lines)| format!("{component} {lines}"))
        .collect();
    facts.push((
        "read",
        format!(
            "{} of {} logs{}{}",
            HumanBytes(classification.bytes),
            classification.logs.len(),
            if lines.is_empty() { "" } else { "; lines: " },
            lines.join(" · ")
        ),
    ));
    if let Some(zones) = zones(classification) {
        facts.push(("zone", zones));
    }
    if let Some(years) = years(classification) {
        facts.push(("years", years));
    }
    facts.extend(
        limited(
            classification
                .unread
                .iter()
                .map(|file| (shown(&file.path), &file.why)),
        )
        .map(|value| ("unread", value)),
    );
    let noted = classification
        .logs
        .iter()
        .filter(|log| !classification.unread.iter().any(|file| file.path == log.path));
    let noted = noted.filter_map(|log| Some((shown(&log.path), log.note.as_ref()?)));
    facts.extend(limited(noted).map(|value| ("note", value)));
    if !classification.passed_over.is_empty() {
        let files = match classification.passed_over.len() {
            1 => "1 file that is no log".to_owned(),
            count => format!("{count} files that are no logs"),
        };
        facts.push(("left out", format!("{files}; --format json names what")));
    }
    facts
}

/// A line a file, and one for those that are too many.
fn limited<'a>(files: impl Iterator<Item = (String, &'a String)>) -> impl Iterator<Item = String> {
    let mut lines: Vec<String> = files.map(|(path, why)| format!("{path}: {why}")).collect();
    if lines.len() > FILES {
        let more = lines.split_off(FILES).len();
        lines.push(format!("and {more} more"));
    }
    lines.into_iter()
}

fn step(classification: &Classification) -> String {
    let all = LoadStep::ALL.len();
    let Some(reached) = classification.reached else {
        let others = &classification.other_steps;
        return if others.is_empty() {
            "none was seen".to_owned()
        } else {
            format!(
                "none of the standard load test's was seen, but others: {}",
                others.join(", ")
            )
        };
    };
    let state = if reached.complete {
        "which ended"
    } else {
        "which did not end"
    };
    format!(
        "{} of {all} was reached, \"{}\", {state}",
        reached.number, reached.name
    )
}

/// Where the years are from that lines do not have, where that matters.
fn years(classification: &Classification) -> Option<String> {
    let count = |from: YearFrom| {
        let logs = classification.logs.iter().filter(|log| log.hits > 0);
        logs.filter(|log| log.year_from == from).count()
    };
    let of = [
        (YearFrom::Path, "a date in its path"),
        (YearFrom::Modified, "when it was last changed"),
        (YearFrom::Today, "today"),
    ];
    let of: Vec<String> = of
        .iter()
        .filter(|(from, _)| count(*from) > 0)
        .map(|(from, what)| format!("{} from {what}", count(*from)))
        .collect();
    (!of.is_empty()).then(|| format!("klog has none; of logs with signatures: {}", of.join(", ")))
}

/// The zones that logs with signatures name.
fn zones(classification: &Classification) -> Option<String> {
    let logs = classification.logs.iter().filter(|log| log.hits > 0);
    let mut zones: Vec<&str> = logs.filter_map(|log| log.zone.as_deref()).collect();
    zones.sort_unstable();
    zones.dedup();
    (!zones.is_empty()).then(|| format!("times are in UTC; logs say {}", zones.join(", ")))
}

fn often(found: &Found) -> String {
    if found.count == found.lines {
        in_lines(found.count)
    } else {
        how_often(found.count, found.lines)
    }
}

/// What it says of a run, in a word.
fn verdict(found: &Found) -> &'static str {
    match found.found {
        true => found.severity.name(),
        false if found.explained > 0 => "explained",
        false => "too few",
    }
}

/// From when to when.
fn span(found: &Found) -> String {
    let time = |place: &Option<Place>| place.as_ref().and_then(|place| place.time).map(written);
    match (time(&found.first), time(&found.last)) {
        (Some(first), Some(last)) if first != last => format!(", {first} – {last}"),
        (Some(first), _) => format!(", {first}"),
        _ => String::new(),
    }
}

fn place(place: &Place) -> String {
    format!("{}:{}", shown(&place.file), place.line)
}

fn details(found: &Found) -> Vec<(&'static str, String)> {
    let mut details = Vec::new();
    if !found.found && found.explained > 0 {
        let left = format!(
            "other signatures explain {} of them; {} that nothing explains make it found",
            found.explained, found.at_least
        );
        details.push(("but", left));
    } else if !found.found {
        let few = format!("{} make it found, there are fewer", in_lines(found.at_least));
        details.push(("but", few));
    }
    for (prefix, count) in prefixes(found) {
        details.push((
            "of",
            format!("{prefix} {count} ({})", percent(count, found.count)),
        ));
    }
    if let Some(first) = &found.first {
        details.push(("where", place(first)));
    }
    if let Some(excerpt) = &found.excerpt {
        details.push(("line", excerpt.clone()));
    }
    details
}

/// The prefixes with most lines.
fn prefixes(found: &Found) -> Vec<(&str, u64)> {
    let mut all: Vec<(&str, u64)> = found
        .by_prefix
        .iter()
        .map(|(prefix, n)| (prefix.as_str(), *n))
        .collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    all.truncate(PREFIXES);
    all
}

fn percent(part: u64, whole: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "it is shown with one decimal")]
    let share = part as f64 * 100.0 / whole.max(1) as f64;
    format!("{} %", number((share * 10.0).round() / 10.0))
}
