//! One watch: what it has told, whether it is connected, and whether it has told all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use http::Request;
use kube::api::{DynamicObject, ListParams};
use kube::client::Body;
use kube::core::{ApiResource, GroupVersion, GroupVersionKind, ObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::tape::Tape;
use kubeclash_cluster::backoff::backoff;
use kubeclash_timeline::{Change, Gap, Sighting, What};

/// How far apart a watch asks for changes at least: one that the API server ends at once asks again without an error, and so
/// without a wait of its own.
const APART: Duration = Duration::from_millis(100);

/// One watch, as it stands.
#[derive(Debug)]
pub(super) struct Watch {
    /// What it is called: `pods`.
    pub(super) name: String,
    resource: ApiResource,
    config: watcher::Config,
    state: watch::Sender<State>,
}

/// What a watch has told so far.
#[derive(Debug, Default)]
struct State {
    /// What is there, by UID.
    known: BTreeMap<String, Known>,
    /// The UIDs of what was there and has gone.
    gone: BTreeSet<String>,
    /// Whether it has listed, and does not have to again.
    listed: bool,
    /// Whether the API server has answered its last request for changes.
    connected: bool,
    /// The last error, until it is connected again.
    trouble: Option<String>,
    /// Whether the API server has no such API: there is nothing to be seen.
    lacking: bool,
}

/// An object as a watch told it last.
#[derive(Debug)]
struct Known {
    version: String,
    what: What,
}

/// Where a watch puts what it sees.
#[derive(Debug, Clone)]
pub(super) struct Outlet {
    pub(super) tape: Arc<Tape>,
    /// The kinds that own pods, or what owns pods.
    pub(super) owners: mpsc::UnboundedSender<GroupVersionKind>,
}

impl Watch {
    /// A watch that has not begun.
    pub(super) fn new(name: impl Into<String>, resource: ApiResource, config: watcher::Config) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            resource,
            config,
            state: watch::Sender::default(),
        })
    }

    /// Whether nothing can change without being told.
    pub(super) fn is_connected(&self) -> bool {
        let state = self.state.borrow();
        state.lacking || (state.listed && state.connected)
    }

    /// Its last error, until it is connected again.
    pub(super) fn trouble(&self) -> Option<String> {
        self.state.borrow().trouble.clone()
    }

    /// Waits until it has told what there was at first.
    pub(super) async fn armed(&self) {
        let mut state = self.state.subscribe();
        // The sender is our own.
        let _ = state.wait_for(|state| state.listed || state.lacking).await;
    }

    /// Tells what changes, for ever; ends only where the API server has no such API.
    pub(super) async fn follow<K>(&self, api: Api<K>, sight: impl Fn(&K, Change) -> What, outlet: Outlet)
    where
        K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        let tape = &outlet.tape;
        let mut events = watcher(api, self.config.clone()).backoff(backoff()).boxed();
        let mut listed = BTreeMap::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => {
                    listed.clear();
                    self.list_anew(tape);
                }
                Ok(Event::InitApply(object)) => {
                    let known = self.tell(&object, sight(&object, Change::Seen), &outlet);
                    listed.insert(key(object.meta()), known);
                }
                Ok(Event::InitDone) => self.have_listed(std::mem::take(&mut listed), tape),
                Ok(Event::Apply(object)) => {
                    let known = self.tell(&object, sight(&object, Change::Seen), &outlet);
                    self.state.send_modify(|state| {
                        state.connected = true;
                        state.known.insert(key(object.meta()), known);
                    });
                }
                Ok(Event::Delete(object)) => {
                    put_gone(sight(&object, Change::Gone), tape);
                    self.state.send_modify(|state| {
                        state.connected = true;
                        state.forget(key(object.meta()));
                    });
                }
                Err(error) => self.fail(&error, tape),
            }
            if self.state.borrow().lacking {
                tracing::warn!(
                    watch = self.name,
                    "the API server has no such API: nothing of it is seen"
                );
                return;
            }
        }
    }

    /// Puts an object on the tape, unless it stands there in this version already.
    fn tell(&self, object: &impl ResourceExt, what: What, outlet: &Outlet) -> Known {
        let version = object.resource_version().unwrap_or_default();
        let told = {
            let state = self.state.borrow();
            let known = state.known.get(&key(object.meta()));
            known.is_some_and(|known| known.version == version)
        };
        if !told {
            if matches!(what, What::Pod(_) | What::Workload(_)) {
                // Whoever listens goes with the watches.
                owners(object.meta()).for_each(|kind| drop(outlet.owners.send(kind)));
            }
            outlet.tape.put(what.clone());
        }
        Known { version, what }
    }

    /// What happened since its last event is not seen, if it had listed before.
    fn list_anew(&self, tape: &Tape) {
        let mut gap = None;
        self.state.send_modify(|state| {
            if std::mem::take(&mut state.listed) {
                gap = Some(state.trouble.clone());
            }
        });
        if let Some(trouble) = gap {
            self.gap(
                trouble.unwrap_or_else(|| "the watch had to list again".to_owned()),
                tape,
            );
        }
    }

    fn have_listed(&self, listed: BTreeMap<String, Known>, tape: &Tape) {
        let vanished: Vec<What> = {
            let state = self.state.borrow();
            let missing = state.known.iter().filter(|(uid, _)| !listed.contains_key(*uid));
            missing.map(|(_, known)| known.what.clone()).collect()
        };
        vanished.into_iter().for_each(|what| put_gone(what, tape));
        self.state.send_modify(|state| {
            let before = std::mem::replace(&mut state.known, listed);
            let known = &state.known;
            state
                .gone
                .extend(before.into_keys().filter(|uid| !known.contains_key(uid)));
            state.listed = true;
        });
    }

    /// The watcher resumes where it was; only a list anew is a gap, or an event that can't be read.
    fn fail(&self, error: &watcher::Error, tape: &Tape) {
        let mut unread = false;
        self.state.send_modify(|state| {
            unread = state.connected && is_unread(error);
            state.connected = unread;
            state.lacking = state.known.is_empty() && is_lacking(error);
            state.trouble = Some(error.to_string());
        });
        if unread {
            self.gap(format!("an event could not be read: {error}"), tape);
        }
    }

    fn gap(&self, why: String, tape: &Tape) {
        let watch = self.name.clone();
        tape.put(What::Gap(Gap { watch, why }));
    }

    /// Puts a gap where it has not told until `deadline` of all that there is now.
    pub(super) async fn catch_up(&self, client: &Client, tape: &Tape, deadline: Instant) {
        if self.state.borrow().lacking {
            return;
        }
        let why = match timeout_at(deadline, self.list(client)).await {
            Ok(Ok(listed)) => {
                let mut state = self.state.subscribe();
                let caught_up = state.wait_for(|state| state.misses(&listed).is_none());
                match timeout_at(deadline, caught_up).await {
                    Ok(_) => None,
                    Err(_) => self.state.borrow().misses(&listed),
                }
            }
            Ok(Err(error)) => Some(format!("it could not be asked at the end what there is: {error}")),
            Err(_) => Some("it was not answered at the end what there is".to_owned()),
        };
        if let Some(why) = why {
            self.gap(why, tape);
        }
    }

    /// What there is, in which version.
    async fn list(&self, client: &Client) -> kube::Result<Listed> {
        let api = Api::<DynamicObject>::all_with(client.clone(), &self.resource);
        let asked = ListParams {
            label_selector: self.config.label_selector.clone(),
            field_selector: self.config.field_selector.clone(),
            ..ListParams::default()
        };
        let list = api.list_metadata(&asked).await?;
        Ok(Listed {
            version: list.metadata.resource_version.unwrap_or_default(),
            objects: list
                .items
                .into_iter()
                .map(|o| (key(&o.metadata), o.metadata))
                .collect(),
        })
    }

    /// A client through which it is known whether its requests for changes are answered: the watcher does not say when it has
    /// connected again.
    pub(super) fn client(self: &Arc<Self>, client: &Client) -> Client {
        let namespace = client.default_namespace().to_owned();
        let (client, watch) = (client.clone(), Arc::clone(self));
        let last: Arc<Mutex<Option<Instant>>> = Arc::default();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (client, watch, last) = (client.clone(), Arc::clone(&watch), Arc::clone(&last));
            async move {
                let query = request.uri().query().unwrap_or_default();
                if !query.split('&').any(|part| part == "watch=true") {
                    return client.send(request).await;
                }
                watch.state.send_modify(|state| state.connected = false);
                sleep_until(next(&last)).await;
                let answer = client.send(request).await?;
                if answer.status().is_success() {
                    watch.state.send_modify(|state| {
                        state.connected = true;
                        state.trouble = None;
                    });
                }
                Ok::<_, kube::Error>(answer)
            }
        });
        Client::new(service, namespace)
    }
}

/// When may be asked for changes again; that is then the last time.
fn next(last: &Mutex<Option<Instant>>) -> Instant {
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    let next = last.map_or(now, |last| now.max(last + APART));
    *last = Some(next);
    next
}

/// What a list shows.
struct Listed {
    /// The version at which this was all.
    version: String,
    objects: BTreeMap<String, ObjectMeta>,
}

impl State {
    fn forget(&mut self, uid: String) {
        self.known.remove(&uid);
        self.gone.insert(uid);
    }

    /// What has not been told of what a list shows; `None` where nothing is missing.
    fn misses(&self, listed: &Listed) -> Option<String> {
        if self.listed && self.connected {
            return self.untold(listed);
        }
        let trouble = self
            .trouble
            .as_deref()
            .unwrap_or("the API server has not answered");
        Some(format!("it was not connected at the end: {trouble}"))
    }

    fn untold(&self, listed: &Listed) -> Option<String> {
        let changed = listed.objects.iter().filter(|(uid, object)| {
            let known = self.known.get(*uid);
            let told = known.is_some_and(|known| reaches(&known.version, version(object)));
            !told && !self.gone.contains(*uid)
        });
        let gone = self.known.iter().filter(|(uid, known)| {
            !listed.objects.contains_key(*uid) && reaches(&listed.version, &known.version)
        });
        let (changed, gone): (Vec<_>, usize) = (changed.collect(), gone.count());
        let name = changed.first().and_then(|(_, object)| object.name.as_deref());
        match (name, gone) {
            (Some(name), _) => Some(format!(
                "it had not told of {} objects at the end, \"{name}\" for one",
                changed.len()
            )),
            (None, 0) => None,
            (None, _) => Some(format!("it had not told of {gone} deletions at the end")),
        }
    }
}

/// Whether one resource version is another, or a later one. They are numbers wherever etcd gives them.
fn reaches(version: &str, other: &str) -> bool {
    match (version.parse::<u64>(), other.parse::<u64>()) {
        (Ok(version), Ok(other)) => version >= other,
        _ => version == other,
    }
}

fn version(object: &ObjectMeta) -> &str {
    object.resource_version.as_deref().unwrap_or_default()
}

/// An object's UID; where it has none, its place.
fn key(object: &ObjectMeta) -> String {
    object.uid.clone().unwrap_or_else(|| {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        format!("{}/{}", part(&object.namespace), part(&object.name))
    })
}

/// The kind of the controller that an object belongs to.
fn owners(object: &ObjectMeta) -> impl Iterator<Item = GroupVersionKind> {
    let owners = object.owner_references.iter().flatten();
    owners
        .filter(|owner| owner.controller == Some(true))
        .filter_map(|owner| {
            Some(
                owner
                    .api_version
                    .parse::<GroupVersion>()
                    .ok()?
                    .with_kind(&owner.kind),
            )
        })
}

/// Puts that an object has gone. That an Event has is no news: they are kept for an hour.
fn put_gone(mut what: What, tape: &Tape) {
    fn leave<T>(sighting: &mut Sighting<T>) {
        sighting.change = Change::Gone;
    }
    match &mut what {
        What::Pod(sighting) => leave(sighting),
        What::Node(sighting) => leave(sighting),
        What::Workload(sighting) => leave(sighting),
        What::Hpa(sighting) => leave(sighting),
        What::Budget(sighting) => leave(sighting),
        _ => return,
    }
    tape.put(what);
}

/// Whether the API server has no such API.
fn is_lacking(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::InitialListFailed(kube::Error::Api(status)) if status.code == 404)
}

/// Whether a line came that is no event: it will not come again.
///
/// kube takes whatever it can't read for a [`Status`](kube::core::Status), all of whose fields may be missing.
fn is_unread(error: &watcher::Error) -> bool {
    use kube::Error::{Api, SerdeError};
    matches!(error, watcher::Error::WatchFailed(Api(_) | SerdeError(_)))
}
