//! Why there is no cluster, or it broke.

use std::time::Duration;

use super::*;

/// Why a cluster is not there.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Something that a cluster needs before its first process.
    #[error("failed to prepare {what}: {why}")]
    Setup {
        /// What was to be prepared.
        what: String,
        /// Why it was not.
        why: String,
    },
    /// A program can't be started.
    #[error("failed to start \"{component}\": {why}")]
    Start {
        /// Which.
        component: String,
        /// Why not.
        why: String,
    },
    /// A component exited.
    #[error("\"{component}\" exited ({status}) after {:.1} s; its last lines:\n{last}", .after.as_secs_f64())]
    Exited {
        /// Which.
        component: String,
        /// Its exit status.
        status: String,
        /// How long it ran.
        after: Duration,
        /// The end of its log.
        last: String,
        /// All of it.
        log: PathBuf,
    },
    /// A component did not become ready.
    #[error("\"{component}\" was not ready after {:.1} s: {seen}; its last lines:\n{last}", .waited.as_secs_f64())]
    NotReady {
        /// Which.
        component: String,
        /// How long was waited.
        waited: Duration,
        /// What was last seen.
        seen: String,
        /// The end of its log.
        last: String,
        /// All of it.
        log: PathBuf,
    },
    /// What would keep kind from making a cluster, known before it is tried.
    #[error("kind can't make a cluster here: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unfit(Vec<Problem>),
    /// A node image can't be had, or is none.
    #[error("node image \"{reference}\" can't be used: {why}")]
    NodeImage {
        /// The image.
        reference: String,
        /// Why not.
        why: String,
    },
    /// Something that this provider has not.
    #[error("{provider} can't {what}: {why}")]
    Unable {
        /// Which provider.
        provider: Provider,
        /// What was asked of it.
        what: String,
        /// What it would take.
        why: String,
    },
    /// The API server refused something that the cluster needs.
    #[error("failed to {what}: {source}")]
    Api {
        /// What was tried.
        what: String,
        /// What it answered.
        source: Box<kube::Error>,
    },
}

impl ProviderError {
    /// What to do next, where there is something to do.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        // The log of a first start goes with its run directory.
        let all_of = |log: &PathBuf| {
            log.exists()
                .then(|| format!("all that it said is in \"{}\"", log.display()))
        };
        let room = || {
            format!(
                "make room in \"{}\" (a cluster takes about 100 MiB), or set TMPDIR to a directory on another disk",
                std::env::temp_dir().display()
            )
        };
        match self {
            Self::Exited { last, .. } if last.to_lowercase().contains("no space left") => Some(room()),
            Self::Exited { log, .. } => all_of(log),
            Self::NotReady { log, .. } => {
                let longer = "on a slow machine, --ready-timeout gives it longer".to_owned();
                Some(all_of(log).map_or(longer.clone(), |log| format!("{log}; {longer}")))
            }
            Self::Setup { why, .. } if why.contains("No space left") => Some(room()),
            Self::Start { why, .. } if why.starts_with("its log ") => {
                Some("logs are evidence: --out names another folder for it".to_owned())
            }
            Self::Unfit(problems) => Some(
                problems
                    .iter()
                    .map(|problem| problem.remedy.clone())
                    .collect::<Vec<_>>()
                    .join("; "),
            ),
            Self::NodeImage { .. } => Some(
                "where no registry can be reached, \"kubeclash node-image build\" makes one on Debian; --kind-image names \
                 another"
                    .to_owned(),
            ),
            Self::Unable { .. } => Some("use --provider local".to_owned()),
            Self::Setup { .. } | Self::Start { .. } | Self::Api { .. } => None,
        }
    }
}
