//! A cluster made as good as new, and looked at until it is: for those who would rather not wait for another.
//!
//! The study's own recordings were polluted in just this way: labels, cordons and pods of one case were there in the
//! next. So everything that a cluster has is listed when it is new, of all kinds that its API server knows, and again
//! before it is used again; what differs goes, or the cluster does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::{Node, Taint};
use kube::api::{ApiResource, DeleteParams, ListParams, Patch, PatchParams, PropagationPolicy};
use kube::core::PartialObjectMeta;
use kube::core::discovery::Scope;
use kube::discovery::{Discovery, verbs};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use crate::WORKERS;
use kubeclash_timeline::Pace;

/// How long a used cluster may take to become clean; one that takes longer is not used again.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often the controller of autoscalers looks at each, at the recorded pace.
const HPA_SYNC: Duration = Duration::from_secs(15);

/// How often what is left is listed again. Watches of all kinds would be more than one look.
const EVERY: Duration = Duration::from_millis(200);

/// What comes and goes by itself: the kubelets ask for certificates, and nobody can delete a status.
const RESTLESS: [&str; 2] = ["CertificateSigningRequest", "ComponentStatus"];

/// Everything that a cluster has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Inventory {
    /// Objects of the cluster and of the default namespace, by kind and name.
    objects: BTreeSet<(String, String)>,
    nodes: BTreeMap<String, NodeState>,
}

/// What a case can change of a node.
#[derive(Debug, Clone, Default, PartialEq)]
struct NodeState {
    labels: BTreeMap<String, String>,
    taints: Vec<Taint>,
    cordoned: bool,
}

impl Eq for NodeState {}

/// The kinds that a cluster's API server knows, and what there was of them when it was new.
#[derive(Debug, Clone)]
pub(super) struct Baseline {
    kinds: Vec<(ApiResource, Scope)>,
    new: Inventory,
}

impl Baseline {
    /// Of a new cluster.
    ///
    /// # Errors
    /// What the API server refused; in words.
    pub(super) async fn of(client: &Client) -> Result<Self, String> {
        let discovery = Discovery::new(client.clone())
            .run()
            .await
            .map_err(|e| format!("its kinds can't be listed: {e}"))?;
        let kinds: Vec<_> = discovery
            .groups()
            // What is measured is nobody's to delete.
            .filter(|group| group.name() != "metrics.k8s.io")
            .flat_map(kube::discovery::ApiGroup::recommended_resources)
            .filter(|(kind, able)| {
                able.supports_operation(verbs::LIST)
                    && able.supports_operation(verbs::DELETE)
                    && !RESTLESS.contains(&kind.kind.as_str())
            })
            .map(|(kind, able)| (kind, able.scope))
            .collect();
        let new = inventory(client, &kinds).await?;
        Ok(Self { kinds, new })
    }

    /// Makes a used cluster what it was, and returns when it is.
    ///
    /// # Errors
    /// What is left; in words.
    pub(super) async fn restore(&self, client: &Client, pace: Pace) -> Result<(), String> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut scaled = false;
        loop {
            let now = inventory(client, &self.kinds).await?;
            let left = differences(&self.new, &now);
            if left.is_empty() {
                if scaled {
                    // Its controller remembers what it recommended until it looks at it again, and tells nobody.
                    tokio::time::sleep(pace.scale(HPA_SYNC)).await;
                }
                return Ok(());
            }
            scaled |= now
                .objects
                .iter()
                .any(|(kind, _)| kind == "HorizontalPodAutoscaler");
            if tokio::time::Instant::now() > deadline {
                return Err(left.join(", "));
            }
            self.remove(client, &now).await;
            for (name, state) in &self.new.nodes {
                if let Some(now) = now.nodes.get(name).filter(|now| *now != state) {
                    restore_node(client, name, now, state).await?;
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Asks for the deletion of what is too much. What is refused is listed again.
    async fn remove(&self, client: &Client, now: &Inventory) {
        // A second, so that the kubelet kills and then tells; less would let it forget.
        let options = DeleteParams {
            grace_period_seconds: Some(1),
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        let surplus = now.objects.difference(&self.new.objects);
        let deletions = surplus.filter_map(|(kind, name)| {
            let (kind, scope) = self.kinds.iter().find(|(known, _)| known.kind == *kind)?;
            let api = api(client, kind, scope);
            let options = options.clone();
            Some(async move { api.delete(name, &options).await })
        });
        for refusal in join_all(deletions).await.into_iter().filter_map(Result::err) {
            tracing::debug!(%refusal, "something of the last case is still there");
        }
    }
}

fn api(
    client: &Client,
    kind: &ApiResource,
    scope: &Scope,
) -> Api<PartialObjectMeta<kube::api::DynamicObject>> {
    match scope {
        Scope::Namespaced => Api::default_namespaced_with(client.clone(), kind),
        Scope::Cluster => Api::all_with(client.clone(), kind),
    }
}

async fn inventory(client: &Client, kinds: &[(ApiResource, Scope)]) -> Result<Inventory, String> {
    let listed = join_all(kinds.iter().map(async |(kind, scope)| {
        let found = api(client, kind, scope)
            .list_metadata(&ListParams::default())
            .await;
        (kind, found)
    }))
    .await;
    let mut objects = BTreeSet::new();
    for (kind, found) in listed {
        let found = found.map_err(|e| format!("what there is of {} can't be listed: {e}", kind.kind))?;
        objects.extend(
            found
                .into_iter()
                .map(|object| (kind.kind.clone(), object.name_any())),
        );
    }
    let workers = ListParams::default().labels(WORKERS);
    let nodes = Api::<Node>::all(client.clone())
        .list(&workers)
        .await
        .map_err(|e| format!("its nodes can't be listed: {e}"))?;
    let nodes = nodes
        .into_iter()
        .map(|node| (node.name_any(), state(&node)))
        .collect();
    Ok(Inventory { objects, nodes })
}

fn state(node: &Node) -> NodeState {
    let spec = node.spec.clone().unwrap_or_default();
    NodeState {
        labels: node.labels().clone(),
        taints: spec.taints.unwrap_or_default(),
        cordoned: spec.unschedulable.unwrap_or_default(),
    }
}

async fn restore_node(client: &Client, name: &str, now: &NodeState, new: &NodeState) -> Result<(), String> {
    let patched = Api::<Node>::all(client.clone())
        .patch(name, &PatchParams::default(), &Patch::Merge(back(now, new)))
        .await;
    patched
        .map(drop)
        .map_err(|e| format!("node {name} can't be restored: {e}"))
}

/// The merge patch from one state of a node to another.
fn back(now: &NodeState, new: &NodeState) -> Value {
    let surplus = now.labels.keys().filter(|key| !new.labels.contains_key(*key));
    let mut labels: BTreeMap<&str, Value> = surplus.map(|key| (key.as_str(), Value::Null)).collect();
    labels.extend(new.labels.iter().map(|(key, value)| (key.as_str(), json!(value))));
    json!({
        "metadata": {"labels": labels},
        "spec": {"taints": new.taints, "unschedulable": new.cordoned.then_some(true)},
    })
}

/// What one inventory has and the other has not, in words.
fn differences(new: &Inventory, now: &Inventory) -> Vec<String> {
    let mut left = Vec::new();
    let told = |(kind, name): &(String, String)| format!("{kind} {name}");
    left.extend(now.objects.difference(&new.objects).map(told));
    // An API server forgets events by itself, after an hour.
    let missing = new
        .objects
        .difference(&now.objects)
        .filter(|(kind, _)| kind != "Event");
    left.extend(missing.map(|object| format!("no {}", told(object))));
    for (name, state) in &new.nodes {
        match now.nodes.get(name) {
            None => left.push(format!("no node {name}")),
            Some(now) => {
                let changed = [
                    ("labels", now.labels != state.labels),
                    ("taints", now.taints != state.taints),
                    ("cordon", now.cordoned != state.cordoned),
                ];
                let changed = changed.into_iter().filter(|(_, changed)| *changed);
                left.extend(changed.map(|(what, _)| format!("{what} of node {name}")));
            }
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> NodeState {
        NodeState {
            labels: [("kubernetes.io/hostname".to_owned(), "w".to_owned())].into(),
            ..NodeState::default()
        }
    }

    fn inventory(objects: &[(&str, &str)], node: NodeState) -> Inventory {
        let objects = objects
            .iter()
            .map(|(kind, name)| ((*kind).to_owned(), (*name).to_owned()));
        Inventory {
            objects: objects.collect(),
            nodes: [("w".to_owned(), node)].into(),
        }
    }

    #[test]
    fn whatever_a_case_left_is_named() {
        let new = inventory(&[("Service", "kubernetes")], node());
        assert_eq!(differences(&new, &new), Vec::<String>::new());
        let mut used = node();
        used.labels.insert("zone".to_owned(), "A".to_owned());
        used.cordoned = true;
        used.taints.push(Taint::default());
        let now = inventory(&[("Event", "web.1"), ("Pod", "web-1")], used);
        assert_eq!(
            differences(&new, &now),
            [
                "Event web.1",
                "Pod web-1",
                "no Service kubernetes",
                "labels of node w",
                "taints of node w",
                "cordon of node w"
            ]
        );
        let later = inventory(&[("Event", "old"), ("Service", "kubernetes")], node());
        assert_eq!(
            differences(&later, &new),
            Vec::<String>::new(),
            "an event is forgotten"
        );
        let gone = Inventory {
            nodes: BTreeMap::new(),
            ..new.clone()
        };
        assert_eq!(differences(&new, &gone), ["no node w"]);
    }

    #[test]
    fn a_node_is_patched_back_to_what_it_was() {
        let mut used = node();
        used.labels.insert("zone".to_owned(), "A".to_owned());
        used.labels
            .insert("kubernetes.io/hostname".to_owned(), "other".to_owned());
        used.cordoned = true;
        let patch = back(&used, &node());
        assert_eq!(
            patch,
            json!({
                "metadata": {"labels": {"kubernetes.io/hostname": "w", "zone": null}},
                "spec": {"taints": [], "unschedulable": null},
            })
        );
    }
}
