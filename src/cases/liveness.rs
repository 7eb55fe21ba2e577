//! The files of the experiment that is no folder of the format: its card, and the profile of its load test.

use super::{EMBEDDED, Study};
use crate::scenario::{Card, CardError};
use kubeclash_load::profile::{Profile, ProfileError};

/// What is wrong with the experiment's files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("mistakes in the files of \"{folder}\":\n{}", .mistakes.join("\n"))]
pub struct LibraryError {
    /// Its folder.
    pub folder: String,
    /// One sentence a mistake, with file and line.
    pub mistakes: Vec<String>,
}

/// The files of the experiment, read and checked.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Its identity card.
    pub card: Card,
    /// The profile of its load test.
    pub profile: Profile,
}

/// Reads the embedded files.
///
/// # Errors
/// All mistakes of all files together.
pub(super) fn load(study: &Study) -> Result<Folder, LibraryError> {
    let text = |file: &str| {
        let found = EMBEDDED.get_file(format!("{}/{file}", study.folder));
        found.and_then(|file| file.contents_utf8()).unwrap_or_default()
    };
    let mut mistakes = Vec::new();
    let card = Card::parse(study.folder, text("card.yaml"));
    let card = card
        .map_err(|CardError { mistakes: found }| mistakes.extend(found))
        .ok();
    let file = format!("{}/{}", study.folder, study.profile);
    let profile = Profile::parse(&file, text(study.profile));
    let profile = profile
        .map_err(|ProfileError { mistakes: found }| mistakes.extend(found))
        .ok();
    match card.zip(profile) {
        Some((card, profile)) => Ok(Folder { card, profile }),
        None => Err(LibraryError {
            folder: study.folder.to_owned(),
            mistakes,
        }),
    }
}
