//! Verdicts: what a judge says of a timeline.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::timeline::{Finding, Timeline};

/// What a judge says of a timeline. A failure of the harness is none of these, but an `Err`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The failure was observed.
    Reproduced,
    /// The failure was not observed, over a window in which it would have been.
    Absent,
    /// The timeline does not fit the question, and why.
    Inconclusive(String),
}

impl Verdict {
    /// `Reproduced` where the failure was seen, else `Absent`.
    #[must_use]
    pub fn of(failure: &Finding) -> Self {
        if failure.holds() {
            Self::Reproduced
        } else {
            Self::Absent
        }
    }

    /// The verdict, provided that a precondition was seen; else `Inconclusive` with the precondition's words.
    #[must_use]
    pub fn provided(self, precondition: &Finding) -> Self {
        match self {
            Self::Inconclusive(_) => self,
            _ if precondition.holds() => self,
            _ => Self::Inconclusive(precondition.why.clone()),
        }
    }

    /// Its name, as JSON output and exit codes know it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::Absent => "absent",
            Self::Inconclusive(_) => "inconclusive",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What an arm is expected to end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// The failure, as a broken arm.
    Reproduced,
    /// No failure, as a control.
    Absent,
}

impl Expect {
    /// Whether a verdict is the expected one.
    #[must_use]
    pub fn met_by(self, verdict: &Verdict) -> bool {
        matches!(
            (self, verdict),
            (Self::Reproduced, Verdict::Reproduced) | (Self::Absent, Verdict::Absent)
        )
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Reproduced => "reproduced",
            Self::Absent => "absent",
        })
    }
}

/// A verdict with what it rests on.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub why: String,
    /// The controllers that fought and at what rate, in a sentence; `None` where nobody fought.
    pub fight: Option<String>,
    /// The numbers that the verdict rests on.
    pub facts: Map<String, Value>,
    /// When the failure was first complete, since its mark; `None` where it was not observed.
    pub needed: Option<Duration>,
}

impl Judgement {
    /// A judgement of whether a failure was seen, since a mark of the timeline.
    ///
    /// Without the mark, or where a watch had a gap after it, the answer is `Inconclusive`.
    pub fn since(timeline: &Timeline, mark: &str, judge: impl FnOnce(Duration) -> Self) -> Self {
        let Some(since) = timeline.marked(mark) else {
            return Self::inconclusive(format!("the run ended before \"{mark}\""));
        };
        let mut judgement = judge(since);
        if let Some((t, gap)) = timeline.gap_since(since) {
            judgement.verdict = Verdict::Inconclusive(format!(
                "the watch on {} had a gap at {:.1} s ({}): what happened in it was not seen",
                gap.watch,
                t.as_secs_f64(),
                gap.why
            ));
        }
        judgement.needed = judgement.needed.map(|t| t.saturating_sub(since));
        judgement
    }

    /// A judgement of a failure.
    pub fn of(failure: &Finding) -> Self {
        Self {
            verdict: Verdict::of(failure),
            why: failure.why.clone(),
            fight: None,
            facts: Map::new(),
            needed: failure.at,
        }
    }

    /// A judgement without a verdict.
    pub fn inconclusive(why: impl Into<String>) -> Self {
        let why = why.into();
        Self {
            verdict: Verdict::Inconclusive(why.clone()),
            why,
            fight: None,
            facts: Map::new(),
            needed: None,
        }
    }

    /// Adds a precondition.
    pub fn provided(mut self, precondition: &Finding) -> Self {
        self.verdict = self.verdict.provided(precondition);
        self
    }

    /// Adds a number.
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a time, in seconds with three decimals; nothing where it never came.
    pub fn seconds(self, name: &str, t: Option<Duration>) -> Self {
        match t {
            Some(t) => self.fact(name, (t.as_secs_f64() * 1_000.0).round() / 1_000.0),
            None => self,
        }
    }

    /// Names the controllers that fought, where the failure was observed.
    pub fn fight(mut self, fight: impl FnOnce() -> String) -> Self {
        if self.verdict == Verdict::Reproduced {
            self.fight = Some(fight());
        }
        self
    }
}
