//! What was seen of signatures and of the steps of a load test, over all logs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use jiff::civil::DateTime;
use serde::{Serialize, Serializer};

use super::rules::Rules;
use super::scan::Sighting;
use super::times::{Stamp, Year, YearFrom};
use crate::experiment::LoadStep;

/// The most that is kept of a line.
const EXCERPT: usize = 400;

/// The most prefixes of keys that are counted each by itself.
const PREFIXES: usize = 2000;

/// The most names of steps that are kept though they are none of the load test.
const OTHER_STEPS: usize = 50;

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
    /// Earlier in time; what has no time is later than what has.
    fn before(&self, other: &Self) -> bool {
        match (self.time, other.time) {
            (Some(a), Some(b)) => a < b,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}

/// A time as output has it.
pub(crate) fn written(time: DateTime) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

/// A path as output has it: with signs for what is no text.
pub(crate) fn path_text<S: Serializer>(path: &impl AsRef<Path>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().to_string_lossy().serialize(serializer)
}

fn time_text<S: Serializer>(time: &Option<DateTime>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(written).serialize(serializer)
}

/// What was seen of one signature.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// In how many lines.
    pub count: u64,
    /// The first line, in time, with an excerpt.
    pub first: Option<(Place, String)>,
    /// The last line, in time.
    pub last: Option<Place>,
    /// How many by the prefix of the key that the line is about.
    pub by_prefix: BTreeMap<String, u64>,
}

/// When a step of the load test began and ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepSeen {
    /// Its place, counted from 1.
    pub number: usize,
    /// Its name.
    pub name: LoadStep,
    /// When it began.
    #[serde(serialize_with = "time_text")]
    pub started: Option<DateTime>,
    /// When it ended.
    #[serde(serialize_with = "time_text")]
    pub ended: Option<DateTime>,
    /// Whether a line says that it ended.
    pub complete: bool,
}

/// What was seen, over all logs.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    tallies: Vec<Tally>,
    steps: BTreeMap<LoadStep, StepSeen>,
    other_steps: BTreeSet<String>,
}

/// The log that a sighting is in.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) file: Arc<Path>,
    pub(crate) year: Year,
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

    /// The steps that began or ended, in order.
    pub fn steps(&self) -> impl Iterator<Item = &StepSeen> {
        self.steps.values()
    }

    /// The last step that began.
    #[must_use]
    pub fn reached(&self) -> Option<LoadStep> {
        self.steps.keys().next_back().copied()
    }

    /// Steps that are none of the load test: of another test, or of another version of it.
    #[must_use]
    pub fn other_steps(&self) -> &BTreeSet<String> {
        &self.other_steps
    }

    /// Counts a sighting.
    pub(crate) fn add(&mut self, sighting: &Sighting<'_>, log: &mut Log) {
        if let Some(Stamp::Dated(time)) = sighting.stamp {
            // What a file's lines say themselves goes before anything else that is known of its year.
            log.year = Year::near(time.date(), YearFrom::Line);
        }
        let time = sighting.stamp.and_then(|stamp| stamp.at(&log.year));
        let place = Place {
            time,
            year_from: time.map(|_| log.year.from),
            file: Arc::clone(&log.file),
            line: sighting.line,
        };
        if let (Some(step), state) = (sighting.captures.name("step"), sighting.captures.name("state")) {
            let ended = state.is_some_and(|state| state.as_bytes() == b"ended");
            self.step(&String::from_utf8_lossy(step.as_bytes()), ended, time);
        }
        let tally = &mut self.tallies[sighting.signature];
        tally.count += 1;
        let keys = ["key", "key_after"]
            .into_iter()
            .filter_map(|name| sighting.captures.name(name));
        for key in keys {
            let prefix = prefix(&String::from_utf8_lossy(key.as_bytes()));
            let full = tally.by_prefix.len() >= PREFIXES && !tally.by_prefix.contains_key(&prefix);
            let prefix = if full { "others".to_owned() } else { prefix };
            *tally.by_prefix.entry(prefix).or_default() += 1;
        }
        if tally.first.as_ref().is_none_or(|(first, _)| place.before(first)) {
            let matched = sighting.captures.get_match();
            tally.first = Some((
                place.clone(),
                excerpt(sighting.text, matched.start(), matched.end()),
            ));
        }
        if tally
            .last
            .as_ref()
            .is_none_or(|last| !place.before(last) && (time.is_some() || last.time.is_none()))
        {
            tally.last = Some(place);
        }
    }

    fn step(&mut self, name: &str, ended: bool, time: Option<DateTime>) {
        let Ok(step) = name.parse::<LoadStep>() else {
            if self.other_steps.len() < OTHER_STEPS {
                self.other_steps.insert(printable(name, 80));
            }
            return;
        };
        let seen = self.steps.entry(step).or_insert(StepSeen {
            number: step.number(),
            name: step,
            started: None,
            ended: None,
            complete: false,
        });
        if ended {
            seen.complete = true;
            seen.ended = seen.ended.max(time);
        } else if seen
            .started
            .is_none_or(|started| time.is_some_and(|time| time < started))
        {
            seen.started = time;
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
pub(crate) fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy(), usize::MAX)
}

/// A text without what a terminal would act on, cut off after so many signs.
pub(crate) fn printable(text: &str, most: usize) -> String {
    let signs = text.trim_matches(|sign: char| sign.is_control()).chars();
    signs
        .take(most)
        .map(|sign| if sign.is_control() { '·' } else { sign })
        .collect()
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
