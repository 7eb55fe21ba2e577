//! What the user asked for: plain data, no I/O.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{ComponentName, Module, SpecError};

/// A release, kept as `v1.36.3` whether or not the `v` was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(String);

impl Version {
    /// As upstream shows it: `3.6.16` for etcd, `v1.36.3` for all others.
    #[must_use]
    pub fn shown(&self, name: ComponentName) -> &str {
        self.shown_by(name.module())
    }

    pub(super) fn shown_by(&self, module: Module) -> &str {
        match module {
            Module::Etcd => self.0.trim_start_matches('v'),
            _ => &self.0,
        }
    }

    /// With the `v` in front, as tags and Go modules have it.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Version {
    type Err = SpecError;

    /// # Errors
    ///
    /// [`SpecError::Version`] when it is not `MAJOR.MINOR.PATCH`, with or without a `v` in front and a suffix like
    /// `-rc.1` at the end. That also keeps anything that could leave the cache directory out of its paths.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || SpecError::Version(text.to_owned());
        let bare = text.strip_prefix('v').unwrap_or(text);
        let (numbers, suffix) = bare
            .split_once('-')
            .map_or((bare, None), |(numbers, rest)| (numbers, Some(rest)));
        let numeric = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let suffixed = |rest: &str| {
            !rest.is_empty()
                && rest
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
        };
        if numbers.split('.').count() != 3 || !numbers.split('.').all(numeric) || !suffix.is_none_or(suffixed)
        {
            return Err(wrong());
        }
        Ok(Self(format!("v{bare}")))
    }
}

impl TryFrom<String> for Version {
    type Error = SpecError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.0
    }
}

/// Which build of a component to use.
///
/// # Examples
///
/// ```
/// use kubeclash_components::Spec;
///
/// assert!(matches!("v1.36.3".parse(), Ok(Spec::Release(_))));
/// assert!(matches!("path:./kube-scheduler".parse(), Ok(Spec::Path(_))));
/// assert!("v1.36".parse::<Spec>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Spec {
    /// An upstream release.
    Release(Version),
    /// A file on this machine.
    Path(PathBuf),
    /// A Go checkout on this machine, which is built there.
    Source {
        /// The checkout: a folder with a `go.mod` in or above it.
        dir: PathBuf,
        /// The main package in it, as in `./cmd/kube-scheduler`; `./cmd/<component>` where none is named.
        package: Option<String>,
    },
    /// A main package of a public Go module.
    Go {
        /// Its import path, as in `sigs.k8s.io/scheduler-plugins/cmd/scheduler`.
        package: String,
        /// The module's version, as in `v0.32.7`, or any other query that Go takes.
        version: String,
    },
    /// A container image, which Docker runs.
    Image(String),
    /// A container image whose program is taken out of it and run without Docker.
    Extract(String),
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release(version) => write!(f, "{version}"),
            Self::Path(path) => write!(f, "path:{}", path.display()),
            Self::Source { dir, package: None } => write!(f, "src:{}", dir.display()),
            Self::Source {
                dir,
                package: Some(package),
            } => write!(f, "src:{}#{package}", dir.display()),
            Self::Go { package, version } => write!(f, "go:{package}@{version}"),
            Self::Image(reference) => write!(f, "image:{reference}"),
            Self::Extract(reference) => write!(f, "image+extract:{reference}"),
        }
    }
}

impl Spec {
    /// What a spec of all of Kubernetes means for one of its programs.
    ///
    /// A path is a *folder* that holds all three, such as `_output/bin` of a Kubernetes tree; a checkout and a module
    /// have them in `cmd/`; an image's reference has a `*` where the program's name belongs.
    ///
    /// # Errors
    ///
    /// [`SpecError::NotThree`] when it names one program.
    pub fn of_kubernetes(&self, name: ComponentName) -> Result<Self, SpecError> {
        let not_three = |form| SpecError::NotThree {
            spec: self.to_string(),
            form,
        };
        let starred = |reference: &String| {
            let one = reference.replace('*', name.as_str());
            (one != *reference).then_some(one).ok_or_else(|| {
                not_three("write * for the program's name, as in image:registry.k8s.io/*:v1.36.3")
            })
        };
        Ok(match self {
            Self::Release(version) => Self::Release(version.clone()),
            Self::Path(folder) => Self::Path(folder.join(name.as_str())),
            Self::Source { dir, package: None } => Self::Source {
                dir: dir.clone(),
                package: Some(format!("./cmd/{name}")),
            },
            Self::Source { .. } => return Err(not_three("write src:DIR")),
            Self::Go { package, .. } if package.contains("/cmd/") => {
                return Err(not_three("write go:MODULE@VERSION"));
            }
            Self::Go { package, version } => Self::Go {
                package: format!("{package}/cmd/{name}"),
                version: version.clone(),
            },
            Self::Image(reference) => Self::Image(starred(reference)?),
            Self::Extract(reference) => Self::Extract(starred(reference)?),
        })
    }
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None => text.parse().map(Self::Release),
            Some((kind @ ("path" | "src" | "go" | "image" | "image+extract"), "")) => {
                Err(SpecError::Empty(kind.to_owned()))
            }
            Some(("path", path)) => Ok(Self::Path(path.into())),
            Some(("src", source)) => source_of(source),
            Some(("go", query)) => go_of(query),
            Some(("image", reference)) => reference_of(reference).map(Self::Image),
            Some(("image+extract", reference)) => reference_of(reference).map(Self::Extract),
            Some((kind, _)) => Err(SpecError::Kind(kind.to_owned())),
        }
    }
}

impl TryFrom<String> for Spec {
    type Error = SpecError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Spec> for String {
    fn from(spec: Spec) -> Self {
        spec.to_string()
    }
}

/// `DIR` or `DIR#./cmd/name`.
fn source_of(text: &str) -> Result<Spec, SpecError> {
    let (dir, package) = match text.rsplit_once("#./") {
        Some((dir, package)) => (dir, Some(format!("./{package}"))),
        None if text.contains('#') => return Err(SpecError::Package(text.to_owned())),
        None => (text, None),
    };
    let leaves = |package: &String| package.split('/').any(|part| part == "..");
    if dir.is_empty() || package.as_ref().is_some_and(leaves) {
        return Err(SpecError::Package(text.to_owned()));
    }
    Ok(Spec::Source {
        dir: dir.into(),
        package,
    })
}

/// `MODULE/cmd/name@VERSION`; whether there is such a module is for Go to say.
fn go_of(text: &str) -> Result<Spec, SpecError> {
    let wrong = || SpecError::Query(text.to_owned());
    let (package, version) = text.split_once('@').ok_or_else(wrong)?;
    let allowed = |part: &str, more: &[u8]| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    let plain = package
        .split('/')
        .all(|part| allowed(part, b".-_~") && part != "." && part != ".." && !part.starts_with('-'));
    let host = package.split('/').next().is_some_and(|host| host.contains('.'));
    if !plain || !host || !allowed(version, b".-_+~/") || version.starts_with('-') {
        return Err(wrong());
    }
    Ok(Spec::Go {
        package: package.to_owned(),
        version: version.to_owned(),
    })
}

/// An image's reference, as Docker writes it; a `*` stands for the component's name.
fn reference_of(text: &str) -> Result<String, SpecError> {
    match text.replace('*', "name").parse::<oci_client::Reference>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(SpecError::Reference {
            text: text.to_owned(),
            why: error.to_string(),
        }),
    }
}

/// One spec for each component; the default is what this release of kubeclash was made with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection(BTreeMap<ComponentName, Spec>);

impl Selection {
    /// The release that `components/<module>/go.mod` pins.
    #[must_use]
    pub fn pinned(module: Module) -> Version {
        Version(
            match module {
                Module::Etcd => "v3.6.16",
                Module::Kubernetes => "v1.36.3",
                Module::Kwok => "v0.8.0",
                Module::Descheduler => "v0.36.0",
                Module::Kind => "v0.33.0",
                Module::MetricsServer => "v0.9.0",
                Module::Pods => concat!("v", env!("CARGO_PKG_VERSION")),
                Module::Containerd => "v2.3.4",
                Module::Cni => "v1.9.1",
                Module::CriTools => "v1.36.0",
            }
            .to_owned(),
        )
    }

    /// What was chosen for a component.
    #[must_use]
    pub fn spec(&self, name: ComponentName) -> Spec {
        self.0
            .get(&name)
            .cloned()
            .unwrap_or_else(|| Spec::Release(Self::pinned(name.module())))
    }

    /// The releases among what was chosen: what is known of the versions before anything is fetched or built.
    #[must_use]
    pub fn releases(&self) -> BTreeMap<ComponentName, String> {
        let chosen = self.0.iter();
        let releases = chosen.filter_map(|(name, spec)| match spec {
            Spec::Release(version) => Some((*name, version.shown(*name).to_owned())),
            _ => None,
        });
        releases.collect()
    }

    /// Chooses for one component.
    #[must_use]
    pub fn with(mut self, name: ComponentName, spec: Spec) -> Self {
        self.0.insert(name, spec);
        self
    }

    /// Makes what was chosen as the scheduler the second one; the default one is that of `kubernetes` again.
    #[must_use]
    pub fn with_second_scheduler(mut self, kubernetes: Option<&Spec>) -> Self {
        let second = self.spec(ComponentName::Scheduler);
        self.0.remove(&ComponentName::Scheduler);
        let default = kubernetes.and_then(|spec| spec.of_kubernetes(ComponentName::Scheduler).ok());
        if let Some(default) = default {
            self.0.insert(ComponentName::Scheduler, default);
        }
        self.with(ComponentName::SecondScheduler, second)
    }

    /// Chooses for API server, controller-manager and scheduler at once, and for what else of Kubernetes a node has; see
    /// [`Spec::of_kubernetes`].
    ///
    /// # Errors
    ///
    /// [`SpecError::NotThree`] when the spec names one program.
    pub fn with_kubernetes(self, spec: &Spec) -> Result<Self, SpecError> {
        ComponentName::KUBERNETES
            .into_iter()
            .chain(ComponentName::NODE)
            .try_fold(self, |selection, name| {
                Ok(selection.with(name, spec.of_kubernetes(name)?))
            })
    }
}

#[cfg(test)]
#[path = "spec_tests.rs"]
mod tests;
