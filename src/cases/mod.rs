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

pub use library::{Folder, LibraryError, recorded};

use library::load;

use std::path::PathBuf;
use std::time::Duration;

use globset::Glob;

use crate::scenario::{Arm, Card, Scenario};
use crate::timeline::{Timeline, deeds};
use crate::verdict::{Judgement, Verdict};

/// A case: what the verbs know of it, whatever it is made of. A handle, cheap to clone.
#[derive(Debug, Clone)]
pub struct Case(Make);

/// What a case is made of.
#[derive(Debug, Clone)]
enum Make {
    /// Rust.
    Study(&'static Study),
}

/// A failure of the study, as an experiment.
#[derive(Debug)]
pub(crate) struct Study {
    /// Its folder in `manifests/`, which is also its name: `<id>_<what goes wrong>`.
    folder: &'static str,
    /// Its variants; one without a name where there are none.
    variants: &'static [Option<&'static str>],
    /// Whether it needs what only the local provider has: hollow nodes, and an API server that can be bounded and restarted.
    local_only: bool,
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
static STUDY: [&Study; 8] = [
    &c1_cpu_spike_overscale::CASE,
    &c2_replicas_omitted::CASE,
    &c3_two_spread_keys::CASE,
    &c5_remove_duplicates_loop::CASE,
    &c6_maintenance_imbalance::CASE,
    &c7_taint_recreate_loop::CASE,
    &c8_soft_spread_loop::CASE,
    &l1_apiserver_liveness_loop::CASE,
];

/// No variants.
const ONE: &[Option<&str>] = &[None];

impl Case {
    /// Its folder, which is also its name: `<id>_<what goes wrong>`.
    #[must_use]
    pub fn folder(&self) -> &str {
        let Make::Study(study) = &self.0;
        study.folder
    }

    /// Its variants; one without a name where there are none.
    #[must_use]
    pub fn variants(&self) -> Vec<Option<String>> {
        let Make::Study(study) = &self.0;
        study
            .variants
            .iter()
            .map(|name| name.map(str::to_owned))
            .collect()
    }

    /// Whether it needs what only the local provider has: hollow nodes, and an API server that can be bounded and restarted.
    #[must_use]
    pub fn local_only(&self) -> bool {
        let Make::Study(study) = &self.0;
        study.local_only
    }

    /// Its files, read and checked.
    ///
    /// # Errors
    /// All mistakes of all its files together; a file that its steps name and that is missing is one as well.
    pub fn load(&self) -> Result<Folder, LibraryError> {
        let Make::Study(study) = &self.0;
        load(study)
    }

    /// Its id: `c7`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.folder().split_once('_').map_or(self.folder(), |(id, _)| id)
    }

    /// The steps of an arm.
    pub fn scenario(&self, card: &Card, arm: Arm, variant: Option<&str>) -> Scenario {
        let Make::Study(study) = &self.0;
        (study.steps)(card, arm, variant)
    }

    /// What is to be said of a timeline of this case. A pure function.
    ///
    /// A recording that is broken off can still show the failure, but not its absence.
    pub fn judge(&self, timeline: &Timeline) -> Judgement {
        let Make::Study(study) = &self.0;
        let mut judgement = (study.judge)(timeline).on(timeline);
        if let Some(since) = timeline.marked(study.since) {
            judgement.attribution = deeds(timeline, study.app, since).list;
        }
        judgement
    }

    /// Whether a timeline shows the failure: what is asked again and again while it grows.
    #[must_use]
    pub fn reproduced(&self, timeline: &Timeline) -> bool {
        let Make::Study(study) = &self.0;
        let judged = (study.judge)(timeline);
        // Nothing makes a failure of what was none; most of the time there is none yet.
        judged.verdict == Verdict::Reproduced && judged.on(timeline).verdict == Verdict::Reproduced
    }

    /// The number that the verdict hangs on, as it stands.
    #[must_use]
    pub fn pulse(&self, timeline: &Timeline) -> String {
        let Make::Study(study) = &self.0;
        (study.pulse)(timeline)
    }

    /// Roughly how long an arm takes, in seconds at the recorded pace; 0 where its files can't be read.
    #[must_use]
    pub fn weight(&self, arm: Arm) -> u64 {
        let Ok(folder) = self.load() else { return 0 };
        match arm {
            Arm::Broken => folder.card.needs.as_secs(),
            Arm::Control => folder.card.needs.as_secs() * 2,
        }
    }

    /// Whether a word names it: its id, its folder, what goes wrong in it, or a glob over these.
    #[must_use]
    pub fn is_called(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        let folder = self.folder();
        let slug = folder.split_once('_').map_or(folder, |(_, slug)| slug);
        let names = [self.id(), folder, slug];
        match Glob::new(&word) {
            Ok(glob) => names.iter().any(|name| glob.compile_matcher().is_match(name)),
            Err(_) => names.contains(&word.as_str()),
        }
    }
}

impl PartialEq for Case {
    fn eq(&self, other: &Self) -> bool {
        self.folder() == other.folder()
    }
}

impl Eq for Case {}

/// The cases that there are, in the order in which they are listed: the built-in ones, and those of the user's folders.
#[derive(Debug, Clone)]
pub struct Library {
    cases: Vec<Case>,
}

impl Library {
    /// The built-in cases.
    #[must_use]
    pub fn builtin() -> Self {
        Self {
            cases: STUDY.iter().map(|study| Case(Make::Study(study))).collect(),
        }
    }

    /// The built-in cases, and those of folders: each the folder of a case, or one of several.
    ///
    /// # Errors
    /// All mistakes in the folders' cases together.
    pub fn with(dirs: &[PathBuf]) -> Result<Self, LibraryError> {
        let _ = dirs;
        Ok(Self::builtin())
    }

    /// All of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Case> {
        self.cases.iter()
    }

    /// The case of a folder.
    #[must_use]
    pub fn find(&self, folder: &str) -> Option<&Case> {
        self.iter().find(|case| case.folder() == folder)
    }

    /// The place of a folder's case among all, for lists; of a folder that is none, behind them.
    #[must_use]
    pub fn place(&self, folder: &str) -> usize {
        let at = self.iter().position(|case| case.folder() == folder);
        at.unwrap_or(self.cases.len())
    }

    /// The cases that a word names, see [`Case::is_called`].
    pub fn called<'a>(&'a self, word: &'a str) -> impl Iterator<Item = &'a Case> {
        self.iter().filter(move |case| case.is_called(word))
    }

    /// That no case is called so, and how those are called that there are.
    #[must_use]
    pub fn no_case(&self, word: &str) -> String {
        let known: Vec<&str> = self.iter().map(Case::id).collect();
        format!(
            "no case is called \"{word}\": there are {} (see \"kubeclash list\")",
            known.join(", ")
        )
    }
}

impl<'a> IntoIterator for &'a Library {
    type Item = &'a Case;
    type IntoIter = std::slice::Iter<'a, Case>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
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
