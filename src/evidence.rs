//! What an arm leaves behind: a folder of files, and one [`Outcome`] that sums them up.
//!
//! ```text
//! target/evidence/<case>/<arm>[-<variant>]/<run>/
//!   timeline.jsonl   what was seen and done        verdict.json   the outcome, as `run --format json` prints it
//!   manifests/       what was applied, at its pace  logs/          one file a component, its command line first, and
//!                                                                  build-<component>.log of each that was built here;
//!                                                                  on kind nodes/, as "kind export logs" has them
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::scenario::{Arm, Pace};
use crate::timeline::{ComponentVersion, Deed, Recorded, Timeline};
use crate::verdict::{Change, Expect, Judgement, Verdict};

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
    /// Whether the failure that was expected is cured, or one that was not has returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// Why that was expected, where a file of expectations says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_why: Option<String>,
    /// From the start of the first process to the verdict, milliseconds.
    pub elapsed_ms: u64,
    /// From the start of the first process until API server, controller-manager, scheduler and all nodes were ready, milliseconds.
    pub ready_ms: u64,
    /// What kind took to make the cluster, milliseconds; not where the cluster was used again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_ms: Option<u64>,
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
    /// The numbers that the verdict rests on; of several runs their medians.
    pub facts: Map<String, Value>,
    /// The runs that this sums up, where the arm was run several times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<RunOf>,
    /// How far these runs' numbers lie apart: a fact's name, or `needed_ms`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub spread: BTreeMap<String, Spread>,
}

/// One run of several of an arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunOf {
    /// Its verdict.
    pub verdict: String,
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
    /// Takes a judgement in: verdict, why, facts, and whether it is the expected one.
    pub(crate) fn judged(&mut self, judgement: Judgement) {
        self.found(&judgement.verdict);
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

    /// Takes a verdict in, and whether it is the expected one.
    pub(crate) fn found(&mut self, verdict: &Verdict) {
        self.ok = self.expected.met_by(verdict);
        self.verdict = verdict.name().to_owned();
        self.change = Expect::named(&self.verdict).and_then(|seen| Change::between(self.expected, seen));
    }

    /// In words, how the verdict stands to the expectation: `as expected`, `UNEXPECTED: cured, reproduced was expected`.
    #[must_use]
    pub fn expectation(&self) -> String {
        match (self.ok, self.change) {
            (true, _) => "as expected".to_owned(),
            (false, Some(change)) => format!("UNEXPECTED: {change}, {} was expected", self.expected),
            (false, None) => format!("UNEXPECTED: {} was expected", self.expected),
        }
    }

    /// The same in two words at most, for tables: `ok`, `UNEXPECTED: cured`.
    #[must_use]
    pub fn flag(&self) -> &'static str {
        match (self.ok, self.change) {
            (true, _) => "ok",
            (false, Some(Change::Cured)) => "UNEXPECTED: cured",
            (false, Some(Change::Returned)) => "UNEXPECTED: returned",
            (false, None) => "UNEXPECTED",
        }
    }

    /// The release of a component that took part.
    #[must_use]
    pub fn version(&self, component: &str) -> Option<&str> {
        self.components.get(component).map(|c| c.version.as_str())
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

/// The outcome's file.
pub const VERDICT: &str = "verdict.json";

/// The recording's file.
pub const TIMELINE: &str = "timeline.jsonl";

/// How many folders deep runs are looked for: a case, an arm and a run, and what somebody sorted these into.
const DEPTH: usize = 8;

/// What is larger is no evidence of ours: a minute of the busiest case is below one MiB.
const LARGEST: u64 = 256 << 20;

/// What was read back of one run.
#[derive(Debug, Clone)]
pub struct Found {
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen; `None` where it can't be read.
    pub timeline: Option<Timeline>,
    /// What the recording lacks, in words; `None` for a whole one.
    pub lacks: Option<String>,
}

/// The folders of runs at or below a folder, in order of their names.
///
/// Links are not followed: a folder that lies in itself has no end.
#[must_use]
pub fn runs(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut look = vec![(dir.to_owned(), 0)];
    while let Some((dir, depth)) = look.pop() {
        if dir.join(VERDICT).is_file() || dir.join(TIMELINE).is_file() {
            found.push(dir);
        } else if depth < DEPTH {
            let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
            let dirs = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            look.extend(dirs.map(|entry| (entry.path(), depth + 1)));
        }
    }
    found.sort();
    found
}

/// Reads one run back. What its recording lacks is said, as the verdict stands without it.
///
/// # Errors
/// When there is no verdict that can be read; in words.
pub fn read(run: &Path) -> Result<Found, String> {
    let outcome = outcome(&run.join(VERDICT))?;
    let file = run.join(TIMELINE);
    let recorded = small(&file).and_then(|()| crate::timeline::read(&file).map_err(|e| e.to_string()));
    let (timeline, lacks) = match recorded {
        Ok(Recorded { timeline, cut }) => {
            let lacks = cut.or_else(|| timeline.broken_off());
            let lacks = lacks.map(|why| format!("the recording is not whole: {why}"));
            (Some(timeline), lacks)
        }
        Err(why) => (None, Some(format!("there is no drawing: {why}"))),
    };
    let of = |timeline: &Timeline| {
        let header = &timeline.header;
        (header.case.clone(), header.arm, header.variant.clone())
    };
    match timeline {
        Some(other) if of(&other) != (outcome.case.clone(), outcome.arm, outcome.variant.clone()) => {
            Ok(Found {
                lacks: Some(format!(
                    "there is no drawing: \"{}\" is a recording of {} {}",
                    file.display(),
                    other.header.case,
                    other.header.arm
                )),
                outcome,
                timeline: None,
            })
        }
        timeline => Ok(Found {
            outcome,
            timeline,
            lacks,
        }),
    }
}

/// Reads the outcome of a run.
///
/// # Errors
/// When there is none that can be read; in words.
pub fn outcome(file: &Path) -> Result<Outcome, String> {
    small(file)?;
    let wrong = |why: String| format!("\"{}\" is not an outcome: {why}", file.display());
    let text = fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))
}

fn small(file: &Path) -> Result<(), String> {
    match fs::metadata(file) {
        Err(error) => Err(format!("\"{}\" can't be read: {error}", file.display())),
        Ok(meta) if !meta.is_file() => Err(format!("\"{}\" is not a file", file.display())),
        Ok(meta) if meta.len() > LARGEST => Err(format!(
            "\"{}\" is of {} MiB, which no run of ours leaves",
            file.display(),
            meta.len() >> 20
        )),
        Ok(_) => Ok(()),
    }
}

/// The outcomes of all runs at or below a folder; the runs of an arm in order of time.
///
/// # Errors
/// When one can't be read; in words.
pub fn outcomes(dir: &Path) -> Result<Vec<Outcome>, String> {
    let runs = runs(dir).into_iter().filter(|run| run.join(VERDICT).is_file());
    runs.map(|run| {
        let mut outcome = outcome(&run.join(VERDICT))?;
        // It may have been moved, or come out of an archive.
        outcome.evidence = run;
        Ok(outcome)
    })
    .collect()
}

#[cfg(test)]
#[path = "evidence_tests.rs"]
mod tests;
