//! One arm of a case as a test: run, report, compare with what is expected.

use tokio::sync::{Mutex, OnceCell};

use crate::cli::cases::CasesFlags;
use crate::cli::expect::ExpectFlags;
use crate::cli::flags::{RunFlags, from_environment};
use crate::cli::notes;
use crate::drive::{DriveError, Finished, drive};
use crate::experiment::ArmId;
use crate::interrupt;
use crate::progress::Progress;
use crate::provider::Provider;
use crate::report::{Picture, Style, terminal};
use crate::scenario::Arm;
use crate::session::Session;
use crate::verdict::Expect;

/// Why a test of an arm failed.
#[derive(thiserror::Error)]
pub enum CheckError {
    /// There is no such case, or no such variant of it.
    #[error("there is no case \"{0}\"")]
    NoCase(String),
    /// The environment (`KUBECLASH_…`) is not right.
    #[error("{0}")]
    Environment(String),
    /// There is no verdict.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The verdict is not the expected one.
    #[error("expected {expected}:\n{report}")]
    Differed {
        /// What was expected.
        expected: Expect,
        /// What was seen.
        report: String,
    },
}

/// As people read it: a test that returns an error prints it with `{:?}`.
impl std::fmt::Debug for CheckError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// Whose turn it is, where only one arm may run.
static TURN: Mutex<()> = Mutex::const_new(());

/// The binaries are resolved once a test program.
static SESSION: OnceCell<Session> = OnceCell::const_new();

/// Runs one arm of a case as the environment says (`KUBECLASH_PACE`, `KUBECLASH_SCHEDULER`, …), prints what was
/// seen, and fails where the verdict is not the expected one: `expected`, or what the file `KUBECLASH_EXPECT` says.
///
/// # Errors
/// When the verdict is another, or there is none.
pub async fn check(case: &str, variant: Option<&str>, arm: Arm, expected: Expect) -> Result<(), CheckError> {
    let unknown = || CheckError::NoCase(variant.map_or_else(|| case.to_owned(), |v| format!("{case} ({v})")));
    let library = from_environment::<CasesFlags>()
        .and_then(|flags| flags.library().map_err(|failure| failure.report.to_string()))
        .map_err(CheckError::Environment)?;
    let case = library.find(case).ok_or_else(unknown)?;
    if !case.variants().iter().any(|known| known.as_deref() == variant) {
        return Err(unknown());
    }
    let settings = RunFlags::from_environment()
        .map_err(CheckError::Environment)?
        .settings();
    let expectations = from_environment::<ExpectFlags>()
        .and_then(|flags| flags.read(&library))
        .map_err(CheckError::Environment)?;
    let progress = Progress::detect();
    let interrupt = interrupt::token();
    let open = || {
        notes::of_policies(&settings.tuning.descheduler_policy, &progress);
        Session::open(settings, &progress)
    };
    let session = tokio::select! {
        session = SESSION.get_or_try_init(open) => session.map_err(DriveError::from)?,
        () = interrupt.cancelled() => return Err(DriveError::Interrupted.into()),
    };
    let provider = session.settings().provider;
    if case.local_only() && provider != Provider::Local {
        println!(
            "NOT RUN: {} {arm}: it runs on the local provider only, not on {provider}",
            case.folder()
        );
        return Ok(());
    }
    let decided = expectations.of(case, arm, variant, &session.versions(), expected);
    for note in &decided.notes {
        println!("note: {note}");
    }
    // Arms run side by side in a test program. On kind each is a cluster of several kubelets: one at a time.
    let _turn = match provider {
        Provider::Local => None,
        Provider::Kind => Some(TURN.lock().await),
    };
    let expected = decided.expected.verdict;
    let id = ArmId::new(case.folder(), arm, variant);
    let plan = session.plan(case, id, decided.expected);
    let Finished {
        outcome, timeline, ..
    } = drive(&plan, &interrupt, &|_| ()).await?;
    let report = terminal::arm(&outcome, Some(&Picture::of(&timeline)), &Style::default());
    if outcome.ok() {
        println!("{report}");
        Ok(())
    } else {
        Err(CheckError::Differed { expected, report })
    }
}
