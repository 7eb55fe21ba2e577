//! `kubeclash fidelity`: runs at the recorded pace, held against the study of 2023, and the providers against each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use super::cases::CasesFlags;
use crate::cases::{self, Library};
use crate::evidence::{self, Outcome};
use crate::exit;
use crate::report::fidelity::{figures, page};
use kubeclash_timeline::Pace;

/// Hold runs at the recorded pace against the study of 2023, as Markdown.
///
/// Where the folder has runs of both providers, a second table holds kind against local.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Example:\n  kubeclash run --pace recorded --out target/fidelity\n  \
                  kubeclash run --pace recorded --provider kind --out target/fidelity\n  \
                  kubeclash fidelity target/fidelity > docs/fidelity.md"
)]
pub struct FidelityArgs {
    /// The folder that the runs' evidence went to; of several runs of an arm by one provider the
    /// last counts
    pub evidence: PathBuf,
    /// Where cases are found
    #[command(flatten)]
    pub cases: CasesFlags,
}

/// Prints the page on standard output.
///
/// # Errors
/// When there is no evidence, or it can't be read.
pub fn run(args: &FidelityArgs) -> Result<(), Failure> {
    let figures =
        figures(&cases::recorded("figures.yaml")).map_err(|e| Failure::new(exit::ERROR, e.to_string()))?;
    let outcomes = outcomes(&args.evidence, &args.cases.library()?)?;
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

/// The last outcome of each arm below a folder, by provider and pace: runs are named by their time.
fn outcomes(dir: &Path, library: &Library) -> Result<Vec<Outcome>, Failure> {
    let mut found = Vec::new();
    for case in library {
        let mut last: BTreeMap<(PathBuf, String, bool), Outcome> = BTreeMap::new();
        for run in evidence::runs(&dir.join(case.folder())) {
            let file = run.join(evidence::VERDICT);
            if let (Some(arm), true) = (run.parent(), file.is_file()) {
                let outcome = evidence::outcome(&file).map_err(|e| Failure::new(exit::USAGE, e))?;
                let how = (
                    arm.to_owned(),
                    outcome.provider.clone(),
                    outcome.pace == Pace::Recorded,
                );
                last.insert(how, outcome);
            }
        }
        found.extend(last.into_values());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::outcome;

    #[test]
    fn the_last_run_counts_of_each_provider() {
        let dir = tempfile::tempdir().unwrap();
        for (run, provider, rounds) in [("1", "local", 1), ("2", "kind", 2), ("3", "kind", 3)] {
            let mut outcome = outcome();
            outcome.provider = provider.to_owned();
            outcome.facts.insert("rounds".to_owned(), rounds.into());
            let run = dir.path().join(&outcome.id.case).join("broken").join(run);
            std::fs::create_dir_all(&run).unwrap();
            std::fs::write(run.join(evidence::VERDICT), serde_json::to_vec(&outcome).unwrap()).unwrap();
        }
        let found: Vec<_> = outcomes(dir.path(), &Library::builtin())
            .unwrap()
            .into_iter()
            .map(|outcome| (outcome.provider, outcome.facts["rounds"].as_i64()))
            .collect();
        let wanted =
            [("kind", 3), ("local", 1)].map(|(provider, rounds)| (provider.to_owned(), Some(rounds)));
        assert_eq!(found, wanted);
    }
}
