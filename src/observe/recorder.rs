//! The recorder: watches that are armed before anything is touched, and everything they see, on disk as it comes.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Event, Node, Pod};
use kube::api::DeleteParams;
use kube::runtime::watcher::{self, Event as Watched};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::audit::{Heard, Tail};
use super::sight::Sight;
use crate::provider::WORKERS;
use crate::scenario::{Condition, Outlook};
use crate::timeline::{Change, Ending, Entry, FormatError, Gap, Header, Sink, Timeline, What, World};

/// Why there is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The timeline can't be written.
    #[error(transparent)]
    Timeline(#[from] FormatError),
    /// A watch did not begin.
    #[error("failed to arm the recorder: no answer to the watch on {0} within 30 s")]
    NotArmed(String),
}

/// After how long without a change the timeline says that there was none.
const STILL: Duration = Duration::from_millis(500);

/// How often the audit log is looked at. Nobody waits for it but the end of a recording.
const LISTEN: Duration = Duration::from_millis(100);

/// How long the end of a recording waits for what the API server still has to write down.
const CATCH_UP: Duration = Duration::from_secs(2);

/// How the request begins that the recorder makes to know how far it has read.
const BOOKMARK: &str = "kubeclash-bookmark-";

/// How long it is at least from one look at a timeline to the next.
const LOOK: Duration = Duration::from_millis(50);

/// How many kinds of object are watched.
const WATCHES: usize = 6;

/// Watches a cluster and records what they see, in memory and on disk.
#[derive(Debug)]
pub struct Recorder {
    tape: Arc<Tape>,
    /// The last bookmark that was found in the audit log; `None` where there is no such log.
    bookmark: Option<watch::Receiver<String>>,
    _watches: JoinSet<()>,
}

#[derive(Debug)]
struct Tape {
    start: Instant,
    /// The same on the wall clock, by which the API server writes its audit log.
    date: jiff::Timestamp,
    record: Mutex<Record>,
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct Record {
    timeline: Timeline,
    world: World,
    sink: Sink,
    failed: Option<FormatError>,
}

impl Recorder {
    /// Starts all watches and returns when each has seen what is there: from then on nothing is missed.
    ///
    /// Where the API server keeps an `audit` log, its requests are recorded as well.
    ///
    /// # Errors
    /// When the file can't be written, or a watch does not begin.
    pub async fn arm(
        client: &Client,
        header: Header,
        file: &Path,
        audit: Option<&Path>,
    ) -> Result<Self, RecorderError> {
        let sink = Sink::create(file, &header)?;
        let record = Record {
            timeline: Timeline::new(header),
            world: World::default(),
            sink,
            failed: None,
        };
        let tape = Arc::new(Tape {
            start: Instant::now(),
            date: jiff::Timestamp::now(),
            record: Mutex::new(record),
            changed: watch::Sender::new(()),
        });
        let mut watches = JoinSet::new();
        let (armed, mut arming) = mpsc::unbounded_channel();
        let watching = |name| Watching {
            name,
            tape: Arc::clone(&tape),
            armed: armed.clone(),
        };
        let here = client.clone();
        // A control plane's node takes no part: no pod of a case can come to it.
        let workers = watcher::Config::default().labels(WORKERS);
        watches.spawn(watching("nodes").run_with(Api::<Node>::all(here.clone()), workers));
        watches.spawn(watching("pods").run(Api::<Pod>::default_namespaced(here.clone())));
        watches.spawn(watching("deployments").run(Api::<Deployment>::default_namespaced(here.clone())));
        watches.spawn(watching("replica sets").run(Api::<ReplicaSet>::default_namespaced(here.clone())));
        watches.spawn(
            watching("autoscalers").run(Api::<HorizontalPodAutoscaler>::default_namespaced(here.clone())),
        );
        watches.spawn(watching("events").run(Api::<Event>::default_namespaced(here)));
        let mut missing = vec![
            "nodes",
            "pods",
            "deployments",
            "replica sets",
            "autoscalers",
            "events",
        ];
        debug_assert_eq!(missing.len(), WATCHES);
        let all = async {
            while let Some(name) = if missing.is_empty() {
                None
            } else {
                arming.recv().await
            } {
                missing.retain(|other| *other != name);
            }
        };
        if tokio::time::timeout(Duration::from_secs(30), all).await.is_err() {
            return Err(RecorderError::NotArmed(missing.join(", ")));
        }
        let bookmark = audit.map(|log| {
            let (found, bookmark) = watch::channel(String::new());
            watches.spawn(listen(Tail::of(log), Arc::clone(&tape), found));
            bookmark
        });
        Ok(Self {
            tape,
            bookmark,
            _watches: watches,
        })
    }

    /// Puts something on the timeline that no watch sees: a mark, a step.
    pub fn note(&self, what: What) {
        self.tape.put(what);
    }

    /// The same for whoever sees something while the recorder is elsewhere.
    pub fn noter(&self) -> impl Fn(What) + Send + Sync + use<> {
        let tape = Arc::clone(&self.tape);
        move |what| tape.put(what)
    }

    /// Looks at the timeline and the world as they are now.
    pub fn look<T>(&self, at: impl FnOnce(&Timeline, &World) -> T) -> T {
        let record = self.tape.lock();
        at(&record.timeline, &record.world)
    }

    /// Waits for a condition. `Err` carries what was last missing.
    ///
    /// # Errors
    /// When the time is over.
    pub async fn wait(&self, condition: &Condition, within: Duration) -> Result<(), String> {
        let mut changes = self.tape.changed.subscribe();
        let deadline = tokio::time::Instant::now() + within;
        loop {
            let missing = match self.look(|_, world| condition.look(world)) {
                Outlook::Done => return Ok(()),
                Outlook::NotYet(missing) => missing,
            };
            match tokio::time::timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                _ => {
                    return Err(format!(
                        "waited {:.1} s for {condition}: {missing}",
                        within.as_secs_f64()
                    ));
                }
            }
        }
    }

    /// Watches until `deadline`, or until `done` says so; it is asked after changes, at most 20 times a second, and less
    /// often, down to 4 times, where asking takes long: a timeline gets long, too.
    pub async fn watch(&self, deadline: tokio::time::Instant, mut done: impl FnMut(&Timeline) -> bool) {
        let mut changes = self.tape.changed.subscribe();
        loop {
            let asked = tokio::time::Instant::now();
            // What can't be written any more need not be watched: `check` has the reason.
            if self.look(|timeline, _| done(timeline)) || self.tape.lock().failed.is_some() {
                return;
            }
            let pause = (asked.elapsed() * 50).clamp(LOOK, LOOK * 5);
            let again = deadline.min(asked + pause);
            let still = deadline.min(asked + STILL);
            match tokio::time::timeout_at(still, changes.changed()).await {
                Ok(_) => tokio::time::sleep_until(again).await,
                Err(_) => self.note(What::Still(())),
            }
            if tokio::time::Instant::now() >= deadline {
                return;
            }
        }
    }

    /// Waits until all requests that were answered so far are recorded; at once where there is no audit log.
    ///
    /// The API server writes its log in the order of its answers, so a request of our own is the last of them: a deletion
    /// of what does not exist.
    pub async fn catch_up(&self, client: &Client) {
        let Some(mut bookmark) = self.bookmark.clone() else {
            return;
        };
        let name = format!("{BOOKMARK}{}", uuid::Uuid::new_v4().simple());
        let pods = Api::<Pod>::default_namespaced(client.clone());
        let found = async {
            match pods.delete(&name, &DeleteParams::default()).await {
                Err(kube::Error::Api(_)) => bookmark.wait_for(|found| *found == name).await.is_ok(),
                // Nobody answers any more, so nothing more is written down.
                _ => false,
            }
        };
        if !tokio::time::timeout(CATCH_UP, found).await.unwrap_or(false) {
            tracing::warn!("the audit log lags behind: some requests are not on the timeline");
        }
    }

    /// What went wrong in writing, if something did.
    ///
    /// # Errors
    /// When an entry could not be written.
    pub fn check(&self) -> Result<(), RecorderError> {
        match self.tape.lock().failed.take() {
            Some(failed) => Err(failed.into()),
            None => Ok(()),
        }
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// When the file could not be written to its end.
    pub fn finish(self, ending: Ending) -> Result<Timeline, RecorderError> {
        self.tape.put(What::End(ending));
        self.check()?;
        let mut record = self.tape.lock();
        let nothing = Timeline::new(record.timeline.header.clone());
        Ok(std::mem::replace(&mut record.timeline, nothing))
    }
}

impl Tape {
    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, what: What) {
        self.put_at(None, what);
    }

    /// Puts a request at the time at which the API server got it; what came before the recorder is left out.
    fn hear(&self, Heard { at, request }: Heard) {
        if let Ok(t) = Duration::try_from(at.duration_since(self.date)) {
            self.put_at(Some(t), What::Request(request));
        }
    }

    fn put_at(&self, t: Option<Duration>, what: What) {
        let mut record = self.lock();
        // Under the lock, so that times ascend; and nothing is of the future, whatever the wall clock says.
        let now = self.start.elapsed();
        let entry = Entry {
            t: t.map_or(now, |t| t.min(now)),
            what,
        };
        if record.failed.is_none()
            && let Err(failed) = record.sink.write(&entry)
        {
            record.failed = Some(failed);
        }
        record.world.see(&entry.what);
        record.timeline.insert(entry);
        drop(record);
        self.changed.send_replace(());
    }
}

/// Records the requests of an audit log, as they come.
async fn listen(mut log: Tail, tape: Arc<Tape>, bookmark: watch::Sender<String>) {
    let mut looks = tokio::time::interval(LISTEN);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut passed_over = 0;
    loop {
        looks.tick().await;
        let heard = match log.read() {
            Ok(heard) => heard,
            Err(error) => {
                tracing::warn!(%error, "the audit log can't be read any more: who did what is not known from here on");
                return;
            }
        };
        for one in heard {
            if one.request.name.starts_with(BOOKMARK) {
                bookmark.send_replace(one.request.name);
            } else {
                tape.hear(one);
            }
        }
        if log.passed_over > passed_over {
            passed_over = log.passed_over;
            tracing::warn!(passed_over, "lines of the audit log were passed over");
        }
    }
}

/// One watch.
struct Watching {
    name: &'static str,
    tape: Arc<Tape>,
    armed: mpsc::UnboundedSender<&'static str>,
}

impl Watching {
    async fn run<K>(self, api: Api<K>)
    where
        K: Resource + Sight + Clone + DeserializeOwned + Debug + Send + 'static,
        K::DynamicType: Default,
    {
        self.run_with(api, watcher::Config::default()).await;
    }

    async fn run_with<K>(self, api: Api<K>, config: watcher::Config)
    where
        K: Resource + Sight + Clone + DeserializeOwned + Debug + Send + 'static,
        K::DynamicType: Default,
    {
        let mut known: BTreeMap<String, K> = BTreeMap::new();
        let mut listed: BTreeMap<String, K> = BTreeMap::new();
        let mut lists = 0;
        let mut trouble = None;
        let mut events = watcher::watcher(api, config).boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(Watched::Init) => {
                    listed.clear();
                    lists += 1;
                    if lists > 1 {
                        let why = trouble
                            .take()
                            .unwrap_or_else(|| "the watch had to list again".to_owned());
                        self.tape.put(What::Gap(Gap {
                            watch: self.name.to_owned(),
                            why,
                        }));
                    }
                }
                Ok(Watched::InitApply(object)) => {
                    let uid = object.uid().unwrap_or_default();
                    if known.get(&uid).map(ResourceExt::resource_version) != Some(object.resource_version()) {
                        self.tape.put(object.sight(Change::Seen));
                    }
                    listed.insert(uid, object);
                }
                Ok(Watched::InitDone) => {
                    for (uid, object) in std::mem::replace(&mut known, std::mem::take(&mut listed)) {
                        if !known.contains_key(&uid) {
                            self.tape.put(object.sight(Change::Gone));
                        }
                    }
                    let _ = self.armed.send(self.name);
                }
                Ok(Watched::Apply(object)) => {
                    self.tape.put(object.sight(Change::Seen));
                    known.insert(object.uid().unwrap_or_default(), object);
                }
                Ok(Watched::Delete(object)) => {
                    known.remove(&object.uid().unwrap_or_default());
                    self.tape.put(object.sight(Change::Gone));
                }
                // The watcher resumes where it was; only a list anew is a gap.
                Err(error) => trouble = Some(error.to_string()),
            }
        }
    }
}
