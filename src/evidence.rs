//! What an arm leaves behind: a folder of files, and one [`Outcome`] that sums them up.
//!
//! ```text
//! target/evidence/<case>/<arm>[-<variant>]/<run>/
//!   timeline.jsonl   what was seen and done        verdict.json   the outcome, as `run --format json` prints it
//!   manifests/       what was applied, at its pace  logs/          one file a component, its command line first
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::scenario::{Arm, Pace};
use crate::timeline::{ComponentVersion, Deed};
use crate::verdict::{Expect, Judgement, Verdict};

/// How one arm ended: a line of `run --format json`.
///
/// Field names are part of the command's interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The case's folder, e.g. `c7_taint_recreate_loop`.
    pub case: String,
    /// Which half of the experiment.
    pub arm: Arm,
    /// Which of the case's variants, where it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// `reproduced`, `absent` or `inconclusive`.
    pub verdict: String,
    /// What was expected.
    pub expected: Expect,
    /// Whether the verdict is the expected one.
    pub ok: bool,
    /// From the start of the first process to the verdict, milliseconds.
    pub elapsed_ms: u64,
    /// From the start of the first process until API server, controller-manager, scheduler and all nodes were ready, milliseconds.
    pub ready_ms: u64,
    /// From the case's mark until the failure was complete, milliseconds; only where it was observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    /// Why this verdict, in a sentence.
    pub why: String,
    /// The controllers that fought and at what rate, where the failure was observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fight: Option<String>,
    /// Who did what to the case's app since its mark, and how often; in order of the first time.
    #[serde(default)]
    pub attribution: Vec<Deed>,
    /// The numbers that the verdict rests on.
    pub facts: Map<String, Value>,
}

impl Outcome {
    /// Takes a judgement in: verdict, why, facts, and whether it is the expected one.
    pub(crate) fn judged(&mut self, judgement: Judgement) {
        self.ok = self.expected.met_by(&judgement.verdict);
        self.verdict = judgement.verdict.name().to_owned();
        self.why = match judgement.verdict {
            Verdict::Inconclusive(reason) => reason,
            _ => judgement.why,
        };
        self.needed_ms = judgement
            .needed
            .map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX));
        self.watched_ms = u64::try_from(judgement.watched.as_millis()).unwrap_or(u64::MAX);
        self.fight = judgement.fight;
        self.attribution = judgement.attribution;
        self.facts = judgement.facts;
    }

    /// How the arm is called in one word or three: `c7_taint_recreate_loop broken`, `c3_… control (without-hpa)`.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.variant {
            Some(variant) => format!("{} {} ({variant})", self.case, self.arm),
            None => format!("{} {}", self.case, self.arm),
        }
    }
}
