//! kube-controller-manager.

use crate::component::Binary;
use crate::provider::process::Process;
use crate::provider::site::Site;
use crate::provider::{ProviderError, Scale, paced};
use crate::scenario::Pace;

/// Controllers that have nothing to do with pods on nodes: storage, certificates, cloud, quotas. Each would sync its caches
/// before the node controller does. By the names that every release since v1.24 knows.
const LEFT_OUT: [&str; 14] = [
    "nodeipam",
    "attachdetach",
    "persistentvolume-binder",
    "persistentvolume-expander",
    "pv-protection",
    "pvc-protection",
    "ephemeral-volume",
    "csrapproving",
    "csrcleaner",
    "csrsigning",
    "clusterrole-aggregation",
    "root-ca-cert-publisher",
    "resourcequota",
    "ttl",
];

/// Starts the controller-manager.
///
/// Its client rate limits stay at their defaults (20 requests a second and controller), but where there is a scale: they
/// set the rate of C7's loop.
pub(super) fn start(
    site: &Site,
    binary: &Binary,
    port: u16,
    pace: Pace,
    scale: Option<&Scale>,
) -> Result<Process, ProviderError> {
    let mut args = site.client_and_server(binary, port);
    args.push(format!("--controllers=*,-{}", LEFT_OUT.join(",-")));
    args.extend(paced::controllers(pace).map(|(flag, value)| format!("--{flag}={value}")));
    args.extend(scale.into_iter().flat_map(scaled));
    site.start(binary, &args)
}

/// What is worked on side by side; by the names that every release since v1.24 knows.
const SYNCS: [&str; 7] = [
    "deployment",
    "replicaset",
    "statefulset",
    "endpoint",
    "service-endpoint",
    "namespace",
    "gc",
];

fn scaled(scale: &Scale) -> Vec<String> {
    let mut args = vec![
        format!("--kube-api-qps={}", scale.qps),
        format!("--kube-api-burst={}", scale.qps),
        format!("--node-monitor-grace-period={}s", scale.grace().as_secs()),
    ];
    args.extend(SYNCS.map(|kind| format!("--concurrent-{kind}-syncs={}", scale.concurrent_syncs)));
    args
}
