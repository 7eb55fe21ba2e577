//! What somebody should know before anything is run, told on standard error: of policies, and of what cases bring.

use std::collections::BTreeSet;

use super::{Session, Settings};
use crate::case::Scenario;
use crate::cases::Case;
use kubeclash_cluster::{NoteKind, Policy, PolicyNote, Tuning};
use kubeclash_components::ComponentName;
use kubeclash_host::progress::Progress;
use kubeclash_timeline::Minor;

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

/// Tells which programs cases bring, which others take their places, and what of a case's own the user's takes the place of.
pub(crate) fn of_cases<'a>(
    cases: impl IntoIterator<Item = &'a Case>,
    settings: &Settings,
    progress: &Progress,
) {
    let mut told = BTreeSet::new();
    for case in cases {
        let Some(read) = case.as_folder() else { continue };
        let folder = case.folder();
        let programs = read.brings().into_iter().map(|program| {
            let (name, spec) = (&program.name, &program.spec);
            match settings.substitutes.of(name) {
                None => format!("{folder} brings a program, which is run: {name} ({spec})"),
                Some(other) => {
                    format!("{folder} brings a program: {name} ({spec}); {other} takes its place and is run")
                }
            }
        });
        let specs = read.scenarios().iter().map(Scenario::cluster);
        let overruled = specs
            .flatten()
            .flat_map(|spec| spec.overruled_by(&settings.tuning))
            .map(|what| format!("{folder}: {what}"));
        for note in programs.chain(overruled) {
            if !told.contains(&note) {
                progress.println(format!("note: {note}"));
                told.insert(note);
            }
        }
    }
}

fn tell(note: &PolicyNote, progress: &Progress) {
    match note.kind {
        NoteKind::Found => progress.println(format!("note: {note}")),
        NoteKind::Warning | NoteKind::Forbids => progress.warn(note),
    }
}
