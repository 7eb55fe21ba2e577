//! The files of a case as they are applied: at a pace, by the scheduler that the user asks for, with images that are there.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::case::Scenario;
use crate::scenario::{Images, Manifest};
use kubeclash_cluster::{PolicyApi, Tuning, policies_in};
use kubeclash_timeline::Pace;

/// Manifests and policies as they are applied.
#[derive(Debug, Clone, PartialEq)]
pub struct InEffect {
    /// The manifests, by file.
    pub manifests: BTreeMap<String, Manifest>,
    /// The policies, each by the file that the steps name.
    pub policies: BTreeMap<String, Value>,
}

impl InEffect {
    /// Of one arm: pods assigned to the scheduler that the user asks for, and under each policy's name the user's, or the one of the
    /// API version that the descheduler knows.
    #[must_use]
    pub fn of(
        scenario: &Scenario,
        pace: Pace,
        tuning: &Tuning,
        api: PolicyApi,
        images: Option<&Images>,
    ) -> Self {
        let manifest = |manifest: &Manifest| {
            let mut manifest = Manifest {
                file: manifest.file.clone(),
                objects: manifest.objects.iter().flat_map(items).collect(),
            }
            .at(pace);
            if let Some(name) = &tuning.scheduler_name {
                manifest = manifest.scheduled_by(name);
            }
            images.map_or(manifest.clone(), |images| manifest.running(images, pace))
        };
        let manifests = scenario.manifests.iter();
        let policies = match &tuning.descheduler_policy {
            Some(policy) => {
                let names = policies_in(PolicyApi::V1alpha2, &scenario.policies).into_keys();
                names.map(|name| (name, policy.document.clone())).collect()
            }
            None => policies_in(api, &scenario.policies),
        };
        Self {
            manifests: manifests
                .map(|(file, one)| (file.clone(), manifest(one)))
                .collect(),
            policies,
        }
    }
}

/// The objects of a document: of a List all that is in it.
fn items(object: &Value) -> Vec<Value> {
    let listed = object["kind"]
        .as_str()
        .filter(|kind| kind.ends_with("List"))
        .and_then(|_| object["items"].as_array());
    listed.cloned().unwrap_or_else(|| vec![object.clone()])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_taken_apart() {
        let list = json!({"kind": "List", "items": [{"kind": "Pod"}, {"kind": "Service"}]});
        assert_eq!(items(&list), [json!({"kind": "Pod"}), json!({"kind": "Service"})]);
        let odd = json!({"kind": "AllowList", "spec": {}});
        assert_eq!(
            items(&odd),
            std::slice::from_ref(&odd),
            "a kind of somebody's own"
        );
    }
}
