//! The programs that kubeclash starts or puts into node images, and the Go modules that they are built from.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::SpecError;

/// A program that kubeclash starts, named as its binary is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ComponentName {
    /// The store behind the API server.
    #[serde(rename = "etcd")]
    Etcd,
    /// The API server.
    #[serde(rename = "kube-apiserver")]
    Apiserver,
    /// The controllers of Kubernetes itself.
    #[serde(rename = "kube-controller-manager")]
    ControllerManager,
    /// The scheduler.
    #[serde(rename = "kube-scheduler")]
    Scheduler,
    /// A scheduler beside the default one, for the pods that name it in `schedulerName`; only where it is asked for.
    #[serde(rename = "second-scheduler")]
    SecondScheduler,
    /// What plays the nodes.
    #[serde(rename = "kwok")]
    Kwok,
    /// The descheduler.
    #[serde(rename = "descheduler")]
    Descheduler,
    /// kwok's own cluster tool; no cluster needs it, only the comparison of start-up times does.
    #[serde(rename = "kwokctl")]
    Kwokctl,
    /// What makes clusters of containers.
    #[serde(rename = "kind")]
    Kind,
    /// The real metrics of pods, for clusters with real kubelets; ours takes any resolution.
    #[serde(rename = "metrics-server")]
    MetricsServer,
    /// The program of pods that use CPU; our own.
    #[serde(rename = "burn")]
    Burn,
    /// The program of pods that need none; our own.
    #[serde(rename = "pause")]
    Pause,
    /// What makes a machine a node.
    #[serde(rename = "kubeadm")]
    Kubeadm,
    /// What runs pods on a node.
    #[serde(rename = "kubelet")]
    Kubelet,
    /// What kind asks the cluster with, on its nodes.
    #[serde(rename = "kubectl")]
    Kubectl,
    /// What runs containers on a node.
    #[serde(rename = "containerd")]
    Containerd,
    /// What stands between containerd and a container.
    #[serde(rename = "containerd-shim-runc-v2")]
    ContainerdShim,
    /// containerd's command.
    #[serde(rename = "ctr")]
    Ctr,
    /// The CNI plugin that joins a pod with its node.
    #[serde(rename = "ptp")]
    Ptp,
    /// The CNI plugin that gives out addresses.
    #[serde(rename = "host-local")]
    HostLocal,
    /// The CNI plugin for a pod's own loopback.
    #[serde(rename = "loopback")]
    Loopback,
    /// The command of the Container Runtime Interface, which kubeadm asks.
    #[serde(rename = "crictl")]
    Crictl,
    /// A program of somebody else's that takes part as a controller: whatever a case says.
    #[serde(rename = "controller")]
    Controller,
}

/// What is known of a component.
struct Facts {
    name: &'static str,
    /// Flag and variable that select it; nothing where it is always what is pinned here.
    flag: &'static str,
    env: &'static str,
    module: Module,
    package: &'static str,
}

const fn facts(
    name: &'static str,
    (flag, env): (&'static str, &'static str),
    module: Module,
    package: &'static str,
) -> Facts {
    Facts {
        name,
        flag,
        env,
        module,
        package,
    }
}

const KUBERNETES: (&str, &str) = ("--kubernetes", "KUBECLASH_KUBERNETES");
const SCHEDULER: (&str, &str) = ("--scheduler", "KUBECLASH_SCHEDULER");
const KWOK: (&str, &str) = ("--kwok", "KUBECLASH_KWOK");
const PINNED: (&str, &str) = ("", "");

impl ComponentName {
    /// What a local cluster needs.
    pub const ALL: [Self; 6] = [
        Self::Etcd,
        Self::Apiserver,
        Self::ControllerManager,
        Self::Scheduler,
        Self::Kwok,
        Self::Descheduler,
    ];

    /// The three that one release of Kubernetes contains and that a control plane is made of.
    pub const KUBERNETES: [Self; 3] = [Self::Apiserver, Self::ControllerManager, Self::Scheduler];

    /// What else of a release of Kubernetes a node has.
    pub const NODE: [Self; 3] = [Self::Kubeadm, Self::Kubelet, Self::Kubectl];

    /// What a node image is made of, besides the packages of its distribution.
    pub const NODE_IMAGE: [Self; 15] = [
        Self::Etcd,
        Self::Apiserver,
        Self::ControllerManager,
        Self::Scheduler,
        Self::Pause,
        Self::Kubeadm,
        Self::Kubelet,
        Self::Kubectl,
        Self::Containerd,
        Self::ContainerdShim,
        Self::Ctr,
        Self::Ptp,
        Self::HostLocal,
        Self::Loopback,
        Self::Crictl,
    ];

    /// All that has a binary of its own.
    pub const EVERY: [Self; 21] = [
        Self::Etcd,
        Self::Apiserver,
        Self::ControllerManager,
        Self::Scheduler,
        Self::Kwok,
        Self::Descheduler,
        Self::Kwokctl,
        Self::Kind,
        Self::MetricsServer,
        Self::Burn,
        Self::Pause,
        Self::Kubeadm,
        Self::Kubelet,
        Self::Kubectl,
        Self::Containerd,
        Self::ContainerdShim,
        Self::Ctr,
        Self::Ptp,
        Self::HostLocal,
        Self::Loopback,
        Self::Crictl,
    ];

    /// All that the cache may have something of.
    pub(super) fn cached() -> impl Iterator<Item = Self> {
        Self::EVERY.into_iter().chain([Self::Controller])
    }

    const fn facts(self) -> Facts {
        use Module as M;
        match self {
            Self::Etcd => facts(
                "etcd",
                ("--etcd", "KUBECLASH_ETCD"),
                M::Etcd,
                "go.etcd.io/etcd/server/v3",
            ),
            Self::Apiserver => facts(
                "kube-apiserver",
                ("--apiserver", "KUBECLASH_APISERVER"),
                M::Kubernetes,
                "k8s.io/kubernetes/cmd/kube-apiserver",
            ),
            Self::ControllerManager => facts(
                "kube-controller-manager",
                ("--controller-manager", "KUBECLASH_CONTROLLER_MANAGER"),
                M::Kubernetes,
                "k8s.io/kubernetes/cmd/kube-controller-manager",
            ),
            Self::Scheduler => facts(
                "kube-scheduler",
                SCHEDULER,
                M::Kubernetes,
                "k8s.io/kubernetes/cmd/kube-scheduler",
            ),
            Self::SecondScheduler => facts(
                "second-scheduler",
                SCHEDULER,
                M::Kubernetes,
                "k8s.io/kubernetes/cmd/kube-scheduler",
            ),
            Self::Kwok => facts("kwok", KWOK, M::Kwok, "sigs.k8s.io/kwok/cmd/kwok"),
            Self::Kwokctl => facts("kwokctl", KWOK, M::Kwok, "sigs.k8s.io/kwok/cmd/kwokctl"),
            Self::Descheduler => facts(
                "descheduler",
                ("--descheduler", "KUBECLASH_DESCHEDULER"),
                M::Descheduler,
                "sigs.k8s.io/descheduler/cmd/descheduler",
            ),
            Self::Kind => facts("kind", ("--kind", "KUBECLASH_KIND"), M::Kind, "sigs.k8s.io/kind"),
            Self::MetricsServer => facts(
                "metrics-server",
                ("--metrics-server", "KUBECLASH_METRICS_SERVER"),
                M::MetricsServer,
                "sigs.k8s.io/metrics-server/cmd/metrics-server",
            ),
            Self::Burn => facts("burn", PINNED, M::Pods, "kubeclash.dev/components/pods/cmd/burn"),
            Self::Pause => facts(
                "pause",
                PINNED,
                M::Pods,
                "kubeclash.dev/components/pods/cmd/pause",
            ),
            Self::Kubeadm => facts(
                "kubeadm",
                KUBERNETES,
                M::Kubernetes,
                "k8s.io/kubernetes/cmd/kubeadm",
            ),
            Self::Kubelet => facts(
                "kubelet",
                KUBERNETES,
                M::Kubernetes,
                "k8s.io/kubernetes/cmd/kubelet",
            ),
            Self::Kubectl => facts(
                "kubectl",
                KUBERNETES,
                M::Kubernetes,
                "k8s.io/kubernetes/cmd/kubectl",
            ),
            Self::Containerd => facts(
                "containerd",
                PINNED,
                M::Containerd,
                "github.com/containerd/containerd/v2/cmd/containerd",
            ),
            Self::ContainerdShim => facts(
                "containerd-shim-runc-v2",
                PINNED,
                M::Containerd,
                "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
            ),
            Self::Ctr => facts(
                "ctr",
                PINNED,
                M::Containerd,
                "github.com/containerd/containerd/v2/cmd/ctr",
            ),
            Self::Ptp => facts(
                "ptp",
                PINNED,
                M::Cni,
                "github.com/containernetworking/plugins/plugins/main/ptp",
            ),
            Self::HostLocal => facts(
                "host-local",
                PINNED,
                M::Cni,
                "github.com/containernetworking/plugins/plugins/ipam/host-local",
            ),
            Self::Loopback => facts(
                "loopback",
                PINNED,
                M::Cni,
                "github.com/containernetworking/plugins/plugins/main/loopback",
            ),
            // It is never a release, so that its module is nobody's.
            Self::Controller => facts("controller", ("controllers.run", ""), M::Pods, ""),
            Self::Crictl => facts("crictl", PINNED, M::CriTools, "sigs.k8s.io/cri-tools/cmd/crictl"),
        }
    }

    /// The name of the binary, for instance `kube-apiserver`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.facts().name
    }

    /// The name of the program that plays it: `kube-scheduler` for a second scheduler, too.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::SecondScheduler => Self::Scheduler.as_str(),
            _ => self.as_str(),
        }
    }

    /// The flag that selects it, for messages; empty where none does.
    #[must_use]
    pub const fn flag(self) -> &'static str {
        self.facts().flag
    }

    /// The environment variable that mirrors [`flag`](Self::flag).
    #[must_use]
    pub const fn env(self) -> &'static str {
        self.facts().env
    }

    /// The module under `components/` that it is built from.
    #[must_use]
    pub const fn module(self) -> Module {
        self.facts().module
    }

    /// The Go package that holds its `main`, as its upstream has it.
    #[must_use]
    pub const fn package(self) -> &'static str {
        self.facts().package
    }
}

impl fmt::Display for ComponentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ComponentName {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::EVERY
            .into_iter()
            .find(|name| name.as_str() == text)
            .ok_or_else(|| SpecError::Component {
                text: text.to_owned(),
                all: Self::EVERY.map(Self::as_str).join(", "),
            })
    }
}

/// One Go module under `components/`: what is built together, because it agrees on its versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Module {
    /// `components/etcd`.
    Etcd,
    /// `components/kubernetes`.
    Kubernetes,
    /// `components/kwok`.
    Kwok,
    /// `components/descheduler`.
    Descheduler,
    /// `components/kind`.
    Kind,
    /// `components/metrics-server`, with a program of our own around its upstream's packages.
    MetricsServer,
    /// `components/pods`: programs of our own.
    Pods,
    /// `components/containerd`.
    Containerd,
    /// `components/cni`.
    Cni,
    /// `components/cri-tools`.
    CriTools,
}

impl Module {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Etcd,
        Self::Kubernetes,
        Self::Kwok,
        Self::Descheduler,
        Self::Kind,
        Self::MetricsServer,
        Self::Pods,
        Self::Containerd,
        Self::Cni,
        Self::CriTools,
    ];

    /// The name of its folder under `components/`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Kubernetes => "kubernetes",
            Self::Kwok => "kwok",
            Self::Descheduler => "descheduler",
            Self::Kind => "kind",
            Self::MetricsServer => "metrics-server",
            Self::Pods => "pods",
            Self::Containerd => "containerd",
            Self::Cni => "cni",
            Self::CriTools => "cri-tools",
        }
    }

    /// The upstream module whose version is the release's; its own where it is ours.
    #[must_use]
    pub const fn upstream(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::Kubernetes => "k8s.io/kubernetes",
            Self::Kwok => "sigs.k8s.io/kwok",
            Self::Descheduler => "sigs.k8s.io/descheduler",
            Self::Kind => "sigs.k8s.io/kind",
            Self::MetricsServer => "sigs.k8s.io/metrics-server",
            Self::Pods => "kubeclash.dev/components/pods",
            Self::Containerd => "github.com/containerd/containerd/v2",
            Self::Cni => "github.com/containernetworking/plugins",
            Self::CriTools => "sigs.k8s.io/cri-tools",
        }
    }

    /// The main package here that is built in its upstream's place, where there is one.
    #[must_use]
    pub(super) const fn own_program(self) -> Option<&'static str> {
        match self {
            Self::MetricsServer => Some("kubeclash.dev/components/metrics-server"),
            _ => None,
        }
    }

    /// Whether what is built of it depends on source of our own, besides the versions that it pins.
    #[must_use]
    pub(super) const fn has_source(self) -> bool {
        matches!(self, Self::Pods | Self::MetricsServer)
    }

    /// The variable that names a mirror of its releases, where it has any.
    #[must_use]
    pub(super) const fn mirror(self) -> Option<&'static str> {
        match self {
            Self::Etcd => Some("KUBECLASH_ETCD_MIRROR"),
            Self::Kubernetes => Some("KUBECLASH_KUBERNETES_MIRROR"),
            Self::Kwok => Some("KUBECLASH_KWOK_MIRROR"),
            Self::Descheduler => Some("KUBECLASH_DESCHEDULER_MIRROR"),
            Self::Kind => Some("KUBECLASH_KIND_MIRROR"),
            Self::MetricsServer | Self::Pods | Self::Containerd | Self::Cni | Self::CriTools => None,
        }
    }
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_it_is_written() {
        for name in ComponentName::EVERY {
            assert_eq!(name.as_str().parse(), Ok(name));
            assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
        }
        let lists = [
            &ComponentName::ALL[..],
            &ComponentName::NODE_IMAGE,
            &ComponentName::KUBERNETES,
        ];
        for name in lists.concat() {
            assert!(ComponentName::EVERY.contains(&name), "{name}");
        }
        for name in ComponentName::KUBERNETES.iter().chain(&ComponentName::NODE) {
            assert!(ComponentName::NODE_IMAGE.contains(name), "{name}");
        }
    }

    #[test]
    fn what_a_user_can_choose_has_a_flag_and_a_variable() {
        for name in ComponentName::EVERY {
            assert_eq!(name.flag().is_empty(), name.env().is_empty(), "{name}");
            assert_eq!(
                name.env(),
                if name.flag().is_empty() {
                    String::new()
                } else {
                    format!("KUBECLASH_{}", name.flag()[2..].to_uppercase().replace('-', "_"))
                }
            );
        }
    }
}
