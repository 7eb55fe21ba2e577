//! etcd.

use std::path::Path;

use crate::process::Process;
use crate::site::Site;
use crate::{ProviderError, wait};
use kubeclash_components::Binary;

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
    wait::until_healthy(&mut process, &client, site.patience).await?;
    Ok(process)
}
