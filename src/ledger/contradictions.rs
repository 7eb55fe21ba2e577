//! What does not fit together in a ledger, as a careful reader finds it. Pure.

use super::contradiction::Contradiction;
use super::entry::Entry;
use super::rules;

/// Everything that does not fit together, by kind and then in the ledger's order.
///
/// Whatever needs prose is asked only of runs that people wrote down. Runs that were asked different questions are
/// not held against each other.
#[must_use]
pub fn contradictions(entries: &[Entry]) -> Vec<Contradiction> {
    let mut all = Vec::new();
    for alike in by_question(entries) {
        all.extend(rules::same_commit(&alike));
        all.extend(rules::order(&alike));
        all.extend(rules::runner(&alike));
    }
    let written: Vec<&Entry> = entries.iter().filter(|entry| entry.source.is_some()).collect();
    all.extend(rules::several_commits(&written));
    for entry in &written {
        all.extend(rules::no_verdict(entry));
        all.extend(rules::set_up(entry));
        all.extend(rules::label_against_text(entry));
        all.extend(rules::label_against_its_name(entry));
        all.extend(rules::title_against_text(entry));
        all.extend(rules::path_against_run(entry));
        all.extend(rules::missing(entry));
    }
    all.extend(rules::missing_everywhere(&written));
    all.sort_by_key(|one| one.kind);
    all
}

fn by_question(entries: &[Entry]) -> Vec<Vec<&Entry>> {
    let mut groups: Vec<Vec<&Entry>> = Vec::new();
    for entry in entries {
        match groups
            .iter_mut()
            .find(|group| group[0].question == entry.question)
        {
            Some(group) => group.push(entry),
            None => groups.push(vec![entry]),
        }
    }
    groups
}
