//! The claims of the study's cases on what was recorded of both arms: the verdicts and figures that the judges before them gave.

use std::path::Path;

use kubeclash_timeline::claim::{judge, pulse, reproduced};
use kubeclash_timeline::{Arm, Gap, Timeline, Verdict, What, read};
use serde_json::{Value, json};

use super::Scenario;

/// The study's cases whose failures are claims: id, folder, variants.
const CASES: [(&str, &str, &[&str]); 7] = [
    ("c1", "c1_cpu_spike_overscale", &[""]),
    ("c2", "c2_replicas_omitted", &[""]),
    ("c3", "c3_two_spread_keys", &["-with-hpa", "-without-hpa"]),
    ("c5", "c5_remove_duplicates_loop", &[""]),
    (
        "c6",
        "c6_maintenance_imbalance",
        &["-with-constraint", "-without-constraint"],
    ),
    ("c7", "c7_taint_recreate_loop", &[""]),
    ("c8", "c8_soft_spread_loop", &[""]),
];

/// The claim of one of them.
fn case(id: &str) -> Scenario {
    let library = crate::cases::Library::builtin();
    let case = library.iter().find(|case| case.id() == id);
    let folder = case.and_then(crate::cases::Case::as_folder).unwrap();
    folder.scenarios()[0].clone()
}

/// What was recorded of an arm.
fn recording(folder: &str, arm: Arm, variant: &str) -> Timeline {
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    let path = manifests.join(format!("{folder}/recorded/{arm}{variant}.jsonl"));
    read(&path).unwrap_or_else(|e| panic!("{e}")).timeline
}

/// Of an arm: when the failure was complete, in milliseconds, and the figures that the hand-written judges gave. Left out is what
/// is now told of three events and more only: `pods_per_min` of one pod, `evictions_per_min` of none.
fn figures(id: &str, variant: &str, arm: Arm) -> (Option<u128>, Value) {
    let broken = arm == Arm::Broken;
    match (id, variant, broken) {
        ("c1", _, true) => (
            Some(19_950),
            json!({"peak_replicas": 6, "max_reached_s": 6.744, "below_target_s": 15.896, "back_at_one_s": 19.951}),
        ),
        ("c1", _, false) => (None, json!({"peak_replicas": 1})),
        ("c2", _, true) => (
            Some(651),
            json!({"least_replicas": 1, "fell_s": 0.008, "back_at_min_s": 0.652, "below_min_for_s": 0.649}),
        ),
        ("c2", _, false) => (None, json!({"least_replicas": 5})),
        // Recorded anew: a pod must wait for longer than the scheduler's longest backoff.
        ("c3", "-with-hpa", true) => (None, json!({"running": 5})),
        ("c3", _, true) => (None, json!({"running": 5})),
        ("c3", _, false) => (None, json!({"running": 6})),
        ("c5", _, true) => (
            Some(1_480),
            json!({"rounds": 3, "evictions": 3, "evictions_per_min": 88.1, "placement": [3, 1, 1],
                "first_eviction_s": 0.115, "period_s": 0.689}),
        ),
        ("c5", _, false) => (None, json!({"rounds": 0, "evictions": 0, "placement": [3, 1, 1]})),
        ("c6", "-with-constraint", true) => (
            Some(1_216),
            json!({"skew_after_maintenance": 2, "least_available": 1, "skew_at_the_end": 2, "available_low_for_s": 0.098}),
        ),
        ("c6", _, true) => (
            Some(1_176),
            json!({"skew_after_maintenance": 2, "least_available": 1, "skew_at_the_end": 2, "available_low_for_s": 0.096}),
        ),
        ("c6", _, false) => (
            None,
            json!({"skew_after_maintenance": 0, "least_available": 2, "skew_at_the_end": 0}),
        ),
        // 618 over the time to the end before; from the first pod to the last it is one more.
        ("c7", _, true) => (
            Some(1_868),
            json!({"distinct_pods": 20, "pods_per_min": 619.0, "max_terminating": 1, "first_eviction_s": 0.059}),
        ),
        ("c7", _, false) => (None, json!({"distinct_pods": 1, "max_terminating": 0})),
        ("c8", _, true) => (
            Some(1_485),
            json!({"rounds": 3, "evictions": 3, "evictions_per_min": 88.8, "placement": [2, 1, 1],
                "first_eviction_s": 0.119, "period_s": 0.68}),
        ),
        ("c8", _, false) => (None, json!({"rounds": 0, "evictions": 0, "placement": [2, 1, 1]})),
        other => panic!("no figures of {other:?}"),
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
fn each_recording_is_judged_by_its_claim_as_by_the_judge_before_it() {
    each(|id, folder, variant, arm| {
        let judged = judge(&case(id).claims(), &recording(folder, arm, variant));
        let name = format!("{id}{variant} {arm}: {}", judged.why);
        match (id, arm) {
            (_, Arm::Broken) => assert_eq!(judged.verdict, Verdict::Reproduced, "{name}"),
            (_, Arm::Control) => assert_eq!(judged.verdict, Verdict::Absent, "{name}"),
        }
        let (needed, figures) = figures(id, variant, arm);
        if id != "c3" {
            assert_eq!(judged.needed.map(|needed| needed.as_millis()), needed, "{name}");
        }
        for (figure, value) in figures.as_object().unwrap() {
            assert_eq!(judged.facts.get(figure), Some(value), "{name}: {figure}");
        }
        for left_out in ["evictions_per_min", "pods_per_min"] {
            let told = figures.get(left_out).is_some();
            assert_eq!(judged.facts.contains_key(left_out), told, "{name}: {left_out}");
        }
    });
}

#[test]
fn who_fought_is_told_as_a_cycle_of_changes() {
    let fight = |id: &str, folder: &str| {
        judge(&case(id).claims(), &recording(folder, Arm::Broken, ""))
            .fight
            .unwrap()
    };
    assert_eq!(
        fight("c7", "c7_taint_recreate_loop"),
        "replicaset-controller creates a pod → kubelet rejects it on kind-worker (TaintToleration) → \
         taint-eviction-controller deletes it"
    );
    assert_eq!(
        fight("c5", "c5_remove_duplicates_loop"),
        "descheduler evicts nginx-58c4cd6857-xmxtj from kind-worker (RemoveDuplicates) → \
         replicaset-controller creates nginx-58c4cd6857-hwn4l → kube-scheduler binds it to kind-worker"
    );
    assert_eq!(
        fight("c2", "c2_replicas_omitted"),
        "kubectl apply scales h1-app 5→1 → horizontal-pod-autoscaler scales h1-app 1→3"
    );
}

#[test]
fn what_is_asked_again_and_again_says_what_the_judge_says_and_has_a_number() {
    each(|id, folder, variant, arm| {
        let (scenario, timeline) = (case(id), recording(folder, arm, variant));
        let judged = judge(&scenario.claims(), &timeline);
        assert_eq!(
            reproduced(&scenario.claims(), &timeline),
            judged.verdict == Verdict::Reproduced,
            "{id}{variant} {arm}"
        );
        assert!(pulse(&scenario.claims(), &timeline).contains(|c: char| c.is_ascii_digit()));
    });
    assert_eq!(
        pulse(
            &case("c5").claims(),
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
            let verdict = judge(&case(id).claims(), &part).verdict;
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
        let before = judge(&case(id).claims(), &whole).verdict;
        let with_a_gap = |at: usize| {
            let mut timeline = whole.clone();
            let mut gap = timeline.entries[at].clone();
            gap.what = What::Gap(Gap {
                watch: "pods".to_owned(),
                why: "410 Gone".to_owned(),
            });
            timeline.entries.insert(at, gap);
            judge(&case(id).claims(), &timeline).verdict
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
        let judged = judge(&case(id).claims(), &timeline);
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
        let judged = judge(&case(id).claims(), &timeline);
        assert_ne!(judged.verdict, Verdict::Reproduced, "{id}: {}", judged.why);
        judged
    };
    let wanted = |what: &What, number: i64| matches!(what, What::Workload(w) if w.state.kind == "deployment" && w.state.wanted == number);
    let _ = without("c1", "c1_cpu_spike_overscale", "", &|what| !wanted(what, 6));
    let _ = without("c2", "c2_replicas_omitted", "", &|what| !wanted(what, 1));
    let going = |what: &What| matches!(what, What::Pod(pod) if pod.state.terminating || pod.change == kubeclash_timeline::Change::Gone);
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
    let judged = judge(&case("c2").claims(), &timeline);
    assert!(judged.why.contains("was not brought back to 3"), "{}", judged.why);
}

#[test]
fn a_beginning_of_a_recording_that_is_reproduced_stays_so() {
    each(|id, folder, variant, arm| {
        let (scenario, whole) = (case(id), recording(folder, arm, variant));
        let verdict = judge(&scenario.claims(), &whole).verdict;
        let mut before = false;
        for length in 1..=whole.entries.len() {
            let mut prefix = whole.clone();
            prefix.entries.truncate(length);
            let now = reproduced(&scenario.claims(), &prefix);
            assert!(
                now || !before,
                "{id}{variant} {arm}: reproduced before {length} entries, and not after"
            );
            before = now;
        }
        assert_eq!(before, verdict == Verdict::Reproduced, "{id}{variant} {arm}");
    });
}
