//! Files that the user names.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use kubeclash_components::{ComponentError, ComponentName, Origin, Selection, Spec};
use tempfile::{TempDir, tempdir};

use crate::component_site::{Lines, resolver, sha256, write_executable};

fn file(dir: &TempDir, name: &str, content: &[u8], mode: u32) -> PathBuf {
    let path = dir.path().join(name);
    write_executable(&path, content);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

/// The head of an ELF file for an architecture, by its number in `elf.h`.
fn elf(machine: u16) -> Vec<u8> {
    let mut head = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
    head.resize(64, 0);
    head[18..20].copy_from_slice(&machine.to_le_bytes());
    head
}

async fn refusal(path: &Path) -> String {
    let cache = tempdir().unwrap();
    let selection = Selection::default().with(ComponentName::Scheduler, Spec::Path(path.to_owned()));
    let resolver = resolver(cache.path(), "127.0.0.1:9", &Lines::default());
    let error = resolver
        .resolve(&selection, &[ComponentName::Scheduler])
        .await
        .unwrap_err();
    assert!(matches!(error, ComponentError::Given { .. }), "{error:?}");
    let said = error.to_string();
    let start = format!("--scheduler (or KUBECLASH_SCHEDULER): \"{}\" ", path.display());
    said.strip_prefix(&start)
        .unwrap_or_else(|| panic!("{said}"))
        .to_owned()
}

#[tokio::test]
async fn what_cannot_be_run_is_refused_with_the_reason() {
    let dir = tempdir().unwrap();
    assert_eq!(refusal(&dir.path().join("nothing")).await, "does not exist");
    assert_eq!(refusal(dir.path()).await, "is a directory, not a file");
    assert_eq!(refusal(Path::new("/dev/null")).await, "is not a regular file");
    assert_eq!(
        refusal(&file(&dir, "plain", &elf(62), 0o644)).await,
        "is not executable"
    );
    assert_eq!(
        refusal(&file(&dir, "foreign", &elf(183), 0o755)).await,
        "is made for arm64, and this machine is amd64"
    );
    let text = refusal(&file(&dir, "text", b"hello", 0o755)).await;
    assert_eq!(
        text,
        "is not an executable: it starts like neither ELF, Mach-O nor a script"
    );
}

#[tokio::test]
async fn a_given_file_says_its_version_and_is_never_copied() {
    let dir = tempdir().unwrap();
    let script = b"#!/bin/sh\necho Kubernetes v1.37.0-alpha.1+fork\n";
    let path = file(&dir, "my-scheduler", script, 0o755);
    let silent = file(&dir, "my-etcd", b"#!/bin/sh\nexit 1\n", 0o755);
    let cache = tempdir().unwrap();
    let selection = Selection::default()
        .with(ComponentName::Scheduler, Spec::Path(path.clone()))
        .with(ComponentName::Etcd, Spec::Path(silent));
    let resolver = resolver(cache.path(), "127.0.0.1:9", &Lines::default());
    let names = [ComponentName::Scheduler, ComponentName::Etcd];
    let binaries = resolver.resolve(&selection, &names).await.unwrap();
    let binary = &binaries[&ComponentName::Scheduler];
    assert_eq!(binary.version, "v1.37.0-alpha.1");
    assert_eq!((binary.file(), &binary.origin), (Some(&*path), &Origin::Given));
    assert_eq!(binary.sha256, sha256(script));
    assert_eq!(binaries[&ComponentName::Etcd].version, "unknown");
    assert_eq!(cache.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn all_mistakes_are_shown_together() {
    let cache = tempdir().unwrap();
    let selection = Selection::default()
        .with_kubernetes(&Spec::Path("/there/is/no/folder".into()))
        .unwrap();
    let resolver = resolver(cache.path(), "127.0.0.1:9", &Lines::default());
    let error = resolver
        .resolve(&selection, &ComponentName::ALL)
        .await
        .unwrap_err();
    let ComponentError::Several { errors } = error else {
        panic!("{error:?}")
    };
    let said: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(
        said[0].starts_with("--apiserver (or KUBECLASH_APISERVER): \"/there/is/no/folder/kube-apiserver\"")
    );
    assert_eq!(
        cache.path().read_dir().unwrap().count(),
        0,
        "something slow began before the paths were looked at"
    );
}
