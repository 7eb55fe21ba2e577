//! Each arm and variant of each case of `manifests/` is a test of its own: a new folder is a new test.
//!
//! `cargo test c7_` runs those of c7. `KUBECLASH_PROVIDER`, `KUBECLASH_SCHEDULER` and the like say on what.

fn main() -> std::process::ExitCode {
    kubeclash::prelude::test_cases(&["manifests"])
}
