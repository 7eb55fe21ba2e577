//! The cases that there are: the built-in ones, and those of the user's folders.

use std::path::{Path, PathBuf};

use once_cell::sync::Lazy;

use super::{Case, EMBEDDED, LIVENESS, Make};
use crate::case::{self, CaseError};

/// The cases that there are, in the order in which they are listed: the built-in ones, and those of the user's folders.
#[derive(Debug, Clone)]
pub struct Library {
    cases: Vec<Case>,
    /// What the user should know about them, in sentences.
    notes: Vec<String>,
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
    /// Two cases of one name.
    #[error("two cases are called \"{name}\": in \"{}\" and in \"{}\"", .first.display(), .second.display())]
    Twice {
        /// The name.
        name: String,
        /// The one.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
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
            notes: Vec::new(),
        }
    }

    /// The built-in cases, and those of folders: each the folder of a case, or one of several. A case of the same name takes the
    /// built-in one's place.
    ///
    /// # Errors
    /// All mistakes in the folders' cases together; a folder without a case; two cases of one name.
    pub fn with(dirs: &[PathBuf]) -> Result<Self, FoldersError> {
        let mut library = Self::builtin();
        let mut wrong = Vec::new();
        let mut from: Vec<(String, PathBuf)> = Vec::new();
        for dir in dirs {
            for folder in folders(dir)? {
                let case = match case::Case::read(&folder) {
                    Ok(case) => case,
                    Err(error) => {
                        wrong.push(error);
                        continue;
                    }
                };
                for name in [case.id(), case.folder()] {
                    if let Some((name, first)) =
                        from.iter().find(|(known, path)| known == name && *path != folder)
                    {
                        return Err(FoldersError::Twice {
                            name: name.clone(),
                            first: first.clone(),
                            second: folder,
                        });
                    }
                }
                if from.iter().any(|(_, path)| *path == folder) {
                    continue;
                }
                from.push((case.id().to_owned(), folder.clone()));
                from.push((case.folder().to_owned(), folder.clone()));
                library.add(case, &folder);
            }
        }
        if wrong.is_empty() {
            Ok(library)
        } else {
            Err(FoldersError::Cases(wrong))
        }
    }

    fn add(&mut self, case: case::Case, folder: &Path) {
        let taken = self
            .cases
            .iter()
            .position(|known| known.folder() == case.folder() || known.id() == case.id());
        match taken {
            Some(at) => {
                let builtin = self.cases[at].folder().to_owned();
                self.notes.push(format!(
                    "\"{}\" takes the place of the built-in {builtin}",
                    folder.display()
                ));
                self.cases[at] = Case(Make::Folder(case));
            }
            None => self.cases.push(Case(Make::Folder(case))),
        }
    }

    /// What the user should know about the cases, in sentences: which take a built-in one's place.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
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

/// Whether a folder is one of a case.
#[must_use]
pub fn is_case(dir: &Path) -> bool {
    dir.join(CASE_FILE).is_file()
}

/// The folders of cases in a folder, or itself where it is one, in the order of their names.
fn folders(dir: &Path) -> Result<Vec<PathBuf>, FoldersError> {
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
