//! `kubeclash worker`: what a Job of `kubeclash submit` runs in its container.

use clap::{Args, Subcommand};

use super::Failure;
use crate::exit;
use crate::submit::worker;

/// Run a command in a Job's container, and keep its results until they are fetched.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example:\n  kubeclash worker run -- run c7")]
pub struct WorkerArgs {
    /// What to do
    #[command(subcommand)]
    pub verb: WorkerVerb,
}

/// What a Job's container does.
#[derive(Debug, Clone, Subcommand)]
pub enum WorkerVerb {
    /// Run a command, and then wait until somebody ends this
    #[command(after_help = "Example:\n  kubeclash worker run -- run c7 --arm broken")]
    Run {
        /// What follows "kubeclash"
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Whether the command has ended: 0, or 5
    #[command(after_help = "Example:\n  kubeclash worker ended && echo ready")]
    Ended,
    /// Write the results to standard output, and their digest to standard error
    #[command(after_help = "Example:\n  kubeclash worker fetch > results.tar.gz")]
    Fetch,
}

/// Does a Job's work.
///
/// # Errors
/// When the command can't be started, or its results can't be written.
pub async fn run(args: &WorkerArgs) -> Result<u8, Failure> {
    let failed = |error: std::io::Error| Failure::new(exit::ERROR, error.to_string());
    match &args.verb {
        WorkerVerb::Run { command } => worker::run(command).await.map_err(failed),
        WorkerVerb::Ended if worker::ended() => Ok(exit::EXPECTED),
        WorkerVerb::Ended => Ok(exit::INCONCLUSIVE),
        WorkerVerb::Fetch => {
            let (out, sums) = (std::io::stdout().lock(), std::io::stderr());
            worker::fetch(out, sums).map_err(failed)?;
            Ok(exit::EXPECTED)
        }
    }
}
