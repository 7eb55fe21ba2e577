//! Emptying a node for maintenance: cordon, then evict each pod, with respect for disruption budgets.
//!
//! Modelled on `kubectl drain` (`k8s.io/kubectl`, `pkg/drain/drain.go` and `filters.go`), with two
//! differences. Whether a pod is gone is seen through a watch, where kubectl polls once a second. And an
//! eviction names the pod's UID, so that a pod which was replaced under the same name meanwhile, on another
//! node perhaps, is left alone.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::time::{Instant, sleep, sleep_until};

use super::evict::{Eviction, post_eviction};
use super::{InjectError, ObjectRef, cordon};

/// How to drain. The default is `kubectl drain --ignore-daemonsets --delete-emptydir-data`, with a deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainOptions {
    /// When to give up. kubectl waits without end; the default here is 5 minutes.
    pub timeout: Duration,
    /// Grace period in place of each pod's own, rounded up to whole seconds.
    pub grace: Option<Duration>,
    /// How long to wait after a disruption budget has refused an eviction, 5 s as in kubectl by default. At
    /// a faster pace the caller divides it.
    pub retry_every: Duration,
    /// Leave pods of DaemonSets where they are, rather than refuse to drain because of them.
    pub ignore_daemonsets: bool,
    /// Evict pods with `emptyDir` volumes, whose data is lost, rather than refuse.
    pub delete_emptydir_data: bool,
    /// Evict pods that no controller will replace, rather than refuse. Off by default.
    pub force: bool,
}

impl Default for DrainOptions {
    fn default() -> Self {
        DrainOptions {
            timeout: Duration::from_secs(300),
            grace: None,
            retry_every: Duration::from_secs(5),
            ignore_daemonsets: true,
            delete_emptydir_data: true,
            force: false,
        }
    }
}

/// One pod, told from another of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PodId {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

impl PodId {
    fn of(pod: &Pod) -> Self {
        PodId {
            namespace: pod.namespace().unwrap_or_default(),
            name: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
        }
    }
}

impl fmt::Display for PodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A pod that a drain could not remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// The pod.
    pub pod: PodId,
    /// The last reason, in the API server's words where it gave one.
    pub reason: String,
}

/// What a drain did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drained {
    /// The pods whose eviction was accepted, in that order. All are gone.
    pub evicted: Vec<PodId>,
    /// The pods that were left: those of DaemonSets, and mirrors of static pods.
    pub left: Vec<PodId>,
    /// How many evictions were refused and tried again.
    pub refusals: usize,
}

/// Empties a node: cordons it, evicts its pods in parallel, and waits until they are gone.
///
/// An eviction that a disruption budget refuses (429) is tried again every `options.retry_every`: only the
/// API server's answer tells whether the budget has room, so there is nothing to watch. Finished pods are
/// evicted too, as kubectl does. The node stays cordoned, also after an error.
///
/// # Errors
///
/// [`InjectError::DrainRefused`] if a pod may not be evicted under `options`; [`InjectError::Drain`] if pods
/// could not be evicted, or are not gone at the deadline, each named with the last reason;
/// [`InjectError::Request`] if the node is not there or its pods can't be listed.
///
/// # Caveats
///
/// A [`Client`] from a [`kube::Config`] with `default_retry` left on repeats a refused eviction by itself, up
/// to 15 times and with pauses of its own, before this function hears of it. Switch it off.
pub async fn drain(client: &Client, node: &str, options: &DrainOptions) -> Result<Drained, InjectError> {
    let started = Instant::now();
    cordon(client, node).await?;
    let on_node = format!("spec.nodeName={node}");
    let pods = Api::<Pod>::all(client.clone());
    let fail = |cause| InjectError::request("list the pods of", &ObjectRef::node(node), cause);
    let listed = pods
        .list(&ListParams::default().fields(&on_node))
        .await
        .map_err(fail)?;
    let (targets, left) = sort_out(client, node, listed.items, options).await?;

    let progress = Mutex::new(Progress::of(&targets));
    let mut evictions: FuturesUnordered<_> = targets
        .iter()
        .map(|pod| evict_at_last(client, pod, options, &progress))
        .collect();
    let mut watch = watcher(pods, watcher::Config::default().fields(&on_node))
        .default_backoff()
        .boxed();
    let mut seen = HashSet::new();
    while !lock(&progress).is_done() {
        tokio::select! {
            Some(()) = evictions.next() => {}
            event = watch.try_next() => match event {
                Ok(Some(watcher::Event::Init)) => seen.clear(),
                Ok(Some(watcher::Event::InitApply(pod))) => _ = seen.insert(PodId::of(&pod)),
                Ok(Some(watcher::Event::InitDone)) => lock(&progress).waiting.retain(|pod, _| seen.contains(pod)),
                Ok(Some(watcher::Event::Delete(pod))) => _ = lock(&progress).waiting.remove(&PodId::of(&pod)),
                // An error is no end: the watcher starts again by itself.
                Ok(Some(watcher::Event::Apply(_)) | None) | Err(_) => {}
            },
            () = sleep_until(started + options.timeout) => break,
        }
    }
    let Progress {
        waiting,
        failed,
        evicted,
        refusals,
        ..
    } = std::mem::take(&mut *lock(&progress));
    if waiting.is_empty() && failed.is_empty() {
        return Ok(Drained {
            evicted,
            left,
            refusals,
        });
    }
    let stuck = failed
        .into_iter()
        .chain(waiting)
        .map(|(pod, reason)| Stuck { pod, reason })
        .collect();
    Err(InjectError::Drain {
        node: node.to_owned(),
        waited: started.elapsed(),
        stuck,
    })
}

/// How far a drain is.
#[derive(Default)]
struct Progress {
    /// The pods that are not gone yet, with what is last known of each.
    waiting: BTreeMap<PodId, String>,
    /// The pods whose eviction failed for good; the others go on, as with kubectl.
    failed: Vec<(PodId, String)>,
    evicted: Vec<PodId>,
    refusals: usize,
    /// Evictions that are sent and not answered. A pod can be seen to go before its eviction is answered.
    in_flight: usize,
}

impl Progress {
    fn of(targets: &[PodId]) -> Self {
        let waiting = targets
            .iter()
            .map(|pod| (pod.clone(), "no answer to its eviction yet".to_owned()));
        Progress {
            waiting: waiting.collect(),
            ..Progress::default()
        }
    }

    fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.in_flight == 0
    }

    fn now(&mut self, pod: &PodId, reason: String) {
        if let Some(last) = self.waiting.get_mut(pod) {
            *last = reason;
        }
    }

    /// Takes down the answer to an eviction; true if it is to be tried again.
    fn answered(&mut self, pod: &PodId, answer: Result<Eviction, InjectError>) -> bool {
        self.in_flight -= 1;
        match answer {
            Ok(Eviction::Refused { reason }) => {
                self.refusals += 1;
                self.now(pod, reason);
                return true;
            }
            Ok(Eviction::Accepted) => {
                self.evicted.push(pod.clone());
                self.now(pod, "evicted, but not gone yet".to_owned());
            }
            Ok(Eviction::Gone) => _ = self.waiting.remove(pod),
            Err(error) => {
                self.waiting.remove(pod);
                self.failed.push((pod.clone(), error.to_string()));
            }
        }
        false
    }
}

/// A panic elsewhere is no reason to lose what is known.
fn lock(progress: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which pods are to be evicted, and which are left; an error if `options` forbid one.
///
/// The order of the questions is that of kubectl's filters, and a finished pod passes all of them but the
/// one for mirrors.
async fn sort_out(
    client: &Client,
    node: &str,
    pods: Vec<Pod>,
    options: &DrainOptions,
) -> Result<(Vec<PodId>, Vec<PodId>), InjectError> {
    let (mut targets, mut left, mut in_the_way) = (Vec::new(), Vec::new(), Vec::new());
    for pod in pods {
        let id = PodId::of(&pod);
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        let finished = matches!(phase, Some("Succeeded" | "Failed"));
        let owner = pod
            .owner_references()
            .iter()
            .find(|owner| owner.controller == Some(true));
        let daemon_set = owner.filter(|owner| owner.kind == "DaemonSet" && owner.api_version == "apps/v1");
        let mut object = None;
        if let Some(owner) = daemon_set.filter(|_| !finished) {
            let api = Api::<DaemonSet>::namespaced(client.clone(), &id.namespace);
            object = api.get_opt(&owner.name).await.map_err(|cause| {
                let owner = ObjectRef::new("apps/v1", "DaemonSet", Some(&id.namespace), &owner.name);
                InjectError::request("read", &owner, cause)
            })?;
        }
        let empty_dir = pod
            .spec
            .iter()
            .flat_map(|spec| spec.volumes.iter().flatten())
            .any(|v| v.empty_dir.is_some());
        let obstacle = if pod.annotations().contains_key("kubernetes.io/config.mirror") {
            left.push(id);
            continue;
        } else if finished {
            None
        } else if object.is_some() && options.ignore_daemonsets {
            left.push(id);
            continue;
        } else if object.is_some() {
            Some("belongs to a DaemonSet, which puts it back")
        } else if daemon_set.is_some() && !options.force {
            Some("belongs to a DaemonSet that is gone")
        } else if empty_dir && !options.delete_emptydir_data {
            Some("would lose the data of an emptyDir volume")
        } else if owner.is_none() && !options.force {
            Some("has no controller that would replace it")
        } else {
            None
        };
        match obstacle {
            Some(reason) => in_the_way.push(format!("pod \"{id}\" {reason}")),
            None => targets.push(id),
        }
    }
    if in_the_way.is_empty() {
        return Ok((targets, left));
    }
    Err(InjectError::DrainRefused {
        node: node.to_owned(),
        pods: in_the_way,
    })
}

/// Evicts one pod, again and again while it is refused.
async fn evict_at_last(client: &Client, pod: &PodId, options: &DrainOptions, progress: &Mutex<Progress>) {
    loop {
        lock(progress).in_flight += 1;
        let answer = post_eviction(client, &pod.namespace, &pod.name, Some(&pod.uid), options.grace).await;
        if !lock(progress).answered(pod, answer) {
            return;
        }
        sleep(options.retry_every).await;
    }
}
