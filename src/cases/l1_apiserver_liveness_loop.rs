//! L1: a kubelet kills an overloaded API server, which comes back with cold caches and is killed again.
//!
//! In conflict: the liveness probe of the API server's pod, and everybody whose requests the API server serves.
//! Mechanism: `/livez` waits for CPU behind all other requests. Eight late answers in a row, and the kubelet kills the
//! API server; its clients connect and list anew all at once, so that it has more to do than before.

use std::time::Duration;

use super::Study;
use kubeclash_timeline::{Arm, Finding, Judgement, LivenessChange, LoadStep, Timeline, What};

pub(super) static CASE: Study = Study {
    folder: "l1_apiserver_liveness_loop",
    profile: "profile.yaml",
    started: STARTED,
    apiserver_cpu,
    judge,
    pulse,
};

/// Where kills are counted from.
const STARTED: &str = "load";

/// How many kills make a loop.
const KILLS: usize = 2;

/// What the API server gets in the broken arm: a fraction of what the load takes of it.
const TOO_SMALL: f64 = 0.08;

fn apiserver_cpu(arm: Arm) -> Option<f64> {
    match arm {
        Arm::Broken => Some(TOO_SMALL),
        Arm::Control => None,
    }
}

/// What befell the API server since a time.
struct Fate {
    kills: Vec<Duration>,
    /// How long it took from a restart to the first answer.
    came_back: Vec<Duration>,
    failed_probes: usize,
    most_in_a_row: u32,
}

fn fate(timeline: &Timeline, since: Duration) -> Fate {
    let mut fate = Fate {
        kills: Vec::new(),
        came_back: Vec::new(),
        failed_probes: 0,
        most_in_a_row: 0,
    };
    let mut restarted = None;
    for entry in timeline.entries.iter().filter(|entry| entry.t >= since) {
        match &entry.what {
            What::Liveness(LivenessChange::ProbeFailed { in_a_row, .. }) => {
                fate.failed_probes += 1;
                fate.most_in_a_row = fate.most_in_a_row.max(*in_a_row);
            }
            What::Liveness(LivenessChange::Killing { .. }) => fate.kills.push(entry.t),
            What::Liveness(LivenessChange::Restarted { .. }) => restarted = Some(entry.t),
            What::Liveness(LivenessChange::Alive) => {
                fate.came_back
                    .extend(restarted.take().map(|t| entry.t.saturating_sub(t)));
            }
            _ => {}
        }
    }
    fate
}

/// Killed for its liveness, started again, and killed again; in the control never killed, though all 13 steps went by.
fn judge(timeline: &Timeline) -> Judgement {
    let Some(started) = timeline.marked(STARTED) else {
        return Judgement::inconclusive(format!("the run ended before \"{STARTED}\""));
    };
    let fate = fate(timeline, started);
    let (kills, failed) = (fate.kills.len(), fate.failed_probes);
    let failure = match fate.kills.get(KILLS - 1) {
        Some(&at) => Finding::seen(at, format!("killed {kills} times, after {failed} failed probes")),
        None if kills == 0 => Finding::not_seen(format!(
            "never killed: {failed} failed probes, at most {} in a row",
            fate.most_in_a_row
        )),
        None => Finding::not_seen("killed once, and no second time while it was watched"),
    };
    // One kill is not the loop, and not its absence.
    let settled = Finding::when((kills != 1).then_some(started), failure.why.clone());
    let last = LoadStep::CollectMeasurements.name();
    let rounds = timeline
        .entries
        .iter()
        .filter(|entry| matches!(&entry.what, What::Step(step) if step.ends_with(last)))
        .count();
    let loaded = Finding::when(
        (failure.holds() || rounds > 0).then_some(started),
        "the load test never got through its 13 steps",
    );
    let since = |t: Option<&Duration>| t.map(|t| t.saturating_sub(started));
    let mut judgement = Judgement::of(&failure)
        .provided(&settled)
        .provided(&loaded)
        .fact("kills", kills)
        .fact("failed_probes", failed)
        .fact("most_in_a_row", fate.most_in_a_row)
        .fact("load_tests", rounds)
        .seconds("first_kill_s", since(fate.kills.first()))
        .seconds("second_kill_s", since(fate.kills.get(1)))
        .seconds("came_back_after_s", fate.came_back.first().copied())
        .fight(|| {
            format!(
                "kubelet (liveness probe) → kube-apiserver: {kills} kills, {failed} failed probes; clients → kube-apiserver: \
                 all connect and list anew"
            )
        });
    judgement.needed = judgement.needed.map(|t| t.saturating_sub(started));
    judgement.watched = timeline.end().saturating_sub(started);
    judgement
}

fn pulse(timeline: &Timeline) -> String {
    let since = timeline.marked(STARTED).unwrap_or_default();
    let fate = fate(timeline, since);
    format!("{} kills, {} failed probes", fate.kills.len(), fate.failed_probes)
}
