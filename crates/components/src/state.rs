//! Whether a component is there, and what would be done to have it.

use std::path::PathBuf;

use serde::Serialize;

use super::{ComponentName, Origin};

impl Finding {
    pub(super) fn of(name: ComponentName, version: &str, state: State) -> Self {
        Self {
            name,
            version: version.to_owned(),
            state,
            took_ms: None,
        }
    }
}

/// What [`Resolver::probe`](super::Resolver::probe) finds of one component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which component.
    pub name: ComponentName,
    /// Which release, `given`, what git says is checked out, or what was asked for.
    pub version: String,
    /// What there is.
    #[serde(flatten)]
    pub state: State,
    /// How long it took when it was last fetched or built here, in milliseconds.
    pub took_ms: Option<u64>,
}

/// Whether a component is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    /// The user named a file.
    Given {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, as the rest of a sentence.
        problem: Option<String>,
    },
    /// A checkout, which each run builds: what has not changed is in go's own cache.
    Source {
        /// The folder.
        path: PathBuf,
        /// What is done.
        plan: Vec<String>,
    },
    /// An image that Docker has.
    Image {
        /// What Docker knows it by.
        id: String,
    },
    /// An image that can't be run here.
    Unusable {
        /// What is wrong with it or with Docker, as the rest of a sentence.
        problem: String,
    },
    /// In the cache.
    Cached {
        /// Where.
        path: PathBuf,
        /// As recorded.
        sha256: String,
        /// Where it came from.
        origin: Origin,
    },
    /// In the cache, and of no use.
    Corrupted {
        /// What is wrong with it.
        reason: String,
        /// What would be tried, in this order.
        plan: Vec<String>,
    },
    /// Not there.
    Missing {
        /// What would be tried, in this order.
        plan: Vec<String>,
    },
}
