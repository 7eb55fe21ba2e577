//! Arms of cases as tests: run as the environment says, report, compare with what is expected.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

use crate::case::{self, Scenario};
use crate::cases::{Library, library};
use crate::evidence::Outcome;
use crate::report::{Picture, Style, terminal};
use crate::run::{Run, RunError, open};
use crate::session::{Environment, EnvironmentError, Session};
use kubeclash_cluster::arms_at_once;
use kubeclash_timeline::{Arm, Expect};

/// Why a test of an arm failed.
#[derive(thiserror::Error)]
pub enum CheckError {
    /// The environment (`KUBECLASH_…`) is not right.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The arm was not run, as it can't be where it was to be; why.
    #[error("NOT RUN: {0}")]
    NotRun(String),
    /// There is no outcome.
    #[error(transparent)]
    Run(RunError),
    /// The verdict is not the expected one.
    #[error("expected {}:\n{report}", .outcome.expected)]
    Differed {
        /// What was seen.
        outcome: Box<Outcome>,
        /// The same in words.
        report: String,
    },
}

/// As people read it: a test that returns an error prints it with `{:?}`.
impl std::fmt::Debug for CheckError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl From<RunError> for CheckError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::NotRun(why) => Self::NotRun(why),
            error => Self::Run(error),
        }
    }
}

/// The binaries are resolved once a test program.
static SESSION: OnceCell<Session> = OnceCell::const_new();

/// Runs one arm of a case as the environment says (`KUBECLASH_PACE`, `KUBECLASH_SCHEDULER`, …), prints what was
/// seen, and fails where the verdict is not the expected one: `expected`, or what the file `KUBECLASH_EXPECT` says.
///
/// # Errors
/// When the verdict is another, there is none, or the arm was not run.
pub async fn check(
    case: &str,
    variant: Option<&str>,
    arm: Arm,
    expected: Expect,
) -> Result<Outcome, CheckError> {
    let (outcome, report) = judged(case, variant, arm, expected).await?;
    println!("{report}");
    Ok(outcome)
}

/// What was seen, also in words, where it is what is expected.
async fn judged(
    case: &str,
    variant: Option<&str>,
    arm: Arm,
    expected: Expect,
) -> Result<(Outcome, String), CheckError> {
    let environment = Environment::read()?;
    let library = Library::with(&environment.cases).map_err(RunError::from)?;
    let run = Run::case_among(case, &environment.cases)?;
    let run = match variant {
        Some(variant) => run.variant(variant)?,
        None => run,
    };
    let run = run
        .arm(arm)
        .expect(expected)
        .expectations(environment.expectations(&library)?);
    let settings = environment.settings.build();
    run.fits(settings.provider)?;
    let session = SESSION
        .get_or_try_init(|| open(settings))
        .await
        .map_err(RunError::from)?;
    let ended = run.within(session).await?;
    let picture = Picture::of(&ended.timeline);
    let report = terminal::arm(&ended.outcome, Some(&picture), &Style::default());
    if ended.outcome.ok() {
        Ok((ended.outcome, report))
    } else {
        Err(CheckError::Differed {
            outcome: Box::new(ended.outcome),
            report,
        })
    }
}

/// The `main` of a test program that has a test for each arm and variant of each case in `folders`: each the folder of a case, or one
/// of several, as seen from the package. The program takes what test programs take: `cargo test c7_` runs the tests of c7.
///
/// Its `[[test]]` in `Cargo.toml` says `harness = false`. The tests are found when it runs, so that a new folder is a new test. A
/// folder whose case has mistakes is a test that fails with them. Each test does what [`check`] does.
///
/// # Examples
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     kubeclash::prelude::test_cases(&["manifests"])
/// }
/// ```
#[must_use]
pub fn test_cases(folders: &[&str]) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert_with(arms_at_once);
    match tests(folders, arguments.nocapture) {
        Ok(tests) => libtest_mimic::run(&arguments, tests).exit_code(),
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// A test for each arm and variant. Where one passes, its report is printed only if `talkative`.
fn tests(folders: &[&str], talkative: bool) -> Result<Vec<Trial>, String> {
    let runtime = Runtime::new().map_err(|error| error.to_string())?;
    let runtime = Arc::new(runtime);
    let mut tests = Vec::new();
    for folder in folders {
        for folder in library::folders(Path::new(folder)).map_err(|error| error.to_string())? {
            match case::Case::read(&folder) {
                Ok(case) => tests.extend(of_case(&case, &folder, talkative, &runtime)),
                Err(mistakes) => {
                    let name = folder.file_name().unwrap_or_default().to_string_lossy();
                    tests.push(Trial::test(name, move || Err(mistakes.into())));
                }
            }
        }
    }
    Ok(tests)
}

/// The tests of a case: `c3_two_spread_keys::with-hpa::broken`.
fn of_case(case: &case::Case, folder: &Path, talkative: bool, runtime: &Arc<Runtime>) -> Vec<Trial> {
    let test = |scenario: &Scenario| {
        let (arm, variant, expected) = (scenario.arm, scenario.variant.clone(), scenario.expected());
        let within = variant
            .as_ref()
            .map_or(String::new(), |variant| format!("::{variant}"));
        let name = format!("{}{within}::{arm}", case.folder());
        let (runtime, word) = (Arc::clone(runtime), folder.display().to_string());
        Trial::test(name, move || {
            let ended = runtime.block_on(judged(&word, variant.as_deref(), arm, expected))?;
            if talkative {
                println!("{}", ended.1);
            }
            Ok(())
        })
    };
    case.scenarios().iter().map(test).collect()
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod check_tests;
