//! What the programs that ask are called by people who know Kubernetes.

use crate::Minor;
use crate::{Header, PodSeen, RequestSeen};

/// The reason of a pod's condition that its taint manager sets before it deletes the pod (v1.26 and later).
pub(crate) const BY_TAINT: &str = "DeletionByTaintManager";

/// The reason of a pod's condition that a scheduler sets before it deletes the pod for another one.
pub(crate) const BY_PREEMPTION: &str = "PreemptionByScheduler";

/// Who nothing tells the name of.
pub(crate) const SOMEBODY: &str = "somebody";

/// Who binds pods, where nothing tells which.
pub(crate) const A_SCHEDULER: &str = "a scheduler";

/// The first minor release of Kubernetes in which the taint manager is a controller of its own.
const TAINT_EVICTION: Minor = Minor::new(1, 29);

/// Who made a request about a pod, if it is about one; and whether kubeclash made it in that one's name.
pub(crate) fn of(request: &RequestSeen, pod: Option<&PodSeen>, header: &Header) -> (String, bool) {
    let (program, client) = match request.agent.split_once('/') {
        Some((program, client)) => (program, Some(client)),
        None => (request.agent.as_str(), None),
    };
    if let Some(name) = request
        .user
        .as_deref()
        .and_then(|user| user.strip_prefix("controller:"))
    {
        return (name.to_owned(), false);
    }
    let played = client.is_some_and(|client| client.starts_with("kubeclash"));
    let name = match (program, client.filter(|_| !played)) {
        ("kubectl", _) => kubectl(request).to_owned(),
        ("kube-controller-manager", Some("node-controller")) => node_controller(pod, header).to_owned(),
        ("kube-controller-manager", Some(controller)) => controller.to_owned(),
        // Programs with one client: kube-scheduler/scheduler, descheduler/descheduler.
        (program, None | Some("scheduler" | "descheduler")) => program.to_owned(),
        (program, Some(client)) => format!("{client} ({program})"),
    };
    (name, played)
}

/// An actor's name, with a note where kubeclash acted in it.
pub(crate) fn told(actor: &str, played: bool) -> String {
    if played {
        format!("{actor} (played by kubeclash)")
    } else {
        actor.to_owned()
    }
}

/// Which of kubectl's commands: the one that evicts, and the one that says so itself. Who applies under a field manager's name
/// of its own is called that.
fn kubectl(request: &RequestSeen) -> &str {
    match (request.resource.as_str(), request.manager.as_deref()) {
        ("pods/eviction", _) => "kubectl drain",
        // A server-side apply of kubectl has "kubectl" for its manager (pkg/cmd/apply/apply.go).
        (_, Some("kubectl-client-side-apply" | "kubectl")) => "kubectl apply",
        (_, Some(manager)) if !manager.starts_with("kubectl") => manager,
        _ => "kubectl",
    }
}

/// The controller that makes and deletes a pod for its owner; `None` of a pod that nobody owns, or an owner of an unknown kind.
#[must_use]
pub fn controller_of(pod: &PodSeen) -> Option<&'static str> {
    Some(match pod.owner.as_ref()?.kind.as_str() {
        "ReplicaSet" => "replicaset-controller",
        "StatefulSet" => "statefulset-controller",
        "DaemonSet" => "daemon-set-controller",
        "Job" => "job-controller",
        "ReplicationController" => "replication-controller",
        _ => return None,
    })
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
