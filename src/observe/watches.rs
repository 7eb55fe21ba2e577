//! Which kinds are watched: those of Kubernetes that make pods, or bear on them, and whatever else turns out to own pods.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Event, Node, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use kube::discovery::{ApiCapabilities, Scope, pinned_kind, verbs};
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::sight::{Sight, foreign};
use super::tape::Tape;
use super::watch::{Outlet, Watch};
use kubeclash_cluster::WORKERS;
use kubeclash_cluster::backoff::backoff;

/// The namespaces of the cluster itself. The last is that of kind's storage.
const NOT_WATCHED: [&str; 4] = [
    "kube-system",
    "kube-public",
    "kube-node-lease",
    "local-path-storage",
];

/// Kinds that own pods, or own what does, and are watched from the beginning, or not worth it: a static pod's node.
const KNOWN: [(&str, &str); 7] = [
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("batch", "Job"),
    ("batch", "CronJob"),
    ("", "Node"),
];

/// How often it is asked what a kind is, as long as there is no answer.
const TRIES: usize = 6;

/// All watches of a recorder. They end when it is dropped.
#[derive(Debug)]
pub(super) struct Watches {
    desk: Desk,
    _tasks: JoinSet<()>,
}

/// What it takes to begin a watch.
#[derive(Clone)]
struct Desk {
    client: Client,
    outlet: Outlet,
    all: Arc<Mutex<Vec<Arc<Watch>>>>,
}

impl Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk")
            .field("all", &self.all)
            .finish_non_exhaustive()
    }
}

impl Watches {
    /// Begins the watches on what Kubernetes itself has.
    pub(super) fn begin(client: &Client, tape: &Arc<Tape>) -> Self {
        let (owners, found) = mpsc::unbounded_channel();
        let desk = Desk {
            client: client.clone(),
            outlet: Outlet {
                tape: Arc::clone(tape),
                owners,
            },
            all: Arc::default(),
        };
        let mut tasks = JoinSet::new();
        // A control plane's node takes no part: no pod of a case can come to it.
        let workers = watcher::Config::default().labels(WORKERS);
        desk.watch::<Node>("nodes", workers, &mut tasks);
        desk.watch::<Pod>("pods", namespaced(), &mut tasks);
        desk.watch::<Deployment>("deployments", namespaced(), &mut tasks);
        desk.watch::<ReplicaSet>("replica sets", namespaced(), &mut tasks);
        desk.watch::<StatefulSet>("stateful sets", namespaced(), &mut tasks);
        desk.watch::<DaemonSet>("daemon sets", namespaced(), &mut tasks);
        desk.watch::<Job>("jobs", namespaced(), &mut tasks);
        desk.watch::<CronJob>("cron jobs", namespaced(), &mut tasks);
        desk.watch::<HorizontalPodAutoscaler>("autoscalers", namespaced(), &mut tasks);
        desk.watch::<PodDisruptionBudget>("disruption budgets", namespaced(), &mut tasks);
        desk.watch::<Event>("events", namespaced(), &mut tasks);
        tasks.spawn(desk.clone().find_owners(found));
        Self { desk, _tasks: tasks }
    }

    /// Waits until all have told what there was at first.
    ///
    /// # Errors
    /// Which have not when the time is over, and why.
    pub(super) async fn armed(&self, within: Duration) -> Result<(), String> {
        let all = self.desk.all();
        let armed = all
            .iter()
            .map(|watch| tokio::time::timeout(within, watch.armed()));
        let missing: Vec<String> = join_all(armed)
            .await
            .iter()
            .zip(&all)
            .filter(|(armed, _)| armed.is_err())
            .map(|(_, watch)| match watch.trouble() {
                Some(trouble) => format!("{} ({trouble})", watch.name),
                None => watch.name.clone(),
            })
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(missing.join(", "))
        }
    }

    /// Whether nothing can change without being told.
    pub(super) fn are_connected(&self) -> bool {
        self.desk.lock().iter().all(|watch| watch.is_connected())
    }

    /// Waits until all have told of what there is now, and puts a gap for each that has not when the time is over.
    pub(super) async fn catch_up(&self, within: Duration) {
        let deadline = Instant::now() + within;
        let all = self.desk.all();
        let Desk { client, outlet, .. } = &self.desk;
        join_all(
            all.iter()
                .map(|watch| watch.catch_up(client, &outlet.tape, deadline)),
        )
        .await;
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Watch>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> Vec<Arc<Watch>> {
        self.lock().clone()
    }

    fn watch<K>(&self, name: &str, config: watcher::Config, tasks: &mut JoinSet<()>)
    where
        K: Resource + Sight + Clone + DeserializeOwned + Debug + Send + 'static,
        K::DynamicType: Default,
    {
        let resource = ApiResource::erase::<K>(&K::DynamicType::default());
        let watch = Watch::new(name, resource, config);
        self.lock().push(Arc::clone(&watch));
        let api = Api::<K>::all(watch.client(&self.client));
        let outlet = self.outlet.clone();
        tasks.spawn(async move { watch.follow(api, K::sight, outlet).await });
    }

    /// Begins a watch on each kind that turns out to own pods, or to own what does.
    async fn find_owners(self, mut found: mpsc::UnboundedReceiver<GroupVersionKind>) {
        let known = KNOWN.map(|(group, kind)| (group.to_owned(), kind.to_owned()));
        let mut known = BTreeSet::from(known);
        let mut tasks = JoinSet::new();
        while let Some(kind) = found.recv().await {
            if known.insert((kind.group.clone(), kind.kind.clone())) {
                tasks.spawn(self.clone().watch_foreign(kind));
            }
        }
    }

    async fn watch_foreign(self, kind: GroupVersionKind) {
        let (resource, abilities) = match self.discover(&kind).await {
            Ok(found) => found,
            Err(why) => {
                let GroupVersionKind { group, version, kind } = kind;
                tracing::warn!(%why, "pods belong to a {kind} ({group}/{version}), which can't be watched");
                return;
            }
        };
        let config = match abilities.scope {
            Scope::Namespaced => namespaced(),
            Scope::Cluster => watcher::Config::default(),
        };
        let name = format!("{}.{}", resource.plural, resource.group);
        let watch = Watch::new(name.trim_end_matches('.'), resource.clone(), config);
        self.lock().push(Arc::clone(&watch));
        let api = Api::<DynamicObject>::all_with(watch.client(&self.client), &resource);
        let sight = |object: &DynamicObject, change| foreign(&resource.kind, object, change);
        watch.follow(api, sight, self.outlet.clone()).await;
    }

    /// Asks the API server what a kind is.
    async fn discover(&self, kind: &GroupVersionKind) -> Result<(ApiResource, ApiCapabilities), String> {
        let mut why = "it was not asked".to_owned();
        for wait in backoff().take(TRIES) {
            match pinned_kind(&self.client, kind).await {
                Ok(found) if found.1.supports_operation(verbs::WATCH) => return Ok(found),
                Ok(_) => return Err("its API has no watches".to_owned()),
                Err(error) => why = error.to_string(),
            }
            // Its definition may be a moment older than its first object.
            tokio::time::sleep(wait).await;
        }
        Err(why)
    }
}

/// All namespaces but the cluster's own.
fn namespaced() -> watcher::Config {
    let fields = NOT_WATCHED.map(|namespace| format!("metadata.namespace!={namespace}"));
    watcher::Config::default().fields(&fields.join(","))
}
