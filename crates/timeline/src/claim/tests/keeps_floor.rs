use super::{HPA, KUBECTL, RS, Said, replicas, still, web};
use crate::testing::{Draft, seen};
use crate::{BudgetSeen, HpaSeen, What};

pub(super) const UNDERCUT: &str = "
failure:
  keeps-floor: violated
  of: deployment/web
  what: wanted
  floor: hpa.min
  by: [kubectl apply]
  then: {back-at: hpa.min, by: [horizontal-pod-autoscaler]}
";

pub(super) const DRAINED: &str = "
failure: {keeps-floor: violated, of: deployment/web, floor: replicas - 1, by: [kubectl drain]}
";

pub(super) fn hpa(draft: Draft, min: i64) -> Draft {
    draft.what(What::Hpa(seen(HpaSeen {
        min,
        max: 9,
        current: 5,
        desired: 5,
        ..super::hpa_of_web()
    })))
}

pub(super) fn apply(draft: Draft, number: i64) -> Draft {
    let draft = draft.asked((KUBECTL, "patch deployments", "web"), |r| {
        r.manager = Some("kubectl-client-side-apply".to_owned());
        r.replicas = Some(number);
    });
    draft.deployment("web", number, 5)
}

/// Five wanted by an autoscaler whose minimum is three.
pub(super) fn scaled() -> Draft {
    hpa(web(5).at(1.0).deployment("web", 5, 5), 3)
}

/// Applied down to a number at 10 s, and brought back to five by somebody at 20 s.
pub(super) fn undercut(number: i64, mender: &str) -> Draft {
    mended(apply(scaled().at(10.0), number), number, mender)
}

fn mended(draft: Draft, number: i64, mender: &str) -> Draft {
    draft
        .at(20.0)
        .asked((mender, "update deployments/scale", "web"), replicas(5))
        .deployment("web", 5, number)
}

/// Pods of which some are taken away at 10 s by somebody.
fn taken(agent: &str, what: &str, available: i64) -> Draft {
    web(3)
        .at(1.0)
        .pods(&[("a", "w1"), ("b", "w1"), ("c", "w2")])
        .deployment("web", 3, 3)
        .at(10.0)
        .request((agent, what, "web-a"))
        .request((agent, what, "web-b"))
        .at(10.1)
        .deployment("web", 3, available)
        .at(14.0)
        .deployment("web", 3, 3)
}

fn budget(draft: Draft, floor: i64) -> Draft {
    draft.what(What::Budget(seen(BudgetSeen {
        namespace: "default".to_owned(),
        name: "web".to_owned(),
        selector: std::collections::BTreeMap::from([("app".to_owned(), "web".to_owned())]),
        floor,
        healthy: 3,
        allowed: 3 - floor,
    })))
}

/// One of five is lost by itself, the autoscaler's minimum rises to four, and one is drained.
fn drained_after_a_loss() -> Draft {
    let draft = scaled().pods(&[("a", "w1"), ("b", "w2")]).at(5.0);
    hpa(draft.deployment("web", 5, 4).at(8.0), 4)
        .at(10.0)
        .request((KUBECTL, "create pods/eviction", "web-a"))
        .at(10.1)
        .deployment("web", 5, 3)
}

/// Brought back once after an eviction by a descheduler, and then drained of two pods at once.
fn mended_and_drained() -> Draft {
    web(3)
        .at(1.0)
        .pods(&[("a", "w1"), ("b", "w1"), ("c", "w2"), ("d", "w2")])
        .deployment("web", 3, 3)
        .at(4.0)
        .request(("descheduler", "create pods/eviction", "web-d"))
        .deployment("web", 3, 2)
        .at(6.0)
        .deployment("web", 3, 3)
        .at(10.0)
        .request((KUBECTL, "create pods/eviction", "web-a"))
        .request((KUBECTL, "create pods/eviction", "web-b"))
        .at(10.1)
        .deployment("web", 3, 1)
}

super::drawings! {
    an_apply_that_undercuts_an_autoscaler_and_is_mended_by_it_is_a_dip:
        UNDERCUT, still(undercut(1, HPA), 30.0).end() => Said::Reproduced;
    a_dip_that_is_not_mended_is_worse_and_neither:
        UNDERCUT, still(apply(scaled().at(10.0), 1), 30.0).end() => Said::Inconclusive("was not brought back to 3");
    a_dip_that_somebody_else_mends_is_another_failure:
        UNDERCUT, still(undercut(1, KUBECTL), 30.0).end()
            => Said::Inconclusive("but kubectl brought it back, not horizontal-pod-autoscaler");
    a_dip_that_somebody_else_makes_is_another_failure:
        UNDERCUT, still(scaled().at(10.0).asked(("keeper", "patch deployments/scale", "web"), replicas(1)).deployment("web", 1, 5)
            .at(20.0).asked((HPA, "update deployments/scale", "web"), replicas(3)).deployment("web", 3, 1), 30.0).end()
            => Said::Inconclusive("by keeper, without kubectl apply");
    a_fall_to_the_floor_is_no_dip:
        UNDERCUT, still(undercut(3, HPA), 30.0).end() => Said::Absent;
    a_floor_that_rises_above_what_is_there_is_neither_a_dip_nor_kept:
        UNDERCUT, still(hpa(scaled().at(10.0), 6), 30.0).end() => Said::Inconclusive("5 of 6 that were promised");
    a_workload_that_grows_up_to_its_floor_has_no_dip:
        UNDERCUT, still(hpa(web(1).at(1.0).deployment("web", 1, 0), 3).at(5.0).deployment("web", 2, 1)
            .at(9.0).deployment("web", 3, 1), 30.0).end() => Said::Absent;
    what_is_available_may_be_low_where_what_is_wanted_is_not:
        UNDERCUT, still(scaled().at(10.0).deployment("web", 5, 1), 30.0).end() => Said::Absent;
    a_drain_that_takes_two_of_three_at_once_is_a_dip:
        DRAINED, still(taken(KUBECTL, "create pods/eviction", 1), 30.0).end() => Said::Reproduced;
    a_drain_that_takes_one_of_three_is_none:
        DRAINED, still(taken(KUBECTL, "create pods/eviction", 2), 30.0).end() => Said::Absent;
    two_pods_that_a_descheduler_takes_are_another_failure:
        DRAINED, still(taken("descheduler", "create pods/eviction", 1), 30.0).end()
            => Said::Inconclusive("by descheduler, without kubectl drain");
    a_scale_down_is_no_dip_below_the_replicas:
        DRAINED, still(web(3).at(1.0).deployment("web", 3, 3).at(5.0).deployment("web", 1, 3).at(6.0).deployment("web", 1, 1), 30.0).end()
            => Said::Absent;
    a_budget_is_a_floor:
        "failure: {keeps-floor: violated, of: deployment/web, floor: pdb}",
        still(budget(taken(RS, "delete pods", 1), 2), 30.0).end() => Said::Absent;
    a_budget_that_was_there_before_the_fall_is_broken:
        "failure: {keeps-floor: violated, of: deployment/web, floor: pdb, because: pdb web}",
        still(budget(web(3).at(1.0).pod("a", Some("w1")).deployment("web", 3, 3), 2).at(5.0).deployment("web", 3, 1), 30.0).end()
            => Said::Reproduced;
    a_rolling_update_may_take_so_many_and_no_more:
        "failure: {keeps-floor: violated, of: deployment/web, floor: max-unavailable}",
        still([3, 2, 1].into_iter().fold(web(3), |draft, available| {
            draft.at(10.0 - available as f64).workload("deployment", "web", |web| {
                (web.wanted, web.available, web.max_unavailable) = (3, available, Some(1));
            })
        }), 30.0).end() => Said::Reproduced;
    a_dip_may_be_asked_to_last:
        "failure: {keeps-floor: violated, of: deployment/web, floor: 3, for: 5s}",
        still(taken(KUBECTL, "create pods/eviction", 1), 30.0).end() => Said::Absent;
    a_dip_that_lasts_is_one:
        "failure: {keeps-floor: violated, of: deployment/web, floor: 3, for: 3s}",
        still(taken(KUBECTL, "create pods/eviction", 1), 30.0).end() => Said::Reproduced;
    what_a_workload_lost_by_itself_before_its_floor_rose_is_lost_as_well:
        "failure: {keeps-floor: violated, of: deployment/web, floor: hpa.min, by: [kubectl drain]}",
        still(drained_after_a_loss(), 30.0).end() => Said::Inconclusive("also by somebody");
    what_was_taken_away_before_it_last_rose_did_not_make_it_fall:
        DRAINED, still(mended_and_drained(), 30.0).end() => Said::Reproduced;
    where_a_watch_had_a_gap_nobody_knows_that_a_floor_was_kept:
        UNDERCUT, still(undercut(3, HPA).at(25.0).gap("pods"), 30.0).end()
            => Said::Inconclusive("the watch on pods had a gap at 25.0 s (too old resource version)");
    nor_is_a_dip_known_that_came_after_a_gap:
        UNDERCUT, still(mended(apply(scaled().at(5.0).gap("pods").at(10.0), 1), 1, HPA), 30.0).end() => Said::Inconclusive("had a gap at 5.0 s");
    a_gap_after_a_dip_that_was_mended_takes_nothing_back:
        UNDERCUT, still(undercut(1, HPA).at(25.0).gap("pods"), 30.0).end() => Said::Reproduced;
    the_second_half_of_a_failure_is_neither_it_nor_its_absence:
        "failure: {all: [{keeps-floor: violated, of: deployment/web, floor: 1}, {keeps-floor: violated, of: deployment/web, what: wanted, floor: hpa.min}]}",
        still(undercut(1, HPA), 30.0).end() => Said::Inconclusive("half of the failure");
    a_dip_before_the_second_mark_is_one:
        "failure: {keeps-floor: violated, of: deployment/web, what: wanted, floor: hpa.min, to: later}",
        still(undercut(1, HPA).at(25.0).mark("later"), 30.0).end() => Said::Reproduced;
    a_dip_after_it_is_none:
        "failure: {keeps-floor: violated, of: deployment/web, what: wanted, floor: hpa.min, to: early}",
        still(mended(apply(scaled().at(5.0).mark("early").at(10.0), 1), 1, HPA), 30.0).end() => Said::Absent;
}

#[test]
fn a_dip_says_how_deep_it_was_how_long_and_who_brought_it_back() {
    let drawing = super::Drawing {
        name: "dip",
        scenario: super::scenario(UNDERCUT),
        timeline: still(undercut(1, HPA), 30.0).end(),
    };
    let judged = super::said(&drawing, &Said::Reproduced);
    assert_eq!(
        judged.fight.as_deref(),
        Some("kubectl apply (played by kubeclash) scales web 5→1 → horizontal-pod-autoscaler scales web 1→5")
    );
    assert_eq!(
        (&judged.facts["least"], &judged.facts["floor"]),
        (&1.into(), &3.into())
    );
    assert_eq!(judged.facts["below_for_s"], 10.0);
    assert_eq!(judged.needed, Some(std::time::Duration::from_secs(20)));
}

#[test]
fn what_was_done_is_told_once_although_two_claims_ask_for_it() {
    let drawing = super::Drawing {
        name: "told once",
        scenario: super::scenario(
            "failure: {all: [{keeps-floor: violated, of: deployment/web, floor: 2}, {keeps-floor: violated, of: deployment/web, floor: 3}]}",
        ),
        timeline: still(undercut(1, HPA), 30.0).end(),
    };
    let judged = super::said(&drawing, &Said::Reproduced);
    let told: Vec<String> = judged
        .attribution
        .iter()
        .map(|deed| format!("{} {} {}", deed.actor, deed.does, deed.object))
        .collect();
    assert_eq!(
        told,
        [
            "kubectl apply writes deployment web",
            "kubectl apply scales deployment web",
            "horizontal-pod-autoscaler scales deployment web"
        ]
    );
}
