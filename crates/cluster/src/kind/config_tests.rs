use super::*;
use crate::Tuning;
use crate::kind::{Host, NodeImage};
use kubeclash_host::engine::Engine;
use kubeclash_timeline::{Pace, Shape};

fn kit(version: &str, cgroup_v1: bool, etcd: Option<&str>) -> Kit {
    Kit {
        engine: Engine::Docker,
        kind: "kind".into(),
        image: NodeImage {
            reference: "kindest/node:x".to_owned(),
            id: "sha256:0".to_owned(),
            version: version.to_owned(),
            pause: "registry.k8s.io/pause:3.10".to_owned(),
            etcd: etcd.map(str::to_owned),
        },
        host: Host {
            cpus: "0-63".to_owned(),
            cgroup_v1,
        },
        pool: None,
    }
}

fn order(workers: usize, audit: bool) -> Order {
    Order {
        binaries: std::collections::BTreeMap::new(),
        spec: Shape {
            workers,
            worker_cpu: 8,
        }
        .into(),
        pace: Pace::Fast,
        tuning: Tuning {
            audit,
            ..Tuning::default()
        },
        logs: PathBuf::new(),
        seeds: None,
        ready_timeout: Duration::from_secs(60),
        keep: false,
        kit: None,
        scale: None,
    }
}

fn files(workers: usize) -> Files {
    Files {
        cpus: vec!["/run/cpu".into(); workers],
        numa: "/run/numa".into(),
        kubelets: vec!["/run/kubelet".into(); workers + 1],
        ours: "/run/ours".into(),
        ca: ["/run/ca.crt".into(), "/run/ca.key".into()],
        cni: (0..=workers).map(|n| format!("/run/cni-{n}").into()).collect(),
    }
}

fn of_shape(workers: usize) -> Value {
    let shape = yaml::value(SHAPES[workers - 1]).unwrap();
    of(
        shape,
        &order(workers, true),
        &kit("v1.36.3", false, None),
        &files(workers),
    )
}

#[test]
fn every_shape_has_its_workers_under_the_names_that_the_cases_use() {
    for workers in 1..=3 {
        let config = of_shape(workers);
        let nodes = config["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), workers + 1);
        let names: Vec<String> = nodes
            .iter()
            .map(|node| {
                let patch = yaml::value(node["kubeadmConfigPatches"][1].as_str().unwrap()).unwrap();
                assert_eq!(patch["kind"], "JoinConfiguration");
                patch["nodeRegistration"]["name"].as_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!(names[0], CONTROL_PLANE);
        assert_eq!(names[1..], (1..=workers).map(worker).collect::<Vec<_>>());
    }
}

#[test]
fn workers_see_other_cpus_and_the_control_plane_our_authority() {
    let config = of_shape(2);
    let seen = |node: usize| -> Vec<(String, String)> {
        let mounts = config["nodes"][node]["extraMounts"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        mounts
            .iter()
            .inspect(|mount| assert_eq!(mount["readOnly"], true))
            .map(|mount| (text(&mount["hostPath"]), text(&mount["containerPath"])))
            .collect()
    };
    let has = |node: usize, from: &str, to: &str| seen(node).contains(&(from.to_owned(), to.to_owned()));
    assert!(has(0, "/run/ca.key", "/etc/kubernetes/pki/ca.key"));
    assert!(has(0, "/run/cni-0", "/etc/cni/net.d/10-kubeclash.conflist"));
    assert!(!has(0, "/run/cpu", "/sys/devices/system/cpu"));
    for worker in [1, 2] {
        assert!(has(worker, "/run/cpu", "/sys/devices/system/cpu"));
        assert!(has(worker, "/run/numa", "/sys/devices/system/node"));
        assert!(has(
            worker,
            &format!("/run/cni-{worker}"),
            "/etc/cni/net.d/10-kubeclash.conflist"
        ));
        assert!(!has(worker, "/run/ca.key", "/etc/kubernetes/pki/ca.key"));
    }
}

#[test]
fn flags_are_written_for_both_versions_of_kubeadm_s_configuration() {
    let found = patches(&order(1, true), &kit("v1.36.3", false, Some("3.6.16-0")));
    let of = |version: &str| {
        found
            .iter()
            .find(|patch| patch["apiVersion"] == version)
            .unwrap()
            .clone()
    };
    let (old, new) = (of("kubeadm.k8s.io/v1beta3"), of("kubeadm.k8s.io/v1beta4"));
    let sync = "horizontal-pod-autoscaler-sync-period";
    assert_eq!(old["controllerManager"]["extraArgs"][sync], "1000ms");
    let args = new["controllerManager"]["extraArgs"].as_array().unwrap();
    assert!(
        args.contains(&json!({"name": sync, "value": "1000ms"})),
        "{args:?}"
    );
    for patch in [old, new] {
        assert_eq!(patch["etcd"]["local"]["imageTag"], "3.6.16-0");
        assert_eq!(patch["apiServer"]["extraVolumes"].as_array().unwrap().len(), 2);
    }
    let silent = patches(&order(1, false), &kit("v1.36.3", false, None));
    let text = serde_json::to_string(&silent).unwrap();
    assert!(!text.contains("audit") && !text.contains("imageTag"), "{text}");
}

#[test]
fn a_kubelet_is_told_of_cgroup_v1_where_there_is_one_and_it_knows_the_word() {
    let told = |version, cgroup_v1| {
        let found = patches(&order(1, true), &kit(version, cgroup_v1, None));
        found.iter().any(|patch| patch["failCgroupV1"] == false)
    };
    assert!(told("v1.36.3", true));
    assert!(!told("v1.36.3", false));
    assert!(!told("v1.24.17", true));
}

#[test]
fn pods_of_each_node_have_a_network_of_their_own() {
    let subnet = |n: usize| network(n)["plugins"][0]["ipam"]["ranges"][0][0]["subnet"].clone();
    assert_eq!(subnet(0), "10.244.0.0/24");
    assert_eq!(subnet(3), "10.244.3.0/24");
}
