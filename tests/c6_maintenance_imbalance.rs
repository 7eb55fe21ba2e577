//! C6: maintenance leaves pods unbalanced, and the next maintenance takes down two of three at once.
//!
//! In conflict: draining and uncordoning, and a scheduler that spreads only when it schedules. Steps and judge: `src/cases/c6_maintenance_imbalance.rs`.

use kubeclash::prelude::*;
use rstest::rstest;

const CASE: &str = "c6_maintenance_imbalance";

#[rstest]
#[case::broken_with_constraint(Arm::Broken, "with-constraint", Expect::Reproduced)]
#[case::control_with_constraint(Arm::Control, "with-constraint", Expect::Absent)]
#[case::broken_without_constraint(Arm::Broken, "without-constraint", Expect::Reproduced)]
#[case::control_without_constraint(Arm::Control, "without-constraint", Expect::Absent)]
#[tokio::test(flavor = "multi_thread")]
async fn maintenance_leaves_pods_unbalanced(
    #[case] arm: Arm,
    #[case] variant: &str,
    #[case] expected: Expect,
) -> Result<(), CheckError> {
    check(CASE, Some(variant), arm, expected).await.map(drop)
}
