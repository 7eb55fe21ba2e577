//! What clusters of kind can't be: known before one is made.

use crate::{ClusterSpec, Order, Provider, ProviderError};
use kubeclash_components::{ComponentName, Origin};

/// That a cluster can be what the order wants it to be.
///
/// # Errors
/// With the field that can't be had.
pub(super) fn able(order: &Order) -> Result<(), ProviderError> {
    of_spec(&order.spec)?;
    let scheduler = order.binaries.get(&ComponentName::Scheduler);
    let in_image = scheduler.is_some_and(|binary| matches!(binary.origin, Origin::NodeImage { .. }));
    if in_image && order.spec.scheduler != crate::SchedulerSpec::default() {
        return Err(unable(
            "start a scheduler as cluster.scheduler says",
            "the node image's own takes nothing; --scheduler names one that does",
        ));
    }
    let second = order.binaries.get(&ComponentName::SecondScheduler);
    let no_program = second.is_none_or(|binary| matches!(binary.origin, Origin::NodeImage { .. }));
    if order.has_second_scheduler() && no_program {
        return Err(unable(
            "start cluster.second-scheduler",
            "the node image's own scheduler runs in its nodes only; --scheduler names another",
        ));
    }
    Ok(())
}

/// That its nodes can be what a spec wants them to be.
///
/// # Errors
/// With the field that can't be had.
pub(super) fn of_spec(spec: &ClusterSpec) -> Result<(), ProviderError> {
    for (at, node) in spec.nodes.iter().enumerate() {
        let field = |field: &str| {
            format!(
                "give a node what cluster.nodes.{field} says (\"{}\", the node {})",
                node.name,
                at + 1
            )
        };
        if node.cpu_m % 1000 != 0 {
            return Err(unable(&field("cpu"), "a kubelet counts whole CPUs"));
        }
        if node.memory.is_some() {
            return Err(unable(&field("memory"), "a node has the memory of this machine"));
        }
        if node.dies_above.is_some() {
            return Err(unable(
                &field("dies-above"),
                "a node of a container does not die of load",
            ));
        }
    }
    Ok(())
}

/// What kind can't do, and why.
pub(super) fn unable(what: &str, why: &str) -> ProviderError {
    ProviderError::Unable {
        provider: Provider::Kind,
        what: what.to_owned(),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::ClusterFile;
    use kubeclash_host::yaml;

    #[test]
    fn what_a_node_of_a_container_can_t_have_is_told_by_its_field() {
        let able = |text: &str| {
            let file: ClusterFile = yaml::read(text).unwrap();
            let spec = ClusterSpec::of(&file, &std::collections::BTreeMap::new()).unwrap();
            of_spec(&spec).map_err(|error| error.to_string())
        };
        assert_eq!(
            able("nodes: [{cpu: 8, pods: 20, labels: {a: b}, taints: ['a=b:NoSchedule']}]"),
            Ok(())
        );
        for (text, field) in [
            (
                "nodes: [{}, {cpu: 500m}]",
                "cluster.nodes.cpu says (\"kind-worker2\"",
            ),
            ("nodes: [{memory: 4Gi}]", "cluster.nodes.memory"),
            ("nodes: [{dies-above: 98}]", "cluster.nodes.dies-above"),
        ] {
            let told = able(text).unwrap_err();
            assert!(told.contains(field), "{told}");
        }
    }
}
