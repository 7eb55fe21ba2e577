//! C7: a pod bound by `nodeName` to a tainted node is created and thrown away for ever.
//!
//! In conflict: the ReplicaSet controller, and the taint-eviction controller with the kubelet's admission. Steps and judge: `src/cases/c7_taint_recreate_loop.rs`.

use kubeclash::prelude::*;
use rstest::rstest;

const CASE: &str = "c7_taint_recreate_loop";

#[rstest]
#[case::broken(Arm::Broken, Expect::Reproduced)]
#[case::control(Arm::Control, Expect::Absent)]
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_bound_to_a_tainted_node_is_recreated_for_ever(
    #[case] arm: Arm,
    #[case] expected: Expect,
) -> Result<(), CheckError> {
    check(CASE, None, arm, expected).await.map(drop)
}
