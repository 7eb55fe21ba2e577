//! Which builds took part in a run: the sets of components that differ between its arms, with short labels.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::evidence::Outcome;
use kubeclash_components::ComponentName;
use kubeclash_timeline::ComponentVersion;

/// How much of a SHA-256 tells two binaries of one version apart.
const SHORT: usize = 8;

/// What a release of Kubernetes brings together.
const KUBERNETES: [&str; 3] = {
    let [apiserver, controllers, scheduler] = ComponentName::KUBERNETES;
    [apiserver.as_str(), controllers.as_str(), scheduler.as_str()]
};

/// The builds of some arms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Builds {
    /// The builds, in order of appearance; one where nothing differs.
    pub all: Vec<Build>,
    /// Which of them each arm ran with.
    pub of: Vec<usize>,
}

/// One build: what tells it from the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Build {
    /// In a few words: `descheduler v0.35.1`; of a single build, its releases.
    pub label: String,
    /// Everything that took part, by name.
    pub components: BTreeMap<String, ComponentVersion>,
}

/// Version, and digest or origin.
type Identity<'a> = (&'a str, &'a str);

/// What tells one binary from another. Where the same binary came from does not.
fn identity(component: &ComponentVersion) -> Identity<'_> {
    if component.sha256.is_empty() {
        (&component.version, &component.origin)
    } else {
        (&component.version, &component.sha256)
    }
}

impl Builds {
    /// The builds of these arms.
    #[must_use]
    pub fn of<'a>(outcomes: impl Iterator<Item = &'a Outcome> + Clone) -> Self {
        let names: BTreeSet<&str> = outcomes
            .clone()
            .flat_map(|o| o.components.keys().map(String::as_str))
            .collect();
        let seen = |name: &str| -> BTreeSet<Option<Identity<'_>>> {
            let of = |o: &'a Outcome| o.components.get(name).map(identity);
            outcomes.clone().map(of).collect()
        };
        let differing: BTreeMap<&str, bool> = names
            .iter()
            .map(|name| (*name, seen(name)))
            .filter(|(_, seen)| seen.len() > 1)
            .map(|(name, seen)| {
                let versions: BTreeSet<_> = seen.iter().map(|one| one.map(|(version, _)| version)).collect();
                (name, versions.len() < seen.len())
            })
            .collect();
        let paces: BTreeSet<String> = outcomes.clone().map(pace).collect();
        let mut builds = Self::default();
        let mut keys: Vec<(Vec<Option<Identity<'_>>>, String)> = Vec::new();
        for outcome in outcomes {
            let parts = differing
                .keys()
                .map(|name| outcome.components.get(*name).map(identity));
            let key = (parts.collect(), pace(outcome));
            let at = keys.iter().position(|known| *known == key).unwrap_or_else(|| {
                keys.push(key);
                let mut label = label(outcome, &differing);
                if paces.len() > 1 {
                    label.push(pace(outcome));
                }
                builds.all.push(Build {
                    label: label.join(" · "),
                    components: outcome.components.clone(),
                });
                keys.len() - 1
            });
            builds.of.push(at);
        }
        builds
    }

    /// Whether there is anything to tell apart.
    #[must_use]
    pub fn several(&self) -> bool {
        self.all.len() > 1
    }
}

/// On what, and how fast: no part of a build, but figures of one are none of the other.
fn pace(outcome: &Outcome) -> String {
    format!("{} at {} pace", outcome.provider, outcome.pace)
}

/// The differing components in words; where nothing differs, the ones that cases are about.
fn label(outcome: &Outcome, differing: &BTreeMap<&str, bool>) -> Vec<String> {
    let about = ["descheduler", KUBERNETES[0], KUBERNETES[1], KUBERNETES[2]];
    let names: Vec<(&str, bool)> = if differing.is_empty() {
        about.iter().map(|name| (*name, false)).collect()
    } else {
        differing
            .iter()
            .map(|(name, by_digest)| (*name, *by_digest))
            .collect()
    };
    let text = |(name, by_digest): (&str, bool)| match outcome.components.get(name) {
        Some(component) if by_digest => {
            let digest: String = component.sha256.chars().take(SHORT).collect();
            format!("{} ({digest})", component.version)
        }
        Some(component) => component.version.clone(),
        None => "none".to_owned(),
    };
    let mut parts: Vec<(&str, String)> = names
        .iter()
        .filter(|(name, _)| !differing.is_empty() || outcome.components.contains_key(*name))
        .map(|one| (one.0, text(*one)))
        .collect();
    // Three programs of one release are one thing to a reader.
    let versions: BTreeSet<&String> = parts
        .iter()
        .filter(|(name, _)| KUBERNETES.contains(name))
        .map(|(_, version)| version)
        .collect();
    let three = parts.iter().filter(|(name, _)| KUBERNETES.contains(name)).count() == KUBERNETES.len();
    if three && versions.len() == 1 {
        let version = versions.into_iter().next().cloned().unwrap_or_default();
        parts.retain(|(name, _)| !KUBERNETES.contains(name));
        parts.insert(0, ("Kubernetes", version));
    }
    let short = |name: &str| name.strip_prefix("kube-").unwrap_or(name).to_owned();
    parts
        .into_iter()
        .map(|(name, version)| format!("{} {version}", short(name)))
        .collect()
}
