//! L1: a kubelet kills an overloaded API server, which comes back with cold caches and is killed again.
//!
//! In conflict: the liveness probe of the API server, and its clients. Steps and judge: `src/cases/l1_apiserver_liveness_loop.rs`.

use kubeclash::prelude::*;
use rstest::rstest;

const CASE: &str = "l1_apiserver_liveness_loop";

#[rstest]
#[case::broken(Arm::Broken, Expect::Reproduced)]
#[case::control(Arm::Control, Expect::Absent)]
#[tokio::test(flavor = "multi_thread")]
async fn an_overloaded_api_server_is_killed_again_and_again(
    #[case] arm: Arm,
    #[case] expected: Expect,
) -> Result<(), CheckError> {
    check(CASE, None, arm, expected).await
}
