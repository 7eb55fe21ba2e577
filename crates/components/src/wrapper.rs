//! The module that a release is built from when nothing pins it: pure text, from that release's own go.mod.
//!
//! `go install MODULE/cmd/name@VERSION` refuses modules with replace directives, as these hold in a main module only.
//! A wrapper is such a main module: it requires the release and says again what the release's go.mod says to itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::Deserialize;

/// A go.mod, as `go mod edit -json` prints it; of its fields those that make a difference to a build.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct GoMod {
    #[serde(rename = "Go")]
    pub(super) go: Option<String>,
    #[serde(rename = "GoDebug")]
    debug: Option<Vec<Setting>>,
    require: Option<Vec<Pin>>,
    exclude: Option<Vec<Pin>>,
    replace: Option<Vec<Replace>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Setting {
    key: String,
    value: String,
}

/// A module at a version, or of any version.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Pin {
    path: String,
    version: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Replace {
    old: Pin,
    new: Pin,
}

/// A module at the version that is wanted, with the query that it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted<'a> {
    /// The module's path.
    pub(super) module: &'a str,
    /// Its version, in full.
    pub(super) version: &'a str,
    /// What the user wrote: the same, or a branch, or `latest`.
    pub(super) query: &'a str,
}

/// A module that lies in a folder of the release's repository, which is no part of what is published of the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sibling {
    /// Its path.
    pub(super) module: String,
    /// Where it lies.
    pub(super) folder: String,
    /// Under which versions the same content may be published, the likeliest first.
    pub(super) candidates: Vec<String>,
    /// Whether the release itself requires it, so that go has to be told of some version of it.
    pub(super) required: bool,
}

impl GoMod {
    /// What lies beside the release in its repository and has to be found among what is published.
    ///
    /// Where the release requires a version, that is it: its tag was made to be published with it (etcd's modules).
    /// Where it requires the placeholder `v0.0.0`, which Kubernetes writes for what it publishes out of `staging/`,
    /// it is the version with the same minor and patch, which is v0.X.Y for v1.X.Y; or one of the very same name; or
    /// what the user's query finds there, as such repositories have the same branches.
    pub(super) fn siblings(&self, wanted: &Wanted<'_>) -> Vec<Sibling> {
        let required: BTreeMap<_, _> = self
            .require
            .iter()
            .flatten()
            .map(|pin| (&pin.path, pin))
            .collect();
        let local = self
            .replace
            .iter()
            .flatten()
            .filter(|replace| replace.new.version.is_none() && replace.old.path != wanted.module);
        let sibling = |replace: &Replace| {
            let pin = required.get(&replace.old.path);
            let version = pin.and_then(|pin| pin.version.as_deref());
            Sibling {
                module: replace.old.path.clone(),
                folder: replace.new.path.clone(),
                candidates: match version.filter(|version| !is_placeholder(version)) {
                    Some(version) => vec![version.to_owned()],
                    None => candidates(&replace.old.path, wanted),
                },
                required: pin.is_some(),
            }
        };
        local.map(sibling).collect()
    }

    /// The go.mod of a wrapper. `published` has the version of each sibling that was found.
    ///
    /// Its Go version and its `godebug` lines are the release's: from them go derives how the program behaves.
    pub(super) fn wrapper(&self, wanted: &Wanted<'_>, published: &BTreeMap<String, String>) -> String {
        let mut text = format!("module {NAME}\n\n");
        // A go.mod without this line means this one.
        let mut line = |line: String| writeln!(text, "{line}").expect("a string takes all that is written");
        line(format!("go {}\n", self.go.as_deref().unwrap_or("1.16")));
        for Setting { key, value } in self.debug.iter().flatten() {
            line(format!("godebug {key}={value}"));
        }
        line(format!("require {} {}\n", wanted.module, wanted.version));
        for pin in self.exclude.iter().flatten() {
            line(format!("exclude {}", pin.written()));
        }
        for Replace { old, new } in self.replace.iter().flatten() {
            // A module can't be replaced by itself, and the wrapper is not it.
            if old.path == wanted.module {
                continue;
            }
            match (&new.version, published.get(&old.path)) {
                (Some(_), _) => line(format!("replace {} => {}", old.written(), new.written())),
                (None, Some(version)) => line(format!("replace {} => {} {version}", old.written(), old.path)),
                (None, None) => {}
            }
        }
        text
    }
}

/// What wrappers are called; nobody ever asks for it.
const NAME: &str = "kubeclash.dev/components/wrapper";

/// The file that makes go keep the packages among what the wrapper needs.
pub(super) fn tools(packages: &[String]) -> String {
    let imports: BTreeSet<_> = packages
        .iter()
        .map(|package| format!("\t_ \"{package}\"\n"))
        .collect();
    let imports: String = imports.into_iter().collect();
    format!("//go:build tools\n\npackage components\n\nimport (\n{imports})\n")
}

impl Pin {
    fn written(&self) -> String {
        match &self.version {
            Some(version) => format!("{} {version}", self.path),
            None => self.path.clone(),
        }
    }
}

/// What go.mod files require where only the replacement counts.
fn is_placeholder(version: &str) -> bool {
    version == "v0.0.0" || version.starts_with("v0.0.0-00010101000000-")
}

fn candidates(module: &str, wanted: &Wanted<'_>) -> Vec<String> {
    let major = wanted.version.split('.').next().unwrap_or_default();
    let rest = wanted.version.strip_prefix(major).unwrap_or_default();
    let mut found = vec![
        format!("v0{rest}"),
        wanted.version.to_owned(),
        wanted.query.to_owned(),
    ];
    // A path says its major version, from 2 on.
    if let Some(own) = major_of(module) {
        found.retain(|version| version.split('.').next() == Some(own) || !is_version(version));
    }
    let mut seen = BTreeSet::new();
    found.retain(|version| !is_pseudo(version) && seen.insert(version.clone()));
    found
}

/// `v3` of `go.etcd.io/etcd/api/v3`.
fn major_of(module: &str) -> Option<&str> {
    let last = module.rsplit('/').next()?;
    let number = last.strip_prefix('v')?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(last)
}

/// Whether it is a version in full, and not a query such as `latest` or a branch.
pub(super) fn is_version(text: &str) -> bool {
    text.starts_with('v')
        && text
            .split('+')
            .next()
            .is_some_and(|text| text.parse::<super::Version>().is_ok())
}

/// A commit's version, which names its time and its hash: of a sibling it is another one.
fn is_pseudo(version: &str) -> bool {
    let mut parts = version.split('+').next().unwrap_or_default().rsplit('-');
    let (hash, time) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let time = time.rsplit('.').next().unwrap_or_default();
    hash.len() == 12
        && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
        && time.len() == 14
        && time.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
#[path = "wrapper_tests.rs"]
mod tests;
