//! However a run on kind ends, nothing of it stays: kill -9 with a sweep, Ctrl-C, mistakes; and what is to be kept stays.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Node;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, ResourceExt};
use kubeclash::exit;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::cli_sandbox::{Running, within};
use crate::docker_images::{Made, docker_for, program};
use crate::kind_live_sandbox::{CLUSTER, KindSandbox, docker};

/// A cluster that somebody made with kind, as an engine has it: a container and a network.
struct Bystander {
    container: String,
    network: String,
}

impl Bystander {
    async fn make() -> Self {
        let client = docker_for("a cluster of somebody else's").await.unwrap();
        let image = Made::of(&client, "node", &[("/sleeps", &*program().await)], &json!({})).await;
        let name = format!("kind-test-{}", uuid::Uuid::new_v4().simple());
        let label = "io.x-k8s.kind.cluster=mine";
        Self {
            network: docker(&["network", "create", "--label", label, &name]).unwrap(),
            container: docker(&[
                "create",
                "--network",
                &name,
                "--label",
                label,
                image.reference(),
                "/sleeps",
            ])
            .unwrap(),
        }
    }

    #[track_caller]
    fn assert_there(&self) {
        docker(&["container", "inspect", &self.container]).unwrap();
        docker(&["network", "inspect", &self.network]).unwrap();
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = docker(&["rm", "--force", &self.container]);
        let _ = docker(&["network", "rm", &self.network]);
    }
}

/// Waits for a run's first container.
fn until_there(running: &mut Running, look: impl Fn() -> Vec<String>) {
    within(CLUSTER, "a container", || {
        running.assert_runs();
        (!look().is_empty()).then_some(())
    });
}

#[tokio::test]
async fn kill_9_while_the_node_image_is_labelled_is_swept() {
    let Some(sandbox) = KindSandbox::of("kill -9 while a node image is labelled").await else {
        return;
    };
    let mut running = sandbox.start_on_kind(&["c7", "--arm", "control"]);
    until_there(&mut running, || sandbox.containers());
    running.signal(Signal::SIGKILL);
    assert_eq!(running.end().signal(), Some(9));
    sandbox.run(&["sweep"]).assert(exit::EXPECTED, &[]);
    sandbox.assert_nothing_left();
    sandbox.assert_nothing_comes();
}

#[tokio::test]
async fn kill_9_while_kind_makes_a_cluster_is_swept() {
    let Some(sandbox) = KindSandbox::of("kill -9 while kind makes a cluster").await else {
        return;
    };
    let bystander = Bystander::make().await;
    let mut running = sandbox.start_on_kind(&["c7", "--arm", "control"]);
    until_there(&mut running, || sandbox.nodes());
    // Before the kill: it may end by itself, at the first word that nobody reads.
    let at_work = sandbox.processes();
    assert!(
        at_work.values().any(|name| name == "kind"),
        "kind is not at work: {at_work:?}"
    );
    running.signal(Signal::SIGKILL);
    assert_eq!(running.end().signal(), Some(9));

    let swept = sandbox.run(&["sweep"]);
    swept.assert(exit::EXPECTED, &[]);
    for word in ["(container ", "(network ", "(image "] {
        assert!(swept.stdout.contains(word), "no {word} in {swept}");
    }
    sandbox.assert_nothing_left();
    bystander.assert_there();
    assert_eq!(sandbox.run(&["sweep"]).stdout, "nothing was left behind\n");
    sandbox.assert_nothing_comes();
}

#[tokio::test]
async fn kill_9_while_a_case_is_watched_on_kind_is_swept() {
    let Some(sandbox) = KindSandbox::of("kill -9 while a case is watched on kind").await else {
        return;
    };
    let bystander = Bystander::make().await;
    let mut running = sandbox.start_on_kind(&["c7", "--arm", "control"]);
    sandbox.marked_within(CLUSTER, &mut running);
    let containers = sandbox.containers();
    assert_eq!(containers.len(), 4, "a control plane and three workers");
    let volumes = "{{range .Mounts}}{{if eq .Type \"volume\"}}{{.Name}} {{end}}{{end}}";
    let volumes = containers
        .iter()
        .map(|id| docker(&["container", "inspect", "--format", volumes, id]).unwrap());
    let volumes: Vec<String> = volumes.collect();

    // A run whose kubeclash is alive is none of a sweep's business.
    assert_eq!(sandbox.run(&["sweep"]).stdout, "nothing was left behind\n");
    assert_eq!(sandbox.containers(), containers);
    // Before the kill: it ends by itself, at the first line that nobody reads.
    let at_work = sandbox.processes();
    assert!(
        at_work.values().any(|name| name == "docker"),
        "nobody follows the audit log: {at_work:?}"
    );
    running.signal(Signal::SIGKILL);
    assert_eq!(running.end().signal(), Some(9));

    sandbox.run(&["sweep"]).assert(exit::EXPECTED, &[]);
    sandbox.assert_nothing_left();
    bystander.assert_there();
    for volume in volumes.iter().flat_map(|names| names.split_whitespace()) {
        let there = docker(&["volume", "inspect", volume]);
        assert!(there.is_err(), "a node's volume is left: {there:?}");
    }
}

#[tokio::test]
async fn ctrl_c_while_kind_makes_a_cluster_leaves_nothing() {
    let Some(sandbox) = KindSandbox::of("Ctrl-C while kind makes a cluster").await else {
        return;
    };
    let mut running = sandbox.start_on_kind(&["c7", "--arm", "control"]);
    until_there(&mut running, || sandbox.nodes());
    let start = Instant::now();
    running.interrupt();
    let took = start.elapsed();
    sandbox.assert_nothing_left();
    assert!(took < Duration::from_secs(30), "{took:?}");
    sandbox.assert_nothing_comes();
}

#[tokio::test]
async fn a_cluster_that_is_to_be_kept_is_told_works_and_is_swept() {
    let Some(sandbox) = KindSandbox::of("a cluster of kind that is kept").await else {
        return;
    };
    let ran = sandbox.on_kind(&["c7", "--arm", "broken", "--keep"]);
    ran.assert(
        exit::EXPECTED,
        &["kept: ", "kubectl get pods", "\"kubeclash sweep\""],
    );
    let told = ran.stderr.split("KUBECONFIG=").nth(1).unwrap();
    let file = told.split_whitespace().next().unwrap();
    let config = Kubeconfig::read_from(file).unwrap();
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(config, &options)
        .await
        .unwrap();
    let client = Client::try_from(config).unwrap();
    let nodes = Api::<Node>::all(client).list(&Default::default()).await.unwrap();
    let names: Vec<String> = nodes.iter().map(ResourceExt::name_any).collect();
    assert_eq!(
        names,
        [
            "kind-control-plane",
            "kind-worker",
            "kind-worker2",
            "kind-worker3"
        ]
    );

    let doctor = sandbox.run(&["doctor"]);
    assert!(doctor.stdout.contains("a run that was to be kept"), "{doctor}");
    let dry = sandbox.run(&["sweep", "--dry-run", "--json"]);
    let told = crate::kind_live_sandbox::outcomes(&dry);
    assert_eq!(told[0]["kept"], true, "{dry}");
    assert_eq!(told[0]["containers"].as_array().unwrap().len(), 4, "{dry}");
    assert_eq!(told[0]["processes"], json!([]), "{dry}");
    sandbox.run(&["sweep"]).assert(exit::EXPECTED, &[]);
    sandbox.assert_nothing_left();
}

#[tokio::test]
async fn what_cannot_be_had_on_kind_is_named_with_the_remedy() {
    let Some(sandbox) = KindSandbox::of("node images that can't be had").await else {
        return;
    };
    let run = ["run", "c7", "--arm", "broken", "--provider", "kind"];
    let start = Instant::now();
    // Nobody listens there, whether or not there is a network.
    let unknown = sandbox.run(&[&run[..], &["--kind-image", "127.0.0.1:9/no/such:image"]].concat());
    let took = start.elapsed();
    let words = [
        "node image \"127.0.0.1:9/no/such:image\" can't be used",
        "refused",
        "node-image build",
        "--kind-image",
    ];
    unknown.assert(exit::UNAVAILABLE, &words);
    assert!(took < Duration::from_secs(20), "{took:?}");

    let client = docker_for("an image that is no node image").await.unwrap();
    let image = Made::of(&client, "none", &[("/sleeps", &*program().await)], &json!({})).await;
    let none = sandbox.run(&[&run[..], &["--kind-image", image.reference()]].concat());
    none.assert(
        exit::UNAVAILABLE,
        &[
            image.reference(),
            "is no node image of kind's",
            "node-image build",
        ],
    );

    let path = sandbox.on_kind(&["c7", "--kubernetes", "path:/no/such/folder"]);
    path.assert(
        exit::USAGE,
        &["--kubernetes path:/no/such/folder on kind", "node-image build"],
    );
    sandbox.assert_nothing_left();
}
