//! The descheduler, started and stopped by a scenario's steps.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use super::process::Process;
use super::site::Site;
use super::wait;
use crate::{OnCycle, Order, ProviderError};
use kubeclash_components::{Binary, ComponentName};
use kubeclash_host::yaml;

/// What it says at the end of each cycle: "Number of evicted pods" up to v0.33, "Number of evictions/requests" after
/// (pkg/descheduler/descheduler.go). It says so at verbosity 1.
const CYCLE: &str = "Number of evict";

/// Starts the descheduler with a policy, in the place of one that runs, and waits until it has gone through its first
/// cycle; `on_cycle` is told of each.
///
/// # Errors
/// One that exits, e.g. because it refuses the policy, is reported with its last lines.
pub(super) async fn start_anew(
    slot: &mut Option<Process>,
    site: &Site,
    order: &Order,
    port: u16,
    (policy, every): (&Value, Duration),
    on_cycle: OnCycle,
) -> Result<(), ProviderError> {
    stop(slot).await;
    let binary = order.binary(ComponentName::Descheduler)?;
    let more = &order.tuning.descheduler_args;
    *slot = Some(start(site, binary, port, (policy, every), more, on_cycle).await?);
    Ok(())
}

/// Ends the descheduler, if one runs.
pub(super) async fn stop(slot: &mut Option<Process>) {
    if let Some(mut descheduler) = slot.take() {
        descheduler.kill();
        descheduler.gone().await;
    }
}

async fn start(
    site: &Site,
    binary: &Binary,
    port: u16,
    (policy, every): (&Value, Duration),
    more: &[String],
    on_cycle: OnCycle,
) -> Result<Process, ProviderError> {
    let file = site.write("descheduler-policy.yaml", &yaml::text(policy))?;
    let mut args = vec![
        format!("--kubeconfig={}", site.kubeconfig("descheduler").display()),
        format!("--policy-config-file={}", file.display()),
        format!("--descheduling-interval={}ms", every.as_millis().max(1)),
        "--v=3".to_owned(),
    ];
    // Those before v0.34 crash without a port.
    args.extend(site.serving(port));
    args.extend(more.iter().cloned());
    // Its health endpoint does not know of cycles, and an idle one leaves no trace in the API.
    let (begun, seen) = watch::channel(false);
    let ear = move |line: &str| {
        if line.contains(CYCLE) {
            on_cycle();
            begun.send_replace(true);
        }
    };
    let mut process = site.start_heard(binary, &args, Some(Box::new(ear)))?;
    wait::until_ready(&mut process, site.patience, || {
        let begun = *seen.borrow();
        async move {
            begun
                .then_some(())
                .ok_or_else(|| "no descheduling cycle in its log".to_owned())
        }
    })
    .await?;
    Ok(process)
}
