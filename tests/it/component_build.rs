//! Building, with a script in the place of go.

use std::path::Path;
use std::time::{Duration, Instant};

use kubeclash::component::{Builder, ComponentError, ComponentName, Origin, Resolver, Selection, Spec};
use miette::Diagnostic;
use tempfile::{TempDir, tempdir};

use crate::component_site::{Lines, Reply, Site, closed, published, resolver, version, write_executable};

/// A go that answers `env GOVERSION`, and runs `build` with `$out` as what `-o` names.
fn go(dir: &TempDir, build: &str) -> Builder {
    let path = dir.path().join("go");
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = env ]; then echo go1.26.9; exit; fi\n\
         echo \"$@\" >> {log}\nenv >> {log}\nout=$(echo \"$@\" | sed 's/.* -o \\([^ ]*\\).*/\\1/')\n{build}\n",
        log = dir.path().join("log").display()
    );
    write_executable(&path, script.as_bytes());
    Builder {
        go: path,
        env: Vec::new(),
    }
}

fn log(dir: &TempDir) -> String {
    std::fs::read_to_string(dir.path().join("log")).unwrap()
}

/// No server, and this go.
async fn offline(cache: &Path, builder: Builder, lines: &Lines) -> Resolver {
    resolver(cache, &closed().await, lines).with_builder(builder)
}

const BOTH: &str = "for last; do :; done\n\
    if [ -d \"$out\" ]; then for package; do case $package in */cmd/*) echo $package > \"$out/${package##*/}\";; esac; done\n\
    else echo $last > \"$out\"; fi";

#[tokio::test]
async fn what_cannot_be_fetched_is_built_in_one_go() {
    let (dir, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let lines = Lines::default();
    let resolver = offline(cache.path(), go(&dir, BOTH), &lines).await;
    let binaries = resolver
        .resolve(&Selection::default(), &ComponentName::KUBERNETES)
        .await
        .unwrap();
    for (name, binary) in &binaries {
        assert_eq!(
            std::fs::read_to_string(binary.file().unwrap()).unwrap().trim(),
            name.package()
        );
        let module = "k8s.io/kubernetes@v1.36.3".to_owned();
        assert_eq!(
            binary.origin,
            Origin::Built {
                module,
                go: "go1.26.9".to_owned()
            }
        );
    }
    assert_eq!(binaries.len(), 3);
    let log = log(&dir);
    assert_eq!(log.matches("build -v -trimpath").count(), 1, "{log}");
    for part in [
        "-X k8s.io/component-base/version.gitVersion=v1.36.3",
        "CGO_ENABLED=0\n",
        "GOWORK=off\n",
        "GOFLAGS=-mod=readonly\n",
        "GOOS=linux\n",
        "GOARCH=amd64\n",
    ] {
        assert!(log.contains(part), "{part:?} is not in {log}");
    }
    assert!(
        lines
            .text()
            .contains("building kube-apiserver, kube-controller-manager, kube-scheduler v1.36.3")
    );
    assert!(lines.text().contains("cannot be reached"), "{}", lines.text());
    for name in ["kube-apiserver", "kube-scheduler"] {
        let files = cache
            .path()
            .join("components")
            .join(name)
            .read_dir()
            .unwrap()
            .count();
        assert_eq!(files, 2, "more than entry and lock");
    }
}

#[tokio::test]
async fn only_what_is_missing_is_built() {
    let (dir, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let site = Site::serve(published("kube-apiserver", b"official")).await;
    let resolver = resolver(cache.path(), &site.address, &Lines::default()).with_builder(go(&dir, BOTH));
    let names = [ComponentName::Apiserver, ComponentName::Scheduler];
    let binaries = resolver.resolve(&Selection::default(), &names).await.unwrap();
    assert!(matches!(
        binaries[&ComponentName::Apiserver].origin,
        Origin::Downloaded { .. }
    ));
    assert!(matches!(
        binaries[&ComponentName::Scheduler].origin,
        Origin::Built { .. }
    ));
    assert!(!log(&dir).contains("cmd/kube-apiserver"));
}

#[tokio::test]
async fn a_wrong_checksum_is_built_around() {
    let (dir, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let mut replies = published("kube-scheduler", b"official");
    replies[0].1 = Reply::Body(b"tampered".to_vec());
    let site = Site::serve(replies).await;
    let lines = Lines::default();
    let resolver = resolver(cache.path(), &site.address, &lines).with_builder(go(&dir, BOTH));
    let binaries = resolver
        .resolve(&Selection::default(), &[ComponentName::Scheduler])
        .await
        .unwrap();
    let content = std::fs::read_to_string(binaries[&ComponentName::Scheduler].file().unwrap()).unwrap();
    assert_eq!(content.trim(), ComponentName::Scheduler.package());
    assert!(lines.text().contains("WARNING"), "{}", lines.text());
}

#[tokio::test]
async fn a_failed_build_quotes_what_go_said() {
    let (dir, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let said = "echo golang.org/x/net >&2; echo 'main.go:3:1: syntax error' >&2; exit 1";
    let resolver = offline(cache.path(), go(&dir, said), &Lines::default()).await;
    let error = resolver
        .resolve(&Selection::default(), &[ComponentName::Etcd])
        .await
        .unwrap_err();
    assert!(matches!(error, ComponentError::Unavailable { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("main.go:3:1: syntax error") && text.contains("exit status: 1"),
        "{text}"
    );
    assert!(
        !text.contains("golang.org/x/net"),
        "a package that compiled is no news: {text}"
    );
    assert!(error.help().unwrap().to_string().contains("path:FILE"));
    assert_eq!(
        cache.path().join("components/etcd").read_dir().unwrap().count(),
        1,
        "more than the lock is left"
    );
}

#[tokio::test]
async fn a_release_that_is_not_pinned_is_not_built() {
    let (dir, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let resolver = offline(cache.path(), go(&dir, BOTH), &Lines::default()).await;
    let selection = Selection::default().with(ComponentName::Etcd, Spec::Release(version("3.5.9")));
    let error = resolver
        .resolve(&selection, &[ComponentName::Etcd])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("only 3.6.16 can be built") && error.contains("nothing pins 3.5.9"),
        "{error}"
    );
    assert!(!dir.path().join("log").exists());
}

#[tokio::test]
async fn whoever_stops_waiting_stops_go_and_its_children() {
    let (dir, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let pids = dir.path().join("pids");
    let build = format!(
        "sleep 600 &\necho $$ $! > {0}.new; mv {0}.new {0}\nwait",
        pids.display()
    );
    let resolver = offline(cache.path(), go(&dir, &build), &Lines::default()).await;
    let selection = Selection::default();
    let names = [ComponentName::Etcd];
    let started = Instant::now();
    tokio::select! {
        result = resolver.resolve(&selection, &names) => panic!("{result:?}"),
        () = until(|| pids.exists()) => {}
    }
    let running = std::fs::read_to_string(&pids).unwrap();
    let gone = || running.split_whitespace().all(|pid| !is_running(pid));
    until(gone).await;
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "took {:?}",
        started.elapsed()
    );
    assert_eq!(
        cache.path().join("components/etcd").read_dir().unwrap().count(),
        1,
        "more than the lock is left"
    );
}

async fn until(condition: impl Fn() -> bool) {
    let waited = Instant::now();
    while !condition() {
        assert!(waited.elapsed() < Duration::from_secs(20), "still not after 20 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A zombie is over, even where nobody collects it.
fn is_running(pid: &str) -> bool {
    let output = std::process::Command::new("ps")
        .args(["-o", "stat=", "-p", pid])
        .output()
        .unwrap();
    let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}
