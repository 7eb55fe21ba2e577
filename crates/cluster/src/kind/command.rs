//! The kind command: what it is told, what it says, and what it leaves to be read.

use std::path::Path;
use std::time::Duration;

use kube::config::Kubeconfig;
use tokio::process::Command;

use super::failed;
use super::kit::Kit;
use super::made::Made;
use crate::ProviderError;
use crate::process::Process;
use crate::site::Site;
use kubeclash_host::engine::PROVIDER_VARIABLE;

/// How long kind may take for a cluster: it waits for four minutes for a control plane itself.
const CREATION: Duration = Duration::from_secs(600);

/// How long the nodes' logs may take to be copied.
const EXPORT: Duration = Duration::from_secs(60);

/// Copies the kubelets' journals, containerd's, and the logs of all pods, as kind exports them, to the other logs.
pub(super) async fn export_logs(kit: &Kit, made: &Made, site: &Site) {
    let mut command = kind(kit, made, site);
    command
        .args(["export", "logs", "--name", &made.name])
        .arg(site.logs().join("nodes"));
    let exported = async {
        let mut process = Process::tool(site.run(), &site.log("kind"), "kind", command, None)?;
        process.done().await
    };
    match tokio::time::timeout(EXPORT, exported).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the nodes' logs are not all among the evidence"),
        Err(_) => tracing::warn!("the nodes' logs are not all among the evidence: that took too long"),
    }
}

/// The kind command, told which engine and which network are this run's, and which kubeconfig.
pub(super) fn kind(kit: &Kit, made: &Made, site: &Site) -> Command {
    let mut command = Command::new(&kit.kind);
    command
        .env(PROVIDER_VARIABLE, kit.engine.as_str())
        .env("KIND_EXPERIMENTAL_DOCKER_NETWORK", &made.name)
        .env("KIND_EXPERIMENTAL_PODMAN_NETWORK", &made.name)
        .env("KUBECONFIG", site.kubeconfig("kind"));
    command
}

/// Lets kind make the cluster, and says what it is at.
pub(super) async fn create(
    site: &Site,
    kit: &Kit,
    made: &Made,
    config: &Path,
    say: &(dyn Fn(&str) + Sync),
) -> Result<(), ProviderError> {
    let mut command = kind(kit, made, site);
    command
        .args([
            "create",
            "cluster",
            "--retain",
            "--name",
            &made.name,
            "--image",
            &made.image,
            "--config",
        ])
        .arg(config)
        .arg("--kubeconfig")
        .arg(site.kubeconfig("kind"));
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let ear = move |line: &str| {
        if let Some(step) = step(line) {
            // Nobody listens any more when it is over.
            let _ = tell.send(step);
        }
    };
    let mut process = Process::tool(
        site.run(),
        &site.log("kind"),
        "kind",
        command,
        Some(Box::new(ear)),
    )?;
    let deadline = tokio::time::sleep(CREATION);
    tokio::pin!(deadline);
    loop {
        tokio::select! {
            done = process.done() => return done,
            Some(step) = told.recv() => say(&format!("kind: {step}")),
            () = &mut deadline => return Err(process.not_ready(CREATION, "it is still at work")),
        }
    }
}

/// What kind says that it begins: ` • Preparing nodes 📦 📦   ...`.
fn step(line: &str) -> Option<String> {
    let begun = line.trim().strip_prefix('•')?;
    let words = begun
        .split_whitespace()
        .filter(|word| word.chars().all(|c| c.is_ascii() && c != '.'));
    Some(words.collect::<Vec<_>>().join(" "))
}

/// The port of the API server on this machine, out of the kubeconfig that kind has written.
pub(super) fn api_port(site: &Site) -> Result<u16, ProviderError> {
    let file = site.kubeconfig("kind");
    let wrong = |why: String| failed("read the cluster's address", why);
    let config = Kubeconfig::read_from(&file).map_err(|e| wrong(e.to_string()))?;
    let server = config
        .clusters
        .first()
        .and_then(|c| c.cluster.as_ref()?.server.clone());
    let server = server.ok_or_else(|| wrong("kind's kubeconfig names no server".to_owned()))?;
    let uri: http::Uri = server.parse().map_err(|e| wrong(format!("\"{server}\": {e}")))?;
    match (uri.host(), uri.port_u16()) {
        (Some("127.0.0.1" | "localhost"), Some(port)) => Ok(port),
        _ => Err(wrong(format!("\"{server}\" is not on this machine"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kind_begins_is_told_without_its_decoration() {
        assert_eq!(
            step(" • Preparing nodes 📦 📦   ...").as_deref(),
            Some("Preparing nodes")
        );
        assert_eq!(
            step(" • Starting control-plane 🕹️  ...\n").as_deref(),
            Some("Starting control-plane")
        );
        assert_eq!(step(" ✓ Preparing nodes 📦 📦"), None);
    }
}
