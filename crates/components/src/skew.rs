//! What the releases of components lack, alone or beside each other: said before a run, and by `doctor`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ComponentName;
use kubeclash_timeline::Minor;

/// The oldest API server that runs here: the generation of the study of 2023.
pub const OLDEST_APISERVER: Minor = Minor::new(1, 24);

/// Something that the components of a run lack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lack {
    /// What, and what comes of it.
    pub what: String,
    /// Where that is from.
    pub source: &'static str,
    /// Whether nothing can be said of a failure that was not seen.
    pub bars_absence: bool,
}

use ComponentName::{Apiserver, ControllerManager, Descheduler, Scheduler, SecondScheduler};

/// What one release lacks: component, the first that has it, what is missing, source.
const FACTS: [(ComponentName, Minor, &str, &str); 4] = [
    (
        Apiserver,
        Minor::new(1, 26),
        "an evicted pod has no DisruptionTarget condition, so why it was evicted is not to be read from it",
        "KEP-3329: PodDisruptionConditions is on by default since v1.26",
    ),
    (
        ControllerManager,
        Minor::new(1, 29),
        "taints are evicted for by the node lifecycle controller; there is no taint-eviction-controller",
        "KEP-3902: SeparateTaintEvictionController is on by default since v1.29",
    ),
    (
        Scheduler,
        Minor::new(1, 25),
        "its configuration is kubescheduler.config.k8s.io/v1beta3; it knows no v1",
        "KEP-785",
    ),
    (
        Descheduler,
        Minor::new(0, 27),
        "its policies are descheduler/v1alpha1, and so are the cases' own for it; it knows no v1alpha2",
        "kubernetes-sigs/descheduler, pkg/descheduler/policyconfig.go at v0.26.1 and v0.27.0",
    ),
];

const SKEW_POLICY: &str = "https://kubernetes.io/releases/version-skew-policy/";

/// The first scheduler that watches `resource.k8s.io/v1` in any case, and the first API server that serves it.
const RESOURCE_V1: Minor = Minor::new(1, 34);

/// What components of these versions lack. Of a component whose version is unknown nothing is said.
#[must_use]
pub fn lacks(versions: &BTreeMap<ComponentName, String>) -> Vec<Lack> {
    let minor = |name| {
        let version = versions.get(&name)?;
        match name {
            Scheduler | SecondScheduler => Minor::of_scheduler(version),
            _ => Minor::of(version),
        }
    };
    let mut found = Vec::new();
    for (name, since, what, source) in FACTS {
        if minor(name).is_some_and(|minor| minor < since) {
            found.push(Lack {
                what: format!("{name} {}: {what}", versions[&name]),
                source,
                bars_absence: false,
            });
        }
    }
    let Some(apiserver) = minor(Apiserver) else {
        return found;
    };
    for name in [ControllerManager, Scheduler, SecondScheduler] {
        let Some(controller) = minor(name).filter(|controller| *controller > apiserver) else {
            continue;
        };
        let pair = format!(
            "{name} {} is newer than kube-apiserver {}",
            versions[&name], versions[&Apiserver]
        );
        if name != ControllerManager && controller >= RESOURCE_V1 && apiserver < RESOURCE_V1 {
            found.push(Lack {
                what: format!(
                    "{pair}, which has no resource.k8s.io/v1: it waits for that for ever, and schedules nothing"
                ),
                source: "KEP-4381: DynamicResourceAllocation is always on since v1.34",
                bars_absence: true,
            });
        } else {
            found.push(Lack {
                what: format!("{pair}, which Kubernetes does not support"),
                source: SKEW_POLICY,
                bars_absence: false,
            });
        }
    }
    found
}

/// Why an API server can't be used; `None` where it can, or where its version is unknown.
#[must_use]
pub fn too_old(versions: &BTreeMap<ComponentName, String>) -> Option<String> {
    let version = versions.get(&Apiserver)?;
    let minor = Minor::of(version)?;
    (minor < OLDEST_APISERVER).then(|| {
        format!("kube-apiserver {version} is older than {OLDEST_APISERVER}, the oldest that runs here")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(list: &[(ComponentName, &str)]) -> BTreeMap<ComponentName, String> {
        list.iter()
            .map(|(name, version)| (*name, (*version).to_owned()))
            .collect()
    }

    #[test]
    fn the_studys_generation_lacks_what_came_later_and_verdicts_stand() {
        let found = lacks(&of(&[
            (Apiserver, "v1.24.17"),
            (ControllerManager, "v1.24.17"),
            (Scheduler, "v1.24.17"),
            (Descheduler, "v0.26.1"),
        ]));
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found.iter().all(|lack| !lack.bars_absence));
        assert!(
            found[0].what.starts_with("kube-apiserver v1.24.17: "),
            "{found:?}"
        );
    }

    #[test]
    fn a_scheduler_out_of_tree_is_no_old_one() {
        let all = [
            (Apiserver, "v1.36.3"),
            (Scheduler, "v1.36.3"),
            (SecondScheduler, "v0.32.7"),
        ];
        assert_eq!(lacks(&of(&all)), []);
        let found = lacks(&of(&[(Apiserver, "v1.30.14"), (Scheduler, "v0.32.7")]));
        assert!(
            found[0].what.contains("is newer than kube-apiserver v1.30.14"),
            "{found:?}"
        );
    }

    #[test]
    fn today_and_the_unknown_lack_nothing() {
        // Nor does the first that has something.
        let first = [
            (Apiserver, "v1.26.0"),
            (ControllerManager, "v1.24.0"),
            (Descheduler, "v0.27.0"),
        ];
        assert_eq!(
            lacks(&of(&first)).len(),
            1,
            "only the controller-manager is older"
        );
        for version in ["v1.36.3", "unknown"] {
            let all = [Apiserver, ControllerManager, Scheduler, SecondScheduler].map(|name| (name, version));
            assert_eq!(lacks(&of(&all)), []);
        }
        assert_eq!(lacks(&of(&[(Apiserver, "unknown"), (Scheduler, "v1.36.3")])), []);
    }

    #[test]
    fn a_controller_newer_than_its_api_server_is_said() {
        let found = lacks(&of(&[(Apiserver, "v1.30.14"), (ControllerManager, "v1.32.13")]));
        assert!(found[0].what.contains("does not support"), "{found:?}");
        let found = lacks(&of(&[(Apiserver, "v1.32.13"), (SecondScheduler, "v1.34.4")]));
        assert!(
            found[0].bars_absence && found[0].what.contains("resource.k8s.io/v1"),
            "{found:?}"
        );
        assert_eq!(
            lacks(&of(&[(Apiserver, "v1.36.3"), (Scheduler, "v1.32.13")])),
            [],
            "older is fine"
        );
    }

    #[test]
    fn an_api_server_older_than_the_study_is_refused_by_name() {
        let refusal = too_old(&of(&[(Apiserver, "v1.23.17")])).unwrap();
        assert!(
            refusal.starts_with("kube-apiserver v1.23.17 is older than v1.24"),
            "{refusal}"
        );
        assert_eq!(too_old(&of(&[(Apiserver, "v1.24.0")])), None);
        assert_eq!(too_old(&of(&[(Apiserver, "unknown")])), None);
    }
}
