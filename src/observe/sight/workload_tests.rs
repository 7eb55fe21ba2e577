use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::observe::sight::object;
use kubeclash_timeline::OwnerRef;

fn sight<K: Sight + serde::de::DeserializeOwned>(json: Value) -> WorkloadSeen {
    match object::<K>(json).sight(Change::Seen) {
        What::Workload(seen) => seen.state,
        other => panic!("{other:?}"),
    }
}

fn template() -> Value {
    json!({"spec": {"containers": [], "topologySpreadConstraints": [
        {"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "web"}}, "matchLabelKeys": ["pod-template-hash"]},
        {"topologyKey": "host", "maxSkew": 2, "whenUnsatisfiable": "ScheduleAnyway"}]}})
}

fn constraints() -> Vec<SpreadSeen> {
    vec![
        SpreadSeen {
            key: "zone".to_owned(),
            max_skew: 1,
            hard: true,
            selector: app(),
            match_label_keys: vec!["pod-template-hash".to_owned()],
        },
        SpreadSeen {
            key: "host".to_owned(),
            max_skew: 2,
            ..SpreadSeen::default()
        },
    ]
}

fn app() -> BTreeMap<String, String> {
    [("app".to_owned(), "web".to_owned())].into()
}

fn metadata(generation: i64) -> Value {
    json!({"namespace": "shop", "name": "web", "uid": "u1", "generation": generation,
        "ownerReferences": [{"apiVersion": "x/v1", "kind": "Site", "name": "s", "uid": "s1", "controller": true}]})
}

fn named(kind: &str) -> WorkloadSeen {
    WorkloadSeen {
        kind: kind.to_owned(),
        namespace: "shop".to_owned(),
        name: "web".to_owned(),
        uid: "u1".to_owned(),
        owner: Some(OwnerRef {
            kind: "Site".to_owned(),
            name: "s".to_owned(),
            uid: "s1".to_owned(),
        }),
        selector: app(),
        spread: constraints(),
        ..WorkloadSeen::default()
    }
}

#[test]
fn a_deployment_has_all_of_its_fields() {
    let seen = sight::<Deployment>(json!({
        "metadata": metadata(7),
        "spec": {"replicas": 10, "selector": {"matchLabels": {"app": "web"}}, "template": template()},
        "status": {"replicas": 9, "updatedReplicas": 4, "readyReplicas": 8, "availableReplicas": 7, "observedGeneration": 6,
            "collisionCount": 2, "conditions": [
                {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": "few"},
                {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"},
                {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "late"}]},
    }));
    let expected = WorkloadSeen {
        wanted: 10,
        replicas: 9,
        updated: 4,
        ready: 8,
        available: 7,
        max_unavailable: Some(2),
        collisions: Some(2),
        troubles: vec![
            "ReplicaFailure: FailedCreate: quota".to_owned(),
            "Progressing: ProgressDeadlineExceeded: late".to_owned(),
        ],
        behind: true,
        ..named("deployment")
    };
    assert_eq!(seen, expected);
}

#[test]
fn a_replica_set_has_all_of_its_fields() {
    let seen = sight::<ReplicaSet>(json!({
        "metadata": metadata(1),
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template()},
        "status": {"replicas": 2, "readyReplicas": 1, "availableReplicas": 1, "observedGeneration": 1,
            "conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}]},
    }));
    let expected = WorkloadSeen {
        wanted: 3,
        replicas: 2,
        ready: 1,
        available: 1,
        troubles: vec!["ReplicaFailure: FailedCreate: quota".to_owned()],
        ..named("replicaset")
    };
    assert_eq!(seen, expected);
}

#[test]
fn a_stateful_set_has_all_of_its_fields() {
    let seen = sight::<StatefulSet>(json!({
        "metadata": metadata(2),
        "spec": {"replicas": 5, "serviceName": "web", "selector": {"matchLabels": {"app": "web"}}, "template": template()},
        "status": {"replicas": 4, "updatedReplicas": 3, "readyReplicas": 2, "availableReplicas": 1, "observedGeneration": 2,
            "collisionCount": 0},
    }));
    let expected = WorkloadSeen {
        wanted: 5,
        replicas: 4,
        updated: 3,
        ready: 2,
        available: 1,
        max_unavailable: Some(1),
        collisions: Some(0),
        ..named("statefulset")
    };
    assert_eq!(seen, expected);
}

#[test]
fn a_daemon_set_has_all_of_its_fields() {
    let seen = sight::<DaemonSet>(json!({
        "metadata": metadata(2),
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template(),
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}}},
        "status": {"desiredNumberScheduled": 11, "currentNumberScheduled": 10, "numberMisscheduled": 1, "numberReady": 8,
            "updatedNumberScheduled": 9, "numberAvailable": 7, "observedGeneration": 2},
    }));
    let expected = WorkloadSeen {
        wanted: 11,
        replicas: 10,
        updated: 9,
        ready: 8,
        available: 7,
        max_unavailable: Some(2),
        ..named("daemonset")
    };
    assert_eq!(seen, expected);
}

fn job(spec: Value, status: Value) -> WorkloadSeen {
    let mut spec = spec;
    spec["selector"] = json!({"matchLabels": {"app": "web"}});
    spec["template"] = template();
    sight::<Job>(json!({"metadata": metadata(1), "spec": spec, "status": status}))
}

#[test]
fn a_job_has_all_of_its_fields() {
    let seen = job(
        json!({"parallelism": 3, "completions": 9}),
        json!({"active": 2, "ready": 1, "succeeded": 4}),
    );
    let expected = WorkloadSeen {
        wanted: 3,
        replicas: 2,
        ready: 1,
        available: 1,
        ..named("job")
    };
    assert_eq!(seen, expected);
}

#[rstest]
#[case::one_at_a_time(json!({}), json!({}), 1)]
#[case::the_last_ones(json!({"parallelism": 3, "completions": 9}), json!({"succeeded": 8}), 1)]
#[case::a_work_queue(json!({"parallelism": 3}), json!({"succeeded": 8}), 3)]
#[case::suspended(json!({"parallelism": 3, "suspend": true}), json!({}), 0)]
#[case::complete(json!({"parallelism": 3}), json!({"conditions": [{"type": "Complete", "status": "True"}]}), 0)]
#[case::failed(json!({"parallelism": 3}), json!({"conditions": [{"type": "Failed", "status": "True"}]}), 0)]
#[case::failing_is_not_over(json!({"parallelism": 3}), json!({"conditions": [{"type": "Failed", "status": "False"}]}), 3)]
fn a_job_wants_what_its_controller_would_run(
    #[case] spec: Value,
    #[case] status: Value,
    #[case] wanted: i64,
) {
    assert_eq!(job(spec, status).wanted, wanted);
}

#[test]
fn a_job_that_failed_says_why_and_a_cron_job_wants_nothing() {
    let failed =
        json!({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "often"});
    let seen = job(json!({}), json!({"conditions": [failed]}));
    assert_eq!(seen.troubles, ["Failed: BackoffLimitExceeded: often"]);
    let seen = sight::<CronJob>(json!({"metadata": metadata(1),
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"parallelism": 2, "template": template()}}}}));
    let expected = WorkloadSeen {
        selector: BTreeMap::new(),
        ..named("cronjob")
    };
    assert_eq!(seen, expected);
}

/// As `TestMaxUnavailable` and `TestResolveFenceposts` of pkg/controller/deployment/util have it.
#[rstest]
#[case::a_quarter_by_default(10, json!(null), json!(null), 2)]
#[case::rounded_down(3, json!(null), json!("50%"), 1)]
#[case::a_small_share(3, json!("25%"), json!("25%"), 0)]
#[case::neither_more_nor_fewer(10, json!(0), json!("0%"), 1)]
#[case::neither_by_rounding(3, json!("0%"), json!("10%"), 1)]
#[case::never_more_than_there_are(5, json!(0), json!(10), 5)]
#[case::nothing_wanted(0, json!(0), json!(0), 0)]
#[case::all(4, json!(1), json!("100%"), 4)]
fn what_a_deployment_may_lack_is_a_number_of_pods(
    #[case] replicas: i64,
    #[case] surge: Value,
    #[case] unavailable: Value,
    #[case] expected: i64,
) {
    let spec = json!({"replicas": replicas, "selector": {}, "template": {},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}});
    let seen = sight::<Deployment>(json!({"metadata": {"name": "web"}, "spec": spec}));
    assert_eq!(seen.max_unavailable, Some(expected));
}

#[test]
fn what_is_not_rolled_has_no_bound_and_a_stateful_set_lacks_at_least_one() {
    let recreate = json!({"replicas": 4, "selector": {}, "template": {}, "strategy": {"type": "Recreate"}});
    let seen = sight::<Deployment>(json!({"metadata": {"name": "web"}, "spec": recreate}));
    assert_eq!(seen.max_unavailable, None);
    let lacks = |strategy: Value| {
        let spec = json!({"replicas": 5, "serviceName": "web", "selector": {}, "template": {}, "updateStrategy": strategy});
        sight::<StatefulSet>(json!({"metadata": {"name": "web"}, "spec": spec})).max_unavailable
    };
    assert_eq!(lacks(json!({"type": "OnDelete"})), None);
    assert_eq!(
        lacks(json!({"rollingUpdate": {"maxUnavailable": "10%"}})),
        Some(1)
    );
    assert_eq!(
        lacks(json!({"rollingUpdate": {"maxUnavailable": "50%"}})),
        Some(2)
    );
    assert_eq!(lacks(json!({"rollingUpdate": {"maxUnavailable": 3}})), Some(3));
}
