//! kube-scheduler.

use super::process::Process;
use super::site::Site;
use crate::component::Binary;
use crate::provider::ProviderError;

/// Starts the scheduler with its default configuration.
pub(super) fn start(site: &Site, binary: &Binary, port: u16) -> Result<Process, ProviderError> {
    site.start(binary, &site.client_and_server(binary, port))
}
