//! The kind provider: clusters that the kind command makes, with real kubelets in containers.
//!
//! A cluster belongs to one run: its name, its network and the label of all its containers are the run's, its
//! kubeconfig lies in the run directory, and its certificate authority is the run's own, so that it is talked to just
//! as a cluster of the local provider is. Nothing of the user's is read or written but what the engine's own command
//! reads: kind's kubeconfig and current context stay as they are.

mod able;
mod audit;
mod command;
mod config;
mod control_plane;
mod kit;
mod load;
mod made;
mod pool;
mod reset;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::FutureExt;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

pub use self::kit::{Asked, Host, Kit, NodeImage, tagged};
pub use self::pool::Pool;

use self::audit::Follower;
use self::command::{api_port, create, export_logs};
use self::made::Made;
use self::reset::Baseline;
use super::controller::{Controller, Controllers};
use super::health::Health;
use super::ports::{self, Port};
use super::process::Process;
use super::site::Site;
use super::{ClusterSpec, OnCycle, Order, ProviderError, access, descheduler, nodes, scheduler};
use kubeclash_components::{ComponentName, Origin};

/// A cluster of the kind provider.
///
/// [`Cluster::down`](super::Cluster::down) removes it; dropping it does the same, and waits for that.
pub struct KindCluster {
    order: Order,
    kit: Kit,
    client: Client,
    ports: [Port; 3],
    /// The scheduler under test, where it is not the node image's own.
    scheduler: Option<Process>,
    second_scheduler: Option<Process>,
    descheduler: Option<Process>,
    controllers: Controllers,
    /// Copies the audit log out of the control plane's node as it grows.
    audit: Option<Follower>,
    /// What it was when it was new, where it may be used again.
    baseline: Option<Baseline>,
    /// What kind itself took to make the cluster; nothing for one that is used again.
    created_after: Option<Duration>,
    ready_after: Duration,
    made: Made,
    // Last: its directory goes when everything else has.
    site: Site,
}

impl std::fmt::Debug for KindCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KindCluster")
            .field("made", &self.made)
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}

/// That it can make such a cluster.
///
/// # Errors
/// With the field that it can't have.
pub(super) fn able(spec: &ClusterSpec) -> Result<(), ProviderError> {
    able::of_spec(spec)
}

/// That a cluster can't get more nodes.
pub(super) fn no_more_nodes() -> ProviderError {
    able::unable("add nodes", "its nodes are made with the cluster")
}

/// What could not be done to get a cluster.
fn failed(what: impl Into<String>, why: impl Into<String>) -> ProviderError {
    ProviderError::Setup {
        what: what.into(),
        why: why.into(),
    }
}

impl KindCluster {
    /// Brings a cluster up, or takes one that waits.
    pub(super) async fn up(order: Order, say: &(dyn Fn(&str) + Sync)) -> Result<Self, ProviderError> {
        able::able(&order)?;
        let kit = order
            .kit
            .clone()
            .ok_or_else(|| failed("make a cluster", "kind was not looked for"))?;
        let waiting = match &kit.pool {
            Some(pool) => pool.take(&order).await,
            None => None,
        };
        match waiting {
            Some(waiting) => waiting.again(order).await,
            None => Self::make(order, kit, say).await,
        }
    }

    async fn make(order: Order, kit: Kit, say: &(dyn Fn(&str) + Sync)) -> Result<Self, ProviderError> {
        let site = Site::create(Some(order.logs.clone()), order.ready_timeout, order.keep)?;
        let ports: [Port; 3] = ports::claim()?;
        let start = Instant::now();
        let made = Made::begin(kit.engine, site.run(), &kit.image.id).await?;
        let config = config::write(&site, &order, &kit)?;
        let creation = Instant::now();
        if let Err(error) = create(&site, &kit, &made, &config, say).await {
            // What went wrong is told by the nodes, and these go now.
            say("kind failed: copying its nodes' logs");
            export_logs(&kit, &made, &site).await;
            return Err(error);
        }
        let created = creation.elapsed();
        say("waiting for its nodes");
        let port = api_port(&site)?;
        site.write_kubeconfigs(port)?;
        let client = access::client(&site.pki, port, access::KUBECTL)?;
        let mut cluster = Self {
            client,
            ports,
            scheduler: None,
            second_scheduler: None,
            descheduler: None,
            controllers: Controllers::default(),
            audit: None,
            baseline: None,
            created_after: Some(created),
            ready_after: Duration::ZERO,
            kit,
            made,
            site,
            order,
        };
        if let Err(error) = cluster.settle(say).await {
            say("the cluster is not as it should be: copying its nodes' logs");
            export_logs(&cluster.kit, &cluster.made, &cluster.site).await;
            return Err(error);
        }
        if cluster.kit.pool.is_some() {
            let baseline = Baseline::of(&cluster.client).await;
            cluster.baseline = Some(baseline.map_err(|why| failed("list what a new cluster has", why))?);
        }
        cluster.furnish().await?;
        cluster.ready_after = start.elapsed();
        tracing::debug!(after = ?cluster.ready_after, "the cluster is ready");
        Ok(cluster)
    }

    /// Makes one of ours out of kind's: rights, programs, schedulers, metrics.
    async fn settle(&mut self, say: &(dyn Fn(&str) + Sync)) -> Result<(), ProviderError> {
        self.follow_audit(0)?;
        control_plane::grant(&self.client).await?;
        self.start_schedulers(true).await?;
        let programs = load::programs(&self.site, &self.kit, &self.made, &self.order);
        let (programs, ready) = tokio::join!(programs, self.ready());
        programs.and(ready)?;
        // One that is used again may be by an arm with a load.
        if self.order.spec.metrics || self.kit.pool.is_some() {
            say("starting metrics-server");
            load::metrics(&self.site, &self.kit, &self.made, &self.order, &self.client).await?;
        }
        Ok(())
    }

    /// Gives the nodes the case's labels and taints, which another case may have otherwise.
    async fn furnish(&self) -> Result<(), ProviderError> {
        let nodes = Api::<Node>::all(self.client.clone());
        for node in &self.order.spec.nodes {
            if node.labels.is_empty() && node.taints.is_empty() {
                continue;
            }
            let mut patch = json!({"metadata": {"labels": node.labels}});
            if !node.taints.is_empty() {
                patch["spec"] = json!({"taints": node.taints});
            }
            let patched = nodes
                .patch(&node.name, &PatchParams::default(), &Patch::Strategic(patch))
                .await;
            patched.map_err(|source| ProviderError::Api {
                what: format!("label and taint node \"{}\"", node.name),
                source: Box::new(source),
            })?;
        }
        Ok(())
    }

    /// A cluster that was made clean, for another arm: with logs and an audit log of its own.
    async fn again(mut self, order: Order) -> Result<Self, ProviderError> {
        let start = Instant::now();
        self.site.log_to(order.logs.clone())?;
        self.order = order;
        self.created_after = None;
        let heard = match self.order.tuning.audit {
            true => Follower::length(self.kit.engine, &self.made).await?,
            false => 0,
        };
        self.follow_audit(heard)?;
        // Anew, so that they know nothing of the last arm, and write their logs to this one's.
        for process in self.processes() {
            process.kill();
            process.gone().await;
        }
        self.start_schedulers(false).await?;
        self.furnish().await?;
        self.ready_after = start.elapsed();
        Ok(self)
    }

    /// Starts the schedulers under test, the default one in the place of the node image's own, which a `new` cluster has.
    async fn start_schedulers(&mut self, new: bool) -> Result<(), ProviderError> {
        let (order, site) = (&self.order, &self.site);
        let [first, second, _] = self.ports.each_ref().map(|port| port.number);
        let health = Health::new(site)?;
        let started = async |binary, port| {
            let mut process = scheduler::start(site, binary, port, order)?;
            health.wait(&mut process, port).await?;
            Ok::<_, ProviderError>(process)
        };
        let forked = order
            .binaries
            .get(&ComponentName::Scheduler)
            .filter(|binary| !matches!(binary.origin, Origin::NodeImage { .. }));
        if let Some(binary) = forked {
            if new {
                control_plane::remove_scheduler(self.kit.engine, &self.made, &self.client, site.patience)
                    .await?;
            }
            self.scheduler = Some(started(binary, first).await?);
        }
        if order.has_second_scheduler() {
            let binary = order.binary(ComponentName::SecondScheduler)?;
            self.second_scheduler = Some(started(binary, second).await?);
        }
        Ok(())
    }

    /// Waits until controllers and nodes are ready, and pods can be made.
    async fn ready(&self) -> Result<(), ProviderError> {
        let (wanted, patience) = (self.order.spec.nodes.len(), self.site.patience);
        let own_scheduler = self.scheduler.is_none();
        let (controllers, nodes) = tokio::join!(
            control_plane::ready(&self.client, own_scheduler, patience),
            nodes::ready(&self.client, wanted, true, patience)
        );
        let late = |component: &str, seen: String| ProviderError::NotReady {
            component: component.to_owned(),
            waited: patience,
            seen,
            last: "(its log is among those of its node)".to_owned(),
            log: self.site.logs().to_owned(),
        };
        controllers.map_err(|name| late(&name, "it does not lead".to_owned()))?;
        nodes.map_err(|open| late("kubelet", format!("{open} of {wanted} nodes take pods")))
    }

    /// Begins to copy the audit log, after what was heard of it before, in bytes.
    fn follow_audit(&mut self, heard: u64) -> Result<(), ProviderError> {
        if self.order.tuning.audit {
            self.audit = Some(Follower::start(self.kit.engine, &self.made, &self.site, heard)?);
        }
        Ok(())
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.site.kubeconfig("admin")
    }

    pub(super) fn audit_log(&self) -> Option<PathBuf> {
        self.order.tuning.audit.then(|| self.site.log("audit"))
    }

    /// Of what runs outside the nodes.
    pub(super) fn cpu_times(&self) -> BTreeMap<String, Duration> {
        let processes = [&self.scheduler, &self.second_scheduler, &self.descheduler];
        processes.into_iter().flatten().map(Process::cpu_time).collect()
    }

    pub(super) fn created_after(&self) -> Option<Duration> {
        self.created_after
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
        access::client(&self.site.pki, api_port(&self.site)?, &access::agent(name))
    }

    pub(super) async fn start_controller(&mut self, controller: &Controller) -> Result<(), ProviderError> {
        let (api, audit) = (api_port(&self.site)?, self.audit_log());
        self.controllers
            .start(&self.site, controller, api, audit.as_deref())
            .await
    }

    pub(super) async fn stop_controller(&mut self, name: &str) {
        self.controllers.stop(name).await;
    }

    pub(super) async fn stop_node(&self, node: &str) -> Result<(), ProviderError> {
        self.kubelet(node, "stop").await
    }

    pub(super) async fn start_node(&self, node: &str) -> Result<(), ProviderError> {
        self.kubelet(node, "start").await
    }

    /// Has a node's init do something to its kubelet.
    async fn kubelet(&self, node: &str, what: &str) -> Result<(), ProviderError> {
        let container = self.made.container(node);
        let args = ["exec", &container, "systemctl", what, "kubelet"];
        let done = self.kit.engine.run(&args).await;
        done.map(drop)
            .map_err(|e| failed(format!("{what} node \"{node}\""), e.to_string()))
    }

    pub(super) fn next_worker(&self) -> usize {
        self.order.spec.nodes.len() + 1
    }

    pub(super) fn trouble(&mut self) -> Option<ProviderError> {
        self.processes().find_map(Process::exited)
    }

    pub(super) async fn died(&mut self) -> ProviderError {
        let deaths: Vec<_> = self.processes().map(|process| process.died().boxed()).collect();
        if deaths.is_empty() {
            // Nothing of ours runs; what runs in the nodes is asked for at the end.
            return std::future::pending().await;
        }
        futures::future::select_all(deaths).await.0
    }

    /// Whether the controllers run as they were started, in the nodes and outside; if not, who does not.
    pub(super) async fn answers(&self) -> Result<(), String> {
        control_plane::unbroken(&self.client, self.scheduler.is_none()).await?;
        let health = Health::new(&self.site).map_err(|error| error.to_string())?;
        let [first, second, _] = self.ports.each_ref().map(|port| port.number);
        let asked = [
            (ComponentName::Scheduler, &self.scheduler, first),
            (ComponentName::SecondScheduler, &self.second_scheduler, second),
        ];
        for (name, _, port) in asked.iter().filter(|(_, process, _)| process.is_some()) {
            health.answers(*name, *port).await?;
        }
        self.controllers.answers().await
    }

    /// Whether its scheduler runs outside of its nodes.
    pub(super) fn is_forked(&self) -> bool {
        self.scheduler.is_some()
    }

    fn processes(&mut self) -> impl Iterator<Item = &mut Process> {
        let schedulers = self.scheduler.iter_mut().chain(&mut self.second_scheduler);
        let others = self.controllers.processes_mut();
        schedulers.chain(&mut self.descheduler).chain(others)
    }

    /// Copies the nodes' logs, and removes the cluster; or lets it wait for another arm, where this one has gone `well`
    /// and that is asked for.
    pub(super) async fn down(mut self, well: bool) {
        self.stop_descheduler().await;
        // Who interrupts waits for nothing that could be done without.
        if !kubeclash_host::interrupt::token().is_cancelled() {
            export_logs(&self.kit, &self.made, &self.site).await;
        }
        let pool = self.kit.pool.clone().filter(|_| well && !self.order.keep);
        let (Some(pool), Some(baseline)) = (pool, &self.baseline) else {
            return self.remove().await;
        };
        drop(self.audit.take());
        match baseline.restore(&self.client, self.order.pace).await {
            Ok(()) => pool.put(self),
            Err(left) => {
                tracing::warn!(
                    left,
                    cluster = self.made.name,
                    "a used cluster did not become clean: it is not used again"
                );
                self.remove().await;
            }
        }
    }

    /// Removes the cluster, unless it is to be kept.
    async fn remove(mut self) {
        self.processes().for_each(Process::kill);
        for process in self.processes() {
            process.gone().await;
        }
        drop(self.audit.take());
        if self.order.keep {
            self.made.keep();
            return;
        }
        let Self { made, site, .. } = self;
        if let Err(error) = made.remove().await {
            tracing::warn!(%error, "a cluster is left: \"kubeclash sweep\" removes it");
        }
        // Its directory goes after everything that it tells of.
        drop(site);
    }
}
