//! The case format, `kubeclash.case/v1`: what `case.yaml` says, as types.
//!
//! These types are the schema (`schemas/case.v1.json` is made from them), and what is read after arm and variant have put their
//! values in. A value stands as `$name` (the whole of a field, of any type) or `${name}` (inside a text, also in manifests).
//!
//! Durations are those of the real world, in Go's form (`90s`, `5m`, `1h30m`); the pace is applied when the steps are carried out.
//! Where something may be compared, [`Range`] has the grammar. Workloads are named as kubectl names them ([`WorkloadRef`]).

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::words::{Count, Range, Span};
use crate::property::{Kind, Property};
use crate::timeline::WorkloadRef;
use crate::verdict::Expect;

/// A case: two arms that differ in one thing, what is done to a cluster, and the failure that comes of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CaseFile {
    /// The format's version.
    pub format: Format,
    /// A short id, e.g. `c7`. The folder's name begins with it, or is it.
    pub id: String,
    /// What goes wrong, in one sentence.
    pub title: String,
    /// The controllers that fight, e.g. `[descheduler, kube-scheduler]`.
    #[serde(default)]
    pub conflict: Vec<String>,
    /// Why they do.
    pub mechanism: String,
    /// The issues of the projects concerned, as `owner/repo#number`.
    #[serde(default)]
    pub upstream: Vec<String>,
    /// How long the case runs at most, all in all.
    pub expected_runtime: Span,
    /// The cluster that it needs.
    #[serde(default)]
    pub cluster: ClusterFile,
    /// The arms, which differ in nothing but the values that are named here.
    pub arms: ArmsFile,
    /// The variants, each with values of its own. Without any there is one, which has no name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub variants: IndexMap<String, Values>,
    /// Programs of one's own that take part, each with a kubeconfig and an identity of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub controllers: Vec<ControllerFile>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// The failure: what must be seen in the broken arm, and must not in the control.
    pub failure: Failure,
    /// What is expected of the broken arm where it is not the failure: `expect: {broken: absent}`, of a negative control, or of a
    /// variant in which the failure does not come about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<ExpectFile>,
    /// What must hold for a verdict to mean anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub premises: Vec<Premise>,
    /// Numbers to report besides those of the failure.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub facts: IndexMap<String, Fact>,
    /// What may be scaled, and how far: `nodes: 1..6`, `deployment/nginx.replicas: 1..8`. For `kubeclash scale`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub vary: IndexMap<String, Value>,
}

impl CaseFile {
    /// How many workers there are, those that its steps add among them.
    #[must_use]
    pub fn workers(&self) -> usize {
        let added = self.steps.iter().map(|step| match step {
            Step::AddNodes(step) => step.add_nodes.count,
            _ => 0,
        });
        self.cluster.workers() + added.sum::<usize>()
    }
}

/// The format's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// The first.
    #[serde(rename = "kubeclash.case/v1")]
    V1,
}

/// Values by name. One may be anything that may stand where it is used: a text, a number, a list, a step, or `nothing`.
pub type Values = IndexMap<String, Value>;

/// The two arms.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ArmsFile {
    /// The misconfiguration: the failure must be observed.
    pub broken: Values,
    /// The smallest known fix: the failure must not be observed. `fix` says in words what it is.
    pub control: Values,
}

/// What is expected of an arm, where it is not what arms are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExpectFile {
    /// Of the broken arm. (No failure is ever expected of the control.)
    pub broken: Expect,
}

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

/// A text, or a number or a truth value that stands for the text of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// `true`.
    Bool(bool),
    /// `1`.
    Number(i64),
    /// `spot`.
    Text(String),
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(b) => write!(f, "{b}"),
            Self::Number(n) => write!(f, "{n}"),
            Self::Text(t) => f.write_str(t),
        }
    }
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

/// A program that takes part as a controller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ControllerFile {
    /// What it is called in steps and in verdicts: the audit log knows it by this name.
    pub name: String,
    /// Where it comes from: `path:`, `src:`, `go:`, `image:` or `image+extract:`. Paths are seen from the case's folder.
    pub run: String,
    /// Its arguments. `${kubeconfig}` is the file of its kubeconfig; `KUBECONFIG` has it as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Its environment.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<String, Scalar>,
    /// A URL path (on which port, `:8081/healthz`) that answers 200 when it is ready. Without it, it is ready when it has asked
    /// the API server for something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
}

/// One thing, or several in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// Several.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// All of them.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

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

/// A condition: objects, and what their numbers must be; all of it must hold at once.
///
/// | object | numbers |
/// |---|---|
/// | `deployment/web` and any other workload | `wanted`, `replicas`, `updated`, `ready`, `available`, `pods` (there, and not terminating), `running` (pods that are ready), `pending`, `unschedulable`, `terminating`, `skew` (fullest node less emptiest) |
/// | `hpa/web` | `min`, `max`, `current`, `desired`, `cpu` (percent of the request) |
/// | `pdb/web` | `floor`, `healthy`, `allowed` |
/// | `nodes` | `open` (ready and not cordoned), `ready`, `all` |
/// | `node/kind-worker` | `ready`, `cordoned` (1 or 0), `pods` |
/// | `pods` | `all`, `running`, `pending`, `unschedulable`, `terminating` |
pub type Condition = IndexMap<String, IndexMap<String, Range>>;

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

/// The failure: one violation of a property, or several that must all be there.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Failure {
    /// All of them; some of them alone are neither the failure nor its absence.
    All {
        /// Which.
        all: Vec<Claim>,
    },
    /// One.
    One(Box<Claim>),
}

impl Failure {
    /// What is claimed, one or several.
    #[must_use]
    pub fn claims(&self) -> &[Claim] {
        match self {
            Self::All { all } => all,
            Self::One(one) => std::slice::from_ref(one),
        }
    }
}

/// A property, and how exactly it is violated: what, of which workload, by whom, why, and how much of it.
///
/// One of the eight properties must be given. Whatever else is given must be so; a violation of the same property that differs in
/// it is another failure, and is told as that.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Claim {
    /// After the last outside change the cluster comes to rest, and stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rests: Option<Violated>,
    /// Every pod that is wanted gets a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedules: Option<Violated>,
    /// Available replicas stay at or above what was promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeps_floor: Option<Violated>,
    /// At rest, pods are spread within the skew that is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeps_spread: Option<Violated>,
    /// Replicas follow the load that was offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scales_with_load: Option<Violated>,
    /// A rollout, a drain, a scale-down ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progresses: Option<Violated>,
    /// No node is asked for more than it has, and no kubelet rejects what was bound to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fits: Option<Violated>,
    /// Control plane and nodes stay up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stays_up: Option<Violated>,
    /// Which kind of violation.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Of which workload; of nodes (`stays-up`) `node/kind-worker`, or `nodes` for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// On which node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// Who takes part: all of these must have acted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
    /// Why: the reason of the eviction, of the condition or of the rejection, or a part of its words. Every time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<OneOrMany<String>>,
    /// How often: `3 rounds`, `20 pods`, `2 nodes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Count>,
    /// For how long without interruption.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasting: Option<Span>,
    /// What holds all the while, from its beginning until it is complete.
    #[serde(default, rename = "while", skip_serializing_if = "Option::is_none")]
    pub meanwhile: Option<Meanwhile>,
    /// From which mark on; `applied` without it.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "from")]
    pub since: Option<String>,
    /// Until which mark; the end without it.
    #[serde(default, rename = "to", skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Of `keeps-floor`: what was promised, `hpa.min`, `pdb`, `max-unavailable`, `replicas`, `replicas - 1`, or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<Scalar>,
    /// Of `keeps-floor`: what must not fall below it, `available` (without it) or `wanted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// Of `keeps-spread`: the topology key; `kubernetes.io/hostname` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    /// Of `keeps-spread`: the skew that is allowed; the constraint's own, or 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_skew: Option<i64>,
    /// Of `scales-with-load`: up to how many, `hpa.max` or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<Scalar>,
    /// What comes after it, and by whom; without it the failure is not complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Then>,
}

/// The one thing that is said of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Violated {
    /// It does not hold.
    Violated,
}

/// What holds all the while.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Meanwhile {
    /// How many of the workload's pods are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Range>,
    /// How many are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Range>,
    /// How many run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Range>,
    /// How many nodes are open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_nodes: Option<Range>,
    /// Whether a node has room for the pod that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_elsewhere: Option<bool>,
    /// That no pod of the workload comes or goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_churn: Option<bool>,
    /// That it is offered no load: its CPU curve comes from its pods' own start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_load: Option<bool>,
}

/// What comes after a violation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Then {
    /// Wanted replicas come back to this: `hpa.min`, or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_at: Option<Scalar>,
    /// Wanted replicas fall to this: `hpa.max / 2`, or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub falls_to: Option<Scalar>,
    /// Who does that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
}

/// What must hold for a verdict to mean anything.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Premise {
    /// That this was so at some time between the marks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Condition>,
    /// That this was so at every time between the marks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub always: Option<Condition>,
    /// From which mark on; the beginning of the steps without it.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "from")]
    pub since: Option<String>,
    /// Until which mark; the end without it.
    #[serde(default, rename = "to", skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// A number to report.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fact {
    /// The greatest value of a number: `{deployment/web: wanted}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<IndexMap<String, String>>,
    /// The least value of a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<IndexMap<String, String>>,
    /// The value of a number at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<IndexMap<String, String>>,
    /// After how many seconds a condition first held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Condition>,
    /// For how many seconds a condition held without interruption, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest: Option<Condition>,
    /// Only after the time of this other fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// From which mark on; the failure's own without it.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "from")]
    pub since: Option<String>,
    /// Until which mark; the end without it.
    #[serde(default, rename = "to", skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

impl Claim {
    /// The property that it is about; the first one that is given.
    #[must_use]
    pub fn property(&self) -> Option<Property> {
        let given = [
            (self.rests, Property::Rests),
            (self.schedules, Property::Schedules),
            (self.keeps_floor, Property::KeepsFloor),
            (self.keeps_spread, Property::KeepsSpread),
            (self.scales_with_load, Property::ScalesWithLoad),
            (self.progresses, Property::Progresses),
            (self.fits, Property::Fits),
            (self.stays_up, Property::StaysUp),
        ];
        given
            .into_iter()
            .find_map(|(violated, property)| violated.map(|_| property))
    }
}
