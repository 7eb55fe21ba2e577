//! What deschedulers read of a policy: the fields of each place.
//!
//! From the descheduler's `pkg/api/v1alpha1/types.go`, `pkg/api/v1alpha2/types.go`, `pkg/api/types.go` and
//! `pkg/framework/plugins/*/types.go`, release by release: v1alpha1 from v0.24 to v0.30, v1alpha2 from v0.27 to v0.36.
//! Names differ where their case does: the decoder goes by it.

use std::fmt;

use self::Shape::{Anything, Args, Fields, Items, Map};
use super::PolicyApi;
use kubeclash_timeline::Minor;

/// The newest release that these tables know.
pub(super) const NEWEST: Minor = Minor::new(0, 36);

/// The newest release that reads an API version.
pub(super) fn newest(api: PolicyApi) -> Minor {
    match api {
        PolicyApi::V1alpha1 => Minor::new(0, 30),
        PolicyApi::V1alpha2 => NEWEST,
    }
}

/// The releases that read a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Releases {
    since: u32,
    before: u32,
}

impl Releases {
    const ALL: Self = Self {
        since: 0,
        before: u32::MAX,
    };

    /// Whether a release is one of them.
    pub(super) fn contain(self, release: Minor) -> bool {
        release >= Minor::new(0, self.since) && release < Minor::new(0, self.before)
    }
}

impl fmt::Display for Releases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.since, self.before) {
            (0, before) => write!(f, "up to v0.{}", before - 1),
            (since, u32::MAX) => write!(f, "from v0.{since} on"),
            (since, before) if since + 1 == before => write!(f, "of v0.{since}"),
            (since, before) => write!(f, "from v0.{since} to v0.{}", before - 1),
        }
    }
}

/// What there is below a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// A value, or a map whose keys are the user's.
    Anything,
    /// Fields that are known.
    Fields(&'static [Field]),
    /// A list.
    Items(&'static Shape),
    /// A map whose keys are the user's, and whose values are known.
    Map(&'static Shape),
    /// The arguments of the plugin whose name stands beside them.
    Args,
}

/// A field that is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// Its name.
    pub(super) name: &'static str,
    /// What there is below it.
    pub(super) shape: Shape,
    /// By which releases, where it is not all that know the API version.
    pub(super) releases: Option<Releases>,
}

impl Field {
    pub(super) const fn since(mut self, minor: u32) -> Self {
        self.releases = Some(Releases {
            since: minor,
            ..Releases::ALL
        });
        self
    }

    pub(super) const fn before(mut self, minor: u32) -> Self {
        let since = match self.releases {
            Some(releases) => releases.since,
            None => 0,
        };
        self.releases = Some(Releases { since, before: minor });
        self
    }
}

pub(super) const fn field(name: &'static str, shape: Shape) -> Field {
    Field {
        name,
        shape,
        releases: None,
    }
}

pub(super) const fn leaf(name: &'static str) -> Field {
    field(name, Anything)
}

/// The fields of a policy.
pub(super) fn of(api: PolicyApi) -> Shape {
    match api {
        PolicyApi::V1alpha1 => Fields(V1ALPHA1),
        PolicyApi::V1alpha2 => Fields(V1ALPHA2),
    }
}

pub(super) const NAMESPACES: Field = field("namespaces", Fields(INCLUDE_EXCLUDE));
pub(super) const INCLUDE_EXCLUDE: &[Field] = &[leaf("include"), leaf("exclude")];
pub(super) const LABEL_SELECTOR: Shape = Fields(&[
    leaf("matchLabels"),
    field(
        "matchExpressions",
        Items(&Fields(&[leaf("key"), leaf("operator"), leaf("values")])),
    ),
]);
pub(super) const BY_LABEL: Field = field("labelSelector", LABEL_SELECTOR);

const V1ALPHA2: &[Field] = &[
    leaf("apiVersion"),
    leaf("kind"),
    field("profiles", Items(&Fields(PROFILE))),
    leaf("nodeSelector"),
    leaf("maxNoOfPodsToEvictPerNode"),
    leaf("maxNoOfPodsToEvictPerNamespace"),
    leaf("maxNoOfPodsToEvictTotal").since(31),
    leaf("evictionFailureEventNotification").since(33),
    field("metricsCollector", Fields(&[leaf("enabled")])).since(32),
    field("metricsProviders", Items(&Fields(METRICS_PROVIDER))).since(33),
    leaf("gracePeriodSeconds").since(33),
];

const METRICS_PROVIDER: &[Field] = &[
    leaf("source"),
    field(
        "prometheus",
        Fields(&[
            leaf("url"),
            field(
                "authToken",
                Fields(&[field(
                    "secretReference",
                    Fields(&[leaf("namespace"), leaf("name")]),
                )]),
            ),
        ]),
    ),
];

const PROFILE: &[Field] = &[
    leaf("name"),
    field("pluginConfig", Items(&Fields(PLUGIN_CONFIG))),
    field("plugins", Fields(POINTS)),
];

const PLUGIN_CONFIG: &[Field] = &[leaf("name"), field("args", Args)];

const POINTS: &[Field] = &[
    field("presort", PLUGIN_SET),
    field("sort", PLUGIN_SET),
    field("deschedule", PLUGIN_SET),
    field("balance", PLUGIN_SET),
    field("filter", PLUGIN_SET),
    field("preevictionfilter", PLUGIN_SET),
];

const PLUGIN_SET: Shape = Fields(&[leaf("enabled"), leaf("disabled")]);

const V1ALPHA1: &[Field] = &[
    leaf("apiVersion"),
    leaf("kind"),
    field("strategies", Map(&Fields(STRATEGY))),
    leaf("nodeSelector"),
    leaf("evictFailedBarePods"),
    leaf("evictLocalStoragePods"),
    leaf("evictSystemCriticalPods"),
    leaf("evictDaemonSetPods").since(30),
    leaf("ignorePvcPods"),
    leaf("maxNoOfPodsToEvictPerNode"),
    leaf("maxNoOfPodsToEvictPerNamespace"),
];

const STRATEGY: &[Field] = &[leaf("enabled"), leaf("weight"), field("params", Fields(PARAMS))];

const PARAMS: &[Field] = &[
    field(
        "nodeResourceUtilizationThresholds",
        Fields(&[
            leaf("useDeviationThresholds"),
            leaf("thresholds"),
            leaf("targetThresholds"),
            leaf("numberOfNodes"),
        ]),
    ),
    leaf("nodeAffinityType"),
    field(
        "podsHavingTooManyRestarts",
        Fields(&[leaf("podRestartThreshold"), leaf("includingInitContainers")]),
    ),
    field(
        "podLifeTime",
        Fields(&[
            leaf("maxPodLifeTimeSeconds"),
            leaf("states").since(25),
            leaf("podStatusPhases"),
        ]),
    ),
    field("removeDuplicates", Fields(&[leaf("excludeOwnerKinds")])),
    field(
        "failedPods",
        Fields(&[
            leaf("excludeOwnerKinds"),
            leaf("minPodLifetimeSeconds"),
            leaf("reasons"),
            leaf("includingInitContainers"),
        ]),
    ),
    leaf("includeSoftConstraints"),
    NAMESPACES,
    leaf("thresholdPriority"),
    leaf("thresholdPriorityClassName"),
    BY_LABEL,
    leaf("nodeFit"),
    leaf("includePreferNoSchedule"),
    leaf("excludedTaints"),
    leaf("includedTaints").since(30),
];
