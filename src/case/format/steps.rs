//! The steps of a case, and the conditions that they wait for.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use kubeclash_cluster::file::{NodeGroup, Quantity};
use kubeclash_timeline::WorkloadRef;
use kubeclash_timeline::words::{Condition, OneOrMany, Span};

/// One thing that is done to a cluster, or waited for. The first field says which.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Step {
    /// `apply: FILE`
    Apply(ApplyStep),
    /// `delete: OBJECT`
    Delete(DeleteStep),
    /// `patch: OBJECT`
    Patch(PatchStep),
    /// `scale: {OBJECT: REPLICAS}`
    Scale(ScaleStep),
    /// `set-image: {WORKLOAD: IMAGE}`
    SetImage(SetImageStep),
    /// `label: {OBJECT: key=value}`
    Label(LabelStep),
    /// `taint: {NODE: key=value:Effect}`
    Taint(TaintStep),
    /// `cordon: NODE`
    Cordon(CordonStep),
    /// `uncordon: NODE`
    Uncordon(UncordonStep),
    /// `drain: NODE`
    Drain(DrainStep),
    /// `stop-node: NODE`
    StopNode(StopNodeStep),
    /// `start-node: NODE`
    StartNode(StartNodeStep),
    /// `add-nodes: GROUP`
    AddNodes(AddNodesStep),
    /// `remove-node: NODE`
    RemoveNode(RemoveNodeStep),
    /// `descheduler: {policy: FILE, every: 10s}`
    Descheduler(DeschedulerStep),
    /// `start: CONTROLLER`
    Start(StartStep),
    /// `stop: CONTROLLER`
    Stop(StopStep),
    /// `cpu: {of: WORKLOAD, each-pod: CURVE}`
    Cpu(CpuStep),
    /// `wait: CONDITION`
    Wait(WaitStep),
    /// `mark: NAME`
    Mark(MarkStep),
    /// `observe: 120s`
    Observe(ObserveStep),
    /// `nothing`: what a value may be in one of the arms.
    Nothing(Nothing),
}

/// Nothing is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Nothing {
    /// `nothing`
    Nothing,
}

/// Apply manifests.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ApplyStep {
    /// Files of the folder.
    pub apply: OneOrMany<String>,
    /// Apply again and again, as a GitOps agent does, until the steps are over or `stop: apply` is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// Who applies: the field manager of a server-side apply, and the name in the audit log. Without it, kubectl.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "as")]
    pub manager: Option<String>,
    /// Apply on the server's side (`kubectl apply --server-side`). By default on the client's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub server_side: bool,
    /// Take fields from other managers (`--force-conflicts`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

/// Delete an object, `kind/name` or `kind/namespace/name`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DeleteStep {
    /// Which.
    pub delete: OneOrMany<WorkloadRef>,
}

/// Change an object by a merge patch.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PatchStep {
    /// Which.
    pub patch: WorkloadRef,
    /// What it says, as in `kubectl patch --type=merge`.
    pub with: Value,
}

/// Set replicas, as `kubectl scale` does.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ScaleStep {
    /// Of which workloads, and how many.
    pub scale: IndexMap<String, i64>,
}

/// Set the image of a workload's containers, which rolls it out, as `kubectl set image` does.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SetImageStep {
    /// Of which workloads, and which image.
    pub set_image: IndexMap<String, String>,
}

/// Label objects, as `kubectl label` does: `key=value`, or `key-` to remove it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LabelStep {
    /// Nodes by name, other objects as `kind/name`.
    pub label: IndexMap<String, OneOrMany<String>>,
}

/// Taint nodes, as `kubectl taint` does: `key=value:Effect`, or with a final `-` to remove it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TaintStep {
    /// Nodes by name.
    pub taint: IndexMap<String, OneOrMany<String>>,
}

/// Which node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum NodePick {
    /// By name; `the drained node` is the one that the last drain or cordon took, `the stopped node` the one that was stopped last.
    Named(String),
    /// The one with the most pods of a workload, the first by name where several have as many; looked up when the step begins.
    Fullest {
        /// Of which workload.
        #[serde(rename = "fullest-of")]
        fullest_of: WorkloadRef,
    },
}

/// Close a node to new pods.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CordonStep {
    /// Which.
    pub cordon: NodePick,
}

/// Open a node again.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct UncordonStep {
    /// Which.
    pub uncordon: NodePick,
}

/// Cordon a node and evict its pods by the Eviction API, with respect for disruption budgets.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DrainStep {
    /// Which.
    pub drain: NodePick,
    /// Give up after this long, and go on; without it a drain that does not end breaks the run off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
}

/// Stop a node's kubelet: it goes NotReady, and its pods stay bound to it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StopNodeStep {
    /// Which.
    pub stop_node: NodePick,
}

/// Start a stopped node's kubelet again.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StartNodeStep {
    /// Which.
    pub start_node: NodePick,
}

/// Add worker nodes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AddNodesStep {
    /// Which.
    pub add_nodes: NodeGroup,
}

/// Remove a worker node: its Node object is deleted and its kubelet stops.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RemoveNodeStep {
    /// Which.
    pub remove_node: NodePick,
}

/// Start the descheduler. It is stopped by `stop: descheduler`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DeschedulerStep {
    /// How.
    pub descheduler: DeschedulerFile,
}

/// How a descheduler is started.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DeschedulerFile {
    /// Its policy, a file of the folder. Beside `policy.yaml` there may be `policy.v1alpha1.yaml` for deschedulers before v0.27.
    pub policy: String,
    /// Its interval; 10 s without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
}

/// Start one of the case's controllers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StartStep {
    /// Its name.
    pub start: String,
}

/// Stop one of the case's controllers, the `descheduler`, or what applies again and again (`apply`).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StopStep {
    /// Its name.
    pub stop: String,
}

/// Set what the pods of a workload use of CPU.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CpuStep {
    /// Of which, and how much.
    pub cpu: CpuFile,
}

/// What the pods of a workload use of CPU: over each pod's life, or over time, all of them together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CpuFile {
    /// Of which workload.
    pub of: WorkloadRef,
    /// Each pod's use over its own life, since its container started. The last piece lasts for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each_pod: Option<Vec<CpuPiece>>,
    /// The use of all pods together over time, since this step; running pods share it. The last piece lasts for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_pods: Option<Vec<CpuPiece>>,
}

/// A piece of a CPU curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CpuPiece {
    /// How long; for ever without it.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasting: Option<Span>,
    /// How much: `100m`, `0`.
    #[serde(rename = "use")]
    pub usage: Quantity,
}

/// Wait for a condition. Without it in time, the arm ends without a verdict, but where `or` says `go on`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WaitStep {
    /// For what.
    pub wait: Condition,
    /// How long at most.
    pub within: Span,
    /// What happens when it does not come: `go on` leaves that to the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub or: Option<OrElse>,
}

/// What happens when a condition does not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OrElse {
    /// The steps go on.
    #[serde(rename = "go on")]
    GoOn,
}

/// Put a named mark on the timeline. `applied` (the first apply), `started` (the first start of a descheduler or controller) and
/// `end` are there without being put.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MarkStep {
    /// Its name.
    pub mark: String,
}

/// Watch. A last `observe` ends as soon as the failure is complete and nothing later can take it back (at the fast pace; at the
/// recorded pace it is watched to its end, for its rates). One that other steps follow is watched to its end.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ObserveStep {
    /// How long.
    pub observe: Span,
}
