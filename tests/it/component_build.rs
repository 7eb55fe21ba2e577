//! Building, with a script in the place of go.

use std::path::Path;
use std::time::{Duration, Instant};

use kubeclash_components::{Builder, ComponentError, ComponentName, Origin, Resolver, Selection, Spec};
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
                package: None,
                go: "go1.26.9".to_owned()
            }
        );
    }
    assert_eq!(binaries.len(), 3);
    let log = log(&dir);
    assert_eq!(log.matches("build -v -trimpath").count(), 1, "{log}");
    for part in [
        "-X k8s.io/component-base/version.gitVersion=v1.36.3",
        "-X k8s.io/component-base/version.gitMinor=36",
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
    let log = cache.path().join("components/etcd/3.6.16-linux-amd64.failed.log");
    assert!(
        text.contains(&format!("all of it is in \"{}\"", log.display())),
        "{text}"
    );
    let log = std::fs::read_to_string(log).unwrap();
    assert!(
        log.contains("golang.org/x/net\n") && log.contains("go build -v"),
        "{log}"
    );
    assert_eq!(
        cache.path().join("components/etcd").read_dir().unwrap().count(),
        2,
        "more than lock and log are left"
    );
}

/// Answers what is asked on the way to a wrapper: versions of modules, unless they contain `absent`, and a go.mod.
const MODULES: &str = r#"case "$1 $2" in
"list -m") for query; do case $query in -*|list) ;; *absent*) echo '{"Path":"'${query%@*}'","Error":{"Err":"unknown revision"}}';;
    *) echo '{"Path":"'${query%@*}'","Version":"'${query#*@}'","GoMod":"/dev/null"}';; esac; done; exit;;
"list -deps") cp go.mod tools.go $(dirname $0); exit;;
"mod edit") cat $(dirname $0)/recorded; exit;;
esac
"#;

fn recorded(dir: &TempDir, go_mod: &str) {
    std::fs::write(dir.path().join("recorded"), go_mod).unwrap();
}

#[tokio::test]
async fn a_release_that_is_not_pinned_is_built_from_a_wrapper() {
    let (dir, cache) = (tempdir().unwrap(), tempdir().unwrap());
    recorded(
        &dir,
        r#"{"Go": "1.19", "Require": [{"Path": "go.etcd.io/etcd/api/v3", "Version": "v3.5.9"}],
            "Replace": [{"Old": {"Path": "go.etcd.io/etcd/api/v3"}, "New": {"Path": "../api"}}]}"#,
    );
    let go = go(&dir, &format!("{MODULES}{BOTH}"));
    let resolver = offline(cache.path(), go, &Lines::default()).await;
    let selection = Selection::default().with(ComponentName::Etcd, Spec::Release(version("3.5.9")));
    let binaries = resolver
        .resolve(&selection, &[ComponentName::Etcd])
        .await
        .unwrap();
    let etcd = &binaries[&ComponentName::Etcd];
    assert_eq!(etcd.version, "3.5.9");
    assert!(
        etcd.origin
            .to_string()
            .contains("go.etcd.io/etcd/server/v3@v3.5.9")
    );
    let wrapper = std::fs::read_to_string(dir.path().join("go.mod")).unwrap();
    for line in [
        "go 1.19",
        "require go.etcd.io/etcd/server/v3 v3.5.9",
        "replace go.etcd.io/etcd/api/v3 => go.etcd.io/etcd/api/v3 v3.5.9",
    ] {
        assert!(
            wrapper.lines().any(|written| written == line),
            "{line:?} is not in {wrapper}"
        );
    }
    let log = log(&dir);
    let steps: Vec<_> = log
        .lines()
        .filter_map(|line| line.strip_prefix("GOFLAGS="))
        .collect();
    assert_eq!(
        steps.last(),
        Some(&"-mod=readonly"),
        "what is built is what was pinned"
    );
    assert!(
        steps[..steps.len() - 1].iter().all(|mode| *mode == "-mod=mod"),
        "{steps:?}"
    );
    assert_eq!(
        log.matches("GONOSUMDB=none\n").count(),
        steps.len(),
        "all is checked"
    );
    let build = std::fs::read_to_string(etcd.build_log.as_ref().unwrap()).unwrap();
    assert!(
        build.contains("go.etcd.io/etcd/api/v3 => go.etcd.io/etcd/api/v3@v3.5.9"),
        "{build}"
    );
}

#[tokio::test]
async fn what_is_not_published_is_named() {
    let (dir, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let go = go(&dir, &format!("{MODULES}{BOTH}"));
    let resolver = offline(cache.path(), go, &Lines::default()).await;
    let resolve = async |spec: &str| {
        let selection = Selection::default().with(ComponentName::Descheduler, spec.parse().unwrap());
        resolver.resolve(&selection, &[ComponentName::Descheduler]).await
    };
    let error = resolve("v0.99.0-absent").await.unwrap_err().to_string();
    assert!(
        error.contains("there is no sigs.k8s.io/descheduler@v0.99.0-absent: unknown revision"),
        "{error}"
    );
}

/// Kubernetes requires its sample-apiserver, and no program of it does.
#[tokio::test]
async fn what_a_release_requires_and_needs_not_may_be_out_of_reach() {
    let (dir, cache) = (tempdir().unwrap(), tempdir().unwrap());
    recorded(
        &dir,
        r#"{"Require": [{"Path": "x.y/absent", "Version": "v0.0.0"}],
            "Replace": [{"Old": {"Path": "x.y/absent"}, "New": {"Path": "./staging/absent"}},
                        {"Old": {"Path": "x.y/absent2"}, "New": {"Path": "./staging/absent2"}}]}"#,
    );
    let resolver = offline(
        cache.path(),
        go(&dir, &format!("{MODULES}{BOTH}")),
        &Lines::default(),
    )
    .await;
    let selection = Selection::default().with(ComponentName::Etcd, Spec::Release(version("3.5.9")));
    let binaries = resolver
        .resolve(&selection, &[ComponentName::Etcd])
        .await
        .unwrap();
    let wrapper = std::fs::read_to_string(dir.path().join("go.mod")).unwrap();
    let replaced: Vec<&str> = wrapper
        .lines()
        .filter(|line| line.starts_with("replace "))
        .collect();
    assert_eq!(replaced, ["replace x.y/absent => x.y/absent v0.5.9"]);
    let log = std::fs::read_to_string(binaries[&ComponentName::Etcd].build_log.as_ref().unwrap()).unwrap();
    for told in [
        "x.y/absent => v0.5.9, unseen: unknown revision",
        "x.y/absent2 is left out: unknown revision",
    ] {
        assert!(log.contains(told), "no {told:?} in {log}");
    }
}

#[tokio::test]
async fn nothing_is_built_that_nobody_vouches_for() {
    let (dir, cache) = (tempdir().unwrap(), tempdir().unwrap());
    recorded(&dir, "{}");
    let mut builder = go(&dir, MODULES);
    let script = std::fs::read_to_string(&builder.go).unwrap();
    let off = script.replace(
        "= env ]; then",
        "= env ] && [ \"$2\" = GOSUMDB ]; then echo off; exit; elif [ \"$1\" = env ]; then",
    );
    builder.go = dir.path().join("go-off");
    write_executable(&builder.go, off.as_bytes());
    let resolver = offline(cache.path(), builder, &Lines::default()).await;
    let selection = Selection::default().with(ComponentName::Etcd, Spec::Release(version("3.5.9")));
    let error = resolver
        .resolve(&selection, &[ComponentName::Etcd])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("GOSUMDB is \"off\""), "{error}");
    assert!(error.help().unwrap().to_string().contains("unset GOSUMDB"));
}

#[tokio::test]
async fn a_second_scheduler_of_the_same_release_is_the_same_binary() {
    let (dir, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let resolver = offline(cache.path(), go(&dir, BOTH), &Lines::default()).await;
    let names = [ComponentName::Scheduler, ComponentName::SecondScheduler];
    let pinned: Spec = "v1.36.3".parse().unwrap();
    let selection = Selection::default().with(ComponentName::SecondScheduler, pinned);
    let binaries = resolver.resolve(&selection, &names).await.unwrap();
    assert_eq!(binaries[&names[0]].file(), binaries[&names[1]].file());
    assert_eq!(binaries[&names[1]].name, ComponentName::SecondScheduler);
    assert_eq!(log(&dir).matches("build -v").count(), 1);
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
