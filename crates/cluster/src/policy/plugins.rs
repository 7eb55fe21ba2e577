//! The plugins that deschedulers ship, with their arguments and where they run.
//!
//! From the descheduler's `pkg/framework/plugins/*/types.go` and `pkg/descheduler/setupplugins.go`, v0.27 to v0.36.

use super::fields::Shape::{Fields, Items};
use super::fields::{BY_LABEL, Field, INCLUDE_EXCLUDE, LABEL_SELECTOR, NAMESPACES, field, leaf};

/// A place in a profile where plugins run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Point {
    /// Pods that break a rule by themselves.
    Deschedule,
    /// Pods that are out of balance with others.
    Balance,
    /// Which pods may be evicted at all: `filter` and `preevictionfilter`.
    Filter,
}

impl Point {
    /// The point of a field of `plugins`. Nothing runs at the others, `presort` and `sort`.
    pub(super) fn of(field: &str) -> Option<Self> {
        match field {
            "deschedule" => Some(Self::Deschedule),
            "balance" => Some(Self::Balance),
            "filter" | "preevictionfilter" => Some(Self::Filter),
            _ => None,
        }
    }

    /// The field of `plugins` that enables plugins for it.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Deschedule => "deschedule",
            Self::Balance => "balance",
            Self::Filter => "filter",
        }
    }
}

/// A plugin that deschedulers ship.
#[derive(Debug)]
pub(super) struct Plugin {
    /// Its name.
    pub(super) name: &'static str,
    /// Where it runs: each has one.
    pub(super) point: Point,
    /// Its arguments.
    pub(super) args: &'static [Field],
}

impl Plugin {
    /// The plugin of a name; nothing for a fork's own.
    pub(super) fn of(name: &str) -> Option<&'static Self> {
        PLUGINS.iter().find(|plugin| plugin.name == name)
    }

    /// Whether every profile has it, whatever is enabled.
    pub(super) fn is_always_on(&self) -> bool {
        self.name == EVICTOR
    }
}

/// The plugin that every profile has.
pub(super) const EVICTOR: &str = "DefaultEvictor";

const PLUGINS: [Plugin; 11] = [
    Plugin {
        name: EVICTOR,
        point: Point::Filter,
        args: &[
            leaf("nodeSelector"),
            BY_LABEL,
            field("namespaceLabelSelector", LABEL_SELECTOR).since(35),
            field("priorityThreshold", Fields(&[leaf("value"), leaf("name")])),
            leaf("nodeFit"),
            leaf("minReplicas").since(30),
            leaf("minPodAge").since(31),
            leaf("noEvictionPolicy").since(34),
            field("podProtections", Fields(POD_PROTECTIONS)).since(34),
            leaf("evictLocalStoragePods"),
            leaf("evictDaemonSetPods").since(30),
            leaf("evictSystemCriticalPods"),
            leaf("ignorePvcPods"),
            leaf("ignorePodsWithoutPDB").since(32),
            leaf("evictFailedBarePods"),
        ],
    },
    Plugin {
        name: "HighNodeUtilization",
        point: Point::Balance,
        args: &[
            leaf("thresholds"),
            leaf("numberOfNodes"),
            field("metricsUtilization", Fields(&[leaf("metricsServer")]))
                .since(32)
                .before(33),
            leaf("evictionModes").since(33),
            field("evictableNamespaces", Fields(INCLUDE_EXCLUDE)),
        ],
    },
    Plugin {
        name: "LowNodeUtilization",
        point: Point::Balance,
        args: &[
            leaf("useDeviationThresholds"),
            leaf("thresholds"),
            leaf("targetThresholds"),
            leaf("numberOfNodes"),
            field("metricsUtilization", Fields(METRICS_UTILIZATION)).since(32),
            field("evictableNamespaces", Fields(INCLUDE_EXCLUDE)),
            field("evictionLimits", Fields(&[leaf("node")])).since(33),
        ],
    },
    Plugin {
        name: "PodLifeTime",
        point: Point::Deschedule,
        args: &[
            NAMESPACES,
            BY_LABEL,
            field("ownerKinds", Fields(INCLUDE_EXCLUDE)).since(35),
            leaf("maxPodLifeTimeSeconds"),
            leaf("states"),
            field("conditions", Items(&Fields(POD_CONDITION))).since(35),
            leaf("exitCodes").since(35),
            leaf("includingInitContainers").since(31),
            leaf("includingEphemeralContainers").since(31),
        ],
    },
    Plugin {
        name: "RemoveDuplicates",
        point: Point::Balance,
        args: &[NAMESPACES, leaf("excludeOwnerKinds")],
    },
    Plugin {
        name: "RemoveFailedPods",
        point: Point::Deschedule,
        args: &[
            NAMESPACES,
            BY_LABEL,
            leaf("excludeOwnerKinds"),
            leaf("minPodLifetimeSeconds"),
            leaf("reasons"),
            leaf("exitCodes").since(30),
            leaf("includingInitContainers"),
        ],
    },
    Plugin {
        name: "RemovePodsHavingTooManyRestarts",
        point: Point::Deschedule,
        args: &[
            NAMESPACES,
            BY_LABEL,
            leaf("podRestartThreshold"),
            leaf("includingInitContainers"),
            leaf("states").since(28),
        ],
    },
    Plugin {
        name: "RemovePodsViolatingInterPodAntiAffinity",
        point: Point::Deschedule,
        args: &[NAMESPACES, BY_LABEL],
    },
    Plugin {
        name: "RemovePodsViolatingNodeAffinity",
        point: Point::Deschedule,
        args: &[NAMESPACES, BY_LABEL, leaf("nodeAffinityType")],
    },
    Plugin {
        name: "RemovePodsViolatingNodeTaints",
        point: Point::Deschedule,
        args: &[
            NAMESPACES,
            BY_LABEL,
            leaf("includePreferNoSchedule"),
            leaf("excludedTaints"),
            leaf("includedTaints").since(30),
        ],
    },
    Plugin {
        name: "RemovePodsViolatingTopologySpreadConstraint",
        point: Point::Balance,
        args: &[
            NAMESPACES,
            BY_LABEL,
            leaf("includeSoftConstraints").before(28),
            leaf("constraints").since(28),
            leaf("topologyBalanceNodeFit").since(28),
        ],
    },
];

const POD_PROTECTIONS: &[Field] = &[
    leaf("extraEnabled"),
    leaf("defaultDisabled"),
    field(
        "config",
        Fields(&[field(
            "PodsWithPVC",
            Fields(&[field("protectedStorageClasses", Items(&Fields(&[leaf("name")])))]),
        )]),
    )
    .since(35),
];

const METRICS_UTILIZATION: &[Field] = &[
    leaf("metricsServer"),
    leaf("source").since(33),
    field("prometheus", Fields(&[leaf("query")])).since(33),
];

const POD_CONDITION: &[Field] = &[
    leaf("type"),
    leaf("status"),
    leaf("reason"),
    leaf("minTimeSinceLastTransitionSeconds"),
];
