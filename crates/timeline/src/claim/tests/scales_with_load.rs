use super::rests::without_requests;
use super::{HPA, KUBECTL, Said, keeps_floor, replicas, still, web};
use crate::testing::{Draft, seen};
use crate::{HpaSeen, Timeline, What};

pub(super) const OVERSCALED: &str = "
failure:
  scales-with-load: violated
  as: over-scale
  of: deployment/web
  up-to: hpa.max
  by: [horizontal-pod-autoscaler]
  while: {no-load: true}
  then: {falls-to: hpa.max / 2, by: [horizontal-pod-autoscaler]}
premises:
  - seen: {hpa/web: {cpu: '>= 50 %'}}
";

const OFFERED: &str = "
steps:
  - apply: 10-web.yaml
  - cpu: {of: deployment/web, all-pods: [{use: 400m}]}
failure: {scales-with-load: violated, as: over-scale, of: deployment/web, while: {no-load: true}}
";

const REMEMBERED: &str = "
failure: {scales-with-load: violated, as: over-scale, of: deployment/web, by: [horizontal-pod-autoscaler]}
";

pub(super) const UNDONE: &str = "
failure:
  scales-with-load: violated
  as: unexplained-fall
  of: deployment/web
  by: [kubectl apply]
  then: {back-at: 6, by: [horizontal-pod-autoscaler]}
";

pub(super) fn hpa(draft: Draft, desired: i64, percent: i64) -> Draft {
    draft.what(What::Hpa(seen(HpaSeen {
        min: 1,
        max: 6,
        current: desired,
        desired,
        cpu_percent: Some(percent),
        target_percent: Some(50),
        ..super::hpa_of_web()
    })))
}

pub(super) fn scaled(draft: Draft, at: f64, agent: &str, number: i64) -> Draft {
    draft
        .at(at)
        .asked((agent, "update deployments/scale", "web"), replicas(number))
        .at(at + 0.01)
        .deployment("web", number, 1)
}

/// The autoscaler goes up to so many at a utilisation, and back to one.
pub(super) fn burst(most: i64, percent: i64, back: bool) -> Timeline {
    let draft = hpa(web(1).at(1.0).deployment("web", 1, 1).at(5.0), 1, percent);
    let draft = scaled(draft, 10.0, HPA, 3);
    let draft = hpa(scaled(hpa(draft, 3, percent), 25.0, HPA, most), most, percent);
    let draft = if back {
        hpa(scaled(hpa(draft.at(100.0), most, 0), 110.0, HPA, 1), 1, 0)
    } else {
        draft
    };
    still(draft, 120.0).end()
}

/// Six are wanted by the autoscaler; somebody sets three at 10 s, and at 25 s the autoscaler sets six.
fn undone(agent: &'static str, desired: i64) -> Timeline {
    let draft = hpa(web(6).at(1.0).deployment("web", 6, 6), desired, 60);
    let draft = draft
        .at(10.0)
        .asked((agent, "patch deployments", "web"), |r| {
            r.manager = Some("kubectl-client-side-apply".to_owned()).filter(|_| agent == KUBECTL);
            r.replicas = Some(3);
        })
        .at(10.1)
        .deployment("web", 3, 6);
    still(
        hpa(scaled(hpa(draft.at(11.0), 6, 120), 25.0, HPA, 6), 6, 60),
        40.0,
    )
    .end()
}

/// Three replicas that rise to six at a utilisation that the autoscaler tells before and after.
pub(super) fn raised(before: i64, after: i64, agent: &str) -> Timeline {
    let draft = hpa(web(3).at(1.0).deployment("web", 3, 3), 3, before);
    still(hpa(scaled(draft, 10.0, agent, 6), 6, after), 20.0).end()
}

/// An autoscaler from `min` to nine, that is idle.
pub(super) fn bounded(draft: Draft, min: i64) -> Draft {
    draft.what(What::Hpa(seen(HpaSeen {
        min,
        max: 9,
        current: 3,
        desired: 3,
        cpu_percent: Some(1),
        target_percent: Some(50),
        ..super::hpa_of_web()
    })))
}

super::drawings! {
    replicas_that_rise_to_the_maximum_without_load_and_fall_again_are_an_over_scale:
        OVERSCALED, burst(6, 101, true) => Said::Reproduced;
    replicas_that_do_not_fall_again_are_worse_and_neither:
        OVERSCALED, burst(6, 101, false) => Said::Inconclusive("did not fall back to 3");
    replicas_that_stay_below_the_maximum_are_none:
        OVERSCALED, burst(5, 101, true) => Said::Absent;
    a_burst_that_nobody_saw_leaves_no_verdict:
        OVERSCALED, burst(5, 0, true) => Said::Inconclusive("a premise was never seen: hpa/web cpu >= 50");
    a_load_that_was_offered_makes_it_another_failure:
        OFFERED, burst(6, 101, true) => Said::Inconclusive("load was offered");
    the_same_without_such_a_load_is_the_failure:
        "failure: {scales-with-load: violated, as: over-scale, of: deployment/web, while: {no-load: true}}",
        burst(6, 101, true) => Said::Reproduced;
    an_autoscaler_that_raises_at_one_percent_remembers:
        REMEMBERED, raised(1, 1, HPA) => Said::Reproduced;
    an_autoscaler_that_raises_for_a_utilisation_before_it_does_not:
        REMEMBERED, raised(90, 1, HPA) => Said::Absent;
    an_autoscaler_that_raises_for_a_utilisation_that_it_tells_after_it_does_not:
        REMEMBERED, raised(1, 90, HPA) => Said::Absent;
    what_a_person_raises_is_no_over_scale:
        REMEMBERED, raised(1, 1, KUBECTL) => Said::Absent;
    an_over_scale_up_to_a_number_is_one_whatever_explains_it:
        "failure: {scales-with-load: violated, as: over-scale, of: deployment/web, up-to: 6, by: [horizontal-pod-autoscaler]}",
        raised(90, 90, HPA) => Said::Reproduced;
    an_over_scale_by_somebody_else_is_another_failure:
        "failure: {scales-with-load: violated, as: over-scale, of: deployment/web, up-to: 6, by: [horizontal-pod-autoscaler]}",
        raised(1, 1, KUBECTL) => Said::Inconclusive("by kubectl (played by kubeclash), without horizontal-pod-autoscaler");
    an_apply_that_undoes_a_scale_up_is_an_unexplained_fall:
        UNDONE, undone(KUBECTL, 6) => Said::Reproduced;
    a_fall_by_somebody_else_is_another_failure:
        UNDONE, undone("keeper", 6) => Said::Inconclusive("by keeper, without kubectl apply");
    a_fall_by_the_autoscaler_itself_is_explained:
        UNDONE, undone(HPA, 6) => Said::Absent;
    a_fall_to_what_the_autoscaler_wants_is_explained:
        UNDONE, undone(KUBECTL, 3) => Said::Absent;
    a_fall_is_no_over_scale:
        REMEMBERED, undone(KUBECTL, 6) => Said::Absent;
    where_nobody_wrote_requests_down_a_rise_to_what_the_autoscaler_wants_is_its_own:
        REMEMBERED, without_requests(raised(1, 1, HPA)) => Said::Reproduced;
    a_rise_that_nobody_is_known_to_have_made_is_not_the_autoscalers:
        REMEMBERED, still(hpa(hpa(web(3).at(1.0).deployment("web", 3, 3), 3, 1).at(10.0).deployment("web", 6, 3), 6, 1), 20.0).end()
            => Said::Absent;
    a_rise_to_the_minimum_needs_no_load:
        REMEMBERED, still(bounded(scaled(bounded(hpa(web(3).at(1.0).deployment("web", 3, 3), 3, 1).at(5.0), 6), 10.0, HPA, 6), 6), 20.0).end()
            => Said::Absent;
    a_fall_to_nothing_switches_the_autoscaler_off:
        UNDONE, still(scaled(hpa(web(6).at(1.0).deployment("web", 6, 6), 6, 60), 10.0, KUBECTL, 0), 40.0).end() => Said::Absent;
    a_rise_to_less_than_the_autoscaler_wants_is_no_fall:
        UNDONE, still(scaled(hpa(web(1).at(1.0).deployment("web", 1, 1), 6, 60), 10.0, KUBECTL, 3), 40.0).end() => Said::Absent;
    where_nobody_wrote_requests_down_a_fall_below_what_the_autoscaler_still_wants_is_somebody_elses:
        UNDONE, without_requests(undone(KUBECTL, 6)) => Said::Reproduced;
    and_one_to_what_it_wants_then_is_its_own:
        UNDONE, without_requests(still(hpa(scaled(hpa(web(6).at(1.0).deployment("web", 6, 6), 6, 60), 10.0, HPA, 3), 3, 60), 40.0).end())
            => Said::Absent;
    a_rise_from_the_number_is_no_rise_to_it:
        "failure: {scales-with-load: violated, as: over-scale, of: deployment/web, up-to: 3}",
        raised(90, 90, HPA) => Said::Inconclusive("wanted 3 all the while");
    an_autoscaler_that_only_says_how_many_it_wants_works:
        UNDONE, still(keeps_floor::hpa(web(6).at(1.0).deployment("web", 6, 6), 1), 60.0).end() => Said::Absent;
}
