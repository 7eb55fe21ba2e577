//! C1: a start-up CPU burst makes an autoscaler go to its maximum, with no load at all.
//!
//! In conflict: the HorizontalPodAutoscaler, and the start-up of the very pods that it adds.
//! Mechanism: every new pod burns CPU while it starts; the autoscaler takes that for load and adds more.
//! Steps fit `ceil(current × utilisation / 50)`, and are two syncs apart because fresh pods without a metric
//! count as 0 % (pkg/controller/podautoscaler/replica_calculator.go).

use super::{ONE, Study, by, window};
use crate::scenario::{Arm, Card, CpuCurve, Load, Scenario, secs};
use crate::timeline::{Does, Finding, Timeline, WorkloadRef, deeds, deployment};
use crate::verdict::Judgement;

pub(super) static CASE: Study = Study {
    folder: "c1_cpu_spike_overscale",
    variants: ONE,
    local_only: false,
    app: APP,
    since: "applied",
    steps,
    judge,
    pulse,
};

const APP: &str = "h1-app";

/// What each pod uses: its limit of 100m, which the study's kernel let it pass by 1 %, for 120 s.
pub(super) fn burst() -> Load {
    Load {
        app: APP,
        curve: CpuCurve::burst(101, secs(120), 0),
    }
}

fn steps(card: &Card, arm: Arm, _: Option<&str>) -> Scenario {
    Scenario::of(card, arm)
        .load(burst())
        .mark("applied")
        .apply("10-web.yaml")
        .settle(deployment(APP).running().is(1), secs(60))
        .apply(by(arm, "20-hpa.yaml", "20-hpa-patient.yaml"))
        .observe(window(card, arm))
}

fn judge(timeline: &Timeline) -> Judgement {
    Judgement::since(timeline, "applied", |applied| {
        let wanted = timeline
            .series(|w| deployment(APP).wanted().read(w))
            .since(applied);
        let utilisation = timeline
            .series(|w| w.hpas.get(APP).and_then(|hpa| hpa.cpu_percent))
            .since(applied);
        let max = timeline
            .series(|w| w.hpas.get(APP).map_or(0, |hpa| hpa.max))
            .max();
        let measured = Finding::when(
            utilisation.first(Option::is_some),
            "the autoscaler never had a metric",
        );
        let reached = if max > 0 {
            wanted.reaches(max)
        } else {
            Finding::not_seen("there is no autoscaler")
        };
        let back = reached.at.map(|at| wanted.since(at).falls_to(max / 2));
        let one = reached.at.and_then(|at| wanted.since(at).first(|&n| n <= 1));
        let failure = match back {
            Some(back) => Finding::when(
                back.at,
                format!("{max} replicas wanted with no load at all; then it {}", back.why),
            ),
            None => reached.clone(),
        };
        let fell = Finding::when(
            (failure.holds() || !reached.holds()).then_some(applied),
            format!(
                "{max} replicas wanted with no load at all, and they did not fall back while it was watched"
            ),
        );
        let since = |t: Option<std::time::Duration>| t.map(|t| t.saturating_sub(applied));
        let low = reached
            .at
            .and_then(|at| utilisation.since(at).first(|u| u.is_some_and(|u| u < 50)));
        Judgement::of(&failure)
            .provided(&measured)
            .provided(&fell)
            .fact("peak_replicas", wanted.max())
            .seconds("max_reached_s", since(reached.at))
            .seconds("below_target_s", since(low))
            .seconds("back_at_one_s", since(one))
            .fight(|| {
                let deeds = deeds(timeline, &WorkloadRef::deployment(APP), applied);
                let burst = utilisation
                    .points()
                    .iter()
                    .filter_map(|(_, percent)| *percent)
                    .max();
                format!(
                    "{} ⇄ each new pod burns CPU while it starts, up to {} % of its request{}",
                    deeds.chain(&[&[Does::Scales]]),
                    burst.unwrap_or_default(),
                    deeds.caveat()
                )
            })
    })
}

fn pulse(timeline: &Timeline) -> String {
    let wanted = timeline.series(|w| deployment(APP).wanted().read(w));
    format!("{} replicas wanted (peak {})", wanted.last(), wanted.max())
}
