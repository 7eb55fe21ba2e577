//! All that there is to know of a policy, with its lines.

use kubeclash_host::yaml::FieldPath;
use serde_json::Value;

use super::fields::NEWEST;
use super::notes::{NoteKind, Notebook, PolicyNote};
use super::place::Place;
use super::{PolicyApi, profiles, unread};

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
