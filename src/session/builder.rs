//! What somebody asks for, setting by setting, made into [`Settings`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::setting::{
    Setting, SettingError, descheduler_policy, kind, kubernetes, scheduler_config, scheduler_name, time,
};
use super::{OnKind, Settings};
use crate::case::{SubstituteError, Substitutes};
use kubeclash_cluster::tuning::{descheduler_arg, scheduler_arg};
use kubeclash_cluster::{Provider, Tuning};
use kubeclash_components::{ComponentName, Selection, Spec};
use kubeclash_timeline::Pace;

/// Settings while they are being chosen. The default is what the command does without a flag: this crate's pinned releases on
/// the local provider at the fast pace, with an audit log, and evidence in `target/evidence`.
///
/// # Examples
///
/// ```
/// use kubeclash_components::ComponentName;
/// use kubeclash::session::{Setting, Settings};
///
/// let settings = Settings::builder()
///     .set(Setting::Kubernetes, "v1.35.0")?
///     .set(Setting::Component(ComponentName::Scheduler), "path:./kube-scheduler")?
///     .out("evidence")
///     .build();
/// assert_eq!(settings.selection.spec(ComponentName::Apiserver).to_string(), "v1.35.0");
/// # Ok::<(), kubeclash::session::SettingError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct SettingsBuilder {
    pub(crate) kubernetes: Option<Spec>,
    pub(crate) components: BTreeMap<ComponentName, Spec>,
    pub(crate) tuning: Tuning,
    pub(crate) substitutes: Substitutes,
    pub(crate) provider: Provider,
    pub(crate) kind_image: Option<String>,
    pub(crate) reuse: bool,
    pub(crate) pace: Pace,
    pub(crate) out: PathBuf,
    pub(crate) ready_timeout: Duration,
    pub(crate) keep: bool,
}

impl Default for SettingsBuilder {
    fn default() -> Self {
        Self {
            kubernetes: None,
            components: BTreeMap::new(),
            tuning: Tuning {
                audit: true,
                ..Tuning::default()
            },
            substitutes: Substitutes::default(),
            provider: Provider::Local,
            kind_image: None,
            reuse: false,
            pace: Pace::default(),
            out: PathBuf::from("target/evidence"),
            ready_timeout: Duration::from_secs(60),
            keep: false,
        }
    }
}

impl SettingsBuilder {
    /// Gives a setting as its flag and its variable take it.
    ///
    /// # Errors
    /// When the text is no value of the setting, or the file that it names can't be read.
    pub fn set(mut self, setting: Setting, text: &str) -> Result<Self, SettingError> {
        self.take(setting, text).map_err(|why| SettingError {
            setting,
            value: text.to_owned(),
            why,
        })?;
        Ok(self)
    }

    fn take(&mut self, setting: Setting, text: &str) -> Result<(), String> {
        match setting {
            Setting::Kubernetes => self.kubernetes = Some(kubernetes(text).map_err(|e| e.to_string())?),
            Setting::Component(name) => {
                let spec = match name {
                    ComponentName::Kind => kind(text)?,
                    _ => text
                        .parse()
                        .map_err(|e: kubeclash_components::SpecError| e.to_string())?,
                };
                self.components.insert(name, spec);
            }
            Setting::SchedulerConfig => self.tuning.scheduler_config = Some(scheduler_config(text)?),
            Setting::SchedulerArg => self.tuning.scheduler_args = arguments(text, scheduler_arg)?,
            Setting::SchedulerName => self.tuning.scheduler_name = Some(scheduler_name(text)?),
            Setting::DeschedulerPolicy => self.tuning.descheduler_policy = Some(descheduler_policy(text)?),
            Setting::DeschedulerArg => self.tuning.descheduler_args = arguments(text, descheduler_arg)?,
            Setting::With => {
                let more: Substitutes = text.parse().map_err(|e: SubstituteError| e.to_string())?;
                for one in more.iter() {
                    let so_far = std::mem::take(&mut self.substitutes);
                    self.substitutes = so_far.and(one.clone()).map_err(|e| e.to_string())?;
                }
            }
            Setting::Provider => self.provider = text.parse()?,
            Setting::KindImage => self.kind_image = Some(text.to_owned()),
            Setting::Pace => self.pace = text.parse()?,
            Setting::Out => self.out = PathBuf::from(text),
            Setting::ReadyTimeout => self.ready_timeout = time(text)?,
        }
        Ok(())
    }

    /// On whose cluster.
    pub fn provider(mut self, provider: Provider) -> Self {
        self.provider = provider;
        self
    }

    /// At which pace.
    pub fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Below which folder the evidence goes.
    pub fn out(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out = folder.into();
        self
    }

    /// How long each component may take to become ready.
    pub fn ready_timeout(mut self, time: Duration) -> Self {
        self.ready_timeout = time;
        self
    }

    /// Whether the API server keeps an audit log, from which a verdict names who did what.
    pub fn audit(mut self, audit: bool) -> Self {
        self.tuning.audit = audit;
        self
    }

    /// Whether run directories, and clusters of kind, are left in place.
    pub fn keep(mut self, keep: bool) -> Self {
        self.keep = keep;
        self
    }

    /// Whether clusters of kind are used for one arm after another.
    pub fn reuse(mut self, reuse: bool) -> Self {
        self.reuse = reuse;
        self
    }

    /// Which build of each component is chosen.
    #[must_use]
    pub fn selection(&self) -> Selection {
        let selection = selection(self.kubernetes.as_ref(), &self.components);
        match self.tuning.scheduler_name {
            Some(_) => selection.with_second_scheduler(self.kubernetes.as_ref()),
            None => selection,
        }
    }

    /// The settings.
    #[must_use]
    pub fn build(self) -> Settings {
        Settings {
            selection: self.selection(),
            tuning: self.tuning,
            substitutes: self.substitutes,
            provider: self.provider,
            on_kind: OnKind {
                image: self.kind_image,
                kubernetes: self.kubernetes,
                at_once: 1,
                reuse: self.reuse,
                chosen: self.components.into_keys().collect(),
            },
            pace: self.pace,
            // The evidence's paths are printed, and clusters must not depend on where they are looked at from.
            out: std::path::absolute(&self.out).unwrap_or(self.out),
            ready_timeout: self.ready_timeout,
            keep: self.keep,
        }
    }
}

/// What is chosen together; a spec of one component wins over that of `kubernetes`.
pub(crate) fn selection(kubernetes: Option<&Spec>, components: &BTreeMap<ComponentName, Spec>) -> Selection {
    let start = kubernetes.iter().fold(Selection::default(), |start, spec| {
        start
            .with_kubernetes(spec)
            .expect("only what stands for three is taken")
    });
    let chosen = components.iter().fold(start, |selection, (&name, spec)| {
        selection.with(name, spec.clone())
    });
    match components.get(&ComponentName::Kwok) {
        Some(spec @ Spec::Release(_)) => chosen.with(ComponentName::Kwokctl, spec.clone()),
        _ => chosen,
    }
}

/// Arguments that are apart by spaces.
fn arguments(text: &str, argument: fn(&str) -> Result<String, String>) -> Result<Vec<String>, String> {
    text.split(' ')
        .filter(|word| !word.is_empty())
        .map(argument)
        .collect()
}
