//! Configurations of the scheduler, in the API versions that there are.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use kubeclash_host::yaml;
use kubeclash_host::yaml::ManifestError;
use kubeclash_timeline::Minor;

/// The name of a pod's scheduler where it names none.
pub const DEFAULT_SCHEDULER: &str = "default-scheduler";

const KIND: &str = "KubeSchedulerConfiguration";

/// An API version of `KubeSchedulerConfiguration`.
///
/// Since and until when a scheduler knows it: KEP-785, kubernetes/kubernetes#117649 (v1beta2 removed in v1.28) and
/// #119994 (v1beta3 removed in v1.29). What is older than these was gone in v1.24, the oldest release that runs here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchedulerApi {
    /// `v1beta2`, up to v1.27.
    V1beta2,
    /// `v1beta3`, up to v1.28.
    V1beta3,
    /// `v1`, since v1.25.
    V1,
}

impl SchedulerApi {
    /// All of them, oldest first.
    const ALL: [Self; 3] = [Self::V1beta2, Self::V1beta3, Self::V1];

    /// The newest that a scheduler knows; of one whose version is unknown, the newest that there is.
    #[must_use]
    pub fn for_scheduler(version: &str) -> Self {
        let known = |api: &Self| Minor::of_scheduler(version).is_none_or(|minor| api.is_known_by(minor));
        Self::ALL.into_iter().rev().find(known).unwrap_or(Self::V1)
    }

    /// Whether the schedulers of a minor release know it.
    #[must_use]
    pub fn is_known_by(self, scheduler: Minor) -> bool {
        match self {
            Self::V1beta2 => scheduler < Minor::new(1, 28),
            Self::V1beta3 => scheduler < Minor::new(1, 29),
            Self::V1 => scheduler >= Minor::new(1, 25),
        }
    }

    /// Which schedulers know it, in words.
    #[must_use]
    pub fn known_by(self) -> &'static str {
        match self {
            Self::V1beta2 => "schedulers up to v1.27",
            Self::V1beta3 => "schedulers up to v1.28",
            Self::V1 => "schedulers from v1.25 on",
        }
    }
}

impl fmt::Display for SchedulerApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::V1beta2 => "kubescheduler.config.k8s.io/v1beta2",
            Self::V1beta3 => "kubescheduler.config.k8s.io/v1beta3",
            Self::V1 => "kubescheduler.config.k8s.io/v1",
        })
    }
}

/// A scheduler's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulerConfig {
    /// The file that it was read from; empty for one that was made.
    pub file: PathBuf,
    /// Its API version.
    pub api: SchedulerApi,
    document: Value,
}

impl SchedulerConfig {
    /// Reads a configuration. What its plugins are called is for the scheduler to say: a fork has plugins of its own.
    ///
    /// # Errors
    /// When it is not YAML, not a `KubeSchedulerConfiguration`, of an unknown API version, or its profiles are no list;
    /// with the line.
    pub fn parse(file: PathBuf, text: &str) -> Result<Self, ManifestError> {
        let of = |what: &str| SchedulerApi::ALL.into_iter().find(|api| api.to_string() == what);
        let versions = SchedulerApi::ALL.map(|api| api.to_string());
        let shown = file.display().to_string();
        let document = yaml::typed(&shown, text, KIND, |what| of(what).is_some(), &versions)?;
        for (field, fits) in [
            ("profiles", Value::is_array as fn(&Value) -> bool),
            ("clientConnection", Value::is_object),
        ] {
            if document
                .get(field)
                .is_some_and(|value| !value.is_null() && !fits(value))
            {
                let line = yaml::line_of(text, field).unwrap_or(1);
                return Err(ManifestError {
                    mistakes: vec![format!("{shown}:{line}: {field}: of the wrong form")],
                });
            }
        }
        let api = document["apiVersion"].as_str().and_then(of);
        Ok(Self {
            file,
            api: api.expect("typed has looked"),
            document,
        })
    }

    /// The default configuration with one profile of this name.
    #[must_use]
    pub fn of_one_profile(api: SchedulerApi, name: &str) -> Self {
        Self {
            file: PathBuf::new(),
            api,
            document: json!({
                "apiVersion": api.to_string(), "kind": KIND, "profiles": [{"schedulerName": name}],
            }),
        }
    }

    /// The same in an API version that a scheduler knows: from one to the next, what a case says has stayed the same.
    #[must_use]
    pub fn known_to(&self, version: &str) -> Self {
        let unknown = Minor::of_scheduler(version).is_some_and(|minor| !self.api.is_known_by(minor));
        let mut known = self.clone();
        if unknown {
            known.api = SchedulerApi::for_scheduler(version);
            known.document["apiVersion"] = json!(known.api.to_string());
        }
        known
    }

    /// The scheduler names of its profiles. One profile without a name, or none at all, is the default scheduler's.
    #[must_use]
    pub fn profiles(&self) -> Vec<&str> {
        let profiles = self.document["profiles"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        if profiles.is_empty() {
            return vec![DEFAULT_SCHEDULER];
        }
        match profiles {
            [one] if name_of(one).is_none() => vec![DEFAULT_SCHEDULER],
            all => all.iter().filter_map(name_of).collect(),
        }
    }

    /// The same for a cluster of its own: with this kubeconfig, without leader election and addresses.
    #[must_use]
    pub fn isolated(&self, kubeconfig: &Path) -> Value {
        let mut document = self.document.clone();
        let Value::Object(fields) = &mut document else {
            return document;
        };
        // Served, if at all, where the flags say.
        fields.remove("healthzBindAddress");
        fields.remove("metricsBindAddress");
        fields.insert("leaderElection".to_owned(), json!({"leaderElect": false}));
        let connection = fields.entry("clientConnection").or_insert(Value::Null);
        if !connection.is_object() {
            *connection = json!({});
        }
        connection["kubeconfig"] = json!(kubeconfig.display().to_string());
        document
    }
}

fn name_of(profile: &Value) -> Option<&str> {
    profile.get("schedulerName")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";

    fn parse(text: &str) -> Result<SchedulerConfig, String> {
        SchedulerConfig::parse("mine.yaml".into(), text).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_no_configuration_is_named_with_its_line() {
        assert!(parse("profiles: [\n").unwrap_err().contains("mine.yaml:"));
        for (text, mistake) in [
            (
                "apiVersion: v1\nkind: Pod\n",
                "mine.yaml:2: kind: expected \"KubeSchedulerConfiguration\", found \"Pod\"",
            ),
            (
                "apiVersion: kubescheduler.config.k8s.io/v1beta1\nkind: KubeSchedulerConfiguration\n",
                "mine.yaml:1: apiVersion: expected kubescheduler.config.k8s.io/v1beta2 or",
            ),
            (
                &format!("{HEAD}profiles: mine\n"),
                "mine.yaml:3: profiles: of the wrong form",
            ),
            (
                &format!("{HEAD}clientConnection: [1]\n"),
                "mine.yaml:3: clientConnection: of the wrong form",
            ),
        ] {
            let found = parse(text).unwrap_err();
            assert!(found.starts_with(mistake), "{found}");
        }
    }

    #[test]
    fn a_scheduler_gets_the_newest_api_version_that_it_knows() {
        for (version, api) in [
            ("v1.24.17", SchedulerApi::V1beta3),
            ("v1.25.0", SchedulerApi::V1),
            ("v1.36.3", SchedulerApi::V1),
            ("unknown", SchedulerApi::V1),
        ] {
            assert_eq!(SchedulerApi::for_scheduler(version), api, "{version}");
        }
        let known = |minor| SchedulerApi::ALL.map(|api| api.is_known_by(Minor::new(1, minor)));
        assert_eq!(known(24), [true, true, false]);
        assert_eq!(known(27), [true, true, true]);
        assert_eq!(known(28), [false, true, true]);
        assert_eq!(known(29), [false, false, true]);
    }

    #[test]
    fn profiles_are_known_by_the_names_that_pods_ask_for() {
        let profiles = |text: &str| {
            let config = parse(&format!("{HEAD}{text}")).unwrap();
            config.profiles().join(" ")
        };
        assert_eq!(profiles(""), "default-scheduler");
        assert_eq!(profiles("profiles: []\n"), "default-scheduler");
        assert_eq!(profiles("profiles: [{plugins: {}}]\n"), "default-scheduler");
        assert_eq!(
            profiles("profiles: [{schedulerName: a}, {schedulerName: b}]\n"),
            "a b"
        );
        let made = SchedulerConfig::of_one_profile(SchedulerApi::V1, "mine");
        assert_eq!(made.profiles(), ["mine"]);
    }

    #[test]
    fn what_would_break_isolation_is_overridden_and_the_rest_stays() {
        let config = parse(&format!(
            "{HEAD}parallelism: 3\nclientConnection: {{kubeconfig: /root/.kube/config, qps: 7}}\n\
             leaderElection: {{leaderElect: true, resourceName: x}}\nhealthzBindAddress: 0.0.0.0:10251\n"
        ))
        .unwrap();
        assert_eq!(
            config.isolated(Path::new("/run/x.kubeconfig")),
            json!({
                "apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
                "parallelism": 3, "clientConnection": {"kubeconfig": "/run/x.kubeconfig", "qps": 7},
                "leaderElection": {"leaderElect": false},
            })
        );
        let bare = parse(HEAD).unwrap().isolated(Path::new("k"));
        assert_eq!(bare["clientConnection"]["kubeconfig"], "k");
    }
}
