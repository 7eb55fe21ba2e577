//! Flags that several verbs share.

use clap::Args;

use crate::component::{ComponentName, Selection, Spec};

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
