//! kube-scheduler: the default one, and a second one beside it.

use super::process::Process;
use super::site::Site;
use crate::component::Binary;
use crate::provider::tuning::{SchedulerApi, SchedulerConfig};
use crate::provider::{ProviderError, Scale, Tuning};
use crate::scenario::yaml;

/// Starts a scheduler: with its default configuration, or with what the tuning has for it.
pub(super) fn start(
    site: &Site,
    binary: &Binary,
    port: u16,
    tuning: &Tuning,
    scale: Option<&Scale>,
) -> Result<Process, ProviderError> {
    let mut args = site.client_and_server(binary, port);
    if let Some(scale) = scale {
        args.push(format!("--kube-api-qps={}", scale.qps));
        args.push(format!("--kube-api-burst={}", scale.qps));
    }
    if tuning.scheduler() == binary.name {
        if let Some(config) = config(binary, tuning) {
            let kubeconfig = site.kubeconfig(&binary.name.to_string());
            let text = yaml::text(&config.isolated(&kubeconfig));
            let file = site.write(&format!("{}-config.yaml", binary.name), &text)?;
            args.push(format!("--config={}", file.display()));
        }
        args.extend(tuning.scheduler_args.iter().cloned());
    }
    site.start(binary, &args)
}

/// The user's configuration; without one, a second scheduler needs one for its name.
fn config(binary: &Binary, tuning: &Tuning) -> Option<SchedulerConfig> {
    let named = || {
        let name = tuning.scheduler_name.as_deref()?;
        let api = SchedulerApi::for_scheduler(&binary.version);
        Some(SchedulerConfig::of_one_profile(api, name))
    };
    tuning.scheduler_config.clone().or_else(named)
}
