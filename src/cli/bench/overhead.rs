//! `kubeclash bench overhead`: what recorder, evidence and audit log take of CPU time, beside the control plane.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cases::Case;
use crate::cli::Failure;
use crate::drive::{Plan, drive};
use crate::exit;
use crate::session::Session;
use kubeclash_cluster::{Tuning, cpu_time};
use kubeclash_components::ComponentName;
use kubeclash_host::interrupt;
use kubeclash_timeline::{Arm, ArmId, Expect};

/// What is held to be the control plane. KWOK and the descheduler are not of it.
const CONTROL_PLANE: [ComponentName; 4] = [
    ComponentName::Etcd,
    ComponentName::Apiserver,
    ComponentName::ControllerManager,
    ComponentName::Scheduler,
];

/// The CPU times of one run.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// kubeclash's own: cluster, recorder, hollow kubelet, metrics, evidence.
    harness: Duration,
    control_plane: Duration,
    apiserver: Duration,
}

/// Runs the broken arm of a case in turn with an audit log and without one.
pub(super) async fn run(session: &Session, case: &Case, runs: u16) -> Result<(), Failure> {
    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..runs {
        for (audit, costs) in [true, false].into_iter().zip(&mut costs) {
            let id = ArmId::new(case.folder(), Arm::Broken, case.variants()[0].as_deref());
            let plan = session.plan(case, id, Expect::Reproduced.into());
            let cost = cost(Plan {
                tuning: Tuning {
                    audit,
                    ..plan.tuning.clone()
                },
                ..plan
            })
            .await?;
            println!(
                "{:<13}  kubeclash {:.2} s   control plane {:.2} s, of which kube-apiserver {:.2} s",
                if audit { "audit log" } else { "no audit log" },
                cost.harness.as_secs_f64(),
                cost.control_plane.as_secs_f64(),
                cost.apiserver.as_secs_f64()
            );
            costs.push(cost);
        }
    }
    let median = |of: &[Cost], what: fn(&Cost) -> Duration| {
        super::median(&mut of.iter().map(what).collect::<Vec<_>>())
    };
    let [with, without] = &costs;
    let seconds = |time: Duration| time.as_secs_f64();
    let harness = seconds(median(with, |cost| cost.harness));
    let log = seconds(median(with, |cost| cost.apiserver)) - seconds(median(without, |cost| cost.apiserver));
    let control_plane = seconds(median(without, |cost| cost.control_plane));
    println!(
        "median: kubeclash {harness:.2} s, the audit log {log:+.2} s of kube-apiserver: {:.1} % of the control plane's \
         {control_plane:.2} s",
        // What a noisy machine seems to save is not taken off.
        (harness + log.max(0.0)) / control_plane * 100.0
    );
    Ok(())
}

async fn cost(plan: Plan) -> Result<Cost, Failure> {
    let own = || cpu_time(std::process::id());
    let before = own();
    let finished = drive(&plan, &interrupt::token(), &|_| ())
        .await
        .map_err(|e| Failure::with_help(exit::UNAVAILABLE, e.to_string(), e.help()))?;
    let harness = own().saturating_sub(before);
    let times: BTreeMap<String, Duration> = finished.cpu_times;
    let time = |name: ComponentName| times.get(&name.to_string()).copied().unwrap_or_default();
    Ok(Cost {
        harness,
        control_plane: CONTROL_PLANE.into_iter().map(time).sum(),
        apiserver: time(ComponentName::Apiserver),
    })
}
