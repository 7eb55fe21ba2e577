//! What every report is made of: the arms of a run, live or read back from evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::builds::Builds;
use super::{Picture, Summary};
use crate::evidence::{Evidence, Outcome};
use kubeclash_timeline::ArmId;

/// The arms of a run, with what was seen of each.
#[derive(Debug, Clone, Default)]
pub struct Material {
    /// The arms that ended with a verdict, in the order in which they are listed.
    pub arms: Vec<Evidence>,
    /// The arms that failed for the harness's own reasons.
    pub failures: Vec<HarnessFailure>,
    /// What is left out and why, a sentence each: recordings that can't be read.
    pub left_out: Vec<String>,
    /// What goes wrong in each of their cases, in one sentence, by the case's folder; of one that nobody knows there is none.
    pub titles: BTreeMap<String, String>,
    /// How long everything took, by the clock on the wall; of evidence, the arms' own times together.
    pub took: Duration,
}

/// A failure of the harness: it is no verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HarnessFailure {
    /// What failed.
    pub of: Attempt,
    /// Why.
    pub error: String,
}

/// What should have come to a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// A run of an arm.
    Arm {
        /// Which arm.
        id: ArmId,
        /// Which of its runs, counted from 1, where there are several.
        run: Option<u16>,
    },
    /// A step of a submission, by its name: an arm of all variants, or a load test.
    Step(String),
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arm { id, run: None } => f.pad(&id.to_string()),
            Self::Arm { id, run: Some(run) } => f.pad(&format!("{id}, run {run}")),
            Self::Step(name) => f.pad(name),
        }
    }
}

impl Material {
    /// The outcomes, for summaries.
    #[must_use]
    pub fn outcomes(&self) -> Vec<Outcome> {
        self.arms.iter().map(|arm| arm.outcome.clone()).collect()
    }

    /// The summary of outcomes that were taken out of here.
    #[must_use]
    pub fn summary<'a>(&'a self, outcomes: &'a [Outcome]) -> Summary<'a> {
        Summary {
            outcomes,
            failures: &self.failures,
            took: self.took,
        }
    }

    /// The picture of an arm, found by its evidence.
    #[must_use]
    pub fn picture(&self, outcome: &Outcome) -> Option<Picture> {
        let arm = self
            .arms
            .iter()
            .find(|arm| arm.outcome.evidence == outcome.evidence)?;
        arm.timeline.as_ref().map(Picture::of)
    }

    /// Which builds took part.
    #[must_use]
    pub fn builds(&self) -> Builds {
        Builds::of(self.arms.iter().map(|arm| &arm.outcome))
    }

    /// A name for each arm, unique in these: `c5-broken`, `c3-control-with-hpa`, and `c5-broken-2` for another build
    /// or another run of the same arm.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let mut taken = BTreeSet::new();
        let free = |arm: &Evidence| {
            let id = &arm.outcome.id;
            let name = slug(&format!("{}-{}", id.case_id(), id.folder()));
            let numbered = (2..).map(|count| format!("{name}-{count}"));
            let free = std::iter::once(name.clone())
                .chain(numbered)
                .find(|id| !taken.contains(id))
                .expect("there are more numbers than arms");
            taken.insert(free.clone());
            free
        };
        self.arms.iter().map(free).collect()
    }
}

/// A text as part of an address: letters, digits and hyphens.
fn slug(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect()
}
