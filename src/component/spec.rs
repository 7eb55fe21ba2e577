//! What the user asked for: plain data, no I/O.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{ComponentName, Module};

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
            Module::Kubernetes | Module::Kwok | Module::Descheduler => &self.0,
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
/// use kubeclash::component::Spec;
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
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release(version) => write!(f, "{version}"),
            Self::Path(path) => write!(f, "path:{}", path.display()),
        }
    }
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None => text.parse().map(Self::Release),
            Some(("path", "")) => Err(SpecError::EmptyPath),
            Some(("path", path)) => Ok(Self::Path(path.into())),
            Some((kind @ ("src" | "go" | "image"), _)) => Err(SpecError::NotYet(kind.to_owned())),
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

/// Why a text is not a spec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
pub enum SpecError {
    /// Not a release.
    #[error(
        "\"{0}\" is not a release: write it in full, as in v1.36.3, or name a file, as in path:./kube-scheduler"
    )]
    Version(String),
    /// `path:` and nothing behind it.
    #[error("\"path:\" names no file: write path:FILE, as in path:./kube-scheduler")]
    EmptyPath,
    /// A kind that is planned.
    #[error(
        "\"{0}:\" is not supported yet: name a release, as in v1.36.3, or a file, as in path:./kube-scheduler"
    )]
    NotYet(String),
    /// A kind that nobody knows.
    #[error(
        "\"{0}:\" is no kind of component: name a release, as in v1.36.3, or a file, as in path:./kube-scheduler"
    )]
    Kind(String),
    /// Not a component.
    #[error(
        "\"{0}\" is no component: they are etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok, kwokctl and descheduler"
    )]
    Component(String),
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

    /// Chooses for one component.
    #[must_use]
    pub fn with(mut self, name: ComponentName, spec: Spec) -> Self {
        self.0.insert(name, spec);
        self
    }

    /// Chooses for API server, controller-manager and scheduler at once.
    ///
    /// A path is then a *folder* that holds all three, such as `_output/bin` of a Kubernetes tree.
    #[must_use]
    pub fn with_kubernetes(self, spec: &Spec) -> Self {
        ComponentName::KUBERNETES
            .into_iter()
            .fold(self, |selection, name| {
                let spec = match spec {
                    Spec::Release(version) => Spec::Release(version.clone()),
                    Spec::Path(folder) => Spec::Path(folder.join(name.as_str())),
                };
                selection.with(name, spec)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_written_in_full_with_or_without_v() {
        for text in ["v1.36.3", "1.36.3", "v1.37.0-rc.1"] {
            let version: Version = text.parse().unwrap();
            assert_eq!(version.tag(), format!("v{}", text.trim_start_matches('v')));
        }
        for text in [
            "",
            "v",
            "1.36",
            "v1.36.x",
            "v1.36.3-",
            "v1.36.3/../..",
            "latest",
            "v1..3",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text:?} passed");
        }
        let etcd: Version = "3.6.16".parse().unwrap();
        assert_eq!(etcd.shown(ComponentName::Etcd), "3.6.16");
        assert_eq!(etcd.shown(ComponentName::Kwok), "v3.6.16");
    }

    #[test]
    fn a_kind_that_is_planned_is_told_from_one_that_is_not() {
        assert_eq!(
            "image:x/y:z".parse::<Spec>(),
            Err(SpecError::NotYet("image".into()))
        );
        assert_eq!("docker:x".parse::<Spec>(), Err(SpecError::Kind("docker".into())));
        assert_eq!("path:".parse::<Spec>(), Err(SpecError::EmptyPath));
        assert_eq!("path:a:b".parse::<Spec>(), Ok(Spec::Path("a:b".into())));
    }

    #[test]
    fn kubernetes_chooses_three_and_a_later_choice_wins() {
        let selection = Selection::default()
            .with_kubernetes(&"path:/out".parse().unwrap())
            .with(ComponentName::Scheduler, "v1.35.0".parse().unwrap());
        assert_eq!(
            selection.spec(ComponentName::Apiserver),
            Spec::Path("/out/kube-apiserver".into())
        );
        assert_eq!(selection.spec(ComponentName::Scheduler).to_string(), "v1.35.0");
        assert_eq!(selection.spec(ComponentName::Etcd).to_string(), "v3.6.16");
    }
}
