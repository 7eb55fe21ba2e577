//! Official releases from a server on loopback: good, bad, half and silent.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use kubeclash_components::{ComponentError, ComponentName, Origin, Patience, Selection, Sources};
use miette::Diagnostic;
use tempfile::tempdir;

use crate::component_site::{Lines, Reply, Site, closed, kubernetes, published, resolver, sha256, sources};

const SCHEDULER: [ComponentName; 1] = [ComponentName::Scheduler];

fn unavailable(error: &ComponentError) -> String {
    assert!(matches!(error, ComponentError::Unavailable { .. }), "{error:?}");
    error.to_string()
}

#[tokio::test]
async fn a_good_file_is_kept_and_not_fetched_twice() {
    let cache = tempdir().unwrap();
    let site = Site::serve(published("kube-scheduler", b"scheduler")).await;
    let lines = Lines::default();
    let resolver = resolver(cache.path(), &site.address, &lines);

    let binaries = resolver.resolve(&Selection::default(), &SCHEDULER).await.unwrap();
    let binary = &binaries[&ComponentName::Scheduler];
    assert_eq!(std::fs::read(binary.file().unwrap()).unwrap(), b"scheduler");
    assert_eq!(
        std::fs::metadata(binary.file().unwrap())
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o755
    );
    assert_eq!(
        binary.file().unwrap(),
        cache
            .path()
            .join("components/kube-scheduler/v1.36.3-linux-amd64/kube-scheduler")
    );
    assert_eq!(binary.sha256, sha256(b"scheduler"));
    assert_eq!(binary.version, "v1.36.3");
    let url = format!("http://{}{}", site.address, kubernetes("kube-scheduler"));
    assert_eq!(binary.origin, Origin::Downloaded { url });

    assert_eq!(
        resolver.resolve(&Selection::default(), &SCHEDULER).await.unwrap(),
        binaries
    );
    assert_eq!(site.asked(&kubernetes("kube-scheduler")), 1);
    assert_eq!(resolver.cache().list().len(), 1);
}

#[tokio::test]
async fn etcd_comes_out_of_its_archive() {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(
        Vec::new(),
        flate2::Compression::fast(),
    ));
    for (name, body) in [("etcdctl", "ctl"), ("etcd", "the server")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(body.len() as u64);
        header.set_mode(0o755);
        tar.append_data(
            &mut header,
            format!("etcd-v3.6.16-linux-amd64/{name}"),
            body.as_bytes(),
        )
        .unwrap();
    }
    let archive = tar.into_inner().unwrap().finish().unwrap();
    let sums = format!(
        "{}  other.zip\n{}  etcd-v3.6.16-linux-amd64.tar.gz\n",
        "0".repeat(64),
        sha256(&archive)
    );
    let site = Site::serve([
        (
            "/etcd/v3.6.16/etcd-v3.6.16-linux-amd64.tar.gz".to_owned(),
            Reply::Body(archive),
        ),
        (
            "/etcd/v3.6.16/SHA256SUMS".to_owned(),
            Reply::Body(sums.into_bytes()),
        ),
    ])
    .await;
    let cache = tempdir().unwrap();
    let resolver = resolver(cache.path(), &site.address, &Lines::default());
    let binaries = resolver
        .resolve(&Selection::default(), &[ComponentName::Etcd])
        .await
        .unwrap();
    let binary = &binaries[&ComponentName::Etcd];
    assert_eq!(std::fs::read(binary.file().unwrap()).unwrap(), b"the server");
    assert_eq!(binary.version, "3.6.16");
    let mut kept: Vec<_> = binary
        .file()
        .unwrap()
        .parent()
        .unwrap()
        .read_dir()
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    kept.sort();
    assert_eq!(kept, ["entry.json", "etcd"]);
}

#[tokio::test]
async fn kwok_is_checked_against_githubs_digest_or_its_mirrors_sum() {
    let file = |name: &str| format!("/kwok/v0.8.0/{name}-linux-amd64");
    let assets = format!(
        r#"{{"assets":[{{"name":"kwok-linux-amd64","digest":"sha256:{}"}}]}}"#,
        sha256(b"kwok")
    );
    let site = Site::serve([
        (file("kwok"), Reply::Body(b"kwok".to_vec())),
        (file("kwokctl"), Reply::Body(b"kwokctl".to_vec())),
        (
            file("kwokctl") + ".sha256",
            Reply::Body(sha256(b"kwokctl").into_bytes()),
        ),
        ("/api/v0.8.0".to_owned(), Reply::Body(assets.into_bytes())),
    ])
    .await;
    let cache = tempdir().unwrap();
    let resolver = resolver(cache.path(), &site.address, &Lines::default());
    resolver
        .resolve(&Selection::default(), &[ComponentName::Kwok])
        .await
        .unwrap();

    let error = resolver
        .resolve(&Selection::default(), &[ComponentName::Kwokctl])
        .await
        .unwrap_err();
    assert!(
        unavailable(&error).contains("no SHA-256 of \"kwokctl-linux-amd64\" is published"),
        "{error}"
    );
    assert_eq!(
        site.asked(&file("kwokctl")),
        0,
        "fetched what nothing vouches for"
    );

    let mirror = Sources {
        kwok_api: None,
        ..sources(&site.address)
    };
    let resolver = resolver.with_sources(mirror);
    resolver
        .resolve(&Selection::default(), &[ComponentName::Kwokctl])
        .await
        .unwrap();
}

#[tokio::test]
async fn kind_is_checked_against_the_list_beside_it() {
    let file = "/kind/v0.33.0/kind-linux-amd64".to_owned();
    let sums = format!("{}  kind-linux-amd64\n", sha256(b"kind"));
    let site = Site::serve([
        (file.clone(), Reply::Body(b"kind".to_vec())),
        (format!("{file}.sha256sum"), Reply::Body(sums.into_bytes())),
    ])
    .await;
    let cache = tempdir().unwrap();
    let resolver = resolver(cache.path(), &site.address, &Lines::default());
    let names = [ComponentName::Kind];
    let found = resolver.resolve(&Selection::default(), &names).await.unwrap();
    let kind = &found[&ComponentName::Kind];
    assert_eq!(std::fs::read(kind.file().unwrap()).unwrap(), b"kind");
    assert_eq!(kind.version, "v0.33.0");
}

#[tokio::test]
async fn a_program_of_our_own_is_looked_for_nowhere() {
    let site = Site::serve([]).await;
    let (cache, lines) = (tempdir().unwrap(), Lines::default());
    let resolver = resolver(cache.path(), &site.address, &lines);
    let names = [ComponentName::Pause, ComponentName::MetricsServer];
    let error = resolver.resolve(&Selection::default(), &names).await.unwrap_err();
    assert_eq!(site.requests(), 0, "{error}");
    assert!(
        lines.text().contains("kubeclash always builds it itself"),
        "{}",
        lines.text()
    );
}

#[tokio::test]
async fn a_wrong_checksum_is_reported_and_nothing_is_kept() {
    let mut replies = published("kube-scheduler", b"scheduler");
    replies[0].1 = Reply::Body(b"tampered".to_vec());
    let site = Site::serve(replies).await;
    let cache = tempdir().unwrap();
    let lines = Lines::default();
    let resolver = resolver(cache.path(), &site.address, &lines);
    let error = resolver
        .resolve(&Selection::default(), &SCHEDULER)
        .await
        .unwrap_err();
    let (got, wanted) = (sha256(b"tampered"), sha256(b"scheduler"));
    let said = format!("has the wrong checksum: {got}, and {wanted} is published");
    assert!(unavailable(&error).contains(&said), "{error}");
    assert!(
        lines
            .text()
            .contains(&format!("WARNING: http://{}", site.address)),
        "{}",
        lines.text()
    );
    assert!(resolver.cache().list().is_empty());
    only_the_lock_is_left(cache.path());
}

#[tokio::test]
async fn a_transfer_that_is_cut_off_is_told_from_a_wrong_file() {
    let mut replies = published("kube-scheduler", b"scheduler");
    replies[0].1 = Reply::Half(b"scheduler".to_vec());
    let site = Site::serve(replies).await;
    let cache = tempdir().unwrap();
    let resolver = resolver(cache.path(), &site.address, &Lines::default());
    let error = resolver
        .resolve(&Selection::default(), &SCHEDULER)
        .await
        .unwrap_err();
    assert!(
        unavailable(&error).contains("was cut off after 4 bytes"),
        "{error}"
    );
    only_the_lock_is_left(cache.path());
}

#[tokio::test]
async fn a_release_that_is_not_there_is_named_by_its_url() {
    let site = Site::serve([]).await;
    let cache = tempdir().unwrap();
    let resolver = resolver(cache.path(), &site.address, &Lines::default());
    let error = resolver
        .resolve(&Selection::default(), &SCHEDULER)
        .await
        .unwrap_err();
    let url = format!(
        "there is no http://{}{}.sha256 (404)",
        site.address,
        kubernetes("kube-scheduler")
    );
    assert!(unavailable(&error).contains(&url), "{error}");
}

#[tokio::test]
async fn no_server_and_no_go_is_one_error_that_says_what_to_do() {
    let address = closed().await;
    let cache = tempdir().unwrap();
    let lines = Lines::default();
    let resolver = resolver(cache.path(), &address, &lines);
    let error = resolver
        .resolve(&Selection::default(), &ComponentName::KUBERNETES)
        .await
        .unwrap_err();
    let said = unavailable(&error);
    for part in [
        "kube-apiserver, kube-controller-manager, kube-scheduler v1.36.3",
        &format!("official release: {address} cannot be reached"),
        "go build: there is no \"/there/is/no/go\" to build with",
    ] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    assert_eq!(said.matches("cannot be reached").count(), 1, "{said}");
    let help = error.help().unwrap().to_string();
    for part in [
        "install Go 1.26",
        "--apiserver path:FILE",
        "KUBECLASH_KUBERNETES_MIRROR",
    ] {
        assert!(help.contains(part), "{part:?} is not in {help}");
    }
    assert_eq!(
        lines
            .text()
            .matches("cannot be reached and is not tried again")
            .count(),
        1,
        "{}",
        lines.text()
    );
}

#[tokio::test]
async fn a_silent_server_is_given_up_and_not_asked_again() {
    let sum = kubernetes("kube-scheduler") + ".sha256";
    let site = Site::serve([(sum, Reply::Silence)]).await;
    let cache = tempdir().unwrap();
    let patience = Patience {
        reach: Duration::from_millis(300),
        stall: Duration::from_secs(60),
    };
    let resolver = resolver(cache.path(), &site.address, &Lines::default()).with_patience(patience);
    let started = Instant::now();
    let error = resolver
        .resolve(&Selection::default(), &SCHEDULER)
        .await
        .unwrap_err();
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "took {:?}",
        started.elapsed()
    );
    assert!(
        unavailable(&error).contains("cannot be reached: no answer within 0.3 s"),
        "{error}"
    );
    assert_eq!(site.requests(), 1);
    for name in ComponentName::ALL {
        resolver
            .resolve(&Selection::default(), &[name])
            .await
            .unwrap_err();
    }
    assert_eq!(site.requests(), 1, "asked a host again that had not answered");
}

#[test]
fn patience_is_five_seconds_by_default() {
    assert_eq!(Patience::default().reach, Duration::from_secs(5));
}

#[tokio::test]
async fn a_file_that_stalls_is_cut_off() {
    let mut replies = published("kube-scheduler", b"scheduler");
    replies[1].1 = Reply::Slow(sha256(b"scheduler").into_bytes(), Duration::from_millis(1));
    replies[0].1 = Reply::Stall(b"scheduler".to_vec());
    let site = Site::serve(replies).await;
    let cache = tempdir().unwrap();
    let patience = Patience {
        reach: Duration::from_secs(10),
        stall: Duration::from_millis(300),
    };
    let resolver = resolver(cache.path(), &site.address, &Lines::default()).with_patience(patience);
    let started = Instant::now();
    let error = resolver
        .resolve(&Selection::default(), &SCHEDULER)
        .await
        .unwrap_err();
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "took {:?}",
        started.elapsed()
    );
    assert!(
        unavailable(&error).contains("was cut off after 4 bytes: "),
        "{error}"
    );
}

#[tokio::test]
async fn plain_http_stays_on_this_machine() {
    let cache = tempdir().unwrap();
    let far = Sources {
        kubernetes: "http://mirror.invalid".to_owned(),
        ..Sources::default()
    };
    let resolver = resolver(cache.path(), "127.0.0.1:9", &Lines::default()).with_sources(far);
    let error = resolver
        .resolve(&Selection::default(), &SCHEDULER)
        .await
        .unwrap_err();
    assert!(
        unavailable(&error).contains("plain http is for loopback addresses only"),
        "{error}"
    );
}

fn only_the_lock_is_left(cache: &std::path::Path) {
    let folder = cache.join("components/kube-scheduler").read_dir().unwrap();
    let names: Vec<_> = folder.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["v1.36.3-linux-amd64.lock"]);
}
