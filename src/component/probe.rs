//! What there is, for `kubeclash doctor`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::{Builder, ComponentName, Look, Origin, Resolver, Selection, Spec, container, given};

impl Resolver {
    /// What is there and what would be done about the rest, without doing it or asking the network.
    pub async fn probe(&self, selection: &Selection, names: &[ComponentName]) -> Vec<Finding> {
        let go = self.builder.version().await;
        let mut images = BTreeMap::new();
        for name in names {
            if let Spec::Image(reference) = selection.spec(*name) {
                images.insert(*name, container::probe(*name, &reference, &self.platform).await);
            }
        }
        let finding = |name: &ComponentName| {
            let name = *name;
            let version = match selection.spec(name) {
                Spec::Release(version) => version,
                Spec::Path(path) => {
                    let problem = given::check(&path, &self.platform).err();
                    let version = "given".to_owned();
                    return Finding {
                        name,
                        version,
                        state: State::Given { path, problem },
                        took_ms: None,
                    };
                }
                other => {
                    return Finding {
                        name,
                        version: other.to_string(),
                        state: images
                            .remove(&name)
                            .unwrap_or(State::Missing { plan: Vec::new() }),
                        took_ms: None,
                    };
                }
            };
            let last = self.cache.last_time(name, &version, &self.platform);
            let mut plan = vec![match self.sources.describe(name, &version, &self.platform) {
                Ok(url) => format!("fetch {url}"),
                Err(failure) => failure.to_string(),
            }];
            plan.push(match (Builder::can(name.module(), &version), &go) {
                (Err(failure), _) => failure.to_string(),
                (Ok(()), Ok(go)) => format!("build {}@{} with {}", name.package(), version.tag(), go.0),
                (Ok(()), Err(reason)) => format!("no Go to build it with ({reason})"),
            });
            let state = match self.cache.look(name, &version, &self.platform) {
                Look::Good(binary) => State::Cached {
                    path: self
                        .cache
                        .entry(name, &version, &self.platform)
                        .join(name.as_str()),
                    sha256: binary.sha256,
                    origin: binary.origin,
                },
                Look::Doubtful(entry) => State::Cached {
                    path: self
                        .cache
                        .entry(name, &version, &self.platform)
                        .join(name.as_str()),
                    sha256: entry.sha256,
                    origin: entry.origin,
                },
                Look::Corrupted(reason) => State::Corrupted { reason, plan },
                Look::Missing => State::Missing { plan },
            };
            let took_ms = last.map(|(took, _)| u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
            Finding {
                name,
                version: version.shown(name).to_owned(),
                state,
                took_ms,
            }
        };
        names.iter().map(finding).collect()
    }
}

/// What [`Resolver::probe`] finds of one component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which component.
    pub name: ComponentName,
    /// Which release, or `given`.
    pub version: String,
    /// What there is.
    #[serde(flatten)]
    pub state: State,
    /// How long this release took when it was last fetched or built here, in milliseconds.
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
