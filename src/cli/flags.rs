//! Flags that several verbs share.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::component::{ComponentName, Selection, Spec, SpecError};
use crate::provider::tuning::{DEFAULT_SCHEDULER, SchedulerConfig, descheduler_arg, scheduler_arg};
use crate::provider::{Provider, Tuning};
use crate::scenario::{Pace, Policy};
use crate::session::{OnKind, Settings};

/// Which build of each component to use.
///
/// Each is a release (v1.36.3), path:FILE, src:DIR[#./cmd/name] (a Go checkout), go:MODULE/cmd/name@VERSION, image:REF
/// (run by Docker) or image+extract:REF (its program is taken out of it, without Docker).
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Components")]
pub struct ComponentFlags {
    /// API server, controller-manager and scheduler at once: a release, path:FOLDER, src:DIR, go:MODULE@VERSION, or an
    /// image whose reference has a * for the program's name.
    #[arg(long, value_name = "SPEC", env = "KUBECLASH_KUBERNETES", value_parser = kubernetes)]
    pub kubernetes: Option<Spec>,
    /// The API server.
    #[arg(long, value_name = "SPEC", env = "KUBECLASH_APISERVER")]
    pub apiserver: Option<Spec>,
    /// The controller-manager.
    #[arg(long, value_name = "SPEC", env = "KUBECLASH_CONTROLLER_MANAGER")]
    pub controller_manager: Option<Spec>,
    /// The scheduler.
    #[arg(long, value_name = "SPEC", env = "KUBECLASH_SCHEDULER")]
    pub scheduler: Option<Spec>,
    /// The descheduler.
    #[arg(long, value_name = "SPEC", env = "KUBECLASH_DESCHEDULER")]
    pub descheduler: Option<Spec>,
    /// etcd; a release with or without v.
    #[arg(long, value_name = "SPEC", env = "KUBECLASH_ETCD")]
    pub etcd: Option<Spec>,
    /// kwok, which plays the nodes.
    #[arg(long, value_name = "SPEC", env = "KUBECLASH_KWOK")]
    pub kwok: Option<Spec>,
    /// kind, which makes clusters of containers: a file as it is, or a spec; the one on PATH by default.
    #[arg(long, value_name = "PATH|SPEC", env = "KUBECLASH_KIND", value_parser = kind)]
    pub kind: Option<Spec>,
    /// metrics-server, for clusters on kind.
    #[arg(long, value_name = "SPEC", env = "KUBECLASH_METRICS_SERVER")]
    pub metrics_server: Option<Spec>,
}

impl ComponentFlags {
    /// What they choose together; a flag of one component wins over `--kubernetes`.
    #[must_use]
    pub fn selection(&self) -> Selection {
        let start = self.kubernetes.iter().fold(Selection::default(), |start, spec| {
            start
                .with_kubernetes(spec)
                .expect("the flag takes only what stands for three")
        });
        let chosen = self.one_by_one();
        let selection = chosen
            .into_iter()
            .fold(start, |selection, (name, spec)| match spec {
                Some(spec) => selection.with(name, spec.clone()),
                None => selection,
            });
        match &self.kwok {
            Some(spec @ Spec::Release(_)) => selection.with(ComponentName::Kwokctl, spec.clone()),
            _ => selection,
        }
    }
}

impl ComponentFlags {
    fn one_by_one(&self) -> [(ComponentName, &Option<Spec>); 8] {
        [
            (ComponentName::Apiserver, &self.apiserver),
            (ComponentName::ControllerManager, &self.controller_manager),
            (ComponentName::Scheduler, &self.scheduler),
            (ComponentName::Descheduler, &self.descheduler),
            (ComponentName::Etcd, &self.etcd),
            (ComponentName::Kwok, &self.kwok),
            (ComponentName::Kind, &self.kind),
            (ComponentName::MetricsServer, &self.metrics_server),
        ]
    }

    /// Which components have a flag of their own set.
    #[must_use]
    pub fn chosen(&self) -> Vec<ComponentName> {
        let set = self.one_by_one().into_iter().filter(|(_, spec)| spec.is_some());
        set.map(|(name, _)| name).collect()
    }
}

/// What a fork needs besides its binary.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Forks")]
pub struct TuningFlags {
    /// The scheduler's configuration (KubeSchedulerConfiguration)
    #[arg(long, value_name = "FILE", env = "KUBECLASH_SCHEDULER_CONFIG", value_parser = scheduler_config)]
    pub scheduler_config: Option<SchedulerConfig>,
    /// One more argument of the scheduler, as in --scheduler-arg=--v=5; can be given several times
    #[arg(
        long,
        value_name = "ARG",
        env = "KUBECLASH_SCHEDULER_ARG",
        value_delimiter = ' ',
        allow_hyphen_values = true,
        value_parser = scheduler_arg
    )]
    pub scheduler_arg: Vec<String>,
    /// Run --scheduler beside the default scheduler, for the cases' pods, which name it in schedulerName
    #[arg(long, value_name = "NAME", env = "KUBECLASH_SCHEDULER_NAME", value_parser = scheduler_name)]
    pub scheduler_name: Option<String>,
    /// The descheduler's policy, in place of the cases' own: a file of its own, or a Helm chart's values with one
    #[arg(long, value_name = "FILE", env = "KUBECLASH_DESCHEDULER_POLICY", value_parser = descheduler_policy)]
    pub descheduler_policy: Option<Policy>,
    /// One more argument of the descheduler; can be given several times
    #[arg(
        long,
        value_name = "ARG",
        env = "KUBECLASH_DESCHEDULER_ARG",
        value_delimiter = ' ',
        allow_hyphen_values = true,
        value_parser = descheduler_arg
    )]
    pub descheduler_arg: Vec<String>,
    /// Don't keep the API server's audit log, from which a verdict names who did what
    #[arg(long)]
    pub no_audit: bool,
}

impl TuningFlags {
    /// As a cluster takes it.
    #[must_use]
    pub fn tuning(&self) -> Tuning {
        Tuning {
            scheduler_config: self.scheduler_config.clone(),
            scheduler_args: self.scheduler_arg.clone(),
            scheduler_name: self.scheduler_name.clone(),
            descheduler_policy: self.descheduler_policy.clone(),
            descheduler_args: self.descheduler_arg.clone(),
            audit: !self.no_audit,
        }
    }
}

/// What is run, on what, and where its evidence goes: flags of `run`, and the environment of `cargo test`.
#[derive(Debug, Clone, Args)]
pub struct RunFlags {
    /// On whose cluster
    #[arg(long, default_value = "local", env = "KUBECLASH_PROVIDER")]
    pub provider: Provider,
    /// The node image of kind's clusters, in place of kindest/node of the release of --kubernetes
    #[arg(long, value_name = "REF", env = "KUBECLASH_KIND_IMAGE")]
    pub kind_image: Option<String>,
    /// Use a cluster of kind for one arm after another, made clean and looked at in between
    #[arg(long)]
    pub reuse: bool,
    /// At which pace: "fast", or "recorded" to compare with the study
    #[arg(long, default_value = "fast", env = "KUBECLASH_PACE")]
    pub pace: Pace,
    /// The folder that the evidence goes to
    #[arg(
        long,
        value_name = "DIR",
        default_value = "target/evidence",
        env = "KUBECLASH_OUT"
    )]
    pub out: PathBuf,
    /// How long each component of a cluster may take to become ready
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time, env = "KUBECLASH_READY_TIMEOUT")]
    pub ready_timeout: Duration,
    /// Leave the clusters' run directories in place, and clusters of kind as they are
    #[arg(long)]
    pub keep: bool,
    /// Which build of each component
    #[command(flatten)]
    pub components: ComponentFlags,
    /// What a fork needs besides its binary
    #[command(flatten)]
    pub tuning: TuningFlags,
}

impl RunFlags {
    /// The flags as the environment alone has them.
    ///
    /// # Errors
    /// When a variable's value is none that the flag would take; in words.
    pub fn from_environment() -> Result<Self, String> {
        from_environment()
    }

    /// The settings of a session.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let tuning = self.tuning.tuning();
        let selection = self.components.selection();
        Settings {
            selection: match tuning.scheduler_name {
                Some(_) => selection.with_second_scheduler(self.components.kubernetes.as_ref()),
                None => selection,
            },
            tuning,
            provider: self.provider,
            on_kind: OnKind {
                image: self.kind_image.clone(),
                kubernetes: self.components.kubernetes.clone(),
                at_once: 1,
                reuse: self.reuse,
                chosen: self.components.chosen(),
            },
            pace: self.pace,
            // The evidence's paths are printed, and clusters must not depend on where they are looked at from.
            out: std::path::absolute(&self.out).unwrap_or_else(|_| self.out.clone()),
            ready_timeout: self.ready_timeout,
            keep: self.keep,
        }
    }
}

/// Flags as the environment alone has them.
///
/// # Errors
/// When a variable's value is none that the flag would take; in words.
pub fn from_environment<F: Args>() -> Result<F, String> {
    from_arguments(&[])
}

/// Flags as arguments and the environment have them.
///
/// # Errors
/// When one is none, or its value is none that it would take; in words.
pub fn from_arguments<F: Args>(arguments: &[String]) -> Result<F, String> {
    #[derive(clap::Parser)]
    struct Arguments<F: Args> {
        #[command(flatten)]
        flags: F,
    }
    let arguments = std::iter::once("kubeclash".to_owned()).chain(arguments.iter().cloned());
    <Arguments<F> as clap::Parser>::try_parse_from(arguments)
        .map(|e| e.flags)
        .map_err(|e| e.to_string())
}

/// A spec that stands for API server, controller-manager and scheduler.
fn kubernetes(text: &str) -> Result<Spec, SpecError> {
    let spec: Spec = text.parse()?;
    Selection::default().with_kubernetes(&spec).map(|_| spec)
}

/// kind itself, which makes containers: one in a container would be of no use.
fn kind(text: &str) -> Result<Spec, String> {
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
fn scheduler_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if text == DEFAULT_SCHEDULER {
        Err("it is the default scheduler's: --scheduler alone replaces that".to_owned())
    } else if text.is_empty() || text.len() > 253 || !text.chars().all(fits) {
        Err("it must be of lower-case letters, digits, \"-\" and \".\", as in \"my-scheduler\"".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

fn scheduler_config(file: &str) -> Result<SchedulerConfig, String> {
    SchedulerConfig::parse(file.into(), &text_of(file)?).map_err(|mistake| mistake.to_string())
}

fn descheduler_policy(file: &str) -> Result<Policy, String> {
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
pub(super) fn time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time.is_zero() => Err("it must be more than nothing".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(format!("{error}; write it as in \"90s\" or \"2m\"")),
    }
}
