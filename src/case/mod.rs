//! A case: a folder that anybody can write, with its card, its cluster, its arms, its steps and its failure.
//!
//! [`format`](mod@format) is what `case.yaml` says. Reading it goes from a text to a [`tree`] that knows its places, with the
//! [`values`] of an arm put in, checked against the [`schema`] and by the rules of what may be said, to [`Scenario`]s. Every
//! mistake of a folder is told at once, with its place. Nothing in here runs anything.

mod cluster;
mod cpu;
mod declared;
pub mod files;
pub mod format;
mod inputs;
pub mod mistake;
mod read;
mod rules;
pub mod scenario;
mod text;
pub use cpu::cpu_use;
pub mod schema;
pub mod shape;
mod substitute;
pub mod template;
pub mod tree;
pub mod values;

pub use files::Files;
pub use mistake::{CaseError, Mistake, Place};
pub use scenario::Scenario;
pub use substitute::{Substitute, SubstituteError, Substitutes};

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use globset::Glob;

use self::format::CaseFile;
use kubeclash_components::Spec;
use kubeclash_timeline::Arm;

/// A case, read from its folder and checked. Cloning it costs nothing.
#[derive(Debug, Clone)]
pub struct Case(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: String,
    files: Files,
    scenarios: Vec<Scenario>,
}

/// A program that a case brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// What it is called in the case.
    pub name: String,
    /// Where it comes from; a path is one of this machine.
    pub spec: Spec,
}

impl Case {
    /// Reads a case from its folder on a disk.
    ///
    /// # Errors
    /// Every mistake of all its files.
    pub fn read(folder: &Path) -> Result<Self, CaseError> {
        let shown = folder.display().to_string();
        let fail = |mistakes| CaseError {
            folder: shown.clone(),
            mistakes,
        };
        let at_start = |what: String| mistake::Flaw::new(Place::START, what).in_file(read::CASE_FILE);
        let files = Files::read(folder).map_err(|error| fail(vec![at_start(error)]))?;
        // `.` and `..` have names as well.
        let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let name = real.file_name().map(|name| name.to_string_lossy().into_owned());
        Self::of(&name.unwrap_or_default(), files).map_err(|error| fail(error.mistakes))
    }

    /// Reads a case that is embedded in the program.
    ///
    /// # Errors
    /// Every mistake of all its files.
    pub fn embedded(folder: &include_dir::Dir<'_>) -> Result<Self, CaseError> {
        let name = folder.path().file_name().unwrap_or_default().to_string_lossy();
        Self::of(&name, Files::embedded(folder))
    }

    /// Reads a case from its files: a folder of any name, whose files may be a copy.
    ///
    /// # Errors
    /// Every mistake of all its files.
    pub fn of(folder: &str, files: Files) -> Result<Self, CaseError> {
        let scenarios = read::read(folder, &files).map_err(|mistakes| CaseError {
            folder: folder.to_owned(),
            mistakes,
        })?;
        Ok(Self(Arc::new(Inner {
            folder: folder.to_owned(),
            files,
            scenarios,
        })))
    }

    /// What it says, with the values of the first arm put in.
    fn file(&self) -> &CaseFile {
        &self.0.scenarios[0].file
    }

    /// The folder's name, which is the case's: `c7_taint_recreate_loop`.
    #[must_use]
    pub fn folder(&self) -> &str {
        &self.0.folder
    }

    /// Where it was read from; `None` of one that is embedded, or a copy.
    #[must_use]
    pub fn source(&self) -> Option<&Path> {
        self.0.files.folder()
    }

    /// Its short id, e.g. `c7`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.file().id
    }

    /// What goes wrong, as the folder says it: `taint_recreate_loop`; the id where it says nothing else.
    #[must_use]
    pub fn slug(&self) -> &str {
        let folder = self.folder();
        folder.split_once('_').map_or(folder, |(_, slug)| slug)
    }

    /// What goes wrong, in one sentence.
    #[must_use]
    pub fn title(&self) -> &str {
        self.file().title.trim()
    }

    /// Why it does.
    #[must_use]
    pub fn mechanism(&self) -> &str {
        self.file().mechanism.trim()
    }

    /// The controllers that fight.
    #[must_use]
    pub fn conflict(&self) -> &[String] {
        &self.file().conflict
    }

    /// What the control arm changes, in words.
    #[must_use]
    pub fn fix(&self) -> &str {
        let fix = self.file().arms.control.get("fix");
        fix.and_then(serde_json::Value::as_str).unwrap_or_default().trim()
    }

    /// The issues of the projects concerned, as `owner/repo#number`.
    #[must_use]
    pub fn upstream(&self) -> &[String] {
        &self.file().upstream
    }

    /// Its variants; one without a name where there are none.
    #[must_use]
    pub fn variants(&self) -> Vec<Option<String>> {
        let broken = self
            .0
            .scenarios
            .iter()
            .filter(|scenario| scenario.arm == Arm::Broken);
        broken.map(|scenario| scenario.variant.clone()).collect()
    }

    /// How many workers it needs at most, those that its steps add among them.
    #[must_use]
    pub fn workers(&self) -> usize {
        let all = self.0.scenarios.iter().map(|scenario| scenario.file.workers());
        all.max().unwrap_or_default()
    }

    /// How long the case runs at most, all in all, at the recorded pace.
    #[must_use]
    pub fn expected_runtime(&self) -> Duration {
        self.file().expected_runtime.0
    }

    /// Whether a word names it: its id, its folder, what goes wrong in it, or a glob over these.
    #[must_use]
    pub fn is_called(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        let names = [self.id(), self.folder(), self.slug()];
        match Glob::new(&word) {
            Ok(glob) => {
                let glob = glob.compile_matcher();
                names.iter().any(|name| glob.is_match(name))
            }
            Err(_) => names.contains(&word.as_str()),
        }
    }

    /// One arm of one of its variants; `None` where it has no such variant.
    #[must_use]
    pub fn scenario(&self, arm: Arm, variant: Option<&str>) -> Option<&Scenario> {
        let of = |scenario: &&Scenario| scenario.arm == arm && scenario.variant.as_deref() == variant;
        self.0.scenarios.iter().find(of)
    }

    /// Every arm of every variant, the broken one before its control.
    #[must_use]
    pub fn scenarios(&self) -> &[Scenario] {
        &self.0.scenarios
    }

    /// The files that it is made of, by name: `case.yaml` and what it names. A case that is read from them is the same.
    #[must_use]
    pub fn files(&self) -> Vec<(&str, &str)> {
        let used = |name: &str| {
            name == read::CASE_FILE
                || self.0.scenarios.iter().any(|scenario| {
                    scenario.manifests.contains_key(name)
                        || scenario.policies.contains_key(name)
                        || scenario.configs.contains_key(name)
                })
        };
        let names = self.0.files.names().filter(|name| used(name));
        names
            .filter_map(|name| Some((name, self.0.files.text(name)?.ok()?)))
            .collect()
    }

    /// The programs that it brings, each once.
    #[must_use]
    pub fn brings(&self) -> Vec<Program> {
        let mut programs: Vec<Program> = Vec::new();
        for controller in self
            .0
            .scenarios
            .iter()
            .flat_map(|scenario| &scenario.file.controllers)
        {
            let Ok(spec) = controller.run.parse() else {
                continue;
            };
            let program = Program {
                name: controller.name.clone(),
                spec: self.placed(spec),
            };
            if !programs.contains(&program) {
                programs.push(program);
            }
        }
        programs
    }

    /// A build whose path is seen from the case's folder, as seen from here.
    fn placed(&self, spec: Spec) -> Spec {
        let place = |path: PathBuf| {
            self.source()
                .map_or_else(|| path.clone(), |folder| folder.join(&path))
        };
        match spec {
            Spec::Path(path) => Spec::Path(place(path)),
            Spec::Source { dir, package } => Spec::Source {
                dir: place(dir),
                package,
            },
            other => other,
        }
    }
}

#[cfg(test)]
#[path = "case_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "any_text_tests.rs"]
mod any_text;

#[cfg(test)]
#[path = "docs_tests.rs"]
mod docs;

#[cfg(test)]
mod recorded_tests;
