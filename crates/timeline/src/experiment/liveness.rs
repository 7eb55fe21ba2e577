//! The liveness of a control-plane pod, as kubeadm sets it: asked again and again, and killed when it does not answer.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Pace;

/// When the API server is killed for not answering.
///
/// The default is kubeadm's (cmd/kubeadm/app/util/staticpod/utils.go and app/phases/controlplane/manifests.go): `/livez` every
/// 10 s, 15 s for an answer, 8 failures in a row; 24 failures while it starts;
/// 30 s to end. Pauses before a restart are a kubelet's (pkg/kubelet/kubelet.go): 10 s, doubled up to 5 min.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liveness {
    /// How often it is asked.
    pub period: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// After how many failures in a row it is killed.
    pub failures: u32,
    /// After how many, while it has not answered since its start.
    pub startup_failures: u32,
    /// How long it gets to end, before it is made to.
    pub grace: Duration,
    /// How long is waited before a second restart; each time twice as long. The first comes at once.
    pub pause: Duration,
    /// How long that becomes at most; who lives twice as long begins anew.
    pub longest_pause: Duration,
}

impl Default for Liveness {
    fn default() -> Self {
        Self {
            period: Duration::from_secs(10),
            timeout: Duration::from_secs(15),
            failures: 8,
            startup_failures: 24,
            grace: Duration::from_secs(30),
            pause: Duration::from_secs(10),
            longest_pause: Duration::from_secs(300),
        }
    }
}

impl Liveness {
    /// The same at a pace. A machine starts an API server no faster at any: that may take as long as ever.
    #[must_use]
    pub fn at(self, pace: Pace) -> Self {
        Self {
            period: pace.scale(self.period),
            timeout: pace.scale(self.timeout),
            startup_failures: self.startup_failures * pace.factor(),
            grace: pace.scale(self.grace),
            pause: pace.scale(self.pause),
            longest_pause: pace.scale(self.longest_pause),
            ..self
        }
    }
}

/// What befalls an API server that is asked whether it lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LivenessChange {
    /// It answers, for the first time since its start.
    Alive,
    /// It did not answer as it should.
    ProbeFailed {
        /// The how many-th failure in a row.
        in_a_row: u32,
        /// What it did instead.
        why: String,
    },
    /// It is asked to end (SIGTERM).
    Killing {
        /// After how many failures in a row.
        failures: u32,
    },
    /// It has ended after it was asked to.
    Killed {
        /// Whether it had to be made to (SIGKILL).
        by_force: bool,
    },
    /// It has ended by itself.
    Exited {
        /// How.
        how: String,
    },
    /// It was started again.
    Restarted {
        /// For the how many-th time.
        restarts: u32,
        /// Its process id, while it is news.
        #[serde(skip)]
        pid: Option<u32>,
    },
}

impl fmt::Display for LivenessChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alive => f.write_str("answers"),
            Self::ProbeFailed { in_a_row, why } => write!(f, "probe failed, {in_a_row} in a row: {why}"),
            Self::Killing { failures } => write!(f, "killed after {failures} failed probes in a row"),
            Self::Killed { by_force: false } => f.write_str("ended"),
            Self::Killed { by_force: true } => {
                f.write_str("did not end when it was asked to, and was made to")
            }
            Self::Exited { how } => write!(f, "ended by itself: {how}"),
            Self::Restarted { restarts, .. } => write!(f, "restarted, for time {restarts}"),
        }
    }
}
