//! KWOK, which plays the containers of the hollow nodes, and the nodes themselves.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Node;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::json;

use crate::component::Binary;
use crate::provider::process::Process;
use crate::provider::site::Site;
use crate::provider::{ProviderError, Scale};
use crate::scenario::{Pace, Shape};

const STAGES: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/manifests/_shared/kwok-stages.yaml"
));

/// A kubelet's lease, renewed every 10 s.
const LEASE: Duration = Duration::from_secs(40);

/// How many nodes are registered at once: more only wait for each other.
const AT_ONCE: usize = 64;

/// Starts KWOK with the stages, set to a pace.
pub(super) fn start(
    site: &Site,
    binary: &Binary,
    pace: Pace,
    scale: Option<&Scale>,
) -> Result<Process, ProviderError> {
    let stages = site.write(
        "kwok-stages.yaml",
        &STAGES.replace("$PACE", &pace.factor().to_string()),
    )?;
    let args = [
        format!("--kubeconfig={}", site.kubeconfig("kwok").display()),
        format!("--config={}", stages.display()),
        "--manage-all-nodes".to_owned(),
        format!(
            "--node-lease-duration-seconds={}",
            scale.map_or(LEASE, |scale| scale.lease).as_secs()
        ),
        "--node-ip=127.0.0.1".to_owned(),
    ];
    site.start(binary, &args)
}

/// Registers the workers, ready, as a kubelet registers its node.
pub(super) async fn register(
    client: &Client,
    shape: Shape,
    scale: Option<&Scale>,
    version: &str,
) -> Result<(), ProviderError> {
    let nodes = Api::<Node>::all(client.clone());
    let create = shape.worker_names().map(|name| {
        let nodes = nodes.clone();
        async move {
            let node = node(&name, shape.worker_cpu, scale, version);
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
    futures::stream::iter(create)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

fn node(name: &str, cpu: u32, scale: Option<&Scale>, version: &str) -> Node {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let (memory, pods) = scale.map_or(("8Gi", 110), |scale| (&scale.node_memory, scale.node_pods));
    let resources = json!({"cpu": cpu.to_string(), "memory": memory, "pods": pods.to_string(), "ephemeral-storage": "100Gi"});
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": "",
               "lastHeartbeatTime": now, "lastTransitionTime": now})
    };
    let node = json!({
        "metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
            "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "amd64"}},
        "spec": {},
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
