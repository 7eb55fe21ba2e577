//! The recorder: watches that are armed before anything is touched, and everything they see, on disk as it comes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::audit::Tail;
use super::tape::Tape;
use super::watches::Watches;
use crate::observe::{Condition, Poll};
use kubeclash_timeline::{Ending, FormatError, Header, Timeline, What, World};

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

/// How long the end of a recording waits for what the watches still have to tell, and the API server to write down.
const CATCH_UP: Duration = Duration::from_secs(5);

/// How the request begins that the recorder makes to know how far it has read.
const BOOKMARK: &str = "kubeclash-bookmark-";

/// How long it is at least from one look at a timeline to the next.
const LOOK: Duration = Duration::from_millis(50);

/// How long a watch may take to tell what there is at first.
const ARMED: Duration = Duration::from_secs(30);

/// Watches a cluster and records what they see, in memory and on disk.
#[derive(Debug)]
pub struct Recorder {
    tape: Arc<Tape>,
    watches: Watches,
    /// The last bookmark that was found in the audit log; `None` where there is no such log.
    bookmark: Option<watch::Receiver<String>>,
    _listening: JoinSet<()>,
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
        let tape = Tape::begin(header, file)?;
        let watches = Watches::begin(client, &tape);
        watches.armed(ARMED).await.map_err(RecorderError::NotArmed)?;
        let mut listening = JoinSet::new();
        let bookmark = audit.map(|log| {
            let (found, bookmark) = watch::channel(String::new());
            listening.spawn(listen(Tail::of(log), Arc::clone(&tape), found));
            bookmark
        });
        Ok(Self {
            tape,
            watches,
            bookmark,
            _listening: listening,
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
                Poll::Ready => return Ok(()),
                Poll::Pending(missing) => missing,
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
                // Where a watch is not connected, something may have changed.
                Err(_) if self.watches.are_connected() => self.note(What::Still(())),
                Err(_) => {}
            }
            if tokio::time::Instant::now() >= deadline {
                return;
            }
        }
    }

    /// Waits until everything that has happened so far is recorded: every change, and, where there is an audit log, every
    /// request that was answered.
    ///
    /// A watch that has not told in time of all that a list shows has a [gap](What::Gap) at the end.
    pub async fn catch_up(&self, client: &Client) {
        tokio::join!(self.watches.catch_up(CATCH_UP), self.hear_all(client));
    }

    /// The API server writes its log in the order of its answers, so a request of our own is the last of them: a deletion of
    /// what does not exist.
    async fn hear_all(&self, client: &Client) {
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

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
