//! Verdicts: what a judge says of a timeline.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::experiment::Arm;
use crate::timeline::{Deed, Finding, Timeline};

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
pub enum Change {
    /// The failure was there, and is no more.
    Cured,
    /// The failure was not there, and is now.
    Returned,
}

impl Change {
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

impl fmt::Display for Change {
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
mod tests {
    use super::*;
    use crate::timeline::drawn::{Draft, s};

    fn seen() -> Finding {
        Finding::seen(s(7.0), "fell to 1")
    }

    #[test]
    fn a_label_is_a_verdict_in_other_words() {
        assert_eq!(Label::of(&Verdict::Absent), Label::Green);
        assert_eq!(Label::of(&Verdict::Reproduced), Label::Red);
        assert_eq!(Label::of(&Verdict::Inconclusive("x".to_owned())), Label::Black);
        assert_eq!(Label::Red.to_string(), "red");
    }

    #[test]
    fn a_finding_makes_the_verdict() {
        assert_eq!(Verdict::of(&seen()), Verdict::Reproduced);
        assert_eq!(Verdict::of(&Finding::not_seen("no")), Verdict::Absent);
    }

    #[test]
    fn a_precondition_that_was_not_seen_leaves_no_verdict() {
        let missing = Finding::not_seen("never came back");
        let verdict = Verdict::Reproduced.provided(&missing);
        assert_eq!(verdict, Verdict::Inconclusive("never came back".to_owned()));
        assert_eq!(Verdict::Absent.provided(&seen()), Verdict::Absent);
        let first = Verdict::Inconclusive("first".to_owned());
        assert_eq!(first.clone().provided(&missing), first);
    }

    #[test]
    fn only_the_very_verdict_meets_an_expectation() {
        let unclear = Verdict::Inconclusive("x".to_owned());
        assert!(Expect::Reproduced.met_by(&Verdict::Reproduced));
        assert!(Expect::Absent.met_by(&Verdict::Absent));
        assert!(!Expect::Absent.met_by(&Verdict::Reproduced));
        assert!(!Expect::Reproduced.met_by(&unclear) && !Expect::Absent.met_by(&unclear));
    }

    #[test]
    fn a_failure_is_cured_or_has_returned() {
        let between = |before, after| Change::between(before, after);
        assert_eq!(between(Expect::Reproduced, Expect::Absent), Some(Change::Cured));
        assert_eq!(
            between(Expect::Absent, Expect::Reproduced),
            Some(Change::Returned)
        );
        assert_eq!(between(Expect::Absent, Expect::Absent), None);
        assert_eq!("absent".parse(), Ok(Expect::Absent));
        assert!("inconclusive".parse::<Expect>().is_err());
    }

    #[test]
    fn what_a_failure_needed_counts_from_the_mark() {
        let timeline = Draft::new("c2").at(5.0).mark("redeploy").done();
        let judged = Judgement::since(&timeline, "redeploy", |_| {
            Judgement::of(&seen()).fight(|| "a fought b".to_owned())
        });
        assert_eq!(judged.verdict, Verdict::Reproduced);
        assert_eq!(judged.needed, Some(s(2.0)));
        assert_eq!(judged.fight.as_deref(), Some("a fought b"));
    }

    #[test]
    fn a_run_that_ended_before_the_mark_has_no_verdict() {
        let judged = Judgement::since(&Draft::new("c2").done(), "redeploy", |_| Judgement::of(&seen()));
        assert_eq!(judged.verdict.name(), "inconclusive");
        assert_eq!(judged.why, "the run ended before \"redeploy\"");
    }

    #[test]
    fn a_gap_after_the_mark_takes_verdict_fight_and_time_back_and_leaves_the_facts() {
        let timeline = Draft::new("c2")
            .at(5.0)
            .mark("redeploy")
            .at(6.5)
            .gap("pods")
            .done();
        let judged = Judgement::since(&timeline, "redeploy", |_| {
            Judgement::of(&seen())
                .fact("least", 1)
                .fight(|| "a fought b".to_owned())
        });
        assert_eq!(
            judged.verdict,
            Verdict::Inconclusive(
                "the watch on pods had a gap at 6.5 s (too old resource version): what happened in it was not seen"
                    .to_owned()
            )
        );
        assert_eq!((judged.fight, judged.needed), (None, None));
        assert_eq!(judged.facts["least"], 1);
    }

    #[test]
    fn a_gap_before_the_mark_does_no_harm() {
        let timeline = Draft::new("c2").gap("pods").at(5.0).mark("redeploy").done();
        let judged = Judgement::since(&timeline, "redeploy", |_| Judgement::of(&seen()));
        assert_eq!(judged.verdict, Verdict::Reproduced);
    }

    #[test]
    fn a_fight_is_named_only_where_the_failure_was_observed() {
        let absent = Judgement::of(&Finding::not_seen("no")).fight(|| "a fought b".to_owned());
        assert_eq!(absent.fight, None);
        let unclear = Judgement::of(&seen())
            .fight(|| "a fought b".to_owned())
            .provided(&Finding::not_seen("never came back"));
        assert_eq!((unclear.fight, unclear.needed), (None, None));
    }

    #[test]
    fn seconds_have_three_decimals_and_are_left_out_where_they_never_came() {
        let judged = Judgement::of(&seen())
            .seconds("fell_s", Some(s(1.234_567)))
            .seconds("back_s", None);
        assert_eq!(judged.facts["fell_s"], 1.235);
        assert!(!judged.facts.contains_key("back_s"));
    }

    #[test]
    fn what_the_releases_lack_bars_an_absence_and_nothing_else() {
        let mut timeline = Draft::new("c5")
            .mark("m")
            .what(crate::timeline::What::End(crate::timeline::Ending::Complete))
            .done();
        timeline.header.lacks = vec!["it waits for ever".to_owned()];
        let absent = Judgement::of(&Finding::not_seen("no")).on(&timeline);
        assert_eq!(
            absent.verdict,
            Verdict::Inconclusive("it waits for ever".to_owned())
        );
        assert_eq!(Judgement::of(&seen()).on(&timeline).verdict, Verdict::Reproduced);
        timeline.header.lacks.clear();
        assert_eq!(
            Judgement::of(&Finding::not_seen("no")).on(&timeline).verdict,
            Verdict::Absent
        );
    }
}
