//! The claims of the study's cases on what was recorded of both arms.

use super::{CASES, case, recording};
use crate::experiment::Arm;
use crate::property::claim::{judge, pulse, reproduced};
use crate::timeline::{Gap, What};
use crate::verdict::Verdict;

/// The figures of a case that reports and `recorded/figures.yaml` read, of its broken arm and of its control.
fn figures(id: &str) -> [&'static [&'static str]; 2] {
    const LOOP: &[&str] = &[
        "rounds",
        "evictions",
        "evictions_per_min",
        "placement",
        "first_eviction_s",
        "period_s",
    ];
    match id {
        "c1" => [
            &[
                "peak_replicas",
                "max_reached_s",
                "below_target_s",
                "back_at_one_s",
            ],
            &["peak_replicas"],
        ],
        "c2" => [
            &["least_replicas", "fell_s", "back_at_min_s", "below_min_for_s"],
            &["least_replicas"],
        ],
        "c3" => [&["running", "pending_since_s", "pending_for_s"], &["running"]],
        "c5" | "c8" => [LOOP, &["rounds", "evictions", "placement"]],
        "c6" => [
            &[
                "skew_after_maintenance",
                "least_available",
                "skew_at_the_end",
                "available_low_for_s",
            ],
            &["skew_after_maintenance", "least_available", "skew_at_the_end"],
        ],
        "c7" => [
            &[
                "distinct_pods",
                "pods_per_min",
                "max_terminating",
                "first_eviction_s",
            ],
            &["distinct_pods", "max_terminating"],
        ],
        other => panic!("no figures of {other}"),
    }
}

fn each(mut look: impl FnMut(&str, &str, &str, Arm)) {
    for (id, folder, variants) in CASES {
        for variant in variants {
            for arm in Arm::ALL {
                look(id, folder, variant, arm);
            }
        }
    }
}

#[test]
fn each_recording_is_judged_by_its_claim_as_it_was_live() {
    each(|id, folder, variant, arm| {
        let judged = judge(&case(id), &recording(folder, arm, variant));
        let name = format!("{id}{variant} {arm}: {}", judged.why);
        let broken = arm == Arm::Broken;
        let expected = if broken {
            Verdict::Reproduced
        } else {
            Verdict::Absent
        };
        assert_eq!(judged.verdict, expected, "{name}");
        assert_eq!(
            (judged.needed.is_some(), judged.fight.is_some()),
            (broken, broken),
            "{name}"
        );
        let [of_broken, of_control] = figures(id);
        for figure in if broken { of_broken } else { of_control } {
            assert!(judged.facts.contains_key(*figure), "{name}: {figure}");
        }
        // What is told of three events and more is not told of none.
        for rate in ["evictions_per_min", "pods_per_min", "period_s"] {
            assert!(broken || !judged.facts.contains_key(rate), "{name}: {rate}");
        }
    });
}

#[test]
fn who_fought_is_told_as_a_cycle_of_changes() {
    let fight = |id: &str, folder: &str| {
        judge(&case(id), &recording(folder, Arm::Broken, ""))
            .fight
            .unwrap()
    };
    assert_eq!(
        fight("c7", "c7_taint_recreate_loop"),
        "replicaset-controller creates a pod → kubelet rejects it on kind-worker (TaintToleration) → \
         taint-eviction-controller deletes it"
    );
    let evicted = fight("c5", "c5_remove_duplicates_loop");
    let parts: Vec<&str> = evicted.split(" → ").collect();
    assert!(parts[0].starts_with("descheduler evicts nginx-"), "{evicted}");
    assert!(
        parts[0].ends_with(" from kind-worker (RemoveDuplicates)"),
        "{evicted}"
    );
    assert!(
        parts[1].starts_with("replicaset-controller creates nginx-"),
        "{evicted}"
    );
    assert_eq!(parts[2], "kube-scheduler binds it to kind-worker");
    assert_eq!(
        fight("c2", "c2_replicas_omitted"),
        "kubectl apply scales h1-app 5→1 → horizontal-pod-autoscaler scales h1-app 1→3"
    );
}

#[test]
fn what_is_asked_again_and_again_says_what_the_judge_says_and_has_a_number() {
    each(|id, folder, variant, arm| {
        let (scenario, timeline) = (case(id), recording(folder, arm, variant));
        let judged = judge(&scenario, &timeline);
        assert_eq!(
            reproduced(&scenario, &timeline),
            judged.verdict == Verdict::Reproduced,
            "{id}{variant} {arm}"
        );
        assert!(pulse(&scenario, &timeline).contains(|c: char| c.is_ascii_digit()));
    });
    assert_eq!(
        pulse(
            &case("c5"),
            &recording("c5_remove_duplicates_loop", Arm::Broken, "")
        ),
        "3 evictions, 3 rounds"
    );
}

#[test]
fn no_part_of_a_recording_shows_an_absence_and_none_of_a_control_the_failure() {
    each(|id, folder, variant, arm| {
        let whole = recording(folder, arm, variant);
        for tenth in 0..10 {
            let mut part = whole.clone();
            part.entries.truncate(whole.entries.len() * tenth / 10);
            let verdict = judge(&case(id), &part).verdict;
            assert_ne!(verdict, Verdict::Absent, "{id}{variant} {arm}, {tenth} tenths");
            if arm == Arm::Control {
                assert_ne!(verdict, Verdict::Reproduced, "{id}{variant}, {tenth} tenths");
            }
        }
    });
}

#[test]
fn a_gap_before_a_failure_is_complete_leaves_no_verdict_and_one_after_it_takes_nothing_back() {
    each(|id, folder, variant, arm| {
        let whole = recording(folder, arm, variant);
        let before = judge(&case(id), &whole).verdict;
        let with_a_gap = |at: usize| {
            let mut timeline = whole.clone();
            let mut gap = timeline.entries[at].clone();
            gap.what = What::Gap(Gap {
                watch: "pods".to_owned(),
                why: "410 Gone".to_owned(),
            });
            timeline.entries.insert(at, gap);
            judge(&case(id), &timeline).verdict
        };
        let late = with_a_gap(whole.entries.len() - 1);
        match before {
            Verdict::Absent => assert!(late.reason().is_some_and(|why| why.contains("gap")), "{id} {arm}"),
            _ => assert!(late.is_like(&before), "{id} {arm}: {late:?}"),
        }
        if before == Verdict::Reproduced {
            let mark = whole
                .entries
                .iter()
                .rposition(|e| matches!(&e.what, What::Mark(m) if m != "maintained again"));
            let early = with_a_gap(mark.unwrap() + 1);
            assert!(
                early.reason().is_some_and(|why| why.contains("gap")),
                "{id} {arm}: {early:?}"
            );
        }
    });
}

/// What makes each failure, changed in its recording: the same happens, but for another reason, by another one, or elsewhere.
#[test]
fn a_recording_of_another_failure_is_neither_the_failure_nor_its_absence() {
    let spoiled = |id: &str, folder: &str, spoil: &dyn Fn(&mut What)| {
        let mut timeline = recording(folder, Arm::Broken, "");
        timeline
            .entries
            .iter_mut()
            .for_each(|entry| spoil(&mut entry.what));
        let judged = judge(&case(id), &timeline);
        assert!(judged.verdict.is_inconclusive(), "{id}: {:?}", judged.verdict);
        assert!(
            judged.why.starts_with("another failure than the named one: "),
            "{}",
            judged.why
        );
        judged.why
    };
    let c7 = "c7_taint_recreate_loop";
    let reason = spoiled("c7", c7, &|what| {
        if let What::Pod(pod) = what {
            pod.state.reason = pod.state.reason.as_ref().map(|_| "OutOfcpu".to_owned());
        }
    });
    assert!(
        reason.contains("for OutOfcpu, not for TaintToleration"),
        "{reason}"
    );
    let node = spoiled("c7", c7, &|what| {
        if let What::Pod(pod) = what {
            pod.state.node = pod.state.node.as_ref().map(|_| "kind-worker2".to_owned());
        }
    });
    assert!(node.contains("on kind-worker2, not on kind-worker"), "{node}");
    let evictor = spoiled("c5", "c5_remove_duplicates_loop", &|what| {
        if let What::Request(request) = what
            && request.resource == "pods/eviction"
        {
            request.agent = "kubectl".to_owned();
        }
    });
    assert!(evictor.contains("by kubectl drain, "), "{evictor}");
    assert!(evictor.contains("without descheduler"), "{evictor}");
    let plugin = spoiled("c8", "c8_soft_spread_loop", &|what| {
        if let What::Request(request) = what {
            request.why = request.why.as_ref().map(|_| "LowNodeUtilization".to_owned());
        }
    });
    assert!(
        plugin.contains("for LowNodeUtilization, not for RemovePods"),
        "{plugin}"
    );
    let mended = spoiled("c2", "c2_replicas_omitted", &|what| {
        if let What::Request(request) = what
            && request.agent.ends_with("horizontal-pod-autoscaler")
        {
            request.agent = "kubectl".to_owned();
        }
    });
    assert!(
        mended.contains("brought it back, not horizontal-pod-autoscaler"),
        "{mended}"
    );
}

#[test]
fn without_what_makes_it_a_broken_recording_is_no_reproduction() {
    let without = |id: &str, folder: &str, variant: &str, keep: &dyn Fn(&What) -> bool| {
        let mut timeline = recording(folder, Arm::Broken, variant);
        timeline.entries.retain(|entry| keep(&entry.what));
        let judged = judge(&case(id), &timeline);
        assert_ne!(judged.verdict, Verdict::Reproduced, "{id}: {}", judged.why);
        judged
    };
    let wanted = |what: &What, number: i64| matches!(what, What::Workload(w) if w.state.kind == "deployment" && w.state.wanted == number);
    let _ = without("c1", "c1_cpu_spike_overscale", "", &|what| !wanted(what, 6));
    let _ = without("c2", "c2_replicas_omitted", "", &|what| !wanted(what, 1));
    let going = |what: &What| matches!(what, What::Pod(pod) if pod.state.terminating || pod.change == crate::timeline::Change::Gone);
    let _ = without("c5", "c5_remove_duplicates_loop", "", &|what| !going(what));
    let _ = without("c8", "c8_soft_spread_loop", "", &|what| !going(what));
    // Half of the failure: the skew stays, and the second drain takes one pod less.
    let low = |what: &What| matches!(what, What::Workload(w) if w.state.kind == "deployment" && w.state.available == 1);
    for variant in ["-with-constraint", "-without-constraint"] {
        let half = without("c6", "c6_maintenance_imbalance", variant, &|what| !low(what));
        assert!(half.why.starts_with("half of the failure"), "{}", half.why);
    }
    // Never brought back is worse, and no absence.
    let mut timeline = recording("c2_replicas_omitted", Arm::Broken, "");
    let mut fell = false;
    timeline.entries.retain(|entry| {
        fell |= wanted(&entry.what, 1);
        !(fell && wanted(&entry.what, 3))
    });
    let judged = judge(&case("c2"), &timeline);
    assert!(judged.why.contains("was not brought back to 3"), "{}", judged.why);
}
