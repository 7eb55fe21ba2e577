//! Clusters that wait for another arm, where that is asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::KindCluster;
use crate::{ClusterSpec, NodeSpec, Order};

/// Clusters that were used, made clean again, and wait. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Pool(Arc<Mutex<Vec<KindCluster>>>);

impl Pool {
    /// A cluster that is as the order wants it and still as it was left, if one waits. Where none does, those that wait go:
    /// a machine has no room for them and another one.
    pub(super) async fn take(&self, order: &Order) -> Option<KindCluster> {
        while let Some(mut cluster) = self.next(order) {
            if cluster.trouble().is_none() && cluster.answers().await.is_ok() {
                cluster.kit.pool = Some(self.clone());
                return Some(cluster);
            }
            tracing::warn!(
                cluster = cluster.made.name,
                "a waiting cluster has broken: it is not used again"
            );
            cluster.remove().await;
        }
        self.drain().await;
        None
    }

    fn next(&self, order: &Order) -> Option<KindCluster> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = waiting.iter().position(|cluster| fits(&cluster.order, order))?;
        Some(waiting.swap_remove(at))
    }

    /// Lets a cluster wait.
    pub(super) fn put(&self, mut cluster: KindCluster) {
        // One that knew where it waits would keep itself alive.
        cluster.kit.pool = None;
        cluster.order.kit = None;
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(cluster);
    }

    /// Removes all that wait.
    pub async fn drain(&self) {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        futures::future::join_all(waiting.into_iter().map(KindCluster::remove)).await;
    }
}

/// Whether a cluster of one order can take another's arm: all that is decided when it is made is the same. Labels and taints of
/// nodes are not: each arm puts its own.
fn fits(made: &Order, order: &Order) -> bool {
    of_a_new_one(&made.spec) == of_a_new_one(&order.spec)
        && made.pace == order.pace
        && made.tuning == order.tuning
        && made.binaries == order.binaries
}

fn of_a_new_one(spec: &ClusterSpec) -> ClusterSpec {
    let plain = |node: &NodeSpec| NodeSpec {
        labels: BTreeMap::new(),
        taints: Vec::new(),
        ..node.clone()
    };
    ClusterSpec {
        nodes: spec.nodes.iter().map(plain).collect(),
        // One that is to be used again has metrics in any case.
        metrics: true,
        ..spec.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::ClusterFile;
    use kubeclash_host::yaml;

    fn of(cluster: &str) -> ClusterSpec {
        let file: ClusterFile = yaml::read(cluster).unwrap();
        of_a_new_one(&ClusterSpec::of(&file, &BTreeMap::new()).unwrap())
    }

    #[test]
    fn a_cluster_takes_an_arm_with_other_labels_and_taints_and_none_with_other_nodes() {
        let plain = of("nodes: [{count: 2, cpu: 8}]");
        let labelled = of("nodes: [{cpu: 8, labels: {zone: A}}, {cpu: 8, taints: ['a=b:NoSchedule']}]");
        assert_eq!(plain, labelled);
        assert_ne!(plain, of("nodes: [{count: 3, cpu: 8}]"));
        assert_ne!(plain, of("nodes: [{count: 2, cpu: 4}]"));
        assert_ne!(
            plain,
            of("{nodes: [{count: 2, cpu: 8}], apiserver: {args: [--v=4]}}")
        );
    }
}
