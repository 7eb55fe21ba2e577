//! What does not fit together in a ledger, as a careful reader finds it. Pure.

use std::fmt;

use serde::Serialize;

use super::entry::{Entry, Id};
use super::rules;

/// Something that does not fit together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contradiction {
    /// What kind of thing.
    pub kind: Kind,
    /// The runs that it is about.
    pub entries: Vec<Id>,
    /// What does not fit, with the lines of the diary where it has some.
    pub sentence: String,
}

/// What can fail to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The same commit has different verdicts.
    SameCommit,
    /// A run has no verdict.
    NoVerdict,
    /// A run was set up otherwise than all runs are said to be.
    SetUp,
    /// A label says something else than the text below it.
    LabelAgainstText,
    /// A label says something else than what stands for its picture.
    LabelAgainstItsName,
    /// A title says something else than the text below it.
    TitleAgainstText,
    /// A run says something else than the path of its logs.
    PathAgainstRun,
    /// One build stands for several commits.
    SeveralCommits,
    /// Verdicts change more than once along the builds.
    Order,
    /// Verdicts go with who ran it.
    Runner,
    /// Something was not written down.
    Missing,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SameCommit => "same commit",
            Self::NoVerdict => "no verdict",
            Self::SetUp => "set-up",
            Self::LabelAgainstText => "label against text",
            Self::LabelAgainstItsName => "label against its name",
            Self::TitleAgainstText => "title against text",
            Self::PathAgainstRun => "path against run",
            Self::SeveralCommits => "several commits",
            Self::Order => "order",
            Self::Runner => "runner",
            Self::Missing => "missing",
        })
    }
}

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
