//! One arm of a case as a test: run as the environment says, report, compare with what is expected.

use tokio::sync::OnceCell;

use crate::cases::Library;
use crate::evidence::Outcome;
use crate::experiment::Arm;
use crate::report::{Picture, Style, terminal};
use crate::run::{Run, RunError, open};
use crate::session::{Environment, EnvironmentError, Session};
use crate::verdict::Expect;

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
        println!("{report}");
        Ok(ended.outcome)
    } else {
        Err(CheckError::Differed {
            outcome: Box::new(ended.outcome),
            report,
        })
    }
}
