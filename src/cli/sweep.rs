//! `kubeclash sweep`: what a killed run left behind.

use clap::Args;
use serde_json::json;

use super::Failure;
use crate::exit;
use kubeclash_host::sweep;

/// Find and remove what a killed run left behind.
///
/// That is its processes, its containers, its kind cluster and its run directory. What "kubeclash submit" left on a cluster
/// is its own --sweep's.
///
/// Only what kubeclash started is touched: processes that carry a run directory in their environment, or that have the
/// recorded process id and start time, and containers, networks and images with a run directory in their label. Runs
/// whose kubeclash is alive are left alone, and so are kind clusters that you made.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  kubeclash sweep --dry-run\n  kubeclash sweep")]
pub struct SweepArgs {
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// One JSON object a leftover
    #[arg(long)]
    pub json: bool,
}

/// Sweeps.
///
/// # Errors
/// When something can't be removed.
pub fn run(args: &SweepArgs) -> Result<u8, Failure> {
    let leftovers = sweep::leftovers();
    let mut failed = Vec::new();
    for leftover in &leftovers {
        let processes = leftover
            .processes
            .iter()
            .map(|(name, pid)| format!("{name} ({pid})"));
        let named = |noun: &'static str, things: &[(String, String)]| {
            let shown = things.iter().map(move |(name, id)| {
                let id = id.strip_prefix("sha256:").unwrap_or(id);
                format!("{name} ({noun} {})", id.get(..12).unwrap_or(id))
            });
            shown.collect::<Vec<_>>()
        };
        let names: Vec<String> = processes
            .chain(named("container", &leftover.containers))
            .chain(named("network", &leftover.networks))
            .chain(named("image", &leftover.images))
            .collect();
        if args.json {
            let line = json!({
                "run": leftover.run, "processes": leftover.processes, "containers": leftover.containers,
                "networks": leftover.networks, "images": leftover.images,
                "kept": leftover.kept,
                "removed": !args.dry_run,
            });
            super::say(&format!("{line}\n"));
        } else {
            let verb = if args.dry_run { "would remove" } else { "removing" };
            let names = if names.is_empty() {
                "no process".to_owned()
            } else {
                names.join(", ")
            };
            super::say(&format!("{verb} {}: {names}\n", leftover.run.display()));
        }
        if !args.dry_run
            && let Err(error) = sweep::sweep(leftover)
        {
            failed.push(format!("{}: {error}", leftover.run.display()));
        }
    }
    if leftovers.is_empty() && !args.json {
        super::say("nothing was left behind\n");
    }
    if failed.is_empty() {
        Ok(exit::EXPECTED)
    } else {
        Err(Failure::new(exit::ERROR, failed.join("\n")))
    }
}
