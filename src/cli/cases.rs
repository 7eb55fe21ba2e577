//! `--cases`: folders of cases beside the built-in ones, for every verb that names cases.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::cases::{Case, Library, is_case};
use crate::exit;

/// Where cases are found.
#[derive(Debug, Clone, Default, Args)]
pub struct CasesFlags {
    /// A folder of cases beside the built-in ones, or one case's folder; can be given several times
    #[arg(
        long = "cases",
        id = "case-dirs",
        value_name = "DIR",
        env = crate::session::CASES,
        value_delimiter = ':'
    )]
    pub dirs: Vec<PathBuf>,
}

impl CasesFlags {
    /// The built-in cases and those of the folders.
    ///
    /// # Errors
    /// All mistakes in the folders' cases together.
    pub fn library(&self) -> Result<Library, Failure> {
        self.library_with(&[])
    }

    /// The same with cases that were named by their folders.
    ///
    /// # Errors
    /// All mistakes in the folders' cases together.
    pub fn library_with(&self, more: &[PathBuf]) -> Result<Library, Failure> {
        let dirs: Vec<PathBuf> = self.dirs.iter().chain(more).cloned().collect();
        Library::with(&dirs).map_err(|error| Failure::new(exit::USAGE, error.to_string()))
    }

    /// The one case that a word names, or the folder that it is.
    ///
    /// # Errors
    /// When no case is called so, or several are, or the folder's case has mistakes.
    pub fn only(&self, word: &str) -> Result<Case, Failure> {
        let folder = folder_of(word);
        let library = self.library_with(folder.as_slice())?;
        let named: Vec<&Case> = library.iter().filter(|case| names(word, case)).collect();
        match named[..] {
            [case] => Ok(case.clone()),
            [] => Err(Failure::new(exit::USAGE, library.no_case(word))),
            _ => Err(Failure::new(
                exit::USAGE,
                format!("\"{word}\" calls more than one case"),
            )),
        }
    }

    /// As arguments, for a job that is to see the same cases.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let dirs = self.dirs.iter().map(|dir| dir.display().to_string());
        dirs.flat_map(|dir| ["--cases".to_owned(), dir]).collect()
    }
}

/// The folder that a word names: a path, or a folder of a case that stands here.
pub(super) fn folder_of(word: &str) -> Option<PathBuf> {
    let path = Path::new(word);
    let is_path = word.contains('/') || word == "." || word == "..";
    (is_path || is_case(path)).then(|| path.to_owned())
}

/// Whether a word names a case: as it is called, or by its folder or the one that its folder is in.
pub(super) fn names(word: &str, case: &Case) -> bool {
    let Some(folder) = folder_of(word) else {
        return case.is_called(word);
    };
    let source = case.as_folder().and_then(|case| case.source());
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    source.map(real).is_some_and(|source| {
        let folder = real(&folder);
        source == folder || source.parent() == Some(&*folder)
    })
}
