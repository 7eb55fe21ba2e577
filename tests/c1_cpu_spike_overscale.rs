//! C1: a start-up CPU burst makes an autoscaler go to its maximum, with no load at all.
//!
//! In conflict: the HorizontalPodAutoscaler, and the start-up of the very pods that it adds. Steps and judge: `src/cases/c1_cpu_spike_overscale.rs`.

use kubeclash::prelude::*;
use rstest::rstest;

const CASE: &str = "c1_cpu_spike_overscale";

#[rstest]
#[case::broken(Arm::Broken, Expect::Reproduced)]
#[case::control(Arm::Control, Expect::Absent)]
#[tokio::test(flavor = "multi_thread")]
async fn a_start_up_burst_drives_an_autoscaler_to_its_maximum(
    #[case] arm: Arm,
    #[case] expected: Expect,
) -> Result<(), CheckError> {
    check(CASE, None, arm, expected).await.map(drop)
}
