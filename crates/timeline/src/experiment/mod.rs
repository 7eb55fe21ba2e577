//! What an experiment is called by: its arm, its pace, its shape, the steps of a load test, the releases of its components. Plain values that everything else shares.

mod arm_id;
mod liveness;
mod load_step;
mod minor;
mod pace;
mod shape;

pub use arm_id::{ArmId, ArmIdError, case_id, with_variant};
pub use liveness::{Liveness, LivenessChange};
pub use load_step::LoadStep;
pub use minor::Minor;
pub use pace::Pace;
pub use shape::{Shape, worker};

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One half of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arm {
    /// The misconfiguration; the failure must be observed.
    Broken,
    /// The smallest known fix; the failure must not be observed.
    Control,
}

impl Arm {
    /// Both arms, in the order in which they are reported.
    pub const ALL: [Self; 2] = [Self::Broken, Self::Control];
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Broken => "broken",
            Self::Control => "control",
        })
    }
}

impl FromStr for Arm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let arm = Self::ALL.into_iter().find(|arm| arm.to_string() == text);
        arm.ok_or_else(|| format!("\"{text}\" is no arm: \"broken\" or \"control\""))
    }
}
