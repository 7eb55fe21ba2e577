//! How fast a scenario is played: every interval, window and curve divided by one factor, in one place.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How fast a scenario is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// The intervals of the 2023 study (HPA sync 15 s, descheduling 10 s, CPU burst 120 s), to compare with its traces.
    Recorded,
    /// Every controller interval, window and curve divided by 15.
    ///
    /// 15 is the largest factor at which the study's HPA fields stay whole seconds, as the API wants them
    /// (`periodSeconds` 15 → 1, `stabilizationWindowSeconds` 60 → 4, the burst 120 → 8).
    #[default]
    Fast,
}

impl Pace {
    /// What durations at the recorded pace are divided by.
    #[must_use]
    pub const fn factor(self) -> u32 {
        match self {
            Self::Recorded => 1,
            Self::Fast => 15,
        }
    }

    /// A duration of the study at this pace.
    #[must_use]
    pub fn scale(self, recorded: Duration) -> Duration {
        recorded / self.factor()
    }

    /// A deadline of the study at this pace, with a floor of 30 s: at `fast`, machines don't get faster.
    #[must_use]
    pub fn deadline(self, recorded: Duration) -> Duration {
        self.scale(recorded).max(Duration::from_secs(30).min(recorded))
    }

    /// An observation window of the study at this pace, with a floor of 6 s.
    ///
    /// Some failures are not driven by an interval (C7 turns as fast as the controllers' client rate limits let
    /// it), so a control must be watched for a while at any pace.
    #[must_use]
    pub fn window(self, recorded: Duration) -> Duration {
        self.scale(recorded).max(Duration::from_secs(6).min(recorded))
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Recorded => "recorded",
            Self::Fast => "fast",
        })
    }
}

impl FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "recorded" => Ok(Self::Recorded),
            "fast" => Ok(Self::Fast),
            other => Err(format!("unknown pace \"{other}\": \"fast\" or \"recorded\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_divides_by_its_factor_and_recorded_leaves_alone() {
        let minute = Duration::from_secs(60);
        assert_eq!(Pace::Recorded.scale(minute), minute);
        assert_eq!(Pace::Fast.scale(minute), Duration::from_secs(4));
    }

    #[test]
    fn floors_never_exceed_what_was_recorded() {
        assert_eq!(
            Pace::Fast.deadline(Duration::from_secs(10)),
            Duration::from_secs(10)
        );
        assert_eq!(
            Pace::Fast.deadline(Duration::from_secs(150)),
            Duration::from_secs(30)
        );
        assert_eq!(
            Pace::Fast.deadline(Duration::from_secs(900)),
            Duration::from_secs(60)
        );
    }
}
