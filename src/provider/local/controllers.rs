//! kube-controller-manager.

use std::path::Path;
use std::time::Duration;

use super::pki::Pki;
use super::process::Process;
use super::{Health, until_healthy};
use crate::component::Binary;
use crate::provider::ProviderError;
use crate::rundir::RunDir;
use crate::scenario::{Pace, secs};

/// Starts the controller-manager.
///
/// Its client rate limits stay at their defaults (20 requests a second and controller): they set the rate of C7's loop.
pub(super) fn start(
    run: &RunDir,
    logs: &Path,
    binary: &Binary,
    pki: &Pki,
    kubeconfig: &Path,
    port: u16,
    pace: Pace,
) -> Result<Process, ProviderError> {
    let paced = |recorded: Duration| format!("{}ms", pace.scale(recorded).as_millis());
    let args = [
        format!("--kubeconfig={}", kubeconfig.display()),
        "--leader-elect=false".to_owned(),
        "--controllers=*,-nodeipam".to_owned(),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!("--tls-cert-file={}", pki.file("serving.crt").display()),
        format!("--tls-private-key-file={}", pki.file("serving.key").display()),
        "--profiling=false".to_owned(),
        // The study's values are the defaults: 15 s, 5 min, 30 s, 5 min.
        format!("--horizontal-pod-autoscaler-sync-period={}", paced(secs(15))),
        format!(
            "--horizontal-pod-autoscaler-cpu-initialization-period={}",
            paced(secs(300))
        ),
        format!(
            "--horizontal-pod-autoscaler-initial-readiness-delay={}",
            paced(secs(30))
        ),
        format!(
            "--horizontal-pod-autoscaler-downscale-stabilization={}",
            paced(secs(300))
        ),
    ];
    Process::start(run, logs, "kube-controller-manager", &binary.path, &args)
}

/// Waits until it says that it is healthy.
pub(super) async fn ready(process: &mut Process, health: &Health, port: u16) -> Result<(), ProviderError> {
    until_healthy(process, health, port, "/healthz").await
}
