//! The local provider: etcd, kube-apiserver, kube-controller-manager, kube-scheduler and descheduler as child
//! processes, on nodes that KWOK and [`kubelet`] play. Nothing to install, and everything on 127.0.0.1.

mod apiserver;
mod controllers;
mod descheduler;
mod etcd;
mod kubelet;
mod kwok;
mod metrics;
mod pki;
mod ports;
mod process;
mod scheduler;
mod wait;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Node;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use serde_json::Value;
use tokio::task::JoinSet;

use self::pki::Pki;
use self::ports::Port;
use self::process::Process;
use super::{Order, ProviderError};
use crate::component::ComponentName;
use crate::progress::Progress;
use crate::rundir::RunDir;

/// A cluster of the local provider.
///
/// [`Cluster::down`](super::Cluster::down) ends it; dropping it does the same, without waiting for more than its processes.
pub struct LocalCluster {
    order: Order,
    client: Client,
    pki: Pki,
    ports: [Port; 5],
    processes: Vec<Process>,
    descheduler: Option<Process>,
    tasks: JoinSet<()>,
    ready_after: Duration,
    // Last: the directory goes when the processes have.
    run: RunDir,
}

/// Makes what clusters of these binaries start from: an etcd data directory that an API server has bootstrapped.
///
/// Spares every start about a second. Kept in `cache`, one for each pair of etcd and API server, by their SHA-256;
/// nothing is done when it is there.
///
/// # Errors
/// When etcd or the API server can't be started.
pub async fn prepare(order: &Order, cache: &Path, progress: &Progress) -> Result<(), ProviderError> {
    let seed = seed_dir(order, cache)?;
    let setup = |e: std::io::Error| ProviderError::Setup {
        what: format!("seed \"{}\"", seed.display()),
        why: e.to_string(),
    };
    if seed.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(cache).map_err(setup)?;
    let lock = fs::File::create(cache.join("lock")).map_err(setup)?;
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await;
    let _lock = lock
        .map_err(|e| setup(std::io::Error::other(e)))?
        .map_err(setup)?;
    if seed.is_dir() {
        return Ok(());
    }
    let task = progress.task("first start");
    task.say("bootstrapping an API server once, so that later ones start faster");
    let run = RunDir::create().map_err(setup)?;
    let logs = run.path().join("logs");
    fs::create_dir_all(&logs).map_err(setup)?;
    let pki = Pki::create(&run.path().join("pki"))?;
    let ports: [Port; 3] = ports::claim()?;
    let data = run.path().join("etcd");
    let etcd_ports = etcd::Ports {
        client: ports[0].number,
        peer: ports[1].number,
    };
    let mut etcd = etcd::start(
        &run,
        &logs,
        order.binary(ComponentName::Etcd)?,
        &data,
        etcd_ports,
        order.ready_timeout,
    )
    .await?;
    let binary = order.binary(ComponentName::Apiserver)?;
    let mut apiserver = apiserver::start(&run, &logs, binary, &pki, ports[2].number, ports[0].number)?;
    apiserver::ready(
        &mut apiserver,
        &mut etcd,
        &apiserver::client(&pki, ports[2].number)?,
        order.ready_timeout,
    )
    .await?;
    apiserver.stop(Duration::from_secs(10)).await;
    etcd.stop(Duration::from_secs(10)).await;
    // Under the lock, so no other start is at it: what is there is of one that was killed.
    let partial = cache.join("partial");
    let _ = fs::remove_dir_all(&partial);
    etcd::copy_data(&data, &partial)
        .and_then(|()| fs::rename(&partial, &seed))
        .map_err(|e| {
            let _ = fs::remove_dir_all(&partial);
            setup(e)
        })
}

fn seed_dir(order: &Order, cache: &Path) -> Result<PathBuf, ProviderError> {
    let sha = |name| {
        order
            .binary(name)
            .map(|binary| binary.sha256.chars().take(12).collect::<String>())
    };
    Ok(cache.join(format!(
        "etcd-{}-apiserver-{}",
        sha(ComponentName::Etcd)?,
        sha(ComponentName::Apiserver)?
    )))
}

impl std::fmt::Debug for LocalCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalCluster")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl LocalCluster {
    /// Brings a cluster up.
    ///
    /// The API server starts first and alone: on two cores, everything at once makes everything late.
    pub(super) async fn up(order: Order) -> Result<Self, ProviderError> {
        let setup = |e: std::io::Error| ProviderError::Setup {
            what: "the run directory".to_owned(),
            why: e.to_string(),
        };
        let mut run = RunDir::create().map_err(setup)?;
        if order.keep {
            run.keep();
        }
        let pki = Pki::create(&run.path().join("pki"))?;
        let ports: [Port; 5] = ports::claim()?;
        let [client_port, peer, api, kcm, ks] = ports.each_ref().map(|port| port.number);
        let (logs, data) = (order.logs.clone(), run.path().join("etcd"));
        fs::create_dir_all(&logs).map_err(setup)?;
        for identity in [
            "admin",
            "kube-controller-manager",
            "kube-scheduler",
            "kwok",
            "descheduler",
        ] {
            apiserver::write_kubeconfig(
                &pki,
                identity,
                api,
                &run.path().join(format!("{identity}.kubeconfig")),
            )?;
        }
        if let Some(seed) = order
            .seeds
            .as_ref()
            .map(|cache| seed_dir(&order, cache))
            .transpose()?
            .filter(|s| s.is_dir())
        {
            etcd::copy_data(&seed, &data).map_err(setup)?;
        }
        let client = apiserver::client(&pki, api)?;
        let start = Instant::now();
        let kubeconfig = |name: &str| run.path().join(format!("{name}.kubeconfig"));
        let etcd_ports = etcd::Ports {
            client: client_port,
            peer,
        };
        let mut etcd = etcd::start(
            &run,
            &logs,
            order.binary(ComponentName::Etcd)?,
            &data,
            etcd_ports,
            order.ready_timeout,
        )
        .await?;
        let mut apiserver = apiserver::start(
            &run,
            &logs,
            order.binary(ComponentName::Apiserver)?,
            &pki,
            api,
            client_port,
        )?;
        apiserver::ready(&mut apiserver, &mut etcd, &client, order.ready_timeout).await?;
        tracing::debug!(after = ?start.elapsed(), "kube-apiserver is ready");
        let scheduler = order.binary(ComponentName::Scheduler)?;
        let mut scheduler =
            scheduler::start(&run, &logs, scheduler, &pki, &kubeconfig("kube-scheduler"), ks)?;
        let binary = order.binary(ComponentName::ControllerManager)?;
        let config = kubeconfig("kube-controller-manager");
        let mut controllers = controllers::start(&run, &logs, binary, &pki, &config, kcm, order.pace)?;
        let kwok = kwok::start(
            &run,
            &logs,
            order.binary(ComponentName::Kwok)?,
            &kubeconfig("kwok"),
            order.pace,
        )?;
        let mut tasks = JoinSet::new();
        let running = kubelet::Running::default();
        tasks.spawn(kubelet::play(client.clone(), running.clone(), order.pace));
        kwok::register(
            &client,
            order.shape,
            &order.binary(ComponentName::Apiserver)?.version,
        )
        .await?;
        let health = Health::new(&pki, order.ready_timeout)?;
        tracing::debug!(after = ?start.elapsed(), "nodes are registered");
        scheduler::ready(&mut scheduler, &health, ks).await?;
        tracing::debug!(after = ?start.elapsed(), "kube-scheduler is ready");
        controllers::ready(&mut controllers, &health, kcm).await?;
        tracing::debug!(after = ?start.elapsed(), "kube-controller-manager is ready");
        let mut cluster = Self {
            client,
            pki,
            ports,
            processes: vec![kwok, scheduler, controllers, apiserver, etcd],
            descheduler: None,
            tasks,
            ready_after: Duration::ZERO,
            run,
            order,
        };
        cluster.nodes_ready(cluster.order.ready_timeout).await?;
        cluster.ready_after = start.elapsed();
        tracing::debug!(after = ?start.elapsed(), "nodes are ready");
        if let Some(load) = cluster.order.load.clone() {
            let (client, pace) = (cluster.client.clone(), cluster.order.pace);
            metrics::serve(
                &client,
                &cluster.pki,
                running,
                &load,
                pace,
                cluster.order.ready_timeout,
                &mut cluster.tasks,
            )
            .await?;
        }
        Ok(cluster)
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.run.path().join("admin.kubeconfig")
    }

    pub(super) fn ready_after(&self) -> Duration {
        self.ready_after
    }

    pub(super) async fn start_descheduler(&mut self, policy: &Value) -> Result<(), ProviderError> {
        self.stop_descheduler().await;
        let binary = self.order.binary(ComponentName::Descheduler)?;
        let config = self.run.path().join("descheduler.kubeconfig");
        let process = descheduler::start(
            &self.run,
            &self.order.logs,
            binary,
            &config,
            policy,
            self.order.pace,
            self.order.ready_timeout,
        )
        .await?;
        self.descheduler = Some(process);
        Ok(())
    }

    pub(super) async fn stop_descheduler(&mut self) {
        if let Some(mut descheduler) = self.descheduler.take() {
            descheduler.kill();
            descheduler.gone().await;
        }
    }

    pub(super) fn trouble(&mut self) -> Option<ProviderError> {
        self.processes
            .iter_mut()
            .chain(&mut self.descheduler)
            .find_map(Process::exited)
    }

    pub(super) async fn down(mut self) {
        self.tasks.abort_all();
        // The cluster is thrown away, so nobody needs to be asked: killing is instant and leaves nothing half-written
        // that anybody reads.
        for process in self.processes.iter_mut().chain(&mut self.descheduler) {
            process.kill();
        }
        for process in self.processes.iter_mut().chain(&mut self.descheduler) {
            process.gone().await;
        }
        tracing::debug!(ports = ?self.ports.each_ref().map(|port| port.number), "the cluster is down");
    }

    /// Waits until every node is ready and takes pods: the controller-manager removes the taint that a new node begins with.
    async fn nodes_ready(&mut self, patience: Duration) -> Result<(), ProviderError> {
        let nodes = Api::<Node>::all(self.client.clone());
        let wanted = self.order.shape.workers;
        let mut open = std::collections::BTreeSet::new();
        let all = async {
            let mut changes = watcher::watcher(nodes, watcher::Config::default())
                .applied_objects()
                .boxed();
            while let Some(node) = changes.try_next().await.ok().flatten() {
                let name = node.metadata.name.clone().unwrap_or_default();
                if takes_pods(&node) {
                    open.insert(name)
                } else {
                    open.remove(&name)
                };
                if open.len() == wanted {
                    return;
                }
            }
        };
        let in_time = tokio::time::timeout(patience, all).await.is_ok();
        if in_time && open.len() == wanted {
            return Ok(());
        }
        let trouble = self.trouble();
        let seen = format!("{} of {wanted} nodes take pods", open.len());
        Err(trouble.unwrap_or_else(|| self.processes[2].not_ready(patience, &seen)))
    }
}

fn takes_pods(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_ref());
    let ready = conditions.is_some_and(|list| list.iter().any(|c| c.type_ == "Ready" && c.status == "True"));
    let tainted = node
        .spec
        .as_ref()
        .and_then(|s| s.taints.as_ref())
        .is_some_and(|taints| !taints.is_empty());
    ready && !tainted
}

/// Asks components for their health, over TLS with our own certificate authority.
#[derive(Debug)]
struct Health {
    client: reqwest::Client,
    patience: Duration,
}

impl Health {
    fn new(pki: &Pki, patience: Duration) -> Result<Self, ProviderError> {
        let failed = |why: String| ProviderError::Setup {
            what: "health checks".to_owned(),
            why,
        };
        // Somebody else may have installed one already; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let ca = reqwest::Certificate::from_pem(pki.ca.as_bytes()).map_err(|e| failed(e.to_string()))?;
        let client = reqwest::Client::builder()
            .tls_certs_only([ca])
            .no_proxy()
            .build()
            .map_err(|e| failed(e.to_string()))?;
        Ok(Self { client, patience })
    }
}

async fn until_healthy(
    process: &mut Process,
    health: &Health,
    port: u16,
    path: &str,
) -> Result<(), ProviderError> {
    let url: Arc<str> = format!("https://localhost:{port}{path}").into();
    wait::until_ready(process, health.patience, || async {
        let answer = health
            .client
            .get(&*url)
            .send()
            .await
            .map_err(|e| format!("{path}: {e}"))?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(format!("{path}: {}", answer.status()))
        }
    })
    .await
}
