//! How a workload is named: `deployment/web`, `deployment/shop/web`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The namespace that need not be written.
pub const DEFAULT_NAMESPACE: &str = "default";

/// The name of an object that makes pods, or of a pod that nobody made.
///
/// Written `kind/name`, or `kind/namespace/name` outside of `default`; kinds are those that kubectl takes, in any of their
/// spellings (`deploy`, `Deployment`, `deployments`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkloadRef {
    /// The kind, in the singular and small letters: `deployment`.
    pub kind: String,
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// Kinds and the short names that kubectl has for them.
const SHORT: [(&str, &str); 9] = [
    ("deploy", "deployment"),
    ("rs", "replicaset"),
    ("sts", "statefulset"),
    ("ds", "daemonset"),
    ("job", "job"),
    ("cj", "cronjob"),
    ("po", "pod"),
    ("rc", "replicationcontroller"),
    ("no", "node"),
];

/// A kind in the singular and small letters: `deployment` of `Deployment`, `deployments`, `deploy`.
#[must_use]
pub fn kind(text: &str) -> String {
    let small = text.to_ascii_lowercase();
    let known = SHORT.iter().find(|(short, long)| {
        *short == small || *long == small || small.strip_suffix('s').is_some_and(|one| one == *long)
    });
    known.map_or(small, |(_, long)| (*long).to_owned())
}

impl WorkloadRef {
    /// Of these parts; the kind in any spelling.
    #[must_use]
    pub fn new(kind_of: &str, namespace: &str, name: &str) -> Self {
        Self {
            kind: kind(kind_of),
            namespace: if namespace.is_empty() {
                DEFAULT_NAMESPACE
            } else {
                namespace
            }
            .to_owned(),
            name: name.to_owned(),
        }
    }

    /// The deployment of a name in the default namespace.
    #[must_use]
    pub fn deployment(name: &str) -> Self {
        Self::new("deployment", DEFAULT_NAMESPACE, name)
    }
}

impl fmt::Display for WorkloadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            namespace,
            name,
        } = self;
        if namespace == DEFAULT_NAMESPACE {
            f.pad(&format!("{kind}/{name}"))
        } else {
            f.pad(&format!("{kind}/{namespace}/{name}"))
        }
    }
}

impl FromStr for WorkloadRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            [kind, name] if !kind.is_empty() && !name.is_empty() => {
                Ok(Self::new(kind, DEFAULT_NAMESPACE, name))
            }
            [kind, namespace, name] if !kind.is_empty() && !namespace.is_empty() && !name.is_empty() => {
                Ok(Self::new(kind, namespace, name))
            }
            _ => Err(format!(
                "\"{text}\" names no workload: write kind/name or kind/namespace/name, e.g. deployment/web"
            )),
        }
    }
}

impl JsonSchema for WorkloadRef {
    fn schema_name() -> Cow<'static, str> {
        "WorkloadRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[^/]+/[^/]+(/[^/]+)?$",
            "description": "an object as kubectl names it: deployment/web, sts/shop/db",
        })
    }
}

impl TryFrom<String> for WorkloadRef {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<WorkloadRef> for String {
    fn from(workload: WorkloadRef) -> Self {
        workload.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_named_as_kubectl_names_it() {
        for text in [
            "deployment/web",
            "deploy/web",
            "Deployment/web",
            "deployments/default/web",
        ] {
            let workload: WorkloadRef = text.parse().unwrap();
            assert_eq!(workload, WorkloadRef::deployment("web"), "{text}");
            assert_eq!(workload.to_string(), "deployment/web");
        }
        let elsewhere: WorkloadRef = "sts/shop/db".parse().unwrap();
        assert_eq!(elsewhere.to_string(), "statefulset/shop/db");
        assert_eq!(kind("Rollout"), "rollout", "a kind of somebody's own");
        assert_eq!(kind("redis"), "redis");
    }

    #[test]
    fn what_names_no_workload_is_told() {
        for text in ["web", "", "/web", "deployment/", "a/b/c/d"] {
            assert!(text.parse::<WorkloadRef>().is_err(), "{text}");
        }
    }
}
