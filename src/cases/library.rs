//! The files of the cases: embedded in the crate, or in a folder that the user names instead.

use include_dir::{Dir, include_dir};
use once_cell::sync::Lazy;
use std::collections::BTreeMap;

use super::{STUDY, Study};
use crate::load::profile::{Profile, ProfileError};
use crate::scenario::{Card, CardError, Manifest, ManifestError, PolicyApi, manifests_of, policy_of};

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/manifests");

/// The embedded files of every case, by folder and name.
static FILES: Lazy<BTreeMap<String, BTreeMap<String, String>>> = Lazy::new(|| {
    let files = |dir: &Dir<'_>| {
        let texts = dir.files().filter_map(|file| {
            Some((
                file.path().file_name()?.to_str()?.to_owned(),
                file.contents_utf8()?.to_owned(),
            ))
        });
        texts.collect()
    };
    EMBEDDED
        .dirs()
        .map(|dir| (dir.path().display().to_string(), files(dir)))
        .collect()
});

/// What is wrong with the files of a case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} of \"{folder}\":\n{}", counted(.mistakes.len()), .mistakes.join("\n"))]
pub struct LibraryError {
    /// The case's folder.
    pub folder: String,
    /// One sentence a mistake, with file and line.
    pub mistakes: Vec<String>,
}

fn counted(count: usize) -> String {
    if count == 1 {
        "a mistake in the files".to_owned()
    } else {
        format!("{count} mistakes in the files")
    }
}

/// The files of one case, read and checked.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Its identity card.
    pub card: Card,
    /// Its manifests.
    pub manifests: Vec<Manifest>,
    /// Its descheduler policies, by file name; see [`PolicyApi::file`](crate::scenario::PolicyApi::file).
    pub policies: BTreeMap<String, serde_json::Value>,
    /// The profiles of its load tests, by file name.
    pub profiles: BTreeMap<String, Profile>,
}

impl Folder {
    /// A manifest by its file's name.
    #[must_use]
    pub fn manifest(&self, file: &str) -> Option<&Manifest> {
        self.manifests.iter().find(|manifest| manifest.file == file)
    }
}

/// Reads the embedded files of a case.
///
/// # Errors
/// All mistakes of all its files together; a file that its steps name and that is missing is one as well.
pub(super) fn load(case: &Study) -> Result<Folder, LibraryError> {
    let fail = |mistakes| LibraryError {
        folder: case.folder.to_owned(),
        mistakes,
    };
    let files = FILES.get(case.folder).cloned().unwrap_or_default();
    let mut mistakes = Vec::new();
    let mut keep = |found: Vec<String>| mistakes.extend(found);
    let text = files.get("case.yaml").map_or("", String::as_str);
    let card = Card::parse(case.folder, text)
        .map_err(|CardError { mistakes }| keep(mistakes))
        .ok();
    let manifests = manifests_of(case.folder, &files)
        .map_err(|ManifestError { mistakes }| keep(mistakes))
        .unwrap_or_default();
    let mut policies = BTreeMap::new();
    for (file, text) in files
        .iter()
        .filter(|(file, _)| file.starts_with("policy") && file.ends_with(".yaml"))
    {
        match policy_of(&format!("{}/{file}", case.folder), text) {
            Ok(policy) => {
                // Which one a descheduler gets is told by the file's name.
                let wanted = PolicyApi::of_file(file).to_string();
                if policy["apiVersion"] != wanted {
                    let found = &policy["apiVersion"];
                    keep(vec![format!(
                        "{}/{file}:1: apiVersion: expected \"{wanted}\", found {found}",
                        case.folder
                    )]);
                }
                policies.insert(file.clone(), policy);
            }
            Err(ManifestError { mistakes }) => keep(mistakes),
        }
    }
    let mut profiles = BTreeMap::new();
    for (file, text) in files.iter().filter(|(file, _)| file.starts_with("profile")) {
        match Profile::parse(&format!("{}/{file}", case.folder), text) {
            Ok(profile) => drop(profiles.insert(file.clone(), profile)),
            Err(ProfileError { mistakes: found }) => mistakes.extend(found),
        }
    }
    match card {
        Some(card) if mistakes.is_empty() => Ok(Folder {
            card,
            manifests,
            policies,
            profiles,
        }),
        _ => Err(fail(mistakes)),
    }
}

/// A file of every case that has one, by folder: what the reports read that is neither card nor manifest.
#[must_use]
pub fn recorded(file: &str) -> BTreeMap<String, String> {
    STUDY
        .iter()
        .filter_map(|case| {
            let found = EMBEDDED.get_file(format!("{}/recorded/{file}", case.folder))?;
            Some((case.folder.to_owned(), found.contents_utf8()?.to_owned()))
        })
        .collect()
}
