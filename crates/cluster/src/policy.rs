//! Policies of the descheduler, in the API versions that there are and in the files that people have.

mod fields;
mod notes;
mod place;
mod plugins;
mod profiles;
mod unread;

pub use notes::{NoteKind, PolicyNote};

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

use self::place::Place;
use kubeclash_host::yaml::ManifestError;
use kubeclash_timeline::Minor;

/// An API version of `DeschedulerPolicy`.
///
/// Since and until when a descheduler knows it stands in its `pkg/descheduler/policyconfig.go`, tag by tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyApi {
    /// `descheduler/v1alpha1`: a map of strategies.
    V1alpha1,
    /// `descheduler/v1alpha2`: profiles of plugins.
    V1alpha2,
}

impl PolicyApi {
    /// All of them, oldest first.
    const ALL: [Self; 2] = [Self::V1alpha1, Self::V1alpha2];

    /// The newest that a descheduler knows; of one whose version is unknown, the newest that there is.
    #[must_use]
    pub fn for_descheduler(version: &str) -> Self {
        let known = |api: &Self| Minor::of(version).is_none_or(|minor| api.is_known_by(minor));
        Self::ALL.into_iter().rev().find(known).unwrap_or(Self::V1alpha2)
    }

    /// Whether the deschedulers of a minor release know it.
    #[must_use]
    pub fn is_known_by(self, descheduler: Minor) -> bool {
        match self {
            Self::V1alpha1 => descheduler < Minor::new(0, 31),
            Self::V1alpha2 => descheduler >= Minor::new(0, 27),
        }
    }

    /// Which deschedulers know it, in words.
    #[must_use]
    pub fn known_by(self) -> &'static str {
        match self {
            Self::V1alpha1 => "deschedulers up to v0.30",
            Self::V1alpha2 => "deschedulers from v0.27 on",
        }
    }

    fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.to_string() == text)
    }

    /// The API version that a file of a case must have, by its name.
    #[must_use]
    pub fn of_file(file: &str) -> Self {
        if file.ends_with(".v1alpha1.yaml") {
            Self::V1alpha1
        } else {
            Self::V1alpha2
        }
    }

    /// The file that says in this API version what `file` says in the newest: `policy.yaml`, `policy.v1alpha1.yaml`.
    #[must_use]
    pub fn file(self, file: &str) -> String {
        match self {
            Self::V1alpha1 => format!("{}.v1alpha1.yaml", file.trim_end_matches(".yaml")),
            Self::V1alpha2 => file.to_owned(),
        }
    }
}

impl fmt::Display for PolicyApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::V1alpha1 => "descheduler/v1alpha1",
            Self::V1alpha2 => "descheduler/v1alpha2",
        })
    }
}

/// A descheduler's policy: a user's in place of the cases' own, or one that lies in a case's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The file that it was read from.
    pub file: PathBuf,
    /// Its API version.
    pub api: PolicyApi,
    /// What it says.
    pub document: Value,
    notes: Vec<PolicyNote>,
}

impl Policy {
    /// Reads a policy: alone in its file, or below `deschedulerPolicy` among the values of a Helm chart.
    ///
    /// What is in it that no descheduler reads is no mistake, as a fork may; [`Policy::notes`] tell of it.
    ///
    /// # Errors
    /// When it is not YAML, not a `DeschedulerPolicy`, or of an unknown API version; with the line.
    pub fn parse(file: PathBuf, text: &str) -> Result<Self, ManifestError> {
        let shown = file.display().to_string();
        let place = Place::of(&shown, text)?;
        let notes = notes::of(&shown, &place);
        Ok(Self {
            file,
            api: place.api,
            document: place.document,
            notes,
        })
    }

    /// What its writer should know, whatever descheduler gets it.
    pub fn notes(&self) -> impl Iterator<Item = &PolicyNote> {
        self.notes.iter().filter(|note| note.releases.is_none())
    }

    /// What else its writer should know where the descheduler is of this minor release: what that one does not read.
    pub fn notes_for(&self, descheduler: Minor) -> impl Iterator<Item = &PolicyNote> {
        let unread = move |note: &&PolicyNote| note.releases.is_some_and(|by| !by.contain(descheduler));
        self.notes.iter().filter(unread)
    }

    /// Where it says that nothing may be evicted. A descheduler that evicts nothing on purpose cures nothing.
    #[must_use]
    pub fn forbids_evictions(&self) -> Option<&PolicyNote> {
        self.notes.iter().find(|note| note.kind == NoteKind::Forbids)
    }
}

/// What a descheduler policy says, checked to be one, and of an API version that there is.
///
/// # Errors
/// As [`Policy::parse`].
pub fn policy_of(file: &str, text: &str) -> Result<Value, ManifestError> {
    Policy::parse(file.into(), text).map(|policy| policy.document)
}

/// The policies that a case's steps name, in one API version: each under the name that the steps have for it.
///
/// A policy that has no such version is left out; who needs it says so.
#[must_use]
pub fn policies_in(api: PolicyApi, policies: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let plain = policies
        .keys()
        .filter(|file| PolicyApi::of_file(file) == PolicyApi::V1alpha2);
    plain
        .filter_map(|file| Some((file.clone(), policies.get(&api.file(file))?.clone())))
        .collect()
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
