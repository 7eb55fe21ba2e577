//! `kubeclash etcd-size`: a live etcd and its saved data directory come to the same, and the original is only read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cli_sandbox::{Sandbox, files_below, until};
use crate::conformance::{local, up};
use crate::load_measure::Traces;

fn copy(from: &Path, to: &Path) {
    for file in files_below(from) {
        let copy = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(file, copy).unwrap();
    }
}

fn digests(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = files_below(dir).into_iter();
    files
        .map(|file| {
            let digest = Sha256::digest(fs::read(&file).unwrap()).to_vec();
            (file, digest)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn saved_data_has_what_the_live_etcd_had() {
    if !local().await {
        return;
    }
    let sandbox = Sandbox::new().await;
    let logs = sandbox.path("logs");
    let cluster = up(None, &logs).await;
    let maps = Api::<ConfigMap>::default_namespaced(cluster.client().clone());
    for number in 0..7 {
        let map = json!({"metadata": {"name": format!("map-{number}")}, "data": {"a": "b"}});
        let map = serde_json::from_value(map).unwrap();
        maps.create(&PostParams::default(), &map).await.unwrap();
    }
    let traces = Traces::of(&cluster, &logs);
    let wanted = "/registry/configmaps/default/map-";
    let size = |from: &str| {
        let ended = sandbox.run(&["etcd-size", from, "--prefix", wanted, "--format", "json"]);
        ended.assert(0, &[]);
        serde_json::from_str::<Value>(&ended.stdout).unwrap()
    };
    let live = size(&traces.etcd());
    assert_eq!(live["keys"][wanted], 7);
    assert!(live["keys"]["all"].as_u64() > live["keys"]["configmaps"].as_u64());
    // What is behind the last write: that it was committed is noted down with the next, and what is not known to be is left out.
    for time in 0..3 {
        let changed = Patch::Merge(json!({"data": {"a": time.to_string()}}));
        let params = PatchParams::default();
        maps.patch("map-0", &params, &changed).await.unwrap();
    }
    // As after a crash: it is not asked to end.
    let processes = traces.processes();
    let (_, pid) = processes.iter().find(|(name, _)| name == "etcd").unwrap();
    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).unwrap();
    let port = traces.etcd().rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
    until("etcd's end", || {
        std::net::TcpListener::bind(("127.0.0.1", port)).ok()
    });
    let line = traces.command_line("etcd");
    let data = line
        .iter()
        .find_map(|arg| arg.strip_prefix("--data-dir="))
        .unwrap();
    let saved = sandbox.path("saved");
    copy(Path::new(data), &saved.join("data"));
    cluster.cluster.down(true).await;
    let before = digests(&saved);
    let found = size(&saved.display().to_string());
    assert_eq!(found["keys"][wanted], 7);
    assert_eq!(found["keys"]["configmaps"], live["keys"]["configmaps"]);
    assert_eq!(found["keys"]["nodes"], 2);
    let file = fs::metadata(saved.join("data/member/snap/db")).unwrap().len();
    assert_eq!(found["db_bytes"], file);
    assert_eq!(digests(&saved), before, "the original is only read");
    sandbox.assert_clean();
    let table = sandbox.run(&["etcd-size", &saved.join("data").display().to_string()]);
    table.assert(0, &[]);
    for word in [" database\n", "keys in all", " configmaps", " endpoints"] {
        assert!(table.stdout.contains(word), "{word}: {}", table.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_etcd_is_refused_and_leaves_nothing() {
    let sandbox = Sandbox::new().await;
    let run = |from: &Path, code, said: &[&str]| {
        sandbox
            .run(&["etcd-size", &from.display().to_string()])
            .assert(code, said);
        sandbox.assert_clean();
    };
    let empty = sandbox.path("empty");
    fs::create_dir(&empty).unwrap();
    run(
        &empty,
        2,
        &[
            "has no data of etcd: there is no member/snap/db in it",
            "--data-dir",
        ],
    );
    run(&sandbox.path("nowhere"), 2, &["has no data of etcd"]);
    let rubbish = sandbox.path("rubbish");
    fs::create_dir_all(rubbish.join("member/snap")).unwrap();
    fs::create_dir_all(rubbish.join("member/wal")).unwrap();
    fs::write(rubbish.join("member/snap/db"), vec![7; 100_000]).unwrap();
    run(&rubbish, 6, &["\"etcd\" exited", "an etcd of its time"]);
    // Nobody is there: the port of a socket that does not listen.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    let ended = sandbox.run(&["etcd-size", &url]);
    ended.assert(
        6,
        &[
            &format!("etcd at \"{url}\" does not answer"),
            "of a port for clients",
        ],
    );
}
