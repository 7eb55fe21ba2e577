//! `kubeclash bench scale`: many nodes, and many pods of one deployment on them, side by side with kwokctl's.

use std::future::Future;
use std::time::{Duration, Instant};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::kwokctl::Kwokctl;
use super::open;
use crate::cli::Failure;
use crate::cli::flags::RunFlags;
use crate::exit;
use kubeclash_cluster::{Order, nodes_ready};
use kubeclash_components::{Cache, ComponentName, Resolver};
use kubeclash_host::progress::Progress;
use kubeclash_load::profile::Profile;
use kubeclash_load::{crowd, scale};
use kubeclash_timeline::Shape;

/// How long nodes, and how long pods may take.
const PATIENCE: Duration = Duration::from_secs(900);

/// What one side took.
struct Took {
    nodes: Duration,
    pods: Duration,
}

pub(super) async fn run(nodes: usize, flags: &RunFlags, progress: &Progress) -> Result<(), Failure> {
    let settings = flags.settings();
    let resolver = Resolver::new(Cache::open(None)?, progress.clone())?;
    let kwokctl = resolver
        .resolve(&settings.selection, &[ComponentName::Kwokctl])
        .await?;
    let session = open(settings, progress).await?;
    let scratch = tempfile::tempdir().map_err(|e| Failure::new(exit::ERROR, e.to_string()))?;
    let task = progress.task(format!("{nodes} nodes"));
    let profile = Profile::of(nodes).map_err(|e| Failure::new(exit::USAGE, e.to_string()))?;
    let shape = Shape {
        workers: nodes,
        worker_cpu: profile.says.node.cpu,
    };
    let mut order = Order {
        scale: Some(scale(&profile.says)),
        ..session.order(shape, scratch.path().join("logs"))
    };
    order.tuning.audit = false;
    let binary = |name| {
        order
            .binary(name)
            .map(|b| b.program.to_string())
            .unwrap_or_default()
    };

    task.say("kubeclash: nodes");
    let start = Instant::now();
    let provider = session.settings().provider;
    let cluster = provider.up(order.clone(), &|_| ()).await;
    let cluster = cluster.map_err(|e| Failure::new(exit::UNAVAILABLE, e.to_string()))?;
    // The control plane's start is in it.
    let ready = start.elapsed();
    task.say("kubeclash: pods");
    let ours = pods(cluster.client().clone(), nodes, &task)
        .await
        .map(|pods| Took { nodes: ready, pods });
    cluster.down(true).await;
    let ours = ours?;

    task.say("kwokctl: nodes");
    let theirs = Kwokctl::new(
        &kwokctl[&ComponentName::Kwokctl].program,
        scratch.path().join("kwok"),
    );
    let measured = async {
        theirs.create(&binary).await?;
        let client = client_of(&theirs).await?;
        let start = Instant::now();
        theirs.scale(nodes).await?;
        in_time("nodes", nodes_ready(&client, nodes, false, PATIENCE)).await?;
        let ready = start.elapsed();
        // Pods can come when the taint of new nodes is off.
        in_time(
            "nodes that take pods",
            nodes_ready(&client, nodes, true, PATIENCE),
        )
        .await?;
        task.say("kwokctl: pods");
        let pods = pods(client, nodes, &task).await?;
        Ok(Took { nodes: ready, pods })
    };
    let measured: Result<Took, Failure> = measured.await;
    theirs.delete().await?;
    let theirs = measured?;
    drop(task);
    for (what, ours, theirs) in [
        ("nodes ready", ours.nodes, theirs.nodes),
        ("pods running", ours.pods, theirs.pods),
    ] {
        println!(
            "{nodes} {what}: kubeclash {:.1} s   kwokctl {:.1} s   {:.2} times as fast",
            ours.as_secs_f64(),
            theirs.as_secs_f64(),
            theirs.as_secs_f64() / ours.as_secs_f64()
        );
    }
    Ok(())
}

async fn in_time(what: &str, ready: impl Future<Output = Result<(), usize>>) -> Result<(), Failure> {
    ready
        .await
        .map_err(|open| Failure::new(exit::ERROR, format!("kwokctl: {open} {what} after {PATIENCE:?}")))
}

async fn client_of(kwokctl: &Kwokctl) -> Result<Client, Failure> {
    let failed =
        |why: String| Failure::new(exit::ERROR, format!("kwokctl's cluster can't be reached: {why}"));
    let kubeconfig = Kubeconfig::read_from(kwokctl.kubeconfig()).map_err(|e| failed(e.to_string()))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    Client::try_from(config.map_err(|e| failed(e.to_string()))?).map_err(|e| failed(e.to_string()))
}

/// How long one deployment of so many pods takes until all run.
async fn pods(
    client: Client,
    wanted: usize,
    task: &kubeclash_host::progress::Task,
) -> Result<Duration, Failure> {
    let start = Instant::now();
    let say = |running| task.say(format!("{running} of {wanted} pods run"));
    let running = crowd(client, wanted, &say);
    match tokio::time::timeout(PATIENCE, running).await {
        Ok(Ok(())) => Ok(start.elapsed()),
        Ok(Err(error)) => Err(Failure::new(
            exit::ERROR,
            format!("the deployment can't be made: {error}"),
        )),
        Err(_) => Err(Failure::new(
            exit::ERROR,
            format!("{wanted} pods did not all run after {PATIENCE:?}"),
        )),
    }
}
