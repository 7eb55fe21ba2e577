//! Something in a ledger that does not fit together.

use std::fmt;

use serde::Serialize;

use super::entry::Id;

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
