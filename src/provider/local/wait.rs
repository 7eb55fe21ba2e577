//! Waiting for a component: until a probe answers, the process exits, or the time is over.

use std::future::Future;
use std::time::{Duration, Instant};

use super::process::Process;
use crate::provider::ProviderError;

/// How often a probe is asked again. A component that listens can't be watched for, only asked.
const EVERY: Duration = Duration::from_millis(15);

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
    let start = Instant::now();
    let mut seen = "nothing yet".to_owned();
    loop {
        if let Some(exited) = process.exited() {
            return Err(exited);
        }
        match tokio::time::timeout(Duration::from_secs(5), probe()).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(now)) => seen = now,
            Err(_) => "no answer within 5 s".clone_into(&mut seen),
        }
        if start.elapsed() > patience {
            return Err(process.not_ready(start.elapsed(), &seen));
        }
        tokio::time::sleep(EVERY).await;
    }
}
