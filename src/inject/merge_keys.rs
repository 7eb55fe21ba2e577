//! How the lists and maps of Kubernetes' built-in types merge.
//!
//! A strategic merge patch needs to know, for each list, whether it is one value (the default: the new
//! list replaces the old one), a list of objects that have identities (containers by `name`), or a set of
//! scalars (`metadata.finalizers`). The API says so with the struct tags `patchStrategy` and
//! `patchMergeKey`, published in its `OpenAPI` document as `x-kubernetes-patch-strategy` and
//! `x-kubernetes-patch-merge-key`.
//!
//! The table was read from the tags of `k8s.io/api` v0.36.3 (`core/v1/types.go`, `apps/v1/types.go`,
//! `policy/v1/types.go`, `storage/v1/types.go`, `admissionregistration/v1/types.go`) and
//! `k8s.io/apimachinery` (`pkg/apis/meta/v1/types.go`). A live test compares it with what the API server
//! under test publishes. `status` is left out: the API server drops it from what a user applies.

/// How one field of a built-in type merges.
///
/// The `&'static str` is the type of what is inside: a Go type's name, or `""` where no rule applies below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// No tag: a map merges key by key, a list is replaced as a whole.
    Plain(&'static str),
    /// `patchStrategy: replace`: the map is replaced as a whole.
    Replace,
    /// `patchStrategy: retainKeys` on a map: keys that the patch does not name are cleared, because the
    /// map is a union (a `Recreate` strategy has no `rollingUpdate`).
    Union(&'static str),
    /// `patchStrategy: merge` with a `patchMergeKey`: a list of objects that are told apart by `key`.
    Keyed {
        /// The field that identifies an element.
        key: &'static str,
        /// The type of an element.
        element: &'static str,
        /// `merge,retainKeys`: each element is a union.
        union: bool,
    },
    /// `patchStrategy: merge` without a key: a set of scalars.
    Set,
}

/// The API groups whose types the API server patches strategically.
///
/// A group ending in `.k8s.io` is no proof: `gateway.networking.k8s.io` holds custom resources, and those
/// know JSON merge patches only.
const BUILT_IN_GROUPS: &[&str] = &[
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// Whether the objects of this `apiVersion` take a strategic merge patch.
#[must_use]
pub fn is_built_in(api_version: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    BUILT_IN_GROUPS.contains(&group)
}

/// The rule for `field` of type `of`, where the type of a whole object is its kind.
#[must_use]
pub fn rule(of: &str, field: &str) -> Rule {
    let by = |key, element| Rule::Keyed {
        key,
        element,
        union: false,
    };
    let union_by = |key, element| Rule::Keyed {
        key,
        element,
        union: true,
    };
    match (of, field) {
        (_, "metadata") => Rule::Plain("ObjectMeta"),
        ("ObjectMeta", "ownerReferences") => by("uid", ""),
        ("ObjectMeta", "finalizers") => Rule::Set,

        // Where a pod template sits in its owner.
        ("Deployment", "spec") => Rule::Plain("DeploymentSpec"),
        ("DeploymentSpec", "strategy") => Rule::Union(""),
        ("ReplicaSet" | "StatefulSet" | "DaemonSet" | "ReplicationController" | "Job", "spec")
        | ("JobTemplateSpec", "spec") => Rule::Plain("TemplatedSpec"),
        ("CronJob", "spec") => Rule::Plain("CronJobSpec"),
        ("CronJobSpec", "jobTemplate") => Rule::Plain("JobTemplateSpec"),
        ("DeploymentSpec" | "TemplatedSpec" | "PodTemplate", "template") => Rule::Plain("PodTemplateSpec"),
        ("Pod" | "PodTemplateSpec", "spec") => Rule::Plain("PodSpec"),

        ("PodSpec", "containers" | "initContainers" | "ephemeralContainers") => by("name", "Container"),
        ("PodSpec", "volumes") => union_by("name", "Volume"),
        ("PodSpec", "resourceClaims") => union_by("name", ""),
        ("PodSpec", "imagePullSecrets" | "schedulingGates") => by("name", ""),
        ("PodSpec", "hostAliases") => by("ip", ""),
        ("PodSpec", "topologySpreadConstraints") => by("topologyKey", ""),
        ("Volume", "ephemeral") => Rule::Plain("EphemeralVolumeSource"),
        ("EphemeralVolumeSource", "volumeClaimTemplate") => Rule::Plain("PersistentVolumeClaimTemplate"),

        ("Container", "ports") => by("containerPort", ""),
        ("Container", "env") => by("name", ""),
        ("Container", "volumeMounts") => by("mountPath", ""),
        ("Container", "volumeDevices") => by("devicePath", ""),

        ("Service", "spec") => Rule::Plain("ServiceSpec"),
        ("ServiceSpec", "ports") => by("port", ""),
        ("ServiceAccount", "secrets") => by("name", ""),
        ("Node", "spec") => Rule::Plain("NodeSpec"),
        ("NodeSpec", "podCIDRs") => Rule::Set,
        ("PodDisruptionBudget", "spec") => Rule::Plain("PodDisruptionBudgetSpec"),
        ("PodDisruptionBudgetSpec", "selector") => Rule::Replace,
        ("CSINode", "spec") => Rule::Plain("CSINodeSpec"),
        ("CSINodeSpec", "drivers") => by("name", ""),

        ("ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration", "webhooks") => {
            by("name", "Webhook")
        }
        ("Webhook", "matchConditions") => by("name", ""),
        ("ValidatingAdmissionPolicy", "spec") => Rule::Plain("ValidatingAdmissionPolicySpec"),
        ("MutatingAdmissionPolicy", "spec") => Rule::Plain("MutatingAdmissionPolicySpec"),
        ("ValidatingAdmissionPolicySpec", "matchConditions" | "variables")
        | ("MutatingAdmissionPolicySpec", "matchConditions") => by("name", ""),
        _ => Rule::Plain(""),
    }
}
