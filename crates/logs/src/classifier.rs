//! From paths to a classification: the one place that reads.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::calendar::Calendar;
use super::classification::{Classification, Gathered, LogRead};
use super::inputs::{Input, Inputs, PassedOver};
use super::origin::{self, KnownBy, SAMPLE};
use super::rules::Rules;
use super::scan::{Scanner, Sieve, Sighting};
use super::source::{Packed, Source};
use super::tally::{Findings, Log};
use kubeclash_host::progress::{Progress, Task};

/// Why there is no classifier.
#[derive(Debug, thiserror::Error)]
#[error("the patterns of the signatures don't fit into one automaton: {0}")]
pub struct Error(String);

/// Rules that are ready to be applied.
#[derive(Debug)]
pub struct Classifier {
    rules: Rules,
    /// For logs that may be anybody's.
    any: Sieve,
    /// By the place of a component, made when a log of it comes.
    sieves: Vec<OnceLock<Sieve>>,
}

impl Classifier {
    /// A classifier by rules.
    ///
    /// # Errors
    /// When there is too much to look for.
    pub fn new(rules: Rules) -> Result<Self, Error> {
        Ok(Self {
            any: Sieve::new(&rules, |_| true).map_err(Error)?,
            sieves: rules.components.iter().map(|_| OnceLock::new()).collect(),
            rules,
        })
    }

    /// By which rules.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What the logs at some paths come to: files, folders with all that is below them, `-` for standard input.
    ///
    /// It never fails: what can't be read is told in the classification, and a rule may lean on it.
    #[must_use]
    pub fn classify(&self, paths: &[PathBuf], progress: &Progress) -> Classification {
        self.classify_inputs(Inputs::at(paths), progress)
    }

    /// The same for what was found already.
    #[must_use]
    pub fn classify_inputs(&self, inputs: Inputs, progress: &Progress) -> Classification {
        let task = progress.task("classify");
        if inputs.size() > 0 {
            task.length(inputs.size());
        }
        let mut findings = Findings::of(&self.rules);
        let mut gathered = Gathered {
            unread: inputs.unread,
            passed_over: inputs.passed_over,
            ..Gathered::default()
        };
        let mut done = 0;
        for input in inputs.read {
            let (path, below, size) = match input {
                Input::Standard => (PathBuf::from("-"), None, 0),
                Input::File { path, below, size } => (path, below, size),
            };
            task.say(path.display().to_string());
            let metered = Metered { task: &task, done };
            if let Err(e) = self.log(&path, below.as_deref(), &metered, &mut findings, &mut gathered) {
                gathered.unread.push(PassedOver {
                    path,
                    why: e.to_string(),
                });
            }
            done += size;
            task.position(done);
        }
        Classification::of(&self.rules, &findings, gathered)
    }

    fn log(
        &self,
        path: &Path,
        below: Option<&Path>,
        metered: &Metered<'_>,
        findings: &mut Findings,
        gathered: &mut Gathered,
    ) -> io::Result<()> {
        let standard = path.as_os_str() == "-";
        let mut source = if standard {
            Source::standard()?
        } else {
            Source::open(path)?
        };
        let sample = std::mem::take(&mut source.sample);
        // Whose a log is, and of which year, is in its path below the folder that was named, or in that folder's own.
        let named = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let named = (!standard).then_some(named.as_path());
        let known = origin::component(&self.rules.components, named, &sample);
        if below.is_some() && known.is_none() && origin::is_rubbish(&sample) {
            gathered.passed_over.push(PassedOver {
                path: path.to_owned(),
                why: "no text".to_owned(),
            });
            return Ok(());
        }
        let calendar = Calendar::of(named.unwrap_or(path), source.modified).or_of(&sample);
        let mut log = Log::whole(Arc::from(path), calendar, &self.rules);
        let mut read = LogRead {
            path: path.to_owned(),
            component: known.map(|(at, _)| self.rules.components[at].id.clone()),
            known_by: known.map(|(_, by)| by),
            packed: source.packed,
            year_from: log.calendar.from,
            zone: None,
            bytes: 0,
            lines: 0,
            hits: 0,
            note: None,
        };
        let sieve = self.sieve(known);
        let mut scanner = Scanner::default();
        let mut tell = |sighting: &Sighting<'_>| {
            read.hits += 1;
            findings.add(sighting, &mut log);
        };
        let end = {
            let mut whole = io::Cursor::new(&sample).chain(metered.around(&mut source));
            scanner.read(&mut whole, sieve, &mut tell)
        };
        read.bytes = scanner.bytes();
        read.lines = scanner.lines();
        findings.settle(&mut log);
        read.year_from = log.calendar.from;
        read.zone = log.calendar.zone_name();
        let unread = match (end, source.changed()) {
            (Err(e), _) => Some(broken(&e, read.packed, read.bytes)),
            (Ok(()), Some((true, why))) => Some(why),
            (Ok(()), changed) => {
                read.note = changed.map(|(_, note)| note);
                None
            }
        };
        if let Some(why) = unread {
            read.note = Some(why.clone());
            gathered.unread.push(PassedOver {
                path: path.to_owned(),
                why,
            });
        }
        gathered.logs.push(read);
        Ok(())
    }

    /// What is looked for in a component's logs: all that there is where its name does not say whose it is, as it may
    /// be several logs in one.
    pub(crate) fn sieve(&self, component: Option<(usize, KnownBy)>) -> &Sieve {
        let Some((at, KnownBy::Name)) = component else {
            return &self.any;
        };
        self.sieves[at].get_or_init(|| {
            let id = &self.rules.components[at].id;
            let wanted = |at: usize| {
                let of = &self.rules.signatures[at].component;
                of.is_empty() || of.contains(id)
            };
            Sieve::new(&self.rules, wanted).expect("all of it fitted into one")
        })
    }

    /// The component of a log that is only known by its path.
    pub(crate) fn component(&self, path: &Path, sample: &[u8]) -> Option<(usize, KnownBy)> {
        let sample = &sample[..sample.len().min(SAMPLE)];
        origin::component(&self.rules.components, Some(path), sample)
    }
}

/// What went wrong with a log, and how far it was read.
fn broken(e: &io::Error, packed: Packed, bytes: u64) -> String {
    let packed = match packed {
        Packed::Plain => "",
        Packed::Gzip => ", unpacked from gzip",
        Packed::Zstd => ", unpacked from zstd",
    };
    format!("it breaks off after {bytes} bytes{packed}: {e}")
}

/// A source whose reading shows on the screen.
struct Metered<'a> {
    task: &'a Task,
    done: u64,
}

impl Metered<'_> {
    fn around<'a>(&'a self, source: &'a mut Source) -> impl Read + 'a {
        struct Around<'a>(&'a Metered<'a>, &'a mut Source);
        impl Read for Around<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let count = self.1.read(buffer);
                self.0.task.position(self.0.done + self.1.taken());
                count
            }
        }
        Around(self, source)
    }
}
