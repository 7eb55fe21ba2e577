//! `kubeclash case`: writing cases of one's own.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::Failure;
use crate::case::{Case, CaseError, schema, template};
use crate::cases::Library;
use crate::exit;

const EXAMPLES: &str = "\
Examples:
  kubeclash case new x1                        a small case that works, in ./x1, to be edited
  kubeclash case check x1                      every mistake that shows without a cluster, with its place
  kubeclash case check cases/* --format json
  kubeclash case schema > case.v1.json         for completion in editors

In editors with the YAML language server, case.yaml may begin with
  # yaml-language-server: $schema=case.v1.json";

/// Write a case of your own, and check it.
///
/// A case is a folder: case.yaml says what is done to a cluster and which failure must come of it, and the manifests beside
/// it are applied as they are.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct CaseArgs {
    /// What to do
    #[command(subcommand)]
    pub verb: CaseVerb,
}

/// The verbs of `kubeclash case`.
#[derive(Debug, Clone, Subcommand)]
pub enum CaseVerb {
    /// Write a small case that works, to be edited
    #[command(
        after_help = "Examples:\n  kubeclash case new x1\n  kubeclash case new x1 --out cases/x1_replicas_omitted"
    )]
    New {
        /// Its id: small letters and digits
        #[arg(value_parser = id)]
        id: String,
        /// The folder to write; the id without it. Its name is the id, or begins with it and a _
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Find every mistake of cases that shows without a cluster, with its place; nothing is run
    #[command(
        after_help = "Examples:\n  kubeclash case check x1\n  kubeclash case check cases/* --format json | jq -r .what\n\n\
                            Exit codes:\n  0 no mistake     2 mistakes"
    )]
    Check {
        /// Folders with a case.yaml in them
        #[arg(value_name = "DIR", required = true)]
        folders: Vec<PathBuf>,
        /// How it is printed
        #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
        format: CheckFormat,
    },
    /// Print the JSON Schema of case.yaml
    #[command(after_help = "Example:\n  kubeclash case schema > case.v1.json")]
    Schema,
}

/// How mistakes are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people.
    Text,
    /// One JSON object a mistake.
    Json,
}

fn id(text: &str) -> Result<String, String> {
    let right = !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    right
        .then(|| text.to_owned())
        .ok_or_else(|| "an id is of small letters and digits, e.g. x1".to_owned())
}

/// Writes, checks, or prints the schema.
///
/// # Errors
/// When a folder is there already, or can't be written.
pub fn run(args: &CaseArgs) -> Result<u8, Failure> {
    match &args.verb {
        CaseVerb::New { id, out } => new(id, out.as_deref()),
        CaseVerb::Check { folders, format } => Ok(check(folders, *format)),
        CaseVerb::Schema => {
            super::say(&schema::text());
            Ok(exit::EXPECTED)
        }
    }
}

fn new(id: &str, out: Option<&Path>) -> Result<u8, Failure> {
    let folder = out.unwrap_or(Path::new(id));
    let shown = folder.display();
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let begins = name
        .strip_prefix(id)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    if !begins {
        let what = format!("a folder \"{name}\" can't have the case \"{id}\"");
        let help = format!("call it {id}, or {id}_WHAT_GOES_WRONG");
        return Err(Failure::with_help(exit::USAGE, what, Some(help)));
    }
    if Library::builtin().iter().any(|case| case.id() == id) {
        let what = format!("\"{id}\" is the id of a built-in case");
        let help = Some("choose another id".to_owned());
        return Err(Failure::with_help(exit::USAGE, what, help));
    }
    if folder.symlink_metadata().is_ok() {
        let help = Some("choose another id or another --out".to_owned());
        return Err(Failure::with_help(
            exit::USAGE,
            format!("\"{shown}\" is there already"),
            help,
        ));
    }
    let failed = |error| Failure::new(exit::ERROR, format!("failed to write \"{shown}\": {error}"));
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    // Not create_dir_all: who makes it at the same time keeps it.
    fs::create_dir(folder).map_err(failed)?;
    for (file, text) in template::files(id) {
        fs::write(folder.join(file), text).map_err(failed)?;
    }
    super::say(&format!(
        "{shown} is a case that works\n  kubeclash case check {shown}\n  kubeclash run {shown}\n"
    ));
    Ok(exit::EXPECTED)
}

fn check(folders: &[PathBuf], format: CheckFormat) -> u8 {
    let mut code = exit::EXPECTED;
    for folder in folders {
        let checked = Case::read(folder);
        if checked.is_err() {
            code = exit::USAGE;
        }
        match (format, checked) {
            (CheckFormat::Text, Ok(case)) => {
                super::say(&format!("{}: {}\n", folder.display(), summary(&case)))
            }
            (CheckFormat::Text, Err(error)) => super::say(&format!("{error}\n")),
            (CheckFormat::Json, Ok(_)) => {}
            (CheckFormat::Json, Err(error)) => super::say(&lines(&error)),
        }
    }
    code
}

fn summary(case: &Case) -> String {
    let variants = case.variants().len();
    let of_variants = if variants > 1 {
        format!(" of {variants} variants")
    } else {
        String::new()
    };
    let workers = case.workers();
    format!(
        "no mistake; both arms{of_variants}, {workers} {}",
        if workers == 1 { "worker" } else { "workers" }
    )
}

fn lines(error: &CaseError) -> String {
    let line = |mistake: &crate::case::Mistake| {
        let mut line = json!({"folder": error.folder});
        let fields = serde_json::to_value(mistake).ok();
        if let (Some(line), Some(serde_json::Value::Object(fields))) = (line.as_object_mut(), fields) {
            line.extend(fields);
        }
        format!("{line}\n")
    };
    error.mistakes.iter().map(line).collect()
}
