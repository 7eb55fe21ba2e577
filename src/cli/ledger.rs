//! `kubeclash ledger`: which build ended how, one line a run.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::Failure;
use super::cases::{CasesFlags, folder_of, names};
use crate::exit;
use crate::ledger::{self, Entry, Ledger, LedgerError, contradictions};
use crate::report::{Style, ledger as view};
use kubeclash_host::progress::Progress;
use kubeclash_timeline::ArmId;

/// Keep which build ended how, one line a run.
///
/// A ledger is a file of JSON lines, readable and mergeable in git: put "*.jsonl merge=union" into .gitattributes, and
/// what two branches have appended stands side by side. A run is there once, however often it is added.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  kubeclash ledger import diary.md --ledger ledger.jsonl\n  \
                        kubeclash ledger add target/evidence --build nightly-0618\n  \
                        kubeclash ledger show --format markdown >> \"$GITHUB_STEP_SUMMARY\"\n  \
                        kubeclash ledger check || echo 'something does not fit'"
)]
pub struct LedgerArgs {
    /// What to do
    #[command(subcommand)]
    pub verb: LedgerVerb,
}

/// What to do with a ledger.
#[derive(Debug, Subcommand)]
pub enum LedgerVerb {
    /// Read a team's diary (Markdown), and name its contradictions
    Import(ImportArgs),
    /// Add runs of kubeclash: of cases (verdict.json) and of the load test (load.json)
    Add(AddArgs),
    /// Draw the builds in order with their colours, and name what does not fit together
    Show(ShowArgs),
    /// Name what does not fit together, and fail if there is something
    Check(ShowArgs),
}

/// Read a team's diary: Markdown with a heading "Build Date: …" a run, and below it a list of "- Key: value".
///
/// Keys are Verdict (a picture of the colour #c5f015, #f03c15 or #000000, or a word), Commit, Runner, Date of run, Test,
/// Env, Cmd and Result. What stands below a heading "Common Test Setup" is of all runs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  kubeclash ledger import diary.md\n  \
                        kubeclash ledger import diary.md --ledger - | jq -r .verdict")]
pub struct ImportArgs {
    /// The diary
    #[arg(value_name = "FILE")]
    pub diary: PathBuf,
    /// The ledger that its runs are added to; "-" prints them as a ledger has them, and nothing else
    #[arg(long, value_name = "FILE", default_value = "ledger.jsonl")]
    pub ledger: PathBuf,
    /// How the runs are printed
    #[arg(long, value_enum, default_value_t = LedgerFormat::Text)]
    pub format: LedgerFormat,
}

/// Add runs of kubeclash to a ledger: green where the failure was absent, red where it was reproduced, else black.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  kubeclash run c5 c8 --descheduler src:. --out evidence/pr-12 && \
                        kubeclash ledger add evidence/pr-12 --build pr-12"
)]
pub struct AddArgs {
    /// Folders with evidence
    #[arg(value_name = "DIR", required = true)]
    pub evidence: Vec<PathBuf>,
    /// What the build is called, in place of the API server's release
    #[arg(long, value_name = "NAME")]
    pub build: Option<String>,
    /// The ledger
    #[arg(long, value_name = "FILE", default_value = "ledger.jsonl")]
    pub ledger: PathBuf,
}

/// Draw the builds of a ledger in order with their colours, and name what does not fit together.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  kubeclash ledger show\n  \
                        kubeclash ledger show --case c7 --case ./mine\n  \
                        kubeclash ledger show search/ledger.jsonl --format json | jq -r '.contradiction.sentence // empty'")]
pub struct ShowArgs {
    /// The ledger
    #[arg(value_name = "FILE", default_value = "ledger.jsonl")]
    pub ledger: PathBuf,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = LedgerFormat::Text)]
    pub format: LedgerFormat,
    /// Only the runs of a case: an id (c7), a name, a glob, or a case's folder; can be given several times
    #[arg(long = "case", value_name = "CASE")]
    pub only: Vec<String>,
    /// Where cases are found
    #[command(flatten)]
    pub cases: CasesFlags,
}

impl ShowArgs {
    /// The runs that are asked for.
    fn chosen(&self, entries: Vec<Entry>) -> Result<Vec<Entry>, Failure> {
        if self.only.is_empty() {
            return Ok(entries);
        }
        let folders: Vec<PathBuf> = self.only.iter().filter_map(|word| folder_of(word)).collect();
        let library = self.cases.library_with(&folders)?;
        for word in &self.only {
            if !library.iter().any(|case| names(word, case)) {
                return Err(Failure::new(exit::USAGE, library.no_case(word)));
            }
        }
        let asked = |entry: &Entry| {
            let arm: Option<ArmId> = entry.setup.test.as_deref().and_then(|test| test.parse().ok());
            let case = arm.and_then(|arm| library.find(&arm.case));
            case.is_some_and(|case| self.only.iter().any(|word| names(word, case)))
        };
        let chosen: Vec<Entry> = entries.into_iter().filter(asked).collect();
        if chosen.is_empty() {
            let why = format!(
                "\"{}\" has no run of {}",
                self.ledger.display(),
                self.only.join(", ")
            );
            return Err(Failure::new(exit::NOTHING, why));
        }
        Ok(chosen)
    }
}

/// How runs are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LedgerFormat {
    /// For people, with colours on a terminal and letters elsewhere.
    Text,
    /// One JSON object a line: {"run": …} each, then {"contradiction": …}.
    Json,
    /// A table, for a page or a GitHub step summary.
    Markdown,
}

/// Does what was asked for, and gives the exit code.
///
/// # Errors
/// When a file can't be read or written, or is not what it should be.
pub fn run(args: &LedgerArgs, progress: &Progress, style: &Style) -> Result<u8, Failure> {
    match &args.verb {
        LedgerVerb::Import(args) => import(args, progress, style),
        LedgerVerb::Add(args) => add(args, progress),
        LedgerVerb::Show(args) => show(args, progress, style).map(|_| exit::EXPECTED),
        LedgerVerb::Check(args) => {
            show(args, progress, style).map(|fits| if fits { exit::EXPECTED } else { exit::DIFFERED })
        }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        let code = match &error {
            LedgerError::Io { source, .. } if source.kind() != std::io::ErrorKind::NotFound => exit::ERROR,
            LedgerError::Io { .. } | LedgerError::Line { .. } => exit::USAGE,
        };
        Self::with_help(code, error.to_string(), error.help())
    }
}

fn import(args: &ImportArgs, progress: &Progress, style: &Style) -> Result<u8, Failure> {
    let entries = ledger::import(&args.diary).map_err(|error| {
        let help = "\"kubeclash ledger import --help\" says how a diary is read".to_owned();
        Failure::with_help(exit::USAGE, error.to_string(), Some(help))
    })?;
    if args.ledger == Path::new("-") {
        super::say(&entries.iter().map(Entry::line).collect::<String>());
        return Ok(exit::EXPECTED);
    }
    keep(&args.ledger, &entries, progress)?;
    print(&entries, args.format, style);
    Ok(exit::EXPECTED)
}

fn add(args: &AddArgs, progress: &Progress) -> Result<u8, Failure> {
    let mut entries = Vec::new();
    for dir in &args.evidence {
        let build = args.build.as_deref();
        let found = ledger::recorded(dir, build).map_err(|why| Failure::new(exit::USAGE, why))?;
        if found.is_empty() {
            let message = format!(
                "there is neither a verdict.json nor a load.json below \"{}\"",
                dir.display()
            );
            let help = "name the folder that was given to --out".to_owned();
            return Err(Failure::with_help(exit::NOTHING, message, Some(help)));
        }
        entries.extend(found);
    }
    keep(&args.ledger, &entries, progress)?;
    Ok(exit::EXPECTED)
}

/// Appends what is not there yet, and says so.
fn keep(file: &Path, entries: &[Entry], progress: &Progress) -> Result<(), Failure> {
    let (added, notes) = ledger::append(file, entries)?;
    for note in notes {
        progress.println(format!("note: {}: {note}", file.display()));
    }
    let known = entries.len() - added;
    let known = if known > 0 {
        format!(", {known} were there already")
    } else {
        String::new()
    };
    progress.println(format!(
        "{added} of {} runs added to {}{known}",
        entries.len(),
        file.display()
    ));
    Ok(())
}

/// Prints a ledger, and gives whether all of it fits together.
fn show(args: &ShowArgs, progress: &Progress, style: &Style) -> Result<bool, Failure> {
    let ledger = Ledger::read(&args.ledger)?;
    for note in &ledger.notes {
        progress.println(format!("note: {}: {note}", args.ledger.display()));
    }
    let whole = ledger.notes.is_empty();
    let chosen = args.chosen(ledger.entries)?;
    Ok(print(&chosen, args.format, style) && whole)
}

/// Prints runs and what does not fit together among them, and gives whether all does.
fn print(entries: &[Entry], format: LedgerFormat, style: &Style) -> bool {
    let wrong = contradictions(entries);
    super::say(&match format {
        LedgerFormat::Text => view::text(entries, &wrong, style),
        LedgerFormat::Json => view::json(entries, &wrong),
        LedgerFormat::Markdown => view::markdown(entries, &wrong),
    });
    wrong.is_empty()
}
