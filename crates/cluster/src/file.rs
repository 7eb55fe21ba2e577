//! What a case says of its cluster: the `cluster` section of a case file, as types. The schema is made from them.

use indexmap::IndexMap;
use kubeclash_timeline::words::Scalar;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The cluster that a case needs.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClusterFile {
    /// The worker nodes, in groups. They are called `kind-worker`, `kind-worker2`, `kind-worker3`, … in order. Without any there
    /// are three of 8 CPU.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeGroup>,
    /// A scheduler that runs beside the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_scheduler: Option<SecondScheduler>,
    /// The default scheduler's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<ComponentFile>,
    /// The controller-manager's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller_manager: Option<ComponentFile>,
    /// The API server's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apiserver: Option<ComponentFile>,
    /// Feature gates of all components of the control plane.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub feature_gates: IndexMap<String, bool>,
}

/// How many workers there are where a case says nothing.
const WORKERS: usize = 3;

impl ClusterFile {
    /// How many workers there are at the beginning.
    #[must_use]
    pub fn workers(&self) -> usize {
        if self.nodes.is_empty() {
            WORKERS
        } else {
            self.nodes.iter().map(|group| group.count).sum()
        }
    }
}

/// Worker nodes that are alike.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NodeGroup {
    /// How many; one without it.
    #[serde(default = "one")]
    pub count: usize,
    /// Allocatable CPU of each, as Kubernetes writes quantities: `8`, `500m`. 8 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,
    /// Allocatable memory of each: `32Gi`, which it is without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
    /// How many pods each takes; 110 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pods: Option<u32>,
    /// Labels, besides the hostname's and those that every node has.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub labels: IndexMap<String, Scalar>,
    /// Taints, as kubectl writes them: `key=value:NoSchedule`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<String>,
    /// A node that is kept above this share of its CPU (in percent, by what its pods use) stops, and starts again when no pod is
    /// left on it. Without it a node bears any load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dies_above: Option<u32>,
}

fn one() -> usize {
    1
}

/// A quantity as Kubernetes writes it, as a text or a number: `8`, `500m`, `32Gi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Quantity {
    /// `8`, `0.5`.
    Number(f64),
    /// `500m`, `32Gi`.
    Text(String),
}

/// How a component of the control plane is started.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ComponentFile {
    /// Its configuration, a file of the folder (the scheduler's: a KubeSchedulerConfiguration).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// Arguments, e.g. `--horizontal-pod-autoscaler-sync-period=15s`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Of the controller-manager: controllers that are needed and that kubeclash leaves out by default, e.g. `resourcequota`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub controllers: Vec<String>,
}

/// A scheduler beside the default one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SecondScheduler {
    /// The name that pods have for it (`schedulerName`).
    pub name: String,
    /// Its KubeSchedulerConfiguration, a file of the folder. Without one it is a default scheduler of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// Arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
}
