//! Policies of the descheduler, in the API versions that there are.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

use super::{ManifestError, yaml};
use crate::experiment::Minor;

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

/// A policy of the user's, in place of the cases' own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The file that it was read from.
    pub file: PathBuf,
    /// Its API version.
    pub api: PolicyApi,
    /// What it says.
    pub document: Value,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// As [`policy_of`].
    pub fn parse(file: PathBuf, text: &str) -> Result<Self, ManifestError> {
        let document = policy_of(&file.display().to_string(), text)?;
        let api = document["apiVersion"].as_str().and_then(PolicyApi::of);
        Ok(Self {
            file,
            api: api.expect("policy_of has looked"),
            document,
        })
    }
}

/// A descheduler policy, checked to be one, and of an API version that there is.
///
/// # Errors
/// When it is not YAML, not a `DeschedulerPolicy`, or of an unknown API version; with the line.
pub fn policy_of(file: &str, text: &str) -> Result<Value, ManifestError> {
    let of = |what: &str| PolicyApi::of(what).is_some();
    let versions = PolicyApi::ALL.map(|api| api.to_string());
    yaml::typed(file, text, "DeschedulerPolicy", of, &versions)
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
