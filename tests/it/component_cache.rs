//! The cache: corruption, concurrency, and directories that cannot be written.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use futures::future::join_all;
use kubeclash_components::{Cache, ComponentError, ComponentName, Key, Look, Platform, Selection};
use miette::Diagnostic;
use tempfile::tempdir;

use crate::component_site::{Lines, Reply, Site, kubernetes, published, resolver, sha256, version};

const SCHEDULER: [ComponentName; 1] = [ComponentName::Scheduler];

fn entry(cache: &Path) -> PathBuf {
    cache.join("components/kube-scheduler/v1.36.3-linux-amd64")
}

/// Resolves, spoils the entry, resolves again; what was printed the second time, and how often it was downloaded.
async fn spoilt(spoil: impl FnOnce(&Path)) -> (String, usize) {
    let cache = tempdir().unwrap();
    let site = Site::serve(published("kube-scheduler", b"scheduler")).await;
    let lines = Lines::default();
    resolver(cache.path(), &site.address, &lines)
        .resolve(&Selection::default(), &SCHEDULER)
        .await
        .unwrap();
    spoil(&entry(cache.path()));
    let lines = Lines::default();
    let resolver = resolver(cache.path(), &site.address, &lines);
    let binaries = resolver.resolve(&Selection::default(), &SCHEDULER).await.unwrap();
    assert_eq!(
        std::fs::read(binaries[&ComponentName::Scheduler].file().unwrap()).unwrap(),
        b"scheduler"
    );
    let kept = resolver.cache().look(
        ComponentName::Scheduler,
        &Key::release(ComponentName::Scheduler, &version("v1.36.3")),
        &Platform::new("linux", "amd64"),
    );
    assert!(
        matches!(kept, Look::Good(_)),
        "the record is not up to date: {kept:?}"
    );
    (lines.text(), site.asked(&kubernetes("kube-scheduler")))
}

#[tokio::test]
async fn a_changed_binary_is_reported_and_fetched_again() {
    let (said, times) = spoilt(|entry| std::fs::write(entry.join("kube-scheduler"), "evil").unwrap()).await;
    assert!(
        said.contains("kube-scheduler v1.36.3 in the cache is corrupted and is fetched again"),
        "{said}"
    );
    assert!(
        said.contains(&format!("its SHA-256 is {}", sha256(b"evil"))),
        "{said}"
    );
    assert_eq!(times, 2);
}

#[tokio::test]
async fn a_garbled_record_is_reported_and_fetched_again() {
    let (said, times) =
        spoilt(|entry| std::fs::write(entry.join("entry.json"), "{\"sha256\":").unwrap()).await;
    assert!(said.contains("its entry.json is garbled"), "{said}");
    assert_eq!(times, 2);
    let (said, times) = spoilt(|entry| std::fs::remove_file(entry.join("entry.json")).unwrap()).await;
    assert!(said.contains("its entry.json cannot be read"), "{said}");
    assert_eq!(times, 2);
    let (said, times) = spoilt(|entry| std::fs::remove_file(entry.join("kube-scheduler")).unwrap()).await;
    assert!(said.contains("its binary cannot be read"), "{said}");
    assert_eq!(times, 2);
}

#[tokio::test]
async fn a_touched_binary_is_read_again_and_kept() {
    let (said, times) = spoilt(|entry| {
        let file = std::fs::File::options()
            .write(true)
            .open(entry.join("kube-scheduler"))
            .unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1))
            .unwrap();
    })
    .await;
    assert_eq!(said, "");
    assert_eq!(times, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_second_waits_and_says_so() {
    let cache = tempdir().unwrap();
    let mut replies = published("kube-scheduler", b"scheduler");
    replies[0].1 = Reply::Slow(b"scheduler".to_vec(), Duration::from_millis(500));
    let site = Site::serve(replies).await;
    let lines = Lines::default();
    let selection = Selection::default();
    let resolvers: Vec<_> = (0..4)
        .map(|_| resolver(cache.path(), &site.address, &lines))
        .collect();
    let all = join_all(
        resolvers
            .iter()
            .map(|resolver| resolver.resolve(&selection, &SCHEDULER)),
    )
    .await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(site.asked(&kubernetes("kube-scheduler")), 1);
    let said = lines.text();
    let waiting = "waiting for another kubeclash that is fetching or building kube-scheduler v1.36.3";
    assert_eq!(said.matches(waiting).count(), 3, "{said}");
}

/// Set for the processes that [`processes_share_one_download`] starts: cache and address of the server.
const CHILD: &str = "KUBECLASH_TEST_CHILD";

#[tokio::test]
async fn resolves_when_it_is_a_child() {
    let Ok(child) = std::env::var(CHILD) else { return };
    let (cache, address) = child.split_once('|').unwrap();
    let resolver = resolver(Path::new(cache), address, &Lines::default());
    resolver
        .resolve(&Selection::default(), &ComponentName::KUBERNETES)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_one_download() {
    let cache = tempdir().unwrap();
    let names = ComponentName::KUBERNETES.map(ComponentName::as_str);
    let mut replies: Vec<_> = names
        .iter()
        .flat_map(|name| published(name, name.as_bytes()))
        .collect();
    for reply in replies.iter_mut().step_by(2) {
        let Reply::Body(body) = &reply.1 else {
            unreachable!()
        };
        reply.1 = Reply::Slow(body.clone(), Duration::from_millis(300));
    }
    let site = Site::serve(replies).await;
    let start = || {
        tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["component_cache::resolves_when_it_is_a_child", "--exact"])
            .env(CHILD, format!("{}|{}", cache.path().display(), site.address))
            .kill_on_drop(true)
            .output()
    };
    for output in join_all((0..3).map(|_| start())).await {
        let output = output.unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("1 passed"),
            "the child is called otherwise by now"
        );
    }
    for name in names {
        assert_eq!(site.asked(&kubernetes(name)), 1, "{name}");
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_named_once() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    // Below a regular file nobody can make a directory, not even root.
    let cache = file.join("cache");
    let resolver = resolver(&cache, "127.0.0.1:9", &Lines::default());
    let error = resolver
        .resolve(&Selection::default(), &ComponentName::ALL)
        .await
        .unwrap_err();
    assert!(matches!(error, ComponentError::Cache { .. }), "{error:?}");
    let said = error.to_string();
    assert!(
        said.contains(&format!("in the cache directory \"{}\"", cache.display())),
        "{said}"
    );
    assert!(error.help().unwrap().to_string().contains("set KUBECLASH_CACHE"));
}

#[tokio::test]
async fn what_a_killed_process_left_is_swept() {
    let cache = tempdir().unwrap();
    let left = cache
        .path()
        .join("components/kube-scheduler/.v1.36.3-linux-amd64.new-abc");
    let other = cache
        .path()
        .join("components/kube-scheduler/.v1.35.0-linux-amd64.new-abc");
    for dir in [&left, &other] {
        std::fs::create_dir_all(dir).unwrap();
    }
    let site = Site::serve(published("kube-scheduler", b"scheduler")).await;
    let resolver = resolver(cache.path(), &site.address, &Lines::default());
    resolver.resolve(&Selection::default(), &SCHEDULER).await.unwrap();
    assert!(!left.exists());
    assert!(other.exists(), "another process may be at work there");
}

#[tokio::test]
async fn clean_leaves_no_binary_and_remembers_how_long_it_took() {
    let cache = tempdir().unwrap();
    let site = Site::serve(published("kube-scheduler", b"scheduler")).await;
    let lines = Lines::default();
    let resolver = resolver(cache.path(), &site.address, &lines);
    resolver.resolve(&Selection::default(), &SCHEDULER).await.unwrap();
    std::fs::create_dir_all(cache.path().join("components/etcd/.3.6.16-linux-amd64.new-x")).unwrap();

    let seed = resolver.cache().seeds().join("etcd-1-apiserver-2");
    std::fs::create_dir_all(&seed).unwrap();
    assert_eq!(resolver.cache().clean(&lines.progress()).await.unwrap(), (1, 9));
    assert!(!seed.exists());
    assert!(resolver.cache().list().is_empty());
    assert_eq!(resolver.cache().clean(&lines.progress()).await.unwrap(), (0, 0));
    for name in ["kube-scheduler", "etcd"] {
        let left = cache.path().join("components").join(name).read_dir().unwrap();
        for file in left.map(Result::unwrap) {
            assert_eq!(file.path().extension().unwrap(), "lock", "{file:?}");
        }
    }
    let finding = &resolver.probe(&Selection::default(), &SCHEDULER).await[0];
    assert!(finding.took_ms.is_some(), "{finding:?}");
    assert!(
        serde_json::to_string(finding)
            .unwrap()
            .contains("\"state\":\"missing\"")
    );
}

#[test]
fn a_directory_wins_over_the_environment() {
    let cache = Cache::open(Some("relative".into())).unwrap();
    assert!(
        cache.root().is_absolute() && cache.root().ends_with("relative"),
        "{}",
        cache.root().display()
    );
}
