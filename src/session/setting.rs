//! The settings by name: the variable of each, and what a text comes to as its value. Flags, environment and builder share it.

use std::fmt;
use std::time::Duration;

use kubeclash_cluster::Policy;
use kubeclash_cluster::tuning::{DEFAULT_SCHEDULER, SchedulerConfig};
use kubeclash_components::{ComponentName, Selection, Spec, SpecError};

/// A setting that a text can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// API server, controller-manager and scheduler at once.
    Kubernetes,
    /// Which build of one component.
    Component(ComponentName),
    /// The scheduler's configuration: a file.
    SchedulerConfig,
    /// More arguments of the scheduler, apart by spaces.
    SchedulerArg,
    /// The name of a second scheduler.
    SchedulerName,
    /// The descheduler's policy: a file.
    DeschedulerPolicy,
    /// More arguments of the descheduler, apart by spaces.
    DeschedulerArg,
    /// Programs in place of controllers that cases bring: `NAME=SPEC`, apart by commas or lines.
    With,
    /// On whose cluster.
    Provider,
    /// The node image of kind's clusters.
    KindImage,
    /// At which pace.
    Pace,
    /// Below which folder the evidence goes.
    Out,
    /// How long each component may take to become ready.
    ReadyTimeout,
}

impl Setting {
    /// Every setting.
    pub const ALL: [Self; 20] = [
        Self::Kubernetes,
        Self::Component(ComponentName::Apiserver),
        Self::Component(ComponentName::ControllerManager),
        Self::Component(ComponentName::Scheduler),
        Self::Component(ComponentName::Descheduler),
        Self::Component(ComponentName::Etcd),
        Self::Component(ComponentName::Kwok),
        Self::Component(ComponentName::Kind),
        Self::Component(ComponentName::MetricsServer),
        Self::SchedulerConfig,
        Self::SchedulerArg,
        Self::SchedulerName,
        Self::DeschedulerPolicy,
        Self::DeschedulerArg,
        Self::With,
        Self::Provider,
        Self::KindImage,
        Self::Pace,
        Self::Out,
        Self::ReadyTimeout,
    ];

    /// The environment variable that gives it.
    #[must_use]
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Kubernetes => "KUBECLASH_KUBERNETES",
            Self::Component(name) => name.env(),
            Self::SchedulerConfig => "KUBECLASH_SCHEDULER_CONFIG",
            Self::SchedulerArg => "KUBECLASH_SCHEDULER_ARG",
            Self::SchedulerName => "KUBECLASH_SCHEDULER_NAME",
            Self::DeschedulerPolicy => "KUBECLASH_DESCHEDULER_POLICY",
            Self::DeschedulerArg => "KUBECLASH_DESCHEDULER_ARG",
            Self::With => "KUBECLASH_WITH",
            Self::Provider => "KUBECLASH_PROVIDER",
            Self::KindImage => "KUBECLASH_KIND_IMAGE",
            Self::Pace => "KUBECLASH_PACE",
            Self::Out => "KUBECLASH_OUT",
            Self::ReadyTimeout => "KUBECLASH_READY_TIMEOUT",
        }
    }
}

/// As the command line writes it, without dashes: `ready-timeout`.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.variable().trim_start_matches("KUBECLASH_");
        f.pad(&name.to_lowercase().replace('_', "-"))
    }
}

/// A text that is no value of a setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: \"{value}\": {why}")]
pub struct SettingError {
    /// Which setting.
    pub setting: Setting,
    /// The text.
    pub value: String,
    /// Why not.
    pub why: String,
}

/// A spec that stands for API server, controller-manager and scheduler.
pub(crate) fn kubernetes(text: &str) -> Result<Spec, SpecError> {
    let spec: Spec = text.parse()?;
    Selection::default().with_kubernetes(&spec).map(|_| spec)
}

/// kind itself, which makes containers: one in a container would be of no use.
pub(crate) fn kind(text: &str) -> Result<Spec, String> {
    let spelled = text.contains('/') && !text.contains(':');
    let spec = if spelled {
        format!("path:{text}")
    } else {
        text.to_owned()
    };
    match spec.parse() {
        Ok(Spec::Image(reference)) => Err(format!(
            "it must be a program here, not a container: image+extract:{reference} takes it out of the image"
        )),
        Ok(spec) => Ok(spec),
        Err(error) => Err(error.to_string()),
    }
}

/// A name that a scheduler can have beside the default one.
pub(crate) fn scheduler_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if text == DEFAULT_SCHEDULER {
        Err("it is the default scheduler's: --scheduler alone replaces that".to_owned())
    } else if text.is_empty() || text.len() > 253 || !text.chars().all(fits) {
        Err("it must be of lower-case letters, digits, \"-\" and \".\", as in \"my-scheduler\"".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// A scheduler's configuration, by its file's name.
pub(crate) fn scheduler_config(file: &str) -> Result<SchedulerConfig, String> {
    SchedulerConfig::parse(file.into(), &text_of(file)?).map_err(|mistake| mistake.to_string())
}

/// A descheduler's policy, by its file's name.
pub(crate) fn descheduler_policy(file: &str) -> Result<Policy, String> {
    let policy = Policy::parse(file.into(), &text_of(file)?).map_err(|mistake| mistake.to_string())?;
    match policy.forbids_evictions() {
        Some(note) => Err(note.to_string()),
        None => Ok(policy),
    }
}

fn text_of(file: &str) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("it can't be read: {error}"))
}

/// A length of time that is more than nothing, as in `90s` or `2m`.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time.is_zero() => Err("it must be more than nothing".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(format!("{error}; write it as in \"90s\" or \"2m\"")),
    }
}
