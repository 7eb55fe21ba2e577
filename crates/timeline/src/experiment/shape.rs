//! The nodes that a case needs.

use serde::{Deserialize, Serialize};

/// The workers of a cluster: how many, and how large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// How many worker nodes.
    pub workers: usize,
    /// Allocatable CPU of each, in whole cores.
    pub worker_cpu: u32,
}

impl Shape {
    /// The workers' names, in order.
    pub fn worker_names(&self) -> impl Iterator<Item = String> {
        (1..=self.workers).map(worker)
    }
}

/// The name of the n-th worker, counted from 1, as kind names it: `kind-worker`, `kind-worker2`, …
#[must_use]
pub fn worker(n: usize) -> String {
    if n == 1 {
        "kind-worker".to_owned()
    } else {
        format!("kind-worker{n}")
    }
}
