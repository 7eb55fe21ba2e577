//! Every case of `manifests/`, each arm a test of its own: a new folder is a new test.
//!
//! `cargo test c7` runs those of c7; the variants of a case run side by side. `KUBECLASH_PROVIDER`,
//! `KUBECLASH_SCHEDULER` and the like say on what.

use std::path::PathBuf;

use kubeclash::prelude::*;
use rstest::rstest;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_arm_ends_as_its_case_says(
    #[files("manifests/*/case.yaml")] case: PathBuf,
    #[values(Arm::Broken, Arm::Control)] arm: Arm,
) -> Result<(), CheckError> {
    check_case(&case, arm).await.map(drop)
}
