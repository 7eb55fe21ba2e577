//! kube-scheduler.

use std::path::Path;

use super::pki::Pki;
use super::process::Process;
use super::{Health, until_healthy};
use crate::component::Binary;
use crate::provider::ProviderError;
use crate::rundir::RunDir;

/// Starts the scheduler with its default configuration.
pub(super) fn start(
    run: &RunDir,
    logs: &Path,
    binary: &Binary,
    pki: &Pki,
    kubeconfig: &Path,
    port: u16,
) -> Result<Process, ProviderError> {
    let args = [
        format!("--kubeconfig={}", kubeconfig.display()),
        "--leader-elect=false".to_owned(),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!("--tls-cert-file={}", pki.file("serving.crt").display()),
        format!("--tls-private-key-file={}", pki.file("serving.key").display()),
        "--profiling=false".to_owned(),
    ];
    Process::start(run, logs, "kube-scheduler", &binary.path, &args)
}

/// Waits until it says that it is healthy.
pub(super) async fn ready(process: &mut Process, health: &Health, port: u16) -> Result<(), ProviderError> {
    until_healthy(process, health, port, "/healthz").await
}
