//! What the programs that ask are called by people who know Kubernetes.

use crate::experiment::Minor;
use crate::timeline::{Header, PodSeen, RequestSeen};

/// The reason of a pod's condition that its taint manager sets before it deletes the pod (v1.26 and later).
pub(super) const BY_TAINT: &str = "DeletionByTaintManager";

/// The first minor release of Kubernetes in which the taint manager is a controller of its own.
const TAINT_EVICTION: Minor = Minor::new(1, 29);

/// Who made a request about a pod, if it is about one.
pub(super) fn of(request: &RequestSeen, pod: Option<&PodSeen>, header: &Header) -> String {
    let (program, client) = match request.agent.split_once('/') {
        Some((program, client)) => (program, Some(client)),
        None => (request.agent.as_str(), None),
    };
    match (program, client) {
        ("kubectl", _) => kubectl(request).to_owned(),
        ("kube-controller-manager", Some("node-controller")) => node_controller(pod, header).to_owned(),
        ("kube-controller-manager", Some(controller)) => controller.to_owned(),
        // Programs with one client: kube-scheduler/scheduler, descheduler/descheduler.
        (program, None | Some("scheduler" | "descheduler")) => program.to_owned(),
        (program, Some(client)) => format!("{client} ({program})"),
    }
}

/// Which of kubectl's commands: the one that evicts, and the one that says so itself.
fn kubectl(request: &RequestSeen) -> &'static str {
    match (request.resource.as_str(), request.manager.as_deref()) {
        ("pods/eviction", _) => "kubectl drain",
        (_, Some("kubectl-client-side-apply")) => "kubectl apply",
        _ => "kubectl",
    }
}

/// Two controllers share the client that is called node-controller (cmd/kube-controller-manager/app/core.go): only what
/// the taint manager says in a pod's condition tells them apart.
fn node_controller(pod: Option<&PodSeen>, header: &Header) -> &'static str {
    let version = header
        .components
        .get("kube-controller-manager")
        .map(|c| &*c.version);
    // Of a version that is none of Kubernetes' own, the newest is meant.
    let before = Minor::new(1, 0)..TAINT_EVICTION;
    let own = !version
        .and_then(Minor::of)
        .is_some_and(|minor| before.contains(&minor));
    match pod.and_then(|pod| pod.disruption.as_deref()) {
        Some(BY_TAINT) if own => "taint-eviction-controller",
        _ => "node-lifecycle-controller",
    }
}
