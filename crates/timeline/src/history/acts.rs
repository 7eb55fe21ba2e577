//! Single acts: out of requests, or out of what watches show.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::names;
use crate::{History, PodHistory, RequestSeen, What, WorkloadRef, kind, place};

/// What somebody does to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Does {
    /// Sends a deployment, and changes nothing of its replicas.
    Writes,
    /// Changes a deployment's replicas.
    Scales,
    /// Makes a pod.
    Creates,
    /// Binds a pod to a node.
    Binds,
    /// Says of a pod that no node fits.
    Refuses,
    /// Does not run a pod that is bound to its node.
    Rejects,
    /// Has a pod deleted, with respect for disruption budgets.
    Evicts,
    /// Has a pod deleted.
    Deletes,
    /// Closes a node to pods.
    Cordons,
    /// Opens a node to pods.
    Uncordons,
}

impl Does {
    /// What is refused to somebody who may not: `an eviction`.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Writes | Self::Scales | Self::Cordons | Self::Uncordons => "a change",
            Self::Creates => "a creation",
            Self::Binds => "a binding",
            Self::Refuses | Self::Rejects => "a status",
            Self::Evicts => "an eviction",
            Self::Deletes => "a deletion",
        }
    }
}

impl fmt::Display for Does {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Writes => "writes",
            Self::Scales => "scales",
            Self::Creates => "creates",
            Self::Binds => "binds",
            Self::Refuses => "refuses",
            Self::Rejects => "rejects",
            Self::Evicts => "evicts",
            Self::Deletes => "deletes",
            Self::Cordons => "cordons",
            Self::Uncordons => "uncordons",
        })
    }
}

/// One thing that somebody did, or was refused to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// When.
    pub t: Duration,
    /// Who, as people who know Kubernetes call it.
    pub actor: String,
    /// Whether kubeclash did it in that one's name.
    pub played: bool,
    /// What.
    pub does: Does,
    /// To what: `pod`, `deployment web`, `node`.
    pub object: String,
    /// The name of the pod, the workload or the node.
    pub name: String,
    /// Which of [`History::pods`], where it is about a pod that was seen.
    pub pod: Option<usize>,
    /// Of which workload: the pod's, or the one that was changed.
    pub workload: Option<WorkloadRef>,
    /// Which reason, node or numbers: `RemoveDuplicates`, `kind-worker`, `1→3`.
    pub detail: Option<String>,
    /// The HTTP status of an answer that refused it.
    pub refused: Option<u16>,
    /// Why it was refused, in the API server's words.
    pub refusal: Option<String>,
}

impl Act {
    /// Whether the two are one deed, done again. For two reasons it is two: of a descheduler's plugins, for instance.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let for_a_reason = matches!(self.does, Does::Evicts | Does::Rejects);
        (&self.actor, self.does, &self.object, self.refused)
            == (&other.actor, other.does, &other.object, other.refused)
            && (!for_a_reason || self.detail == other.detail)
    }

    /// Who, with a note where kubeclash did it in that one's name: `kubectl drain (played by kubeclash)`.
    #[must_use]
    pub fn actor_told(&self) -> String {
        names::told(&self.actor, self.played)
    }
}

/// What a pod is called.
pub(crate) const POD: &str = "pod";
/// What a node is called.
pub(crate) const NODE: &str = "node";

/// Everything that was done, in order of time: out of the requests where there are any, else out of what the watches show.
pub(crate) fn acts(history: &History<'_>) -> Vec<Act> {
    if history.audited {
        asked(history)
    } else {
        shown(history)
    }
}

fn asked(history: &History<'_>) -> Vec<Act> {
    let mut asked = Asked {
        history,
        replicas: BTreeMap::new(),
        cordoned: BTreeMap::new(),
        rejected: BTreeSet::new(),
    };
    let requests = history
        .timeline
        .entries
        .iter()
        .filter_map(|entry| match &entry.what {
            What::Request(request) => Some((entry.t, request)),
            _ => None,
        });
    requests
        .filter_map(|(t, request)| asked.act(t, request))
        .collect()
}

struct Asked<'h, 'a> {
    history: &'h History<'a>,
    /// Each workload's replicas, after their last change.
    replicas: BTreeMap<WorkloadRef, i64>,
    /// Which nodes are closed, after their last change; all are open when a recording begins.
    cordoned: BTreeMap<String, bool>,
    /// The pods whose rejection was counted: a kubelet writes their status more than once.
    rejected: BTreeSet<usize>,
}

/// What an act is, and upon what.
struct Told {
    does: Does,
    object: String,
    pod: Option<usize>,
    workload: Option<WorkloadRef>,
    detail: Option<String>,
}

impl Asked<'_, '_> {
    fn act(&mut self, t: Duration, request: &RequestSeen) -> Option<Act> {
        let refused = refusal(request)?;
        let told = match request.resource.split('/').next().unwrap_or_default() {
            "nodes" => {
                let does = self.node(request, refused)?;
                let detail = Some(request.name.clone());
                Told {
                    does,
                    object: NODE.to_owned(),
                    pod: None,
                    workload: None,
                    detail,
                }
            }
            "pods" => self.pod(t, request, refused)?,
            resource => self.workload(resource, request, refused)?,
        };
        let pod = told.pod.map(|pod| self.history.pods[pod].last());
        let (actor, played) = names::of(request, pod, &self.history.timeline.header);
        let Told {
            does,
            object,
            pod,
            workload,
            detail,
        } = told;
        let name = request.name.clone();
        Some(Act {
            t,
            actor,
            played,
            does,
            object,
            name,
            pod,
            workload,
            detail,
            refused,
            refusal: refused.and(request.refusal.clone()),
        })
    }

    fn pod(&mut self, t: Duration, request: &RequestSeen, refused: Option<u16>) -> Option<Told> {
        let index = self.history.pod_named(&request.namespace, &request.name, t);
        let Some(index) = index else {
            // One that was refused was never there; its name says whose it would have been.
            refused.filter(|_| request.verb == "create" && request.resource == "pods")?;
            let workload = self.wanted_by(request);
            return Some(Told {
                does: Does::Creates,
                object: POD.to_owned(),
                pod: None,
                workload,
                detail: None,
            });
        };
        let life = &self.history.pods[index];
        let (does, detail) = match (request.resource.as_str(), request.verb.as_str()) {
            ("pods", "create") => (Does::Creates, None),
            ("pods/binding", "create") => (Does::Binds, request.node.clone()),
            ("pods/eviction", "create") => {
                let why = request.why.clone();
                (Does::Evicts, why.or_else(|| self.history.plugin(life)))
            }
            // Whoever finds a pod already going only clears it away.
            ("pods", "delete") if life.terminating.is_none_or(|at| at >= t) => (Does::Deletes, None),
            ("pods/status", _) if refused.is_none() => self.status(t, request, index, life)?,
            _ => return None,
        };
        let workload = Some(life.workload.clone());
        Some(Told {
            does,
            object: POD.to_owned(),
            pod: Some(index),
            workload,
            detail,
        })
    }

    /// The workload of a pod that could not be made, by the name that it would have had: a replica set's, a stateful set's.
    fn wanted_by(&self, request: &RequestSeen) -> Option<WorkloadRef> {
        // A name that is to be generated is only in the refusal: `pods "web-5d4f-x7k2p" is forbidden`.
        let quoted = || {
            request
                .refusal
                .as_deref()
                .and_then(|words| words.split('"').nth(1))
        };
        let name = Some(request.name.as_str())
            .filter(|name| !name.is_empty())
            .or_else(quoted)?;
        let (owner, _) = name.rsplit_once('-')?;
        let kinds = [
            "replicaset",
            "statefulset",
            "daemonset",
            "job",
            "replicationcontroller",
        ];
        let named = kinds.map(|kind| WorkloadRef::new(kind, &request.namespace, owner));
        let seen = named
            .iter()
            .find(|name| !self.history.workload(name).is_empty())?;
        Some(self.history.top(seen))
    }

    fn status(
        &mut self,
        t: Duration,
        request: &RequestSeen,
        index: usize,
        life: &PodHistory<'_>,
    ) -> Option<(Does, Option<String>)> {
        let from = |program| request.agent.split('/').next() == Some(program);
        if from("kubelet") {
            let reason = life.last().reason.clone()?;
            let new = life.failed.is_some_and(|at| at >= t) && self.rejected.insert(index);
            return new.then_some((Does::Rejects, Some(reason)));
        }
        // Of those who write the status of a pod without a node, only the controller-manager is no scheduler.
        let pending = life.unschedulable.is_some() && life.bound.is_none_or(|at| at >= t);
        let message = life
            .last()
            .unschedulable
            .as_deref()
            .map(|text| short(text).to_owned());
        (pending && !from("kube-controller-manager")).then_some((Does::Refuses, message))
    }

    fn workload(&mut self, resource: &str, request: &RequestSeen, refused: Option<u16>) -> Option<Told> {
        if request.resource.ends_with("/status") {
            return None;
        }
        let name = WorkloadRef::new(&kind(resource), &request.namespace, &request.name);
        let controller = request.agent.starts_with("kube-controller-manager/");
        let (does, detail) = if refused.is_some() {
            (Does::Writes, None)
        } else if request.verb == "delete" {
            (Does::Deletes, None)
        } else if request.verb == "create" && controller {
            (Does::Creates, None)
        } else {
            let replicas = request.replicas?;
            match self.replicas.insert(name.clone(), replicas) {
                Some(before) if before != replicas => (Does::Scales, Some(format!("{before}→{replicas}"))),
                // What a controller notes down on a workload concerns nobody.
                _ if controller => return None,
                _ if replicas == 1 => (Does::Writes, Some("1 replica".to_owned())),
                _ => (Does::Writes, Some(format!("{replicas} replicas"))),
            }
        };
        if let (Does::Creates, Some(replicas)) = (does, request.replicas) {
            self.replicas.insert(name.clone(), replicas);
        }
        let object = format!("{} {}", name.kind, place(&name.namespace, &name.name));
        Some(Told {
            does,
            object,
            pod: None,
            workload: Some(name),
            detail,
        })
    }

    fn node(&mut self, request: &RequestSeen, refused: Option<u16>) -> Option<Does> {
        let cordoned = request.cordoned.filter(|_| refused.is_none())?;
        let before = self.cordoned.insert(request.name.clone(), cordoned);
        match (before.unwrap_or_default(), cordoned) {
            (false, true) => Some(Does::Cordons),
            (true, false) => Some(Does::Uncordons),
            _ => None,
        }
    }
}

/// Whether a request was granted (`Some(None)`) or refused for good, by which code; `None` where it is neither.
///
/// A conflict of an update is only its writer's old view, and is tried again at once: optimistic locking.
fn refusal(request: &RequestSeen) -> Option<Option<u16>> {
    match request.code {
        _ if request.granted() => Some(None),
        409 if request.verb == "update" || request.resource.ends_with("/status") => None,
        403 | 409 | 422 | 429 => Some(Some(request.code)),
        _ => None,
    }
}

/// The scheduler's message without what it says of preemption and claims.
fn short(message: &str) -> &str {
    message.split(". ").next().unwrap_or(message)
}

/// Out of what watches show: owners, conditions, statuses.
fn shown(history: &History<'_>) -> Vec<Act> {
    let mut acts = Vec::new();
    for index in 0..history.pods.len() {
        pod_shown(history, index, &mut acts);
    }
    for workload in history.tops() {
        let wanted = history.number(&workload, |seen| seen.wanted);
        for pair in wanted.points().windows(2) {
            // Not its creation, and not its end.
            let [(_, Some(before)), (t, Some(after))] = pair else {
                continue;
            };
            if *before > 0 && *after > 0 {
                let object = format!("{} {}", workload.kind, place(&workload.namespace, &workload.name));
                acts.push(Act {
                    t: *t,
                    actor: names::SOMEBODY.to_owned(),
                    played: false,
                    does: Does::Scales,
                    object,
                    name: workload.name.clone(),
                    pod: None,
                    workload: Some(workload.clone()),
                    detail: Some(format!("{before}→{after}")),
                    refused: None,
                    refusal: None,
                });
            }
        }
    }
    nodes_shown(history, &mut acts);
    acts.sort_by_key(|act| act.t);
    acts
}

fn pod_shown(history: &History<'_>, index: usize, acts: &mut Vec<Act>) {
    let life = &history.pods[index];
    let pod = life.last();
    let mut put = |t: Option<Duration>, actor: &str, does, detail: Option<String>| {
        acts.extend(t.map(|t| Act {
            t,
            actor: actor.to_owned(),
            played: false,
            does,
            object: POD.to_owned(),
            name: pod.name.clone(),
            pod: Some(index),
            workload: Some(life.workload.clone()),
            detail,
            refused: None,
            refusal: None,
        }));
    };
    let creator = names::controller_of(pod);
    put(
        Some(life.created),
        creator.unwrap_or(names::SOMEBODY),
        Does::Creates,
        None,
    );
    // One that is bound when it is first seen may have been created so.
    let bound = life.bound.filter(|&at| at > life.created);
    put(bound, names::A_SCHEDULER, Does::Binds, pod.node.clone());
    let message = pod.unschedulable.as_deref().map(|text| short(text).to_owned());
    put(life.unschedulable, names::A_SCHEDULER, Does::Refuses, message);
    if let Some(reason) = &pod.reason {
        put(life.failed, "kubelet", Does::Rejects, Some(reason.clone()));
    }
    let (actor, does, detail) = match pod.disruption.as_deref() {
        Some(names::BY_TAINT) => ("taint-eviction-controller", Does::Deletes, None),
        Some(names::BY_PREEMPTION) => (names::A_SCHEDULER, Does::Deletes, pod.disruption.clone()),
        Some("EvictionByEvictionAPI") => (names::SOMEBODY, Does::Evicts, history.plugin(life)),
        _ => (names::SOMEBODY, Does::Deletes, None),
    };
    put(life.terminating, actor, does, detail);
}

fn nodes_shown(history: &History<'_>, acts: &mut Vec<Act>) {
    for (name, states) in history.nodes() {
        let cordoned = history.series(states, |node| node.cordoned);
        for pair in cordoned.points().windows(2) {
            let does = match pair {
                [(_, Some(false)), (_, Some(true))] => Does::Cordons,
                [(_, Some(true)), (_, Some(false))] => Does::Uncordons,
                _ => continue,
            };
            acts.push(Act {
                t: pair[1].0,
                actor: names::SOMEBODY.to_owned(),
                played: false,
                does,
                object: NODE.to_owned(),
                name: (*name).to_owned(),
                pod: None,
                workload: None,
                detail: Some((*name).to_owned()),
                refused: None,
                refusal: None,
            });
        }
    }
}
