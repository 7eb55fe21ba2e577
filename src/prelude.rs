//! What a case's test may name, and nothing else: `use kubeclash::prelude::*;`.

pub use crate::check::{CheckError, check, test_cases};
pub use kubeclash_timeline::{Arm, Expect};
