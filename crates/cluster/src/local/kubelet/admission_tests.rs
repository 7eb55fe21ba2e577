use serde_json::{Value, json};

use super::*;

fn pod(spec: Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).unwrap()
}

fn asking(cpu: &str, memory: &str) -> Pod {
    pod(json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory}}}]}))
}

fn node(more: Value) -> Node {
    let mut node = json!({
        "metadata": {"name": "n", "labels": {"zone": "a", "size": "8"}},
        "status": {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "3"}},
    });
    for (key, value) in more.as_object().unwrap() {
        node[key] = value.clone();
    }
    serde_json::from_value(node).unwrap()
}

fn why(pod: &Pod, node: &Node, used: &[(&str, u64)], pods: u64) -> Option<String> {
    let used = used
        .iter()
        .map(|(name, amount)| ((*name).to_owned(), *amount))
        .collect();
    admit(pod, node, &used, pods)
        .err()
        .map(|rejection| rejection.reason)
}

#[test]
fn a_pod_that_does_not_fit_is_rejected_by_the_resource_that_lacks() {
    let node = node(json!({}));
    assert_eq!(why(&asking("2", "1Gi"), &node, &[], 0), None);
    assert_eq!(
        why(&asking("1500m", "1"), &node, &[("cpu", 501)], 1),
        Some("OutOfcpu".to_owned())
    );
    assert_eq!(
        why(&asking("0", "2Gi"), &node, &[], 0),
        Some("OutOfmemory".to_owned())
    );
    assert_eq!(
        why(&asking("0", "0"), &node, &[], 3),
        Some("OutOfpods".to_owned())
    );
    let odd = pod(json!({"containers": [{"name": "c", "resources": {"requests": {"x.io/gpu": "1"}}}]}));
    assert_eq!(why(&odd, &node, &[], 0), Some("OutOfx.io/gpu".to_owned()));
    let rejection = admit(&asking("9", "0"), &node, &Resources::new(), 0).unwrap_err();
    assert_eq!(
        rejection.message,
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 9000, used: 0, capacity: 2000"
    );
}

#[test]
fn a_pod_asks_for_its_containers_together_or_for_its_largest_beginning() {
    let container = |cpu: &str| json!({"name": "c", "resources": {"requests": {"cpu": cpu}}});
    let mut sidecar = container("300m");
    sidecar["restartPolicy"] = json!("Always");
    let asked = |spec: Value| requests(&pod(spec))["cpu"];
    assert_eq!(
        asked(json!({"containers": [container("100m"), container("1")]})),
        1100
    );
    assert_eq!(
        asked(json!({"containers": [container("100m")], "initContainers": [container("1"), container("2")]})),
        2000
    );
    assert_eq!(
        asked(json!({"containers": [container("100m")], "initContainers": [sidecar, container("1")]})),
        1300
    );
    assert_eq!(
        asked(json!({"containers": [container("100m")], "overhead": {"cpu": "50m"}})),
        150
    );
    assert_eq!(
        asked(json!({"containers": [container("100m")], "resources": {"requests": {"cpu": "5"}}})),
        5000
    );
}

#[test]
fn a_pod_is_rejected_by_a_taint_that_it_does_not_tolerate() {
    let tainted =
        node(json!({"spec": {"taints": [{"key": "key1", "value": "value1", "effect": "NoExecute"}]}}));
    let tolerating = |toleration: Value| {
        let pod = pod(json!({"containers": [], "tolerations": [toleration]}));
        why(&pod, &tainted, &[], 0)
    };
    for good in [
        json!({"operator": "Exists"}),
        json!({"key": "key1", "operator": "Exists"}),
        json!({"key": "key1", "value": "value1"}),
        json!({"key": "key1", "operator": "Equal", "value": "value1", "effect": "NoExecute"}),
    ] {
        assert_eq!(tolerating(good.clone()), None, "{good}");
    }
    for bad in [
        json!({"key": "key2", "operator": "Exists"}),
        json!({"key": "key1", "value": "value2"}),
        json!({"key": "key1", "operator": "Exists", "effect": "NoSchedule"}),
        json!({"key": "key1"}),
    ] {
        assert_eq!(
            tolerating(bad.clone()),
            Some("TaintToleration".to_owned()),
            "{bad}"
        );
    }
    let soft = node(json!({"spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}}));
    assert_eq!(
        why(&asking("1", "1"), &soft, &[], 0),
        None,
        "that is the scheduler's"
    );
}

#[test]
fn a_pod_is_rejected_by_the_affinity_that_its_node_does_not_meet() {
    let node = node(json!({}));
    let rejected = |spec: Value| {
        let mut spec = spec;
        spec["containers"] = json!([]);
        why(&pod(spec), &node, &[], 0) == Some("NodeAffinity".to_owned())
    };
    assert!(!rejected(json!({"nodeSelector": {"zone": "a"}})));
    assert!(rejected(json!({"nodeSelector": {"zone": "b"}})));
    let affinity = |terms: Value| json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}});
    let expression = |key: &str, operator: &str, values: Value| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
    for (term, expected) in [
        (expression("zone", "In", json!(["a", "b"])), false),
        (expression("zone", "NotIn", json!(["a"])), true),
        (expression("none", "NotIn", json!(["a"])), false),
        (expression("none", "Exists", json!([])), true),
        (expression("none", "DoesNotExist", json!([])), false),
        (expression("size", "Gt", json!(["7"])), false),
        (expression("size", "Lt", json!(["8"])), true),
        (
            json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}),
            false,
        ),
        (
            json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["m"]}]}),
            true,
        ),
        (json!({}), true),
    ] {
        assert_eq!(rejected(affinity(json!([term.clone()]))), expected, "{term}");
    }
    let two = json!([
        expression("zone", "In", json!(["b"])),
        expression("zone", "In", json!(["a"]))
    ]);
    assert!(!rejected(affinity(two)), "one term is enough");
}
