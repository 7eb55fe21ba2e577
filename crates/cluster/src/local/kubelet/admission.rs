//! Whether a kubelet admits a pod that is bound to its node (`pkg/kubelet/lifecycle/predicate.go`): by taints, by the pod's node
//! affinity, by what the node has left. One that is rejected fails, and no container of it ever runs.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, NodeSelectorRequirement, NodeSelectorTerm, Pod, Taint, Toleration};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;

use crate::thousandths;

/// Resources by name, in thousandths.
pub(super) type Resources = BTreeMap<String, u64>;

/// Why a pod is rejected, as its status says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rejection {
    /// In a word: `OutOfcpu`.
    pub(super) reason: String,
    /// In a sentence.
    pub(super) message: String,
}

impl Rejection {
    fn predicate(name: &str) -> Self {
        Self {
            reason: name.to_owned(),
            message: format!("Pod was rejected: Predicate {name} failed"),
        }
    }
}

/// Whether a node takes a pod, of which others already `use` so much.
pub(super) fn admit(pod: &Pod, node: &Node, used: &Resources, pods: u64) -> Result<(), Rejection> {
    if !fits_affinity(pod, node) {
        return Err(Rejection::predicate("NodeAffinity"));
    }
    if !tolerates_all(pod, node) {
        return Err(Rejection::predicate("TaintToleration"));
    }
    let allocatable = node
        .status
        .as_ref()
        .and_then(|status| status.allocatable.as_ref());
    // Of a node that says nothing of itself nobody knows what it has.
    let Some(allocatable) = allocatable.filter(|all| !all.is_empty()) else {
        return Ok(());
    };
    let has = |name: &str| {
        let quantity = allocatable.get(name);
        quantity
            .and_then(|quantity| thousandths(&quantity.0))
            .unwrap_or(0)
    };
    // The number of pods first, as the kubelet asks for it.
    let mut wanted = vec![("pods".to_owned(), 1000, pods * 1000)];
    let requests = requests(pod);
    wanted.extend(
        requests
            .into_iter()
            .map(|(name, request)| (name.clone(), request, used.get(&name).copied().unwrap_or(0))),
    );
    for (name, request, used) in wanted {
        let capacity = has(&name);
        if request > 0 && used + request > capacity {
            // CPU is told in millicores, everything else in whole units.
            let unit = if name == "cpu" { 1 } else { 1000 };
            return Err(Rejection {
                reason: format!("OutOf{name}"),
                message: format!(
                    "Pod was rejected: Node didn't have enough resource: {name}, requested: {}, used: {}, capacity: {}",
                    request / unit,
                    used / unit,
                    capacity / unit
                ),
            });
        }
    }
    Ok(())
}

/// What a pod asks for: its containers together, or its init containers one after the other, whichever is more
/// (`k8s.io/component-helpers/resource`, `PodRequests`).
pub(super) fn requests(pod: &Pod) -> Resources {
    let Some(spec) = &pod.spec else {
        return Resources::new();
    };
    let of = |requests: Option<&BTreeMap<String, Quantity>>| -> Resources {
        let each = requests.into_iter().flatten();
        each.filter_map(|(name, quantity)| Some((name.clone(), thousandths(&quantity.0)?)))
            .collect()
    };
    let mut total = Resources::new();
    for container in &spec.containers {
        let asked = of(container.resources.as_ref().and_then(|r| r.requests.as_ref()));
        add(&mut total, &asked);
    }
    // A sidecar goes on while those after it begin.
    let (mut sidecars, mut most) = (Resources::new(), Resources::new());
    for container in spec.init_containers.iter().flatten() {
        let asked = of(container.resources.as_ref().and_then(|r| r.requests.as_ref()));
        let mut now = sidecars.clone();
        add(&mut now, &asked);
        if container.restart_policy.as_deref() == Some("Always") {
            add(&mut total, &asked);
            sidecars.clone_from(&now);
        }
        greater(&mut most, &now);
    }
    greater(&mut total, &most);
    // What the pod as a whole asks for takes the place of what its containers do.
    total.extend(of(spec.resources.as_ref().and_then(|r| r.requests.as_ref())));
    add(&mut total, &of(spec.overhead.as_ref()));
    total
}

/// Adds resources to others.
pub(super) fn add(to: &mut Resources, more: &Resources) {
    for (name, amount) in more {
        *to.entry(name.clone()).or_default() += amount;
    }
}

fn greater(than: &mut Resources, other: &Resources) {
    for (name, amount) in other {
        let most = than.entry(name.clone()).or_default();
        *most = (*most).max(*amount);
    }
}

fn tolerates_all(pod: &Pod, node: &Node) -> bool {
    let tolerations = pod
        .spec
        .as_ref()
        .and_then(|s| s.tolerations.as_deref())
        .unwrap_or_default();
    let taints = node
        .spec
        .as_ref()
        .and_then(|s| s.taints.as_deref())
        .unwrap_or_default();
    taints
        .iter()
        .filter(|taint| taint.effect == "NoExecute")
        .all(|taint| tolerations.iter().any(|toleration| tolerates(toleration, taint)))
}

/// As `k8s.io/component-helpers/scheduling/corev1` has it (`ToleratesTaint`).
fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let same = |a: &Option<String>, b: &str| a.as_deref().unwrap_or_default() == b;
    let effect = toleration
        .effect
        .as_deref()
        .is_none_or(|e| e.is_empty() || e == taint.effect);
    let key = toleration
        .key
        .as_deref()
        .is_none_or(|k| k.is_empty() || k == taint.key);
    effect
        && key
        && match toleration.operator.as_deref() {
            Some("Exists") => true,
            None | Some("" | "Equal") => same(&toleration.value, taint.value.as_deref().unwrap_or_default()),
            Some(_) => false,
        }
}

/// `nodeSelector` and the required node affinity (`GetRequiredNodeAffinity`).
fn fits_affinity(pod: &Pod, node: &Node) -> bool {
    let Some(spec) = &pod.spec else { return true };
    let labels = node.labels();
    let selected = spec.node_selector.iter().flatten();
    let mut selected = selected.map(|(key, value)| labels.get(key) == Some(value));
    let required = spec
        .affinity
        .as_ref()
        .and_then(|affinity| affinity.node_affinity.as_ref())
        .and_then(|affinity| {
            affinity
                .required_during_scheduling_ignored_during_execution
                .as_ref()
        });
    let term_fits = |term: &NodeSelectorTerm| {
        let expressions = term.match_expressions.as_deref().unwrap_or_default();
        let fields = term.match_fields.as_deref().unwrap_or_default();
        let name = node.name_any();
        let field = |requirement: &NodeSelectorRequirement| {
            let value = (requirement.key == "metadata.name").then_some(name.as_str());
            fits(requirement, value)
        };
        // A term without anything selects nothing.
        (!expressions.is_empty() || !fields.is_empty())
            && expressions
                .iter()
                .all(|requirement| fits(requirement, labels.get(&requirement.key).map(String::as_str)))
            && fields.iter().all(field)
    };
    selected.all(|fits| fits)
        && required.is_none_or(|required| required.node_selector_terms.iter().any(term_fits))
}

fn fits(requirement: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let among = |value: &str| values.iter().any(|one| one == value);
    let number = |text: &str| text.parse::<i64>().ok();
    let bound = || values.first().and_then(|bound| number(bound));
    match requirement.operator.as_str() {
        "In" => value.is_some_and(among),
        "NotIn" => !value.is_some_and(among),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => value
            .and_then(number)
            .zip(bound())
            .is_some_and(|(value, bound)| value > bound),
        "Lt" => value
            .and_then(number)
            .zip(bound())
            .is_some_and(|(value, bound)| value < bound),
        _ => false,
    }
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
