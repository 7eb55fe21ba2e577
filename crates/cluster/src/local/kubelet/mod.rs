//! The part of a kubelet that KWOK's stages can't play: admission, the heart, and knowing when containers started.
//!
//! A stage sees one object, a kubelet sees its node as well. A pod that is bound to a node is admitted by setting
//! its `startTime`, upon which the stages start its containers; or it is rejected ([`admission`]): phase Failed, and no container
//! ever runs.

mod admission;
mod heart;
mod registry;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Patch, PatchParams};
use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::admission::{Resources, add, admit, requests};
pub(super) use self::heart::{start, stop};
#[cfg(test)]
pub(super) use self::registry::{Bound, Owner};
pub(super) use self::registry::{Change, Container, Inner, Registry};
use crate::backoff::backoff;
use kubeclash_timeline::Pace;

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
pub(super) async fn play(client: Client, registry: Registry, pace: Pace) {
    let config = || watcher::Config::default();
    let nodes = watcher::watcher(Api::<Node>::all(client.clone()), config())
        .backoff(backoff())
        .map_ok(Seen::Node);
    let pods = watcher::watcher(Api::<Pod>::all(client.clone()), config())
        .backoff(backoff())
        .map_ok(Seen::Pod);
    let mut events = futures::stream::select(nodes.boxed(), pods.boxed());
    let mut kubelets = Kubelets {
        registry: registry.clone(),
        nodes: BTreeMap::new(),
        waiting: BTreeMap::new(),
        answered: BTreeSet::new(),
    };
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let answer_after = pace.scale(ANSWER);
    // They end with this, so none survives its cluster.
    let mut answers = JoinSet::new();
    loop {
        let new = tokio::select! {
            event = events.next() => match event {
                Some(Ok(seen)) => kubelets.see(seen),
                Some(Err(error)) => {
                    tracing::debug!(%error, "the hollow kubelet's watch failed; it resumes");
                    continue;
                }
                None => return,
            },
            () = registry.started.notified() => kubelets.due(),
            Some(_) = answers.join_next() => continue,
        };
        for (pod, status) in new {
            answers.spawn(answer(
                client.clone(),
                status,
                pod,
                answer_after,
                Arc::clone(&turns),
            ));
        }
    }
}

/// Follows who owns ReplicaSets and Jobs, for the CPU use of what they make, until it is dropped or aborted.
pub(super) async fn follow_owners(client: Client, registry: Registry) {
    let config = || watcher::Config::default();
    let sets = watcher::watcher(
        Api::<PartialObjectMeta<ReplicaSet>>::all(client.clone()),
        config(),
    )
    .backoff(backoff())
    .map_ok(meta);
    let jobs = watcher::watcher(Api::<PartialObjectMeta<Job>>::all(client), config())
        .backoff(backoff())
        .map_ok(meta);
    let mut events = futures::stream::select(sets.boxed(), jobs.boxed());
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(owned) | Event::InitApply(owned)) => {
                registry.see_owner(owned.uid.as_deref(), &owned.owner_references.unwrap_or_default());
            }
            Ok(Event::Delete(owned)) => registry.forget_owner(owned.uid.as_deref()),
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the watch of owners failed; it resumes"),
        }
    }
}

/// The same event, of what an object is and no longer of which kind.
fn meta<K>(event: Event<PartialObjectMeta<K>>) -> Event<ObjectMeta> {
    match event {
        Event::Apply(object) => Event::Apply(object.metadata),
        Event::InitApply(object) => Event::InitApply(object.metadata),
        Event::Delete(object) => Event::Delete(object.metadata),
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
    }
}

#[expect(clippy::large_enum_variant, reason = "one lives at a time")]
enum Seen {
    Node(Event<Node>),
    Pod(Event<Pod>),
}

/// What all kubelets of a cluster know.
struct Kubelets {
    registry: Registry,
    nodes: BTreeMap<String, KnownNode>,
    /// Pods that are bound to a node which was not seen yet, or which has stopped, by UID.
    waiting: BTreeMap<String, Pod>,
    /// Pods that were admitted or rejected, by UID. One may change again before its answer is written.
    answered: BTreeSet<String>,
}

/// A node, and what was admitted to it.
#[derive(Default)]
struct KnownNode {
    node: Option<Node>,
    /// What the pods that it runs ask for, by UID.
    admitted: BTreeMap<String, Resources>,
}

impl Kubelets {
    /// Takes in what was seen, and gives the pods that are answered for now, each with the status that it gets.
    fn see(&mut self, seen: Seen) -> Vec<(Pod, Value)> {
        match seen {
            Seen::Node(Event::Apply(node) | Event::InitApply(node)) => {
                let name = node.name_any();
                let known = self.nodes.entry(name.clone()).or_default();
                let recovers = known.node.as_ref().is_some_and(|before| !is_ready(before)) && is_ready(&node);
                known.node = Some(node);
                let mut answers = self.due();
                if recovers {
                    answers.extend(self.ready_again(&name));
                }
                return answers;
            }
            Seen::Node(Event::Delete(node)) => _ = self.nodes.remove(&node.name_any()),
            Seen::Pod(Event::Apply(pod) | Event::InitApply(pod)) => {
                self.registry.see(&pod);
                return self.pod(pod).into_iter().collect();
            }
            Seen::Pod(Event::Delete(pod)) => {
                let uid = pod.uid().unwrap_or_default();
                self.registry.forget(&pod);
                self.waiting.remove(&uid);
                self.answered.remove(&uid);
                self.release(&pod);
            }
            Seen::Node(_) | Seen::Pod(_) => {}
        }
        Vec::new()
    }

    fn pod(&mut self, pod: Pod) -> Option<(Pod, Value)> {
        let uid = pod.uid().unwrap_or_default();
        self.waiting.remove(&uid);
        let node = node_of(&pod)?.clone();
        let status = pod.status.as_ref();
        if matches!(
            status.and_then(|s| s.phase.as_deref()),
            Some("Succeeded" | "Failed")
        ) {
            self.release(&pod);
            return None;
        }
        if status.is_some_and(|status| status.start_time.is_some()) {
            // Admitted, perhaps before this watch began.
            let admitted = &mut self.nodes.entry(node).or_default().admitted;
            admitted.entry(uid).or_insert_with(|| requests(&pod));
            return None;
        }
        if pod.metadata.deletion_timestamp.is_some() || self.answered.contains(&uid) {
            return None;
        }
        if self.registry.is_stopped(&node) || self.nodes.get(&node).is_none_or(|known| known.node.is_none()) {
            self.waiting.insert(uid, pod);
            return None;
        }
        let status = self.answer(&pod, &node)?;
        self.answered.insert(uid);
        Some((pod, status))
    }

    /// Pods that run on a node which was lost and has come back: their kubelet says again that they are ready, after the node lifecycle
    /// controller said that they are not.
    fn ready_again(&self, node: &str) -> Vec<(Pod, Value)> {
        let inner = self.registry.lock();
        let terminating = |uid: &String| {
            let bound = inner.bound.get(node).and_then(|pods| pods.get(uid));
            bound.is_none_or(|pod| pod.terminating)
        };
        let now = now();
        let condition = |name: &str| json!({"type": name, "status": "True", "lastTransitionTime": now});
        let status = json!({"status": {"conditions": [condition("Ready"), condition("ContainersReady")]}});
        let pods = inner.running.iter();
        let unready = pods.filter(|(uid, pod)| pod.node == node && !pod.serves && !terminating(uid));
        let named = |pod: &Container| Pod {
            metadata: ObjectMeta {
                name: Some(pod.pod.clone()),
                namespace: Some(pod.namespace.clone()),
                ..ObjectMeta::default()
            },
            ..Pod::default()
        };
        unready.map(|(_, pod)| (named(pod), status.clone())).collect()
    }

    /// Pods that waited for their node, and wait no more.
    fn due(&mut self) -> Vec<(Pod, Value)> {
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_values().filter_map(|pod| self.pod(pod)).collect()
    }

    /// The status by which a kubelet admits a pod, or rejects it.
    fn answer(&mut self, pod: &Pod, name: &str) -> Option<Value> {
        let known = self.nodes.get_mut(name)?;
        let mut used = Resources::new();
        known.admitted.values().for_each(|asked| add(&mut used, asked));
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Some(
            match admit(pod, known.node.as_ref()?, &used, known.admitted.len() as u64) {
                Ok(()) => {
                    known
                        .admitted
                        .insert(pod.uid().unwrap_or_default(), requests(pod));
                    json!({"status": {"startTime": now, "conditions": [
                    {"type": "Initialized", "status": "True", "lastTransitionTime": now}]}})
                }
                Err(rejection) => json!({"status": {
                "phase": "Failed", "reason": rejection.reason, "startTime": now, "message": rejection.message}}),
            },
        )
    }

    /// What a pod had is free again.
    fn release(&mut self, pod: &Pod) {
        if let Some(known) = node_of(pod).and_then(|node| self.nodes.get_mut(node)) {
            known.admitted.remove(&pod.uid().unwrap_or_default());
        }
    }
}

fn is_ready(node: &Node) -> bool {
    let mut conditions = node
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// The time as the API has it.
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn node_of(pod: &Pod) -> Option<&String> {
    pod.spec.as_ref()?.node_name.as_ref()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> Node {
        serde_json::from_value(json!({
            "metadata": {"name": name}, "status": {"allocatable": {"cpu": "1", "pods": "110"}}}))
        .unwrap()
    }

    fn pod(uid: &str, status: Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": uid, "uid": uid, "namespace": "default"},
            "spec": {"nodeName": "n", "containers": [{"name": "c", "resources": {"requests": {"cpu": "600m"}}}]},
            "status": status}))
        .unwrap()
    }

    fn kubelets() -> Kubelets {
        Kubelets {
            registry: Registry::default(),
            nodes: BTreeMap::new(),
            waiting: BTreeMap::new(),
            answered: BTreeSet::new(),
        }
    }

    fn reasons(answers: &[(Pod, Value)]) -> Vec<(String, Option<String>)> {
        let reason = |(pod, status): &(Pod, Value)| {
            (
                pod.name_any(),
                status["status"]["reason"].as_str().map(str::to_owned),
            )
        };
        answers.iter().map(reason).collect()
    }

    #[test]
    fn the_second_of_two_pods_that_do_not_fit_together_is_rejected_until_the_first_has_gone() {
        let mut kubelets = kubelets();
        assert!(
            kubelets
                .see(Seen::Pod(Event::Apply(pod("a", json!({})))))
                .is_empty(),
            "no node yet"
        );
        let first = kubelets.see(Seen::Node(Event::Apply(node("n"))));
        assert_eq!(reasons(&first), [("a".to_owned(), None)]);
        let second = kubelets.see(Seen::Pod(Event::Apply(pod("b", json!({})))));
        assert_eq!(reasons(&second), [("b".to_owned(), Some("OutOfcpu".to_owned()))]);
        assert!(
            kubelets
                .see(Seen::Pod(Event::Apply(pod("b", json!({})))))
                .is_empty(),
            "it is answered once"
        );
        kubelets.see(Seen::Pod(Event::Apply(pod("a", json!({"phase": "Succeeded"})))));
        let third = kubelets.see(Seen::Pod(Event::Apply(pod("c", json!({})))));
        assert_eq!(reasons(&third), [("c".to_owned(), None)]);
    }

    #[test]
    fn a_stopped_node_answers_for_nothing_until_it_starts_again() {
        let mut kubelets = kubelets();
        kubelets.see(Seen::Node(Event::Apply(node("n"))));
        kubelets.registry.set_stopped("n", true);
        assert!(
            kubelets
                .see(Seen::Pod(Event::Apply(pod("a", json!({})))))
                .is_empty()
        );
        assert!(
            kubelets
                .see(Seen::Pod(Event::Apply(pod("b", json!({})))))
                .is_empty()
        );
        kubelets.see(Seen::Pod(Event::Delete(pod("b", json!({})))));
        kubelets.registry.set_stopped("n", false);
        assert_eq!(reasons(&kubelets.due()), [("a".to_owned(), None)]);
    }

    #[test]
    fn pods_of_a_node_that_comes_back_are_ready_again_but_those_that_go() {
        let mut kubelets = kubelets();
        let ready = |ready: &str| -> Node {
            serde_json::from_value(json!({"metadata": {"name": "n"}, "status": {"conditions": [{"type": "Ready", "status": ready}]}}))
                .unwrap()
        };
        let status = json!({"phase": "Running", "startTime": "2026-01-01T00:00:00Z", "conditions": [{"type": "Ready", "status": "False"}]});
        assert!(kubelets.see(Seen::Node(Event::Apply(ready("True")))).is_empty());
        kubelets.see(Seen::Pod(Event::Apply(pod("stays", status.clone()))));
        let mut goes = pod("goes", status);
        goes.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        kubelets.see(Seen::Pod(Event::Apply(goes)));
        assert!(
            kubelets.see(Seen::Node(Event::Apply(ready("True")))).is_empty(),
            "it was not away"
        );
        assert!(
            kubelets
                .see(Seen::Node(Event::Apply(ready("Unknown"))))
                .is_empty()
        );
        let back = kubelets.see(Seen::Node(Event::Apply(ready("True"))));
        assert_eq!(reasons(&back), [("stays".to_owned(), None)]);
        assert_eq!(back[0].1["status"]["conditions"][0]["status"], "True");
    }

    #[test]
    fn what_was_admitted_before_counts() {
        let mut kubelets = kubelets();
        kubelets.see(Seen::Node(Event::Apply(node("n"))));
        let old = pod(
            "old",
            json!({"phase": "Running", "startTime": "2026-01-01T00:00:00Z"}),
        );
        assert!(kubelets.see(Seen::Pod(Event::InitApply(old))).is_empty());
        let new = kubelets.see(Seen::Pod(Event::Apply(pod("new", json!({})))));
        assert_eq!(reasons(&new), [("new".to_owned(), Some("OutOfcpu".to_owned()))]);
    }
}
