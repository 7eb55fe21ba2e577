//! Verdicts: what a judge says of a timeline.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Arm;
use crate::{Deed, Finding, Timeline};

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

    /// Why there is no answer; `None` where there is one.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Inconclusive(reason) => Some(reason),
            Self::Reproduced | Self::Absent => None,
        }
    }

    /// Whether there is no answer.
    #[must_use]
    pub fn is_inconclusive(&self) -> bool {
        self.reason().is_some()
    }

    /// The answer, as something that can be expected; `None` where there is none, which nobody expects.
    #[must_use]
    pub fn answer(&self) -> Option<Expect> {
        match self {
            Self::Reproduced => Some(Expect::Reproduced),
            Self::Absent => Some(Expect::Absent),
            Self::Inconclusive(_) => None,
        }
    }

    /// Whether both have the same name: what keeps two runs from a verdict may differ.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.answer() == other.answer()
    }
}

impl From<Expect> for Verdict {
    fn from(expected: Expect) -> Self {
        match expected {
            Expect::Reproduced => Self::Reproduced,
            Expect::Absent => Self::Absent,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a build is labelled with in a search: a verdict in the words of the second seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// The issue is not found: absent.
    Green,
    /// The issue is found: reproduced.
    Red,
    /// The run does not fit the search and is left out of it: inconclusive.
    Black,
}

impl Label {
    /// The label that says a verdict.
    #[must_use]
    pub fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Absent => Self::Green,
            Verdict::Reproduced => Self::Red,
            Verdict::Inconclusive(_) => Self::Black,
        }
    }

    /// The colour that the seed shows it in, as HTML has colours.
    #[must_use]
    pub const fn colour(self) -> &'static str {
        match self {
            Self::Green => "#c5f015",
            Self::Red => "#f03c15",
            Self::Black => "#000000",
        }
    }

    /// What it means, in the seed's words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Green => "issue is not found",
            Self::Red => "issue is found",
            Self::Black => "this test does not fit the binary search and can be ignored",
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Green => "green",
            Self::Red => "red",
            Self::Black => "black",
        })
    }
}

/// What an arm is expected to end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// The failure, as a broken arm.
    Reproduced,
    /// No failure, as a control.
    Absent,
}

impl Expect {
    /// What an arm ends with where nothing has changed.
    #[must_use]
    pub fn of(arm: Arm) -> Self {
        match arm {
            Arm::Broken => Self::Reproduced,
            Arm::Control => Self::Absent,
        }
    }

    /// Whether a verdict is the expected one.
    #[must_use]
    pub fn met_by(self, verdict: &Verdict) -> bool {
        verdict.answer() == Some(self)
    }
}

impl FromStr for Expect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expect = [Self::Reproduced, Self::Absent]
            .into_iter()
            .find(|expect| expect.to_string() == text);
        expect.ok_or_else(|| format!("\"{text}\" can't be expected: \"reproduced\" or \"absent\""))
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Verdict::from(*self).name())
    }
}

/// How a definite verdict differs from the expected one, or from another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Difference {
    /// The failure was there, and is no more.
    Cured,
    /// The failure was not there, and is now.
    Returned,
}

impl Difference {
    /// From one verdict to another; `None` where both are the same.
    #[must_use]
    pub fn between(before: Expect, after: Expect) -> Option<Self> {
        match (before, after) {
            (Expect::Reproduced, Expect::Absent) => Some(Self::Cured),
            (Expect::Absent, Expect::Reproduced) => Some(Self::Returned),
            (Expect::Reproduced, Expect::Reproduced) | (Expect::Absent, Expect::Absent) => None,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cured => "cured",
            Self::Returned => "returned",
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
    /// Who did what to the case's app, and how often, whether or not that was a fight.
    pub attribution: Vec<Deed>,
    /// The numbers that the verdict rests on.
    pub facts: Map<String, Value>,
    /// When the failure was first complete, since its mark; `None` where it was not observed.
    pub needed: Option<Duration>,
    /// For how long was watched since that mark.
    pub watched: Duration,
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
        judgement.needed = judgement.needed.map(|t| t.saturating_sub(since));
        judgement.watched = timeline.end().saturating_sub(since);
        match timeline.gap_since(since) {
            Some((t, gap)) => judgement.unless(format!(
                "the watch on {} had a gap at {:.1} s ({}): what happened in it was not seen",
                gap.watch,
                t.as_secs_f64(),
                gap.why
            )),
            None => judgement,
        }
    }

    /// The judgement of a recording: what was seen was seen, but that nothing was seen takes the whole of it, and
    /// components that could have done it.
    pub fn on(self, timeline: &Timeline) -> Self {
        if let Some(idle) = timeline.idle_scheduler() {
            return self.unless(idle);
        }
        if self.verdict == Verdict::Reproduced {
            return self;
        }
        // What broke off may have done so for what is lacking.
        let lacks = timeline.header.lacks.iter().cloned();
        let mut why: Vec<String> = timeline.broken_off().into_iter().chain(lacks).collect();
        if why.is_empty() {
            why.extend(timeline.left_undone());
        }
        if why.is_empty() {
            return self;
        }
        self.unless(why.join("; "))
    }

    /// A judgement of a failure.
    pub fn of(failure: &Finding) -> Self {
        Self {
            verdict: Verdict::of(failure),
            why: failure.why.clone(),
            fight: None,
            attribution: Vec::new(),
            facts: Map::new(),
            needed: failure.at,
            watched: Duration::ZERO,
        }
    }

    /// A judgement without a verdict.
    pub fn inconclusive(why: impl Into<String>) -> Self {
        let why = why.into();
        Self {
            verdict: Verdict::Inconclusive(why.clone()),
            why,
            fight: None,
            attribution: Vec::new(),
            facts: Map::new(),
            needed: None,
            watched: Duration::ZERO,
        }
    }

    /// Adds a precondition.
    pub fn provided(mut self, precondition: &Finding) -> Self {
        self.verdict = self.verdict.provided(precondition);
        self.settled()
    }

    /// Takes the verdict back, for a reason; the facts stay.
    pub fn unless(mut self, reason: impl Into<String>) -> Self {
        self.verdict = Verdict::Inconclusive(reason.into());
        self.settled()
    }

    /// Keeps a fight and a time only where the failure was observed, whatever the order of the calls.
    fn settled(mut self) -> Self {
        if self.verdict != Verdict::Reproduced {
            self.fight = None;
            self.needed = None;
        }
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

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
