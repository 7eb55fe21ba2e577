//! kube-scheduler: the default one, and a second one beside it.

use super::process::Process;
use super::site::Site;
use crate::tuning::{SchedulerApi, SchedulerConfig};
use crate::{Order, ProviderError, SchedulerSpec};
use kubeclash_components::{Binary, ComponentName};
use kubeclash_host::yaml;

/// Starts a scheduler: as the case has it, and where the user says otherwise, as the user has it.
pub(super) fn start(
    site: &Site,
    binary: &Binary,
    port: u16,
    order: &Order,
) -> Result<Process, ProviderError> {
    let mut args = site.client_and_server(binary, port);
    if let Some(scale) = &order.scale {
        args.push(format!("--kube-api-qps={}", scale.qps));
        args.push(format!("--kube-api-burst={}", scale.qps));
    }
    args.extend(order.spec.gates_flag());
    let settings = settings(order, binary);
    if let Some(config) = settings.config {
        let kubeconfig = site.kubeconfig(&binary.name.to_string());
        let text = yaml::text(&config.known_to(&binary.version).isolated(&kubeconfig));
        let file = site.write(&format!("{}-config.yaml", binary.name), &text)?;
        args.push(format!("--config={}", file.display()));
    }
    // Of two arguments the last one counts.
    args.extend(settings.args);
    site.start(binary, &args)
}

/// Configuration and arguments: the user's configuration in the place of the case's, the user's arguments after its own.
fn settings(order: &Order, binary: &Binary) -> SchedulerSpec {
    let tuning = &order.tuning;
    let second = binary.name == ComponentName::SecondScheduler;
    let mut settings = match (&order.spec.second_scheduler, &tuning.scheduler_name) {
        _ if !second => order.spec.scheduler.clone(),
        (Some((_, case)), None) => case.clone(),
        _ => SchedulerSpec::default(),
    };
    if tuning.scheduler() == binary.name {
        settings.config = tuning.scheduler_config.clone().or(settings.config);
        settings.args.extend(tuning.scheduler_args.iter().cloned());
    }
    let case = order.spec.second_scheduler.as_ref().map(|(name, _)| name);
    if let Some(name) = tuning.scheduler_name.as_ref().or(case).filter(|_| second) {
        // Without a configuration a second scheduler needs one for its name.
        let api = SchedulerApi::for_scheduler(&binary.version);
        let named = || SchedulerConfig::of_one_profile(api, name);
        settings.config = Some(settings.config.unwrap_or_else(named));
    }
    settings
}
