//! The load test's pods as a watch shows them, counted by what owns them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::core::{ApiResource, Object, Resource};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use serde::Deserialize;
use tokio::sync::watch;

use super::objects::Item;
use kubeclash_cluster::backoff::backoff;

/// What all of the load test's objects, and their pods, are labelled with.
pub(super) const GROUP: &str = "group=load";

/// The annotation of a pod's revision.
const REVISION: &str = "kubeclash.dev/revision";

/// No more of a pod than is counted: there are many.
type Seen = Object<Spec, Status>;

#[derive(Debug, Clone, Default, Deserialize)]
struct Spec {}

#[derive(Debug, Clone, Default, Deserialize)]
struct Status {
    phase: Option<String>,
}

/// Namespace and name of what a pod belongs to.
type Owner = (String, String);

/// A pod, as far as it is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Counted {
    owner: Owner,
    running: bool,
    leaving: bool,
    revision: usize,
}

/// The pods of a load test, followed until this is dropped.
#[derive(Debug)]
pub(super) struct Pods {
    counts: Arc<Mutex<BTreeMap<Owner, BTreeMap<String, Counted>>>>,
    changed: watch::Receiver<u64>,
    _follower: tokio_util::task::AbortOnDropHandle<()>,
}

impl Pods {
    /// Begins to follow them.
    pub(super) fn follow(client: Client) -> Self {
        let counts = Arc::default();
        let (tell, changed) = watch::channel(0);
        let follower = tokio::spawn(follow(client, Arc::clone(&counts), tell));
        Self {
            counts,
            changed,
            _follower: tokio_util::task::AbortOnDropHandle::new(follower),
        }
    }

    /// Returns when something has changed, at most twenty times a second.
    pub(super) async fn changed(&mut self) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let _ = self.changed.changed().await;
    }

    /// Told whenever something has changed.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }

    /// How many run, and how many there are.
    pub(super) fn count(&self) -> (usize, usize) {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let all = counts.values().flat_map(BTreeMap::values);
        all.fold((0, 0), |(running, there), pod| {
            (running + usize::from(pod.running && !pod.leaving), there + 1)
        })
    }

    /// What an object lacks, if it has not the pods that it should have: all running, of its revision, and no others.
    pub(super) fn lacks(&self, item: &Item) -> Option<String> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = (item.namespace.clone(), item.name.clone());
        let pods = counts.get(&owner);
        let of = |wanted: fn(&Counted, &Item) -> bool| {
            pods.map_or(0, |pods| pods.values().filter(|pod| wanted(pod, item)).count())
        };
        let ready = of(|pod, item| pod.running && !pod.leaving && pod.revision == item.revision);
        let others = of(|pod, item| pod.leaving || pod.revision != item.revision);
        (ready != item.pods() || others > 0).then(|| {
            let others = match others {
                0 => String::new(),
                n => format!(", {n} old ones are there"),
            };
            format!("{}: {ready} of {} pods run{others}", item.told(), item.pods())
        })
    }
}

async fn follow(
    client: Client,
    counts: Arc<Mutex<BTreeMap<Owner, BTreeMap<String, Counted>>>>,
    tell: watch::Sender<u64>,
) {
    let pods: Api<Seen> = Api::all_with(client, &ApiResource::erase::<Pod>(&()));
    let config = watcher::Config::default().labels(GROUP);
    let mut events = watcher::watcher(pods, config).backoff(backoff()).boxed();
    // Of a list that is under way.
    let mut listed = BTreeMap::new();
    loop {
        let event = match events.next().await {
            Some(Ok(event)) => event,
            Some(Err(error)) => {
                tracing::debug!(%error, "the load test's watch on pods failed; it resumes");
                continue;
            }
            None => return,
        };
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Init => listed = BTreeMap::new(),
            Event::InitApply(pod) => put(&mut listed, &pod),
            Event::InitDone => *counts = std::mem::take(&mut listed),
            Event::Apply(pod) => put(&mut counts, &pod),
            Event::Delete(pod) => {
                let owner = owner(&pod);
                if let Some(pods) = counts.get_mut(&owner) {
                    pods.remove(&uid(&pod));
                    if pods.is_empty() {
                        counts.remove(&owner);
                    }
                }
            }
        }
        drop(counts);
        tell.send_modify(|n| *n += 1);
    }
}

fn put(counts: &mut BTreeMap<Owner, BTreeMap<String, Counted>>, pod: &Seen) {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let revision = pod.meta().annotations.as_ref().and_then(|all| all.get(REVISION));
    let owner = owner(pod);
    let counted = Counted {
        running: phase == Some("Running"),
        leaving: pod.meta().deletion_timestamp.is_some(),
        revision: revision.and_then(|text| text.parse().ok()).unwrap_or_default(),
        owner: owner.clone(),
    };
    counts.entry(owner).or_default().insert(uid(pod), counted);
}

fn uid(pod: &Seen) -> String {
    pod.meta().uid.clone().unwrap_or_default()
}

fn owner(pod: &Seen) -> Owner {
    let meta = pod.meta();
    let name = meta.labels.as_ref().and_then(|labels| labels.get("name"));
    (
        meta.namespace.clone().unwrap_or_default(),
        name.cloned().unwrap_or_default(),
    )
}
