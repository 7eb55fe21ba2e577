//! The rules by which something does not fit together: one function each.

mod groups;
mod run;

pub(super) use groups::{missing_everywhere, order, runner, same_commit, several_commits};
pub(super) use run::{
    label_against_its_name, label_against_text, missing, no_verdict, path_against_run, set_up,
    title_against_text,
};

use super::contradiction::{Contradiction, Kind};
use super::entry::Entry;

fn contradiction(kind: Kind, entries: &[&Entry], sentence: String) -> Contradiction {
    Contradiction {
        kind,
        entries: entries.iter().map(|entry| entry.id.clone()).collect(),
        sentence,
    }
}

/// `a, b and c`.
fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// Where runs are: `lines 147 and 158`; of those without a source their ids.
fn places(entries: &[&Entry]) -> String {
    let lines: Vec<String> = entries
        .iter()
        .filter_map(|entry| Some(entry.source.as_ref()?.line.to_string()))
        .collect();
    match &lines[..] {
        [line] if entries.len() == 1 => format!("line {line}"),
        lines if lines.len() == entries.len() => format!("lines {}", list(lines)),
        _ => list(&entries.iter().map(|entry| entry.place()).collect::<Vec<_>>()),
    }
}
