//! `kubeclash fidelity`: runs at the recorded pace, held against the study of 2023.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::cases;
use crate::evidence::Outcome;
use crate::exit;
use crate::report::fidelity::{figures, page};

/// Hold runs at the recorded pace against the study of 2023, as Markdown.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Example:\n  kubeclash run --arm broken --pace recorded --out target/fidelity\n  \
                        kubeclash fidelity target/fidelity > docs/fidelity.md"
)]
pub struct FidelityArgs {
    /// The folder that the runs' evidence went to; of several runs of an arm the last counts
    pub evidence: PathBuf,
}

/// Prints the page on standard output.
///
/// # Errors
/// When there is no evidence, or it can't be read.
pub fn run(args: &FidelityArgs) -> Result<(), Failure> {
    let figures =
        figures(&cases::recorded("figures.yaml")).map_err(|e| Failure::new(exit::ERROR, e.to_string()))?;
    let outcomes = outcomes(&args.evidence)?;
    if outcomes.is_empty() {
        let message = format!(
            "there is no verdict.json below \"{}\": run with --out first",
            args.evidence.display()
        );
        return Err(Failure::new(exit::NOTHING, message));
    }
    super::say(&page(&outcomes, &figures));
    Ok(())
}

/// The last outcome of each arm below a folder.
fn outcomes(dir: &Path) -> Result<Vec<Outcome>, Failure> {
    let mut found = Vec::new();
    for case in &cases::ALL {
        let mut arms = folders(&dir.join(case.folder));
        arms.sort();
        for arm in arms {
            let mut runs: Vec<PathBuf> = folders(&arm)
                .into_iter()
                .map(|run| run.join("verdict.json"))
                .filter(|f| f.is_file())
                .collect();
            runs.sort();
            let Some(last) = runs.pop() else { continue };
            let wrong = |e: String| {
                Failure::new(
                    exit::USAGE,
                    format!("\"{}\" is not an outcome: {e}", last.display()),
                )
            };
            let text = std::fs::read_to_string(&last).map_err(|e| wrong(e.to_string()))?;
            found.push(serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?);
        }
    }
    Ok(found)
}

fn folders(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}
