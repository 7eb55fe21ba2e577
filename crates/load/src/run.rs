//! What a run of the load test leaves: how it went, step by step, and what was measured. A value; reports are views on it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::measure::Measured;
use kubeclash_timeline::{ComponentVersion, Label, LoadStep};

/// The version of the file that a run is kept in. A reader refuses a later one.
pub const FORMAT: u32 = 1;

/// A run of the load test.
///
/// Every time in it, and in what was measured, counts milliseconds from [`started`](Self::started).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadRun {
    /// The version of this format: [`FORMAT`].
    pub format: u32,
    /// When the run began: when measuring did.
    pub started: jiff::Timestamp,
    /// How long it took, milliseconds.
    pub elapsed_ms: u64,
    /// What it was a run of.
    pub profile: ProfileUsed,
    /// How many nodes it had.
    pub nodes: usize,
    /// What took part, by name.
    pub components: BTreeMap<String, ComponentVersion>,
    /// The steps that began, in order.
    pub steps: Vec<StepRecord>,
    /// How it ended.
    pub outcome: LoadOutcome,
    /// The last step that began.
    pub reached: LoadStep,
    /// What the run says of its build, where it was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
    /// Why it ended so, or is labelled so, in a sentence.
    pub why: String,
    /// What came of the requests of the load test's own clients.
    pub requests: ClientRequests,
    /// What befell the API server's pod: failed probes, its end, its return.
    #[serde(default)]
    pub liveness: Vec<LivenessEvent>,
    /// What was measured.
    pub measured: Measured,
}

/// The profile of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileUsed {
    /// What it is called.
    pub name: String,
    /// The file, as it was read.
    pub yaml: String,
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Which.
    pub step: LoadStep,
    /// When it began, milliseconds.
    pub started_ms: u64,
    /// When it ended, milliseconds; not where the run ended in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
    /// Some of the objects that it waited for in vain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late: Vec<String>,
    /// How many these were.
    #[serde(default)]
    pub late_total: u64,
    /// What else is to be said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How a run ended, in the second seed's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoadOutcome {
    /// All steps ended, and every object that was waited for came.
    #[serde(rename = "completed")]
    Completed,
    /// All steps ended, some without objects that they waited for.
    #[serde(rename = "completed with timeouts")]
    CompletedWithTimeouts,
    /// A step could not go on.
    #[serde(rename = "aborted")]
    Aborted,
}

impl fmt::Display for LoadOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Completed => "completed",
            Self::CompletedWithTimeouts => "completed with timeouts",
            Self::Aborted => "aborted",
        })
    }
}

/// What came of the requests of the load test's own clients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRequests {
    /// How many were answered as they should be.
    pub ok: u64,
    /// How many were sent again.
    pub retried: u64,
    /// How many failed, by reason: an HTTP status, `connection refused`, `timed out`, …; those that were sent again as well.
    #[serde(default)]
    pub failed: BTreeMap<String, u64>,
}

impl ClientRequests {
    /// Adds another's.
    pub(super) fn add(&mut self, other: &Self) {
        self.ok += other.ok;
        self.retried += other.retried;
        for (reason, count) in &other.failed {
            *self.failed.entry(reason.clone()).or_default() += count;
        }
    }
}

/// Something that befell the API server's pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LivenessEvent {
    /// When, milliseconds.
    pub t_ms: u64,
    /// What: a failed probe, its end, its return.
    pub what: String,
}

/// Why there is no run to be had of a file.
#[derive(Debug, thiserror::Error)]
pub enum LoadRunError {
    /// The file can't be read.
    #[error("\"{file}\" can't be read: {source}")]
    Read {
        /// Which.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// It has no run of the load test.
    #[error("{file}:{line}:{column}: no run of the load test: {why}")]
    Parse {
        /// Which.
        file: String,
        /// Where, counted from 1.
        line: usize,
        /// In which column of the line.
        column: usize,
        /// What is wrong there.
        why: String,
    },
    /// It was written by a later kubeclash.
    #[error("\"{file}\" has format {found}, and this kubeclash reads up to {FORMAT}: use a newer one")]
    Format {
        /// Which.
        file: String,
        /// Its format.
        found: u64,
    },
}

impl LoadRun {
    /// Reads the run of a file.
    ///
    /// # Errors
    /// When it can't be read, has none, or is of a later format.
    pub fn read(file: &Path) -> Result<Self, LoadRunError> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|source| LoadRunError::Read {
            file: name.clone(),
            source,
        })?;
        Self::parse(&name, &text)
    }

    /// The run of a text, which errors call `name`.
    ///
    /// # Errors
    /// When it has none, or is of a later format.
    pub fn parse(name: &str, text: &str) -> Result<Self, LoadRunError> {
        #[derive(Deserialize)]
        struct Version {
            format: u64,
        }
        let wrong = |error: serde_json::Error| LoadRunError::Parse {
            file: name.to_owned(),
            line: error.line(),
            column: error.column(),
            why: message(&error),
        };
        // Its version first: a later format may have anything else.
        let Version { format } = serde_json::from_str(text).map_err(wrong)?;
        if format > u64::from(FORMAT) {
            return Err(LoadRunError::Format {
                file: name.to_owned(),
                found: format,
            });
        }
        serde_json::from_str(text).map_err(wrong)
    }

    /// The run as a file has it.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string(self).expect("a run is plain data");
        text.push('\n');
        text
    }
}

/// What is wrong, without the place: that is said before it.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use assert_matches::assert_matches;

    use super::*;

    fn run() -> LoadRun {
        LoadRun {
            format: FORMAT,
            started: "2026-01-02T03:04:05Z".parse().unwrap(),
            elapsed_ms: 61_000,
            profile: ProfileUsed {
                name: "100".to_owned(),
                yaml: "nodes: 100\n".to_owned(),
            },
            nodes: 100,
            components: BTreeMap::new(),
            steps: vec![StepRecord {
                step: LoadStep::CreateObjects,
                started_ms: 1_000,
                ended_ms: None,
                late: Vec::new(),
                late_total: 0,
                note: None,
            }],
            outcome: LoadOutcome::CompletedWithTimeouts,
            reached: LoadStep::CreateObjects,
            label: Some(Label::Green),
            why: "2 objects were late".to_owned(),
            requests: ClientRequests::default(),
            liveness: Vec::new(),
            measured: Measured::default(),
        }
    }

    #[test]
    fn a_run_is_read_as_it_was_written() {
        let json = run().to_json();
        assert!(
            json.contains(r#""outcome":"completed with timeouts","reached":"Creating objects""#),
            "{json}"
        );
        assert_eq!(LoadRun::parse("x", &json).unwrap(), run());
    }

    #[test]
    fn what_is_no_run_is_refused_with_its_place() {
        let later = run().to_json().replace(r#""format":1"#, r#""format":2"#);
        assert_matches!(
            LoadRun::parse("x", &later),
            Err(LoadRunError::Format { found: 2, .. })
        );
        let error = LoadRun::parse("x.json", "{\n \"format\": 1,\n \"nodes\": -1}").unwrap_err();
        assert!(error.to_string().starts_with("x.json:3:"), "{error}");
        let error = LoadRun::parse("x.json", "rubbish").unwrap_err();
        assert_eq!(
            error.to_string(),
            "x.json:1:1: no run of the load test: expected value"
        );
    }
}
