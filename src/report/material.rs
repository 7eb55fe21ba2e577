//! What every report is made of: the arms of a run, live or read back from evidence.

use std::collections::BTreeSet;
use std::time::Duration;

use super::builds::Builds;
use super::{Picture, Summary, case_id};
use crate::evidence::Outcome;
use crate::timeline::Timeline;

/// The arms of a run, with what was seen of each.
#[derive(Debug, Clone, Default)]
pub struct Material {
    /// The arms that ended with a verdict, in the order in which they are listed.
    pub arms: Vec<Reported>,
    /// The arms that failed for the harness's own reasons: title and error.
    pub errors: Vec<(String, String)>,
    /// What is left out and why, a sentence each: recordings that can't be read.
    pub left_out: Vec<String>,
    /// How long everything took, by the clock on the wall; of evidence, the arms' own times together.
    pub took: Duration,
}

/// One arm that ended with a verdict.
#[derive(Debug, Clone)]
pub struct Reported {
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen; `None` where the recording can't be read.
    pub timeline: Option<Timeline>,
    /// What is to be known of the recording, in words: that it is cut, or missing.
    pub note: Option<String>,
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
            errors: &self.errors,
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
        let free = |arm: &Reported| {
            let outcome = &arm.outcome;
            let variant = outcome.variant.as_ref().map(|variant| format!("-{variant}"));
            let name = slug(&format!(
                "{}-{}{}",
                case_id(&outcome.case),
                outcome.arm,
                variant.unwrap_or_default()
            ));
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
