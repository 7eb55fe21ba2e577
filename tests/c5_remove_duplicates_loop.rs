//! C5: RemoveDuplicates evicts a pod that the scheduler can only put back where it was.
//!
//! In conflict: the descheduler, and the scheduler. Steps and judge: `src/cases/c5_remove_duplicates_loop.rs`.

use kubeclash::prelude::*;
use rstest::rstest;

const CASE: &str = "c5_remove_duplicates_loop";

#[rstest]
#[case::broken(Arm::Broken, Expect::Reproduced)]
#[case::control(Arm::Control, Expect::Absent)]
#[tokio::test(flavor = "multi_thread")]
async fn an_evicted_duplicate_comes_back_to_where_it_was(
    #[case] arm: Arm,
    #[case] expected: Expect,
) -> Result<(), CheckError> {
    check(CASE, None, arm, expected).await.map(drop)
}
