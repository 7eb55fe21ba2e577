//! `kubeclash bench`: how fast a cluster is ready, side by side with `kwokctl create cluster`, and what a run takes of
//! CPU time besides the control plane itself; and how fast logs are classified.

mod classify;
mod kwokctl;
mod overhead;
mod scale;

use std::time::Duration;

use clap::{Args, Subcommand};

use self::kwokctl::Kwokctl;
use super::Failure;
use super::cases::CasesFlags;
use super::flags::RunFlags;
use crate::exit;
use crate::session::{Session, Settings};
use kubeclash_components::{Cache, ComponentName, Resolver};
use kubeclash_host::progress::Progress;
use kubeclash_timeline::Shape;

/// Measure how fast a cluster is ready, and what a run takes besides it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  kubeclash bench ready --runs 5")]
pub struct BenchArgs {
    /// What
    #[command(subcommand)]
    pub what: What,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum What {
    /// The time from nothing to a ready cluster (API server, controller-manager, scheduler, nodes), in turn with
    /// "kwokctl create cluster --runtime binary" on the same binaries
    #[command(after_help = "Example:\n  kubeclash bench ready --runs 5")]
    Ready {
        /// How often each
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
        runs: u16,
        /// On what
        #[command(flatten)]
        flags: Box<RunFlags>,
    },
    /// How fast many nodes are ready, and as many pods of one deployment run on them, in turn with "kwokctl scale node" on a
    /// stock cluster of the same binaries
    #[command(after_help = "Example:\n  kubeclash bench scale --nodes 5000")]
    Scale {
        /// How many nodes, and pods
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=5000))]
        nodes: u16,
        /// On what
        #[command(flatten)]
        flags: Box<RunFlags>,
    },
    /// The CPU time that recorder, evidence and audit log take, beside the control plane's; runs with an audit log and
    /// without one take turns
    #[command(after_help = "Example:\n  kubeclash bench overhead c7 --runs 5 --pace recorded")]
    Overhead {
        /// The case whose broken arm is run
        #[arg(value_name = "CASE", default_value = "c7")]
        case: String,
        /// Where cases are found
        #[command(flatten)]
        cases: CasesFlags,
        /// How often each
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
        runs: u16,
        /// On what
        #[command(flatten)]
        flags: Box<RunFlags>,
    },
    /// How fast logs are classified, on one core, and the memory that takes; on a log that is made for it
    #[command(after_help = "Example:\n  kubeclash bench classify --megabytes 2000 --packing gzip")]
    Classify {
        /// The size of the log
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        megabytes: u64,
        /// One line in so many has a signature
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
        every: u64,
        /// How the log is packed
        #[arg(long, value_enum, default_value_t = classify::Packing::Plain)]
        packing: classify::Packing,
    },
}

/// Measures, and prints a line a run and the medians.
///
/// # Errors
/// When a cluster does not come up, or no case is called as was said.
pub async fn run(args: &BenchArgs, progress: &Progress) -> Result<(), Failure> {
    match &args.what {
        What::Ready { runs, flags } => {
            flags.with.fit([])?;
            ready(*runs, flags, progress).await
        }
        What::Scale { nodes, flags } => {
            flags.with.fit([])?;
            scale::run(usize::from(*nodes), flags, progress).await
        }
        What::Overhead {
            case,
            cases,
            runs,
            flags,
        } => {
            let case = cases.only(case)?;
            flags.with.fit([&case])?;
            overhead::run(&open(flags.settings(), progress).await?, &case, *runs).await
        }
        What::Classify {
            megabytes,
            every,
            packing,
        } => classify::run(*megabytes, *every, *packing, progress),
    }
}

async fn open(settings: Settings, progress: &Progress) -> Result<Session, Failure> {
    Session::open(settings, progress)
        .await
        .map_err(|e| Failure::new(exit::UNAVAILABLE, e.to_string()))
}

async fn ready(runs: u16, flags: &RunFlags, progress: &Progress) -> Result<(), Failure> {
    let settings = flags.settings();
    let resolver = Resolver::new(Cache::open(None)?, progress.clone())?;
    let kwokctl = resolver
        .resolve(&settings.selection, &[ComponentName::Kwokctl])
        .await?;
    let session = open(settings, progress).await?;
    let scratch = tempfile::tempdir().map_err(|e| Failure::new(exit::ERROR, e.to_string()))?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for run in 0..runs {
        let order = session.order(
            Shape {
                workers: 3,
                worker_cpu: 8,
            },
            scratch.path().join(format!("logs-{run}")),
        );
        let cluster = session.settings().provider.up(order.clone(), &|_| ()).await;
        let cluster = cluster.map_err(|e| Failure::new(exit::UNAVAILABLE, e.to_string()))?;
        ours.push(cluster.ready_after());
        cluster.down(true).await;
        let home = scratch.path().join(format!("kwok-{run}"));
        let binary = |name| {
            order
                .binary(name)
                .map(|b| b.program.to_string())
                .unwrap_or_default()
        };
        let kwokctl = Kwokctl::new(&kwokctl[&ComponentName::Kwokctl].program, home);
        let created = kwokctl.create(&binary).await;
        kwokctl.delete().await?;
        theirs.push(created?);
        let (a, b) = (ours[ours.len() - 1], theirs[theirs.len() - 1]);
        println!(
            "kubeclash {:.2} s   kwokctl {:.2} s   ratio {:.2}",
            a.as_secs_f64(),
            b.as_secs_f64(),
            a.as_secs_f64() / b.as_secs_f64()
        );
    }
    let (a, b) = (median(&mut ours), median(&mut theirs));
    println!(
        "median: kubeclash {:.2} s   kwokctl {:.2} s   ratio {:.2}",
        a.as_secs_f64(),
        b.as_secs_f64(),
        a.as_secs_f64() / b.as_secs_f64()
    );
    Ok(())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
