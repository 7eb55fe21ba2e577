//! KWOK, which plays the containers of the hollow nodes, and the nodes themselves.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Node;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::json;

use crate::process::Process;
use crate::site::Site;
use crate::{NodeSpec, Order, ProviderError, Scale, paced};
use kubeclash_components::Binary;

const STAGES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/config/kwok-stages.yaml"));

/// A kubelet's lease, renewed every 10 s.
const LEASE: Duration = Duration::from_secs(40);

/// How many nodes are registered at once: more only wait for each other.
const AT_ONCE: usize = 64;

/// Starts KWOK with the stages, set to a pace.
pub(super) fn start(site: &Site, binary: &Binary, order: &Order) -> Result<Process, ProviderError> {
    let lease = match &order.scale {
        Some(scale) => scale.lease,
        None if order.spec.nodes_stop => paced::lease(order.pace),
        None => LEASE,
    };
    let stages = site.write(
        "kwok-stages.yaml",
        &STAGES.replace("$PACE", &order.pace.factor().to_string()),
    )?;
    let args = [
        format!("--kubeconfig={}", site.kubeconfig("kwok").display()),
        format!("--config={}", stages.display()),
        "--manage-all-nodes".to_owned(),
        format!("--node-lease-duration-seconds={}", lease.as_secs()),
        "--node-ip=127.0.0.1".to_owned(),
    ];
    site.start(binary, &args)
}

/// Registers workers, ready, as a kubelet registers its node.
pub(super) async fn register(
    client: &Client,
    workers: &[NodeSpec],
    scale: Option<&Scale>,
    version: &str,
) -> Result<(), ProviderError> {
    let nodes = Api::<Node>::all(client.clone());
    let create = workers.iter().map(|worker| {
        let nodes = nodes.clone();
        let name = worker.name.clone();
        let node = node(worker, scale, version);
        async move {
            nodes
                .create(&PostParams::default(), &node)
                .await
                .map(drop)
                .map_err(|source| ProviderError::Api {
                    what: format!("register node \"{name}\""),
                    source: Box::new(source),
                })
        }
    });
    // Collected, as the compiler can't tell of borrowed nodes that they may go from thread to thread.
    let create: Vec<_> = create.collect();
    futures::stream::iter(create)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

fn node(worker: &NodeSpec, scale: Option<&Scale>, version: &str) -> Node {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let name = &worker.name;
    let of_worker = || (worker.memory(), worker.pods());
    let (memory, pods) = scale.map_or_else(of_worker, |scale| (&*scale.node_memory, scale.node_pods));
    let cpu = if worker.cpu_m.is_multiple_of(1000) {
        (worker.cpu_m / 1000).to_string()
    } else {
        format!("{}m", worker.cpu_m)
    };
    let resources =
        json!({"cpu": cpu, "memory": memory, "pods": pods.to_string(), "ephemeral-storage": "100Gi"});
    let mut labels = json!({
        "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "amd64"});
    for (key, value) in &worker.labels {
        labels[key] = json!(value);
    }
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": "",
               "lastHeartbeatTime": now, "lastTransitionTime": now})
    };
    let node = json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": worker.taints},
        "status": {
            "allocatable": resources, "capacity": resources,
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID"),
                condition("Ready", "True", "KubeletReady"),
            ],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": name}],
            "nodeInfo": {
                "machineID": "", "systemUUID": "", "bootID": "", "kernelVersion": "hollow", "osImage": "hollow",
                "containerRuntimeVersion": "kwok://hollow", "kubeletVersion": version, "kubeProxyVersion": version,
                "operatingSystem": "linux", "architecture": "amd64"},
        },
    });
    serde_json::from_value(node).expect("the node above is a Node")
}
