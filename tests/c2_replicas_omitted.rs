//! C2: a manifest that omits `spec.replicas` undercuts an autoscaler's floor.
//!
//! In conflict: whoever applies the Deployment, and its HorizontalPodAutoscaler. Steps and judge: `src/cases/c2_replicas_omitted.rs`.

use kubeclash::prelude::*;
use rstest::rstest;

const CASE: &str = "c2_replicas_omitted";

#[rstest]
#[case::broken(Arm::Broken, Expect::Reproduced)]
#[case::control(Arm::Control, Expect::Absent)]
#[tokio::test(flavor = "multi_thread")]
async fn a_redeploy_without_replicas_undercuts_the_floor(
    #[case] arm: Arm,
    #[case] expected: Expect,
) -> Result<(), CheckError> {
    check(CASE, None, arm, expected).await.map(drop)
}
