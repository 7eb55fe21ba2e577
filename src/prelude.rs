//! What a case's test may name, and nothing else: `use kubeclash::prelude::*;`.

pub use crate::check::{CheckError, check, check_case};
pub use crate::scenario::Arm;
pub use crate::verdict::Expect;
