//! The local provider: etcd, kube-apiserver, kube-controller-manager, kube-scheduler and descheduler as child
//! processes (or containers, where a fork is an image), on nodes that KWOK and [`kubelet`] play. Nothing to install, and everything on 127.0.0.1.

mod apiserver;
mod controllers;
mod etcd;
mod guarded;
mod kubelet;
mod kwok;
mod metrics;
mod overload;
mod quota;
mod seed;
mod usage;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use kube::Client;
use once_cell::sync::Lazy;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::guarded::{Care, Guarded};
use self::kubelet::Registry;
use self::quota::Quota;
pub use self::seed::prepare;

use super::controller::{Controller, Controllers};
use super::health::Health;
use super::ports::{self, Port};
use super::process::Process;
use super::site::Site;
use super::{
    LivenessEvent, NodeSpec, OnCycle, OnLiveness, Order, ProviderError, access, descheduler, nodes, scheduler,
};
use crate::CpuUse;
use kubeclash_components::ComponentName;

/// How long the controller-manager may take to open a node for pods, where there are many.
const PATIENCE_A_NODE: Duration = Duration::from_millis(60);

/// The clusters that may start now. A start is work, unlike what comes after it, which is mostly waiting.
static STARTS: Lazy<Semaphore> = Lazy::new(|| Semaphore::new(2 * super::cores()));

/// A cluster of the local provider.
///
/// [`Cluster::down`](super::Cluster::down) ends it; dropping it does the same, without waiting for more than its processes.
pub struct LocalCluster {
    order: Order,
    client: Client,
    ports: [Port; 7],
    /// kwok, scheduler, controller-manager, etcd.
    processes: [Process; 4],
    apiserver: Apiserver,
    second_scheduler: Option<Process>,
    descheduler: Option<Process>,
    controllers: Controllers,
    /// A client of the kubelets.
    hollow: Client,
    registry: Registry,
    tasks: JoinSet<()>,
    ready_after: Duration,
    /// How the API server's CPU is bounded.
    quota: Option<Arc<Quota>>,
    // Last: its directory goes when the processes have.
    site: Arc<Site>,
}

/// The API server.
#[derive(Debug)]
enum Apiserver {
    /// One that stays as it is: if it ends, the run does.
    Plain(Box<Process>),
    /// One that is killed and started again.
    Guarded(Guarded),
}

impl std::fmt::Debug for LocalCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalCluster")
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}

impl LocalCluster {
    /// Brings a cluster up.
    ///
    /// The API server starts first and alone: on two cores, everything at once makes everything late. So do many clusters, of which
    /// two a core start at a time.
    pub(super) async fn up(order: Order) -> Result<Self, ProviderError> {
        let _turn = STARTS.acquire().await;
        let site = Arc::new(Site::create(
            Some(order.logs.clone()),
            order.ready_timeout,
            order.keep,
        )?);
        let ports: [Port; 7] = ports::claim()?;
        let [client, peer, api, controllers, scheduler, second, _] = ports.each_ref().map(|port| port.number);
        site.write_kubeconfigs(api)?;
        let data = site.path().join("etcd");
        seed::sow(&order, &data)?;
        let start = Instant::now();
        let binary = |name| order.binary(name);
        let mut etcd = etcd::start(
            &site,
            binary(ComponentName::Etcd)?,
            &data,
            etcd::Ports { client, peer },
        )
        .await?;
        let mut more = if order.tuning.audit {
            apiserver::audit_flags(&site, &order.spec)?
        } else {
            Vec::new()
        };
        let scale = order.scale.as_ref();
        more.extend(scale.into_iter().flat_map(|scale| scale.apiserver_args.clone()));
        more.extend(order.spec.apiserver_flags(order.pace));
        let args = apiserver::args(&site, api, client, more);
        let mut apiserver = site.start(binary(ComponentName::Apiserver)?, &args)?;
        let client = access::client(&site.pki, api, access::KUBECTL)?;
        apiserver::wait(
            &mut apiserver,
            &mut etcd,
            &client,
            site.patience,
            apiserver::ANSWERING,
        )
        .await?;
        tracing::debug!(after = ?start.elapsed(), "kube-apiserver answers");
        let mut ks = scheduler::start(&site, binary(ComponentName::Scheduler)?, scheduler, &order)?;
        let mut second_scheduler = if order.has_second_scheduler() {
            let binary = binary(ComponentName::SecondScheduler)?;
            Some(scheduler::start(&site, binary, second, &order)?)
        } else {
            None
        };
        let mut kcm = controllers::start(
            &site,
            binary(ComponentName::ControllerManager)?,
            controllers,
            &order,
        )?;
        let kwok = kwok::start(&site, binary(ComponentName::Kwok)?, &order)?;
        let mut tasks = JoinSet::new();
        let registry = Registry::of(&order.spec.nodes);
        let hollow = access::client(&site.pki, api, access::KUBELET)?;
        tasks.spawn(kubelet::play(hollow.clone(), registry.clone(), order.pace));
        if order.spec.metrics || order.spec.nodes_stop {
            tasks.spawn(kubelet::follow_owners(hollow.clone(), registry.clone()));
            tasks.spawn(overload::watch(hollow.clone(), registry.clone(), order.pace));
        }
        let version = &binary(ComponentName::Apiserver)?.version;
        kwok::register(&client, &order.spec.nodes, scale, version).await?;
        let health = Health::new(&site)?;
        health.wait(&mut ks, scheduler).await?;
        if let Some(process) = &mut second_scheduler {
            health.wait(process, second).await?;
        }
        health.wait(&mut kcm, controllers).await?;
        let mut cluster = Self {
            client,
            ports,
            processes: [kwok, ks, kcm, etcd],
            apiserver: Apiserver::Plain(Box::new(apiserver)),
            quota: None,
            second_scheduler,
            descheduler: None,
            controllers: Controllers::default(),
            hollow,
            registry,
            tasks,
            ready_after: Duration::ZERO,
            site,
            order,
        };
        cluster.nodes_ready().await?;
        // Last, because its slowest start hook only sleeps.
        let [.., etcd] = &mut cluster.processes;
        let patience = cluster.site.patience;
        if let Apiserver::Plain(apiserver) = &mut cluster.apiserver {
            apiserver::wait(apiserver, etcd, &cluster.client, patience, apiserver::READY).await?;
        }
        cluster.ready_after = start.elapsed();
        tracing::debug!(after = ?cluster.ready_after, "the cluster is ready");
        cluster.bound()?;
        cluster = cluster.guarded(args)?;
        if cluster.order.spec.metrics {
            let (client, pace, registry) = (&cluster.client, cluster.order.pace, cluster.registry.clone());
            metrics::serve(client, &cluster.site, registry, pace, &mut cluster.tasks).await?;
        }
        Ok(cluster)
    }

    /// Bounds the API server's CPU, where that was asked for: from here on.
    fn bound(&mut self) -> Result<(), ProviderError> {
        let Some(cores) = self.order.scale.as_ref().and_then(|scale| scale.apiserver_cpu) else {
            return Ok(());
        };
        let quota = Quota::of(cores, self.site.run());
        if let Apiserver::Plain(apiserver) = &self.apiserver
            && let Some((_, pid)) = apiserver.pid()
        {
            quota.hold(pid).map_err(|e| ProviderError::Setup {
                what: "the API server's share of CPU".to_owned(),
                why: e.to_string(),
            })?;
        }
        self.quota = Some(Arc::new(quota));
        Ok(())
    }

    /// The same with its API server in care, where that was asked for.
    fn guarded(mut self, args: Vec<String>) -> Result<Self, ProviderError> {
        let Some(liveness) = self.order.scale.as_ref().and_then(|scale| scale.liveness) else {
            return Ok(self);
        };
        let care = Care {
            site: Arc::downgrade(&self.site),
            binary: self.order.binary(ComponentName::Apiserver)?.clone(),
            args,
            port: self.ports[2].number,
            liveness,
        };
        self.apiserver = match self.apiserver {
            Apiserver::Plain(process) => {
                Apiserver::Guarded(Guarded::over(*process, care, self.quota.clone())?)
            }
            guarded => guarded,
        };
        Ok(self)
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn liveness(&self) -> Vec<LivenessEvent> {
        match &self.apiserver {
            Apiserver::Plain(_) => Vec::new(),
            Apiserver::Guarded(guarded) => guarded.told().so_far(),
        }
    }

    pub(super) fn on_liveness(&self, told: OnLiveness) {
        if let Apiserver::Guarded(guarded) = &self.apiserver {
            guarded.told().listen(told);
        }
    }

    pub(super) fn bounded_by(&self) -> Option<String> {
        self.quota.as_ref().map(|quota| quota.told())
    }

    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.site.kubeconfig("admin")
    }

    pub(super) fn audit_log(&self) -> Option<PathBuf> {
        let audit = self.order.tuning.audit;
        audit.then(|| apiserver::audit_log(&self.site))
    }

    pub(super) fn cpu_times(&self) -> BTreeMap<String, Duration> {
        let started_later = self.second_scheduler.iter().chain(&self.descheduler);
        let started_later = started_later.chain(self.controllers.processes());
        let processes = self.processes.iter().chain(started_later);
        let apiserver = match &self.apiserver {
            Apiserver::Plain(process) => Some(process.cpu_time()),
            Apiserver::Guarded(guarded) => guarded.with(|process| process.cpu_time()),
        };
        processes.map(Process::cpu_time).chain(apiserver).collect()
    }

    pub(super) fn pids(&self) -> Vec<(String, u32)> {
        let started_later = self.second_scheduler.iter().chain(&self.descheduler);
        let started_later = started_later.chain(self.controllers.processes());
        let processes = self.processes.iter().chain(started_later);
        let apiserver = match &self.apiserver {
            Apiserver::Plain(process) => process.pid(),
            Apiserver::Guarded(guarded) => guarded.with(|process| process.pid()).flatten(),
        };
        processes.filter_map(Process::pid).chain(apiserver).collect()
    }

    pub(super) fn log(&self, name: ComponentName) -> PathBuf {
        self.site.log(&name.to_string())
    }

    pub(super) fn etcd(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0].number)
    }

    pub(super) fn ready_after(&self) -> Duration {
        self.ready_after
    }

    pub(super) async fn start_descheduler(
        &mut self,
        policy: &Value,
        every: Duration,
        on_cycle: OnCycle,
    ) -> Result<(), ProviderError> {
        let [.., port] = &self.ports;
        let slot = &mut self.descheduler;
        descheduler::start_anew(
            slot,
            &self.site,
            &self.order,
            port.number,
            (policy, every),
            on_cycle,
        )
        .await
    }

    pub(super) async fn stop_descheduler(&mut self) {
        descheduler::stop(&mut self.descheduler).await;
    }

    pub(super) fn client_as(&self, name: &str) -> Result<Client, ProviderError> {
        access::client(&self.site.pki, self.ports[2].number, &access::agent(name))
    }

    pub(super) async fn start_controller(&mut self, controller: &Controller) -> Result<(), ProviderError> {
        let (api, audit) = (self.ports[2].number, self.audit_log());
        self.controllers
            .start(&self.site, controller, api, audit.as_deref())
            .await
    }

    pub(super) async fn stop_controller(&mut self, name: &str) {
        self.controllers.stop(name).await;
    }

    pub(super) fn set_cpu(&self, cpu: &CpuUse) {
        self.registry.set_cpu(cpu.clone());
    }

    pub(super) async fn stop_node(&self, node: &str) -> Result<(), ProviderError> {
        kubelet::stop(&self.hollow, &self.registry, node).await
    }

    pub(super) async fn start_node(&self, node: &str) -> Result<(), ProviderError> {
        kubelet::start(&self.hollow, &self.registry, node).await
    }

    pub(super) fn next_worker(&self) -> usize {
        self.order.spec.nodes.len() + 1
    }

    pub(super) async fn add_nodes(&mut self, nodes: &[NodeSpec]) -> Result<(), ProviderError> {
        let version = &self.order.binary(ComponentName::Apiserver)?.version;
        self.registry.add(nodes);
        kwok::register(&self.client, nodes, self.order.scale.as_ref(), version).await?;
        self.order.spec.nodes.extend(nodes.iter().cloned());
        Ok(())
    }

    pub(super) fn trouble(&mut self) -> Option<ProviderError> {
        self.all().find_map(Process::exited)
    }

    pub(super) async fn died(&mut self) -> ProviderError {
        let deaths = self.all().map(|process| process.died().boxed());
        futures::future::select_all(deaths).await.0
    }

    /// Whether all that have a health endpoint still answer on it; if not, who does not.
    pub(super) async fn answers(&self) -> Result<(), String> {
        let health = Health::new(&self.site).map_err(|error| error.to_string())?;
        let [_, _, _, controllers, scheduler, second, _] = self.ports.each_ref().map(|port| port.number);
        let mut asked = vec![
            (ComponentName::ControllerManager, controllers),
            (ComponentName::Scheduler, scheduler),
        ];
        if self.second_scheduler.is_some() {
            asked.push((ComponentName::SecondScheduler, second));
        }
        for (name, port) in asked {
            health.answers(name, port).await?;
        }
        self.controllers.answers().await
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Process> {
        let started_later = self.second_scheduler.iter_mut().chain(&mut self.descheduler);
        let started_later = started_later.chain(self.controllers.processes_mut());
        let apiserver = match &mut self.apiserver {
            Apiserver::Plain(process) => Some(&mut **process),
            // Whoever looks after it minds its end.
            Apiserver::Guarded(_) => None,
        };
        self.processes.iter_mut().chain(apiserver).chain(started_later)
    }

    pub(super) async fn down(mut self) {
        self.tasks.abort_all();
        // The cluster is thrown away, so nobody needs to be asked: killing is instant and leaves nothing half-written
        // that anybody reads.
        self.all().for_each(Process::kill);
        for process in self.all() {
            process.gone().await;
        }
        if let Apiserver::Guarded(guarded) = &mut self.apiserver {
            guarded.end().await;
        }
        tracing::debug!(ports = ?self.ports.each_ref().map(|port| port.number), "the cluster is down");
    }

    /// Waits until every node is ready and takes pods.
    async fn nodes_ready(&mut self) -> Result<(), ProviderError> {
        let wanted = self.order.spec.nodes.len();
        // A thousand nodes take longer than three.
        let patience = self
            .site
            .patience
            .max(PATIENCE_A_NODE * u32::try_from(wanted).unwrap_or(u32::MAX));
        match nodes::ready(&self.client, wanted, true, patience).await {
            Ok(()) => Ok(()),
            Err(open) => {
                let seen = format!("{open} of {wanted} nodes take pods");
                let not_ready = self.processes[2].not_ready(patience, &seen);
                Err(self.trouble().unwrap_or(not_ready))
            }
        }
    }
}
