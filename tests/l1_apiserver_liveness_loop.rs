//! L1: a kubelet kills an overloaded API server, which comes back with cold caches and is killed again.
//!
//! In conflict: the liveness probe of the API server, and its clients. Steps and judge: `src/cases/l1_apiserver_liveness_loop.rs`.

use std::io::Write;

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
    match check(CASE, None, arm, expected).await {
        Err(CheckError::NotRun(why)) if !required() => {
            // libtest swallows only what println! and its like say.
            let _ = writeln!(std::io::stderr(), "\nNOT RUN: {CASE} {arm}: {why}");
            Ok(())
        }
        ended => ended.map(drop),
    }
}

/// Whether what runs on the local provider only must be run.
fn required() -> bool {
    std::env::var_os("KUBECLASH_REQUIRE_LOCAL").is_some_and(|value| value == "1")
}
