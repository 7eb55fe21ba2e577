//! Cases on kind, with forks of scheduler and descheduler, on clusters that are used again, and beside what is its user's.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use kubeclash::exit;
use kubeclash::session::{Session, Settings};
use kubeclash_cluster::{Cluster, Provider};
use kubeclash_components::ComponentName;
use kubeclash_host::progress::Progress;
use kubeclash_timeline::Shape;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::{Value, json};

use crate::cli_sandbox::{Running, Sandbox, files_below};
use crate::docker_images::{Made, docker_for, program};
use crate::kind_live_sandbox::{CLUSTER, KindSandbox, cached, docker, outcomes};

/// A component of a run as the evidence has it.
fn component<'a>(outcome: &'a Value, name: &str) -> &'a Value {
    &outcome["components"][name]
}

/// A file among the evidence of a run.
fn evidence(sandbox: &Sandbox, outcome: &Value, file: &str) -> PathBuf {
    let folder = outcome["evidence"].as_str().unwrap();
    sandbox.path("out").join(folder).join(file)
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// What runs in the nodes, pods included.
fn processes_in_nodes(sandbox: &KindSandbox) -> Vec<String> {
    let all = "cat /proc/[0-9]*/comm 2>/dev/null; true";
    let nodes = sandbox.nodes();
    let told = nodes
        .iter()
        .map(|node| docker(&["exec", node, "sh", "-c", all]).unwrap());
    told.collect::<Vec<_>>()
        .join("\n")
        .lines()
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn forks_by_path_take_the_place_of_the_images_own_and_nothing_of_the_users_is_touched() {
    let Some(sandbox) = KindSandbox::of("forks by path on kind").await else {
        return;
    };
    let home = sandbox.path("home");
    fs::create_dir(home.join(".kube")).unwrap();
    let config = home.join(".kube/config");
    let mine = "apiVersion: v1\nkind: Config\ncurrent-context: mine\n";
    fs::write(&config, mine).unwrap();
    // Whoever opens this waits for ever, and so would the run.
    let pipe = sandbox.path("kubeconfig");
    mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let start = |args: &[&str]| {
        let mut command = sandbox.command(&sandbox.args(args));
        command.env("KUBECONFIG", &pipe);
        sandbox.started(command)
    };
    let end = |mut running: Running| {
        let ended = running.ended();
        assert_eq!(text(&config), mine, "{ended}");
        // What kind locks lies beside what it writes.
        assert_eq!(files_below(&home), std::slice::from_ref(&config), "{ended}");
        sandbox.assert_nothing_left();
        ended
    };

    let [scheduler, descheduler] = [ComponentName::Scheduler, ComponentName::Descheduler]
        .map(|name| async move { format!("path:{}", cached(name).await.display()) });
    let (scheduler, descheduler) = (scheduler.await, descheduler.await);
    let forks = ["--scheduler", &scheduler, "--descheduler", &descheduler];
    let mut running = start(&[&["c5", "--arm", "broken", "--format", "json"][..], &forks].concat());
    sandbox.marked_within(CLUSTER, &mut running);
    let seen = processes_in_nodes(&sandbox);
    let ran = end(running);
    ran.assert(exit::EXPECTED, &[]);
    let outcome = &outcomes(&ran)[0];
    assert_eq!(outcome["verdict"], "reproduced", "{ran}");
    for name in ["kube-scheduler", "descheduler"] {
        let origin = component(outcome, name)["origin"].as_str().unwrap();
        assert!(origin.contains("given"), "{name}: {origin}");
        let log = text(&evidence(&sandbox, outcome, &format!("logs/{name}.log")));
        assert!(log.starts_with("# /"), "{log}");
    }
    let own = component(outcome, "kube-apiserver")["origin"].as_str().unwrap();
    assert!(own.contains("node image"), "{own}");
    // The kernel keeps 15 bytes of a name.
    for name in ["kube-apiserver", "kube-controller"] {
        assert!(seen.iter().any(|seen| seen == name), "{seen:?}");
    }
    assert!(
        !seen.iter().any(|seen| seen == "kube-scheduler"),
        "the image's own runs beside the fork"
    );
    assert!(
        evidence(&sandbox, outcome, "logs/nodes").is_dir(),
        "the nodes' logs are missing"
    );

    // One that fails when the cluster is there.
    let failed = end(start(&[
        "c5",
        "--arm",
        "broken",
        "--descheduler-arg=--no-such-flag",
    ]));
    failed.assert(exit::UNAVAILABLE, &["no-such-flag"]);
}

#[tokio::test]
async fn a_second_scheduler_out_of_an_image_binds_the_cases_pods_on_kind() {
    let Some(sandbox) = KindSandbox::of("a second scheduler on kind").await else {
        return;
    };
    let image = scheduler_image().await;
    let ran = sandbox.on_kind(&[
        "c8",
        "--arm",
        "broken",
        "--scheduler",
        &image.spec(),
        "--scheduler-name",
        "second",
        "--format",
        "json",
    ]);
    ran.assert(exit::EXPECTED, &[]);
    let outcome = &outcomes(&ran)[0];
    assert_eq!(outcome["verdict"], "reproduced", "{ran}");
    let log = text(&evidence(&sandbox, outcome, "logs/second-scheduler.log"));
    assert!(log.starts_with("# docker run "), "{log}");
    let timeline = text(&evidence(&sandbox, outcome, "timeline.jsonl"));
    let pods = timeline.matches("\"pod\":").count();
    assert!(pods > 0);
    assert_eq!(timeline.matches("\"scheduler\":\"second\"").count(), pods);
    // The image's own stays, beside it.
    let own = component(outcome, "kube-scheduler")["origin"].as_str().unwrap();
    assert!(own.contains("node image"), "{own}");
    sandbox.assert_nothing_left();
}

#[tokio::test]
async fn a_cluster_with_a_scheduler_out_of_an_image_is_used_again() {
    let Some(sandbox) = KindSandbox::of("a cluster of kind that is used again").await else {
        return;
    };
    let image = scheduler_image().await;
    let ran = sandbox.on_kind(&[
        "c7",
        "c8",
        "--arm",
        "broken",
        "--reuse",
        "--scheduler",
        &image.spec(),
        "--format",
        "json",
    ]);
    ran.assert(exit::EXPECTED, &[]);
    let outcomes = outcomes(&ran);
    let verdicts: BTreeMap<&str, &str> = outcomes
        .iter()
        .map(|outcome| {
            (
                outcome["case"].as_str().unwrap(),
                outcome["verdict"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("c7_taint_recreate_loop", "reproduced"),
        ("c8_soft_spread_loop", "reproduced"),
    ];
    assert_eq!(verdicts, expected.into(), "{ran}");
    let mut ready: Vec<u64> = outcomes
        .iter()
        .map(|outcome| outcome["ready_ms"].as_u64().unwrap())
        .collect();
    ready.sort_unstable();
    assert!(ready[0] * 5 < ready[1], "the second was made as well: {ready:?}");
    let mut names: Vec<String> = outcomes
        .iter()
        .map(|outcome| {
            let nodes = evidence(&sandbox, outcome, "logs/kind.log");
            let log = text(&nodes);
            let name = log.split("--name").nth(1).unwrap();
            name.split_whitespace().next().unwrap().to_owned()
        })
        .collect();
    names.dedup();
    assert_eq!(names.len(), 1, "they had different clusters: {names:?}");
    let first = &outcomes[0];
    let log = text(&evidence(&sandbox, first, "logs/kube-scheduler.log"));
    assert!(log.starts_with("# docker run "), "{log}");
    sandbox.assert_nothing_left();
}

/// As Kubernetes publishes it.
async fn scheduler_image() -> Made {
    let client = docker_for("a scheduler out of an image on kind").await.unwrap();
    let binary = cached(ComponentName::Scheduler).await;
    let files = [
        ("/go-runner", &*program().await),
        ("/usr/local/bin/kube-scheduler", &*binary),
    ];
    Made::of(
        &client,
        "scheduler",
        &files,
        &json!({"Entrypoint": ["/go-runner"]}),
    )
    .await
}

#[tokio::test]
async fn what_an_arm_left_is_gone_or_the_cluster_is() {
    let Some(sandbox) = KindSandbox::of("what an arm leaves on a cluster that is used again").await else {
        return;
    };
    let mut settings = Settings::from_environment().unwrap();
    settings.provider = Provider::Kind;
    settings.on_kind.image = Some(sandbox.image().to_owned());
    settings.on_kind.reuse = true;
    let session = Session::open(settings, &Progress::detect()).await.unwrap();
    let up = async || {
        let shape = Shape {
            workers: 1,
            worker_cpu: 8,
        };
        let order = session.order(shape, sandbox.path("out"));
        Provider::Kind.up(order, &|_| ()).await.unwrap()
    };
    let name = |cluster: &Cluster| cluster.kubeconfig();

    let first = up().await;
    let first_is = name(&first);
    leave(&first, None).await;
    first.down(true).await;
    let second = up().await;
    assert_eq!(
        name(&second),
        first_is,
        "a cluster that is clean was not used again"
    );
    let maps = Api::<ConfigMap>::default_namespaced(second.client().clone());
    assert_eq!(maps.get_opt("left").await.unwrap(), None);
    let node = Api::<Node>::all(second.client().clone())
        .get("kind-worker")
        .await
        .unwrap();
    assert!(
        !node.metadata.labels.unwrap().contains_key("left"),
        "a label is left"
    );

    // Somebody holds it, and whoever it is, does not let go.
    leave(&second, Some("example.org/held")).await;
    second.down(true).await;
    let run = first_is.parent().unwrap();
    assert!(!run.exists(), "a cluster that is not clean waits to be used");
    session.close().await;
}

/// Leaves something of each kind that a case can: an object, and a node's label.
async fn leave(cluster: &Cluster, finalizer: Option<&str>) {
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some("left".to_owned()),
            finalizers: finalizer.map(|name| vec![name.to_owned()]),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    };
    Api::default_namespaced(cluster.client().clone())
        .create(&PostParams::default(), &map)
        .await
        .unwrap();
    let label = Patch::Merge(json!({"metadata": {"labels": {"left": "behind"}}}));
    Api::<Node>::all(cluster.client().clone())
        .patch("kind-worker", &PatchParams::default(), &label)
        .await
        .unwrap();
}
