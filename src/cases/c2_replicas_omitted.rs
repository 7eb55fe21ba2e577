//! C2: a manifest that omits `spec.replicas` undercuts an autoscaler's floor.
//!
//! In conflict: whoever applies the Deployment, and its HorizontalPodAutoscaler.
//! Mechanism: the three-way merge of a client-side apply deletes a field that is in last-applied and not in the new
//! manifest; the API server then defaults it to 1.

use super::{ONE, Study, by, c1_cpu_spike_overscale::burst, window};
use crate::scenario::{Arm, Card, Scenario, secs};
use crate::timeline::{Does, Finding, Timeline, WorkloadRef, deeds, deployment};
use crate::verdict::Judgement;

pub(super) static CASE: Study = Study {
    folder: "c2_replicas_omitted",
    variants: ONE,
    local_only: false,
    app: APP,
    since: "redeploy",
    steps,
    judge,
    pulse,
};

const APP: &str = "h1-app";

fn steps(card: &Card, arm: Arm, _: Option<&str>) -> Scenario {
    let web = deployment(APP);
    Scenario::of(card, arm)
        .load(burst())
        .mark("applied")
        .apply(by(arm, "10-web.yaml", "10-web-without-replicas.yaml"))
        .settle(web.running().is(by(arm, 3, 1)), secs(60))
        .apply("20-hpa.yaml")
        .settle(web.wanted().is(5).and(web.available().is(5)), secs(120))
        .mark("redeploy")
        .apply("10-web-without-replicas.yaml")
        .observe(window(card, arm))
}

fn judge(timeline: &Timeline) -> Judgement {
    Judgement::since(timeline, "redeploy", |redeploy| {
        let wanted = timeline
            .series(|w| deployment(APP).wanted().read(w))
            .since(redeploy);
        let available = timeline
            .series(|w| deployment(APP).available().read(w))
            .since(redeploy);
        let min = *timeline
            .series(|w| w.hpas.get(APP).map_or(0, |hpa| hpa.min))
            .last();
        let floor = Finding::when((min > 0).then_some(redeploy), "there is no autoscaler");
        let fell = wanted.dips_below(min);
        let back = fell.at.and_then(|at| wanted.since(at).first(|&n| n >= min));
        let failure = match back {
            Some(_) => fell
                .clone()
                .and(Finding::when(back, "the autoscaler brought it back to its floor")),
            None => Finding::not_seen(fell.why.clone()),
        };
        // Below the floor for good would be worse than this failure, not its absence.
        let repaired = Finding::when(
            (back.is_some() || !fell.holds()).then_some(redeploy),
            format!("{} and was not brought back", fell.why),
        );
        let since = |t: Option<std::time::Duration>| t.map(|t| t.saturating_sub(redeploy));
        Judgement::of(&failure)
            .provided(&floor)
            .provided(&repaired)
            .fact("least_replicas", wanted.min())
            .seconds("fell_s", since(fell.at))
            .seconds("back_at_min_s", since(back))
            .seconds(
                "below_min_for_s",
                available.longest(|&n| n < min).map(|span| span.length()),
            )
            .fight(|| {
                let deeds = deeds(timeline, &WorkloadRef::deployment(APP), redeploy);
                let repaired = since(back)
                    .zip(since(fell.at))
                    .map(|(back, fell)| back.saturating_sub(fell));
                format!(
                    "{}, {:.1} s later{}",
                    deeds.turns(Does::Scales).unwrap_or_default(),
                    repaired.unwrap_or_default().as_secs_f64(),
                    deeds.caveat()
                )
            })
    })
}

fn pulse(timeline: &Timeline) -> String {
    let wanted = timeline.series(|w| deployment(APP).wanted().read(w));
    format!("{} replicas wanted", wanted.last())
}
