use super::*;
use crate::testing::{Draft, pod, s, seen};
use crate::{EventSeen, OwnerRef, PodSeen, What};

const KCM: &str = "kube-controller-manager/replicaset-controller";
const NODES: &str = "kube-controller-manager/node-controller";
const HPA: &str = "kube-controller-manager/horizontal-pod-autoscaler";
const SCHEDULER: &str = "kube-scheduler/scheduler";
const DESCHEDULER: &str = "descheduler/descheduler";

fn owner() -> OwnerRef {
    owner_named("web-1")
}

fn owner_named(name: &str) -> OwnerRef {
    OwnerRef {
        kind: "ReplicaSet".to_owned(),
        name: name.to_owned(),
        uid: format!("uid-{name}"),
    }
}

fn deeds(timeline: &Timeline, name: &str, since: std::time::Duration) -> Deeds {
    super::deeds(timeline, &WorkloadRef::deployment(name), since)
}

/// Rounds in which a pod is evicted, another created and bound: `evict` says how it is taken away.
fn rounds(evict: impl Fn(Draft, &str) -> Draft) -> Timeline {
    let mut draft = Draft::new("c5")
        .owned()
        .pod("a", Some("w1"))
        .at(5.0)
        .mark("descheduler");
    for (n, (old, new)) in [("a", "b"), ("b", "c"), ("c", "d")].into_iter().enumerate() {
        let at = 10.0 * n as f64 + 6.0;
        draft = evict(draft.at(at), &format!("web-{old}"))
            .at(at + 0.1)
            .terminating(old, "w1")
            .request((KCM, "create pods", &format!("web-{new}")))
            .pod(new, None)
            .at(at + 0.2)
            .asked((SCHEDULER, "create pods/binding", &format!("web-{new}")), |r| {
                r.node = Some("w1".to_owned());
            })
            .pod(new, Some("w1"))
            .at(at + 1.0)
            .gone(old, "w1");
    }
    draft.done()
}

fn sentence(timeline: &Timeline) -> String {
    deeds(timeline, "web", s(5.0)).chain(&[
        &[Does::Evicts, Does::Deletes],
        &[Does::Creates],
        &[Does::Rejects],
        &[Does::Binds],
    ])
}

#[test]
fn each_actor_has_its_deed_its_count_and_its_rate() {
    let timeline = rounds(|draft, pod| {
        draft.asked((DESCHEDULER, "create pods/eviction", pod), |r| {
            r.why = Some("RemoveDuplicates".to_owned());
        })
    });
    let deeds = deeds(&timeline, "web", s(5.0));
    let evicts = Deed {
        actor: "descheduler".to_owned(),
        does: Does::Evicts,
        object: "pod".to_owned(),
        detail: Some("RemoveDuplicates".to_owned()),
        count: 3,
        per_min: Some(6.0),
        refused: None,
        played: false,
        seen_in: SeenIn::AuditLog,
    };
    assert_eq!(deeds.list[0], evicts);
    assert!(deeds.list.iter().all(|deed| deed.count == 3), "{:?}", deeds.list);
    assert_eq!(
        sentence(&timeline),
        "descheduler evicts pod (RemoveDuplicates) → replicaset-controller creates → kube-scheduler binds to w1"
    );
    assert_eq!(deeds.caveat(), "");
    assert_eq!(
        serde_json::to_string(&deeds.list[1]).unwrap(),
        r#"{"actor":"replicaset-controller","does":"creates","object":"pod","count":3,"per_min":6.0,"seen_in":"audit log"}"#
    );
}

#[test]
fn who_deletes_is_read_and_not_known_beforehand() {
    let timeline = rounds(|draft, pod| draft.request(("my-descheduler", "delete pods", pod)));
    assert_eq!(
        sentence(&timeline),
        "my-descheduler deletes pod → replicaset-controller creates → kube-scheduler binds to w1"
    );
}

#[test]
fn two_who_do_the_same_stand_side_by_side() {
    let timeline = rounds(|draft, pod| match pod {
        "web-a" => draft.request(("kubectl", "create pods/eviction", pod)),
        pod => draft.request((DESCHEDULER, "create pods/eviction", pod)),
    });
    assert!(
        sentence(&timeline).starts_with("kubectl drain evicts pod and descheduler evicts pod → replicaset-"),
        "{}",
        sentence(&timeline)
    );
}

#[test]
fn two_plugins_of_a_descheduler_are_told_apart() {
    let timeline = rounds(|draft, pod| {
        draft.asked((DESCHEDULER, "create pods/eviction", pod), |r| {
            let second = pod == "web-b";
            r.why = Some(
                if second {
                    "LowNodeUtilization"
                } else {
                    "RemoveDuplicates"
                }
                .to_owned(),
            );
        })
    });
    let list = deeds(&timeline, "web", s(5.0)).list;
    let of = |plugin: &str| {
        list.iter()
            .find(|deed| deed.detail.as_deref() == Some(plugin))
            .map(|deed| deed.count)
    };
    assert_eq!(
        (of("RemoveDuplicates"), of("LowNodeUtilization")),
        (Some(2), Some(1))
    );
}

#[test]
fn what_is_refused_is_a_deed_but_no_old_view_of_a_status_is() {
    let refused =
        rounds(|draft, pod| draft.asked((DESCHEDULER, "create pods/eviction", pod), |r| r.code = 429));
    assert!(
        sentence(&refused)
            .starts_with("descheduler is refused an eviction (429) → replicaset-controller creates → "),
        "{}",
        sentence(&refused)
    );
    let evicts = &deeds(&refused, "web", s(5.0)).list[0];
    assert_eq!((evicts.count, evicts.refused), (3, Some(429)));
    let stale = Draft::new("c7")
        .owned()
        .pod("a", None)
        .asked((SCHEDULER, "patch pods/status", "web-a"), |r| r.code = 409)
        .asked((KCM, "update deployments", "web"), |r| r.code = 409)
        .asked((KCM, "create pods", "web-a"), |r| r.code = 500)
        .done();
    assert_eq!(deeds(&stale, "web", s(0.0)).list, []);
}

#[test]
fn a_pod_that_may_not_be_made_is_told_of_the_workload_that_it_would_have_had() {
    let timeline = Draft::new("wl2")
        .owned()
        .asked((KCM, "create pods", "web-1-x7k2p"), |r| r.code = 403)
        .asked((KCM, "create pods", "web-2-x7k2p"), |r| r.code = 403)
        .done();
    let deeds = deeds(&timeline, "web", s(0.0));
    assert_eq!(
        deeds.chain(&[&[Does::Creates]]),
        "replicaset-controller is refused a creation (403)"
    );
    assert_eq!(deeds.list[0].count, 1);
}

#[test]
fn any_kind_in_any_namespace_has_deeds_of_its_own() {
    let scale = |namespace: &'static str, replicas| {
        move |r: &mut crate::RequestSeen| {
            r.namespace = namespace.to_owned();
            r.replicas = Some(replicas);
        }
    };
    let timeline = Draft::new("wl3")
        .asked(("kubectl", "create statefulsets", "db"), scale("shop", 2))
        .asked(("keeper", "patch statefulsets/scale", "db"), scale("shop", 3))
        .asked(("kubectl", "patch statefulsets", "db"), scale("default", 9))
        .done();
    let db: WorkloadRef = "sts/shop/db".parse().unwrap();
    let deeds = super::deeds(&timeline, &db, s(0.0));
    assert_eq!(
        deeds.turns(Does::Scales).as_deref(),
        Some("keeper scales shop/db 2→3")
    );
    assert_eq!(deeds.list.len(), 2);
}

#[test]
fn who_is_played_by_kubeclash_is_told_so_and_controllers_and_appliers_have_names_of_their_own() {
    let write = |agent: &'static str, manager: Option<&'static str>, user: Option<&'static str>, replicas| {
        (agent, move |r: &mut crate::RequestSeen| {
            r.manager = manager.map(str::to_owned);
            r.user = user.map(str::to_owned);
            r.replicas = Some(replicas);
        })
    };
    let mut draft = Draft::new("c2");
    for (agent, with) in [
        write(
            "kubectl/kubeclash-0.2.0",
            Some("kubectl-client-side-apply"),
            None,
            1,
        ),
        write("kubectl/kubeclash-0.2.0", Some("flux"), None, 2),
        write("kubectl", Some("kubectl"), None, 3),
        write("keeper", None, Some("controller:keeper-of-three"), 4),
    ] {
        draft = draft.asked((agent, "patch deployments", "web"), with);
    }
    let deeds = deeds(&draft.done(), "web", s(0.0));
    let actors: Vec<(&str, bool)> = deeds
        .list
        .iter()
        .map(|deed| (deed.actor.as_str(), deed.played))
        .collect();
    assert_eq!(
        actors,
        [
            ("kubectl apply", true),
            ("flux", true),
            ("kubectl apply", false),
            ("keeper-of-three", false)
        ]
    );
    assert!(
        deeds
            .chain(&[&[Does::Writes]])
            .starts_with("kubectl apply (played by kubeclash) writes web"),
        "{}",
        deeds.chain(&[&[Does::Writes]])
    );
}

#[test]
fn what_came_before_or_concerns_another_workload_is_no_deed() {
    let timeline = rounds(|draft, pod| draft.request((DESCHEDULER, "create pods/eviction", pod)));
    assert_eq!(deeds(&timeline, "web", s(20.0)).list[0].count, 1);
    assert_eq!(deeds(&timeline, "web", s(20.0)).list[0].per_min, None);
    assert_eq!(deeds(&timeline, "other", s(5.0)).list, []);
    assert_eq!(
        deeds(&timeline, "other", s(5.0)).chain(&[&[Does::Evicts]]),
        "nobody was seen to act"
    );
}

#[test]
fn a_plugin_that_the_eviction_does_not_name_is_in_the_deschedulers_event() {
    let event = |about: &str, source: &str| {
        What::Event(EventSeen {
            about: about.to_owned(),
            reason: "RemoveDuplicates".to_owned(),
            source: source.to_owned(),
            ..EventSeen::default()
        })
    };
    let told = |source: &'static str| {
        sentence(&rounds(|draft, pod| {
            let about = format!("Pod/{pod}");
            draft
                .request((DESCHEDULER, "create pods/eviction", pod))
                .what(event(&about, source))
        }))
    };
    assert!(told("sigs.k8s.io.descheduler").starts_with("descheduler evicts pod (RemoveDuplicates) →"));
    assert!(told("kubelet").starts_with("descheduler evicts pod →"));
}

/// A pod that the kubelet rejects and `NODES` deletes, with a condition on the pod.
fn rejected(condition: Option<&str>, release: &str) -> Timeline {
    let state = PodSeen {
        phase: "Failed".to_owned(),
        ready: false,
        reason: Some("TaintToleration".to_owned()),
        disruption: condition.map(str::to_owned),
        owner: Some(owner()),
        ..pod("a", Some("w1"))
    };
    Draft::new("c7")
        .owned()
        .component("kube-controller-manager", release)
        .at(5.0)
        .request((KCM, "create pods", "web-a"))
        .pod("a", Some("w1"))
        .request((NODES, "patch pods/status", "web-a"))
        .at(5.1)
        .request(("kubelet", "patch pods/status", "web-a"))
        .request((NODES, "delete pods", "web-a"))
        .what(What::Pod(seen(state)))
        .at(5.2)
        // What comes after is no rejection, and clearing away is no deletion.
        .request(("kubelet", "patch pods/status", "web-a"))
        .what(What::Pod(crate::Sighting {
            change: crate::Change::Gone,
            state: PodSeen {
                disruption: condition.map(str::to_owned),
                reason: Some("TaintToleration".to_owned()),
                owner: Some(owner()),
                ..pod("a", Some("w1"))
            },
        }))
        .at(5.3)
        .request(("kubelet", "delete pods", "web-a"))
        .done()
}

#[test]
fn a_condition_tells_which_of_two_controllers_deleted_a_rejected_pod() {
    let chain = |timeline: &Timeline| {
        deeds(timeline, "web", s(5.0)).chain(&[&[Does::Creates], &[Does::Rejects], &[Does::Deletes]])
    };
    let begins = "replicaset-controller creates pod → kubelet rejects (TaintToleration) →";
    for (condition, release, deleter) in [
        (
            Some("DeletionByTaintManager"),
            "v1.36.3",
            "taint-eviction-controller",
        ),
        (
            Some("DeletionByTaintManager"),
            "path:./kcm",
            "taint-eviction-controller",
        ),
        (
            Some("DeletionByTaintManager"),
            "v1.28.0",
            "node-lifecycle-controller",
        ),
        (None, "v1.36.3", "node-lifecycle-controller"),
        (None, "v1.24.17", "node-lifecycle-controller"),
    ] {
        assert_eq!(
            chain(&rejected(condition, release)),
            format!("{begins} {deleter} deletes"),
            "{release}"
        );
    }
}

/// A deployment that kubectl creates with five replicas and then writes without; the autoscaler raises it again.
fn undercut() -> Draft {
    let apply = |r: &mut crate::RequestSeen, replicas| {
        r.manager = Some("kubectl-client-side-apply".to_owned());
        r.replicas = Some(replicas);
    };
    Draft::new("c2")
        .asked(("kubectl", "create deployments", "web"), |r| apply(r, 5))
        .deployment("web", 5, 5)
        .at(5.0)
        .asked(("kubectl", "patch deployments", "web"), |r| apply(r, 1))
        .deployment("web", 1, 5)
        .asked((KCM, "update deployments", "web"), |r| r.replicas = Some(1))
        .at(6.0)
        .asked((HPA, "update deployments/scale", "web"), |r| r.replicas = Some(3))
        .deployment("web", 3, 1)
        .at(7.0)
        .asked((HPA, "update deployments/scale", "web"), |r| r.replicas = Some(6))
        .deployment("web", 6, 3)
}

#[test]
fn replicas_are_told_by_who_changed_them_from_what_to_what() {
    let timeline = undercut().done();
    assert_eq!(
        deeds(&timeline, "web", s(5.0)).turns(Does::Scales).as_deref(),
        Some("kubectl apply scales web 5→1 → horizontal-pod-autoscaler scales web 1→3→6")
    );
    let all = deeds(&timeline, "web", s(0.0));
    assert_eq!(
        all.turns(Does::Writes).as_deref(),
        Some("kubectl apply writes web (5 replicas)")
    );
    assert_eq!(all.list.len(), 3, "an annotation is no deed: {:?}", all.list);
    assert_eq!(all.turns(Does::Evicts), None);
}

#[test]
fn changes_with_another_in_between_are_not_one() {
    let timeline = undercut()
        .at(8.0)
        .asked(("kubectl", "patch deployments", "web"), |r| r.replicas = Some(2))
        .at(9.0)
        .asked((HPA, "update deployments/scale", "web"), |r| r.replicas = Some(4))
        .done();
    let told = deeds(&timeline, "web", s(5.5)).turns(Does::Scales).unwrap();
    assert_eq!(
        told,
        "horizontal-pod-autoscaler scales web 1→3→6, 2→4 → kubectl scales web 6→2"
    );
}

#[test]
fn a_pod_that_no_node_fits_is_refused_by_whoever_said_so() {
    let timeline = Draft::new("c3")
        .owned()
        .at(5.0)
        .pod("a", None)
        .request((SCHEDULER, "patch pods/status", "web-a"))
        .request((NODES, "patch pods/status", "web-a"))
        .unschedulable("a")
        .done();
    assert_eq!(
        deeds(&timeline, "web", s(5.0)).chain(&[&[Does::Refuses]]),
        "kube-scheduler refuses pod: \"0/3 nodes are available\""
    );
}

#[test]
fn a_node_is_closed_and_opened_by_whoever_did_and_not_by_whoever_came_after() {
    let cordoned = |closed: bool| move |r: &mut crate::RequestSeen| r.cordoned = Some(closed);
    let timeline = Draft::new("c6")
        .at(5.0)
        .asked(("kubectl", "patch nodes", "w1"), cordoned(true))
        .asked((NODES, "patch nodes", "w1"), cordoned(true))
        .at(6.0)
        .asked(("kubectl", "patch nodes", "w1"), cordoned(false))
        .done();
    let chain = deeds(&timeline, "web", s(5.0)).chain(&[&[Does::Cordons], &[Does::Uncordons]]);
    assert_eq!(chain, "kubectl cordons w1 → kubectl uncordons w1");
}

#[test]
fn without_an_audit_log_nobody_is_named_whom_nothing_shows() {
    let owned = |uid: &str, node: Option<&str>, disruption: Option<&str>| {
        What::Pod(seen(PodSeen {
            owner: Some(owner()),
            terminating: disruption.is_some(),
            disruption: disruption.map(str::to_owned),
            ..pod(uid, node)
        }))
    };
    let timeline = Draft::new("c5")
        .owned()
        .what(owned("a", Some("w1"), None))
        .at(5.0)
        .what(owned("a", Some("w1"), Some("EvictionByEvictionAPI")))
        .what(owned("b", None, None))
        .at(6.0)
        .what(owned("b", Some("w1"), None))
        .at(7.0)
        .what(owned("b", Some("w1"), Some("DeletionByTaintManager")))
        .owned_by("Rollout", "web")
        .workload("Rollout", "web", |rollout| {
            rollout.owner = Some(OwnerRef {
                kind: "Deployment".to_owned(),
                ..owner_named("web")
            });
        })
        .pod("stranger", None)
        .deployment("web", 3, 3)
        .at(8.0)
        .deployment("web", 5, 3)
        .done();
    let deeds = deeds(&timeline, "web", s(5.0));
    assert_eq!(
        deeds.chain(&[
            &[Does::Evicts],
            &[Does::Creates],
            &[Does::Binds],
            &[Does::Deletes],
            &[Does::Scales]
        ]),
        "somebody evicts pod → replicaset-controller creates and somebody creates → a scheduler binds to w1 → \
         taint-eviction-controller deletes → somebody scales web 3→5"
    );
    assert!(deeds.list.iter().all(|deed| deed.seen_in == SeenIn::Watches));
    assert_eq!(deeds.caveat(), " (read from the watches: there is no audit log)");
}

#[test]
fn many_details_are_cut_and_a_fork_is_called_what_it_calls_itself() {
    let mut draft = Draft::new("c5").owned();
    for n in 0..12 {
        let (uid, node) = (format!("p{n:02}"), format!("w{n:02}"));
        let name = format!("web-{uid}");
        let request = ("fork-of-kcm/replicaset-controller", "create pods/binding", &*name);
        draft = draft.pod(&uid, None).asked(request, |r| r.node = Some(node));
    }
    let chain = deeds(&draft.done(), "web", s(0.0)).chain(&[&[Does::Binds]]);
    assert_eq!(
        chain,
        "replicaset-controller (fork-of-kcm) binds pod to w00, w01, w02, w03, w04, w05, w06, w07, …"
    );
}
