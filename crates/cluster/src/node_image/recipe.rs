//! What a node image is made of, as one digest: the same inputs need no second image.

use std::collections::BTreeMap;

use include_dir::{Dir, include_dir};

use super::assembly::{MASKED, UNITS};
use super::base::{CLEAN, Distribution, PACKAGES, WITHOUT};
use kubeclash_components::{Binary, ComponentName, Platform, Sha256, Version};

/// The files of ours, as they lie in the image.
static ROOTFS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/node-image/rootfs");

/// Raised when the same inputs are put together in another way.
const RECIPE: u32 = 1;

/// The inputs of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipe {
    /// SHA-256 over all of them.
    pub(super) digest: String,
}

impl Recipe {
    pub(super) fn new(
        binaries: &BTreeMap<ComponentName, Binary>,
        kubernetes: &Version,
        distribution: &Distribution,
        platform: &Platform,
    ) -> Self {
        let mut digest = Sha256::default();
        let mut line = |line: String| digest.update(format!("{line}\n").as_bytes());
        line(format!("recipe {RECIPE}"));
        line(format!("kubernetes {kubernetes}"));
        line(format!("suite {} {platform}", distribution.suite));
        line(format!("packages {}", PACKAGES.join(" ")));
        line(format!("without {} {CLEAN}", WITHOUT.join(" ")));
        line(format!("units {} but {}", UNITS.join(" "), MASKED.join(" ")));
        for (path, contents) in files() {
            let mut own = Sha256::default();
            own.update(contents);
            line(format!("file {path} {}", own.finish()));
        }
        for (name, binary) in binaries {
            line(format!("binary {name} {} {}", binary.version, binary.sha256));
        }
        Self {
            digest: digest.finish(),
        }
    }
}

/// Our own files, by their path in the image.
pub(super) fn files() -> BTreeMap<String, &'static [u8]> {
    fn gather(dir: &'static Dir<'static>, found: &mut BTreeMap<String, &'static [u8]>) {
        for file in dir.files() {
            found.insert(file.path().display().to_string(), file.contents());
        }
        for dir in dir.dirs() {
            gather(dir, found);
        }
    }
    let mut found = BTreeMap::new();
    gather(&ROOTFS, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubeclash_components::{Origin, Program};

    fn binaries(sha256: &str) -> BTreeMap<ComponentName, Binary> {
        let name = ComponentName::Kubelet;
        let binary = Binary {
            name,
            version: "v1.36.3".to_owned(),
            program: Program::File {
                path: "/anywhere".into(),
            },
            sha256: sha256.to_owned(),
            origin: Origin::Given,
            build_log: None,
        };
        [(name, binary)].into()
    }

    #[test]
    fn the_digest_changes_with_every_input_and_with_nothing_else() {
        let version: Version = "v1.36.3".parse().unwrap();
        let suite = |suite: &str, mirror: &str| Distribution {
            suite: suite.to_owned(),
            sources: vec![mirror.to_owned()],
            options: Vec::new(),
        };
        let platform = Platform::new("linux", "amd64");
        let digest = |sha256: &str, version: &Version, distribution: &Distribution, platform: &Platform| {
            Recipe::new(&binaries(sha256), version, distribution, platform).digest
        };
        let bookworm = suite("bookworm", "a");
        let first = digest("0", &version, &bookworm, &platform);
        assert_eq!(first.len(), 64);
        assert_eq!(
            first,
            digest("0", &version, &suite("bookworm", "b"), &platform),
            "a mirror is no input"
        );
        for other in [
            digest("1", &version, &bookworm, &platform),
            digest("0", &"v1.36.4".parse().unwrap(), &bookworm, &platform),
            digest("0", &version, &suite("trixie", "a"), &platform),
            digest("0", &version, &bookworm, &Platform::new("linux", "arm64")),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn the_files_are_where_systemd_and_kind_look_for_them() {
        let files = files();
        for path in [
            "usr/local/bin/entrypoint",
            "etc/systemd/system/kubelet.service",
            "etc/systemd/system/containerd.service",
            "etc/containerd/config.toml",
        ] {
            assert!(files.contains_key(path), "{path} is not in {:?}", files.keys());
        }
    }
}
