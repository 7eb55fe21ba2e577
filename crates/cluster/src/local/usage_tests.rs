use std::time::Duration;

use super::super::kubelet::Owner;
use super::*;
use crate::CpuCurve;
use kubeclash_timeline::WorkloadRef;

const S: Duration = Duration::from_secs(1);

fn container(name: &str, node: &str, since: Instant) -> Container {
    Container {
        namespace: "default".to_owned(),
        pod: name.to_owned(),
        node: node.to_owned(),
        labels: BTreeMap::new(),
        names: vec!["c".to_owned()],
        owner: Some(Owner {
            kind: "replicaset".to_owned(),
            name: "web-1".to_owned(),
            uid: "set".to_owned(),
        }),
        since,
        serves: true,
    }
}

fn cpu(of: &str, share: CpuShare, pieces: &[(u64, u64)]) -> CpuUse {
    let pieces: Vec<_> = pieces
        .iter()
        .map(|(s, m)| (Some(S * u32::try_from(*s).unwrap()), *m))
        .collect();
    CpuUse {
        of: of.parse().unwrap(),
        share,
        curve: CpuCurve::of(&pieces).unwrap(),
    }
}

/// A registry in which `web-1` is the set of the deployment `web`, and what changes in it is put at times of our own.
struct Drawn {
    registry: Registry,
    start: Instant,
}

impl Drawn {
    fn new() -> (Self, Meter) {
        let registry = Registry::default();
        let owner = Owner {
            kind: "deployment".to_owned(),
            name: "web".to_owned(),
            uid: "web".to_owned(),
        };
        registry.lock().owners.insert("set".to_owned(), owner);
        let mut meter = Meter::new(&registry, Pace::Recorded);
        let start = Instant::now();
        meter.until = start;
        (Self { registry, start }, meter)
    }

    fn at(&self, seconds: u32) -> Instant {
        self.start + S * seconds
    }

    fn put(&self, seconds: u32, change: Change) {
        self.registry
            .lock()
            .changes
            .as_mut()
            .unwrap()
            .push_back((self.at(seconds), change));
    }

    fn runs(&self, seconds: u32, name: &str, node: &str) {
        self.put(
            seconds,
            Change::Runs(name.to_owned(), container(name, node, self.at(seconds))),
        );
    }
}

fn used(pods: &BTreeMap<String, Metered>, name: &str) -> f64 {
    pods[name].used.round()
}

#[test]
fn each_pod_uses_its_curve_over_its_own_life_by_the_deployment_that_made_its_set() {
    let (drawn, mut meter) = Drawn::new();
    drawn.put(
        0,
        Change::Uses(cpu("deployment/web", CpuShare::EachPod, &[(10, 100), (0, 0)])),
    );
    drawn.runs(0, "a", "n");
    drawn.runs(5, "b", "n");
    let pods = meter.advance(drawn.at(8));
    assert_eq!((used(&pods, "a"), used(&pods, "b")), (800.0, 300.0));
    let pods = meter.advance(drawn.at(20));
    assert_eq!((used(&pods, "a"), used(&pods, "b")), (1000.0, 1000.0));
}

#[test]
fn a_curve_that_is_set_later_counts_from_then_on() {
    let (drawn, mut meter) = Drawn::new();
    drawn.runs(0, "a", "n");
    drawn.put(
        0,
        Change::Uses(cpu("deployment/web", CpuShare::EachPod, &[(0, 100)])),
    );
    drawn.put(
        10,
        Change::Uses(cpu("deployment/web", CpuShare::EachPod, &[(0, 500)])),
    );
    let pods = meter.advance(drawn.at(12));
    assert_eq!(used(&pods, "a"), 2000.0);
}

#[test]
fn the_pods_that_serve_share_what_all_of_them_use() {
    let (drawn, mut meter) = Drawn::new();
    drawn.put(
        0,
        Change::Uses(cpu("deployment/web", CpuShare::AllPods, &[(0, 600)])),
    );
    drawn.runs(0, "a", "n");
    drawn.runs(10, "b", "n");
    let still = Container {
        serves: false,
        ..container("c", "n", drawn.at(10))
    };
    drawn.put(10, Change::Runs("c".to_owned(), still));
    let pods = meter.advance(drawn.at(20));
    assert_eq!(
        (used(&pods, "a"), used(&pods, "b"), used(&pods, "c")),
        (9000.0, 3000.0, 0.0)
    );
    drawn.put(20, Change::Ended("b".to_owned()));
    let pods = meter.advance(drawn.at(30));
    assert_eq!(used(&pods, "a"), 15000.0);
    assert!(!pods.contains_key("b"));
}

#[test]
fn a_stopped_node_is_not_asked_and_its_pods_use_nothing() {
    let (drawn, mut meter) = Drawn::new();
    drawn.put(
        0,
        Change::Uses(cpu("deployment/web", CpuShare::EachPod, &[(0, 100)])),
    );
    drawn.runs(0, "a", "n");
    drawn.runs(0, "b", "other");
    drawn.put(10, Change::Stopped("n".to_owned()));
    assert_eq!(meter.advance(drawn.at(20)).keys().collect::<Vec<_>>(), ["b"]);
    drawn.put(30, Change::Started("n".to_owned()));
    assert_eq!(used(&meter.advance(drawn.at(31)), "a"), 1100.0);
}

#[test]
fn workloads_of_other_namespaces_and_names_use_nothing() {
    let (drawn, mut meter) = Drawn::new();
    for of in [
        "deployment/shop/web",
        "deployment/other",
        "statefulset/web",
        "pod/b",
    ] {
        drawn.put(0, Change::Uses(cpu(of, CpuShare::EachPod, &[(0, 100)])));
    }
    drawn.runs(0, "a", "n");
    drawn.runs(0, "b", "n");
    let pods = meter.advance(drawn.at(10));
    assert_eq!((used(&pods, "a"), used(&pods, "b")), (0.0, 1000.0));
}

#[test]
fn a_node_is_used_by_what_its_pods_use_at_a_moment() {
    let (drawn, _) = Drawn::new();
    let of: WorkloadRef = "deployment/web".parse().unwrap();
    {
        let mut inner = drawn.registry.lock();
        for (name, node) in [("a", "n"), ("b", "n"), ("c", "other")] {
            inner
                .running
                .insert(name.to_owned(), container(name, node, drawn.start));
        }
        let cpu = CpuUse {
            of,
            share: CpuShare::AllPods,
            curve: CpuCurve::burst(900, S * 15, 90),
        };
        inner.uses.push((cpu, drawn.start));
    }
    let inner = drawn.registry.lock();
    let nodes = of_nodes(&inner, Pace::Recorded, drawn.at(1));
    assert_eq!((nodes["n"], nodes["other"]), (600.0, 300.0));
    let nodes = of_nodes(&inner, Pace::Fast, drawn.at(2));
    assert_eq!((nodes["n"], nodes["other"]), (60.0, 30.0));
}
