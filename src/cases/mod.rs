//! The cases: for each, its steps and its judge, once, for the command and for `cargo test` alike.
//!
//! A case is a folder in `manifests/` (card, manifests), a file here (steps, judge, and the line of [`ALL`] that
//! lists it), and a file in `tests/` that runs it. `tests/tidy.rs` complains if one of them is missing.

mod c1_cpu_spike_overscale;
mod c2_replicas_omitted;
mod c3_two_spread_keys;
mod c5_remove_duplicates_loop;
mod c6_maintenance_imbalance;
mod c7_taint_recreate_loop;
mod c8_soft_spread_loop;
mod l1_apiserver_liveness_loop;
mod library;
mod loops;

pub use library::{Folder, LibraryError, load, recorded};

use std::time::Duration;

use globset::Glob;

use crate::scenario::{Arm, Card, Scenario};
use crate::timeline::{Timeline, WorkloadRef, deeds};
use crate::verdict::{Judgement, Verdict};

/// A failure of the study, as an experiment.
#[derive(Debug)]
pub struct Case {
    /// Its folder in `manifests/`, which is also its name: `<id>_<what goes wrong>`.
    pub folder: &'static str,
    /// Its variants; one without a name where there are none.
    pub variants: &'static [Option<&'static str>],
    /// Whether it needs what only the local provider has: hollow nodes, and an API server that can be bounded and restarted.
    pub local_only: bool,
    /// The app that is fought over: its deployment's name, and its pods' `app` label.
    app: &'static str,
    /// The mark from which on who did what to it is told.
    since: &'static str,
    /// What is done.
    steps: fn(&Card, Arm, Option<&str>) -> Scenario,
    /// What is said of the timeline.
    judge: fn(&Timeline) -> Judgement,
    /// The number that the verdict hangs on, as it stands: for the progress line.
    pulse: fn(&Timeline) -> String,
}

/// Every case, in the study's order.
pub static ALL: [Case; 8] = [
    c1_cpu_spike_overscale::CASE,
    c2_replicas_omitted::CASE,
    c3_two_spread_keys::CASE,
    c5_remove_duplicates_loop::CASE,
    c6_maintenance_imbalance::CASE,
    c7_taint_recreate_loop::CASE,
    c8_soft_spread_loop::CASE,
    l1_apiserver_liveness_loop::CASE,
];

/// No variants.
const ONE: &[Option<&str>] = &[None];

impl Case {
    /// The case of a folder.
    #[must_use]
    pub fn of(folder: &str) -> Option<&'static Self> {
        ALL.iter().find(|case| case.folder == folder)
    }

    /// The place of a folder's case among all, for lists; of a folder that is none, behind them.
    #[must_use]
    pub fn place(folder: &str) -> usize {
        let at = ALL.iter().position(|case| case.folder == folder);
        at.unwrap_or(ALL.len())
    }

    /// Its id: `c7`.
    #[must_use]
    pub fn id(&self) -> &'static str {
        self.folder.split_once('_').map_or(self.folder, |(id, _)| id)
    }

    /// The steps of an arm.
    pub fn scenario(&self, card: &Card, arm: Arm, variant: Option<&str>) -> Scenario {
        (self.steps)(card, arm, variant)
    }

    /// What is to be said of a timeline of this case. A pure function.
    ///
    /// A recording that is broken off can still show the failure, but not its absence.
    pub fn judge(&self, timeline: &Timeline) -> Judgement {
        let mut judgement = (self.judge)(timeline).on(timeline);
        if let Some(since) = timeline.marked(self.since) {
            judgement.attribution = deeds(timeline, &WorkloadRef::deployment(self.app), since).list;
        }
        judgement
    }

    /// Whether a timeline shows the failure: what is asked again and again while it grows.
    #[must_use]
    pub fn reproduced(&self, timeline: &Timeline) -> bool {
        let judged = (self.judge)(timeline);
        // Nothing makes a failure of what was none; most of the time there is none yet.
        judged.verdict == Verdict::Reproduced && judged.on(timeline).verdict == Verdict::Reproduced
    }

    /// The number that the verdict hangs on, as it stands.
    #[must_use]
    pub fn pulse(&self, timeline: &Timeline) -> String {
        (self.pulse)(timeline)
    }

    /// Whether a word names it: its id, its folder, what goes wrong in it, or a glob over these.
    #[must_use]
    pub fn is_called(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        let slug = self.folder.split_once('_').map_or(self.folder, |(_, slug)| slug);
        let names = [self.id(), self.folder, slug];
        match Glob::new(&word) {
            Ok(glob) => names.iter().any(|name| glob.compile_matcher().is_match(name)),
            Err(_) => names.contains(&word.as_str()),
        }
    }
}

/// How long an arm watches at the recorded pace: a broken one as long as the study did, a control at least twice
/// as long as the broken one needs.
fn window(card: &Card, arm: Arm) -> Duration {
    match arm {
        Arm::Broken => card.observe,
        Arm::Control => card.needs * 2,
    }
}

/// One of two, by the arm.
fn by<T>(arm: Arm, broken: T, control: T) -> T {
    match arm {
        Arm::Broken => broken,
        Arm::Control => control,
    }
}
