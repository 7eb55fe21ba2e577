//! `kubeclash results`: a page of what runs on several releases ended with.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::cases::CasesFlags;
use crate::evidence;
use crate::exit;
use crate::report::results::{notes, page};

/// Make a page of the results on several releases.
///
/// What each arm ended with, and what changed from one release to the next, as Markdown.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Example:\n  for release in v1.35.4 v1.36.3; do kubeclash run --kubernetes $release --out evidence/$release; done\n  \
                  kubeclash results evidence --notes docs/results-notes.yaml > docs/results.md"
)]
pub struct ResultsArgs {
    /// Folders that the runs' evidence went to, of any number of releases; several runs of an arm are judged by agreement
    #[arg(value_name = "DIR", required = true)]
    pub evidence: Vec<PathBuf>,
    /// What was found out about releases: a list of case, component, release, text, source
    #[arg(long, value_name = "FILE")]
    pub notes: Option<PathBuf>,
    /// Where cases are found
    #[command(flatten)]
    pub cases: CasesFlags,
}

/// Prints the page on standard output.
///
/// # Errors
/// When there is no evidence, or it or the notes can't be read.
pub fn run(args: &ResultsArgs) -> Result<(), Failure> {
    let usage = |why: String| Failure::new(exit::USAGE, why);
    let library = args.cases.library()?;
    let notes = match &args.notes {
        None => Vec::new(),
        Some(file) => {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(file)
                .map_err(|e| usage(format!("--notes: \"{name}\" can't be read: {e}")))?;
            notes(&name, &text, &library).map_err(|e| usage(e.to_string()))?
        }
    };
    let mut outcomes = Vec::new();
    for dir in &args.evidence {
        let found = evidence::outcomes(dir).map_err(usage)?;
        if found.is_empty() {
            let message = format!(
                "there is no verdict.json below \"{}\": run with --out first",
                dir.display()
            );
            return Err(Failure::new(exit::NOTHING, message));
        }
        outcomes.extend(found);
    }
    super::say(&page(&outcomes, &notes, &library));
    Ok(())
}
