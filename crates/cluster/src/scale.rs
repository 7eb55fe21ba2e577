//! What a cluster of many nodes is given that a case's is not: a case leaves everything at its default.

use std::time::Duration;

use kubeclash_timeline::Liveness;

/// What a cluster of many nodes is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// Requests a second that controller-manager and scheduler may send each. Their defaults are 20 and 50.
    pub qps: u32,
    /// How many objects of a kind the controller-manager works on at once. Its default is 5, mostly.
    pub concurrent_syncs: u32,
    /// For how long a node's lease holds; renewed four times as often.
    pub lease: Duration,
    /// Memory of a node, as Kubernetes writes quantities.
    pub node_memory: String,
    /// How many pods fit on a node.
    pub node_pods: u32,
    /// More arguments of the API server.
    pub apiserver_args: Vec<String>,
    /// How many cores the API server gets at most, once the cluster is ready.
    pub apiserver_cpu: Option<f64>,
    /// When the API server is killed and started again, as a kubelet would; never, where there is none. As it is, whatever
    /// the pace.
    pub liveness: Option<Liveness>,
}

impl Scale {
    /// For how long a node may be silent before it counts as lost: as long as its lease holds, and never less than the
    /// controller-manager's default.
    pub(super) fn grace(&self) -> Duration {
        self.lease.max(Duration::from_secs(50))
    }
}
