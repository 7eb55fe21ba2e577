//! Who leaves something undone that is his to do: what tells a component that hangs from one that has nothing to do.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Entry, Finding, Timeline, What, WorkloadSeen, World};

/// How long a scheduler or a controller-manager that works leaves nothing undone, at any pace: they answer within
/// milliseconds, and their pace is the machine's.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Whose turn it is in a world and what is not done, in words; `None` where nothing waits for anybody.
#[must_use]
pub fn undone(world: &World) -> Option<String> {
    let deployments = world
        .workloads
        .values()
        .filter(|workload| workload.kind == "deployment" && workload.wanted > 0);
    for deployment in deployments {
        let prefix = format!("{}-", deployment.name);
        let its = |set: &&WorkloadSeen| {
            set.kind == "replicaset" && set.namespace == deployment.namespace && set.name.starts_with(&prefix)
        };
        if !world.workloads.values().any(|set| its(&set)) {
            let name = &deployment.name;
            return Some(format!(
                "kube-controller-manager made no ReplicaSet of deployment \"{name}\""
            ));
        }
    }
    waiting(world)
}

/// The same of what has been begun: pods that are to be made, and pods that are to be bound or refused.
fn waiting(world: &World) -> Option<String> {
    for set in world.workloads.values().filter(|set| set.kind == "replicaset") {
        let made = world.pods.values().filter(|pod| {
            let owner = pod.owner.as_ref();
            pod.active() && owner.is_some_and(|owner| owner.uid == set.uid)
        });
        let (made, wanted) = (made.count() as i64, set.wanted);
        if made < wanted {
            let name = &set.name;
            return Some(format!(
                "kube-controller-manager made {made} of {wanted} pods of \"{name}\""
            ));
        }
    }
    if let Some(behind) = world.workloads.values().find(|workload| workload.behind) {
        let (kind, name) = (&behind.kind, &behind.name);
        return Some(format!(
            "kube-controller-manager has not seen the last change of {kind} \"{name}\""
        ));
    }
    let mut ignored: BTreeMap<&str, usize> = BTreeMap::new();
    for pod in world.pods.values().filter(|pod| pod.active()) {
        if pod.node.is_none() && pod.unschedulable.is_none() {
            let scheduler = pod.scheduler.as_deref().unwrap_or("kube-scheduler");
            *ignored.entry(scheduler).or_default() += 1;
        }
    }
    let Some((scheduler, count)) = ignored.pop_first() else {
        return not_run(world);
    };
    let pods = if count == 1 {
        "a pod".to_owned()
    } else {
        format!("{count} pods")
    };
    Some(format!("{scheduler} neither bound nor refused {pods}"))
}

/// A pod that stands on a ready node, and that its kubelet neither runs nor rejects.
fn not_run(world: &World) -> Option<String> {
    world.pods.values().find_map(|pod| {
        let node = world.nodes.get(pod.node.as_deref()?)?;
        let stands = pod.active() && pod.phase == "Pending" && node.ready;
        stands.then(|| format!("the kubelet of \"{}\" neither ran nor rejected a pod", node.name))
    })
}

/// What a scheduler says of a pod that it refuses.
#[must_use]
pub fn refusal(world: &World) -> Option<String> {
    let refused = world
        .pods
        .values()
        .find(|pod| pod.active() && pod.unschedulable.is_some())?;
    let scheduler = refused.scheduler.as_deref().unwrap_or("kube-scheduler");
    let message = refused.unschedulable.as_deref().unwrap_or_default();
    Some(format!("{scheduler} refused pod \"{}\": {message}", refused.name))
}

impl Timeline {
    /// Who had left something undone for long when the recording ended, in words.
    #[must_use]
    pub fn left_undone(&self) -> Option<String> {
        let undone = self.series(waiting);
        let last = undone.spans(Option::is_some).pop()?;
        let words = undone.last().clone()?;
        (last.to == undone.end() && last.length() >= AT_ONCE)
            .then(|| format!("{words} in the last {:.1} s", last.length().as_secs_f64()))
    }

    /// Which scheduler did nothing for any of the pods that name it; one that every pod bypasses has nothing to do.
    #[must_use]
    pub fn idle_scheduler(&self) -> Option<String> {
        idle_among(&self.entries)
    }

    /// Which scheduler did nothing at every time from `t` on, as [`Timeline::idle_scheduler`] has it; `None` where all of them had
    /// answered at one of these times. What was so once stays so, whatever is asked of another scheduler later.
    #[must_use]
    pub fn idle_scheduler_from(&self, t: Duration) -> Option<String> {
        let until = self.entries.partition_point(|entry| entry.t <= t);
        let mut idle = None;
        for length in until..=self.entries.len() {
            if length > until && !matches!(self.entries[length - 1].what, What::Pod(_)) {
                continue;
            }
            idle = idle_among(&self.entries[..length]);
            idle.as_ref()?;
        }
        idle
    }

    /// Whether a descheduler went through at least `count` cycles in a time, and went on to its end.
    ///
    /// A recording without any cycle was made before they were recorded, or without a descheduler: it is not asked.
    pub fn descheduled(&self, from: Duration, to: Duration, cycle: Duration, count: usize) -> Finding {
        let all: Vec<Duration> = self
            .entries
            .iter()
            .filter(|entry| matches!(entry.what, What::Cycle(_)))
            .map(|entry| entry.t)
            .collect();
        if all.is_empty() {
            return Finding::seen(from, "cycles were not recorded");
        }
        let within: Vec<Duration> = all.into_iter().filter(|t| (from..=to).contains(t)).collect();
        let (Some(first), Some(&last)) = (within.first(), within.last()) else {
            return Finding::not_seen(
                "the descheduler did not go through a single cycle: it hangs, or is stuck in one",
            );
        };
        // On a slow machine cycles are further apart.
        let gaps = u32::try_from(within.len() - 1).unwrap_or(u32::MAX).max(1);
        let usual = cycle.max((last - *first) / gaps);
        let quiet = to.saturating_sub(last);
        if within.len() < count || quiet > usual * 3 {
            return Finding::not_seen(format!(
                "the descheduler went through {} cycles, the last of them {:.1} s before the end: it hangs, or is stuck in one",
                within.len(),
                quiet.as_secs_f64()
            ));
        }
        Finding::seen(from, format!("{} descheduling cycles", within.len()))
    }
}

fn idle_among(entries: &[Entry]) -> Option<String> {
    // By scheduler, whether it ever bound or refused a pod that began without a node.
    let mut answered: BTreeMap<&str, bool> = BTreeMap::new();
    let mut bypassed: std::collections::BTreeSet<&str> = std::collections::BTreeSet::new();
    let mut known: std::collections::BTreeSet<&str> = std::collections::BTreeSet::new();
    for entry in entries {
        let What::Pod(sighting) = &entry.what else {
            continue;
        };
        let pod = &sighting.state;
        let Some(scheduler) = &pod.scheduler else { continue };
        if known.insert(&pod.uid) && pod.node.is_some() {
            bypassed.insert(&pod.uid);
        }
        if !bypassed.contains(&*pod.uid) {
            *answered.entry(scheduler).or_default() |= pod.node.is_some() || pod.unschedulable.is_some();
        }
    }
    let (idle, _) = answered.into_iter().find(|(_, answered)| !answered)?;
    Some(format!(
        "\"{idle}\" neither bound nor refused any of the pods that name it"
    ))
}

#[cfg(test)]
#[path = "idle_tests.rs"]
mod tests;
