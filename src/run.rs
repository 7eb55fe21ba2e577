//! The front door for Rust: one arm of a case, its settings, and an outcome.

use std::future::IntoFuture;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Mutex;

use crate::case::{Substitute, SubstituteError};
use crate::cases::{Case, FoldersError, Library};
use crate::drive::{ArmRun, DriveError, drive};
use crate::evidence::Outcome;
use crate::expectation::Expectations;
use crate::session::{Session, Setting, SettingError, Settings, SettingsBuilder, notes};
use kubeclash_cluster::Provider;
use kubeclash_components::ComponentName;
use kubeclash_host::interrupt;
use kubeclash_host::progress::Progress;
use kubeclash_timeline::{Arm, ArmId, Expect, Pace};

/// One arm of a case that is to be run. It runs when it is awaited, and gives an [`Outcome`].
///
/// By default it is the broken arm of the case's first variant, on the local provider, at the fast pace, of the releases that
/// this crate pins; its evidence goes to `target/evidence`. The environment is not asked: [`Run::settings`] takes what
/// [`Environment`](crate::session::Environment) reads there.
///
/// An outcome is given whatever the verdict: [`Outcome::ok`] says whether it is the expected one. Ctrl-C takes the cluster down.
///
/// # Examples
///
/// ```no_run
/// use kubeclash::{Arm, Run, RunError};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), RunError> {
/// let broken = Run::case("c5")?.descheduler("src:.")?.out("evidence").await?;
/// assert!(broken.ok(), "{}: {}", broken.verdict, broken.why());
/// let control = Run::case("c5")?.arm(Arm::Control).descheduler("src:.")?.await?;
/// assert!(control.ok(), "{}: {}", control.verdict, control.why());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a run does nothing until it is awaited"]
pub struct Run {
    case: Case,
    arm: Arm,
    variant: Option<String>,
    expect: Option<Expect>,
    expectations: Expectations,
    settings: SettingsBuilder,
}

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A word that names no case, or more than one; in words.
    #[error("{0}")]
    NoCase(String),
    /// A case that has no such variant.
    #[error("{case} has no variant \"{variant}\": {}", shown(.known))]
    NoVariant {
        /// The case.
        case: String,
        /// What was asked for.
        variant: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// The files of a case have mistakes.
    #[error(transparent)]
    Library(#[from] FoldersError),
    /// A text that is no value of a setting.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A program that can't take the place of a controller of the case.
    #[error("with: {0}")]
    Substitute(#[from] SubstituteError),
    /// What can't be run as it was asked for was not run; why.
    #[error("not run: {0}")]
    NotRun(String),
    /// There is no verdict.
    #[error(transparent)]
    Drive(#[from] DriveError),
}

fn shown(known: &[String]) -> String {
    match known {
        [] => "it has none".to_owned(),
        known => format!("there are {}", known.join(", ")),
    }
}

/// Setters of what is given as a text, as the flag of the same name takes it.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident => $setting:expr;)+) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// When the text is no value of this setting.
            pub fn $name(self, text: &str) -> Result<Self, RunError> {
                self.set($setting, text)
            }
        )+
    };
}

impl Run {
    /// A built-in case by its id (`c5`), its name or a glob; or a case's folder, by its path.
    ///
    /// # Errors
    /// When that names no case or several, or the folder's case has mistakes.
    pub fn case(word: &str) -> Result<Self, RunError> {
        Self::case_among(word, &[])
    }

    /// The same, with the cases of more folders beside the built-in ones: each the folder of a case, or one of several.
    ///
    /// # Errors
    /// When the word names no case or several, or a folder's case has mistakes.
    pub fn case_among(word: &str, folders: &[PathBuf]) -> Result<Self, RunError> {
        let path = Path::new(word);
        if path.join("case.yaml").is_file() {
            let unreadable = |error| RunError::NoCase(format!("\"{word}\" can't be read: {error}"));
            let path = path.canonicalize().map_err(unreadable)?;
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let folders: Vec<PathBuf> = folders.iter().cloned().chain([path]).collect();
            let library = Library::with(&folders)?;
            let case = library.find(&name);
            return case
                .map(|case| Self::of(case.clone()))
                .ok_or_else(|| RunError::NoCase(library.no_case(&name)));
        }
        let library = Library::with(folders)?;
        let called: Vec<&Case> = library.called(word).collect();
        match called[..] {
            [case] => Ok(Self::of(case.clone())),
            [] => Err(RunError::NoCase(library.no_case(word))),
            _ => {
                let ids: Vec<&str> = called.iter().map(|case| case.id()).collect();
                let several = format!("\"{word}\" calls several cases: {}", ids.join(", "));
                Err(RunError::NoCase(several))
            }
        }
    }

    /// A case that is at hand.
    pub fn of(case: Case) -> Self {
        Self {
            variant: case.variants().into_iter().next().flatten(),
            case,
            arm: Arm::Broken,
            expect: None,
            expectations: Expectations::default(),
            settings: Settings::builder(),
        }
    }

    /// Which arm; the broken one by default.
    pub fn arm(mut self, arm: Arm) -> Self {
        self.arm = arm;
        self
    }

    /// Which of the case's variants; the first by default.
    ///
    /// # Errors
    /// When the case has no such variant.
    pub fn variant(mut self, name: &str) -> Result<Self, RunError> {
        let known: Vec<String> = self.case.variants().into_iter().flatten().collect();
        if !known.iter().any(|known| known == name) {
            return Err(RunError::NoVariant {
                case: self.case.folder().to_owned(),
                variant: name.to_owned(),
                known,
            });
        }
        self.variant = Some(name.to_owned());
        Ok(self)
    }

    /// What the arm is expected to end with; by default what the case says: `reproduced` where it is broken, and `absent` of a control.
    pub fn expect(mut self, expect: Expect) -> Self {
        self.expect = Some(expect);
        self
    }

    /// Expectations of many arms, of which the last that fits this one and its releases wins over [`Run::expect`].
    pub fn expectations(mut self, expectations: Expectations) -> Self {
        self.expectations = expectations;
        self
    }

    /// All settings at once, in place of what was set so far.
    pub fn settings(mut self, settings: SettingsBuilder) -> Self {
        self.settings = settings;
        self
    }

    /// Gives a setting as its flag and its variable take it.
    ///
    /// # Errors
    /// When the text is no value of the setting.
    pub fn set(mut self, setting: Setting, text: &str) -> Result<Self, RunError> {
        self.settings = self.settings.set(setting, text)?;
        Ok(self)
    }

    texts! {
        /// API server, controller-manager and scheduler at once: a release, `path:FOLDER`, `src:DIR`, …
        kubernetes => Setting::Kubernetes;
        /// The API server: a release, `path:FILE`, `src:DIR`, …
        apiserver => Setting::Component(ComponentName::Apiserver);
        /// The controller-manager.
        controller_manager => Setting::Component(ComponentName::ControllerManager);
        /// The scheduler.
        scheduler => Setting::Component(ComponentName::Scheduler);
        /// The descheduler.
        descheduler => Setting::Component(ComponentName::Descheduler);
        /// etcd.
        etcd => Setting::Component(ComponentName::Etcd);
        /// kwok, which plays the nodes.
        kwok => Setting::Component(ComponentName::Kwok);
        /// kind, which makes clusters of containers.
        kind => Setting::Component(ComponentName::Kind);
        /// metrics-server, for clusters on kind.
        metrics_server => Setting::Component(ComponentName::MetricsServer);
        /// The scheduler's configuration: a file.
        scheduler_config => Setting::SchedulerConfig;
        /// More arguments of the scheduler, apart by spaces.
        scheduler_arg => Setting::SchedulerArg;
        /// The name of the scheduler as a second one, beside the default scheduler.
        scheduler_name => Setting::SchedulerName;
        /// The descheduler's policy in place of the case's own: a file.
        descheduler_policy => Setting::DeschedulerPolicy;
        /// More arguments of the descheduler, apart by spaces.
        descheduler_arg => Setting::DeschedulerArg;
        /// The node image of a cluster of kind.
        kind_image => Setting::KindImage;
    }

    /// Runs a program in place of a controller that the case brings: `path:FILE`, `src:DIR`, `go:…`, `image:…`. Paths are seen from
    /// where this process is. Arguments, environment and readiness stay as the case has them.
    ///
    /// # Errors
    /// When the case brings no such controller, another program has its place already, or the spec is none.
    pub fn with(mut self, controller: &str, spec: &str) -> Result<Self, RunError> {
        let substitute = Substitute::new(controller, spec)?;
        self.settings.substitutes = self.settings.substitutes.and(substitute)?;
        self.settings.substitutes.fit(self.case.as_folder())?;
        Ok(self)
    }

    /// On whose cluster; local by default.
    pub fn provider(mut self, provider: Provider) -> Self {
        self.settings = self.settings.provider(provider);
        self
    }

    /// At which pace; fast by default.
    pub fn pace(mut self, pace: Pace) -> Self {
        self.settings = self.settings.pace(pace);
        self
    }

    /// Below which folder the evidence goes; `target/evidence` by default.
    pub fn out(mut self, folder: impl Into<PathBuf>) -> Self {
        self.settings = self.settings.out(folder);
        self
    }

    /// How long each component of the cluster may take to become ready; a minute by default.
    pub fn ready_timeout(mut self, time: Duration) -> Self {
        self.settings = self.settings.ready_timeout(time);
        self
    }

    /// Whether the API server keeps an audit log, from which a verdict names who did what; by default it does.
    pub fn audit(mut self, audit: bool) -> Self {
        self.settings = self.settings.audit(audit);
        self
    }

    /// Whether the cluster's run directory is left in place; by default it is not.
    pub fn keep(mut self, keep: bool) -> Self {
        self.settings = self.settings.keep(keep);
        self
    }

    /// Which arm it is.
    #[must_use]
    pub fn id(&self) -> ArmId {
        ArmId::new(self.case.folder(), self.arm, self.variant.as_deref())
    }

    /// Runs it with a session that several runs share, whose settings count then; with the timeline that it is judged by.
    ///
    /// # Errors
    /// When there is no outcome.
    pub async fn within(self, session: &Session) -> Result<ArmRun, RunError> {
        let provider = session.settings().provider;
        self.fits(provider)?;
        let id = self.id();
        let usual = self
            .expect
            .unwrap_or_else(|| self.case.expected(self.arm, self.variant.as_deref()));
        let variant = self.variant.as_deref();
        let decided = self
            .expectations
            .of(&self.case, self.arm, variant, &session.versions(), usual);
        for note in &decided.notes {
            tracing::warn!("{note}");
        }
        // Tests run side by side. On kind each run is a cluster of several kubelets: one at a time.
        static TURN: Mutex<()> = Mutex::const_new(());
        let _turn = match provider {
            Provider::Local => None,
            Provider::Kind => Some(TURN.lock().await),
        };
        let plan = session.plan(&self.case, id, decided.expected);
        Ok(drive(&plan, &interrupt::token(), &|_| ()).await?)
    }

    /// Whether a provider can run it.
    pub(crate) fn fits(&self, provider: Provider) -> Result<(), RunError> {
        if self.case.local_only() && provider != Provider::Local {
            let why = format!(
                "{} runs on the local provider only, not on {provider}",
                self.case.folder()
            );
            return Err(RunError::NotRun(why));
        }
        Ok(())
    }

    /// Opens a session of its own settings for it.
    async fn alone(self) -> Result<Outcome, RunError> {
        let settings = self.settings.clone().build();
        self.fits(settings.provider)?;
        let session = open(settings).await?;
        let ended = self.within(&session).await;
        session.close().await;
        Ok(ended?.outcome)
    }
}

/// Opens a session, unless it is interrupted.
pub(crate) async fn open(settings: Settings) -> Result<Session, DriveError> {
    let progress = Progress::detect();
    notes::of_policies(&settings.tuning.descheduler_policy, &progress);
    let interrupt = interrupt::token();
    tokio::select! {
        session = Session::open(settings, &progress) => Ok(session?),
        () = interrupt.cancelled() => Err(DriveError::Interrupted),
    }
}

impl IntoFuture for Run {
    type Output = Result<Outcome, RunError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.alone().boxed()
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
