//! What an arm leaves behind: a folder of files, and one [`Outcome`] that sums them up.
//!
//! ```text
//! target/evidence/<case>/<arm>[-<variant>]/<run>/
//!   timeline.jsonl   what was seen and done        verdict.json   the outcome, as `run --format json` prints it
//!   manifests/       what was applied, at its pace  logs/          one file a component, its command line first, and
//!                                                                  build-<component>.log of each that was built here;
//!                                                                  on kind nodes/, as "kind export logs" has them
//! ```

mod outcome;
mod record;

pub use outcome::{Outcome, Repetition, RunContext, Spread};

use std::fs;
use std::path::{Path, PathBuf};

use kubeclash_timeline::{Recorded, Timeline};

/// The outcome's file.
pub const VERDICT: &str = "verdict.json";

/// The folder that the case is copied into: its `case.yaml` and the files that it names.
pub const CASE: &str = "case";

/// The recording's file.
pub const TIMELINE: &str = "timeline.jsonl";

/// How many folders deep runs are looked for: a case, an arm and a run, and what somebody sorted these into.
const DEPTH: usize = 8;

/// What is larger is no evidence of ours: a minute of the busiest case is below one MiB.
const LARGEST: u64 = 256 << 20;

/// What there is of one run, live or read back.
#[derive(Debug, Clone)]
pub struct Evidence {
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
pub fn read(run: &Path) -> Result<Evidence, String> {
    let outcome = outcome(&run.join(VERDICT))?;
    let file = run.join(TIMELINE);
    let recorded = small(&file).and_then(|()| kubeclash_timeline::read(&file).map_err(|e| e.to_string()));
    let (timeline, lacks) = match recorded {
        Ok(Recorded { timeline, .. }) if timeline.header.arm_id() != outcome.id => {
            let other = timeline.header.arm_id();
            let why = format!("\"{}\" is a recording of {other}", file.display());
            (None, Some(format!("there is no drawing: {why}")))
        }
        Ok(Recorded { timeline, cut }) => {
            let lacks = cut.or_else(|| timeline.broken_off());
            let lacks = lacks.map(|why| format!("the recording is not whole: {why}"));
            (Some(timeline), lacks)
        }
        Err(why) => (None, Some(format!("there is no drawing: {why}"))),
    };
    Ok(Evidence {
        outcome,
        timeline,
        lacks,
    })
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

/// A number with at most two decimals.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
