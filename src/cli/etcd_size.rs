//! `kubeclash etcd-size`: how large an etcd's database is, of a live etcd or of a data directory that was saved.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use indicatif::BinaryBytes;
use serde::Serialize;

use super::Failure;
use super::components::ListFormat;
use crate::exit;
use kubeclash_cluster::{SavedEtcd, SavedEtcdError};
use kubeclash_components::{Cache, ComponentName, Resolver, Selection, Spec};
use kubeclash_host::progress::Progress;
use kubeclash_load::measure::etcd::{ALL, COUNTED, EtcdGateway};
use kubeclash_load::measure::measured::EtcdSize;

const EXAMPLES: &str = "\
Examples:
  kubeclash etcd-size saved/etcd
  kubeclash etcd-size saved/etcd --prefix /registry/example.com/widgets/ --format json | jq .keys.all
  kubeclash etcd-size http://127.0.0.1:2379";

/// Say how large an etcd's database is: its file, and its keys by prefix.
///
/// How much of the file is in use, and how many keys there are in all, of deployments, endpoints, leases, pods and others.
/// A saved data directory is copied, and an etcd is started on the copy, on 127.0.0.1: the original is only read; of an etcd
/// that was killed, the last write may be missing. A live etcd is asked for its status and for counts; no value is read.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct EtcdSizeArgs {
    /// A data directory (--data-dir of etcd, or the folder above its "data"), or the address of a live etcd that speaks
    /// plain HTTP
    #[arg(value_name = "DIR|URL")]
    pub from: String,
    /// Count the keys that begin so as well; can be given several times
    #[arg(long, value_name = "PREFIX")]
    pub prefix: Vec<String>,
    /// The etcd that is started on the copy; a release with or without v
    #[arg(long, value_name = "SPEC", env = "KUBECLASH_ETCD")]
    pub etcd: Option<Spec>,
    /// How long etcd may take to start, and for each answer, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: u64,
    /// As a table, or as one JSON object
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    pub format: ListFormat,
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Report<'a> {
    from: &'a str,
    /// Of the etcd that was asked.
    version: &'a str,
    #[serde(flatten)]
    size: &'a EtcdSize,
}

/// Asks, and prints the answer.
///
/// # Errors
/// When there is no etcd, or none can be started on the data.
pub async fn run(args: &EtcdSizeArgs, progress: &Progress) -> Result<(), Failure> {
    let patience = Duration::from_secs(args.timeout);
    let live = args.from.starts_with("http://") || args.from.starts_with("https://");
    let (version, size) = if live {
        ask(args, &args.from, patience).await?
    } else {
        saved(args, patience, progress).await?
    };
    let report = Report {
        from: &args.from,
        version: &version,
        size: &size,
    };
    super::say(&match args.format {
        ListFormat::Table => table(&report, &args.prefix),
        ListFormat::Json => format!(
            "{}\n",
            serde_json::to_string(&report).expect("a report is plain data")
        ),
    });
    Ok(())
}

async fn ask(args: &EtcdSizeArgs, url: &str, patience: Duration) -> Result<(String, EtcdSize), Failure> {
    let failed = |error: kubeclash_load::measure::etcd::EtcdError| {
        let help = "an address is of a port for clients, as in http://127.0.0.1:2379, of etcd 3.4 or newer";
        Failure::with_help(exit::UNAVAILABLE, error.to_string(), Some(help.to_owned()))
    };
    let gateway = EtcdGateway::new(url, &args.prefix, patience).map_err(failed)?;
    gateway.size().await.map_err(failed)
}

async fn saved(
    args: &EtcdSizeArgs,
    patience: Duration,
    progress: &Progress,
) -> Result<(String, EtcdSize), Failure> {
    let name = ComponentName::Etcd;
    let mut selection = Selection::default();
    if let Some(spec) = &args.etcd {
        selection = selection.with(name, spec.clone());
    }
    let resolver = Resolver::new(Cache::open(None)?, progress.clone())?;
    let binaries = resolver.resolve(&selection, &[name]).await?;
    let task = progress.task(format!("etcd-size {}", args.from));
    let etcd = SavedEtcd::start(&binaries[&name], Path::new(&args.from), patience, task).await;
    let etcd = etcd.map_err(|error| {
        let code = match error {
            SavedEtcdError::NoData { .. } => exit::USAGE,
            _ => exit::UNAVAILABLE,
        };
        Failure::with_help(code, error.to_string(), error.help())
    })?;
    let asked = ask(args, etcd.url(), patience).await;
    let file_bytes = etcd.file_bytes();
    etcd.stop().await;
    let (version, size) = asked?;
    // As it was saved: an etcd that has started has written.
    let size = EtcdSize {
        db_bytes: file_bytes,
        ..size
    };
    Ok((version, size))
}

fn table(report: &Report<'_>, prefixes: &[String]) -> String {
    let size = report.size;
    let mut text = format!(
        "{} (etcd {})\n{:>12} database\n{:>12} of it in use\n",
        report.from,
        report.version,
        BinaryBytes(size.db_bytes).to_string(),
        BinaryBytes(size.in_use_bytes).to_string(),
    );
    let names = std::iter::once(ALL).chain(COUNTED.iter().map(|(name, _)| *name));
    for name in names.chain(prefixes.iter().map(String::as_str)) {
        let what = if name == ALL { "keys in all" } else { name };
        text += &format!(
            "{:>12} {what}\n",
            size.keys.get(name).copied().unwrap_or_default()
        );
    }
    text
}
