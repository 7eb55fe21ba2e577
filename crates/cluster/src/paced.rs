//! The flags that controllers take for their intervals: the one place where components meet the pace.

use std::time::Duration;

use kubeclash_timeline::Pace;

/// For how long a node may be silent before it counts as lost, as every release up to v1.31 has it; 50 s since v1.32.
const GRACE: Duration = Duration::from_secs(40);

/// The shortest time for which a node may be silent at any pace: a machine that is busy must not lose one.
const LEAST_GRACE: Duration = Duration::from_secs(6);

/// The controller-manager's intervals at a pace, by flag.
///
/// The study's values are the defaults: 15 s, 5 min, 30 s, 5 min; and 5 min for a quota to be counted anew.
pub(super) fn controllers(pace: Pace) -> [(&'static str, String); 5] {
    let paced = |recorded: Duration| format!("{}ms", pace.scale(recorded).as_millis());
    [
        (
            "horizontal-pod-autoscaler-sync-period",
            paced(Duration::from_secs(15)),
        ),
        (
            "horizontal-pod-autoscaler-cpu-initialization-period",
            paced(Duration::from_secs(300)),
        ),
        (
            "horizontal-pod-autoscaler-initial-readiness-delay",
            paced(Duration::from_secs(30)),
        ),
        (
            "horizontal-pod-autoscaler-downscale-stabilization",
            paced(Duration::from_secs(300)),
        ),
        ("resource-quota-sync-period", paced(Duration::from_secs(300))),
    ]
}

/// How the loss of a node is noticed and answered at a pace, by flag; nothing at the recorded one, where the defaults hold.
pub(super) fn lost_nodes(pace: Pace) -> Vec<(&'static str, String)> {
    if pace == Pace::Recorded {
        return Vec::new();
    }
    let factor = f64::from(pace.factor());
    let millis = |time: Duration| format!("{}ms", time.as_millis());
    vec![
        ("node-monitor-period", millis(pace.scale(Duration::from_secs(5)))),
        (
            "node-monitor-grace-period",
            millis(pace.scale(GRACE).max(LEAST_GRACE)),
        ),
        // Nodes a second whose pods are given up.
        ("node-eviction-rate", format!("{}", 0.1 * factor)),
        ("secondary-node-eviction-rate", format!("{}", 0.01 * factor)),
    ]
}

/// For how long a node's lease holds, where it is to be noticed at a pace that the node is lost; renewed four times as often.
pub(super) fn lease(pace: Pace) -> Duration {
    // Whole seconds, as a lease has them.
    Duration::from_secs(pace.scale(GRACE).as_secs().max(2))
}
