//! What the writer of a descheduler policy should know, told on standard error before anything is run.

use std::collections::BTreeSet;

use super::Session;
use crate::component::ComponentName;
use crate::experiment::Minor;
use crate::progress::Progress;
use crate::provider::Tuning;
use crate::scenario::{NoteKind, Policy, PolicyNote};

/// Tells what there is to know of policies, whatever descheduler gets them; of a file that is named twice once.
pub(crate) fn of_policies<'a>(policies: impl IntoIterator<Item = &'a Policy>, progress: &Progress) {
    let mut told = BTreeSet::new();
    for note in policies.into_iter().flat_map(Policy::notes) {
        if told.insert(note.to_string()) {
            tell(note, progress);
        }
    }
}

/// Tells what a session's own descheduler does not read of the policy.
pub(crate) fn of_release(session: &Session, progress: &Progress) {
    let Tuning {
        descheduler_policy: Some(policy),
        ..
    } = &session.settings().tuning
    else {
        return;
    };
    let versions = session.versions();
    let release = versions
        .get(&ComponentName::Descheduler)
        .and_then(|version| Minor::of(version));
    for note in release.into_iter().flat_map(|release| policy.notes_for(release)) {
        tell(note, progress);
    }
}

fn tell(note: &PolicyNote, progress: &Progress) {
    match note.kind {
        NoteKind::Found => progress.println(format!("note: {note}")),
        NoteKind::Warning | NoteKind::Forbids => progress.warn(note),
    }
}
