//! The three-way merge, without a cluster.

use kubeclash::inject::ObjectRef;
use kubeclash::inject::last_applied::{LAST_APPLIED, annotated, go_json, text};
use kubeclash::inject::merge::{MergeError, json_merge_patch, strategic_patch};
use kubeclash::inject::merge_keys::is_built_in;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::inject_reference::strategic;

fn deployment(last: &Value, now: &Value, live: &Value) -> Value {
    strategic_patch("Deployment", Some(last), now, live).expect("they merge")
}

fn pod_spec(spec: Value) -> Value {
    json!({ "spec": { "template": { "spec": spec } } })
}

/// The patch of a Deployment whose pods' specs are these.
fn pods(last: Value, now: Value, live: Value) -> Value {
    let patch = deployment(&pod_spec(last), &pod_spec(now), &pod_spec(live));
    patch.pointer("/spec/template/spec").cloned().unwrap_or(patch)
}

#[test]
fn a_field_that_was_applied_and_is_left_out_now_is_deleted() {
    let patch = deployment(
        &json!({ "spec": { "replicas": 3, "paused": false } }),
        &json!({ "spec": { "paused": false } }),
        &json!({ "spec": { "replicas": 5, "paused": false } }),
    );
    assert_eq!(patch, json!({ "spec": { "replicas": null } }));
}

#[test]
fn a_field_that_was_never_applied_is_left_to_whoever_set_it() {
    let patch = deployment(
        &json!({ "spec": { "paused": false } }),
        &json!({ "spec": { "paused": true } }),
        &json!({ "spec": { "replicas": 5, "paused": false } }),
    );
    assert_eq!(patch, json!({ "spec": { "paused": true } }));
}

#[test]
fn a_field_that_somebody_changed_is_set_back() {
    let applied = json!({ "spec": { "replicas": 3 } });
    let patch = deployment(&applied, &applied, &json!({ "spec": { "replicas": 6 } }));
    assert_eq!(patch, json!({ "spec": { "replicas": 3 } }));
}

#[test]
fn without_an_annotation_nothing_is_deleted() {
    let live = json!({ "spec": { "replicas": 5 } });
    let patch = strategic_patch("Deployment", None, &json!({ "spec": {} }), &live).expect("they merge");
    assert_eq!(patch, json!({}));
}

#[rstest]
#[case::element_removed(
    json!({ "containers": [{ "name": "a" }, { "name": "b" }] }),
    json!({ "containers": [{ "name": "b" }] }),
    json!({ "containers": [{ "name": "a" }, { "name": "b" }, { "name": "injected" }] }),
    json!({
        "$setElementOrder/containers": [{ "name": "b" }],
        "containers": [{ "name": "a", "$patch": "delete" }]
    })
)]
#[case::element_changed(
    json!({ "containers": [{ "name": "a", "image": "x:1", "tty": true }] }),
    json!({ "containers": [{ "name": "a", "image": "x:2" }] }),
    json!({ "containers": [{ "name": "a", "image": "x:1", "tty": true, "imagePullPolicy": "Always" }] }),
    json!({
        "$setElementOrder/containers": [{ "name": "a" }],
        "containers": [{ "name": "a", "image": "x:2", "tty": null }]
    })
)]
#[case::order_changed(
    json!({ "containers": [{ "name": "a" }, { "name": "b" }] }),
    json!({ "containers": [{ "name": "b" }, { "name": "a" }] }),
    json!({ "containers": [{ "name": "a" }, { "name": "b" }] }),
    json!({ "$setElementOrder/containers": [{ "name": "b" }, { "name": "a" }] })
)]
#[case::nested_list(
    json!({ "containers": [{ "name": "a", "env": [{ "name": "X", "value": "1" }, { "name": "Y" }] }] }),
    json!({ "containers": [{ "name": "a", "env": [{ "name": "X", "value": "2" }] }] }),
    json!({ "containers": [{ "name": "a", "env": [{ "name": "X", "value": "1" }, { "name": "Y" }] }] }),
    json!({
        "$setElementOrder/containers": [{ "name": "a" }],
        "containers": [{
            "name": "a",
            "$setElementOrder/env": [{ "name": "X" }],
            "env": [{ "name": "X", "value": "2" }, { "name": "Y", "$patch": "delete" }]
        }]
    })
)]
#[case::volume_is_a_union(
    json!({ "volumes": [{ "name": "v", "emptyDir": {} }] }),
    json!({ "volumes": [{ "name": "v", "configMap": { "name": "c" } }] }),
    json!({ "volumes": [{ "name": "v", "emptyDir": {} }] }),
    json!({
        "$setElementOrder/volumes": [{ "name": "v" }],
        "volumes": [{
            "configMap": { "name": "c" },
            "emptyDir": null,
            "$retainKeys": ["configMap", "name"],
            "name": "v"
        }]
    })
)]
#[case::tolerations_are_one_value(
    json!({ "tolerations": [{ "key": "a" }, { "key": "b" }] }),
    json!({ "tolerations": [{ "key": "b" }] }),
    json!({ "tolerations": [{ "key": "a" }, { "key": "b" }] }),
    json!({ "tolerations": [{ "key": "b" }] })
)]
#[case::spread_constraints_merge_by_topology(
    json!({ "topologySpreadConstraints": [{ "topologyKey": "zone", "maxSkew": 1 }] }),
    json!({ "topologySpreadConstraints": [{ "topologyKey": "zone", "maxSkew": 2 }] }),
    json!({ "topologySpreadConstraints": [{ "topologyKey": "zone", "maxSkew": 1 }] }),
    json!({
        "$setElementOrder/topologySpreadConstraints": [{ "topologyKey": "zone" }],
        "topologySpreadConstraints": [{ "topologyKey": "zone", "maxSkew": 2 }]
    })
)]
#[case::whole_list_removed(
    json!({ "containers": [], "nodeSelector": { "a": "1" } }),
    json!({ "containers": [] }),
    json!({ "containers": [], "nodeSelector": { "a": "1", "b": "2" } }),
    json!({ "nodeSelector": null })
)]
fn lists_of_a_pod_merge_by_their_rules(
    #[case] last: Value,
    #[case] now: Value,
    #[case] live: Value,
    #[case] patch: Value,
) {
    assert_eq!(pods(last, now, live), patch);
}

#[test]
fn a_strategy_is_a_union() {
    let rolling = json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1 } });
    let patch = deployment(
        &json!({ "spec": { "strategy": rolling } }),
        &json!({ "spec": { "strategy": { "type": "Recreate" } } }),
        &json!({ "spec": { "strategy": rolling } }),
    );
    let strategy = json!({ "type": "Recreate", "rollingUpdate": null, "$retainKeys": ["type"] });
    assert_eq!(patch, json!({ "spec": { "strategy": strategy } }));
}

#[test]
fn elements_that_share_a_key_meet_from_the_end() {
    let spread = |when: &str| json!({ "topologyKey": "node", "whenUnsatisfiable": when });
    let two = json!({ "topologySpreadConstraints": [spread("DoNotSchedule"), spread("ScheduleAnyway")] });
    assert_eq!(pods(two.clone(), two.clone(), two.clone()), json!({}));
    let last = json!({ "topologySpreadConstraints": [spread("ScheduleAnyway")] });
    let patch = json!({
        "$setElementOrder/topologySpreadConstraints": [{ "topologyKey": "node" }],
        "topologySpreadConstraints": [{ "topologyKey": "node", "$patch": "delete" }]
    });
    // All of that key go: so it is with kubectl (kubernetes/kubernetes issue 39188, on service ports).
    assert_eq!(pods(two.clone(), last, two), patch);
}

#[test]
fn finalizers_are_a_set() {
    let with = |finalizers: Value| json!({ "metadata": { "finalizers": finalizers } });
    let patch = deployment(
        &with(json!(["a", "b"])),
        &with(json!(["b", "c"])),
        &with(json!(["a", "b", "z"])),
    );
    let finalizers = json!({
        "$setElementOrder/finalizers": ["b", "c"],
        "$deleteFromPrimitiveList/finalizers": ["a"],
        "finalizers": ["c"]
    });
    assert_eq!(patch, json!({ "metadata": finalizers }));
}

#[test]
fn a_custom_resource_has_its_lists_replaced() {
    let with = |spec: Value| json!({ "spec": spec });
    let patch = json_merge_patch(
        Some(&with(
            json!({ "containers": [{ "name": "a" }], "gone": 1, "null": null }),
        )),
        &with(json!({ "containers": [{ "name": "b" }], "null": null })),
        &with(json!({ "containers": [{ "name": "a" }, { "name": "b" }], "gone": 2, "theirs": 3 })),
    );
    assert_eq!(
        patch,
        Ok(with(json!({ "containers": [{ "name": "b" }], "gone": null })))
    );
}

#[test]
fn an_element_without_its_key_is_named() {
    let broken = pod_spec(json!({ "containers": [{ "image": "x" }] }));
    let error = strategic_patch("Deployment", None, &broken, &broken).expect_err("has no name");
    assert_eq!(
        error,
        MergeError::NoMergeKey {
            list: "spec.template.spec.containers".to_owned(),
            key: "name"
        }
    );
}

#[rstest]
#[case("v1", true)]
#[case("apps/v1", true)]
#[case("apiregistration.k8s.io/v1", true)]
#[case("metrics.k8s.io/v1beta1", false)]
#[case("gateway.networking.k8s.io/v1", false)]
#[case("example.com/v1", false)]
fn only_built_in_groups_merge_strategically(#[case] api_version: &str, #[case] built_in: bool) {
    assert_eq!(is_built_in(api_version), built_in);
}

#[test]
fn the_annotation_is_written_as_go_writes_it() {
    let manifest = json!({
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": { "name": "c", "annotations": { LAST_APPLIED: "of another time" } },
        "data": { "b": "<a> & \"c\"\n\u{2028}\u{1}\u{8}é", "a": "" },
        "numbers": [1, 1.0, 0.5, -0.0, 1e21, 1e-7, 1.5e300, 123_456_789_012_345_678_i64],
    });
    let object = annotated(&manifest);
    let expected = concat!(
        r#"{"apiVersion":"v1","data":{"a":"","b":"\u003ca\u003e \u0026 \"c\"\n\u2028\u0001\bé"},"#,
        r#""kind":"ConfigMap","metadata":{"annotations":{},"name":"c"},"#,
        r#""numbers":[1,1,0.5,-0,1e+21,1e-7,1.5e+300,123456789012345678]}"#,
        "\n"
    );
    assert_eq!(text(&object), Some(expected));
}

#[rstest]
#[case(json!({ "kind": "Pod", "metadata": { "name": "p" } }), "apiVersion")]
#[case(json!({ "apiVersion": "v1", "metadata": { "name": "p" } }), "kind")]
#[case(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "generateName": "p" } }), "metadata.name")]
#[case(json!([]), "apiVersion")]
fn a_manifest_that_names_no_object_is_refused(#[case] manifest: Value, #[case] missing: &str) {
    let error = ObjectRef::from_manifest(&manifest)
        .expect_err("is incomplete")
        .to_string();
    assert!(
        error.contains(&format!("no \"{missing}\": {manifest}")),
        "{error}"
    );
}

/// Pod specs with lists of every kind, drawn from few names so that they collide.
fn any_spec() -> impl Strategy<Value = Value> {
    let name = || prop::sample::select(vec!["a", "b", "c", "d"]);
    let number = || prop::option::of(0..3i32);
    let env = prop::collection::btree_map(name(), number(), 0..3);
    let container = (number(), prop::option::of(env));
    let containers = prop::collection::btree_map(name(), container, 0..4);
    let volumes = prop::collection::btree_map(name(), 0..3usize, 0..3);
    let tolerations = prop::collection::vec(name(), 0..3);
    let parts = (
        containers,
        prop::option::of(volumes),
        prop::option::of(tolerations),
        number(),
        any::<bool>(),
    );
    parts.prop_map(|(containers, volumes, tolerations, grace, reversed)| {
        let mut containers: Vec<Value> = containers
            .into_iter()
            .map(|(name, (nice, env))| {
                let mut container = json!({ "name": name });
                if let Some(nice) = nice {
                    container["resources"] = json!({ "limits": { "cpu": nice } });
                }
                if let Some(env) = env {
                    let env = env.into_iter().map(|(name, value)| match value {
                        Some(value) => json!({ "name": name, "value": value }),
                        None => json!({ "name": name }),
                    });
                    container["env"] = env.collect();
                }
                container
            })
            .collect();
        if reversed {
            containers.reverse();
        }
        let mut spec = json!({ "containers": containers });
        if let Some(volumes) = volumes {
            let source = ["emptyDir", "configMap", "secret"];
            let volumes = volumes
                .into_iter()
                .map(|(name, kind)| json!({ "name": name, source[kind]: {} }));
            spec["volumes"] = volumes.collect();
        }
        if let Some(tolerations) = tolerations {
            spec["tolerations"] = tolerations.into_iter().map(|key| json!({ "key": key })).collect();
        }
        if let Some(grace) = grace {
            spec["grace"] = grace.into();
        }
        spec
    })
}

/// What `now` says is in `live`: maps within maps, elements by key in their order, the rest equal.
fn holds(now: &Value, live: &Value) -> bool {
    match (now, live) {
        (Value::Object(now), Value::Object(live)) => now
            .iter()
            .all(|(field, value)| live.get(field).is_some_and(|live| holds(value, live))),
        (Value::Array(now), Value::Array(live)) if now.iter().all(|v| v.get("name").is_some()) => {
            let mut rest = live.iter();
            now.iter()
                .all(|new| rest.any(|old| old["name"] == new["name"] && holds(new, old)))
        }
        _ => now == live,
    }
}

proptest! {
    #[test]
    fn applying_the_patch_gives_what_was_applied(last in any_spec(), now in any_spec(), live in any_spec()) {
        let (last, now, live) = (pod_spec(last), pod_spec(now), pod_spec(live));
        let patched = strategic("Deployment", &live, &deployment(&last, &now, &live));
        prop_assert!(holds(&now, &patched), "{now} is not in {patched}");
        let again = strategic("Deployment", &patched, &deployment(&now, &now, &patched));
        prop_assert_eq!(again, patched);
    }

    #[test]
    fn an_object_that_nobody_else_touched_becomes_the_manifest(last in any_spec(), now in any_spec()) {
        let (last, now) = (pod_spec(last), pod_spec(now));
        let patched = strategic("Deployment", &last, &deployment(&last, &now, &last));
        prop_assert_eq!(patched, now);
    }

    #[test]
    fn applying_the_same_again_changes_nothing(now in any_spec()) {
        let now = pod_spec(now);
        prop_assert_eq!(deployment(&now, &now, &now), json!({}));
    }

    #[test]
    fn the_text_reads_back(now in any_spec()) {
        let read: Value = serde_json::from_str(&go_json(&now)).expect("it is JSON");
        prop_assert_eq!(read, now);
    }
}
