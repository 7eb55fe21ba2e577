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
//! | `kubeadm`, `kubelet`, `kubectl` | as `kube-apiserver` | as `kube-apiserver` |
//! | `kind` | GitHub release, one binary | the `.sha256sum` beside it |
//!
//! Programs of our own (`burn`, `pause`, and a `metrics-server` that takes any resolution) and what else a node image
//! has (containerd and its parts, CNI plugins, crictl) are always built.
//!
//! What cannot be had from there is built with `go build`: the pinned release from the modules in `modules/`, which
//! are embedded, any other from a wrapper that is made of its own go.mod. `go:` is built in the same way.
//!
//! # Examples
//!
//! What a user may write for a component, and the release that is taken where nothing is written:
//!
//! ```
//! use kubeclash_components::{Module, Selection, Spec, SpecError};
//!
//! # fn main() -> Result<(), SpecError> {
//! let fork: Spec = "src:../descheduler#./cmd/descheduler".parse()?;
//! println!("{fork} in place of {}", Selection::pinned(Module::Descheduler));
//! # Ok(())
//! # }
//! ```

mod credentials;
mod digest;
mod go;
mod http;
mod layers;
mod origin;
mod platform;
pub mod archive;
mod program;
mod spec_error;
mod name;
pub mod skew;
mod spec;
mod embedded;
mod given;
mod key;
mod entry;
mod builder;
mod cache;
mod image;
mod sources;
mod download;
mod state;
mod container;
mod wrapper;
mod module;
mod build;
mod checkout;
mod resolve;
mod fork;
mod probe;
mod release;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use builder::{Builder, GoVersion};
pub use cache::{Cache, Kept, Look, SEEDS_LOCK};
pub use digest::Sha256;
pub use entry::{Entry, Lock, Staging};
pub use http::{Failure, Http, Patience};
pub use key::Key;
pub use name::{ComponentName, Module};
pub use origin::Origin;
pub use platform::{Format, Platform};
pub use resolve::Resolver;
pub use skew::Lack;
pub use sources::Sources;
pub use spec::{Selection, Spec, Version};
pub use spec_error::SpecError;
pub use state::{Finding, State};

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

/// What took part, as evidence has it: version, digest and origin of each component, by name.
#[must_use]
pub fn took_part(
    binaries: &BTreeMap<ComponentName, Binary>,
) -> BTreeMap<String, kubeclash_timeline::ComponentVersion> {
    let components = binaries.values().map(|binary| {
        let version = kubeclash_timeline::ComponentVersion {
            version: binary.version.clone(),
            sha256: binary.sha256.clone(),
            origin: binary.origin.to_string(),
        };
        (binary.name.to_string(), version)
    });
    components.collect()
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
    #[error("{}: \"{}\" {reason}", asked(flag, env), path.display())]
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
    #[error("{}: image \"{reference}\" {reason}", asked(flag, env))]
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
    /// The cache's own disk: what was to be done, and why it was not.
    fn of_cache(dir: &Path, action: &'static str, error: std::io::Error) -> Self {
        let help = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                "the disk is full: make room (all components take 0.5 GiB, building them 3 GiB), or set KUBECLASH_CACHE \
                 to a directory on another disk"
            }
            _ => "set KUBECLASH_CACHE to a directory that can be written",
        };
        Self::Cache {
            action,
            dir: dir.to_owned(),
            error,
            help: help.to_owned(),
        }
    }

    /// The same, where another flag has asked for it.
    fn asked_by(mut self, by: &'static str, variable: &'static str) -> Self {
        if let Self::Given { flag, env, .. } | Self::Image { flag, env, .. } = &mut self {
            (*flag, *env) = (by, variable);
        }
        self
    }

    /// One error out of all, if there is any. A cache that cannot be written fails every component alike: once is
    /// enough.
    pub fn all(errors: Vec<Self>) -> Option<Self> {
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

/// What selects a component: a flag and the variable that mirrors it, or the field of a case.
fn asked(flag: &str, env: &str) -> String {
    if env.is_empty() {
        flag.to_owned()
    } else {
        format!("{flag} (or {env})")
    }
}

fn bullets(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  - {line}")).collect()
}
