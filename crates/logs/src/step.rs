//! The steps of a load test, as its log tells of them: those of the standard one, and those of somebody's own.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use super::event::printable;
use super::times::{Stamp, time_text};
use kubeclash_timeline::LoadStep;

/// The most steps of one's own that are kept.
const OWN: usize = 500;

/// What a step of a load test is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum StepName {
    /// A step of the standard load test.
    Standard(LoadStep),
    /// A step of another test, or of another version of it.
    Own(String),
}

impl From<String> for StepName {
    /// The name without its number, as clusterloader2 writes it: `[step: 02] Create objects`.
    fn from(text: String) -> Self {
        let name = text
            .strip_prefix("[step: ")
            .and_then(|text| Some(text.split_once("] ")?.1));
        let name = name.unwrap_or(&text).trim();
        name.parse()
            .map_or_else(|_| Self::Own(printable(name, 80)), Self::Standard)
    }
}

impl FromStr for StepName {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.to_owned().into())
    }
}

impl From<StepName> for String {
    fn from(name: StepName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard(step) => step.fmt(f),
            Self::Own(name) => f.pad(name),
        }
    }
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

/// When something was told of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) stamp: Option<Stamp>,
    pub(super) time: Option<DateTime>,
    /// The how many-th line of a step it was that was read.
    pub(super) read: u64,
}

impl Moment {
    /// By time; by the order in which they were read where that is not known.
    fn before(&self, other: &Self) -> bool {
        match (self.time, other.time) {
            (Some(a), Some(b)) if a != b => a < b,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            _ => self.read < other.read,
        }
    }
}

/// What was told of one step.
#[derive(Debug, Clone, Default)]
struct Course {
    /// When it began for the first time, and for the last: another module may have a step of the same name.
    first: Option<Moment>,
    last: Option<Moment>,
    ended: Option<Moment>,
    complete: bool,
}

impl Course {
    fn started(&mut self, moment: Moment) {
        self.first = Some(self.first.filter(|first| !moment.before(first)).unwrap_or(moment));
        self.last = Some(self.last.filter(|last| moment.before(last)).unwrap_or(moment));
    }

    fn ended(&mut self, moment: Moment) {
        self.complete = true;
        self.ended = Some(self.ended.filter(|last| moment.before(last)).unwrap_or(moment));
    }

    fn time(moment: Option<Moment>) -> Option<DateTime> {
        moment.and_then(|moment| moment.time)
    }
}

/// The steps that were seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Steps {
    courses: BTreeMap<StepName, Course>,
}

impl Steps {
    /// Takes in that a step began, or ended.
    pub(super) fn note(&mut self, name: &str, ended: bool, moment: Moment) {
        if let Some(course) = self.course(name.to_owned().into()) {
            match ended {
                true => course.ended(moment),
                false => course.started(moment),
            }
        }
    }

    fn course(&mut self, name: StepName) -> Option<&mut Course> {
        let full = self.courses.len() >= OWN && !self.courses.contains_key(&name);
        let kept = !full || matches!(name, StepName::Standard(_));
        kept.then(|| self.courses.entry(name).or_default())
    }

    /// Takes in what another log says of them.
    pub(super) fn merge(&mut self, other: Self) {
        for (name, other) in other.courses {
            let Some(course) = self.course(name) else { continue };
            other
                .first
                .into_iter()
                .chain(other.last)
                .for_each(|moment| course.started(moment));
            if let Some(moment) = other.ended {
                course.ended(moment);
            }
        }
    }

    /// Takes all times by what is known now of their log's calendar.
    pub(super) fn settle(&mut self, calendar: &Calendar) {
        for course in self.courses.values_mut() {
            let moments = [&mut course.first, &mut course.last, &mut course.ended];
            for moment in moments.into_iter().flatten() {
                moment.time = moment.stamp.and_then(|stamp| stamp.at(calendar));
            }
        }
    }

    /// Those of the standard load test, in order.
    pub(super) fn standard(&self) -> impl Iterator<Item = StepSeen> {
        self.courses.iter().filter_map(|(name, course)| {
            let StepName::Standard(step) = *name else {
                return None;
            };
            Some(StepSeen {
                number: step.number(),
                name: step,
                started: Course::time(course.first),
                ended: Course::time(course.ended),
                complete: course.complete,
            })
        })
    }

    /// Those of one's own, in the order in which they began.
    pub(super) fn own(&self) -> Vec<&str> {
        let own = self.courses.iter().filter_map(|(name, course)| match name {
            StepName::Own(name) => Some((name.as_str(), course.first.or(course.ended)?)),
            StepName::Standard(_) => None,
        });
        let mut own: Vec<(&str, Moment)> = own.collect();
        own.sort_by(|(_, a), (_, b)| match (a.before(b), b.before(a)) {
            (true, _) => std::cmp::Ordering::Less,
            (_, true) => std::cmp::Ordering::Greater,
            _ => std::cmp::Ordering::Equal,
        });
        own.into_iter().map(|(name, _)| name).collect()
    }

    /// Whether a step of this name was seen.
    pub(super) fn saw(&self, name: &StepName) -> bool {
        self.courses.contains_key(name)
    }

    /// Whether a later step has begun: one of the standard load test that comes after it, or, where one of the two is
    /// somebody's own, any that began after it did.
    pub(super) fn past(&self, wanted: &StepName) -> bool {
        let began = self.courses.get(wanted).and_then(|course| course.first);
        self.courses
            .iter()
            .any(|(name, course)| match (name, wanted, &began, &course.last) {
                (StepName::Standard(step), StepName::Standard(wanted), ..) => step > wanted,
                (_, _, Some(began), Some(last)) => name != wanted && began.before(last),
                _ => false,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn steps(told: &[(&str, bool, Option<i8>)]) -> Steps {
        let mut steps = Steps::default();
        for ((name, ended, minute), read) in told.iter().zip(0..) {
            let time = minute.map(|minute| date(2026, 1, 16).at(23, minute, 0, 0));
            let stamp = None;
            steps.note(name, *ended, Moment { stamp, time, read });
        }
        steps
    }

    #[test]
    fn a_step_of_ones_own_is_past_when_another_began_after_it() {
        let of = |minute: [Option<i8>; 3]| {
            steps(&[
                ("[step: 03] Wait", false, minute[2]),
                ("[step: 01] Prepare", false, minute[0]),
                ("[step: 02] Create Sandboxes", false, minute[1]),
                ("[step: 02] Create Sandboxes", true, None),
            ])
        };
        // A log that was rotated is read in the order of its names.
        let timed = of([Some(1), Some(2), Some(3)]);
        assert_eq!(timed.own(), ["Prepare", "Create Sandboxes", "Wait"]);
        let past = |steps: &Steps, name: &str| steps.past(&name.parse().unwrap());
        for (name, wanted) in [("Prepare", true), ("Create Sandboxes", true), ("Wait", false)] {
            assert_eq!(past(&timed, name), wanted, "{name}");
        }
        assert!(past(&timed, "[step: 02] Create Sandboxes"));
        assert!(!past(&timed, "Create sandboxes"));
        let untimed = of([None; 3]);
        assert_eq!(untimed.own(), ["Wait", "Prepare", "Create Sandboxes"]);
        assert!(past(&untimed, "Wait") && !past(&untimed, "Create Sandboxes"));
    }

    #[test]
    fn a_standard_step_is_past_by_a_later_one_of_either_kind() {
        let past = |steps: &Steps| steps.past(&StepName::Standard(LoadStep::CreateObjects));
        let mut told = vec![("Creating objects", false, Some(5))];
        assert!(!past(&steps(&told)));
        told.push(("Start measurements of mine", false, Some(4)));
        assert!(!past(&steps(&told)), "it began before");
        told.push(("Wait for objects to run", false, Some(6)));
        assert!(past(&steps(&told)));
        assert!(past(&steps(&[("Scaling and updating objects", false, None)])));
        assert!(!past(&steps(&[("Wait for objects to run", false, Some(6))])));
    }

    #[test]
    fn a_step_that_comes_again_counts_from_its_first_time() {
        let again = steps(&[
            ("A", false, Some(1)),
            ("B", false, Some(2)),
            ("A", false, Some(3)),
        ]);
        assert_eq!(again.own(), ["A", "B"]);
        let past = |name: &str| again.past(&name.parse().unwrap());
        assert!(past("A") && past("B"));
        assert!(!steps(&[("A", false, Some(1)), ("A", false, Some(3))]).past(&"A".parse().unwrap()));
    }

    #[test]
    fn names_without_end_are_not_kept() {
        let mut many = Steps::default();
        for read in 0..10_000 {
            let moment = Moment {
                stamp: None,
                time: None,
                read,
            };
            many.note(&format!("step {read}"), false, moment);
        }
        assert_eq!(many.own().len(), OWN);
    }
}
