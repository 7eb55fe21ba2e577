//! From what the user asked for to a verified binary on disk.
//!
//! A [`Selection`] holds one [`Spec`] per component; a [`Resolver`] turns it into [`Binary`] values: a given path is
//! checked, a release comes from the [`Cache`], from its official download, or out of `go build`; a package of a module
//! and a checkout are built, a program is taken out of an image. Nothing here starts a component or knows what a
//! cluster is: that is the provider's job.
//!
//! # Where a release comes from
//!
//! | component | official release | checked against |
//! |---|---|---|
//! | `kube-apiserver`, `kube-controller-manager`, `kube-scheduler` | `dl.k8s.io`, one binary each (Linux only) | the `.sha256` beside it |
//! | `etcd` | GitHub release, `.tar.gz` (Linux only) | the release's `SHA256SUMS` |
//! | `kwok`, `kwokctl` | GitHub release, one binary each | the `digest` that GitHub's API reports for the asset, as kwok publishes no checksums |
//! | `descheduler` | the binary out of `registry.k8s.io/descheduler/descheduler` | the digests of its manifest and layer |
//!
//! What cannot be had from there is built with `go build`: the pinned release from the modules in `components/`, which
//! are embedded, any other from a wrapper that is made of its own go.mod. `go:` is built in the same way.

mod build;
mod cache;
mod container;
mod checkout;
mod compression;
mod credentials;
mod digest;
mod download;
mod entry;
mod fork;
mod given;
mod go;
mod http;
mod image;
mod key;
mod layers;
mod module;
mod origin;
mod platform;
mod probe;
mod program;
mod release;
mod resolve;
pub mod skew;
mod sources;
mod spec;
mod wrapper;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use build::{Builder, GoVersion};
pub use cache::{Cache, Kept, Look, SEEDS_LOCK};
pub use digest::Sha256;
pub use entry::{Entry, Lock, Staging};
pub use http::{Failure, Http, Patience};
pub use key::Key;
pub use origin::Origin;
pub use platform::{Format, Platform};
pub use probe::{Finding, State};
pub use resolve::Resolver;
pub use skew::Lack;
pub use sources::Sources;
pub use spec::{Selection, Spec, SpecError, Version};

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
}

impl ComponentName {
    /// What a local cluster needs; `kwokctl` is not part of it.
    pub const ALL: [Self; 6] = [
        Self::Etcd,
        Self::Apiserver,
        Self::ControllerManager,
        Self::Scheduler,
        Self::Kwok,
        Self::Descheduler,
    ];

    /// The three that one release of Kubernetes contains.
    pub const KUBERNETES: [Self; 3] = [Self::Apiserver, Self::ControllerManager, Self::Scheduler];

    /// The name of the binary, for instance `kube-apiserver`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Apiserver => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::SecondScheduler => "second-scheduler",
            Self::Kwok => "kwok",
            Self::Descheduler => "descheduler",
            Self::Kwokctl => "kwokctl",
        }
    }

    /// The name of the program that plays it: `kube-scheduler` for a second scheduler, too.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::SecondScheduler => Self::Scheduler.as_str(),
            _ => self.as_str(),
        }
    }

    /// The flag that selects it, for messages.
    #[must_use]
    pub const fn flag(self) -> &'static str {
        match self {
            Self::Etcd => "--etcd",
            Self::Apiserver => "--apiserver",
            Self::ControllerManager => "--controller-manager",
            Self::Scheduler | Self::SecondScheduler => "--scheduler",
            Self::Kwok | Self::Kwokctl => "--kwok",
            Self::Descheduler => "--descheduler",
        }
    }

    /// The environment variable that mirrors [`flag`](Self::flag).
    #[must_use]
    pub const fn env(self) -> &'static str {
        match self {
            Self::Etcd => "KUBECLASH_ETCD",
            Self::Apiserver => "KUBECLASH_APISERVER",
            Self::ControllerManager => "KUBECLASH_CONTROLLER_MANAGER",
            Self::Scheduler | Self::SecondScheduler => "KUBECLASH_SCHEDULER",
            Self::Kwok | Self::Kwokctl => "KUBECLASH_KWOK",
            Self::Descheduler => "KUBECLASH_DESCHEDULER",
        }
    }

    /// The wrapper module that it is built from.
    #[must_use]
    pub const fn module(self) -> Module {
        match self {
            Self::Etcd => Module::Etcd,
            Self::Apiserver | Self::ControllerManager | Self::Scheduler | Self::SecondScheduler => {
                Module::Kubernetes
            }
            Self::Kwok | Self::Kwokctl => Module::Kwok,
            Self::Descheduler => Module::Descheduler,
        }
    }

    /// The Go package that holds its `main`.
    #[must_use]
    pub const fn package(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::Apiserver => "k8s.io/kubernetes/cmd/kube-apiserver",
            Self::ControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
            Self::Scheduler | Self::SecondScheduler => "k8s.io/kubernetes/cmd/kube-scheduler",
            Self::Kwok => "sigs.k8s.io/kwok/cmd/kwok",
            Self::Kwokctl => "sigs.k8s.io/kwok/cmd/kwokctl",
            Self::Descheduler => "sigs.k8s.io/descheduler/cmd/descheduler",
        }
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
        [Self::Kwokctl]
            .into_iter()
            .chain(Self::ALL)
            .find(|name| name.as_str() == text)
            .ok_or_else(|| SpecError::Component(text.to_owned()))
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
}

impl Module {
    /// The name of its folder under `components/`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Kubernetes => "kubernetes",
            Self::Kwok => "kwok",
            Self::Descheduler => "descheduler",
        }
    }

    /// The upstream module whose version is the release's.
    #[must_use]
    pub const fn upstream(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::Kubernetes => "k8s.io/kubernetes",
            Self::Kwok => "sigs.k8s.io/kwok",
            Self::Descheduler => "sigs.k8s.io/descheduler",
        }
    }
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is started when a component is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Program {
    /// A file, as a child process.
    File {
        /// Where it lies, absolute.
        path: PathBuf,
    },
    /// An image, as a container on this machine's network.
    Image {
        /// What Docker knows it by, `sha256:…`: a tag may move while a run goes on.
        image: String,
        /// How its program is called, before any arguments of ours.
        command: Vec<String>,
    },
}

/// A component that is on this machine and was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binary {
    /// Which component it is.
    pub name: ComponentName,
    /// Its release as upstream writes it (`v1.36.3`, but `3.6.16` for etcd); of what was given what it says of itself,
    /// or `unknown`.
    pub version: String,
    /// What is started.
    #[serde(flatten)]
    pub program: Program,
    /// SHA-256 of the file, or of the image's configuration (its id), in lower-case hex.
    pub sha256: String,
    /// Where it came from.
    pub origin: Origin,
    /// What go said when it was built here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_log: Option<PathBuf>,
}

impl Binary {
    /// Where the file lies, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.program {
            Program::File { path } => Some(path),
            Program::Image { .. } => None,
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path } => write!(f, "{}", path.display()),
            Self::Image { image, .. } => f.write_str(image),
        }
    }
}

/// The versions of some binaries, by name.
#[must_use]
pub fn versions(binaries: &BTreeMap<ComponentName, Binary>) -> BTreeMap<ComponentName, String> {
    binaries
        .iter()
        .map(|(name, binary)| (*name, binary.version.clone()))
        .collect()
}

/// Why a component could not be had.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ComponentError {
    /// The file that the user named cannot be it.
    #[error("{flag} (or {env}): \"{}\" {reason}", path.display())]
    Given {
        /// The flag that selects this component.
        flag: &'static str,
        /// The variable that mirrors the flag.
        env: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it, as the rest of a sentence.
        reason: String,
        /// What to do next.
        #[help]
        help: Option<String>,
    },
    /// Docker can't run the image that the user named.
    #[error("{flag} (or {env}): image \"{reference}\" {reason}")]
    Image {
        /// The flag that selects this component.
        flag: &'static str,
        /// The variable that mirrors the flag.
        env: &'static str,
        /// The image.
        reference: String,
        /// What is wrong with it or with Docker, as the rest of a sentence.
        reason: String,
        /// What to do next.
        #[help]
        help: Option<String>,
    },
    /// Every way to a release failed.
    #[error("no way to get {what}:{}", bullets(attempts))]
    Unavailable {
        /// Name and version, or several of them.
        what: String,
        /// One line for each way that was tried.
        attempts: Vec<String>,
        /// What to do next.
        #[help]
        help: String,
    },
    /// The cache directory cannot be used.
    #[error("cannot {action} in the cache directory \"{}\": {error}", dir.display())]
    Cache {
        /// What was tried.
        action: &'static str,
        /// The cache's root.
        dir: PathBuf,
        /// What the system said.
        error: std::io::Error,
        /// What to do next.
        #[help]
        help: String,
    },
    /// Neither a cache directory nor a home is known.
    #[error("there is no cache directory: neither KUBECLASH_CACHE nor a home directory is set")]
    #[diagnostic(help("set KUBECLASH_CACHE to a directory that can be written and has 1 GiB of room"))]
    NoCache,
    /// A mirror's address cannot be used.
    #[error("{variable}: \"{value}\" {reason}")]
    Mirror {
        /// The variable that holds it.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it, as the rest of a sentence.
        reason: &'static str,
    },
    /// More than one of them.
    #[error("{} components cannot be had", errors.len())]
    Several {
        /// All that was found.
        #[related]
        errors: Vec<ComponentError>,
    },
}

impl ComponentError {
    /// One error out of all, if there is any. A cache that cannot be written fails every component alike: once is
    /// enough.
    pub(crate) fn all(errors: Vec<Self>) -> Option<Self> {
        let one_by_one = |error| match error {
            Self::Several { errors } => errors,
            error => vec![error],
        };
        let mut errors: Vec<_> = errors.into_iter().flat_map(one_by_one).collect();
        let mut said = std::collections::BTreeSet::new();
        errors.retain(|error| said.insert(error.to_string()));
        match errors.len() {
            0 => None,
            1 => errors.pop(),
            _ => Some(Self::Several { errors }),
        }
    }
}

fn bullets(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  - {line}")).collect()
}
