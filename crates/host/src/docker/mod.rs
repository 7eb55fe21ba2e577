//! Docker: whether it is there, whether its host network is this machine's, and which containers are whose.
//!
//! It is found as testcontainers finds it: `DOCKER_HOST`, then the default socket, then those of a user's own Docker.
//! What a component is, and what its container needs, is not known here.

mod container;

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use once_cell::sync::OnceCell;
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::models::SystemInfo;
use testcontainers::bollard::query_parameters::{
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
};
use testcontainers::core::client::docker_client_instance;
use testcontainers::core::error::ClientError;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::shell::on_path;

pub use container::{Container, Order, State, reason, words};

/// The label by which a container says whose it is: its run directory, as `KUBECLASH_RUN` for a child process.
pub const RUN_LABEL: &str = "kubeclash.run";

/// The label with a container's component.
pub const COMPONENT_LABEL: &str = "kubeclash.component";

/// A Docker that is there answers at once.
const ANSWER: Duration = Duration::from_secs(5);

/// Why Docker can't be used, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// A sentence's rest: `… is not installed`.
    pub reason: String,
    /// What to do next.
    pub help: String,
}

impl Trouble {
    fn new(reason: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            help: help.into(),
        }
    }
}

/// Starts what has to be ended even while a panic unwinds, on a runtime of its own: that of the panic may stand still.
fn spawn<F>(future: F) -> io::Result<JoinHandle<F::Output>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    static RUNTIME: OnceCell<Runtime> = OnceCell::new();
    let runtime = RUNTIME.get_or_try_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("docker")
            .enable_all()
            .build()
    })?;
    Ok(runtime.spawn(future))
}

/// Waits for Docker, or another engine, where nothing can be awaited; what goes wrong is the rest of a sentence that begins with its name.
pub fn wait<F, T>(future: F, patience: Duration) -> Result<T, String>
where
    F: Future<Output = Result<T, String>> + Send + 'static,
    T: Send + 'static,
{
    let (tell, told) = mpsc::sync_channel(1);
    let waiting = async move {
        // Nobody listens any more when it took too long.
        let _ = tell.send(future.await);
    };
    spawn(waiting).map_err(|error| format!("can't be asked: {error}"))?;
    told.recv_timeout(patience)
        .unwrap_or_else(|_| Err(format!("does not answer within {patience:?}")))
}

/// Every container that carries a run directory.
pub fn labelled(patience: Duration) -> Result<Vec<Found>, String> {
    let listed = async {
        let docker = connect().await.map_err(|trouble| trouble.reason)?;
        containers(&docker).await.map_err(|error| words(&error))
    };
    wait(listed, patience)
}

/// Kills and removes every container of a run.
pub fn remove_run(run: &Path, patience: Duration) -> Result<(), String> {
    let run = run.to_owned();
    let removed = async move {
        let docker = connect().await.map_err(|trouble| trouble.reason)?;
        let said = |error: Error| words(&error);
        for found in containers(&docker).await.map_err(said)? {
            if found.run == run {
                remove(&docker, &found.id).await.map_err(said)?;
            }
        }
        Ok(())
    };
    wait(removed, patience)
}

/// Docker, if it answers.
pub async fn connect() -> Result<Docker, Trouble> {
    let docker = docker_client_instance().await.map_err(|error| match &error {
        ClientError::Init(error) => unreachable(error),
        _ => Trouble::new(
            format!("cannot be asked: {error}"),
            "see DOCKER_HOST and TESTCONTAINERS_COMMAND",
        ),
    })?;
    match tokio::time::timeout(ANSWER, docker.ping()).await {
        Ok(Ok(_)) => Ok(docker),
        Ok(Err(error)) => Err(unreachable(&error)),
        Err(_) => Err(Trouble::new(
            format!("at {} does not answer within {ANSWER:?}", place()),
            "see whether \"docker info\" answers; DOCKER_HOST names another",
        )),
    }
}

/// Docker, if its host network is the one that the control plane listens on.
pub async fn on_this_machine() -> Result<(Docker, SystemInfo), Trouble> {
    let docker = connect().await?;
    let info = docker.info().await.map_err(|error| unreachable(&error))?;
    let host = sysinfo::System::host_name().unwrap_or_default();
    let kernel = sysinfo::System::kernel_version().unwrap_or_default();
    elsewhere(&info, &host, &kernel).map_or(Ok((docker, info)), Err)
}

/// Why a container on this Docker's host network would not be where the control plane is.
///
/// A daemon in a virtual machine (Docker Desktop, Colima), on another machine, or beside the container that we run in
/// has another kernel or another host name; a rootless one has a network namespace of its own.
fn elsewhere(info: &SystemInfo, host: &str, kernel: &str) -> Option<Trouble> {
    let help = "image+extract:REF takes the program out of the image and runs it without Docker";
    let trouble = |reason: String| Some(Trouble::new(reason, help));
    let system = info.operating_system.as_deref().unwrap_or_default();
    if system.contains("Docker Desktop") || cfg!(target_os = "macos") {
        return trouble(
            "is Docker Desktop or another virtual machine, whose host network is not this machine's"
                .to_owned(),
        );
    }
    let options = info.security_options.as_deref().unwrap_or_default();
    if options.iter().any(|option| option.contains("rootless")) {
        return trouble("is rootless, and its host network is not this machine's".to_owned());
    }
    let (theirs, running) = (info.name.as_deref(), info.kernel_version.as_deref());
    if theirs != Some(host) || running != Some(kernel) {
        return trouble(format!(
            "at {} runs on \"{}\" (kernel {}), and this is \"{host}\" (kernel {kernel}): its host network is not this \
             machine's",
            place(),
            theirs.unwrap_or("?"),
            running.unwrap_or("?"),
        ));
    }
    None
}

/// Which Docker there is, for `kubeclash doctor`: its release, or why it can't run components and what to do about it.
pub async fn examine() -> Result<String, Trouble> {
    let (_, info) = on_this_machine().await?;
    Ok(info
        .server_version
        .unwrap_or_else(|| "of an unknown release".to_owned()))
}

fn place() -> String {
    let host = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
    host.unwrap_or_else(|| "/var/run/docker.sock".to_owned())
}

fn unreachable(error: &Error) -> Trouble {
    let mut kind = match error {
        Error::SocketNotFoundError(_) => Some(io::ErrorKind::NotFound),
        // It stands for its cause, and so has only that one's.
        Error::IOError { err } => Some(err.kind()),
        _ => None,
    };
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut last = error.to_string();
    while let Some(cause) = source {
        kind = kind.or_else(|| cause.downcast_ref::<io::Error>().map(io::Error::kind));
        last = cause.to_string();
        source = cause.source();
    }
    let installed = ["docker", "dockerd"]
        .into_iter()
        .any(|program| on_path(program).is_some());
    let named = std::env::var_os("DOCKER_HOST").is_some_and(|host| !host.is_empty());
    match kind {
        Some(io::ErrorKind::NotFound) if !installed && !named => Trouble::new(
            "is not installed",
            "install it (https://docs.docker.com/engine/install), or let image+extract:REF take the program out of the \
             image and run it without Docker",
        ),
        Some(io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Trouble::new(
            format!("does not run: nothing listens at {}", place()),
            "start it (\"sudo systemctl start docker\"), or name another with DOCKER_HOST; image+extract:REF needs none",
        ),
        Some(io::ErrorKind::PermissionDenied) => Trouble::new(
            format!("may not be used: no permission on {}", place()),
            "join its group (\"sudo usermod -aG docker $USER\", then log in again); image+extract:REF needs no Docker",
        ),
        _ => Trouble::new(
            format!("at {} does not answer: {last}", place()),
            "see whether \"docker info\" answers; DOCKER_HOST names another",
        ),
    }
}

/// A container of kubeclash's, whether it runs or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The run directory that it belongs to.
    pub run: PathBuf,
    /// Which component it is.
    pub component: String,
    /// What Docker knows it by.
    pub id: String,
}

async fn containers(docker: &Docker) -> Result<Vec<Found>, Error> {
    let filters = [("label".to_owned(), vec![RUN_LABEL.to_owned()])].into();
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filters)
        .build();
    let listed = docker.list_containers(Some(options)).await?;
    let found = listed.into_iter().filter_map(|container| {
        let mut labels = container.labels?;
        Some(Found {
            run: labels.remove(RUN_LABEL)?.into(),
            component: labels.remove(COMPONENT_LABEL).unwrap_or_default(),
            id: container.id?,
        })
    });
    Ok(found.collect())
}

/// Kills and removes a container; one that is gone is fine.
pub async fn remove(docker: &Docker, id: &str) -> Result<(), Error> {
    // With its anonymous volumes, which an image may ask for.
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    match docker.remove_container(id, Some(options)).await {
        // Gone, or just being removed by somebody else.
        Err(Error::DockerResponseServerError {
            status_code: 404 | 409,
            ..
        }) => Ok(()),
        end => end,
    }
}

/// Removes what there is of a component in a run: a start that failed leaves a container that never ran.
async fn remove_all(run: &Path, component: &str) {
    let all = async {
        let docker = docker_client_instance().await.ok()?;
        for found in containers(&docker).await.ok()? {
            if found.run == run && found.component == component {
                remove(&docker, &found.id).await.ok()?;
            }
        }
        Some(())
    };
    if all.await.is_none() {
        tracing::warn!(component, run = %run.display(), "a container may be left: \"kubeclash sweep\" removes it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_docker_whose_host_network_is_another_is_refused_by_name() {
        let here = SystemInfo {
            name: Some("here".to_owned()),
            kernel_version: Some("6.1".to_owned()),
            operating_system: Some("Debian GNU/Linux 12 (bookworm)".to_owned()),
            security_options: Some(vec!["name=seccomp,profile=default".to_owned()]),
            ..SystemInfo::default()
        };
        let told = |info: &SystemInfo| elsewhere(info, "here", "6.1").map(|trouble| trouble.reason);
        if cfg!(target_os = "linux") {
            assert_eq!(told(&here), None);
        }
        let with = |change: &dyn Fn(&mut SystemInfo)| {
            let mut info = here.clone();
            change(&mut info);
            told(&info).unwrap_or_default()
        };
        let desktop = with(&|info| info.operating_system = Some("Docker Desktop".to_owned()));
        assert!(desktop.contains("Docker Desktop"), "{desktop}");
        if cfg!(target_os = "linux") {
            let rootless = with(&|info| {
                info.security_options = Some(vec!["name=seccomp".to_owned(), "name=rootless".to_owned()]);
            });
            assert!(rootless.contains("rootless"), "{rootless}");
            let remote = with(&|info| info.name = Some("there".to_owned()));
            assert!(
                remote.contains("\"there\"") && remote.contains("\"here\""),
                "{remote}"
            );
            let machine = with(&|info| info.kernel_version = Some("6.6-linuxkit".to_owned()));
            assert!(machine.contains("6.6-linuxkit"), "{machine}");
        }
    }

    #[test]
    fn each_reason_has_its_remedy() {
        let io = |kind: io::ErrorKind| unreachable(&Error::IOError { err: kind.into() });
        let denied = io(io::ErrorKind::PermissionDenied);
        assert!(
            denied.reason.contains("no permission") && denied.help.contains("usermod"),
            "{denied:?}"
        );
        let refused = io(io::ErrorKind::ConnectionRefused);
        assert!(
            refused.reason.contains("does not run") && refused.help.contains("systemctl"),
            "{refused:?}"
        );
        let other = io(io::ErrorKind::ConnectionReset);
        assert!(other.reason.contains("does not answer"), "{other:?}");
    }
}
