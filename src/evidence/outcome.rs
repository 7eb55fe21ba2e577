//! How one arm ended: the one result that everything behind a run is a view of.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::record::{Record, RepetitionRecord};
use kubeclash_timeline::{ArmId, ComponentVersion, Deed, Difference, Expect, Judgement, Pace, Verdict};

/// How one arm ended: a line of `run --format json`.
///
/// Built once, of what is known of the run and what the judge says; whether it is as expected follows from these. The fields
/// of its JSON are part of the command's interface, and are written down in `evidence/record.rs`. There `why` is the reason of
/// an inconclusive verdict, and `seen` what the judge had seen all the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "Record", try_from = "Record")]
pub struct Outcome {
    /// Which arm.
    pub id: ArmId,
    /// The verdict, with its reason where there is no answer.
    pub verdict: Verdict,
    /// What was expected.
    pub expected: Expect,
    /// Why that was expected, where a file of expectations says so.
    pub expected_why: Option<String>,
    /// From the start of the first process to the verdict, milliseconds.
    pub elapsed_ms: u64,
    /// From the start of the first process until API server, controller-manager, scheduler and all nodes were ready, milliseconds.
    pub ready_ms: u64,
    /// What kind took to make the cluster, milliseconds; not where the cluster was used again.
    pub create_ms: Option<u64>,
    /// From the case's mark until the failure was complete, milliseconds; only where it was observed.
    pub needed_ms: Option<u64>,
    /// For how long was watched after the case's mark, milliseconds.
    pub watched_ms: u64,
    /// `local` or `kind`.
    pub provider: String,
    /// At which pace.
    pub pace: Pace,
    /// What took part, by name.
    pub components: BTreeMap<String, ComponentVersion>,
    /// The folder of the evidence.
    pub evidence: PathBuf,
    /// What the judge saw, in a sentence. Empty where an inconclusive verdict's reason is all that there is to say.
    pub seen: String,
    /// The controllers that fought and at what rate, where the failure was observed.
    pub fight: Option<String>,
    /// Who did what to the case's app since its mark, and how often; in order of the first time.
    pub attribution: Vec<Deed>,
    /// The numbers that the verdict rests on; of several runs their medians.
    pub facts: Map<String, Value>,
    /// The runs that this sums up, where the arm was run several times.
    pub runs: Vec<Repetition>,
    /// How far these runs' numbers lie apart: a fact's name, or `needed_ms`.
    pub spread: BTreeMap<String, Spread>,
}

/// What is known of a run besides what its judge says.
#[derive(Debug, Clone, PartialEq)]
pub struct RunContext {
    /// Which arm.
    pub id: ArmId,
    /// What was expected.
    pub expected: Expect,
    /// Why, where a file of expectations says so.
    pub expected_why: Option<String>,
    /// From the start of the first process to the verdict.
    pub elapsed: Duration,
    /// From the start of the first process until the cluster was ready.
    pub ready: Duration,
    /// What kind took to make the cluster; not where the cluster was used again.
    pub created: Option<Duration>,
    /// `local` or `kind`.
    pub provider: String,
    /// At which pace.
    pub pace: Pace,
    /// What took part, by name.
    pub components: BTreeMap<String, ComponentVersion>,
    /// The folder of the evidence.
    pub evidence: PathBuf,
}

/// One run of several of an arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "RepetitionRecord", from = "RepetitionRecord")]
pub struct Repetition {
    /// Its verdict.
    pub verdict: Verdict,
    /// Its evidence.
    pub evidence: PathBuf,
}

/// How far the runs of an arm lie apart in one number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// The one in the middle.
    pub median: f64,
    /// The greatest.
    pub max: f64,
}

impl Outcome {
    /// The outcome of a run, as it was judged.
    #[must_use]
    pub fn new(run: RunContext, judgement: Judgement) -> Self {
        let reason = judgement.verdict.reason();
        let seen = if reason == Some(&judgement.why) {
            String::new()
        } else {
            judgement.why
        };
        Self {
            seen,
            verdict: judgement.verdict,
            needed_ms: judgement.needed.map(ms),
            watched_ms: ms(judgement.watched),
            fight: judgement.fight,
            attribution: judgement.attribution,
            facts: judgement.facts,
            id: run.id,
            expected: run.expected,
            expected_why: run.expected_why,
            elapsed_ms: ms(run.elapsed),
            ready_ms: ms(run.ready),
            create_ms: run.created.map(ms),
            provider: run.provider,
            pace: run.pace,
            components: run.components,
            evidence: run.evidence,
            runs: Vec::new(),
            spread: BTreeMap::new(),
        }
    }

    /// Why this verdict, in a sentence: the reason of an inconclusive one, or what the judge saw.
    #[must_use]
    pub fn why(&self) -> &str {
        self.verdict.reason().unwrap_or(&self.seen)
    }

    /// Whether the verdict is the expected one.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.expected.met_by(&self.verdict)
    }

    /// Whether the failure that was expected is cured, or one that was not has returned.
    #[must_use]
    pub fn change(&self) -> Option<Difference> {
        Difference::between(self.expected, self.verdict.answer()?)
    }

    /// In words, how the verdict stands to the expectation: `as expected`, `UNEXPECTED: cured, reproduced was expected`.
    #[must_use]
    pub fn expectation(&self) -> String {
        match (self.ok(), self.change()) {
            (true, _) => "as expected".to_owned(),
            (false, Some(change)) => format!("UNEXPECTED: {change}, {} was expected", self.expected),
            (false, None) => format!("UNEXPECTED: {} was expected", self.expected),
        }
    }

    /// The same in two words at most, for tables: `ok`, `UNEXPECTED: cured`.
    #[must_use]
    pub fn flag(&self) -> &'static str {
        match (self.ok(), self.change()) {
            (true, _) => "ok",
            (false, Some(Difference::Cured)) => "UNEXPECTED: cured",
            (false, Some(Difference::Returned)) => "UNEXPECTED: returned",
            (false, None) => "UNEXPECTED",
        }
    }

    /// The release of a component that took part.
    #[must_use]
    pub fn version(&self, component: &str) -> Option<&str> {
        self.components.get(component).map(|c| c.version.as_str())
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
