//! `kubeclash components`: what is in the cache, and putting it there.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use clap::{Args, Subcommand, ValueEnum};
use indicatif::HumanBytes;

use super::flags::ComponentFlags;
use kubeclash_components::{Binary, Cache, ComponentError, ComponentName, Kept, Resolver};
use kubeclash_host::progress::Progress;

const EXAMPLES: &str = "\
Examples:
  kubeclash components fetch
  kubeclash components fetch --kubernetes v1.24.17 --descheduler v0.26.1
  kubeclash components fetch kube-scheduler --scheduler go:sigs.k8s.io/scheduler-plugins/cmd/scheduler@v0.32.7
  kubeclash components fetch descheduler --descheduler src:../descheduler
  kubeclash components list --format json
  kubeclash components clean --yes

Where releases come from can be changed with KUBECLASH_KUBERNETES_MIRROR (instead of https://dl.k8s.io/release),
KUBECLASH_ETCD_MIRROR and KUBECLASH_KWOK_MIRROR (…/releases/download; a mirror of kwok offers FILE.sha256 beside each
FILE), KUBECLASH_KIND_MIRROR (FILE.sha256sum beside each FILE) and KUBECLASH_DESCHEDULER_MIRROR (a registry, with a path if need be). The cache is KUBECLASH_CACHE.";

/// Fetch, list or remove the binaries that clusters are made of.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ComponentsArgs {
    /// What to do.
    #[command(subcommand)]
    pub verb: ComponentsVerb,
}

/// What `kubeclash components` can do.
#[derive(Debug, Clone, Subcommand)]
pub enum ComponentsVerb {
    /// Puts into the cache what is not there: downloaded, or built where no release can be had.
    #[command(
        after_help = "Examples:\n  kubeclash components fetch\n  kubeclash components fetch --kubernetes v1.36.3"
    )]
    Fetch {
        /// Which build of each.
        #[command(flatten)]
        components: Box<ComponentFlags>,
        /// These alone, by the names of their binaries [default: all that a cluster needs].
        #[arg(value_name = "NAME")]
        only: Vec<ComponentName>,
    },
    /// Shows what is in the cache.
    #[command(after_help = "Example:\n  kubeclash components list --format json | jq -r .path")]
    List {
        /// As a table, or one JSON object a line.
        #[arg(long, value_enum, default_value_t = ListFormat::Table)]
        format: ListFormat,
    },
    /// Removes all that is in the cache.
    #[command(after_help = "Example:\n  kubeclash components clean --yes")]
    Clean {
        /// Without asking, which is needed where nobody can answer.
        #[arg(long, short)]
        yes: bool,
    },
}

/// How `components list` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people.
    Table,
    /// One object a line.
    Json,
}

/// Runs the verb.
///
/// # Errors
///
/// [`ComponentError`] of the cache, or of what could not be had.
pub async fn run(args: &ComponentsArgs, progress: &Progress) -> Result<(), ComponentError> {
    let cache = Cache::open(None)?;
    match &args.verb {
        ComponentsVerb::Fetch { components, only } => {
            let names = if only.is_empty() {
                ComponentName::ALL.to_vec()
            } else {
                only.clone()
            };
            let binaries = Resolver::new(cache, progress.clone())?
                .resolve(&components.selection(), &names)
                .await?;
            let width = widest(binaries.values().map(|binary| binary.version.len()));
            progress.suspend(|| print(binaries.values().map(|binary| row(binary, width))));
        }
        ComponentsVerb::List { format } => print(list(&cache, *format)),
        ComponentsVerb::Clean { yes } => {
            if *yes || confirmed(cache.root()) {
                let (count, bytes) = cache.clean(progress).await?;
                let dir = cache.root().display();
                print([format!(
                    "removed {count} components ({}) from {dir}",
                    HumanBytes(bytes)
                )]);
            } else {
                print(["nothing was removed; --yes removes without asking".to_owned()]);
            }
        }
    }
    Ok(())
}

fn list(cache: &Cache, format: ListFormat) -> Vec<String> {
    let kept = cache.list();
    match format {
        ListFormat::Json => {
            // Names, texts and paths out of a UTF-8 file name always serialize.
            kept.iter()
                .filter_map(|kept| serde_json::to_string(&kept.binary).ok())
                .collect()
        }
        ListFormat::Table if kept.is_empty() => {
            vec![format!(
                "nothing in {}; \"kubeclash components fetch\" fills it",
                cache.root().display()
            )]
        }
        ListFormat::Table => {
            let width = widest(kept.iter().map(|kept| kept.binary.version.len()));
            let line = |kept: &Kept| {
                let Kept {
                    binary,
                    size,
                    platform,
                } = kept;
                format!(
                    "{:<24}{:<width$}  {platform:<13} {:>11}  {}  {}",
                    binary.name,
                    binary.version,
                    HumanBytes(*size).to_string(),
                    &binary.sha256.get(..12).unwrap_or_default(),
                    binary.origin
                )
            };
            kept.iter().map(line).collect()
        }
    }
}

fn row(binary: &Binary, width: usize) -> String {
    format!(
        "{:<24}{:<width$}  {}",
        binary.name, binary.version, binary.program
    )
}

fn widest(widths: impl Iterator<Item = usize>) -> usize {
    widths.max().unwrap_or_default()
}

fn confirmed(dir: &Path) -> bool {
    if !io::stdin().is_terminal() {
        return false;
    }
    eprint!("remove all components in {}? [y/N] ", dir.display());
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).is_ok() && answer.trim().eq_ignore_ascii_case("y")
}

/// A reader that has seen enough (`| head`) is no failure.
pub(super) fn print(lines: impl IntoIterator<Item = String>) {
    let mut out = io::stdout().lock();
    for line in lines {
        if writeln!(out, "{line}").is_err() {
            return;
        }
    }
}
