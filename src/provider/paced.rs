//! The flags that controllers take for their intervals: the one place where components meet the pace.

use std::time::Duration;

use crate::scenario::{Pace, secs};

/// The controller-manager's intervals at a pace, by flag.
///
/// The study's values are the defaults: 15 s, 5 min, 30 s, 5 min.
pub(super) fn controllers(pace: Pace) -> [(&'static str, String); 4] {
    let paced = |recorded: Duration| format!("{}ms", pace.scale(recorded).as_millis());
    [
        ("horizontal-pod-autoscaler-sync-period", paced(secs(15))),
        (
            "horizontal-pod-autoscaler-cpu-initialization-period",
            paced(secs(300)),
        ),
        (
            "horizontal-pod-autoscaler-initial-readiness-delay",
            paced(secs(30)),
        ),
        (
            "horizontal-pod-autoscaler-downscale-stabilization",
            paced(secs(300)),
        ),
    ]
}
