//! What every provider's clusters leave alone: each other, everybody else, and the machine when they are gone.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use kubeclash_cluster::Cluster;
use kubeclash_host::sweep;
use serde_json::json;
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use crate::cli_sandbox::not_run;
use crate::conformance::{local, pod, up};

#[tokio::test(flavor = "multi_thread")]
async fn two_clusters_side_by_side_are_each_others_and_everybody_elses_strangers() {
    if !local().await {
        let why = "on kind a machine has room for one, by its inotify instances";
        return not_run("two clusters side by side", why, "KUBECLASH_REQUIRE_LOCAL");
    }
    let scratch = tempfile::tempdir().unwrap();
    let (logs, more_logs) = (scratch.path().join("one"), scratch.path().join("two"));
    let (one, two) = tokio::join!(up(None, &logs), up(None, &more_logs));
    let pods = |cluster: &Cluster| Api::<Pod>::default_namespaced(cluster.client().clone());
    pods(&one)
        .create(&PostParams::default(), &pod("mine", &json!({})).await)
        .await
        .unwrap();
    assert!(pods(&two).get_opt("mine").await.unwrap().is_none());
    let mut left = Vec::new();
    for cluster in [&one, &two] {
        let kubeconfig = cluster.kubeconfig();
        let run = kubeconfig.parent().unwrap().to_owned();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&run), mode(&kubeconfig)), (0o700, 0o600));
        for key in fs::read_dir(run.join("pki")).unwrap().flatten() {
            assert_eq!(mode(&key.path()), 0o600, "{key:?}");
        }
        nobody_gets_in_without_a_certificate(&kubeconfig).await;
        let processes = processes_of(&run);
        assert!(processes.len() >= 5, "{processes:?}");
        let listening = listening(&processes);
        assert!(
            cfg!(not(target_os = "linux")) || listening.len() >= 5,
            "{listening:?}"
        );
        left.push((run, listening));
    }
    let found: Vec<PathBuf> = sweep::leftovers().into_iter().map(|left| left.run).collect();
    assert!(left.iter().all(|(run, _)| !found.contains(run)), "{found:?}");
    one.cluster.down(true).await;
    assert_gone(&left[0].0, &left[0].1);
    // The other one is none the worse.
    pods(&two).get_opt("mine").await.unwrap();
    two.cluster.down(true).await;
    assert_gone(&left[1].0, &left[1].1);
}

async fn nobody_gets_in_without_a_certificate(kubeconfig: &Path) {
    let text = fs::read_to_string(kubeconfig).unwrap();
    let server = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("server: "))
        .unwrap();
    assert!(server.starts_with("https://127.0.0.1:"), "{server}");
    let ca = fs::read(kubeconfig.with_file_name("pki").join("ca.crt")).unwrap();
    let anybody = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()])
        .no_proxy()
        .build()
        .unwrap();
    for path in ["/api", "/readyz", "/version", "/metrics"] {
        let answer = anybody.get(format!("{server}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
    }
}

/// A test that panics is the last that a cluster has of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_takes_its_cluster_with_it() {
    let scratch = tempfile::tempdir().unwrap();
    let cluster = up(None, scratch.path()).await;
    let run = cluster.kubeconfig().parent().unwrap().to_owned();
    let listening = listening(&processes_of(&run));
    let task = tokio::spawn(async move {
        let _cluster = cluster;
        std::panic::resume_unwind(Box::new("a mistake in a case"));
    });
    assert!(task.await.unwrap_err().is_panic());
    assert_gone(&run, &listening);
    let left: Vec<PathBuf> = sweep::leftovers().into_iter().map(|left| left.run).collect();
    assert!(!left.contains(&run), "{left:?}");
}

fn processes_of(run: &Path) -> BTreeSet<u32> {
    let mut system = System::new();
    let what = ProcessRefreshKind::nothing()
        .with_environ(UpdateKind::Always)
        .without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
    let mine = format!("KUBECLASH_RUN={}", run.display());
    let ours = system
        .processes()
        .iter()
        .filter(|(_, process)| process.environ().iter().any(|v| v.to_string_lossy() == mine));
    ours.map(|(pid, _)| pid.as_u32()).collect()
}

/// The ports on which processes listen, all of them on 127.0.0.1; nothing where there is no `/proc`.
#[track_caller]
fn listening(processes: &BTreeSet<u32>) -> BTreeSet<u16> {
    let mut sockets = BTreeSet::new();
    for pid in processes {
        for fd in fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let target = fs::read_link(fd.path()).unwrap_or_default();
            let target = target.to_string_lossy().into_owned();
            let inode = target.strip_prefix("socket:[").and_then(|t| t.strip_suffix(']'));
            sockets.extend(inode.map(str::to_owned));
        }
    }
    let mut ports = BTreeSet::new();
    for (table, loopback) in [("tcp", "0100007F"), ("tcp6", "none is allowed")] {
        let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // State 0A is LISTEN.
            if fields[3] == "0A" && sockets.contains(fields[9]) {
                let (address, port) = fields[1].split_once(':').unwrap();
                assert_eq!(address, loopback, "listens on more than 127.0.0.1: {line}");
                ports.insert(u16::from_str_radix(port, 16).unwrap());
            }
        }
    }
    ports
}

#[track_caller]
fn assert_gone(run: &Path, ports: &BTreeSet<u16>) {
    assert_eq!(processes_of(run), BTreeSet::new());
    assert!(!run.exists());
    for port in ports {
        std::net::TcpStream::connect(("127.0.0.1", *port)).unwrap_err();
    }
}
