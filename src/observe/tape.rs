//! What was recorded so far: in memory and on disk, under one lock.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::audit::Heard;
use kubeclash_timeline::{Entry, FormatError, Header, Sink, Timeline, What, World};

/// What was recorded so far.
#[derive(Debug)]
pub(super) struct Tape {
    start: Instant,
    /// The same on the wall clock, by which the API server writes its audit log.
    date: jiff::Timestamp,
    record: Mutex<Record>,
    pub(super) changed: watch::Sender<()>,
}

#[derive(Debug)]
pub(super) struct Record {
    pub(super) timeline: Timeline,
    pub(super) world: World,
    pub(super) sink: Sink,
    /// Why the file could not be written, the first time. What comes after it is in memory only.
    pub(super) failed: Option<FormatError>,
    /// Whether the recording has ended: nothing comes after that, whoever still has something to tell.
    ended: bool,
}

impl Tape {
    /// An empty one, whose time begins now.
    pub(super) fn begin(header: Header, file: &Path) -> Result<Arc<Self>, FormatError> {
        let sink = Sink::create(file, &header)?;
        Ok(Arc::new(Self {
            start: Instant::now(),
            date: jiff::Timestamp::now(),
            record: Mutex::new(Record {
                timeline: Timeline::new(header),
                world: World::default(),
                sink,
                failed: None,
                ended: false,
            }),
            changed: watch::Sender::new(()),
        }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, what: What) {
        self.put_at(None, what);
    }

    /// Puts a request at the time at which the API server got it; what came before the recorder is left out.
    pub(super) fn hear(&self, Heard { at, request }: Heard) {
        if let Ok(t) = Duration::try_from(at.duration_since(self.date)) {
            self.put_at(Some(t), What::Request(request));
        }
    }

    fn put_at(&self, t: Option<Duration>, what: What) {
        let mut record = self.lock();
        if record.ended {
            return;
        }
        record.ended = matches!(what, What::End(_));
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
