//! C8: the descheduler enforces a soft spread constraint that the scheduler outweighs with node affinity.
//!
//! In conflict: the descheduler, and the scheduler. Steps and judge: `src/cases/c8_soft_spread_loop.rs`.

use kubeclash::prelude::*;
use rstest::rstest;

const CASE: &str = "c8_soft_spread_loop";

#[rstest]
#[case::broken(Arm::Broken, Expect::Reproduced)]
#[case::control(Arm::Control, Expect::Absent)]
#[tokio::test(flavor = "multi_thread")]
async fn a_soft_constraint_is_enforced_for_ever(
    #[case] arm: Arm,
    #[case] expected: Expect,
) -> Result<(), CheckError> {
    check(CASE, None, arm, expected).await.map(drop)
}
