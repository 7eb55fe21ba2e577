//! What an entry of the cache is called.

use std::fmt;

use super::embedded::source_digest;
use super::{ComponentName, Sha256, Version};

/// What an entry of the cache is called: of what its binary was made, in a form that is one name of a file anywhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// The kinds that are no release; each is followed by `-`.
const KINDS: [&str; 3] = ["go", "src", "image"];

/// How many characters of a digest tell one key from all others that a user will ever have.
const SHORT: usize = 12;

impl Key {
    /// In the place of a SHA-256: the lock of whoever builds a checkout, before it is known what comes out.
    pub(super) const AT_WORK: &'static str = "at-work";

    /// A release, as upstream writes it; with what tells our own source of it, where it has any: `v0.1.0-0123456789ab`.
    #[must_use]
    pub fn release(name: ComponentName, version: &Version) -> Self {
        let shown = version.shown(name);
        Self(match source_digest(name.module(), version) {
            Some(digest) => format!("{shown}-{}", cut(&digest)),
            None => shown.to_owned(),
        })
    }

    /// A package of a Go module at a version: `go-scheduler-v0.32.7-0123456789ab`.
    #[must_use]
    pub fn module(package: &str, version: &str) -> Self {
        let last = package.rsplit('/').next().unwrap_or_default();
        Self(format!(
            "go-{}-{}-{}",
            plain(last),
            plain(version),
            short(&format!("{package}@{version}"))
        ))
    }

    /// What a checkout was built to: the place that it was built from, and the binary's SHA-256. Two states of one
    /// checkout are two entries, so that a run keeps the one that it began with.
    #[must_use]
    pub fn checkout(place: &str, sha256: &str) -> Self {
        Self(format!("{}{}", Self::checkout_prefix(place), cut(sha256)))
    }

    /// What the keys of all states of a checkout begin with.
    pub(super) fn checkout_prefix(place: &str) -> String {
        let last = place.split('#').next().unwrap_or_default().trim_end_matches('/');
        let last = last.rsplit('/').next().unwrap_or_default();
        format!("src-{}-{}-", plain(last), short(place))
    }

    /// A program out of an image, by the digest of the manifest.
    #[must_use]
    pub fn image(digest: &str, program: &str) -> Self {
        Self(format!("image-{}-{}", plain(digest), short(program)))
    }

    /// The key in a name out of the cache; nothing when it can be none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let made = KINDS
            .iter()
            .any(|kind| text.strip_prefix(kind).is_some_and(|rest| rest.starts_with('-')));
        let is_key = text.parse::<Version>().is_ok() || (made && plain(text) == text);
        is_key.then(|| Self(text.to_owned()))
    }

    /// The key itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// With `_` for all that could mean something in a path, and not longer than a name may be.
fn plain(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_+".contains(c);
    let mut last = '.';
    let plain = text.chars().map(|c| {
        // One dot is part of a version; two lead out of a folder.
        let dot = c == '.' && last != '.';
        last = c;
        if fits(c) || dot { c } else { '_' }
    });
    plain.take(100).collect()
}

fn short(text: &str) -> String {
    let mut digest = Sha256::default();
    digest.update(text.as_bytes());
    cut(&digest.finish()).to_owned()
}

fn cut(hex: &str) -> &str {
    hex.get(..SHORT).unwrap_or(hex)
}

#[cfg(test)]
mod tests {
    use super::super::{Module, Selection};
    use super::*;

    #[test]
    fn keys_are_names_that_are_read_again() {
        let etcd = Key::release(ComponentName::Etcd, &"v3.6.16".parse().unwrap());
        assert_eq!(etcd.as_str(), "3.6.16");
        let digest = format!("sha256:{}", "0".repeat(64));
        let pods = Selection::pinned(Module::Pods);
        let pause = Key::release(ComponentName::Pause, &pods);
        let start = format!("{pods}-");
        assert!(pause.as_str().starts_with(&start), "{pause}");
        for key in [
            etcd,
            pause,
            Key::module("sigs.k8s.io/scheduler-plugins/cmd/scheduler", "v0.32.7"),
            Key::module("x.y/z", "v2.0.0+incompatible"),
            Key::module("x.y/z", "v2.0.0-20260101000000-0123456789ab"),
            Key::checkout("/home/me/my fork/../désch#./cmd/x", &"a".repeat(64)),
            Key::image(&digest, "descheduler"),
        ] {
            let text = key.to_string();
            assert!(
                text.len() < 200 && !text.contains(['/', ' ', ':']) && !text.contains(".."),
                "{text}"
            );
            assert_eq!(Key::read(&text), Some(key));
        }
        for text in ["", "go", "go-a/b", "src-..", "image-a b", "latest", "../v1.2.3"] {
            assert_eq!(Key::read(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_differs_has_another_key() {
        let keys = [
            Key::module("x.y/a/cmd/z", "v1.0.0"),
            Key::module("x.y/b/cmd/z", "v1.0.0"),
            Key::module("x.y/a/cmd/z", "v1.0.1"),
            Key::checkout("/a/z#./cmd/x", &"a".repeat(64)),
            Key::checkout("/b/z#./cmd/x", &"a".repeat(64)),
            Key::checkout("/a/z#./cmd/y", &"a".repeat(64)),
            Key::checkout("/a/z#./cmd/x", &"b".repeat(64)),
        ];
        let different: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
    }
}
