//! How large a load test is: a YAML file, `manifests/profiles/<nodes>.yaml`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use kubeclash_host::yaml;

/// The built-in profiles: name and text, the smallest first.
const BUILT_IN: [(&str, &str); 4] = [
    ("100", include_str!("../manifests/profiles/100.yaml")),
    ("500", include_str!("../manifests/profiles/500.yaml")),
    ("1000", include_str!("../manifests/profiles/1000.yaml")),
    ("5000", include_str!("../manifests/profiles/5000.yaml")),
];

/// How large a load test is, and how fast it goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// What it is called: a built-in one by its nodes, another by its file.
    pub name: String,
    /// The file, as it was read.
    pub text: String,
    /// What it says.
    pub says: Says,
}

/// What a profile says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Says {
    /// How many nodes.
    pub nodes: usize,
    /// How many nodes share a namespace.
    pub nodes_per_namespace: usize,
    /// How many pods a node has on average, besides those of daemon sets.
    pub pods_per_node: usize,
    /// How many pods an object has.
    pub sizes: Sizes,
    /// How many stateful sets a namespace has.
    pub stateful_sets: StatefulSets,
    /// How many jobs a namespace has.
    pub jobs: Jobs,
    /// How many daemon sets there are in all.
    pub daemon_sets: usize,
    /// What a node is like.
    pub node: NodeSize,
    /// What step 7 changes.
    pub scaling: Scaling,
    /// How fast the load test's own clients go.
    pub rates: Rates,
    /// Who reads meanwhile; nobody, where the profile does not say.
    #[serde(default)]
    pub readers: Readers,
    /// How long its waits last.
    pub deadlines_s: Deadlines,
    /// What controllers are given.
    pub control_plane: ControlPlane,
}

/// How many pods an object of each size has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// A small one.
    pub small: usize,
    /// A medium one.
    pub medium: usize,
    /// A big one.
    pub big: usize,
}

/// How many stateful sets a namespace has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatefulSets {
    /// Small ones.
    pub small: usize,
    /// Medium ones.
    pub medium: usize,
}

/// How many jobs a namespace has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    /// Small ones.
    pub small: usize,
    /// Medium ones.
    pub medium: usize,
    /// Big ones.
    pub big: usize,
}

/// What a node is like.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSize {
    /// Cores.
    pub cpu: u32,
    /// Memory, as Kubernetes writes quantities.
    pub memory: String,
    /// How many pods fit.
    pub pods: u32,
    /// For how long its lease holds, seconds; renewed four times as often. A kubelet's: 40.
    pub lease_s: u32,
}

/// What step 7 changes.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// By how much a size changes at most, as a part of it.
    pub factor: f64,
    /// Which share of deployments, config maps and secrets gets a new revision.
    pub updated: f64,
    /// What random numbers come from.
    pub seed: u64,
}

/// How fast the load test's own clients go.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// Objects a second in steps 2, 3 and 5.
    pub create_per_s: f64,
    /// Objects a second in step 7.
    pub scale_per_s: f64,
    /// Objects a second in steps 9, 11 and 12.
    pub delete_per_s: f64,
    /// How many requests wait for an answer at once.
    pub clients: usize,
}

/// Who reads while the load test runs: lists of all its pods, as dashboards and agents make them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Readers {
    /// Lists a second.
    pub lists_per_s: f64,
    /// How many wait for an answer at once.
    pub clients: usize,
}

/// How long waits last, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadlines {
    /// Step 6.
    pub running: u64,
    /// Step 8.
    pub scaled: u64,
    /// Step 10.
    pub deleted: u64,
}

/// What controllers are given.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlPlane {
    /// Requests a second that controller-manager and scheduler may send each.
    pub qps: u32,
    /// How many objects of a kind the controller-manager works on at once.
    pub concurrent_syncs: u32,
    /// More arguments of the API server.
    #[serde(default)]
    pub apiserver_args: Vec<String>,
}

/// Why there is no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .mistakes.join("\n"))]
pub struct ProfileError {
    /// One sentence a mistake, with the file and, where it is known, the line.
    pub mistakes: Vec<String>,
}

impl Profile {
    /// SHA-256 of what it says, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        use sha2::{Digest, Sha256};
        let digest = Sha256::digest(self.text.as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The built-in profile for a number of nodes: of the smallest that has as many, set to that number.
    ///
    /// # Errors
    /// When no profile has so many.
    pub fn of(nodes: usize) -> Result<Self, ProfileError> {
        for (name, text) in BUILT_IN {
            let mut profile = Self::parse(name, text)?;
            if nodes <= profile.says.nodes {
                if nodes != profile.says.nodes {
                    profile.name = format!("{name}, with {nodes} nodes");
                    profile.says.nodes = nodes;
                    check(name, text, &profile.says)?;
                }
                return Ok(profile);
            }
        }
        Err(ProfileError {
            mistakes: vec![format!(
                "no built-in profile has {nodes} nodes; 5000 are the most that was tried: --profile names a file of yours"
            )],
        })
    }

    /// A profile out of a file.
    ///
    /// # Errors
    /// When it can't be read, or has mistakes.
    pub fn read(file: &Path) -> Result<Self, ProfileError> {
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|e| ProfileError {
            mistakes: vec![format!("{shown}: it can't be read: {e}")],
        })?;
        Self::parse(&shown, &text)
    }

    /// By a word: a number of nodes, or a file.
    ///
    /// # Errors
    /// When no profile has so many, or the file can't be read or has mistakes.
    pub fn named(word: &str) -> Result<Self, ProfileError> {
        match word.parse() {
            Ok(nodes) => Self::of(nodes),
            Err(_) => Self::read(Path::new(word)),
        }
    }

    /// A profile out of a text.
    ///
    /// # Errors
    /// All mistakes together, with their lines.
    pub fn parse(name: &str, text: &str) -> Result<Self, ProfileError> {
        let says: Says = yaml::read(text).map_err(|e| {
            let line = e.line.map_or(String::new(), |line| format!(":{line}"));
            ProfileError {
                mistakes: vec![format!("{name}{line}: {e}")],
            }
        })?;
        check(name, text, &says)?;
        let stem = PathBuf::from(name);
        let stem = stem.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        Ok(Self {
            name: stem.unwrap_or_else(|| name.to_owned()),
            text: text.to_owned(),
            says,
        })
    }

    /// The built-in profiles.
    pub fn built_in() -> impl Iterator<Item = Self> {
        BUILT_IN
            .into_iter()
            .map(|(name, text)| Self::parse(name, text).expect("a test reads every built-in profile"))
    }
}

impl Says {
    /// How many namespaces.
    #[must_use]
    pub fn namespaces(&self) -> usize {
        self.nodes.div_ceil(self.nodes_per_namespace)
    }

    /// A wait's deadline.
    #[must_use]
    pub fn deadline(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }
}

/// That every number is one that can be meant.
fn check(name: &str, text: &str, says: &Says) -> Result<(), ProfileError> {
    let mut mistakes = Vec::new();
    let mut wrong = |field: &str, what: String| {
        let line = yaml::line_of(text, field).map_or(String::new(), |line| format!(":{line}"));
        mistakes.push(format!("{name}{line}: {field}: {what}"));
    };
    let mut whole = |field: &str, value: usize, least: usize, most: usize| {
        if !(least..=most).contains(&value) {
            wrong(field, format!("{value} is not between {least} and {most}"));
        }
    };
    whole("nodes", says.nodes, 1, 50_000);
    whole("nodes_per_namespace", says.nodes_per_namespace, 1, 50_000);
    whole("pods_per_node", says.pods_per_node, 0, 1_000);
    for size in [says.sizes.small, says.sizes.medium, says.sizes.big] {
        whole("sizes", size, 1, 10_000);
    }
    for number in [says.stateful_sets.small, says.stateful_sets.medium] {
        whole("stateful_sets", number, 0, 1_000);
    }
    for number in [says.jobs.small, says.jobs.medium, says.jobs.big] {
        whole("jobs", number, 0, 1_000);
    }
    whole("daemon_sets", says.daemon_sets, 0, 100);
    whole("node", says.node.cpu as usize, 1, 1_024);
    whole("node", says.node.pods as usize, 1, 1_000);
    whole("node", says.node.lease_s as usize, 4, 3_600);
    whole("rates", says.rates.clients, 1, 1_000);
    whole("readers", says.readers.clients, 0, 10_000);
    for seconds in [
        says.deadlines_s.running,
        says.deadlines_s.scaled,
        says.deadlines_s.deleted,
    ] {
        whole(
            "deadlines_s",
            usize::try_from(seconds).unwrap_or(usize::MAX),
            1,
            86_400,
        );
    }
    whole("control_plane", says.control_plane.qps as usize, 1, 100_000);
    let syncs = says.control_plane.concurrent_syncs as usize;
    whole("control_plane", syncs, 1, 1_000);
    let mut part = |field: &str, value: f64, most: f64, open: bool| {
        let fits = value <= most && if open { value > 0.0 } else { value >= 0.0 };
        if !fits {
            wrong(field, format!("{value} is not between 0 and {most}"));
        }
    };
    part("scaling", says.scaling.factor, 1.0, false);
    part("scaling", says.scaling.updated, 1.0, false);
    part("readers", says.readers.lists_per_s, 100_000.0, false);
    for rate in [
        says.rates.create_per_s,
        says.rates.scale_per_s,
        says.rates.delete_per_s,
    ] {
        part("rates", rate, 100_000.0, true);
    }
    if mistakes.is_empty() {
        Ok(())
    } else {
        Err(ProfileError { mistakes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_profile_can_be_read_and_is_called_by_its_nodes() {
        let nodes: Vec<usize> = Profile::built_in().map(|profile| profile.says.nodes).collect();
        assert_eq!(nodes, [100, 500, 1000, 5000]);
        for profile in Profile::built_in() {
            assert_eq!(profile.name, profile.says.nodes.to_string());
        }
    }

    #[test]
    fn another_number_of_nodes_is_the_next_larger_profile_s() {
        assert_eq!(Profile::of(100).unwrap().name, "100");
        let between = Profile::of(150).unwrap();
        assert_eq!(
            (between.name.as_str(), between.says.nodes),
            ("500, with 150 nodes", 150)
        );
        assert_eq!(between.says.namespaces(), 2);
        assert!(Profile::of(5_001).unwrap_err().to_string().contains("--profile"));
        assert!(Profile::of(0).unwrap_err().to_string().contains("nodes: 0"));
    }

    #[test]
    fn mistakes_are_told_with_their_lines() {
        let good = BUILT_IN[0].1;
        let line = |field: &str| yaml::line_of(good, field).unwrap();
        let bad = good
            .replace("create_per_s: 20", "create_per_s: 0")
            .replace("clients: 32", "clients: 0");
        let error = Profile::parse("mine.yaml", &bad).unwrap_err();
        assert_eq!(error.mistakes.len(), 2, "{error}");
        assert!(
            error.mistakes[0].starts_with(&format!("mine.yaml:{}: rates", line("rates"))),
            "{error}"
        );
        let unknown = Profile::parse("mine.yaml", &good.replace("pods_per_node", "pods_a_node")).unwrap_err();
        let at = line("pods_per_node");
        assert!(
            unknown.to_string().starts_with(&format!("mine.yaml:{at}: ")),
            "{unknown}"
        );
        assert!(unknown.to_string().contains("pods_a_node"), "{unknown}");
        let negative = good.replace("updated: 0.1", "updated: .nan");
        assert!(Profile::parse("mine.yaml", &negative).is_err());
    }
}
