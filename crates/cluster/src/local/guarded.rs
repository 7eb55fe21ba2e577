//! The API server under the eyes of a kubelet: asked whether it lives, killed when it does not answer, started again.
//!
//! What a real kubelet does with a static pod of kubeadm's (pkg/kubelet/prober, pkg/kubelet/kuberuntime), and no more: startup and
//! liveness probe, TERM, KILL after the grace period, and the pause before a second restart.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio_util::task::AbortOnDropHandle;

use super::quota::Quota;
use crate::ProviderError;
use crate::liveness::Told;
use crate::process::Process;
use crate::site::Site;
use kubeclash_components::Binary;
use kubeclash_timeline::{Liveness, LivenessChange};

/// The API server, and who looks after it.
#[derive(Debug)]
pub(super) struct Guarded {
    slot: Slot,
    told: Told,
    guard: Option<AbortOnDropHandle<()>>,
    /// Last: it is let go of when the process has ended.
    _quota: Option<Arc<Quota>>,
}

/// The process; nothing while it is being ended or about to be started.
type Slot = Arc<Mutex<Option<Process>>>;

/// What it takes to look after an API server.
pub(super) struct Care {
    pub(super) site: Weak<Site>,
    pub(super) binary: Binary,
    pub(super) args: Vec<String>,
    pub(super) port: u16,
    pub(super) liveness: Liveness,
}

impl Guarded {
    /// Takes an API server that answers into care.
    pub(super) fn over(
        process: Process,
        care: Care,
        quota: Option<Arc<Quota>>,
    ) -> Result<Self, ProviderError> {
        let site = care.site.upgrade().ok_or_else(|| ProviderError::Setup {
            what: "the API server's liveness".to_owned(),
            why: "its cluster is gone".to_owned(),
        })?;
        let slot: Slot = Arc::new(Mutex::new(Some(process)));
        let told = Told::default();
        let asking = asking(&site)?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(site.log("kubelet"))
            .map_err(|e| ProviderError::Setup {
                what: "the hollow kubelet's log".to_owned(),
                why: e.to_string(),
            })?;
        let guard = Guard {
            care,
            slot: Arc::clone(&slot),
            told: told.clone(),
            quota: quota.clone(),
            asking,
            log,
        };
        Ok(Self {
            slot,
            told,
            guard: Some(AbortOnDropHandle::new(tokio::spawn(guard.watch()))),
            _quota: quota,
        })
    }

    /// What has befallen it.
    pub(super) fn told(&self) -> &Told {
        &self.told
    }

    /// What there is of it just now.
    pub(super) fn with<T>(&self, see: impl FnOnce(&mut Process) -> T) -> Option<T> {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_mut().map(see)
    }

    /// Ends it, and whoever would start it again.
    pub(super) async fn end(&mut self) {
        if let Some(guard) = self.guard.take() {
            guard.abort();
            let _ = guard.await;
        }
        let process = self.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut process) = process {
            process.kill();
            process.gone().await;
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.guard.take());
        // Ends it: see [`Process`].
        drop(self.slot.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// A client as a kubelet's prober is one: a new connection each time.
fn asking(site: &Site) -> Result<reqwest::Client, ProviderError> {
    let failed = |why: String| ProviderError::Setup {
        what: "liveness probes".to_owned(),
        why,
    };
    let pem = |name: &str| std::fs::read(site.pki.file(name)).map_err(|e| failed(e.to_string()));
    let ca = reqwest::Certificate::from_pem(site.pki.ca.as_bytes()).map_err(|e| failed(e.to_string()))?;
    let mut identity = pem("admin.crt")?;
    identity.extend(pem("admin.key")?);
    let identity = reqwest::Identity::from_pem(&identity).map_err(|e| failed(e.to_string()))?;
    reqwest::Client::builder()
        .tls_certs_only([ca])
        .identity(identity)
        .no_proxy()
        .pool_max_idle_per_host(0)
        .build()
        .map_err(|e| failed(e.to_string()))
}

/// Why an API server is no more.
enum End {
    Unanswered(u32),
    ByItself,
}

struct Guard {
    care: Care,
    slot: Slot,
    told: Told,
    quota: Option<Arc<Quota>>,
    asking: reqwest::Client,
    log: File,
}

impl Guard {
    async fn watch(mut self) {
        let Liveness {
            pause: first,
            longest_pause: longest,
            ..
        } = self.care.liveness;
        let mut pause = Duration::ZERO;
        let mut restarts = 0;
        loop {
            let since = Instant::now();
            let end = self.until_end(restarts > 0).await;
            if let End::Unanswered(failures) = end {
                self.kill(failures).await;
            }
            if since.elapsed() > longest * 2 {
                pause = Duration::ZERO;
            }
            // As a container that crashes is started again: at once, and then with ever longer pauses.
            tokio::time::sleep(pause).await;
            pause = (pause * 2).clamp(first, longest);
            restarts += 1;
            if !self.start(restarts) {
                return;
            }
        }
    }

    /// Asks until it has failed too often, or has ended by itself.
    async fn until_end(&mut self, starting: bool) -> End {
        let Liveness {
            period,
            timeout,
            failures,
            startup_failures,
            ..
        } = self.care.liveness;
        let mut alive = !starting;
        if alive {
            self.alive();
        }
        let mut in_a_row = 0;
        let mut ticks = tokio::time::interval_at((Instant::now() + period).into(), period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let exited = self.with_process(Process::exited).flatten();
            if let Some(error) = exited {
                self.write(
                    'E',
                    &format!(
                        "\"Container exited\" containerName=\"kube-apiserver\" reason={:?}",
                        error.to_string()
                    ),
                );
                self.told.tell(LivenessChange::Exited {
                    how: error.to_string(),
                });
                return End::ByItself;
            }
            match self.probe(timeout).await {
                Ok(()) => {
                    in_a_row = 0;
                    if !std::mem::replace(&mut alive, true) {
                        self.alive();
                    }
                }
                Err(why) => {
                    in_a_row += 1;
                    let kind = if alive { "Liveness" } else { "Startup" };
                    self.write(
                        'I',
                        &format!(
                            "\"Probe failed\" probeType=\"{kind}\" pod=\"kube-system/kube-apiserver-hollow\" \
                         containerName=\"kube-apiserver\" probeResult=\"failure\" output={why:?}"
                        ),
                    );
                    self.told.tell(LivenessChange::ProbeFailed { in_a_row, why });
                    let most = if alive { failures } else { startup_failures };
                    if in_a_row >= most {
                        return End::Unanswered(in_a_row);
                    }
                }
            }
        }
    }

    fn alive(&mut self) {
        self.write(
            'I',
            "\"SyncLoop (probe)\" probe=\"startup\" status=\"started\" pod=\"kube-system/kube-apiserver-hollow\"",
        );
        self.told.tell(LivenessChange::Alive);
    }

    async fn probe(&self, timeout: Duration) -> Result<(), String> {
        let url = format!("https://localhost:{}/livez", self.care.port);
        match tokio::time::timeout(timeout, self.asking.get(&url).send()).await {
            Ok(Ok(answer)) if answer.status().is_success() => Ok(()),
            Ok(Ok(answer)) => Err(format!(
                "HTTP probe failed with statuscode: {}",
                answer.status().as_u16()
            )),
            Ok(Err(error)) => Err(format!("Get \"{url}\": {error}")),
            Err(_) => Err(format!("Get \"{url}\": context deadline exceeded")),
        }
    }

    async fn kill(&mut self, failures: u32) {
        let grace = self.care.liveness.grace;
        self.write('I', "\"Message for Container of pod\" containerName=\"kube-apiserver\" \
             pod=\"kube-system/kube-apiserver-hollow\" containerMessage=\"Container kube-apiserver failed liveness probe, will be restarted\"");
        self.write(
            'I',
            &format!(
                "\"Killing container with a grace period\" pod=\"kube-system/kube-apiserver-hollow\" \
             containerName=\"kube-apiserver\" gracePeriod={}",
                grace.as_secs_f64()
            ),
        );
        self.told.tell(LivenessChange::Killing { failures });
        let process = self.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(process) = process {
            let by_force = process.stop_within(grace).await;
            if by_force {
                self.write('E', "\"Container termination failed with gracePeriod\" err=\"rpc error: code = DeadlineExceeded desc = context deadline exceeded\" \
                     pod=\"kube-system/kube-apiserver-hollow\" containerName=\"kube-apiserver\"");
            }
            self.told.tell(LivenessChange::Killed { by_force });
        }
        if let Some(quota) = &self.quota {
            quota.release();
        }
    }

    /// Starts it again; `false` where the cluster is gone.
    fn start(&mut self, restarts: u32) -> bool {
        let Some(site) = self.care.site.upgrade() else {
            return false;
        };
        match site.start(&self.care.binary, &self.care.args) {
            Ok(process) => {
                let pid = process.pid().map(|(_, pid)| pid);
                if let (Some(quota), Some(pid)) = (&self.quota, pid)
                    && let Err(error) = quota.hold(pid)
                {
                    tracing::warn!(%error, "the API server's CPU is not bounded any more");
                }
                *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
                self.write('I', &format!(
                    "\"Started container\" pod=\"kube-system/kube-apiserver-hollow\" containerName=\"kube-apiserver\" restartCount={restarts}"
                ));
                self.told.tell(LivenessChange::Restarted { restarts, pid });
            }
            Err(error) => {
                let how = format!("it could not be started again: {error}");
                self.told.tell(LivenessChange::Exited { how });
            }
        }
        true
    }

    fn with_process<T>(&self, see: impl FnOnce(&mut Process) -> T) -> Option<T> {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_mut().map(see)
    }

    /// As a kubelet's log has it.
    fn write(&mut self, severity: char, text: &str) {
        let now = jiff::Timestamp::now().strftime("%m%d %H:%M:%S%.6f");
        let pid = std::process::id();
        // A log that can't be written takes no verdict away: what is told is what counts.
        let _ = writeln!(self.log, "{severity}{now} {pid:7} hollow_kubelet.go:1] {text}");
    }
}
