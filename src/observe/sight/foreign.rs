//! What is kept of an object that makes pods and is of no kind of Kubernetes' own: an operator's.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodSpec;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;

use super::owner;
use super::workload::{spread_of, trouble};
use kubeclash_timeline::{Change, Sighting, What, WorkloadSeen, kind};

/// What is kept of an object of this kind, by the fields that Kubernetes' own kinds have, where it has them.
pub(in crate::observe) fn sight(kind_of: &str, object: &DynamicObject, change: Change) -> What {
    let at = |pointer: &str| object.data.pointer(pointer);
    let number = |pointer: &str| at(pointer).and_then(Value::as_i64).unwrap_or_default();
    // As of a ReplicationController, too, which has its labels right there.
    let selector = at("/spec/selector/matchLabels").or_else(|| at("/spec/selector"));
    let template = at("/spec/template/spec").cloned();
    let conditions = at("/status/conditions").and_then(Value::as_array);
    let observed = at("/status/observedGeneration").and_then(Value::as_i64);
    let state = WorkloadSeen {
        kind: kind(kind_of),
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
        owner: owner(object),
        wanted: number("/spec/replicas"),
        replicas: number("/status/replicas"),
        updated: number("/status/updatedReplicas"),
        ready: number("/status/readyReplicas"),
        available: number("/status/availableReplicas"),
        max_unavailable: None,
        collisions: at("/status/collisionCount").and_then(Value::as_i64),
        troubles: conditions.into_iter().flatten().filter_map(wrong).collect(),
        selector: selector.and_then(strings).unwrap_or_default(),
        spread: template
            .and_then(|spec| serde_json::from_value::<PodSpec>(spec).ok())
            .map(|spec| spread_of(&spec))
            .unwrap_or_default(),
        behind: observed.is_some_and(|seen| object.metadata.generation.is_some_and(|now| now != seen)),
    };
    What::Workload(Sighting { change, state })
}

fn wrong(condition: &Value) -> Option<String> {
    let text = |field: &str| condition.get(field).and_then(Value::as_str);
    trouble(text("type")?, text("status")?, text("reason"), text("message"))
}

/// A map of texts; `None` where it is none.
fn strings(value: &Value) -> Option<BTreeMap<String, String>> {
    serde_json::from_value(value.clone()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::observe::sight::object;

    fn seen(json: Value) -> WorkloadSeen {
        match sight("Rollout", &object(json), Change::Seen) {
            What::Workload(seen) => seen.state,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_operator_s_kind_is_told_by_the_fields_that_it_has() {
        let rollout = seen(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
            "metadata": {"namespace": "shop", "name": "web", "uid": "r1", "generation": 3,
                "ownerReferences": [{"apiVersion": "x/v1", "kind": "Site", "name": "s", "uid": "s1", "controller": true}]},
            "spec": {"replicas": 4, "selector": {"matchLabels": {"app": "web"}}, "template": {"spec": {"containers": [],
                "topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule"}]}}},
            "status": {"replicas": 3, "updatedReplicas": 1, "readyReplicas": 2, "availableReplicas": 2, "observedGeneration": 2,
                "conditions": [{"type": "Degraded", "status": "True", "reason": "Paused", "message": "no"}]},
        }));
        assert_eq!(rollout.reference().to_string(), "rollout/shop/web");
        assert_eq!(
            rollout.owner.as_ref().map(|owner| owner.kind.as_str()),
            Some("Site")
        );
        assert_eq!((rollout.wanted, rollout.replicas, rollout.updated), (4, 3, 1));
        assert_eq!((rollout.ready, rollout.available, rollout.behind), (2, 2, true));
        assert_eq!(rollout.selector["app"], "web");
        assert_eq!(rollout.troubles, ["Degraded: Paused: no"]);
        assert_eq!((rollout.spread[0].max_skew, rollout.spread[0].hard), (2, true));
    }

    #[test]
    fn what_an_operator_s_kind_lacks_or_has_in_another_form_is_left_out() {
        let plain = seen(json!({
            "metadata": {"namespace": "default", "name": "web", "generation": 3},
            "spec": {"selector": {"app": "web"}, "replicas": "four"}, "status": {"observedGeneration": "2", "conditions": {}},
        }));
        let expected = WorkloadSeen {
            kind: "rollout".to_owned(),
            namespace: "default".to_owned(),
            name: "web".to_owned(),
            selector: [("app".to_owned(), "web".to_owned())].into(),
            ..WorkloadSeen::default()
        };
        assert_eq!(plain, expected);
        let odd = seen(json!({"metadata": {"name": "x"}, "spec": {"selector": {"matchExpressions": []}}}));
        assert!(odd.selector.is_empty());
    }
}
