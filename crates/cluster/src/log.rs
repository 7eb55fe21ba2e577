//! A component's log: kept small while it grows, and read as it grows by whoever wants to hear of its lines.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A log that has become longer than this loses its middle.
const LIMIT: u64 = 16 << 20;

/// What is kept of its beginning then.
const HEAD: u64 = 8 << 20;

/// What is kept of its end then; also the most that is read at once.
const TAIL: u64 = 1 << 20;

/// What stands where something is left out, after how many there were.
pub(super) const LEFT_OUT: &str = "MiB are left out here";

/// How often it is looked at where nobody waits for its lines, and where somebody does. Files can't be waited for on
/// every system that kubeclash runs on.
const UNHEARD: Duration = Duration::from_millis(200);
const HEARD: Duration = Duration::from_millis(50);

/// Told of each whole line that is written from now on.
pub(super) type Ear = Box<dyn FnMut(&str) + Send>;

/// Looks after a log until it is dropped or aborted. What is there when this is called was heard before; what is written
/// after that is not missed, however late the first look is.
pub(super) fn keep(path: PathBuf, mut ear: Option<Ear>) -> impl Future<Output = ()> + Send + 'static {
    let mut log = Log::at_end(path);
    let every = if ear.is_some() { HEARD } else { UNHEARD };
    async move {
        let mut looks = tokio::time::interval(every);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            // One that can't be read now may be later; the disk may be full.
            let _ = log.look(ear.as_mut());
        }
    }
}

/// Takes the middle out of a log that is too long. What is written meanwhile may go with it.
pub(super) fn trim(path: &Path) -> std::io::Result<()> {
    let length = std::fs::metadata(path)?.len();
    if length <= LIMIT {
        return Ok(());
    }
    let mut file = OpenOptions::new().read(true).append(true).open(path)?;
    let mut kept = format!("\n# {} {LEFT_OUT}\n", (length - HEAD - TAIL) >> 20).into_bytes();
    file.seek(SeekFrom::Start(length - TAIL))?;
    let mut tail = Vec::new();
    Read::by_ref(&mut file).take(TAIL).read_to_end(&mut tail)?;
    let line = tail.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    kept.extend(&tail[line..]);
    // The component appends, too: it goes on after whatever is there.
    file.set_len(HEAD)?;
    file.write_all(&kept)
}

/// A log, and how far it was read.
struct Log {
    path: PathBuf,
    read: u64,
    /// The beginning of a line whose end is not written yet.
    begun: Vec<u8>,
}

impl Log {
    fn at_end(path: PathBuf) -> Self {
        let read = std::fs::metadata(&path).map_or(0, |file| file.len());
        Self {
            path,
            read,
            begun: Vec::new(),
        }
    }

    /// Tells of the lines that are new, and keeps the file small.
    fn look(&mut self, ear: Option<&mut Ear>) -> std::io::Result<()> {
        let length = std::fs::metadata(&self.path)?.len();
        if let Some(ear) = ear.filter(|_| length > self.read) {
            self.tell(length, ear)?;
        }
        self.read = length;
        if length > LIMIT {
            trim(&self.path)?;
            self.read = std::fs::metadata(&self.path)?.len();
            self.begun.clear();
        }
        Ok(())
    }

    fn tell(&mut self, length: u64, ear: &mut Ear) -> std::io::Result<()> {
        let from = self.read.max(length.saturating_sub(TAIL));
        if from > self.read {
            self.begun.clear();
        }
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(from))?;
        let mut new = std::mem::take(&mut self.begun);
        file.take(length - from).read_to_end(&mut new)?;
        let whole = new.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        self.begun = new.split_off(whole);
        // A line without an end is nobody's line.
        self.begun.truncate(usize::try_from(TAIL).unwrap_or(usize::MAX));
        String::from_utf8_lossy(&new).lines().for_each(ear);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn append(path: &Path, text: &[u8]) {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text).unwrap();
    }

    #[tokio::test]
    async fn what_is_written_before_the_first_look_is_heard() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        append(&path, b"of an earlier start\n");
        let (tell, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let ear: Ear = Box::new(move |line| tell.send(line.to_owned()).unwrap());
        let keeper = keep(path.clone(), Some(ear));
        append(&path, b"at once\n");
        tokio::select! {
            () = keeper => {}
            line = heard.recv() => assert_eq!(line.unwrap(), "at once"),
        }
    }

    #[test]
    fn lines_are_told_once_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        append(&path, b"of an earlier start\n");
        let mut log = Log::at_end(path.clone());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&heard);
        let mut ear: Ear = Box::new(move |line| list.lock().unwrap().push(line.to_owned()));
        log.look(Some(&mut ear)).unwrap();
        append(&path, b"one\ntw");
        log.look(Some(&mut ear)).unwrap();
        log.look(Some(&mut ear)).unwrap();
        append(&path, b"o\nthree\n");
        log.look(Some(&mut ear)).unwrap();
        assert_eq!(*heard.lock().unwrap(), ["one", "two", "three"]);
    }

    #[test]
    fn a_long_log_keeps_its_head_and_its_tail_and_no_line_is_told_twice() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        append(&path, b"# command line\nfirst\n");
        let mut log = Log::at_end(path.clone());
        let heard = Arc::new(Mutex::new(0));
        let count = Arc::clone(&heard);
        let mut ear: Ear = Box::new(move |line| *count.lock().unwrap() += usize::from(line == "mark"));
        let line = [b"x".repeat(999), b"\n".to_vec()].concat();
        for _ in 0..40 {
            append(&path, &line.repeat(1_000));
            append(&path, b"mark\n");
            log.look(Some(&mut ear)).unwrap();
            assert!(std::fs::metadata(&path).unwrap().len() <= LIMIT + 2_000_000);
        }
        append(&path, b"last\n");
        log.look(Some(&mut ear)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.len() as u64 <= LIMIT);
        assert!(text.starts_with("# command line\nfirst\n"), "{}", &text[..40]);
        assert!(text.ends_with("mark\nlast\n"));
        assert!(text.contains(" MiB are left out here\n"));
        assert_eq!(*heard.lock().unwrap(), 40);
        trim(&path).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            text,
            "it is short enough"
        );
    }
}
