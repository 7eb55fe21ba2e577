//! The descheduler, started and stopped by a scenario's steps.

use std::time::Duration;

use serde_json::Value;

use super::process::Process;
use super::site::Site;
use super::wait;
use crate::component::Binary;
use crate::provider::ProviderError;
use crate::scenario::{Pace, secs, yaml};

/// The study's descheduling interval.
const INTERVAL: Duration = secs(10);

/// Starts the descheduler with a policy, and waits until it has gone through its first cycle.
///
/// # Errors
/// One that exits, e.g. because it refuses the policy, is reported with its last lines.
pub(super) async fn start(
    site: &Site,
    binary: &Binary,
    policy: &Value,
    pace: Pace,
) -> Result<Process, ProviderError> {
    let file = site.write("descheduler-policy.yaml", &yaml::text(policy))?;
    let args = [
        format!("--kubeconfig={}", site.kubeconfig("descheduler").display()),
        format!("--policy-config-file={}", file.display()),
        format!("--descheduling-interval={}ms", pace.scale(INTERVAL).as_millis()),
        "--secure-port=0".to_owned(),
        "--v=3".to_owned(),
    ];
    // A scenario may start it more than once; then its log goes on.
    let log = site.log(&binary.name.to_string());
    let before = std::fs::metadata(&log).map_or(0, |m| m.len());
    let mut process = site.start(binary, &args)?;
    wait::until_ready(&mut process, site.patience, || async {
        // Without a port it has no health endpoint; its log says when it has gone through its first cycle:
        // "Number of evicted pods" up to v0.33, "Number of evictions/requests" after.
        let begun = std::fs::read(&log).is_ok_and(|text| {
            let new = &text[usize::try_from(before).unwrap_or(0).min(text.len())..];
            String::from_utf8_lossy(new).contains("Number of evict")
        });
        if begun {
            Ok(())
        } else {
            Err("no descheduling cycle in its log".to_owned())
        }
    })
    .await?;
    Ok(process)
}
