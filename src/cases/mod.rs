//! The cases that there are: folders, built in or the user's, and one experiment that is still written in Rust.
//!
//! A folder in `manifests/` is a built-in case; nothing else has to be edited. `l1` asks for what the format does not say (an API
//! server that is bounded, probed and restarted), and is Rust until it becomes an experiment of the load test. Its folder has a
//! `card.yaml` in place of a `case.yaml`.

mod l1_apiserver_liveness_loop;
pub(crate) mod library;
mod liveness;

pub use library::{FoldersError, Library, Twice, is_case};
pub use liveness::{Folder, LibraryError};

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use globset::Glob;
use include_dir::{Dir, include_dir};

use crate::case::format::Step;
use crate::case::{self, CaseError, Files, Mistake, Scenario};
use kubeclash_timeline::claim;
use kubeclash_timeline::{Arm, Expect, Judgement, Timeline, Verdict};

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/manifests");

/// A case: what the verbs know of it, whatever it is made of. A handle, cheap to clone.
#[derive(Debug, Clone)]
pub struct Case(Make);

/// What a case is made of.
#[derive(Debug, Clone)]
enum Make {
    /// A folder: data.
    Folder(case::Case),
    /// The experiment with the API server's liveness, which is no case of the format.
    Liveness(&'static Study),
}

/// An experiment that is written in Rust.
#[derive(Debug)]
pub(crate) struct Study {
    /// Its folder in `manifests/`, which is also its name: `<id>_<what goes wrong>`.
    folder: &'static str,
    /// The profile of its load test, a file of the folder; of its cluster as well.
    profile: &'static str,
    /// The mark that is put before the load test.
    pub(crate) started: &'static str,
    /// How many cores the API server gets at most, once the cluster is ready.
    pub(crate) apiserver_cpu: fn(Arm) -> Option<f64>,
    /// What is said of the timeline.
    judge: fn(&Timeline) -> Judgement,
    /// The number that the verdict hangs on, as it stands: for the progress line.
    pulse: fn(&Timeline) -> String,
}

static LIVENESS: &Study = &l1_apiserver_liveness_loop::CASE;

impl Case {
    /// Its folder, which is also its name: `<id>_<what goes wrong>`.
    #[must_use]
    pub fn folder(&self) -> &str {
        match &self.0 {
            Make::Folder(case) => case.folder(),
            Make::Liveness(study) => study.folder,
        }
    }

    /// A case from its copy among evidence, where it has the name that it was recorded under.
    ///
    /// # Errors
    /// All mistakes in its files.
    pub fn copied(name: &str, folder: &Path) -> Result<Self, CaseError> {
        let whole = |mistake: String| CaseError {
            folder: folder.display().to_string(),
            mistakes: vec![Mistake {
                file: "case.yaml".to_owned(),
                line: 1,
                column: 1,
                what: mistake,
                help: None,
            }],
        };
        let files = Files::read(folder).map_err(whole)?;
        case::Case::of(name, files).map(|case| Self(Make::Folder(case)))
    }

    /// The folder that it is, where it is one.
    #[must_use]
    pub fn as_folder(&self) -> Option<&case::Case> {
        match &self.0 {
            Make::Folder(case) => Some(case),
            Make::Liveness(_) => None,
        }
    }

    /// Its id: `c7`.
    #[must_use]
    pub fn id(&self) -> &str {
        match &self.0 {
            Make::Folder(case) => case.id(),
            Make::Liveness(study) => study.folder.split_once('_').map_or(study.folder, |(id, _)| id),
        }
    }

    /// Its variants; one without a name where there are none.
    #[must_use]
    pub fn variants(&self) -> Vec<Option<String>> {
        self.as_folder().map_or_else(|| vec![None], case::Case::variants)
    }

    /// Whether it needs what only the local provider has: an API server that can be bounded and restarted.
    #[must_use]
    pub fn local_only(&self) -> bool {
        self.as_folder().is_none()
    }

    /// What is said of it in lists.
    #[must_use]
    pub fn card(&self) -> CaseInfo {
        match &self.0 {
            Make::Folder(case) => CaseInfo {
                case: case.folder().to_owned(),
                id: case.id().to_owned(),
                slug: case.slug().to_owned(),
                title: case.title().to_owned(),
                conflict: case.conflict().to_vec(),
                mechanism: case.mechanism().to_owned(),
                control: case.fix().to_owned(),
                upstream: case.upstream().to_vec(),
                workers: case.workers(),
                expected_runtime: case.expected_runtime(),
            },
            Make::Liveness(study) => {
                let card = study.load().expect("a test reads the embedded card").card;
                CaseInfo {
                    case: card.folder.to_owned(),
                    slug: card.slug().to_owned(),
                    id: card.id,
                    title: card.title,
                    conflict: card.conflict,
                    mechanism: card.mechanism,
                    control: card.control,
                    upstream: card.upstream,
                    workers: card.workers,
                    expected_runtime: card.expected_runtime,
                }
            }
        }
    }

    /// What an arm is expected to end with where nothing has changed.
    #[must_use]
    pub fn expected(&self, arm: Arm, variant: Option<&str>) -> Expect {
        let scenario = self.as_folder().and_then(|case| case.scenario(arm, variant));
        scenario.map_or_else(|| Expect::of(arm), Scenario::expected)
    }

    /// What is to be said of a timeline of this case. A pure function.
    ///
    /// A recording that is broken off can still show the failure, but not its absence.
    pub fn judge(&self, timeline: &Timeline) -> Judgement {
        match &self.0 {
            Make::Folder(case) => judge_by(case, timeline),
            Make::Liveness(study) => (study.judge)(timeline).on(timeline),
        }
    }

    /// Roughly how long an arm takes, in seconds at the recorded pace.
    #[must_use]
    pub fn weight(&self, arm: Arm) -> u64 {
        let watched = |scenario: &case::Scenario| {
            let windows = scenario.file.steps.iter().map(|step| match step {
                Step::Observe(observe) => observe.observe.0,
                _ => Duration::ZERO,
            });
            windows.sum::<Duration>().as_secs()
        };
        match &self.0 {
            Make::Folder(case) => {
                let arms = case.scenarios().iter().filter(|scenario| scenario.arm == arm);
                arms.map(watched).max().unwrap_or_default()
            }
            Make::Liveness(study) => study.load().map_or(0, |folder| match arm {
                Arm::Broken => folder.card.needs.as_secs(),
                Arm::Control => folder.card.needs.as_secs() * 2,
            }),
        }
    }

    /// Whether a word names it: its id, its folder, what goes wrong in it, or a glob over these.
    #[must_use]
    pub fn is_called(&self, word: &str) -> bool {
        if let Some(case) = self.as_folder() {
            return case.is_called(word);
        }
        let word = word.to_lowercase();
        let folder = self.folder();
        let slug = folder.split_once('_').map_or(folder, |(_, slug)| slug);
        let names = [self.id(), folder, slug];
        match Glob::new(&word) {
            Ok(glob) => names.iter().any(|name| glob.compile_matcher().is_match(name)),
            Err(_) => names.contains(&word.as_str()),
        }
    }

    pub(crate) fn liveness(&self) -> Option<&'static Study> {
        match self.0 {
            Make::Folder(_) => None,
            Make::Liveness(study) => Some(study),
        }
    }
}

impl Study {
    /// Its files, read and checked.
    ///
    /// # Errors
    /// All mistakes of all its files together.
    pub(crate) fn load(&self) -> Result<Folder, LibraryError> {
        liveness::load(self)
    }

    /// Whether a timeline shows the failure: what is asked again and again while it grows.
    pub(crate) fn reproduced(&self, timeline: &Timeline) -> bool {
        let judged = (self.judge)(timeline);
        // Nothing makes a failure of what was none; most of the time there is none yet.
        judged.verdict == Verdict::Reproduced && judged.on(timeline).verdict == Verdict::Reproduced
    }

    /// The number that the verdict hangs on, as it stands.
    pub(crate) fn pulse(&self, timeline: &Timeline) -> String {
        (self.pulse)(timeline)
    }
}

/// What a folder's case says of a timeline.
pub fn judge_by(case: &case::Case, timeline: &Timeline) -> Judgement {
    let header = &timeline.header;
    match case.scenario(header.arm, header.variant.as_deref()) {
        Some(scenario) => claim::judge(&scenario.claims(), timeline),
        None => Judgement::inconclusive(format!(
            "the case has no variant \"{}\"",
            header.variant.as_deref().unwrap_or_default()
        )),
    }
}

/// What is said of a case in lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseInfo {
    /// Its folder.
    pub case: String,
    /// Its id.
    pub id: String,
    /// What goes wrong, as the folder says it.
    pub slug: String,
    /// What goes wrong, in one sentence.
    pub title: String,
    /// Who fights.
    pub conflict: Vec<String>,
    /// Why they do.
    pub mechanism: String,
    /// What the control changes.
    pub control: String,
    /// Issues of the projects concerned.
    pub upstream: Vec<String>,
    /// How many workers it needs.
    pub workers: usize,
    /// How long it runs at most, at the recorded pace.
    pub expected_runtime: Duration,
}

impl PartialEq for Case {
    fn eq(&self, other: &Self) -> bool {
        self.folder() == other.folder()
    }
}

impl Eq for Case {}

/// A file of every built-in case that has one, by folder: what the reports read that is no input of the case.
#[must_use]
pub fn recorded(file: &str) -> BTreeMap<String, String> {
    let folders = EMBEDDED.dirs().map(|dir| dir.path().display().to_string());
    folders
        .filter_map(|folder| {
            let found = EMBEDDED.get_file(format!("{folder}/recorded/{file}"))?;
            Some((folder, found.contents_utf8()?.to_owned()))
        })
        .collect()
}
