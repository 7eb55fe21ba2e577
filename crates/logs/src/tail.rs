//! The same while logs are written: what is appended goes in, the first red signature comes out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::calendar::{Calendar, YearFrom};
use super::classification::{Classification, Gathered, LogRead};
use super::classifier::Classifier;
use super::inputs::{Input, Inputs, PassedOver};
use super::judge::found;
use super::origin::KnownBy;
use super::rules::Severity;
use super::scan::{Scanner, Sighting};
use super::source::Packed;
use super::tally::{Findings, Log, Place};

/// The first line that makes a red signature found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedHit {
    /// The signature's name.
    pub signature: String,
    /// What it means.
    pub meaning: String,
    /// The signature's first line, in time.
    pub place: Place,
    /// Its text, or a part of it.
    pub excerpt: String,
}

/// Logs that grow, and what was seen in them so far.
///
/// ```
/// use std::path::Path;
/// use std::sync::Arc;
/// use kubeclash_logs::{Classifier, Rules, Tail};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut tail = Tail::new(Arc::new(Classifier::new(Rules::embedded()?)?));
/// let log = Path::new("logs/kubelet.log");
/// tail.append(log, b"I1122 10:00:00.000001 1 a.go:1] Container kube-api");
/// assert!(tail.first_red().is_none());
/// tail.append(log, b"server failed liveness probe, will be restarted\n");
/// assert_eq!(tail.first_red().unwrap().signature, "apiserver-fails-liveness");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Tail {
    classifier: Arc<Classifier>,
    findings: Findings,
    logs: BTreeMap<PathBuf, Growing>,
    first: Option<RedHit>,
    unread: BTreeMap<PathBuf, String>,
}

#[derive(Debug)]
struct Growing {
    scanner: Scanner,
    log: Log,
    component: Option<(usize, KnownBy)>,
    hits: u64,
    /// The file that is followed, and how far it was read.
    file: Option<(u64, u64)>,
    note: Option<String>,
}

impl Tail {
    /// Nothing yet.
    #[must_use]
    pub fn new(classifier: Arc<Classifier>) -> Self {
        Self {
            findings: Findings::of(classifier.rules()),
            classifier,
            logs: BTreeMap::new(),
            first: None,
            unread: BTreeMap::new(),
        }
    }

    /// The first red signature that was found; none whose lines others may still explain.
    #[must_use]
    pub fn first_red(&self) -> Option<&RedHit> {
        self.first.as_ref()
    }

    /// What was seen so far.
    #[must_use]
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Takes what was appended to a log. Its path says whose it is; a line is looked at when it is complete.
    pub fn append(&mut self, path: &Path, bytes: &[u8]) {
        let classifier = Arc::clone(&self.classifier);
        let growing = self.logs.entry(path.to_owned()).or_insert_with(|| Growing {
            scanner: Scanner::default(),
            // A log that is being written is of today.
            log: Log::growing(
                Arc::from(path),
                Calendar::near(
                    jiff::tz::TimeZone::UTC.to_datetime(Timestamp::now()).date(),
                    YearFrom::Today,
                ),
            ),
            component: classifier.component(path, bytes),
            hits: 0,
            file: None,
            note: None,
        });
        let sieve = classifier.sieve(growing.component);
        let (findings, log, hits) = (&mut self.findings, &mut growing.log, &mut growing.hits);
        let mut tell = |sighting: &Sighting<'_>| {
            *hits += 1;
            findings.add(sighting, log);
        };
        growing.scanner.feed(bytes, sieve, &mut tell);
        self.note_red();
    }

    /// Reads what was appended to the logs below a folder since the last time, and to new ones.
    ///
    /// A log that became shorter is read from its start, as `copytruncate` makes it so, and one that was replaced is
    /// another log. Packed ones are left out: they don't grow. What can't be read is told by [`Tail::finish`].
    pub fn poll(&mut self, dir: &Path) {
        let inputs = Inputs::at(&[dir.to_owned()]);
        for file in inputs.unread {
            self.unread.insert(file.path, file.why);
        }
        for input in inputs.read {
            let Input::File { path, .. } = input else { continue };
            match self.follow(&path) {
                Ok(()) => drop(self.unread.remove(&path)),
                Err(e) => drop(self.unread.insert(path, e.to_string())),
            }
        }
    }

    fn follow(&mut self, path: &Path) -> io::Result<()> {
        if path.extension().is_some_and(|end| end == "gz" || end == "zst") {
            return Ok(());
        }
        let mut file = File::open(path)?;
        let is = file.metadata()?;
        let mut from = 0;
        if let Some(growing) = self.logs.get_mut(path)
            && let Some((inode, read)) = growing.file
        {
            from = if inode == is.ino() && is.len() >= read {
                read
            } else {
                0
            };
            if from == 0 && read > 0 {
                growing.note = Some("it was truncated or replaced while it was written".to_owned());
            }
        }
        file.seek(SeekFrom::Start(from))?;
        let mut left = file.take(is.len().saturating_sub(from));
        let mut buffer = vec![0; 256 << 10];
        let mut read = from;
        loop {
            let count = left.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            read += count as u64;
            self.append(path, &buffer[..count]);
            if let Some(growing) = self.logs.get_mut(path) {
                growing.file = Some((is.ino(), read));
            }
        }
        Ok(())
    }

    fn note_red(&mut self) {
        if self.first.is_some() {
            return;
        }
        let rules = self.classifier.rules();
        let red = (0..rules.signatures.len()).filter(|&at| {
            let signature = &rules.signatures[at];
            // What a later line may explain is not known before the end.
            signature.severity == Severity::Red
                && signature.less.is_empty()
                && found(rules, &self.findings, at)
        });
        let hits = red.filter_map(|at| {
            let (place, excerpt) = self.findings.tally(at).first.clone()?;
            Some(RedHit {
                signature: rules.signatures[at].id.clone(),
                meaning: rules.signatures[at].meaning.clone(),
                place,
                excerpt,
            })
        });
        self.first = hits.min_by_key(|hit| (hit.place.time.is_none(), hit.place.time));
    }

    /// Looks at last lines without a newline, and judges.
    #[must_use]
    pub fn finish(mut self) -> Classification {
        let rules = self.classifier.rules();
        let mut gathered = Gathered::default();
        for (path, mut growing) in self.logs {
            let (log, hits) = (&mut growing.log, &mut growing.hits);
            let mut tell = |sighting: &Sighting<'_>| {
                *hits += 1;
                self.findings.add(sighting, log);
            };
            let sieve = self.classifier.sieve(growing.component);
            growing.scanner.end(sieve, &mut tell);
            gathered.logs.push(LogRead {
                path,
                component: growing.component.map(|(at, _)| rules.components[at].id.clone()),
                known_by: growing.component.map(|(_, by)| by),
                packed: Packed::Plain,
                year_from: growing.log.calendar.from,
                zone: growing.log.calendar.zone_name(),
                bytes: growing.scanner.bytes(),
                lines: growing.scanner.lines(),
                hits: growing.hits,
                note: growing.note,
            });
        }
        let unread = self.unread.into_iter();
        gathered.unread = unread.map(|(path, why)| PassedOver { path, why }).collect();
        Classification::of(rules, &self.findings, gathered)
    }
}

#[cfg(test)]
#[path = "tail_tests.rs"]
mod tests;
