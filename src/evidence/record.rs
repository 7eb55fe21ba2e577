//! An outcome as JSON: the fields of `verdict.json` and of `run --format json`, in their order.
//!
//! These names are the command's interface: they stay. What follows from others (`ok`, `change`) is written for scripts, and
//! a file in which it does not follow is refused.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::outcome::{Outcome, Repetition, Spread};
use kubeclash_timeline::{ArmId, ComponentVersion, Deed, Difference, Expect, Pace, Verdict};

/// An outcome's JSON.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(flatten)]
    id: ArmId,
    /// `reproduced`, `absent` or `inconclusive`.
    verdict: VerdictName,
    expected: Expect,
    ok: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change: Option<Difference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expected_why: Option<String>,
    elapsed_ms: u64,
    ready_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    create_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    needed_ms: Option<u64>,
    watched_ms: u64,
    provider: String,
    pace: Pace,
    components: BTreeMap<String, ComponentVersion>,
    evidence: PathBuf,
    /// What the judge saw; of an inconclusive verdict its reason.
    why: String,
    /// What the judge saw all the same, where the verdict is inconclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fight: Option<String>,
    #[serde(default)]
    attribution: Vec<Deed>,
    facts: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    runs: Vec<Repetition>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    spread: BTreeMap<String, Spread>,
}

/// One run's JSON among several.
#[derive(Serialize, Deserialize)]
pub(super) struct RepetitionRecord {
    verdict: VerdictName,
    evidence: PathBuf,
    /// Of an inconclusive verdict its reason; older files have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// A verdict without its reason, which has a field of its own.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum VerdictName {
    Reproduced,
    Absent,
    Inconclusive,
}

impl VerdictName {
    fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Reproduced => Self::Reproduced,
            Verdict::Absent => Self::Absent,
            Verdict::Inconclusive(_) => Self::Inconclusive,
        }
    }

    fn because(self, reason: &str) -> Verdict {
        match self {
            Self::Reproduced => Verdict::Reproduced,
            Self::Absent => Verdict::Absent,
            Self::Inconclusive => Verdict::Inconclusive(reason.to_owned()),
        }
    }
}

impl From<Outcome> for Record {
    fn from(outcome: Outcome) -> Self {
        let (why, seen) = match outcome.verdict.reason() {
            Some(reason) => (reason.to_owned(), Some(outcome.seen.clone())),
            None => (outcome.seen.clone(), None),
        };
        Self {
            ok: outcome.ok(),
            change: outcome.change(),
            verdict: VerdictName::of(&outcome.verdict),
            why,
            seen: seen.filter(|seen| !seen.is_empty()),
            id: outcome.id,
            expected: outcome.expected,
            expected_why: outcome.expected_why,
            elapsed_ms: outcome.elapsed_ms,
            ready_ms: outcome.ready_ms,
            create_ms: outcome.create_ms,
            needed_ms: outcome.needed_ms,
            watched_ms: outcome.watched_ms,
            provider: outcome.provider,
            pace: outcome.pace,
            components: outcome.components,
            evidence: outcome.evidence,
            fight: outcome.fight,
            attribution: outcome.attribution,
            facts: outcome.facts,
            runs: outcome.runs,
            spread: outcome.spread,
        }
    }
}

impl TryFrom<Record> for Outcome {
    type Error = String;

    fn try_from(record: Record) -> Result<Self, Self::Error> {
        let verdict = record.verdict.because(&record.why);
        let seen = match verdict {
            Verdict::Inconclusive(_) => record.seen.unwrap_or_default(),
            Verdict::Reproduced | Verdict::Absent => record.why,
        };
        let outcome = Self {
            verdict,
            seen,
            id: record.id,
            expected: record.expected,
            expected_why: record.expected_why,
            elapsed_ms: record.elapsed_ms,
            ready_ms: record.ready_ms,
            create_ms: record.create_ms,
            needed_ms: record.needed_ms,
            watched_ms: record.watched_ms,
            provider: record.provider,
            pace: record.pace,
            components: record.components,
            evidence: record.evidence,
            fight: record.fight,
            attribution: record.attribution,
            facts: record.facts,
            runs: record.runs,
            spread: record.spread,
        };
        let against = || {
            format!(
                "against its own verdict: {}, and {} was expected",
                outcome.verdict, outcome.expected
            )
        };
        if record.ok != outcome.ok() {
            return Err(format!("it says \"ok\": {} {}", record.ok, against()));
        }
        // Files of before this field say nothing of it.
        match record.change {
            Some(change) if Some(change) != outcome.change() => {
                Err(format!("it says \"change\": \"{change}\" {}", against()))
            }
            _ => Ok(outcome),
        }
    }
}

impl From<Repetition> for RepetitionRecord {
    fn from(run: Repetition) -> Self {
        let reason = run.verdict.reason().filter(|reason| !reason.is_empty());
        Self {
            verdict: VerdictName::of(&run.verdict),
            why: reason.map(str::to_owned),
            evidence: run.evidence,
        }
    }
}

impl From<RepetitionRecord> for Repetition {
    fn from(record: RepetitionRecord) -> Self {
        Self {
            verdict: record.verdict.because(&record.why.unwrap_or_default()),
            evidence: record.evidence,
        }
    }
}
