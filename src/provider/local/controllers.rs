//! kube-controller-manager.

use std::time::Duration;

use crate::provider::process::Process;
use crate::provider::site::Site;
use crate::component::Binary;
use crate::provider::ProviderError;
use crate::scenario::{Pace, secs};

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
/// Its client rate limits stay at their defaults (20 requests a second and controller): they set the rate of C7's loop.
pub(super) fn start(site: &Site, binary: &Binary, port: u16, pace: Pace) -> Result<Process, ProviderError> {
    let paced = |recorded: Duration| format!("{}ms", pace.scale(recorded).as_millis());
    let mut args = site.client_and_server(binary, port);
    args.extend([
        format!("--controllers=*,-{}", LEFT_OUT.join(",-")),
        // The study's values are the defaults: 15 s, 5 min, 30 s, 5 min.
        format!("--horizontal-pod-autoscaler-sync-period={}", paced(secs(15))),
        format!(
            "--horizontal-pod-autoscaler-cpu-initialization-period={}",
            paced(secs(300))
        ),
        format!(
            "--horizontal-pod-autoscaler-initial-readiness-delay={}",
            paced(secs(30))
        ),
        format!(
            "--horizontal-pod-autoscaler-downscale-stabilization={}",
            paced(secs(300))
        ),
    ]);
    site.start(binary, &args)
}
