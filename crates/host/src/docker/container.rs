//! One container: started through testcontainers, its output in a file, removed in the end whatever happens.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::StreamExt;
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::models::HostConfigLogConfig;
use testcontainers::bollard::query_parameters::{
    InspectContainerOptions, KillContainerOptionsBuilder, LogsOptionsBuilder, WaitContainerOptions,
};
use testcontainers::core::client::docker_client_instance;
use testcontainers::core::error::ClientError;
use testcontainers::core::{AccessMode, Healthcheck, Mount};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerRequest, GenericImage, ImageExt, TestcontainersError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{COMPONENT_LABEL, RUN_LABEL, connect, remove, remove_all, spawn};

/// How long the removal of a container is waited for.
const REMOVAL: Duration = Duration::from_secs(10);

/// What a container is asked to be.
#[derive(Debug)]
pub struct Order {
    /// The run directory that it belongs to.
    pub run: PathBuf,
    /// Which component it is.
    pub component: String,
    /// The image's id, `sha256:…`.
    pub image: String,
    /// All of the command line; its first word replaces the image's entrypoint.
    pub command: Vec<String>,
    /// Docker's name of the network: `host` or `none`.
    pub network: &'static str,
    /// Files and folders of the host, at the same paths, and whether they may be written.
    pub mounts: Vec<(PathBuf, AccessMode)>,
    /// More environment than the image has.
    pub env: Vec<(String, String)>,
    /// Where its output goes.
    pub log: File,
}

/// How far a container is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Docker is at it.
    Starting,
    /// It runs, as far as is known.
    Running {
        /// Its process on this machine, if Docker tells.
        pid: Option<u32>,
    },
    /// It was not started, and why.
    Failed(String),
    /// It has exited, and all that it said is in its log; in the words of a child's exit status.
    Exited(String),
}

/// A container on its way from a start to a removal. Dropping it removes it, and waits for that.
#[derive(Debug)]
pub struct Container {
    state: watch::Receiver<State>,
    asked: CancellationToken,
    over: CancellationToken,
    life: JoinHandle<()>,
}

impl Container {
    /// Begins to start one; [`state`](Self::state) tells how that goes.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(order: Order) -> std::io::Result<Self> {
        let (tell, state) = watch::channel(State::Starting);
        let (asked, over) = (CancellationToken::new(), CancellationToken::new());
        let life = spawn(live(order, tell, asked.clone(), over.clone()))?;
        Ok(Self {
            state,
            asked,
            over,
            life,
        })
    }

    /// How far it is.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Waits until it has exited, or was not started.
    pub async fn exited(&mut self) -> State {
        let ended = |state: &State| matches!(state, State::Failed(_) | State::Exited(_));
        // A sender that has gone has told all that there is.
        let _ = self.state.wait_for(ended).await;
        self.state()
    }

    /// Asks it to end, with SIGTERM.
    pub fn ask(&self) {
        self.asked.cancel();
    }

    /// Kills and removes it, without waiting.
    pub fn kill(&self) {
        self.over.cancel();
    }

    /// Waits until it is removed.
    pub async fn gone(&mut self) {
        let _ = tokio::time::timeout(REMOVAL, &mut self.life).await;
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.kill();
        let deadline = Instant::now() + REMOVAL;
        while !self.life.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// All of a container's life. It is never dropped half-way: what was begun is ended here.
async fn live(order: Order, tell: watch::Sender<State>, asked: CancellationToken, over: CancellationToken) {
    let Order { run, component, .. } = &order;
    let (run, component) = (run.clone(), component.clone());
    let request = match connect().await {
        Ok(_) => request(&order),
        Err(trouble) => {
            tell.send_replace(State::Failed(format!(
                "Docker {}; {}",
                trouble.reason, trouble.help
            )));
            return;
        }
    };
    let started = match docker_client_instance().await {
        Ok(docker) => request.start().await.map(|container| (docker, container)),
        Err(error) => Err(error.into()),
    };
    match started {
        Err(error) => {
            // testcontainers forgets a container that was created and could not be started.
            remove_all(&run, &component).await;
            tell.send_replace(State::Failed(reason(&error)));
        }
        Ok((docker, container)) => {
            let id = container.id().to_owned();
            tell.send_replace(State::Running {
                pid: pid(&docker, &id).await,
            });
            let exit = tokio::select! {
                status = follow(&docker, &id, order.log, &asked) => Some(status),
                () = over.cancelled() => None,
            };
            if let Some(status) = exit {
                tell.send_replace(State::Exited(status));
            }
            if let Err(error) = container.rm().await {
                tracing::debug!(%error, component, "a container was not removed at once");
                if let Err(error) = remove(&docker, &id).await {
                    tracing::warn!(%error, component, "a container is left: \"kubeclash sweep\" removes it");
                }
            }
            tell.send_if_modified(|state| {
                let runs = matches!(state, State::Running { .. });
                if runs {
                    *state = State::Exited("killed".to_owned());
                }
                runs
            });
        }
    }
}

async fn pid(docker: &Docker, id: &str) -> Option<u32> {
    let container = docker
        .inspect_container(id, None::<InspectContainerOptions>)
        .await
        .ok()?;
    // 0 once it has exited.
    u32::try_from(container.state?.pid?).ok().filter(|pid| *pid > 0)
}

/// No privilege that a Kubernetes pod of the restricted profile would not have, and the user's own id: the run
/// directory is for nobody else to read.
fn request(order: &Order) -> ContainerRequest<GenericImage> {
    let (name, tag) = order.image.split_once(':').unwrap_or((&order.image, "latest"));
    let (program, rest) = order
        .command
        .split_first()
        .map_or(("", &[][..]), |(p, rest)| (p.as_str(), rest));
    let mut request = GenericImage::new(name, tag)
        .with_entrypoint(program)
        .with_cmd(rest)
        .with_network(order.network)
        .with_user(format!("{}:{}", nix::unistd::getuid(), nix::unistd::getgid()))
        // Where the daemon maps users, ours would be nobody in there.
        .with_userns_mode("host")
        .with_cap_drop("ALL")
        // The API server of an official image has this one on its file, and without it the kernel does not run it.
        .with_cap_add("NET_BIND_SERVICE")
        .with_security_opt("no-new-privileges")
        // SELinux would keep the run directory from it; marking the user's files as a container's is no better.
        .with_security_opt("label=disable")
        // We ask for its health ourselves, where that is known from.
        .with_health_check(Healthcheck::none())
        .with_label(RUN_LABEL, order.run.display().to_string())
        .with_label(COMPONENT_LABEL, order.component.clone())
        .with_mount(Mount::tmpfs_mount("/tmp").with_mode(0o1777))
        .with_host_config_modifier(|host| {
            host.publish_all_ports = Some(false);
            // Whatever the daemon's default is: this one can be read while it is written.
            host.log_config = Some(HostConfigLogConfig {
                typ: Some("json-file".to_owned()),
                config: None,
            });
        });
    for (path, access) in &order.mounts {
        let path = path.display().to_string();
        request = request.with_mount(Mount::bind_mount(path.clone(), path).with_access_mode(*access));
    }
    for (name, value) in &order.env {
        request = request.with_env_var(name, value);
    }
    request
}

/// Writes what a container says into its log until it has exited, and gives its exit status.
async fn follow(docker: &Docker, id: &str, mut log: File, asked: &CancellationToken) -> String {
    let all = LogsOptionsBuilder::new()
        .follow(true)
        .stdout(true)
        .stderr(true)
        .build();
    let mut output = Box::pin(docker.logs(id, Some(all)));
    let mut terminated = false;
    loop {
        tokio::select! {
            said = output.next() => match said {
                // A full disk must not end the component; its next lines may find room.
                Some(Ok(said)) => drop(log.write_all(&said.into_bytes())),
                Some(Err(error)) => return format!("Docker lost it: {error}"),
                None => break,
            },
            () = asked.cancelled(), if !terminated => {
                terminated = true;
                let term = KillContainerOptionsBuilder::new().signal("SIGTERM").build();
                let _ = docker.kill_container(id, Some(term)).await;
            }
        }
    }
    let code = docker
        .wait_container(id, None::<WaitContainerOptions>)
        .next()
        .await;
    match code {
        Some(Ok(answer)) => format!("exit status: {}", answer.status_code),
        // Any code but 0 comes as an error.
        Some(Err(Error::DockerContainerWaitError { code, .. })) => format!("exit status: {code}"),
        Some(Err(error)) => format!("exit status unknown: {error}"),
        None => "exit status unknown".to_owned(),
    }
}

/// Docker's own words, without those of the libraries around them.
pub fn reason(error: &TestcontainersError) -> String {
    let inner = match error {
        TestcontainersError::Client(
            ClientError::CreateContainer(inner)
            | ClientError::StartContainer(inner)
            | ClientError::PullImage { err: inner, .. },
        ) => inner,
        other => return other.to_string(),
    };
    words(inner)
}

/// What Docker said of a failure.
pub fn words(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::DockerStreamError { error } => error.trim().to_owned(),
        other => other.to_string(),
    }
}
