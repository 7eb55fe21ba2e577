//! What the writer of a policy should know: where it was found, and what in it does nothing.

use std::fmt;

use serde_json::Value;

use super::fields::{NEWEST, Releases};
use super::place::Place;
use super::{PolicyApi, profiles, unread};
use kubeclash_host::yaml::FieldPath;

/// What kind of note it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKind {
    /// Where the policy is in its file.
    Found,
    /// Something that does not do what it seems to.
    Warning,
    /// The policy forbids all evictions.
    Forbids,
}

/// Something that the writer of a policy should know; shown as `mine.yaml:8: profiles[0].name …`, on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyNote {
    /// What kind of note it is.
    pub kind: NoteKind,
    /// The file.
    pub file: String,
    /// The line in it, counted from 1.
    pub line: usize,
    /// What there is to know.
    pub what: String,
    /// The releases that read it, where that is not the same for all: the note is for the others.
    pub(super) releases: Option<Releases>,
}

impl fmt::Display for PolicyNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// Takes down notes of one policy.
pub(super) struct Notebook<'a> {
    file: &'a str,
    place: &'a Place,
    notes: Vec<PolicyNote>,
}

impl Notebook<'_> {
    /// Of something that is at a place in the policy.
    pub(super) fn warn(&mut self, at: &FieldPath, what: impl fmt::Display) {
        self.add(NoteKind::Warning, at, format!("{at} {what}"), None);
    }

    /// The same where some releases read it.
    pub(super) fn warn_others_than(&mut self, releases: Releases, at: &FieldPath, what: impl fmt::Display) {
        self.add(NoteKind::Warning, at, format!("{at} {what}"), Some(releases));
    }

    fn add(&mut self, kind: NoteKind, at: &FieldPath, what: String, releases: Option<Releases>) {
        self.notes.push(PolicyNote {
            kind,
            file: self.file.to_owned(),
            line: self.place.line(at),
            what,
            releases,
        });
    }
}

/// All that there is to know of a policy, in the order of its lines.
pub(super) fn of(file: &str, place: &Place) -> Vec<PolicyNote> {
    let mut notes = Notebook {
        file,
        place,
        notes: Vec::new(),
    };
    let policy = &place.document;
    let top = FieldPath::default();
    if place.at != top {
        let what = format!("the policy is the one below {}, as {}", place.at, place.api);
        notes.add(NoteKind::Found, &top, what, None);
        if let Some(at) = template_in(policy, &top) {
            notes.warn(
                &at,
                "has a \"{{\", which Helm would fill in and which stays as it is here",
            );
        }
    }
    for limit in [
        "maxNoOfPodsToEvictPerNode",
        "maxNoOfPodsToEvictPerNamespace",
        "maxNoOfPodsToEvictTotal",
    ] {
        if policy[limit].as_f64() == Some(0.0) {
            let what = format!("{limit}: 0 evicts nothing on purpose, and who evicts nothing cures nothing");
            notes.add(NoteKind::Forbids, &top.field(limit), what, None);
        }
    }
    unread::tell(place.api, policy, &mut notes);
    let evicts = match place.api {
        PolicyApi::V1alpha1 => profiles::any_strategy(policy),
        PolicyApi::V1alpha2 => profiles::tell(policy, &mut notes),
    };
    if !evicts {
        let (at, what) = match place.api {
            PolicyApi::V1alpha1 => ("strategies", "no strategy is enabled".to_owned()),
            PolicyApi::V1alpha2 => (
                "profiles",
                format!(
                    "no profile that deschedulers up to {NEWEST} run enables a plugin at \"deschedule\" or \"balance\""
                ),
            ),
        };
        let what = format!("nothing is ever evicted: {what}");
        notes.add(NoteKind::Warning, &top.field(at), what, None);
    }
    let mut notes = notes.notes;
    notes.sort_by_key(|note| note.line);
    notes
}

/// The first text that a template would fill in.
fn template_in(value: &Value, path: &FieldPath) -> Option<FieldPath> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .find_map(|(name, value)| template_in(value, &path.field(name))),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(at, value)| template_in(value, &path.item(at)))
        }
        Value::String(text) => text.contains("{{").then(|| path.clone()),
        _ => None,
    }
}

#[cfg(test)]
#[path = "notes_tests.rs"]
mod tests;
