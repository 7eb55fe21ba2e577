//! The Go modules that are embedded in this binary, with everything pinned.

use std::collections::BTreeMap;
use std::path::Path;

use include_dir::{Dir, include_dir};

use super::{Module, Selection, Sha256, Version};

static MODULES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/modules");

/// The go.mod of a module.
pub(super) fn go_mod(module: Module) -> &'static str {
    MODULES
        .get_file(format!("{module}/go.mod"))
        .and_then(|file| file.contents_utf8())
        .expect("every module has a go.mod in UTF-8, which a test checks")
}

/// Every file of a module, by its path in it.
fn files(module: Module) -> BTreeMap<&'static Path, &'static [u8]> {
    fn gather(dir: &'static Dir<'static>, root: &Path, found: &mut BTreeMap<&'static Path, &'static [u8]>) {
        for file in dir.files() {
            let path = file.path().strip_prefix(root);
            found.insert(path.expect("it lies below its module"), file.contents());
        }
        for dir in dir.dirs() {
            gather(dir, root, found);
        }
    }
    let mut found = BTreeMap::new();
    if let Some(dir) = MODULES.get_dir(module.as_str()) {
        gather(dir, dir.path(), &mut found);
    }
    found
}

/// Writes a module into a folder.
pub(super) fn unpack(module: Module, to: &Path) -> std::io::Result<()> {
    for (path, contents) in files(module) {
        let path = to.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(to))?;
        std::fs::write(path, contents)?;
    }
    Ok(())
}

/// What tells one state of our own source from another, where a release is built from such: of the pinned release of a
/// module that has any.
pub(super) fn source_digest(module: Module, version: &Version) -> Option<String> {
    if !module.has_source() || *version != Selection::pinned(module) {
        return None;
    }
    let mut digest = Sha256::default();
    for (path, contents) in files(module) {
        digest.update(path.as_os_str().as_encoded_bytes());
        digest.update(&(contents.len() as u64).to_le_bytes());
        digest.update(contents);
    }
    Some(digest.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, ComponentName};

    #[test]
    fn what_is_pinned_here_is_what_the_modules_pin() {
        for module in Module::ALL {
            assert!(!Builder::needs(module).is_empty());
            if module == Module::Pods {
                continue;
            }
            let line = format!("{} {}", module.upstream(), Selection::pinned(module));
            let pins = |text: &str| text.trim_start_matches("require ").trim() == line;
            assert!(
                go_mod(module).lines().any(pins),
                "modules/{module}/go.mod does not require {line}"
            );
        }
    }

    #[test]
    fn every_package_is_named_by_its_modules_tools() {
        for name in ComponentName::EVERY {
            if name.module().has_source() {
                continue;
            }
            let tools = MODULES.get_file(format!("{}/tools.go", name.module())).unwrap();
            let import = format!("_ \"{}\"", name.package());
            assert!(tools.contents_utf8().unwrap().contains(&import), "{name}");
        }
    }

    #[test]
    fn source_of_our_own_is_unpacked_with_its_folders_and_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        unpack(Module::Pods, dir.path()).unwrap();
        for file in ["go.mod", "cmd/burn/main.go", "cmd/pause/main.go"] {
            assert!(dir.path().join(file).is_file(), "{file}");
        }
        let digest = |module| source_digest(module, &Selection::pinned(module));
        assert!(digest(Module::Pods).is_some() && digest(Module::Pods) != digest(Module::MetricsServer));
        assert_eq!(digest(Module::Etcd), None, "its release says all");
        let other = "v0.8.0".parse().unwrap();
        assert_eq!(
            source_digest(Module::MetricsServer, &other),
            None,
            "that one is its project's own"
        );
    }
}
