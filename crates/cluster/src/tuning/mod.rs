//! What a fork needs besides its binary: configuration, policy, arguments; checked before anything is started.

mod args;
mod scheduler_config;

use std::collections::BTreeMap;

pub use args::{apiserver_arg, controller_manager_arg, descheduler_arg, scheduler_arg};
pub use scheduler_config::{DEFAULT_SCHEDULER, SchedulerApi, SchedulerConfig};

use crate::Policy;
use kubeclash_components::{Binary, ComponentName, skew, versions};
use kubeclash_timeline::Minor;

/// What a fork needs besides its binary: how scheduler and descheduler are started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tuning {
    /// The scheduler's configuration.
    pub scheduler_config: Option<SchedulerConfig>,
    /// More arguments of the scheduler.
    pub scheduler_args: Vec<String>,
    /// The name of a second scheduler beside the default one. It is what `scheduler_config` and `scheduler_args` are
    /// for then, and the cases' pods name it.
    pub scheduler_name: Option<String>,
    /// The descheduler's policy, in place of a case's own.
    pub descheduler_policy: Option<Policy>,
    /// More arguments of the descheduler.
    pub descheduler_args: Vec<String>,
    /// Whether the API server keeps an audit log, from which a verdict names who did what.
    pub audit: bool,
}

/// Why a component can't be started as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TuningError {
    /// A release that kubeclash can't drive; in words.
    #[error("--kubernetes: {0}")]
    TooOld(String),
    /// What clusters of kind can't be given; in words that say what to do instead.
    #[error("{0}")]
    OnKind(String),
    /// A file of an API version that the component's release does not know.
    #[error("{flag}: \"{file}\" is {api}, which {component} {version} does not know")]
    Api {
        /// The flag that names the file.
        flag: &'static str,
        /// The file.
        file: String,
        /// Its API version.
        api: String,
        /// Which component was to read it.
        component: ComponentName,
        /// Of which version.
        version: String,
        /// Which releases know it.
        known_by: &'static str,
    },
    /// A scheduler's configuration without the profile that the cases' pods ask for.
    #[error(
        "--scheduler-config: \"{file}\" has no profile with schedulerName \"{name}\", for which the cases' pods ask; it has {}",
        .found.join(", ")
    )]
    NoProfile {
        /// The file.
        file: String,
        /// The name.
        name: String,
        /// The names of its profiles.
        found: Vec<String>,
    },
}

impl TuningError {
    /// What to do next.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::TooOld(_) => "choose a later release".to_owned(),
            Self::OnKind(_) => "--provider local takes every component from everywhere".to_owned(),
            Self::Api { known_by, .. } => format!("it is known by {known_by}"),
            Self::NoProfile { name, .. } if name == DEFAULT_SCHEDULER => {
                "--scheduler-name NAME runs a scheduler of another name beside the default one".to_owned()
            }
            Self::NoProfile { .. } => "give one of its profiles that name".to_owned(),
        }
    }
}

impl Tuning {
    /// Which scheduler the configuration and the arguments are for.
    #[must_use]
    pub fn scheduler(&self) -> ComponentName {
        match self.scheduler_name {
            Some(_) => ComponentName::SecondScheduler,
            None => ComponentName::Scheduler,
        }
    }

    /// What can be checked before the binaries are there.
    ///
    /// # Errors
    /// When the scheduler's configuration lacks the profile that the pods ask for.
    pub fn check(&self) -> Result<(), TuningError> {
        let Some(config) = &self.scheduler_config else {
            return Ok(());
        };
        let name = self.scheduler_name.as_deref().unwrap_or(DEFAULT_SCHEDULER);
        let found = config.profiles();
        if found.contains(&name) {
            return Ok(());
        }
        Err(TuningError::NoProfile {
            file: config.file.display().to_string(),
            name: name.to_owned(),
            found: found.iter().map(|name| format!("\"{name}\"")).collect(),
        })
    }

    /// Whether the binaries can be driven and know the API versions of the files; one of an unknown version is taken
    /// to know them.
    ///
    /// # Errors
    /// When one does not.
    pub fn fits(&self, binaries: &BTreeMap<ComponentName, Binary>) -> Result<(), TuningError> {
        if let Some(refusal) = skew::too_old(&versions(binaries)) {
            return Err(TuningError::TooOld(refusal));
        }
        let version = |name: ComponentName, minor: fn(&str) -> Option<Minor>| {
            let version = &binaries.get(&name)?.version;
            Some((version, minor(version)?))
        };
        if let Some(config) = &self.scheduler_config
            && let Some((version, minor)) = version(self.scheduler(), Minor::of_scheduler)
            && !config.api.is_known_by(minor)
        {
            return Err(TuningError::Api {
                flag: "--scheduler-config",
                file: config.file.display().to_string(),
                api: config.api.to_string(),
                component: self.scheduler(),
                version: version.clone(),
                known_by: config.api.known_by(),
            });
        }
        if let Some(policy) = &self.descheduler_policy
            && let Some((version, minor)) = version(ComponentName::Descheduler, Minor::of)
            && !policy.api.is_known_by(minor)
        {
            return Err(TuningError::Api {
                flag: "--descheduler-policy",
                file: policy.file.display().to_string(),
                api: policy.api.to_string(),
                component: ComponentName::Descheduler,
                version: version.clone(),
                known_by: policy.api.known_by(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubeclash_components::{Origin, Program};

    fn of(name: ComponentName, version: &str) -> BTreeMap<ComponentName, Binary> {
        let binary = Binary {
            name,
            version: version.to_owned(),
            program: Program::File { path: "x".into() },
            build_log: None,
            sha256: "00".to_owned(),
            origin: Origin::Given,
        };
        [(name, binary)].into()
    }

    fn config(text: &str) -> SchedulerConfig {
        let head = "apiVersion: kubescheduler.config.k8s.io/v1beta3\nkind: KubeSchedulerConfiguration\n";
        SchedulerConfig::parse("mine.yaml".into(), &format!("{head}{text}")).unwrap()
    }

    #[test]
    fn an_api_version_that_the_release_does_not_know_is_named_with_both() {
        let tuning = Tuning {
            scheduler_config: Some(config("")),
            ..Tuning::default()
        };
        for (version, fits) in [("v1.24.17", true), ("v1.29.0", false), ("unknown", true)] {
            let found = tuning.fits(&of(ComponentName::Scheduler, version));
            assert_eq!(found.is_ok(), fits, "{version}");
        }
        let error = tuning.fits(&of(ComponentName::Scheduler, "v1.36.3")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "--scheduler-config: \"mine.yaml\" is kubescheduler.config.k8s.io/v1beta3, which kube-scheduler v1.36.3 does not know"
        );
        assert!(error.help().contains("v1.28"), "{}", error.help());
        let policy = "apiVersion: descheduler/v1alpha1\nkind: DeschedulerPolicy\n";
        let tuning = Tuning {
            descheduler_policy: Some(Policy::parse("old.yaml".into(), policy).unwrap()),
            ..Tuning::default()
        };
        assert!(tuning.fits(&of(ComponentName::Descheduler, "v0.26.1")).is_ok());
        let error = tuning
            .fits(&of(ComponentName::Descheduler, "v0.36.0"))
            .unwrap_err();
        assert!(
            error.to_string().contains("descheduler v0.36.0 does not know"),
            "{error}"
        );
    }

    #[test]
    fn the_scheduler_that_pods_ask_for_must_have_a_profile() {
        let mut tuning = Tuning {
            scheduler_config: Some(config(
                "profiles: [{schedulerName: mine}, {schedulerName: other}]\n",
            )),
            ..Tuning::default()
        };
        let error = tuning.check().unwrap_err();
        assert!(
            error.to_string().contains("schedulerName \"default-scheduler\""),
            "{error}"
        );
        assert!(
            error.to_string().ends_with("it has \"mine\", \"other\""),
            "{error}"
        );
        assert!(error.help().contains("--scheduler-name"), "{}", error.help());
        tuning.scheduler_name = Some("mine".to_owned());
        assert_eq!(tuning.check(), Ok(()));
        assert_eq!(tuning.scheduler(), ComponentName::SecondScheduler);
        tuning.scheduler_name = Some("yours".to_owned());
        assert!(tuning.check().is_err());
    }
}
