use super::*;
use crate::testing::{Draft, pod, s, seen};
use crate::{OwnerRef, PodSeen, WorkloadSeen};

const CYCLE: Duration = Duration::from_secs(10);

fn set(wanted: i64) -> What {
    What::Workload(seen(WorkloadSeen {
        kind: "replicaset".to_owned(),
        namespace: "default".to_owned(),
        uid: "rs".to_owned(),
        name: "web-5f".to_owned(),
        wanted,
        ..WorkloadSeen::default()
    }))
}

fn owned(uid: &str, node: Option<&str>) -> PodSeen {
    PodSeen {
        owner: Some(OwnerRef {
            kind: "ReplicaSet".to_owned(),
            name: "web-5f".to_owned(),
            uid: "rs".to_owned(),
        }),
        ..pod(uid, node)
    }
}

fn of(scheduler: &str, pod: PodSeen) -> What {
    What::Pod(seen(PodSeen {
        scheduler: Some(scheduler.to_owned()),
        ..pod
    }))
}

fn words(draft: Draft) -> Option<String> {
    undone(&draft.done().world_at(s(100.0)))
}

#[test]
fn whose_turn_it_is_is_told_in_order() {
    let applied = || Draft::new("c5").deployment("web", 1, 0);
    let made = |draft: Draft| draft.what(set(1));
    let pod_made = |draft: Draft| made(draft).what(What::Pod(seen(owned("a", None))));
    assert_eq!(
        words(applied()).as_deref(),
        Some("kube-controller-manager made no ReplicaSet of deployment \"web\"")
    );
    assert_eq!(
        words(made(applied())).as_deref(),
        Some("kube-controller-manager made 0 of 1 pods of \"web-5f\"")
    );
    assert_eq!(
        words(pod_made(applied())).as_deref(),
        Some("kube-scheduler neither bound nor refused a pod")
    );
    let bound = pod_made(applied()).what(What::Pod(seen(owned("a", Some("w1")))));
    assert_eq!(words(bound), None);
    assert_eq!(
        words(Draft::new("c5").deployment("web", 0, 0)),
        None,
        "nothing is wanted"
    );
}

#[test]
fn a_refused_pod_is_an_answer_and_quoted() {
    let world = Draft::new("c3").unschedulable("a").done().world_at(s(0.0));
    assert_eq!(undone(&world), None);
    assert_eq!(
        refusal(&world).as_deref(),
        Some("kube-scheduler refused pod \"web-a\": 0/3 nodes are available")
    );
    let named = Draft::new("c3")
        .what(of("mine", pod("a", None)))
        .what(of("mine", pod("b", None)));
    assert_eq!(
        words(named).as_deref(),
        Some("mine neither bound nor refused 2 pods")
    );
}

#[test]
fn only_what_stays_undone_to_the_end_and_for_long_counts() {
    let pending = || Draft::new("c5").at(1.0).pod("a", None);
    let still = |draft: Draft, at: f64| draft.at(at).what(What::Still(())).done();
    let left = still(pending(), 5.0).left_undone();
    assert_eq!(
        left.as_deref(),
        Some("kube-scheduler neither bound nor refused a pod in the last 4.0 s")
    );
    assert_eq!(still(pending(), 3.5).left_undone(), None, "not for long");
    assert_eq!(
        still(pending().at(4.5).pod("a", Some("w1")), 9.0).left_undone(),
        None,
        "not to the end"
    );
}

#[test]
fn a_scheduler_that_pods_name_must_have_answered_one() {
    let ignored = Draft::new("c7").what(of("mine", pod("a", None)));
    assert!(
        ignored
            .done()
            .idle_scheduler()
            .is_some_and(|idle| idle.contains("\"mine\""))
    );
    let bound = Draft::new("c7")
        .what(of("mine", pod("a", None)))
        .what(of("mine", pod("a", Some("w1"))));
    assert_eq!(bound.done().idle_scheduler(), None);
    let refused = PodSeen {
        unschedulable: Some("no".to_owned()),
        ..pod("a", None)
    };
    assert_eq!(
        Draft::new("c7").what(of("mine", refused)).done().idle_scheduler(),
        None
    );
    let bypassed = Draft::new("c7").what(of("mine", pod("a", Some("w1"))));
    assert_eq!(bypassed.done().idle_scheduler(), None, "there was nothing to do");
    assert_eq!(
        Draft::new("c7").pod("a", None).done().idle_scheduler(),
        None,
        "none is named"
    );
}

fn cycles(at: &[f64]) -> Timeline {
    at.iter()
        .fold(Draft::new("c5"), |draft, &at| draft.at(at).cycle())
        .done()
}

#[test]
fn cycles_must_go_on_to_the_end() {
    let found = |at: &[f64], to: f64| cycles(at).descheduled(s(0.0), s(to), CYCLE, 3).holds();
    assert!(found(&[1.0, 11.0, 21.0], 30.0));
    assert!(found(&[1.0, 11.0, 21.0], 51.0), "three intervals are still usual");
    assert!(!found(&[1.0, 11.0, 21.0], 52.0), "hung");
    assert!(!found(&[1.0, 11.0], 20.0), "too few");
    assert!(found(&[1.0, 31.0, 61.0], 120.0), "slow, and still at it");
    let hung = cycles(&[1.0, 11.0, 21.0]).descheduled(s(0.0), s(60.0), CYCLE, 3);
    assert!(
        hung.why
            .contains("3 cycles, the last of them 39.0 s before the end"),
        "{}",
        hung.why
    );
    let none = cycles(&[1.0]).descheduled(s(5.0), s(60.0), CYCLE, 1);
    assert!(none.why.contains("not go through a single cycle"), "{}", none.why);
}

#[test]
fn a_recording_without_cycles_is_not_asked_for_them() {
    let old = Draft::new("c5").at(60.0).what(What::Still(())).done();
    assert!(old.descheduled(s(0.0), s(60.0), CYCLE, 3).holds());
}
