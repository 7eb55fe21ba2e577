//! Flags that several verbs share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::Failure;
use crate::case::{SubstituteError, Substitutes};
use crate::cases::Case;
use crate::exit;
use crate::session::{
    Setting, Settings, SettingsBuilder, descheduler_policy, kind, kubernetes, scheduler_config,
    scheduler_name, selection, time,
};
use kubeclash_cluster::tuning::{SchedulerConfig, descheduler_arg, scheduler_arg};
use kubeclash_cluster::{Policy, Provider, Tuning};
use kubeclash_components::{ComponentName, Selection, Spec};
use kubeclash_timeline::Pace;

/// Which build of each component to use.
///
/// Each is a release (v1.36.3), path:FILE, src:DIR[#./cmd/name] (a Go checkout), go:MODULE/cmd/name@VERSION, image:REF
/// (run by Docker) or image+extract:REF (its program is taken out of it, without Docker).
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Components")]
pub struct ComponentFlags {
    /// API server, controller-manager and scheduler at once: a release, path:FOLDER, src:DIR, go:MODULE@VERSION, or an
    /// image whose reference has a * for the program's name.
    #[arg(long, value_name = "SPEC", env = Setting::Kubernetes.variable(), value_parser = kubernetes)]
    pub kubernetes: Option<Spec>,
    /// The API server.
    #[arg(long, value_name = "SPEC", env = ComponentName::Apiserver.env())]
    pub apiserver: Option<Spec>,
    /// The controller-manager.
    #[arg(long, value_name = "SPEC", env = ComponentName::ControllerManager.env())]
    pub controller_manager: Option<Spec>,
    /// The scheduler.
    #[arg(long, value_name = "SPEC", env = ComponentName::Scheduler.env())]
    pub scheduler: Option<Spec>,
    /// The descheduler.
    #[arg(long, value_name = "SPEC", env = ComponentName::Descheduler.env())]
    pub descheduler: Option<Spec>,
    /// etcd; a release with or without v.
    #[arg(long, value_name = "SPEC", env = ComponentName::Etcd.env())]
    pub etcd: Option<Spec>,
    /// kwok, which plays the nodes.
    #[arg(long, value_name = "SPEC", env = ComponentName::Kwok.env())]
    pub kwok: Option<Spec>,
    /// kind, which makes clusters of containers: a file as it is, or a spec; the one on PATH by default.
    #[arg(long, value_name = "PATH|SPEC", env = ComponentName::Kind.env(), value_parser = kind)]
    pub kind: Option<Spec>,
    /// metrics-server, for clusters on kind.
    #[arg(long, value_name = "SPEC", env = ComponentName::MetricsServer.env())]
    pub metrics_server: Option<Spec>,
}

impl ComponentFlags {
    /// What they choose together; a flag of one component wins over `--kubernetes`.
    #[must_use]
    pub fn selection(&self) -> Selection {
        selection(self.kubernetes.as_ref(), &self.chosen())
    }

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

    /// What was chosen for components one by one.
    fn chosen(&self) -> BTreeMap<ComponentName, Spec> {
        let all = self.one_by_one().into_iter();
        all.filter_map(|(name, spec)| Some((name, spec.clone()?)))
            .collect()
    }
}

/// What a fork needs besides its binary.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Forks")]
pub struct TuningFlags {
    /// The scheduler's configuration (KubeSchedulerConfiguration)
    #[arg(long, value_name = "FILE", env = Setting::SchedulerConfig.variable(), value_parser = scheduler_config)]
    pub scheduler_config: Option<SchedulerConfig>,
    /// One more argument of the scheduler, as in --scheduler-arg=--v=5; can be given several times
    #[arg(
        long,
        value_name = "ARG",
        env = Setting::SchedulerArg.variable(),
        value_delimiter = ' ',
        allow_hyphen_values = true,
        value_parser = scheduler_arg
    )]
    pub scheduler_arg: Vec<String>,
    /// Run --scheduler beside the default scheduler, for the cases' pods, which name it in schedulerName
    #[arg(long, value_name = "NAME", env = Setting::SchedulerName.variable(), value_parser = scheduler_name)]
    pub scheduler_name: Option<String>,
    /// The descheduler's policy, in place of the cases' own: a file of its own, or a Helm chart's values with one
    #[arg(long, value_name = "FILE", env = Setting::DeschedulerPolicy.variable(), value_parser = descheduler_policy)]
    pub descheduler_policy: Option<Policy>,
    /// One more argument of the descheduler; can be given several times
    #[arg(
        long,
        value_name = "ARG",
        env = Setting::DeschedulerArg.variable(),
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

/// Which programs take part in place of those that cases bring.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Components")]
pub struct WithFlags {
    /// A program in place of the controller NAME that a case brings: path:FILE, src:DIR, go:…, image:… or image+extract:…; can be
    /// given several times. Its arguments stay as the case has them
    #[arg(long = "with", value_name = "NAME=SPEC", env = Setting::With.variable())]
    pub with: Vec<Substitutes>,
}

impl WithFlags {
    /// All together; [`fit`](Self::fit) says whether they can be.
    #[must_use]
    pub fn substitutes(&self) -> Substitutes {
        let all = self.with.iter();
        all.fold(Substitutes::default(), Substitutes::over)
    }

    /// These, and of others those that are for other controllers.
    #[must_use]
    pub fn over(self, others: &Self) -> Self {
        Self {
            with: vec![self.substitutes().over(&others.substitutes())],
        }
    }

    /// That no two are for one controller.
    ///
    /// # Errors
    /// When two are.
    pub fn each_once(&self) -> Result<Substitutes, SubstituteError> {
        let mut all = self.with.iter().flat_map(Substitutes::iter).cloned();
        all.try_fold(Substitutes::default(), Substitutes::and)
    }

    /// That each is for a controller that one of these cases brings, and no two for one.
    ///
    /// # Errors
    /// The first that is not.
    pub fn fit<'a>(&self, cases: impl IntoIterator<Item = &'a Case>) -> Result<(), Failure> {
        let all = self.each_once();
        let fitting = all.and_then(|all| all.fit(cases.into_iter().filter_map(Case::as_folder)));
        fitting.map_err(|why| {
            let variable = Setting::With.variable();
            Failure::new(exit::USAGE, format!("--with (or {variable}): {why}"))
        })
    }
}

/// What is run, on what, and where its evidence goes: flags of `run`. The environment of `cargo test` is read by [`crate::session::Environment`].
#[derive(Debug, Clone, Args)]
pub struct RunFlags {
    /// On whose cluster
    #[arg(long, default_value = "local", env = Setting::Provider.variable())]
    pub provider: Provider,
    /// The node image of kind's clusters, in place of kindest/node of the release of --kubernetes
    #[arg(long, value_name = "REF", env = Setting::KindImage.variable())]
    pub kind_image: Option<String>,
    /// Use a cluster of kind for one arm after another, made clean and looked at in between
    #[arg(long)]
    pub reuse: bool,
    /// At which pace: "fast", or "recorded" to compare with the study
    #[arg(long, default_value = "fast", env = Setting::Pace.variable())]
    pub pace: Pace,
    /// The folder that the evidence goes to
    #[arg(
        long,
        value_name = "DIR",
        default_value = "target/evidence",
        env = Setting::Out.variable()
    )]
    pub out: PathBuf,
    /// How long each component of a cluster may take to become ready
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time, env = Setting::ReadyTimeout.variable())]
    pub ready_timeout: Duration,
    /// Leave the clusters' run directories in place, and clusters of kind as they are
    #[arg(long)]
    pub keep: bool,
    /// Which build of each component
    #[command(flatten)]
    pub components: ComponentFlags,
    /// Which programs take part in place of those that cases bring
    #[command(flatten)]
    pub with: WithFlags,
    /// What a fork needs besides its binary
    #[command(flatten)]
    pub tuning: TuningFlags,
}

impl RunFlags {
    /// The settings of a session.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let builder = SettingsBuilder {
            kubernetes: self.components.kubernetes.clone(),
            components: self.components.chosen(),
            tuning: self.tuning.tuning(),
            substitutes: self.with.substitutes(),
            provider: self.provider,
            kind_image: self.kind_image.clone(),
            reuse: self.reuse,
            pace: self.pace,
            out: self.out.clone(),
            ready_timeout: self.ready_timeout,
            keep: self.keep,
        };
        builder.build()
    }
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

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::session::Environment;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        flags: RunFlags,
    }

    #[test]
    fn every_setting_is_a_flag_of_run_with_the_same_variable_and_name() {
        let command = Line::command();
        let flags: Vec<(String, String)> = command
            .get_arguments()
            .filter_map(|flag| {
                let variable = flag.get_env()?.to_str()?.to_owned();
                Some((flag.get_long()?.to_owned(), variable))
            })
            .collect();
        for setting in Setting::ALL {
            let both = (setting.to_string(), setting.variable().to_owned());
            assert!(flags.contains(&both), "{both:?}: {flags:?}");
        }
        assert_eq!(flags.len(), Setting::ALL.len(), "{flags:?}");
    }

    #[test]
    fn variables_come_to_the_settings_to_which_the_flags_come() {
        let said = [
            ("kubernetes", "v1.35.0"),
            ("scheduler", "path:./kube-scheduler"),
            ("kwok", "v0.7.0"),
            ("scheduler-arg", "--v=5"),
            ("scheduler-name", "mine"),
            ("with", "keeper=path:./a,b,operator=src:."),
            ("provider", "kind"),
            ("kind-image", "kindest/node:v1.35.0"),
            ("pace", "recorded"),
            ("out", "somewhere"),
            ("ready-timeout", "2m"),
        ];
        let line = said.map(|(name, value)| format!("--{name}={value}"));
        let flags = Line::parse_from(std::iter::once("kubeclash".to_owned()).chain(line)).flags;
        let names = said.map(|(name, value)| {
            let setting = Setting::ALL.into_iter().find(|one| one.to_string() == name);
            (setting.unwrap().variable(), value)
        });
        let settings = Environment::of(|name| {
            let found = names.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.into())
        });
        let settings = settings.unwrap().settings.build();
        assert_eq!(format!("{settings:?}"), format!("{:?}", flags.settings()));
        assert_eq!(settings.provider, Provider::Kind);
        assert_eq!(
            settings.selection.spec(ComponentName::Kwokctl).to_string(),
            "v0.7.0"
        );
        let defaults = Line::parse_from(["kubeclash"]).flags.settings();
        assert_eq!(format!("{:?}", Settings::default()), format!("{defaults:?}"));
    }
}
