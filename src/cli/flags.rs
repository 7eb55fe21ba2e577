//! Flags that several verbs share.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::component::{ComponentName, Selection, Spec};
use crate::provider::Provider;
use crate::scenario::Pace;
use crate::session::Settings;

/// Which build of each component to use.
///
/// Each is a release, as in `v1.36.3`, or a file, as in `path:./kube-scheduler`.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Components")]
pub struct ComponentFlags {
    /// API server, controller-manager and scheduler at once: a release, or path:FOLDER that holds all three.
    #[arg(long, value_name = "SPEC", env = "KUBECLASH_KUBERNETES")]
    pub kubernetes: Option<Spec>,
    /// The API server: a release or path:FILE.
    #[arg(long, value_name = "SPEC", env = "KUBECLASH_APISERVER")]
    pub apiserver: Option<Spec>,
    /// The controller-manager: a release or path:FILE.
    #[arg(long, value_name = "SPEC", env = "KUBECLASH_CONTROLLER_MANAGER")]
    pub controller_manager: Option<Spec>,
    /// The scheduler: a release or path:FILE.
    #[arg(long, value_name = "SPEC", env = "KUBECLASH_SCHEDULER")]
    pub scheduler: Option<Spec>,
    /// The descheduler: a release or path:FILE.
    #[arg(long, value_name = "SPEC", env = "KUBECLASH_DESCHEDULER")]
    pub descheduler: Option<Spec>,
    /// etcd: a release, with or without v, or path:FILE.
    #[arg(long, value_name = "SPEC", env = "KUBECLASH_ETCD")]
    pub etcd: Option<Spec>,
    /// kwok, which plays the nodes: a release or path:FILE.
    #[arg(long, value_name = "SPEC", env = "KUBECLASH_KWOK")]
    pub kwok: Option<Spec>,
}

impl ComponentFlags {
    /// What they choose together; a flag of one component wins over `--kubernetes`.
    #[must_use]
    pub fn selection(&self) -> Selection {
        let start = self
            .kubernetes
            .iter()
            .fold(Selection::default(), Selection::with_kubernetes);
        let chosen = [
            (ComponentName::Apiserver, &self.apiserver),
            (ComponentName::ControllerManager, &self.controller_manager),
            (ComponentName::Scheduler, &self.scheduler),
            (ComponentName::Descheduler, &self.descheduler),
            (ComponentName::Etcd, &self.etcd),
            (ComponentName::Kwok, &self.kwok),
        ];
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

/// What is run, on what, and where its evidence goes: flags of `run`, and the environment of `cargo test`.
#[derive(Debug, Clone, Args)]
pub struct RunFlags {
    /// On whose cluster
    #[arg(long, default_value = "local", env = "KUBECLASH_PROVIDER")]
    pub provider: Provider,
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
    /// A folder of cases to read in place of the built-in manifests: DIR/CASE/case.yaml, …
    #[arg(long, value_name = "DIR", env = "KUBECLASH_MANIFESTS")]
    pub manifests: Option<PathBuf>,
    /// How long each component of a cluster may take to become ready
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time, env = "KUBECLASH_READY_TIMEOUT")]
    pub ready_timeout: Duration,
    /// Leave the clusters' run directories in place
    #[arg(long)]
    pub keep: bool,
    /// Which build of each component
    #[command(flatten)]
    pub components: ComponentFlags,
}

impl RunFlags {
    /// The flags as the environment alone has them.
    ///
    /// # Errors
    /// When a variable's value is none that the flag would take; in words.
    pub fn from_environment() -> Result<Self, String> {
        #[derive(clap::Parser)]
        struct Environment {
            #[command(flatten)]
            flags: RunFlags,
        }
        <Environment as clap::Parser>::try_parse_from(["kubeclash"])
            .map(|e| e.flags)
            .map_err(|e| e.to_string())
    }

    /// The settings of a session.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            selection: self.components.selection(),
            provider: self.provider,
            pace: self.pace,
            // The evidence's paths are printed, and clusters must not depend on where they are looked at from.
            out: std::path::absolute(&self.out).unwrap_or_else(|_| self.out.clone()),
            manifests: self.manifests.clone(),
            ready_timeout: self.ready_timeout,
            keep: self.keep,
        }
    }
}

/// A length of time that is more than nothing, as in `90s` or `2m`.
fn time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time.is_zero() => Err("it must be more than nothing".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(format!("{error}; write it as in \"90s\" or \"2m\"")),
    }
}
