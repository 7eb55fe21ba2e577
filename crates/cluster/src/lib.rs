//! Control planes of Kubernetes that kubeclash made, and nothing else: on this machine, or with kind.
//!
//! Backends are a closed enum behind [`Provider::up`] and [`Cluster::down`]. A cluster never reads or writes the
//! user's kubeconfig; its own lies in its run directory.
//!
//! | part | what it is |
//! |---|---|
//! | [`file`](mod@file), [`ClusterSpec`] | what a cluster is asked to be |
//! | [`tuning`], [`Policy`] | how a fork of a scheduler or descheduler is started |
//! | `local` | real control-plane binaries as child processes; nodes are played by KWOK and a kubelet of ours |
//! | `kind`, [`node_image`] | clusters of kind: real kubelets in containers |
//! | [`Controller`] | any program as one of the controllers |
//!
//! # Examples
//!
//! A cluster of one arm, asked for its nodes:
//!
//! ```no_run
//! use kubeclash_cluster::{Order, Provider, ProviderError};
//!
//! # async fn nodes(order: Order) -> Result<(), ProviderError> {
//! let cluster = Provider::Local.up(order, &|_| {}).await?;
//! println!("KUBECONFIG={}", cluster.kubeconfig().display());
//! cluster.down(true).await;
//! # Ok(())
//! # }
//! ```

pub mod file;
mod quantity;
mod taint;
mod curve;
mod policy;
pub mod tuning;
mod spec;
mod paced;
mod error;
mod ports;
mod log;
mod container;
mod pki;
mod access;
pub mod backoff;
mod capacity;
mod process;
mod site;
mod wait;
mod nodes;
mod health;
mod liveness;
mod scale;
mod scheduler;
mod descheduler;
mod controller;
mod audit;
mod metrics_api;
mod saved_etcd;
mod local;
pub mod node_image;
mod kind;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use kubeclash_components::{Binary, ComponentName};
use kubeclash_host::engine::preflight::Problem;
use kubeclash_timeline::Pace;

pub use capacity::{ARM_MEMORY, arms_at_once, cores, cpu_time};
pub use controller::{CONTROLLER, Controller, controller_name};
pub use curve::{CpuCurve, CpuShare, CpuUse};
pub use error::ProviderError;
pub use kind::{Asked, Host, KindCluster, Kit, NodeImage, Pool, tagged};
pub use liveness::{LivenessEvent, OnLiveness};
pub use local::{LocalCluster, prepare};
pub use nodes::WORKERS;
pub use nodes::ready as nodes_ready;
pub use policy::{NoteKind, Policy, PolicyApi, PolicyNote, policies_in, policy_of};
pub use quantity::thousandths;
pub use saved_etcd::{SavedEtcd, SavedEtcdError};
pub use scale::Scale;
pub use spec::{ClusterSpec, ClusterSpecError, NodeSpec, SchedulerSpec};
pub use taint::{TaintChange, taint, taint_change};
pub use tuning::{Tuning, TuningError};

/// Who provides clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Provider {
    /// Real control-plane binaries as child processes, with nodes played by KWOK.
    #[default]
    Local,
    /// Clusters of kind: real kubelets in containers.
    Kind,
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Local => "local",
            Self::Kind => "kind",
        })
    }
}

impl std::str::FromStr for Provider {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "local" => Ok(Self::Local),
            "kind" => Ok(Self::Kind),
            other => Err(format!("unknown provider \"{other}\": \"local\" or \"kind\"")),
        }
    }
}

/// What a cluster is asked to be.
#[derive(Debug, Clone)]
pub struct Order {
    /// The binaries of all components, by name.
    pub binaries: BTreeMap<ComponentName, Binary>,
    /// Its nodes, and what its control plane is started with.
    pub spec: ClusterSpec,
    /// At which pace its controllers work.
    pub pace: Pace,
    /// How scheduler and descheduler are started.
    pub tuning: Tuning,
    /// Where its components' logs go.
    pub logs: PathBuf,
    /// Where [`prepare`] kept what clusters start from; without it, or before that, a cluster starts from nothing.
    pub seeds: Option<PathBuf>,
    /// How long each component may take to become ready.
    pub ready_timeout: Duration,
    /// Whether its run directory is left in place.
    pub keep: bool,
    /// What clusters of kind are made with; the local provider needs none.
    pub kit: Option<Kit>,
    /// What a cluster of many nodes is given; local only.
    pub scale: Option<Scale>,
}

impl Order {
    /// The binary of a component.
    ///
    /// # Errors
    /// When nobody resolved it.
    pub fn binary(&self, name: ComponentName) -> Result<&Binary, ProviderError> {
        self.binaries.get(&name).ok_or_else(|| ProviderError::Start {
            component: name.to_string(),
            why: "no binary was resolved for it".to_owned(),
        })
    }

    /// Whether a second scheduler runs beside the default one: the user's, or the case's.
    pub(crate) fn has_second_scheduler(&self) -> bool {
        self.tuning.scheduler_name.is_some() || self.spec.second_scheduler.is_some()
    }

    /// The same with a binary for all that is to run: a case's second scheduler is the default one's program.
    pub(crate) fn complete(mut self) -> Self {
        self.binaries = self.spec.binaries(&self.binaries);
        self
    }
}

/// Told whenever a descheduler has gone through a cycle.
pub type OnCycle = Box<dyn Fn() + Send + Sync>;

/// A cluster that is up.
#[derive(Debug)]
pub enum Cluster {
    /// Of the local provider.
    Local(Box<LocalCluster>),
    /// Of the kind provider.
    Kind(Box<KindCluster>),
}

impl Provider {
    /// That it can make such a cluster.
    ///
    /// # Errors
    /// With the field that it can't have.
    pub fn able(self, spec: &ClusterSpec) -> Result<(), ProviderError> {
        match self {
            Self::Local => Ok(()),
            Self::Kind => kind::able(spec),
        }
    }

    /// Brings a cluster up: returns when API server, controller-manager, scheduler and all nodes are ready.
    ///
    /// # Errors
    /// When a component can't be started, exits, or does not become ready; what was started is gone then.
    ///
    /// `say` is told what a slow start is at.
    pub async fn up(self, order: Order, say: &(dyn Fn(&str) + Sync)) -> Result<Cluster, ProviderError> {
        match self {
            Self::Local => Ok(Cluster::Local(Box::new(
                LocalCluster::up(order.complete()).await?,
            ))),
            Self::Kind => Ok(Cluster::Kind(Box::new(
                KindCluster::up(order.complete(), say).await?,
            ))),
        }
    }
}

impl Cluster {
    /// A client of its API server, as administrator.
    #[must_use]
    pub fn client(&self) -> &kube::Client {
        match self {
            Self::Local(cluster) => cluster.client(),
            Self::Kind(cluster) => cluster.client(),
        }
    }

    /// Its kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        match self {
            Self::Local(cluster) => cluster.kubeconfig(),
            Self::Kind(cluster) => cluster.kubeconfig(),
        }
    }

    /// What of it stays where it is to be kept, and what to do with that.
    #[must_use]
    pub fn kept(&self) -> String {
        let file = self.kubeconfig();
        match self {
            Self::Local(_) => {
                let run = file.parent().unwrap_or(&file).display().to_string();
                let run = kubeclash_host::shell::quoted(&run);
                format!("kept: what its components were given is in {run}; \"kubeclash sweep\" removes it")
            }
            Self::Kind(cluster) => {
                let file = kubeclash_host::shell::quoted(&file.display().to_string());
                let ended = if cluster.is_forked() {
                    "; the scheduler under test has ended, and nothing binds its pods"
                } else {
                    ""
                };
                format!(
                    "kept: KUBECONFIG={file} kubectl get pods -o wide; \"kubeclash sweep\" removes the cluster{ended}"
                )
            }
        }
    }

    /// Its API server's audit log, if it keeps one.
    #[must_use]
    pub fn audit_log(&self) -> Option<PathBuf> {
        match self {
            Self::Local(cluster) => cluster.audit_log(),
            Self::Kind(cluster) => cluster.audit_log(),
        }
    }

    /// The CPU time that each component has taken so far, by name.
    #[must_use]
    pub fn cpu_times(&self) -> BTreeMap<String, Duration> {
        match self {
            Self::Local(cluster) => cluster.cpu_times(),
            Self::Kind(cluster) => cluster.cpu_times(),
        }
    }

    /// The process ids of its components, by name; nothing of one that has no process of its own here.
    #[must_use]
    pub fn pids(&self) -> Vec<(String, u32)> {
        match self {
            Self::Local(cluster) => cluster.pids(),
            Self::Kind(_) => Vec::new(),
        }
    }

    /// The log of one of its components, where that is a file here.
    #[must_use]
    pub fn log(&self, name: ComponentName) -> Option<PathBuf> {
        match self {
            Self::Local(cluster) => Some(cluster.log(name)),
            Self::Kind(_) => None,
        }
    }

    /// What has befallen its API server, where it is asked whether it lives.
    #[must_use]
    pub fn liveness(&self) -> Vec<LivenessEvent> {
        match self {
            Self::Local(cluster) => cluster.liveness(),
            Self::Kind(_) => Vec::new(),
        }
    }

    /// Tells of all that befalls its API server, where it is asked whether it lives: from the start on.
    pub fn on_liveness(&self, told: OnLiveness) {
        if let Self::Local(cluster) = self {
            cluster.on_liveness(told);
        }
    }

    /// How its API server's CPU is bounded, in words; nothing where it is not.
    #[must_use]
    pub fn bounded_by(&self) -> Option<String> {
        match self {
            Self::Local(cluster) => cluster.bounded_by(),
            Self::Kind(_) => None,
        }
    }

    /// Where its etcd answers clients, where that can be reached.
    #[must_use]
    pub fn etcd(&self) -> Option<String> {
        match self {
            Self::Local(cluster) => Some(cluster.etcd()),
            Self::Kind(_) => None,
        }
    }

    /// What the tool that made it took of that time: kind, where it was made for this run.
    #[must_use]
    pub fn created_after(&self) -> Option<Duration> {
        match self {
            Self::Local(_) => None,
            Self::Kind(cluster) => cluster.created_after(),
        }
    }

    /// From the start of the first process until everything was ready.
    #[must_use]
    pub fn ready_after(&self) -> Duration {
        match self {
            Self::Local(cluster) => cluster.ready_after(),
            Self::Kind(cluster) => cluster.ready_after(),
        }
    }

    /// A client of somebody else, by the name that the audit log has for them.
    ///
    /// # Errors
    /// When there can be none of that name.
    pub fn client_as(&self, name: &str) -> Result<kube::Client, ProviderError> {
        match self {
            Self::Local(cluster) => cluster.client_as(name),
            Self::Kind(cluster) => cluster.client_as(name),
        }
    }

    /// Starts a descheduler with a policy, which goes through a cycle `every` so often; `on_cycle` is told whenever it has.
    ///
    /// # Errors
    /// When it can't be started, or exits at once, e.g. because it refuses the policy.
    pub async fn start_descheduler(
        &mut self,
        policy: &serde_json::Value,
        every: Duration,
        on_cycle: OnCycle,
    ) -> Result<(), ProviderError> {
        match self {
            Self::Local(cluster) => cluster.start_descheduler(policy, every, on_cycle).await,
            Self::Kind(cluster) => cluster.start_descheduler(policy, every, on_cycle).await,
        }
    }

    /// Starts a program as a controller, and waits until it is ready.
    ///
    /// # Errors
    /// When it can't be started, exits, or does not become ready.
    pub async fn start_controller(&mut self, controller: &Controller) -> Result<(), ProviderError> {
        match self {
            Self::Local(cluster) => cluster.start_controller(controller).await,
            Self::Kind(cluster) => cluster.start_controller(controller).await,
        }
    }

    /// Ends a controller of that name, if one runs.
    pub async fn stop_controller(&mut self, name: &str) {
        match self {
            Self::Local(cluster) => cluster.stop_controller(name).await,
            Self::Kind(cluster) => cluster.stop_controller(name).await,
        }
    }

    /// Sets what the pods of a workload use of CPU, at the recorded pace, from now on. On kind they do that by themselves: by the
    /// images that they run.
    pub fn set_cpu(&self, cpu: &CpuUse) {
        if let Self::Local(cluster) = self {
            cluster.set_cpu(cpu);
        }
    }

    /// Stops a node's kubelet.
    ///
    /// # Errors
    /// When there is no such node.
    pub async fn stop_node(&mut self, node: &str) -> Result<(), ProviderError> {
        match self {
            Self::Local(cluster) => cluster.stop_node(node).await,
            Self::Kind(cluster) => cluster.stop_node(node).await,
        }
    }

    /// Starts a node's kubelet again.
    ///
    /// # Errors
    /// When there is no such node.
    pub async fn start_node(&mut self, node: &str) -> Result<(), ProviderError> {
        match self {
            Self::Local(cluster) => cluster.start_node(node).await,
            Self::Kind(cluster) => cluster.start_node(node).await,
        }
    }

    /// Which worker would come next, counted from 1.
    #[must_use]
    pub fn next_worker(&self) -> usize {
        match self {
            Self::Local(cluster) => cluster.next_worker(),
            Self::Kind(cluster) => cluster.next_worker(),
        }
    }

    /// Adds nodes.
    ///
    /// # Errors
    /// When they can't be had.
    pub async fn add_nodes(&mut self, nodes: &[NodeSpec]) -> Result<(), ProviderError> {
        match self {
            Self::Local(cluster) => cluster.add_nodes(nodes).await,
            Self::Kind(_) => Err(kind::no_more_nodes()),
        }
    }

    /// Stops the descheduler, if one runs.
    pub async fn stop_descheduler(&mut self) {
        match self {
            Self::Local(cluster) => cluster.stop_descheduler().await,
            Self::Kind(cluster) => cluster.stop_descheduler().await,
        }
    }

    /// What went wrong, if a component has exited since.
    pub fn trouble(&mut self) -> Option<ProviderError> {
        match self {
            Self::Local(cluster) => cluster.trouble(),
            Self::Kind(cluster) => cluster.trouble(),
        }
    }

    /// Waits until a component exits by itself, and says what went wrong. Can be given up and called again.
    pub async fn died(&mut self) -> ProviderError {
        match self {
            Self::Local(cluster) => cluster.died().await,
            Self::Kind(cluster) => cluster.died().await,
        }
    }

    /// Asks the controllers whether they are healthy.
    ///
    /// # Errors
    /// Who is not, in words.
    pub async fn answers(&self) -> Result<(), String> {
        match self {
            Self::Local(cluster) => cluster.answers().await,
            Self::Kind(cluster) => cluster.answers().await,
        }
    }

    /// Ends every process and removes the run directory. On kind the nodes' logs are copied before; where clusters are used
    /// again, one whose run has gone `well` is made clean and waits.
    pub async fn down(self, well: bool) {
        match self {
            Self::Local(cluster) => cluster.down().await,
            Self::Kind(cluster) => cluster.down(well).await,
        }
    }
}
