//! What the writer of a policy should know: where it was found, and what in it does nothing.

use std::fmt;

use super::fields::Releases;
use super::place::Place;
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
    pub(super) file: &'a str,
    pub(super) place: &'a Place,
    pub(super) notes: Vec<PolicyNote>,
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

    pub(super) fn add(&mut self, kind: NoteKind, at: &FieldPath, what: String, releases: Option<Releases>) {
        self.notes.push(PolicyNote {
            kind,
            file: self.file.to_owned(),
            line: self.place.line(at),
            what,
            releases,
        });
    }
}

#[cfg(test)]
#[path = "notes_tests.rs"]
mod tests;
