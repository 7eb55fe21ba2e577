//! Clusters that wait for another arm, where that is asked for.

use std::sync::{Arc, Mutex, PoisonError};

use super::KindCluster;
use crate::provider::Order;

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
    pub(crate) async fn drain(&self) {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        futures::future::join_all(waiting.into_iter().map(KindCluster::remove)).await;
    }
}

/// Whether a cluster of one order can take another's arm: all that is decided when it is made is the same.
fn fits(made: &Order, order: &Order) -> bool {
    // One that is to be used again has metrics in any case.
    let of = |order: &Order| crate::provider::ClusterSpec {
        metrics: true,
        ..order.spec.clone()
    };
    of(made) == of(order)
        && made.pace == order.pace
        && made.tuning == order.tuning
        && made.binaries == order.binaries
}
