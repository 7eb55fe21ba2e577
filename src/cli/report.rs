//! `kubeclash report`: reports of evidence that is there; and the files that `run` writes its reports to.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::Failure;
use super::cases::CasesFlags;
use crate::cases::{Case, Library};
use crate::evidence::{self, Evidence};
use crate::exit;
use crate::report::{Material, Style, html, junit, markdown, terminal};
use kubeclash_host::disk;

/// Files that reports are written to: of any verb that has something to report.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Reports")]
pub struct ReportFiles {
    /// A page with a table and a drawing of each timeline, in one file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// JUnit's XML, for CI systems: a suite a case, a test case an arm
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Markdown, for a GitHub step summary
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
}

/// What makes a report.
type View = fn(&Material) -> String;

impl ReportFiles {
    fn all(&self) -> impl Iterator<Item = (&Path, View)> {
        let all: [(&Option<PathBuf>, View); 3] = [
            (&self.html, html::page),
            (&self.junit, junit::report),
            (&self.markdown, markdown),
        ];
        all.into_iter()
            .filter_map(|(file, view)| Some((file.as_deref()?, view)))
    }

    /// Makes their folders, and sees that they can be written: a run of minutes must not end with nothing for a typo.
    ///
    /// # Errors
    /// When one can't be written, or two are the same.
    pub fn prepare(&self) -> Result<(), Failure> {
        let mut seen: Vec<&Path> = Vec::new();
        for (file, _) in self.all() {
            if seen.contains(&file) {
                let message = format!("two reports are to be written to \"{}\"", file.display());
                return Err(Failure::new(exit::USAGE, message));
            }
            seen.push(file);
            Destination::of(file).map_err(|error| refused(file, &error, exit::USAGE))?;
        }
        Ok(())
    }

    /// Writes the reports that were asked for. A reader finds the whole of one, or what was there before.
    ///
    /// # Errors
    /// When one can't be written; the others are, all the same.
    pub fn write(&self, material: &Material) -> Result<(), Failure> {
        let mut failed = None;
        for (file, view) in self.all() {
            let written = Destination::of(file).and_then(|to| to.write(&view(material)));
            if let Err(error) = written {
                failed.get_or_insert(refused(file, &error, exit::ERROR));
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

fn refused(file: &Path, error: &std::io::Error, code: u8) -> Failure {
    Failure::with_help(
        code,
        format!("failed to write the report to \"{}\": {error}", file.display()),
        Some("a report needs a file name in a folder that can be written".to_owned()),
    )
}

/// Where a report goes.
enum Destination<'a> {
    /// To a file, by way of another beside it.
    File(PathBuf, tempfile::NamedTempFile),
    /// To what is no file, or not ours to replace: a pipe, a terminal, what standard output is redirected to.
    Stream(&'a Path),
}

impl<'a> Destination<'a> {
    fn of(file: &'a Path) -> std::io::Result<Self> {
        match fs::metadata(file) {
            Ok(meta) if meta.is_dir() => Err(std::io::Error::other("it is a folder")),
            _ if disk::is_stream(file) => Ok(Self::Stream(file)),
            _ => {
                if let Some(folder) = file.parent() {
                    fs::create_dir_all(folder)?;
                }
                let (file, beside) = disk::beside(file)?;
                Ok(Self::File(file, beside))
            }
        }
    }

    fn write(self, text: &str) -> std::io::Result<()> {
        match self {
            Self::File(file, mut beside) => {
                beside.write_all(text.as_bytes())?;
                beside.as_file().sync_all()?;
                beside.persist(file).map_err(|error| error.error)?;
                Ok(())
            }
            Self::Stream(file) => fs::OpenOptions::new()
                .append(true)
                .open(file)?
                .write_all(text.as_bytes()),
        }
    }
}

/// The Markdown of all that there is.
pub(super) fn markdown(material: &Material) -> String {
    let outcomes = material.outcomes();
    markdown::report(&material.summary(&outcomes), |outcome| material.picture(outcome))
}

/// Make reports of evidence that runs have left: no cluster is started, and nothing is judged again.
///
/// Of several runs of an arm with the same build, the last is taken. What can't be read is named and left out.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  kubeclash report target/evidence --html report.html\n  \
    kubeclash report before after --html report.html --junit junit.xml   two builds side by side\n  \
    kubeclash report target/evidence --markdown /dev/stdout >> \"$GITHUB_STEP_SUMMARY\""
)]
pub struct ReportArgs {
    /// Folders of evidence: of one run, of an arm, or of everything
    #[arg(value_name = "DIR", required = true)]
    pub dirs: Vec<PathBuf>,
    /// All runs of an arm, not only the last of each build
    #[arg(long)]
    pub all: bool,
    /// What is written
    #[command(flatten)]
    pub files: ReportFiles,
    /// Where cases are found
    #[command(flatten)]
    pub cases: CasesFlags,
}

/// Writes the reports, and prints the table of `run`.
///
/// # Errors
/// When a folder is none, there is no evidence in any of them, or a report can't be written.
pub fn run(args: &ReportArgs, style: &Style) -> Result<(), Failure> {
    for dir in &args.dirs {
        if !dir.is_dir() {
            let message = format!("there is no folder \"{}\"", dir.display());
            return Err(Failure::new(exit::USAGE, message));
        }
    }
    args.files.prepare()?;
    let material = material(&args.dirs, args.all, &args.cases.library()?);
    for left_out in &material.left_out {
        eprintln!("note: {left_out}");
    }
    for arm in &material.arms {
        if let Some(note) = &arm.lacks {
            eprintln!("note: {}: {note}", arm.outcome.id);
        }
    }
    if material.arms.is_empty() {
        let dirs: Vec<String> = args
            .dirs
            .iter()
            .map(|dir| format!("\"{}\"", dir.display()))
            .collect();
        let message = format!("there is no outcome that can be read below {}", dirs.join(", "));
        let help =
            "evidence is what \"kubeclash run\" leaves in target/evidence, or where --out says".to_owned();
        return Err(Failure::with_help(exit::NOTHING, message, Some(help)));
    }
    args.files.write(&material)?;
    // What went to standard output is not to be mixed with a table.
    if !args.files.all().any(|(file, _)| file == Path::new("/dev/stdout")) {
        let outcomes = material.outcomes();
        super::say(&terminal::summary(&material.summary(&outcomes), style));
    }
    Ok(())
}

/// What there is below some folders, in the order of the cases.
pub(super) fn material(dirs: &[PathBuf], all: bool, library: &Library) -> Material {
    let mut material = Material::default();
    let mut runs: Vec<PathBuf> = Vec::new();
    for run in dirs.iter().flat_map(|dir| evidence::runs(dir)) {
        if !runs.contains(&run) {
            runs.push(run);
        }
    }
    for run in runs {
        match evidence::read(&run) {
            Ok(mut arm) => {
                // Evidence may have been moved, or come from another machine.
                arm.outcome.evidence = run;
                material.arms.push(arm);
            }
            Err(why) => material.left_out.push(format!("left out: {why}")),
        }
    }
    if !all {
        keep_last(&mut material);
    }
    let place = |arm: &Evidence| {
        let id = &arm.outcome.id;
        (library.place(&id.case), id.clone())
    };
    material.arms.sort_by_cached_key(place);
    material.titles = titles(&material.arms, library);
    material.took = material.arms.iter().fold(Duration::ZERO, |sum, arm| {
        sum.saturating_add(Duration::from_millis(arm.outcome.elapsed_ms))
    });
    material
}

/// What goes wrong in the cases of some arms, by the cases' names: as a library says it, or the copy that is among the evidence.
pub(super) fn titles(arms: &[Evidence], library: &Library) -> BTreeMap<String, String> {
    let title = |arm: &Evidence| {
        let name = &arm.outcome.id.case;
        let copy = || Case::copied(name, &arm.outcome.evidence.join(evidence::CASE)).ok();
        let case = library.find(name).cloned().or_else(copy)?;
        Some((name.clone(), case.card().title))
    };
    arms.iter().filter_map(title).collect()
}

/// Keeps the last run of each arm and build; runs are in the order of their names, which are their times.
fn keep_last(material: &mut Material) {
    let builds = material.builds();
    let keys: Vec<_> = material
        .arms
        .iter()
        .zip(&builds.of)
        .map(|(arm, build)| (arm.outcome.id.clone(), *build))
        .collect();
    let mut at = 0;
    let before = keys.len();
    material.arms.retain(|_| {
        at += 1;
        !keys[at..].contains(&keys[at - 1])
    });
    let older = before - material.arms.len();
    if older > 0 {
        let what = if older == 1 { "an older run" } else { "older runs" };
        material.left_out.push(format!(
            "left out: {older} × {what} of the same arm and build (--all takes them in)"
        ));
    }
}
