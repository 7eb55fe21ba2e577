//! What is applied, by us and by kubectl, one after the other.

#![expect(clippy::unwrap_used, reason = "part of a test, where a panic is the report")]

use serde_json::{Value, json};

/// One step of a sequence. `NAME` in it stands for a name that differs between ours and kubectl's.
pub(crate) enum Step {
    /// The owner applies this.
    Apply(Value),
    /// Somebody else patches the object that was applied last.
    Others(Value),
}
use Step::{Apply, Others};

/// Sequences by name; `group` is that of a custom resource.
pub(crate) fn sequences(group: &str) -> Vec<(&'static str, Vec<Step>)> {
    let mut all = pod_sequences();
    all.extend(object_sequences(group));
    all
}

fn workload(kind: &str, spec: Value, pod: Value) -> Value {
    let mut manifest = json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": { "name": "web", "labels": { "app": "web" } },
        "spec": {
            "selector": { "matchLabels": { "app": "web" } },
            "template": { "metadata": { "labels": { "app": "web" }, "creationTimestamp": null }, "spec": pod }
        }
    });
    for (field, value) in spec.as_object().unwrap() {
        manifest["spec"][field] = value.clone();
    }
    manifest
}

fn object(api_version: &str, kind: &str, rest: Value) -> Value {
    let mut manifest = json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": "it" } });
    for (field, value) in rest.as_object().unwrap() {
        match field.as_str() {
            "metadata" => manifest["metadata"]
                .as_object_mut()
                .unwrap()
                .extend(value.as_object().unwrap().clone()),
            _ => manifest[field] = value.clone(),
        }
    }
    manifest
}

fn pod_sequences() -> Vec<(&'static str, Vec<Step>)> {
    let image = "registry.k8s.io/pause:3.10";
    let one = json!({ "containers": [{ "name": "a", "image": image }] });
    let sidecar = json!({ "spec": { "template": { "spec": { "containers": [
        { "name": "z", "image": image }, { "name": "a", "image": image }, { "name": "b", "image": image }
    ] } } } });
    let rich = json!({
        "containers": [
            {
                "name": "a",
                "image": image,
                "env": [{ "name": "X", "value": "<1>&\"2\"" }, { "name": "Y", "value": "2" }],
                "ports": [{ "containerPort": 80 }, { "containerPort": 53, "protocol": "UDP" }],
                "volumeMounts": [{ "name": "v", "mountPath": "/v" }, { "name": "w", "mountPath": "/w" }],
                "resources": { "requests": { "cpu": "0.2", "memory": "64Mi" } }
            },
            { "name": "b", "image": image }
        ],
        "initContainers": [{ "name": "i", "image": image }],
        "volumes": [{ "name": "v", "emptyDir": {} }, { "name": "w", "configMap": { "name": "c" } }],
        "tolerations": [{ "key": "k", "operator": "Exists" }, { "key": "l", "operator": "Exists" }],
        "imagePullSecrets": [{ "name": "s" }, { "name": "t" }],
        "hostAliases": [{ "ip": "10.0.0.1", "hostnames": ["h"] }],
        "nodeSelector": { "a": "1", "b": "2" },
        "topologySpreadConstraints": [
            {
                "topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": { "matchLabels": { "app": "web" } }
            },
            { "topologyKey": "node", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway" }
        ]
    });
    let changed = json!({
        "containers": [
            { "name": "b", "image": image, "tty": true },
            {
                "name": "a",
                "image": image,
                "env": [{ "name": "Y", "value": "3" }, { "name": "Z", "value": "4" }],
                "ports": [{ "containerPort": 53, "protocol": "UDP", "name": "dns" }],
                "volumeMounts": [{ "name": "w", "mountPath": "/w", "readOnly": true }],
                "resources": { "limits": { "cpu": "1.5" } }
            }
        ],
        "volumes": [{ "name": "w", "secret": { "secretName": "c" } }],
        "tolerations": [{ "key": "l", "operator": "Exists" }],
        "imagePullSecrets": [{ "name": "t" }],
        "hostAliases": [{ "ip": "10.0.0.1", "hostnames": ["h", "i"] }],
        "nodeSelector": { "b": "3" },
        "topologySpreadConstraints": [
            { "topologyKey": "node", "maxSkew": 2, "whenUnsatisfiable": "ScheduleAnyway" }
        ]
    });
    let scaled = || Others(json!({ "spec": { "replicas": 5 } }));
    let deployment = |spec: Value, pod: &Value| Apply(workload("Deployment", spec, pod.clone()));
    let two_on_one_topology = |first: i32, second: i32| {
        let mut pod = one.clone();
        let spread = |skew: i32, when: &str| json!({ "topologyKey": "node", "maxSkew": skew, "whenUnsatisfiable": when });
        pod["topologySpreadConstraints"] =
            json!([spread(first, "DoNotSchedule"), spread(second, "ScheduleAnyway")]);
        pod
    };
    vec![
        (
            "replicas left out",
            vec![
                deployment(json!({ "replicas": 3 }), &one),
                scaled(),
                deployment(json!({}), &one),
                scaled(),
                deployment(json!({}), &one),
                deployment(json!({ "replicas": 3 }), &one),
            ],
        ),
        (
            "pod",
            vec![
                deployment(json!({ "replicas": 2 }), &rich),
                deployment(json!({ "replicas": 2 }), &rich),
                Others(sidecar),
                deployment(json!({ "replicas": 2 }), &changed),
                deployment(json!({ "replicas": 2 }), &changed),
                deployment(json!({ "replicas": 2 }), &rich),
                deployment(json!({}), &one),
            ],
        ),
        (
            "strategy",
            vec![
                deployment(
                    json!({ "strategy": { "rollingUpdate": { "maxSurge": 2 } } }),
                    &one,
                ),
                deployment(json!({ "strategy": { "type": "Recreate" } }), &one),
                deployment(json!({ "strategy": { "type": "Recreate" } }), &one),
                deployment(json!({ "strategy": { "type": "RollingUpdate" } }), &one),
                deployment(json!({ "strategy": { "type": "RollingUpdate" } }), &one),
                deployment(json!({}), &one),
            ],
        ),
        (
            "two constraints on one topology",
            vec![
                deployment(json!({}), &two_on_one_topology(1, 1)),
                deployment(json!({}), &two_on_one_topology(1, 1)),
                deployment(json!({}), &one),
            ],
        ),
        (
            "stateful set",
            vec![
                Apply(workload(
                    "StatefulSet",
                    json!({ "serviceName": "s", "replicas": 2 }),
                    rich.clone(),
                )),
                scaled(),
                Apply(workload(
                    "StatefulSet",
                    json!({ "serviceName": "s" }),
                    changed.clone(),
                )),
            ],
        ),
        (
            "daemon set",
            vec![
                Apply(workload("DaemonSet", json!({ "minReadySeconds": 3 }), changed)),
                Apply(workload("DaemonSet", json!({}), rich)),
            ],
        ),
    ]
}

fn object_sequences(group: &str) -> Vec<(&'static str, Vec<Step>)> {
    let map = |rest: Value| Apply(object("v1", "ConfigMap", rest));
    let service = |ports: Value| {
        Apply(object(
            "v1",
            "Service",
            json!({ "spec": { "selector": { "app": "web" }, "ports": ports } }),
        ))
    };
    let budget = |labels: Value| {
        let spec = json!({ "minAvailable": 1, "selector": { "matchLabels": labels } });
        Apply(object(
            "policy/v1",
            "PodDisruptionBudget",
            json!({ "spec": spec }),
        ))
    };
    let hpa = |max: i32, behavior: Value| {
        let resource =
            json!({ "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 50 } });
        let spec = json!({
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" },
            "minReplicas": 3, "maxReplicas": max, "behavior": behavior,
            "metrics": [{ "type": "Resource", "resource": resource }]
        });
        Apply(object(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            json!({ "spec": spec }),
        ))
    };
    let wotsit = |spec: Value| Apply(object(&format!("{group}/v1"), "Wotsit", json!({ "spec": spec })));
    let policies = json!({ "policies": [{ "type": "Percent", "value": 100, "periodSeconds": 15 }] });
    vec![
        (
            "text",
            vec![
                map(json!({ "data": { "a": "<b> & \"c\" \u{2028} \u{8} \u{1} é", "b": "1" } })),
                Others(
                    json!({ "metadata": { "annotations": { "theirs": "1" }, "labels": { "theirs": "1" } } }),
                ),
                map(
                    json!({ "data": { "a": "x", "c": null }, "metadata": { "annotations": { "mine": "<1>" } } }),
                ),
                Others(json!({ "data": { "d": "1" }, "metadata": { "annotations": { "mine": "2" } } })),
                map(json!({ "metadata": { "annotations": {} } })),
            ],
        ),
        (
            "finalizers",
            vec![
                map(json!({ "metadata": { "finalizers": ["example.com/a", "example.com/b"] } })),
                Others(json!({ "metadata": {
                "finalizers": ["example.com/z", "example.com/a", "example.com/b"]
            } })),
                map(json!({ "metadata": { "finalizers": ["example.com/c", "example.com/b"] } })),
                map(json!({})),
            ],
        ),
        (
            "service",
            vec![
                service(
                    json!([{ "name": "a", "port": 80 }, { "name": "b", "port": 443, "targetPort": "https" }]),
                ),
                service(json!([{ "name": "b", "port": 443 }, { "name": "c", "port": 8080 }])),
                service(json!([{ "name": "b", "port": 443 }])),
            ],
        ),
        (
            "service with one port twice",
            vec![
                service(json!([
                    { "name": "u", "port": 53, "protocol": "UDP" }, { "name": "t", "port": 53, "protocol": "TCP" }
                ])),
                service(json!([
                    { "name": "u", "port": 53, "protocol": "UDP" }, { "name": "t", "port": 53, "protocol": "TCP" }
                ])),
            ],
        ),
        (
            "budget",
            vec![
                budget(json!({ "app": "web", "tier": "1" })),
                budget(json!({ "app": "web" })),
                budget(json!({ "app": "web" })),
            ],
        ),
        (
            "autoscaler",
            vec![
                hpa(
                    5,
                    json!({ "scaleUp": policies, "scaleDown": { "stabilizationWindowSeconds": 60 } }),
                ),
                hpa(6, json!({ "scaleDown": { "stabilizationWindowSeconds": 30 } })),
                hpa(6, json!(null)),
            ],
        ),
        (
            "service account",
            vec![
                Apply(object(
                    "v1",
                    "ServiceAccount",
                    json!({ "imagePullSecrets": [{ "name": "a" }] }),
                )),
                Others(json!({ "imagePullSecrets": [{ "name": "a" }, { "name": "theirs" }] })),
                Apply(object(
                    "v1",
                    "ServiceAccount",
                    json!({ "imagePullSecrets": [{ "name": "b" }] }),
                )),
            ],
        ),
        (
            "priority class",
            vec![
                Apply(object(
                    "scheduling.k8s.io/v1",
                    "PriorityClass",
                    json!({
                        "metadata": { "name": "NAME" }, "value": 1000, "description": "one"
                    }),
                )),
                Apply(object(
                    "scheduling.k8s.io/v1",
                    "PriorityClass",
                    json!({
                        "metadata": { "name": "NAME" }, "value": 1000
                    }),
                )),
            ],
        ),
        (
            "custom resource",
            vec![
                wotsit(
                    json!({ "list": [{ "name": "a" }, { "name": "b" }], "x": { "y": 1, "z": 1.5 }, "n": null }),
                ),
                Others(json!({ "spec": { "theirs": 1, "x": { "theirs": 2 }, "list": [{ "name": "c" }] } })),
                wotsit(json!({ "list": [{ "name": "b" }], "x": { "z": 2.0 }, "n": null })),
                wotsit(json!({ "list": [{ "name": "b" }], "x": {} })),
                wotsit(json!({})),
            ],
        ),
    ]
}
