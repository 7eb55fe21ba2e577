//! What a killed run leaves of a kind cluster is swept, by its label: containers, the network, the image.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use kubeclash::exit;
use serde_json::{Value, json};

use crate::cli_sandbox::{Sandbox, ended};
use crate::docker_images::{Made, docker_for, not_run, program};
use crate::kind_live_sandbox::docker;

/// A node's container, the network that it is in and the image that it is of; they go when dropped.
struct Cluster {
    container: String,
    network: String,
    /// What the image was made of; it has no name either.
    parent: String,
    image: String,
}

impl Cluster {
    /// As the provider makes one, with a label, or as somebody does by hand.
    fn of(base: &Made, label: &str) -> Self {
        let commit = |of: &str, change: &str| {
            let container = docker(&["create", of, "/sleeps"]).unwrap();
            let image = docker(&["commit", "--change", change, &container]).unwrap();
            docker(&["rm", &container]).unwrap();
            image
        };
        let parent = commit(base.reference(), "ENV IS=parent");
        let image = commit(&parent, &format!("LABEL {label}"));
        let name = format!("kubeclash-test-{}", uuid::Uuid::new_v4().simple());
        let network = docker(&["network", "create", "--label", label, &name]).unwrap();
        let args = ["run", "--detach", "--network", &name, &image, "/sleeps"];
        Self {
            container: docker(&args).unwrap(),
            network,
            parent,
            image,
        }
    }

    /// Which of the three are there.
    fn there(&self) -> [bool; 3] {
        let running = docker(&[
            "container",
            "inspect",
            "--format",
            "{{.State.Running}}",
            &self.container,
        ]);
        [
            running == Ok("true".to_owned()),
            docker(&["network", "inspect", &self.network]).is_ok(),
            docker(&["image", "inspect", &self.image]).is_ok(),
        ]
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = docker(&["rm", "--force", "--volumes", &self.container]);
        let _ = docker(&["network", "rm", &self.network]);
        let _ = docker(&["image", "rm", "--force", &self.image, &self.parent]);
    }
}

fn root(sandbox: &Sandbox) -> PathBuf {
    sandbox.tmp().join(format!("kubeclash-{}", nix::unistd::getuid()))
}

/// What a killed run leaves that had a kind cluster.
fn killed(sandbox: &Sandbox, name: &str, engine: &str) -> PathBuf {
    let run = root(sandbox).join(name);
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("kind"), engine).unwrap();
    run
}

fn labelled(run: &Path) -> String {
    format!("kubeclash.run={}", run.display())
}

#[tokio::test]
async fn a_killed_kind_cluster_is_swept_and_nothing_else() {
    let Some(client) = docker_for("a sweep of kind clusters").await else {
        return;
    };
    if let Err(why) = docker(&["version"]) {
        return not_run("a sweep of kind clusters", &why);
    }
    let sandbox = Sandbox::without_components();
    let base = Made::of(&client, "node", &[("/sleeps", &*program().await)], &json!({})).await;
    let dead = killed(&sandbox, "run-0123456789ab", "docker");
    let alive = killed(&sandbox, "run-ba9876543210", "docker");
    let owner = File::create(alive.join("owner.json")).unwrap();
    owner.lock().unwrap();
    let gone = root(&sandbox).join("run-aaaaaaaaaaaa");

    let swept = [&dead, &gone].map(|run| Cluster::of(&base, &labelled(run)));
    let kept = [
        labelled(&alive),
        labelled(Path::new("/elsewhere/kubeclash-0/run-0123456789ab")),
        // By hand, with a name that could be ours.
        "io.x-k8s.kind.cluster=kubeclash-0123456789ab".to_owned(),
    ];
    let kept = kept.map(|label| Cluster::of(&base, &label));

    let doctor = sandbox.run(&["doctor"]);
    let counts = "0 processes and 1 containers, 1 networks, 1 images";
    assert_eq!(doctor.stdout.matches(counts).count(), 2, "{doctor}");
    let dry = sandbox.run(&["sweep", "--dry-run", "--json"]);
    dry.assert(exit::EXPECTED, &[]);
    let told: Vec<Value> = dry
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (run, cluster) in [&dead, &gone].into_iter().zip(&swept) {
        let told = told.iter().find(|told| told["run"] == json!(run)).unwrap();
        assert_eq!(told["containers"][0][1], json!(cluster.container));
        assert_eq!(told["networks"][0][1], json!(cluster.network));
        assert_eq!(told["images"][0][1], json!(cluster.image));
        assert_eq!(cluster.there(), [true; 3], "a dry run removed something");
    }
    assert_eq!(told.len(), 2, "{dry}");

    let text = sandbox.run(&["sweep"]);
    text.assert(exit::EXPECTED, &[]);
    for cluster in &swept {
        assert_eq!(cluster.there(), [false; 3], "{text}");
        let parent = docker(&["image", "inspect", &cluster.parent]);
        assert!(parent.is_ok(), "an image that carries no label went: {parent:?}");
    }
    for cluster in &kept {
        assert_eq!(cluster.there(), [true; 3], "{text}");
    }
    assert!(!dead.exists() && alive.exists());
    assert_eq!(sandbox.run(&["sweep"]).stdout, "nothing was left behind\n");

    owner.unlock().unwrap();
    sandbox.run(&["sweep"]).assert(exit::EXPECTED, &[]);
    assert_eq!(kept[0].there(), [false; 3]);
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_network_that_somebody_else_uses_is_named_and_its_run_is_kept() {
    let Some(client) = docker_for("a network in use").await else {
        return;
    };
    if let Err(why) = docker(&["version"]) {
        return not_run("a network in use", &why);
    }
    let sandbox = Sandbox::without_components();
    let base = Made::of(&client, "node", &[("/sleeps", &*program().await)], &json!({})).await;
    let run = killed(&sandbox, "run-0123456789ab", "docker");
    let cluster = Cluster::of(&base, &labelled(&run));
    let theirs = Cluster::of(&base, "somebody=else");
    docker(&["network", "connect", &cluster.network, &theirs.container]).unwrap();
    let swept = sandbox.run(&["sweep"]);
    swept.assert(
        exit::ERROR,
        &["what docker has of it can't be removed", "active endpoints"],
    );
    assert_eq!(cluster.there(), [false, true, false]);
    assert_eq!(theirs.there(), [true; 3]);
    assert!(run.exists(), "what knows of the network went");
}

#[test]
fn a_sweep_without_the_engine_says_what_it_cannot_remove() {
    let sandbox = Sandbox::without_components();
    let run = killed(&sandbox, "run-0123456789ab", "podman");
    let sweep = |bin: &Path| {
        let mut command = sandbox.command(&["sweep"]);
        command
            .env("PATH", bin)
            .env("DOCKER_HOST", "unix:///no/such/socket");
        ended(command)
    };
    let bin = sandbox.path("bin");
    fs::create_dir(&bin).unwrap();
    let swept = sweep(&bin);
    let cluster = "its kind cluster can't be removed";
    swept.assert(exit::ERROR, &[cluster, "there is no podman on PATH"]);

    sandbox.program("bin/podman", "#!/bin/sh\necho 'cannot connect' >&2\nexit 125\n");
    let swept = sweep(&bin);
    swept.assert(exit::ERROR, &[cluster, "\"podman container ls", "cannot connect"]);
    assert!(run.exists(), "what knows of the cluster went");

    // It has nothing of the run.
    sandbox.program("bin/podman", "#!/bin/sh\n");
    sweep(&bin).assert(exit::EXPECTED, &[]);
    sandbox.assert_clean();
}
