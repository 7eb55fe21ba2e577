//! The part of a kubelet that KWOK's stages can't play: admission, and knowing when containers started.
//!
//! A stage sees one object, a kubelet sees its node as well. A pod that is bound to a node is admitted by setting
//! its `startTime`, upon which the stages start its containers; or it is rejected, as the kubelet's
//! `TaintToleration` admission handler does for a NoExecute taint that the pod does not tolerate
//! (pkg/kubelet/lifecycle/predicate.go): phase Failed, and no container ever runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Node, Pod, Taint, Toleration};
use kube::api::{Patch, PatchParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::backoff::backoff;
use crate::scenario::Pace;

/// What is known of the containers that run.
#[derive(Debug, Clone, Default)]
pub(super) struct Running(Arc<Mutex<BTreeMap<String, Container>>>);

/// A pod whose containers run.
#[derive(Debug, Clone)]
pub(super) struct Container {
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) node: String,
    pub(super) labels: BTreeMap<String, String>,
    /// The names of its containers.
    pub(super) names: Vec<String>,
    /// When they were first seen running: to the millisecond, where the API has whole seconds.
    pub(super) since: Instant,
}

impl Running {
    /// The pods whose containers run now, by UID.
    pub(super) fn now(&self) -> BTreeMap<String, Container> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn see(&self, pod: &Pod) {
        let running = pod.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Running");
        let Some(uid) = pod.uid() else { return };
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !running {
            map.remove(&uid);
        } else if let std::collections::btree_map::Entry::Vacant(new) = map.entry(uid) {
            let spec = pod.spec.clone().unwrap_or_default();
            new.insert(Container {
                namespace: pod.namespace().unwrap_or_default(),
                pod: pod.name_any(),
                node: spec.node_name.unwrap_or_default(),
                labels: pod.labels().clone(),
                names: spec.containers.into_iter().map(|c| c.name).collect(),
                since: Instant::now(),
            });
        }
    }

    fn forget(&self, pod: &Pod) {
        if let Some(uid) = pod.uid() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&uid);
        }
    }
}

/// What a kubelet takes from seeing a pod to having written its first status, at the recorded pace.
///
/// Set by C7's rate, which hangs on it: a ReplicaSet controller that sees every state of a rejected pod spends three of
/// its 20 requests a second on it (create, and two status updates). A real kind cluster (v1.36.3) makes 357–375 pods a minute.
const ANSWER: Duration = Duration::from_millis(150);

/// How many statuses are written at once. A thousand kubelets each write one at a time; more than the API server takes
/// (--max-mutating-requests-inflight, 200) would only be refused.
const AT_ONCE: usize = 64;

/// How long is waited before a status that could not be written is written again.
const RETRY: Duration = Duration::from_millis(200);

/// Plays all kubelets of a cluster until it is dropped or aborted.
pub(super) async fn play(client: Client, running: Running, pace: Pace) {
    let answer_after = pace.scale(ANSWER);
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let config = || watcher::Config::default();
    let nodes = watcher::watcher(Api::<Node>::all(client.clone()), config())
        .backoff(backoff())
        .map_ok(Seen::Node);
    let pods = watcher::watcher(Api::<Pod>::all(client.clone()), config())
        .backoff(backoff())
        .map_ok(Seen::Pod);
    let mut events = futures::stream::select(nodes.boxed(), pods.boxed());
    let mut taints: BTreeMap<String, Vec<Taint>> = BTreeMap::new();
    // Pods that are bound to a node which was not seen yet.
    let mut waiting: Vec<Pod> = Vec::new();
    let mut answered: BTreeSet<String> = BTreeSet::new();
    // They end with this, so none survives its cluster.
    let mut answers = JoinSet::new();
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            Some(_) = answers.join_next() => continue,
        };
        let Some(event) = event else { return };
        match event {
            Ok(Seen::Node(Event::Apply(node) | Event::InitApply(node))) => {
                let name = node.name_any();
                taints.insert(name.clone(), node.spec.and_then(|s| s.taints).unwrap_or_default());
                let (here, rest): (Vec<_>, Vec<_>) =
                    waiting.drain(..).partition(|pod| node_of(pod) == Some(&name));
                waiting = rest;
                for pod in here {
                    answers.spawn(answer(
                        client.clone(),
                        admission(&pod, &taints[&name]),
                        pod,
                        answer_after,
                        Arc::clone(&turns),
                    ));
                }
            }
            Ok(Seen::Node(Event::Delete(node))) => {
                taints.remove(&node.name_any());
            }
            Ok(Seen::Pod(Event::Apply(pod) | Event::InitApply(pod))) => {
                running.see(&pod);
                // A pod may change again before its answer is written.
                if !is_new(&pod) || !answered.insert(pod.uid().unwrap_or_default()) {
                    continue;
                }
                match node_of(&pod).and_then(|node| taints.get(node)) {
                    Some(taints) => {
                        answers.spawn(answer(
                            client.clone(),
                            admission(&pod, taints),
                            pod,
                            answer_after,
                            Arc::clone(&turns),
                        ));
                    }
                    None => waiting.push(pod),
                }
            }
            Ok(Seen::Pod(Event::Delete(pod))) => {
                answered.remove(&pod.uid().unwrap_or_default());
                running.forget(&pod);
            }
            Ok(Seen::Node(_) | Seen::Pod(_)) => {}
            Err(error) => tracing::debug!(%error, "the hollow kubelet's watch failed; it resumes"),
        }
    }
}

#[expect(clippy::large_enum_variant, reason = "one lives at a time")]
enum Seen {
    Node(Event<Node>),
    Pod(Event<Pod>),
}

fn node_of(pod: &Pod) -> Option<&String> {
    pod.spec.as_ref()?.node_name.as_ref()
}

/// Whether a kubelet has it before itself for the first time.
fn is_new(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    node_of(pod).is_some()
        && pod.metadata.deletion_timestamp.is_none()
        && status
            .and_then(|s| s.phase.as_deref())
            .is_none_or(|phase| phase == "Pending")
        && status.is_none_or(|s| s.start_time.is_none())
}

/// The status by which a kubelet admits a pod, or rejects it.
fn admission(pod: &Pod, taints: &[Taint]) -> Value {
    let tolerations = pod
        .spec
        .as_ref()
        .and_then(|s| s.tolerations.clone())
        .unwrap_or_default();
    let refused = taints
        .iter()
        .filter(|taint| taint.effect == "NoExecute")
        .any(|taint| !tolerations.iter().any(|toleration| tolerates(toleration, taint)));
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    if refused {
        json!({"status": {
            "phase": "Failed", "reason": "TaintToleration", "startTime": now,
            "message": "Pod was rejected: Predicate TaintToleration failed"}})
    } else {
        json!({"status": {"startTime": now, "conditions": [
            {"type": "Initialized", "status": "True", "lastTransitionTime": now}]}})
    }
}

/// Writes a pod's status. Each pod is answered for by itself: one slow answer must not hold up the others.
async fn answer(client: Client, status: Value, pod: Pod, after: Duration, turns: Arc<Semaphore>) {
    let pods = Api::<Pod>::namespaced(client, &pod.namespace().unwrap_or_default());
    let mut pause = after;
    loop {
        tokio::time::sleep(pause).await;
        let _turn = turns.acquire().await;
        match pods
            .patch_status(
                &pod.name_any(),
                &PatchParams::default(),
                &Patch::Strategic(&status),
            )
            .await
        {
            Ok(_) => return,
            // It has gone already.
            Err(kube::Error::Api(refusal)) if refusal.code == 404 => return,
            // A kubelet keeps trying, too.
            Err(error) => {
                tracing::debug!(%error, pod = pod.name_any(), "a pod's status was not written; trying again")
            }
        }
        pause = RETRY;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn taint() -> Taint {
        Taint {
            key: "key1".into(),
            value: Some("value1".into()),
            effect: "NoExecute".into(),
            ..Taint::default()
        }
    }

    fn toleration(json: Value) -> Toleration {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_taint_is_tolerated_by_key_value_and_effect() {
        for good in [
            json!({"operator": "Exists"}),
            json!({"key": "key1", "operator": "Exists"}),
            json!({"key": "key1", "value": "value1"}),
            json!({"key": "key1", "operator": "Equal", "value": "value1", "effect": "NoExecute"}),
        ] {
            assert!(tolerates(&toleration(good.clone()), &taint()), "{good}");
        }
        for bad in [
            json!({"key": "key2", "operator": "Exists"}),
            json!({"key": "key1", "value": "value2"}),
            json!({"key": "key1", "operator": "Exists", "effect": "NoSchedule"}),
            json!({"key": "key1"}),
        ] {
            assert!(!tolerates(&toleration(bad.clone()), &taint()), "{bad}");
        }
    }
}
