//! The case format, `kubeclash.case/v1`: what `case.yaml` says, as types.
//!
//! These types are the schema (`schemas/case.v1.json` is made from them), and what is read after arm and variant have put their
//! values in. A value stands as `$name` (the whole of a field, of any type) or `${name}` (inside a text, also in manifests).
//!
//! Durations are those of the real world, in Go's form (`90s`, `5m`, `1h30m`); the pace is applied when the steps are carried out.
//! Where something may be compared, [`Range`](kubeclash_timeline::words::Range) has the grammar. Workloads are named as kubectl names them ([`WorkloadRef`](kubeclash_timeline::WorkloadRef)).

mod steps;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use steps::*;

use kubeclash_cluster::file::ClusterFile;
use kubeclash_timeline::Expect;
use kubeclash_timeline::claim::{Fact, Failure, Premise};
use kubeclash_timeline::words::{Scalar, Span};

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

/// A program that takes part as a controller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ControllerFile {
    /// What it is called in steps and in verdicts: the audit log knows it by this name.
    pub name: String,
    /// Where it comes from: `path:`, `src:`, `go:`, `image:` or `image+extract:`. Paths are seen from the case's folder.
    pub run: String,
    /// Its arguments. `${kubeconfig}` is the file of its kubeconfig (`KUBECONFIG` has it as well), `${port}` a port that is free, and
    /// `${certs}` a folder with `ca.crt`, `tls.crt` and `tls.key`.
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
