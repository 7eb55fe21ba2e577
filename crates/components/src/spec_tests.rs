use super::*;

#[test]
fn a_version_is_written_in_full_with_or_without_v() {
    for text in ["v1.36.3", "1.36.3", "v1.37.0-rc.1"] {
        let version: Version = text.parse().unwrap();
        assert_eq!(version.tag(), format!("v{}", text.trim_start_matches('v')));
    }
    for text in [
        "",
        "v",
        "1.36",
        "v1.36.x",
        "v1.36.3-",
        "v1.36.3/../..",
        "latest",
        "v1..3",
    ] {
        assert!(text.parse::<Version>().is_err(), "{text:?} passed");
    }
    let etcd: Version = "3.6.16".parse().unwrap();
    assert_eq!(etcd.shown(ComponentName::Etcd), "3.6.16");
    assert_eq!(etcd.shown(ComponentName::Kwok), "v3.6.16");
}

#[test]
fn each_kind_is_read_and_written_alike() {
    for text in [
        "v1.36.3",
        "path:a:b",
        "src:.",
        "src:../sched#./cmd/scheduler",
        "src:a#b#./cmd/x",
        "go:sigs.k8s.io/scheduler-plugins/cmd/scheduler@v0.32.7",
        "go:k8s.io/kubernetes@v1.36.3",
        "image:ghcr.io/me/descheduler:pr-12",
        "image:127.0.0.1:5000/*:x",
        "image+extract:ghcr.io/me/descheduler@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ] {
        let spec: Spec = text.parse().unwrap();
        assert_eq!(spec.to_string(), text);
    }
}

#[test]
fn what_is_no_spec_is_told_with_the_form_that_it_should_have() {
    let told = |text: &str| text.parse::<Spec>().unwrap_err().to_string();
    for text in ["path:", "src:", "go:", "image:", "image+extract:"] {
        assert!(told(text).contains("names nothing"), "{text}");
    }
    assert!(told("docker:x").contains("no kind of component"));
    for text in ["src:dir#cmd/x", "src:#./cmd/x", "src:dir#./cmd/../../x"] {
        assert!(told(text).contains("write src:DIR"), "{text}");
    }
    for text in [
        "go:x.y/cmd/z",
        "go:x.y/../z@v1",
        "go:-x.y/z@v1",
        "go:x/y@v1",
        "go:x.y/z@",
        "go:x.y/z@-v",
        "go:x.y//z@v1",
    ] {
        assert!(told(text).contains("MODULE/cmd/name@VERSION"), "{text}");
    }
    for text in ["image:UPPER CASE", "image:a/../b", "image+extract::x"] {
        assert!(told(text).contains("no image's reference"), "{text}");
    }
}

#[test]
fn one_program_is_not_all_of_kubernetes() {
    let three = |text: &str| Selection::default().with_kubernetes(&text.parse().unwrap());
    for text in [
        "src:.#./cmd/x",
        "go:k8s.io/kubernetes/cmd/kube-scheduler@v1.36.3",
        "image:me/x:y",
    ] {
        assert!(matches!(three(text), Err(SpecError::NotThree { .. })), "{text}");
    }
    let scheduler = |text: &str| three(text).unwrap().spec(ComponentName::Scheduler).to_string();
    assert_eq!(scheduler("src:."), "src:.#./cmd/kube-scheduler");
    assert_eq!(
        scheduler("go:k8s.io/kubernetes@v1.36.3"),
        "go:k8s.io/kubernetes/cmd/kube-scheduler@v1.36.3"
    );
    assert_eq!(
        scheduler("image:registry.k8s.io/*:v1"),
        "image:registry.k8s.io/kube-scheduler:v1"
    );
}

#[test]
fn a_second_scheduler_leaves_the_default_one_in_place() {
    let kubernetes: Spec = "v1.35.4".parse().unwrap();
    let chosen = Selection::default()
        .with_kubernetes(&kubernetes)
        .unwrap()
        .with(ComponentName::Scheduler, "path:mine".parse().unwrap())
        .with_second_scheduler(Some(&kubernetes));
    assert_eq!(chosen.spec(ComponentName::Scheduler).to_string(), "v1.35.4");
    assert_eq!(
        chosen.spec(ComponentName::SecondScheduler).to_string(),
        "path:mine"
    );
    let alone = Selection::default()
        .with(ComponentName::Scheduler, "path:mine".parse().unwrap())
        .with_second_scheduler(None);
    assert_eq!(alone.spec(ComponentName::Scheduler).to_string(), "v1.36.3");
}

#[test]
fn kubernetes_chooses_three_and_a_later_choice_wins() {
    let selection = Selection::default()
        .with_kubernetes(&"path:/out".parse().unwrap())
        .unwrap()
        .with(ComponentName::Scheduler, "v1.35.0".parse().unwrap());
    assert_eq!(
        selection.spec(ComponentName::Apiserver),
        Spec::Path("/out/kube-apiserver".into())
    );
    assert_eq!(selection.spec(ComponentName::Scheduler).to_string(), "v1.35.0");
    assert_eq!(selection.spec(ComponentName::Etcd).to_string(), "v3.6.16");
}
