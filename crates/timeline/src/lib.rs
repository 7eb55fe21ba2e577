//! What was recorded of two controllers that fight, and what may be concluded from it.
//!
//! Pure: nothing in here waits, asks a cluster or reads a clock. [`Timeline`] is all that a judge gets, so a verdict can be had again
//! from evidence. Times are since the recorder was armed.
//!
//! | part | what it is |
//! |---|---|
//! | [`Arm`], [`ArmId`], [`Pace`], [`Shape`] | what an experiment is called by |
//! | [`Timeline`], [`Entry`], [`World`] | what was seen, when |
//! | [`Series`], [`History`], [`Deeds`] | views of it: numbers over time, the lives of pods, who did what |
//! | [`property`] | what a cluster should keep, and how it is violated |
//! | [`claim`] | whether a timeline shows the failure that a case names |
//! | [`Verdict`], [`Judgement`] | what is said of it |
//!
//! # Examples
//!
//! The evidence of an arm has its timeline. How often did the wanted replicas of a deployment change?
//!
//! ```
//! use kubeclash_timeline::{Object, read};
//!
//! # fn changes(path: &std::path::Path) -> Result<usize, Box<dyn std::error::Error>> {
//! let timeline = read(path)?.timeline;
//! let web = Object::named("deployment/web")?;
//! let wanted = timeline.series(|world| web.read("wanted", world));
//! # Ok(
//! wanted.points().len()
//! # )
//! # }
//! ```

mod experiment;
mod reference;
mod seen;
mod world;
mod object;
mod finding;
mod series;
mod format_one;
mod format;
mod lives;
mod history;
mod deeds;
mod idle;
mod verdict;
pub mod words;
pub mod property;
pub mod claim;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use deeds::{Deed, Deeds, SeenIn, deeds, deeds_in};
pub use experiment::{
    Arm, ArmId, ArmIdError, Liveness, LivenessChange, LoadStep, Minor, Pace, Shape, case_id, with_variant,
    worker,
};
pub use finding::Finding;
pub use format::{FORMAT, FormatError, Recorded, Sink, read};
pub use history::{Act, Does, History, PodHistory, States, controller_of};
pub use idle::{refusal, undone};
pub use lives::{PodLife, lives};
pub use object::Object;
pub use reference::{DEFAULT_NAMESPACE, WorkloadRef, kind};
pub use seen::{
    BudgetSeen, Change, ComponentVersion, Ending, Entry, EventSeen, Gap, Header, HpaSeen, NodeSeen, OwnerRef,
    PodSeen, RequestSeen, Sighting, SpreadSeen, TolerationSeen, What, WorkloadSeen,
};
pub use series::{Series, Span};
pub use verdict::{Difference, Expect, Judgement, Label, Verdict};
pub use world::{World, fullest, skew};

use history::{set, there};
use std::time::Duration;

use world::place;

/// Everything that was seen in one arm.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    /// The version of the format that it was recorded in. Format 1 knew no cycles of deschedulers.
    pub format: u64,
    /// Where, with what, and at which pace it was recorded.
    pub header: Header,
    /// What was seen and done, in order of time.
    pub entries: Vec<Entry>,
}

impl Timeline {
    /// An empty timeline.
    #[must_use]
    pub fn new(header: Header) -> Self {
        Self {
            format: FORMAT,
            header,
            entries: Vec::new(),
        }
    }

    /// Takes an entry in, at its own time: what is told late, as a request is, comes before what is already there.
    pub fn insert(&mut self, entry: Entry) {
        let at = self.entries.iter().rposition(|earlier| earlier.t <= entry.t);
        self.entries.insert(at.map_or(0, |at| at + 1), entry);
    }

    /// The time of the last entry.
    #[must_use]
    pub fn end(&self) -> Duration {
        self.entries.last().map_or(Duration::ZERO, |e| e.t)
    }

    /// Why the recording is not whole; `None` where every step was carried out.
    #[must_use]
    pub fn broken_off(&self) -> Option<String> {
        match self.entries.last().map(|entry| &entry.what) {
            Some(What::End(Ending::Complete)) => None,
            Some(What::End(Ending::Broken(why))) => Some(why.clone()),
            _ => Some("the recording has no end: what came after it was not seen".to_owned()),
        }
    }

    /// When a mark was first put.
    #[must_use]
    pub fn marked(&self, name: &str) -> Option<Duration> {
        self.entries.iter().find_map(|e| match &e.what {
            What::Mark(mark) if mark == name => Some(e.t),
            _ => None,
        })
    }

    /// The first relist that lies after `since`: what happened between two lists was not seen.
    #[must_use]
    pub fn gap_since(&self, since: Duration) -> Option<(Duration, &Gap)> {
        self.entries
            .iter()
            .filter(|e| e.t >= since)
            .find_map(|e| match &e.what {
                What::Gap(gap) => Some((e.t, gap)),
                _ => None,
            })
    }

    /// How a number of the world went over time.
    #[must_use]
    pub fn series<T: PartialEq>(&self, probe: impl Fn(&World) -> T) -> Series<T> {
        let mut world = World::default();
        let mut series = Series::starting(Duration::ZERO, probe(&world));
        for entry in &self.entries {
            world.see(&entry.what);
            series.push(entry.t, probe(&world));
        }
        series
    }

    /// The world as it was at a time.
    #[must_use]
    pub fn world_at(&self, t: Duration) -> World {
        let mut world = World::default();
        for entry in self.entries.iter().take_while(|e| e.t <= t) {
            world.see(&entry.what);
        }
        world
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{Draft, s};
    use super::*;

    fn timeline() -> Timeline {
        Draft::new("c2")
            .gap("nodes")
            .at(1.0)
            .deployment("web", 5, 5)
            .at(2.0)
            .mark("redeploy")
            .at(3.0)
            .deployment("web", 1, 5)
            .at(4.0)
            .mark("redeploy")
            .gap("pods")
            .done()
    }

    #[test]
    fn a_mark_is_when_it_was_first_put() {
        assert_eq!(timeline().marked("redeploy"), Some(s(2.0)));
        assert_eq!(timeline().marked("drain"), None);
        assert_eq!(timeline().end(), s(4.0));
    }

    #[test]
    fn gaps_before_a_time_do_not_concern_it() {
        let timeline = timeline();
        assert_eq!(
            timeline.gap_since(s(0.0)).map(|(t, gap)| (t, gap.watch.as_str())),
            Some((s(0.0), "nodes"))
        );
        assert_eq!(
            timeline.gap_since(s(2.0)).map(|(t, gap)| (t, gap.watch.as_str())),
            Some((s(4.0), "pods"))
        );
        assert_eq!(timeline.gap_since(s(4.1)), None);
    }

    #[test]
    fn what_is_told_late_is_put_at_its_own_time_and_after_what_came_with_it() {
        let mut timeline = timeline();
        let late = |seconds: f64| Entry {
            t: s(seconds),
            what: What::Request(RequestSeen::default()),
        };
        for seconds in [2.0, 0.5, 4.0] {
            timeline.insert(late(seconds));
        }
        let at: Vec<usize> = (0..timeline.entries.len())
            .filter(|&n| matches!(timeline.entries[n].what, What::Request(_)))
            .collect();
        assert_eq!(at, [1, 4, 8]);
        assert!(timeline.entries.is_sorted_by_key(|entry| entry.t));
    }

    #[test]
    fn a_series_follows_its_probe_to_the_last_entry() {
        let timeline = timeline();
        let web = Object::named("deployment/web").unwrap();
        let series = timeline.series(|world| web.read("wanted", world));
        assert_eq!(
            series.points(),
            [(s(0.0), None), (s(1.0), Some(5)), (s(3.0), Some(1))]
        );
        assert_eq!(series.end(), s(4.0));
    }
}
