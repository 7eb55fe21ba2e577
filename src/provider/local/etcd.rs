//! etcd.

use std::path::Path;

use crate::component::Binary;
use crate::provider::ProviderError;
use crate::provider::process::Process;
use crate::provider::site::Site;
use crate::provider::wait;

/// Where etcd listens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) client: u16,
    pub(super) peer: u16,
}

/// Starts etcd on a data directory and waits until it accepts connections.
///
/// Without fsync: its data lives as long as the run.
pub(super) async fn start(
    site: &Site,
    binary: &Binary,
    data: &Path,
    ports: Ports,
) -> Result<Process, ProviderError> {
    let client = format!("http://127.0.0.1:{}", ports.client);
    let peer = format!("http://127.0.0.1:{}", ports.peer);
    let args = [
        format!("--data-dir={}", data.display()),
        "--name=kubeclash".to_owned(),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=kubeclash={peer}"),
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    let mut process = site.start(binary, &args)?;
    // Its port answers before it serves, and an API server that connects too early waits for a second.
    let health = format!("{client}/health");
    let asking = reqwest::Client::builder()
        .no_proxy()
        .build()
        .map_err(|e| ProviderError::Setup {
            what: "health checks".to_owned(),
            why: e.to_string(),
        })?;
    wait::until_ready(&mut process, site.patience, || async {
        let answer = asking
            .get(&health)
            .send()
            .await
            .map_err(|e| format!("/health: {e}"))?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(format!("/health: {}", answer.status()))
        }
    })
    .await?;
    Ok(process)
}
