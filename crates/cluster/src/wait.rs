//! Waiting for a component: until a probe answers, the process exits, or the time is over.

use std::future::Future;
use std::time::{Duration, Instant};

use super::process::Process;
use crate::ProviderError;

/// How often a probe is asked again. A component that listens can't be watched for, only asked.
const EVERY: Duration = Duration::from_millis(15);

/// How long one answer is waited for.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

/// Returns when `probe` says `Ok`; a process that has exited ends the wait at once, with its last lines.
///
/// `probe` says what it sees, for the error.
pub(super) async fn until_ready<F, R>(
    process: &mut Process,
    patience: Duration,
    probe: F,
) -> Result<(), ProviderError>
where
    F: Fn() -> R,
    R: Future<Output = Result<(), String>>,
{
    until_ready_on(process, None, patience, probe).await
}

/// The same for an etcd that serves clients at `url`: its port answers before it serves, and an API server that connects
/// too early waits for a second.
pub(super) async fn until_healthy(
    process: &mut Process,
    url: &str,
    patience: Duration,
) -> Result<(), ProviderError> {
    let health = format!("{url}/health");
    // Somebody else may have installed one already; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let asking = reqwest::Client::builder()
        .no_proxy()
        .build()
        .map_err(|e| ProviderError::Setup {
            what: "health checks".to_owned(),
            why: e.to_string(),
        })?;
    until_ready(process, patience, || async {
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
    .await
}

/// The same for a process that stands on another: where that one has exited, it is to blame.
pub(super) async fn until_ready_on<F, R>(
    process: &mut Process,
    mut ground: Option<&mut Process>,
    patience: Duration,
    probe: F,
) -> Result<(), ProviderError>
where
    F: Fn() -> R,
    R: Future<Output = Result<(), String>>,
{
    let start = Instant::now();
    let mut seen = None;
    loop {
        if let Some(exited) = ground
            .as_deref_mut()
            .and_then(Process::exited)
            .or_else(|| process.exited())
        {
            return Err(exited);
        }
        let answer = patience.saturating_sub(start.elapsed()).min(ANSWER);
        match tokio::time::timeout(answer, probe()).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(now)) => seen = Some(now),
            // The last look may have had no time left; what was seen before says more.
            Err(_) => seen = seen.or_else(|| Some(format!("no answer within {:.1} s", answer.as_secs_f64()))),
        }
        if start.elapsed() > patience {
            return Err(process.not_ready(start.elapsed(), &seen.unwrap_or_default()));
        }
        tokio::time::sleep(EVERY).await;
    }
}
