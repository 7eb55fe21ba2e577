//! `kubeclash fidelity`: runs at the recorded pace, held against the study of 2023.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::cases;
use crate::evidence::{self, Outcome};
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

/// The last outcome of each arm below a folder: runs are named by their time.
fn outcomes(dir: &Path) -> Result<Vec<Outcome>, Failure> {
    let mut found = Vec::new();
    for case in &cases::ALL {
        let mut last: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
        for run in evidence::runs(&dir.join(case.folder)) {
            let file = run.join(evidence::VERDICT);
            if let (Some(arm), true) = (run.parent(), file.is_file()) {
                last.insert(arm.to_owned(), file);
            }
        }
        for file in last.values() {
            found.push(evidence::outcome(file).map_err(|e| Failure::new(exit::USAGE, e))?);
        }
    }
    Ok(found)
}
