//! The cases that there are: the built-in ones, and those of the user's folders.

use std::fmt;
use std::path::{Path, PathBuf};

use once_cell::sync::Lazy;

use super::{Case, EMBEDDED, LIVENESS, Make};
use crate::case::{self, CaseError};

/// The cases that there are, in the order in which they are listed: the built-in ones, and those of the user's folders.
#[derive(Debug, Clone)]
pub struct Library {
    cases: Vec<Case>,
}

/// What is wrong with the cases of the user's folders.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldersError {
    /// Cases with mistakes.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Cases(Vec<CaseError>),
    /// A folder that can't be read, or has no case in it.
    #[error("\"{}\" has no case in it: {why}", .path.display())]
    NoCase {
        /// The folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Cases of one name.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Twice(Vec<Twice>),
}

/// Two cases of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twice {
    /// The name.
    pub name: String,
    /// The folder of the one; `None` of a built-in one.
    pub first: Option<PathBuf>,
    /// The folder of the other.
    pub second: PathBuf,
}

impl fmt::Display for Twice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, second) = (&self.name, self.second.display());
        match &self.first {
            Some(first) => write!(
                f,
                "two cases are called \"{name}\": in \"{}\" and in \"{second}\"",
                first.display()
            ),
            None => write!(
                f,
                "two cases are called \"{name}\": a built-in one, and another in \"{second}\", which needs a name of its own"
            ),
        }
    }
}

/// The name of a case's file.
const CASE_FILE: &str = "case.yaml";

/// The built-in cases, read once.
static BUILTIN: Lazy<Vec<Case>> = Lazy::new(|| {
    let folders = EMBEDDED.dirs().filter(|dir| {
        let name = dir.path().display().to_string();
        !name.starts_with('_') && name != LIVENESS.folder
    });
    let mut cases: Vec<case::Case> = folders
        .map(|dir| case::Case::embedded(dir).unwrap_or_else(|error| panic!("a built-in case: {error}")))
        .collect();
    cases.sort_by_cached_key(|case| order(case.id()));
    let folders = cases.into_iter().map(|case| Case(Make::Folder(case)));
    folders.chain([Case(Make::Liveness(LIVENESS))]).collect()
});

/// The study's cases first, then the others by family; numbers as numbers.
fn order(id: &str) -> (bool, String, u32) {
    let letters: String = id.chars().take_while(|c| !c.is_ascii_digit()).collect();
    let number = id[letters.len()..]
        .chars()
        .take_while(char::is_ascii_digit)
        .collect::<String>();
    (letters != "c", letters, number.parse().unwrap_or(0))
}

impl Library {
    /// The built-in cases.
    #[must_use]
    pub fn builtin() -> Self {
        Self {
            cases: BUILTIN.clone(),
        }
    }

    /// The built-in cases, and those of folders: each the folder of a case, or one of several. A folder with a built-in case takes
    /// its place where it is the same experiment: a checkout of this repository, say.
    ///
    /// # Errors
    /// All mistakes in the folders' cases together; a folder without a case; cases of one name, of which all are told.
    pub fn with(dirs: &[PathBuf]) -> Result<Self, FoldersError> {
        let mut library = Self::builtin();
        let (mut wrong, mut twice) = (Vec::new(), Vec::new());
        let mut seen: Vec<PathBuf> = Vec::new();
        for dir in dirs {
            for folder in folders(dir)? {
                // However it is written: a folder is the same through a link.
                let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
                if seen.contains(&real) {
                    continue;
                }
                seen.push(real);
                match case::Case::read(&folder) {
                    Ok(case) => twice.extend(library.add(case, &folder).err()),
                    Err(error) => wrong.push(error),
                }
            }
        }
        if !wrong.is_empty() {
            Err(FoldersError::Cases(wrong))
        } else if !twice.is_empty() {
            Err(FoldersError::Twice(twice))
        } else {
            Ok(library)
        }
    }

    fn add(&mut self, case: case::Case, folder: &Path) -> Result<(), Twice> {
        let same_name = |known: &Case| known.folder() == case.folder() || known.id() == case.id();
        let Some(at) = self.cases.iter().position(same_name) else {
            self.cases.push(Case(Make::Folder(case)));
            return Ok(());
        };
        let known = &self.cases[at];
        let source = known.as_folder().and_then(case::Case::source);
        if source.is_none() && known.as_folder().is_some_and(|known| is_same(known, &case)) {
            self.cases[at] = Case(Make::Folder(case));
            return Ok(());
        }
        let name = if known.id() == case.id() {
            case.id()
        } else {
            case.folder()
        };
        Err(Twice {
            name: name.to_owned(),
            first: source.map(Path::to_owned),
            second: folder.to_owned(),
        })
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

/// Whether two cases are called the same and are the same experiment, whatever their prose says.
fn is_same(one: &case::Case, other: &case::Case) -> bool {
    let arms = |case: &case::Case| -> Vec<_> {
        let scenarios = case.scenarios().iter();
        let arm = |of: &case::Scenario| {
            (
                of.arm,
                of.variant.clone(),
                of.file.expect,
                of.inputs_sha256.clone(),
            )
        };
        scenarios.map(arm).collect()
    };
    one.folder() == other.folder() && arms(one) == arms(other)
}

/// Whether a folder is one of a case.
#[must_use]
pub fn is_case(dir: &Path) -> bool {
    dir.join(CASE_FILE).is_file()
}

/// The folders of cases in a folder, or itself where it is one, in the order of their names.
pub(crate) fn folders(dir: &Path) -> Result<Vec<PathBuf>, FoldersError> {
    if is_case(dir) {
        return Ok(vec![dir.to_owned()]);
    }
    let none = |why: String| FoldersError::NoCase {
        path: dir.to_owned(),
        why,
    };
    let entries = std::fs::read_dir(dir).map_err(|error| none(error.to_string()))?;
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| is_case(path))
        .collect();
    found.sort();
    if found.is_empty() {
        return Err(none(format!("neither a {CASE_FILE} nor a folder with one")));
    }
    Ok(found)
}

#[cfg(test)]
#[path = "library_tests.rs"]
mod tests;
