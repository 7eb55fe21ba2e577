//! C3: two DoNotSchedule spread constraints leave the sixth pod pending for good, with room to spare.
//!
//! In conflict: the scheduler's constraint on `zone`, and its constraint on `node`. Steps and judge: `src/cases/c3_two_spread_keys.rs`.

use kubeclash::prelude::*;
use rstest::rstest;

const CASE: &str = "c3_two_spread_keys";

#[rstest]
#[case::broken_with_hpa(Arm::Broken, "with-hpa", Expect::Reproduced)]
#[case::control_with_hpa(Arm::Control, "with-hpa", Expect::Absent)]
#[case::broken_without_hpa(Arm::Broken, "without-hpa", Expect::Reproduced)]
#[case::control_without_hpa(Arm::Control, "without-hpa", Expect::Absent)]
#[tokio::test(flavor = "multi_thread")]
async fn the_sixth_pod_is_pending_for_good(
    #[case] arm: Arm,
    #[case] variant: &str,
    #[case] expected: Expect,
) -> Result<(), CheckError> {
    check(CASE, Some(variant), arm, expected).await.map(drop)
}
