//! `--cases`: folders of cases beside the built-in ones, for every verb that names cases.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::cases::Library;
use crate::exit;

/// Where cases are found.
#[derive(Debug, Clone, Default, Args)]
pub struct CasesFlags {
    /// A folder of cases beside the built-in ones, or one case's folder; can be given several times. One with the name of a
    /// built-in case takes its place
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

    /// As arguments, for a job that is to see the same cases.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let dirs = self.dirs.iter().map(|dir| dir.display().to_string());
        dirs.flat_map(|dir| ["--cases".to_owned(), dir]).collect()
    }
}
