//! kube-controller-manager.

use crate::process::Process;
use crate::site::Site;
use crate::{Order, ProviderError, Scale, paced};
use kubeclash_components::Binary;

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
    order: &Order,
) -> Result<Process, ProviderError> {
    let mut args = site.client_and_server(binary, port);
    let spec = &order.spec;
    args.push(controllers(&spec.more_controllers));
    let paced = paced::controllers(order.pace).into_iter();
    let lost = paced::lost_nodes(order.pace)
        .into_iter()
        .filter(|_| spec.nodes_stop);
    args.extend(paced.chain(lost).map(|(flag, value)| format!("--{flag}={value}")));
    args.extend(order.scale.iter().flat_map(scaled));
    args.extend(spec.gates_flag());
    args.extend(spec.controller_manager_args.iter().cloned());
    site.start(binary, &args)
}

/// All controllers but those that are left out, unless they are `wanted`; and those that are wanted and no release has on by
/// default.
fn controllers(wanted: &[String]) -> String {
    let left_out = LEFT_OUT
        .iter()
        .filter(|name| !wanted.iter().any(|one| one == *name));
    let left_out = left_out.map(|name| format!(",-{name}"));
    let more = wanted.iter().filter(|name| !LEFT_OUT.contains(&name.as_str()));
    let more = more.map(|name| format!(",{name}"));
    format!("--controllers=*{}", left_out.chain(more).collect::<String>())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_that_is_wanted_is_not_left_out() {
        let flag = controllers(&["resourcequota".to_owned(), "bootstrapsigner".to_owned()]);
        assert!(!flag.contains("resourcequota"), "{flag}");
        assert!(
            flag.ends_with(",bootstrapsigner") && flag.contains(",-ttl"),
            "{flag}"
        );
        assert!(controllers(&[]).contains(",-resourcequota"));
    }
}
