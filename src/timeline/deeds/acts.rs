//! Single deeds: out of requests, or out of what watches show.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Does, names};
use crate::timeline::{Change, DEFAULT_NAMESPACE, NodeSeen, PodLife, RequestSeen, Timeline, What, lives};

/// One deed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Act {
    pub(super) t: Duration,
    pub(super) actor: String,
    pub(super) does: Does,
    pub(super) object: String,
    pub(super) detail: Option<String>,
}

impl Act {
    /// Whether the two are one deed, done again. For two reasons it is two: of a descheduler's plugins, for instance.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let for_a_reason = matches!(self.does, Does::Evicts | Does::Rejects);
        (&self.actor, self.does, &self.object) == (&other.actor, other.does, &other.object)
            && (!for_a_reason || self.detail == other.detail)
    }
}

/// What an app's pods are called.
pub(super) const POD: &str = "pod";
/// What a node is called.
pub(super) const NODE: &str = "node";

/// Out of the requests that were granted.
pub(super) fn asked(timeline: &Timeline, app: &str, since: Duration) -> Vec<Act> {
    let lives = lives(timeline);
    let mut asked = Asked {
        timeline,
        app,
        pods: lives.iter().map(|life| (life.pod.name.as_str(), life)).collect(),
        replicas: None,
        cordoned: BTreeMap::new(),
        rejected: BTreeSet::new(),
    };
    let mut acts = Vec::new();
    for entry in &timeline.entries {
        let What::Request(request) = &entry.what else {
            continue;
        };
        if !request.granted() {
            continue;
        }
        // What was before is read, too: it says from how many replicas a change starts.
        if let Some(act) = asked.act(entry.t, request)
            && entry.t >= since
        {
            acts.push(act);
        }
    }
    acts
}

struct Asked<'a> {
    timeline: &'a Timeline,
    app: &'a str,
    pods: BTreeMap<&'a str, &'a PodLife>,
    /// The deployment's, after its last change.
    replicas: Option<i64>,
    /// Which nodes are closed, after their last change; all are open when a recording begins.
    cordoned: BTreeMap<String, bool>,
    /// The UIDs of the pods whose rejection was counted: a kubelet writes their status more than once.
    rejected: BTreeSet<&'a str>,
}

impl<'a> Asked<'a> {
    fn act(&mut self, t: Duration, request: &RequestSeen) -> Option<Act> {
        let (does, object, detail, pod) = match request.resource.as_str() {
            "nodes" => {
                let does = self.node(request)?;
                (does, NODE.to_owned(), Some(request.name.clone()), None)
            }
            "deployments" | "deployments/scale" => {
                let (does, detail) = self.deployment(request)?;
                (does, format!("deployment {}", self.app), detail, None)
            }
            _ => {
                let life = *self.pods.get(request.name.as_str())?;
                if !in_namespace(request, &life.pod.namespace) {
                    return None;
                }
                let (does, detail) = self.pod(t, request, life)?;
                (does, POD.to_owned(), detail, Some(&life.pod))
            }
        };
        Some(Act {
            t,
            actor: names::of(request, pod, &self.timeline.header),
            does,
            object,
            detail,
        })
    }

    fn pod(
        &mut self,
        t: Duration,
        request: &RequestSeen,
        life: &'a PodLife,
    ) -> Option<(Does, Option<String>)> {
        if life.pod.labels.get("app").map(String::as_str) != Some(self.app) {
            return None;
        }
        match (request.resource.as_str(), request.verb.as_str()) {
            ("pods", "create") => Some((Does::Creates, None)),
            ("pods/binding", "create") => Some((Does::Binds, request.node.clone())),
            ("pods/eviction", "create") => {
                let why = request.why.clone();
                Some((
                    Does::Evicts,
                    why.or_else(|| plugin(self.timeline, &life.pod.name)),
                ))
            }
            // Whoever finds a pod already going only clears it away.
            ("pods", "delete") if life.terminating.is_none_or(|at| at >= t) => Some((Does::Deletes, None)),
            ("pods/status", _) => self.status(t, request, life),
            _ => None,
        }
    }

    fn status(
        &mut self,
        t: Duration,
        request: &RequestSeen,
        life: &'a PodLife,
    ) -> Option<(Does, Option<String>)> {
        let from = |program| request.agent.split('/').next() == Some(program);
        if from("kubelet") {
            let reason = life.pod.reason.clone()?;
            let new = life.failed.is_some_and(|at| at >= t) && self.rejected.insert(&life.pod.uid);
            return new.then_some((Does::Rejects, Some(reason)));
        }
        // Of those who write the status of a pod without a node, only the controller-manager is no scheduler.
        let pending = life.unschedulable.is_some() && life.bound.is_none_or(|at| at >= t);
        let message = life
            .pod
            .unschedulable
            .as_deref()
            .map(|text| short(text).to_owned());
        (pending && !from("kube-controller-manager")).then_some((Does::Refuses, message))
    }

    fn deployment(&mut self, request: &RequestSeen) -> Option<(Does, Option<String>)> {
        let its_own = request.name == self.app && in_namespace(request, DEFAULT_NAMESPACE);
        let replicas = request.replicas.filter(|_| its_own)?;
        match self.replicas.replace(replicas) {
            Some(before) if before != replicas => Some((Does::Scales, Some(format!("{before}→{replicas}")))),
            // What a controller notes down on a deployment concerns nobody.
            _ if request.agent.starts_with("kube-controller-manager/") => None,
            _ if replicas == 1 => Some((Does::Writes, Some("1 replica".to_owned()))),
            _ => Some((Does::Writes, Some(format!("{replicas} replicas")))),
        }
    }

    fn node(&mut self, request: &RequestSeen) -> Option<Does> {
        let cordoned = request.cordoned?;
        let before = self.cordoned.insert(request.name.clone(), cordoned);
        match (before.unwrap_or_default(), cordoned) {
            (false, true) => Some(Does::Cordons),
            (true, false) => Some(Does::Uncordons),
            _ => None,
        }
    }
}

/// Whether a request is about what is in a namespace, as far as it says so.
fn in_namespace(request: &RequestSeen, namespace: &str) -> bool {
    request.namespace.is_empty() || request.namespace == namespace
}

/// The plugin that evicted a pod, as a descheduler's Event says it that does not say it in the eviction itself.
fn plugin(timeline: &Timeline, pod: &str) -> Option<String> {
    timeline.entries.iter().find_map(|entry| match &entry.what {
        What::Event(event)
            if event.about.strip_prefix("Pod/") == Some(pod) && event.source.contains("descheduler") =>
        {
            Some(event.reason.clone())
        }
        _ => None,
    })
}

/// The scheduler's message without what it says of preemption and claims.
fn short(message: &str) -> &str {
    message.split(". ").next().unwrap_or(message)
}

/// Out of what watches show: owners, conditions, statuses.
pub(super) fn shown(timeline: &Timeline, app: &str, since: Duration) -> Vec<Act> {
    let mut acts = Vec::new();
    let mut put = |t: Option<Duration>, actor: &str, does, object: &str, detail: Option<String>| {
        acts.extend(t.filter(|&t| t >= since).map(|t| Act {
            t,
            actor: actor.to_owned(),
            does,
            object: object.to_owned(),
            detail,
        }));
    };
    for life in lives(timeline) {
        let pod = &life.pod;
        if pod.labels.get("app").map(String::as_str) != Some(app) {
            continue;
        }
        let owned = pod.owner.as_ref().is_some_and(|owner| owner.kind == "ReplicaSet");
        let creator = if owned {
            "replicaset-controller"
        } else {
            "somebody"
        };
        put(Some(life.created), creator, Does::Creates, POD, None);
        // One that is bound when it is first seen may have been created so.
        let bound = life.bound.filter(|&at| at > life.created);
        put(bound, "a scheduler", Does::Binds, POD, pod.node.clone());
        let message = pod.unschedulable.as_deref().map(|text| short(text).to_owned());
        put(life.unschedulable, "a scheduler", Does::Refuses, POD, message);
        if let Some(reason) = &pod.reason {
            put(life.failed, "kubelet", Does::Rejects, POD, Some(reason.clone()));
        }
        let (actor, does, detail) = match pod.disruption.as_deref() {
            Some(names::BY_TAINT) => ("taint-eviction-controller", Does::Deletes, None),
            Some("PreemptionByScheduler") => ("a scheduler", Does::Deletes, pod.disruption.clone()),
            Some("EvictionByEvictionAPI") => ("somebody", Does::Evicts, plugin(timeline, &pod.name)),
            _ => ("somebody", Does::Deletes, None),
        };
        put(life.terminating, actor, does, POD, detail);
    }
    let wanted = timeline.series(|world| world.deployment(app).map_or(0, |d| d.wanted));
    for pair in wanted.points().windows(2) {
        let [(_, before), (t, after)] = pair else { continue };
        let detail = format!("{before}→{after}");
        // Not its creation, and not its end.
        if *before > 0 && *after > 0 {
            put(
                Some(*t),
                "somebody",
                Does::Scales,
                &format!("deployment {app}"),
                Some(detail),
            );
        }
    }
    let mut nodes: BTreeMap<&str, &NodeSeen> = BTreeMap::new();
    for entry in &timeline.entries {
        let What::Node(node) = &entry.what else { continue };
        if node.change == Change::Gone {
            continue;
        }
        let state = &node.state;
        let before = nodes.insert(&state.name, state).map(|before| before.cordoned);
        let does = match (before, state.cordoned) {
            (Some(false), true) => Does::Cordons,
            (Some(true), false) => Does::Uncordons,
            _ => continue,
        };
        put(Some(entry.t), "somebody", does, NODE, Some(state.name.clone()));
    }
    acts.sort_by_key(|act| act.t);
    acts
}
