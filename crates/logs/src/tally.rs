//! What was seen of signatures and of the steps of a load test, over all logs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::civil::DateTime;
use serde::{Serialize, Serializer};

use super::calendar::{Calendar, YearFrom};
use super::event::{self, printable};
use super::rules::Rules;
use super::scan::Sighting;
use super::step::{Moment, StepName, StepSeen, Steps};
use super::times::{Stamp, time_text};
use kubeclash_timeline::LoadStep;

/// The most that is kept of a line.
const EXCERPT: usize = 400;

/// The most prefixes of keys that are counted each by itself.
const PREFIXES: usize = 2000;

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// When it was written, to the microsecond; `None` where neither it nor a line shortly before it says so.
    #[serde(serialize_with = "time_text")]
    pub time: Option<DateTime>,
    /// Where the year is from.
    pub year_from: Option<YearFrom>,
    /// The file.
    #[serde(serialize_with = "path_text")]
    pub file: Arc<Path>,
    /// The line in it, counted from 1.
    pub line: u64,
}

impl Place {
    fn of(stamp: Option<Stamp>, calendar: &Calendar, file: Arc<Path>, line: u64) -> Self {
        let time = stamp.and_then(|stamp| stamp.at(calendar));
        let year_from = time.map(|_| match stamp {
            Some(Stamp::Dated(..)) => YearFrom::Line,
            _ => calendar.from,
        });
        Self {
            time,
            year_from,
            file,
            line,
        }
    }

    /// Earlier in time; what has no time is later than what has.
    fn before(&self, other: &Self) -> bool {
        match (self.time, other.time) {
            (Some(a), Some(b)) => a < b,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}

/// A path as output has it: with signs for what is no text.
pub(crate) fn path_text<S: Serializer>(path: &impl AsRef<Path>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().to_string_lossy().serialize(serializer)
}

/// What was seen of one signature.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How often: in how many lines, where none stands for several.
    pub count: u64,
    /// In how many lines.
    pub lines: u64,
    /// The first line, in time, with an excerpt.
    pub first: Option<(Place, String)>,
    /// The last line, in time.
    pub last: Option<Place>,
    /// How many by the prefix of the key that the line is about.
    pub by_prefix: BTreeMap<String, u64>,
    /// What the first and the last line say of their times.
    stamps: (Option<Stamp>, Option<Stamp>),
}

impl Tally {
    /// Counts a line that stands for so many.
    fn count(&mut self, times: u64) {
        self.count = self.count.saturating_add(times);
        self.lines += 1;
    }

    fn key(&mut self, prefix: String, times: u64) {
        let full = self.by_prefix.len() >= PREFIXES && !self.by_prefix.contains_key(&prefix);
        let prefix = if full { "others".to_owned() } else { prefix };
        *self.by_prefix.entry(prefix).or_default() += times;
    }

    /// Takes a line as the first where it is earlier.
    fn earlier(&mut self, line: Line, text: impl FnOnce() -> String) {
        if self
            .first
            .as_ref()
            .is_none_or(|first| line.place.before(&first.0))
        {
            self.first = Some((line.place, text()));
            self.stamps.0 = line.stamp;
        }
    }

    /// Takes a line as the last where it is later.
    fn later(&mut self, line: Line) {
        let later =
            |last: &Place| !line.place.before(last) && (line.place.time.is_some() || last.time.is_none());
        if self.last.as_ref().is_none_or(later) {
            self.last = Some(line.place);
            self.stamps.1 = line.stamp;
        }
    }

    /// Takes both times by what is known now of their log's calendar.
    fn settle(&mut self, calendar: &Calendar) {
        let (first, last) = self.stamps;
        let places = [
            (self.first.as_mut().map(|first| &mut first.0), first),
            (self.last.as_mut(), last),
        ];
        for (place, stamp) in places {
            if let Some(place) = place {
                *place = Place::of(stamp, calendar, Arc::clone(&place.file), place.line);
            }
        }
    }

    /// Takes in what was seen in another log.
    fn merge(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.lines += other.lines;
        for (prefix, count) in other.by_prefix {
            self.key(prefix, count);
        }
        let (first, last) = other.stamps;
        if let Some((place, text)) = other.first {
            self.earlier(Line { place, stamp: first }, || text);
        }
        if let Some(place) = other.last {
            self.later(Line { place, stamp: last });
        }
    }
}

/// A line, and what it says of its time.
#[derive(Debug, Clone)]
struct Line {
    place: Place,
    stamp: Option<Stamp>,
}

/// What was seen, over all logs.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    tallies: Vec<Tally>,
    steps: Steps,
    /// How many lines of steps were read.
    read: u64,
}

/// The log that a sighting is in.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) file: Arc<Path>,
    pub(crate) calendar: Calendar,
    /// What was seen before a line said the zone: its times are taken when one does, or at the end. `None` where it can't
    /// wait, as the log is still being written.
    waiting: Option<Box<Findings>>,
}

impl Log {
    /// A log that is read to its end.
    pub(crate) fn whole(file: Arc<Path>, calendar: Calendar, rules: &Rules) -> Self {
        let waiting = calendar.zone().is_none().then(|| Box::new(Findings::of(rules)));
        Self {
            file,
            calendar,
            waiting,
        }
    }

    /// A log that is still being written: its times are taken at once, by what is known of them.
    pub(crate) fn growing(file: Arc<Path>, calendar: Calendar) -> Self {
        Self {
            file,
            calendar,
            waiting: None,
        }
    }
}

impl Findings {
    /// Nothing yet.
    #[must_use]
    pub fn of(rules: &Rules) -> Self {
        Self {
            tallies: vec![Tally::default(); rules.signatures.len()],
            ..Self::default()
        }
    }

    /// What was seen of a signature, by its place in [`Rules::signatures`].
    #[must_use]
    pub fn tally(&self, signature: usize) -> &Tally {
        &self.tallies[signature]
    }

    /// The steps of the standard load test that began or ended, in order.
    pub fn steps(&self) -> impl Iterator<Item = StepSeen> {
        self.steps.standard()
    }

    /// The last step of the standard load test that began.
    #[must_use]
    pub fn reached(&self) -> Option<LoadStep> {
        self.steps().last().map(|step| step.name)
    }

    /// Steps that are none of the standard load test, in the order in which they began: of another test, or of another
    /// version of it.
    #[must_use]
    pub fn other_steps(&self) -> Vec<&str> {
        self.steps.own()
    }

    /// Whether a step was seen.
    #[must_use]
    pub fn saw(&self, step: &StepName) -> bool {
        self.steps.saw(step)
    }

    /// Whether a step that comes after this one has begun.
    #[must_use]
    pub fn past(&self, step: &StepName) -> bool {
        self.steps.past(step)
    }

    /// Counts a sighting.
    pub(crate) fn add(&mut self, sighting: &Sighting<'_>, log: &mut Log) {
        // A row of a table of events has no time, and that of a line before it is not its own.
        let events = event::events(sighting.text);
        let stamp = sighting.stamp.filter(|_| events.is_none());
        if stamp.is_some_and(|stamp| log.calendar.learn(stamp)) {
            self.settle(log);
        }
        let read = self.read;
        self.read += 1;
        let sheet = log.waiting.as_deref_mut().unwrap_or(self);
        let place = Place::of(stamp, &log.calendar, Arc::clone(&log.file), sighting.line);
        if let (Some(step), state) = (sighting.captures.name("step"), sighting.captures.name("state")) {
            let ended = state.is_some_and(|state| state.as_bytes() == b"ended");
            let time = place.time;
            let moment = Moment { stamp, time, read };
            sheet
                .steps
                .note(&String::from_utf8_lossy(step.as_bytes()), ended, moment);
        }
        let tally = &mut sheet.tallies[sighting.signature];
        let times = events.unwrap_or(1);
        tally.count(times);
        for name in ["key", "key_after"] {
            if let Some(key) = sighting.captures.name(name) {
                tally.key(prefix(&String::from_utf8_lossy(key.as_bytes())), times);
            }
        }
        let line = Line { place, stamp };
        tally.earlier(line.clone(), || {
            let matched = sighting.captures.get_match();
            excerpt(sighting.text, matched.start(), matched.end())
        });
        tally.later(line);
    }

    /// Takes in what has waited for a log's zone: it is known now, or will not be.
    pub(crate) fn settle(&mut self, log: &mut Log) {
        let Some(mut waiting) = log.waiting.take() else {
            return;
        };
        waiting.steps.settle(&log.calendar);
        self.steps.merge(waiting.steps);
        for (tally, mut other) in self.tallies.iter_mut().zip(waiting.tallies) {
            other.settle(&log.calendar);
            tally.merge(other);
        }
    }
}

/// The part of a key that says what it is of: the resource, and the namespace where that is one of Kubernetes' own.
///
/// `/registry/leases/kube-node-lease/` for a node's lease, `/registry/pods/` for a pod of some test's namespace,
/// `/registry/services/endpoints/`, `/registry/apps.example.com/apps/`.
pub(crate) fn prefix(key: &str) -> String {
    let mut parts = key.split('/').filter(|part| !part.is_empty());
    let mut prefix = String::from("/");
    let mut push = |part: &str| {
        prefix.push_str(&printable(part, 100));
        prefix.push('/');
    };
    let Some(root) = parts.next() else {
        return "without a key".to_owned();
    };
    push(root);
    let Some(resource) = parts.next() else {
        return prefix;
    };
    push(resource);
    let grouped = resource == "services" || resource.contains('.');
    if let Some(part) = grouped.then(|| parts.next()).flatten() {
        push(part);
    }
    if let Some(namespace) = parts.next().filter(|part| part.starts_with("kube-")) {
        push(namespace);
    }
    prefix
}

/// A part of a line around what matched, as text that can be shown on a terminal.
fn excerpt(line: &[u8], from: usize, to: usize) -> String {
    if line.len() <= EXCERPT {
        return printable(&String::from_utf8_lossy(line), EXCERPT);
    }
    let to = to.min(from + EXCERPT);
    let start = from
        .saturating_sub((EXCERPT - (to - from)) / 2)
        .min(line.len() - EXCERPT);
    let part = &line[start..start + EXCERPT];
    let text = printable(String::from_utf8_lossy(part).trim_matches('\u{fffd}'), EXCERPT);
    let (left, right) = (start > 0, start + EXCERPT < line.len());
    format!(
        "{}{text}{}",
        if left { "…" } else { "" },
        if right { "…" } else { "" }
    )
}

/// A path as a terminal can show it.
pub fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy(), usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_counted_by_what_they_are_of() {
        for (key, wanted) in [
            (
                "/registry/leases/kube-node-lease/hollow-node-7",
                "/registry/leases/kube-node-lease/",
            ),
            ("/registry/pods/test-1/web-2", "/registry/pods/"),
            ("/registry/pods/kube-system/etcd", "/registry/pods/kube-system/"),
            (
                "/registry/services/endpoints/test-1/web",
                "/registry/services/endpoints/",
            ),
            (
                "/registry/apps.example.com/things/a/b",
                "/registry/apps.example.com/things/",
            ),
            ("/registry/masterleases", "/registry/masterleases/"),
            ("/registry/\u{1b}[2J/a", "/registry/·[2J/"),
            ("foo", "/foo/"),
            ("", "without a key"),
        ] {
            let wanted = wanted.replace("·[2J", "[2J");
            assert_eq!(prefix(key), wanted, "{key}");
        }
    }

    #[test]
    fn an_excerpt_is_short_holds_the_match_and_does_nothing_to_a_terminal() {
        let line = [
            vec![b'a'; 5000],
            b"THE MATCH\x1b[2J\xff".to_vec(),
            vec![b'b'; 5000],
        ]
        .concat();
        let text = excerpt(&line, 5000, 5009);
        assert!(
            text.contains("THE MATCH·[2J\u{fffd}b") && text.starts_with("…a") && text.ends_with("b…"),
            "{text}"
        );
        assert!(text.chars().count() <= EXCERPT + 2);
        assert_eq!(excerpt(b"short\r", 0, 5), "short");
    }
}
