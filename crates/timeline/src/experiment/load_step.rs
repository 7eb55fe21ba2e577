//! The steps of the standard load test, under their own names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A step of the standard load test, in order.
///
/// Names as clusterloader2's load test logs them (`Step "Creating objects" started`), and as the second seed lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LoadStep {
    /// 1: measurements begin.
    StartMeasurements,
    /// 2: one service a group of objects.
    CreateServices,
    /// 3: daemon sets have a priority of their own.
    CreatePriorityClass,
    /// 4: pods are counted from here on.
    StartWaitingForPods,
    /// 5: deployments, stateful sets, daemon sets, jobs, config maps and secrets.
    CreateObjects,
    /// 6: until all pods run, or a deadline.
    WaitForRunning,
    /// 7: replicas and templates change.
    ScaleObjects,
    /// 8: until all objects have their new size, or a deadline.
    WaitForScaled,
    /// 9: what step 5 made.
    DeleteObjects,
    /// 10: until all pods are gone, or a deadline.
    WaitForDeleted,
    /// 11: what step 3 made.
    DeletePriorityClass,
    /// 12: what step 2 made.
    DeleteServices,
    /// 13: measurements end.
    CollectMeasurements,
}

impl LoadStep {
    /// Every step, in order.
    pub const ALL: [Self; 13] = [
        Self::StartMeasurements,
        Self::CreateServices,
        Self::CreatePriorityClass,
        Self::StartWaitingForPods,
        Self::CreateObjects,
        Self::WaitForRunning,
        Self::ScaleObjects,
        Self::WaitForScaled,
        Self::DeleteObjects,
        Self::WaitForDeleted,
        Self::DeletePriorityClass,
        Self::DeleteServices,
        Self::CollectMeasurements,
    ];

    /// Its place, counted from 1.
    #[must_use]
    pub const fn number(self) -> usize {
        self as usize + 1
    }

    /// Its name in logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::StartMeasurements => "Starting measurements",
            Self::CreateServices => "Creating SVCs",
            Self::CreatePriorityClass => "Creating PriorityClass for DaemonSets",
            Self::StartWaitingForPods => "Starting measurement for waiting for pods",
            Self::CreateObjects => "Creating objects",
            Self::WaitForRunning => "Waiting for pods to be running",
            Self::ScaleObjects => "Scaling and updating objects",
            Self::WaitForScaled => "Waiting for objects to become scaled",
            Self::DeleteObjects => "Deleting objects",
            Self::WaitForDeleted => "Waiting for pods to be deleted",
            Self::DeletePriorityClass => "Deleting PriorityClass for DaemonSets",
            Self::DeleteServices => "Deleting SVCs",
            Self::CollectMeasurements => "Collecting measurements",
        }
    }
}

impl fmt::Display for LoadStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for LoadStep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let step = Self::ALL.into_iter().find(|step| step.name() == text);
        step.ok_or_else(|| format!("no step of the load test is called \"{text}\""))
    }
}

impl TryFrom<String> for LoadStep {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<LoadStep> for String {
    fn from(step: LoadStep) -> Self {
        step.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_are_numbered_and_known_by_name() {
        assert_eq!(LoadStep::CreateObjects.number(), 5);
        for (at, step) in LoadStep::ALL.into_iter().enumerate() {
            assert_eq!(step.number(), at + 1);
            assert_eq!(step.name().parse(), Ok(step));
        }
        assert!("Creating pods".parse::<LoadStep>().is_err());
    }
}
