//! What holds for the clusters of every provider; `KUBECLASH_PROVIDER` says of which.

use std::fmt::Debug;
use std::ops::Deref;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Node, Pod, Taint};
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use kubeclash::inject;
use kubeclash::observe::Recorder;
use kubeclash::scenario::TIME_TO_DIE;
use kubeclash::session::{Session, Settings};
use kubeclash_cluster::{Cluster, CpuCurve, CpuShare, CpuUse, Kit, Provider};
use kubeclash_host::progress::Progress;
use kubeclash_timeline::{Arm, Ending, Header, Shape, Timeline, What};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell, oneshot};

use crate::cli_sandbox::not_run;
use crate::inject_live;

/// How long anything may take on a machine that has other things to do as well.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn session() -> &'static Session {
    static SESSION: OnceCell<Session> = OnceCell::const_new();
    let open = || async {
        let settings = Settings::from_environment().unwrap();
        Session::open(settings, &Progress::detect()).await.unwrap()
    };
    SESSION.get_or_init(open).await
}

/// A cluster, and the right to have one: on kind nobody else's is up meanwhile, as a machine's inotify instances are for
/// one cluster's kubelets by default.
pub(crate) struct Up {
    pub(crate) cluster: Cluster,
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Deref for Up {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

pub(crate) async fn local() -> bool {
    session().await.settings().provider == Provider::Local
}

/// Whoever makes a cluster on kind waits for its turn.
pub(crate) async fn turn(provider: Provider) -> Option<MutexGuard<'static, ()>> {
    static TURN: Mutex<()> = Mutex::const_new(());
    match provider {
        Provider::Local => None,
        Provider::Kind => Some(TURN.lock().await),
    }
}

pub(crate) async fn up(cpu: Option<CpuUse>, logs: &Path) -> Up {
    let session = session().await;
    let turn = turn(session.settings().provider).await;
    let shape = Shape {
        workers: 2,
        worker_cpu: 8,
    };
    let mut order = session.order(shape, logs.to_owned());
    order.spec.metrics = cpu.is_some();
    let cluster = session.settings().provider.up(order, &|_| ()).await.unwrap();
    if let Some(cpu) = cpu {
        cluster.set_cpu(&cpu);
    }
    Up { cluster, _turn: turn }
}

/// Waits until `seen` says something of the objects that a watch shows, each as it changes; `None` is one that went.
async fn watch<K, T>(api: Api<K>, name: &str, what: &str, mut seen: impl FnMut(Option<&K>) -> Option<T>) -> T
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut events = watcher::watcher(api, config).default_backoff().boxed();
    let found = async {
        let mut there = false;
        while let Some(event) = events.try_next().await.unwrap() {
            let answer = match &event {
                watcher::Event::Apply(object) | watcher::Event::InitApply(object) => {
                    there = true;
                    seen(Some(object))
                }
                watcher::Event::Delete(_) => seen(None),
                watcher::Event::InitDone if !there => seen(None),
                watcher::Event::Init | watcher::Event::InitDone => None,
            };
            if let Some(answer) = answer {
                return answer;
            }
        }
        unreachable!("a watcher does not end")
    };
    tokio::time::timeout(PATIENCE, found)
        .await
        .unwrap_or_else(|_| panic!("waited {PATIENCE:?} for {what}"))
}

fn object<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

/// An image that is there: a real kubelet looks for it.
fn pause(session: &Session) -> String {
    let there = session.kit().map(Kit::pause);
    there.unwrap_or("registry.k8s.io/pause:3.10").to_owned()
}

pub(crate) async fn pod(name: &str, more: &Value) -> Pod {
    let mut spec = json!({"containers": [{"name": "c", "image": pause(session().await)}]});
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    object(json!({"metadata": {"name": name}, "spec": spec}))
}

async fn deployment(name: &str, replicas: i32) -> Deployment {
    let image = pause(session().await);
    object(json!({
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "c", "image": image, "resources": {"requests": {"cpu": "100m"}}}]}}},
    }))
}

fn hpa(name: &str, floor: i32) -> HorizontalPodAutoscaler {
    object(json!({
        "metadata": {"name": name},
        "spec": {"minReplicas": floor, "maxReplicas": 8,
                 "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                 "metrics": [{"type": "Resource", "resource": {
                     "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]},
    }))
}

fn phase(pod: &Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_does_what_the_cases_depend_on() {
    let scratch = tempfile::tempdir().unwrap();
    let cluster = up(None, scratch.path()).await;
    let client = cluster.client();
    let node = client_nodes(client).await.remove(0);
    a_watch_sees_a_dip_of_200_ms(client, scratch.path()).await;
    an_hpa_without_metrics_still_clamps_to_its_floor(client).await;
    if local().await {
        a_running_pod_stays_for_its_time_to_die(client, &node).await;
    } else {
        let why = "a real kubelet's pods die as their programs do";
        not_run(
            "a running pod stays for its time to die",
            why,
            "KUBECLASH_REQUIRE_LOCAL",
        );
    }
    a_node_can_be_tainted(client, &node).await;
    a_pod_that_does_not_tolerate_the_taint_is_rejected(client, &node).await;
    cluster.cluster.down(true).await;
}

async fn client_nodes(client: &Client) -> Vec<String> {
    let workers = kube::api::ListParams::default().labels("!node-role.kubernetes.io/control-plane");
    let nodes = Api::<Node>::all(client.clone()).list(&workers).await.unwrap();
    let mut names: Vec<String> = nodes.iter().map(ResourceExt::name_any).collect();
    names.sort();
    assert_eq!(names, ["kind-worker", "kind-worker2"]);
    names
}

fn taint() -> Taint {
    Taint {
        key: "conformance".into(),
        value: Some("yes".into()),
        effect: "NoExecute".into(),
        time_added: None,
    }
}

async fn a_node_can_be_tainted(client: &Client, node: &str) {
    inject::taint(client, node, &taint()).await.unwrap();
    watch(Api::<Node>::all(client.clone()), node, "the taint", |node| {
        let taints = node?.spec.as_ref()?.taints.as_ref()?;
        taints
            .iter()
            .any(|taint| taint.key == "conformance")
            .then_some(())
    })
    .await;
}

async fn a_watch_sees_a_dip_of_200_ms(client: &Client, scratch: &Path) {
    let deployments = Api::<Deployment>::default_namespaced(client.clone());
    let header = Header {
        case: "conformance".into(),
        arm: Arm::Broken,
        variant: None,
        provider: "any".into(),
        pace: session().await.settings().pace,
        date: String::new(),
        shape: Shape {
            workers: 2,
            worker_cpu: 8,
        },
        components: Default::default(),
        inputs_sha256: String::new(),
        lacks: Vec::new(),
    };
    let recorder = Recorder::arm(client, header, &scratch.join("timeline.jsonl"), None)
        .await
        .unwrap();
    deployments
        .create(&PostParams::default(), &deployment("dip", 3).await)
        .await
        .unwrap();
    let scale = async |replicas: i32| {
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        deployments
            .patch("dip", &PatchParams::default(), &patch)
            .await
            .unwrap();
    };
    scale(1).await;
    // The dip's length is what is tested.
    tokio::time::sleep(Duration::from_millis(200)).await;
    scale(3).await;
    watch(deployments.clone(), "dip", "the end of the dip", |dip| {
        (dip?.spec.as_ref()?.replicas == Some(3)).then_some(())
    })
    .await;
    let wanted = |timeline: &Timeline| {
        let seen = timeline.entries.iter().filter_map(|entry| match &entry.what {
            What::Workload(seen) if seen.state.kind == "deployment" && seen.state.name == "dip" => {
                Some(seen.state.wanted)
            }
            _ => None,
        });
        let mut seen: Vec<i64> = seen.collect();
        seen.dedup();
        seen
    };
    let deadline = tokio::time::Instant::now() + PATIENCE;
    recorder
        .watch(deadline, |timeline| wanted(timeline).len() > 2)
        .await;
    let timeline = recorder.finish(Ending::Complete).unwrap();
    assert_eq!(wanted(&timeline), [3, 1, 3]);
}

async fn an_hpa_without_metrics_still_clamps_to_its_floor(client: &Client) {
    let deployments = Api::<Deployment>::default_namespaced(client.clone());
    deployments
        .create(&PostParams::default(), &deployment("floor", 1).await)
        .await
        .unwrap();
    let hpas = Api::<HorizontalPodAutoscaler>::default_namespaced(client.clone());
    hpas.create(&PostParams::default(), &hpa("floor", 3))
        .await
        .unwrap();
    watch(deployments, "floor", "the floor", |deployment| {
        (deployment?.spec.as_ref()?.replicas == Some(3)).then_some(())
    })
    .await;
}

/// The taint-eviction controller deletes such a pod as well, and is at times there before the kubelet: then the pod
/// goes as Pending. It must never run in any case, and the kubelet's answer is seen on the first that it gets to.
async fn a_pod_that_does_not_tolerate_the_taint_is_rejected(client: &Client, node: &str) {
    let pods = Api::<Pod>::default_namespaced(client.clone());
    let mut rejected = None;
    for at in 0..20 {
        let name = format!("rejected-{at}");
        let (armed, watching) = oneshot::channel();
        let watched = {
            let (pods, name) = (pods.clone(), name.clone());
            tokio::spawn(async move { phases_of(pods, &name, armed).await })
        };
        watching.await.unwrap();
        // A grace period that would be seen: a pod of which no container runs does not wait for it.
        let start = Instant::now();
        let spec = json!({"nodeName": node, "terminationGracePeriodSeconds": 60});
        pods.create(&PostParams::default(), &pod(&name, &spec).await)
            .await
            .unwrap();
        let (phases, reason) = watched.await.unwrap();
        assert!(phases.iter().all(|phase| phase != "Running"), "{phases:?}");
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "it waited for its grace period"
        );
        if phases.last().is_some_and(|phase| phase == "Failed") {
            rejected = Some(reason);
            break;
        }
    }
    assert_eq!(rejected, Some(Some("TaintToleration".to_owned())));

    // One that tolerates it runs.
    let tolerations = json!([{"key": "conformance", "operator": "Exists"}]);
    let spec = json!({"nodeName": node, "tolerations": tolerations});
    pods.create(&PostParams::default(), &pod("tolerant", &spec).await)
        .await
        .unwrap();
    watch(pods, "tolerant", "the tolerant pod", |pod| {
        (phase(pod?) == "Running").then_some(())
    })
    .await;
}

/// Every phase that a pod goes through until it is gone, and the first reason that its status has; `armed` is told
/// when nothing is missed any more.
async fn phases_of(pods: Api<Pod>, name: &str, armed: oneshot::Sender<()>) -> (Vec<String>, Option<String>) {
    let (mut phases, mut reason, mut armed) = (Vec::new(), None, Some(armed));
    watch(pods, name, "a rejected pod's end", |pod| {
        let Some(pod) = pod else {
            // Not there yet, or gone.
            let _ = armed.take().map(|armed| armed.send(()));
            return (!phases.is_empty()).then(|| (phases.clone(), reason.clone()));
        };
        phases.push(phase(pod).to_owned());
        reason = reason
            .clone()
            .or_else(|| pod.status.as_ref().and_then(|status| status.reason.clone()));
        None
    })
    .await
}

/// A pod that takes long to die lives longer than one that does not, and none longer than its grace period.
async fn a_running_pod_stays_for_its_time_to_die(client: &Client, node: &str) {
    let pods = Api::<Pod>::default_namespaced(client.clone());
    let factor = session().await.settings().pace.factor();
    // At the recorded pace: ends at once, after 4 s at fast pace, and would take minutes.
    let die = [
        ("quick", 1),
        ("slow", 4_000 * factor),
        ("stubborn", 600_000 * factor),
    ];
    let mut ends = Vec::new();
    for (name, time_to_die) in die {
        let spec = json!({"nodeName": node, "terminationGracePeriodSeconds": if name == "stubborn" { 2 } else { 30 }});
        let mut pod = pod(name, &spec).await;
        pod.annotations_mut()
            .insert(TIME_TO_DIE.to_owned(), time_to_die.to_string());
        pods.create(&PostParams::default(), &pod).await.unwrap();
        watch(pods.clone(), name, "a pod that runs", |pod| {
            (phase(pod?) == "Running").then_some(())
        })
        .await;
        let start = Instant::now();
        pods.delete(name, &kube::api::DeleteParams::default())
            .await
            .unwrap();
        let mut terminating = false;
        let gone = watch(pods.clone(), name, "a pod that is gone", |pod| {
            let Some(pod) = pod else {
                return Some(start.elapsed());
            };
            terminating |= pod.metadata.deletion_timestamp.is_some() && phase(pod) == "Running";
            None
        })
        .await;
        assert!(
            terminating || name == "quick",
            "{name} was never seen Terminating"
        );
        ends.push(gone);
    }
    let [quick, slow, stubborn] = ends[..] else {
        unreachable!()
    };
    assert!(quick < slow, "{quick:?} {slow:?}");
    assert!(
        slow >= Duration::from_secs(4) && slow < Duration::from_secs(25),
        "{slow:?}"
    );
    assert!(
        stubborn >= Duration::from_secs(1) && stubborn < Duration::from_secs(25),
        "its grace period is 2 s: {stubborn:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_has_no_metric_before_two_samples() {
    if !local().await {
        let why = "it asks the metrics that kubeclash makes, and on kind they are measured";
        return not_run(
            "a pod has no metric before two samples",
            why,
            "KUBECLASH_REQUIRE_LOCAL",
        );
    }
    let scratch = tempfile::tempdir().unwrap();
    let cpu = CpuUse {
        of: "deployment/busy".parse().unwrap(),
        share: CpuShare::EachPod,
        curve: CpuCurve::burst(100, Duration::from_secs(3600), 100),
    };
    let cluster = up(Some(cpu), scratch.path()).await;
    let client = cluster.client();
    let deployments = Api::<Deployment>::default_namespaced(client.clone());
    deployments
        .create(&PostParams::default(), &deployment("busy", 1).await)
        .await
        .unwrap();
    let pods = Api::<Pod>::default_namespaced(client.clone());
    let list = kube::api::ListParams::default().labels("app=busy");
    let running = async {
        loop {
            let found = pods.list(&list).await.unwrap();
            if let Some(pod) = found.iter().find(|pod| phase(pod) == "Running") {
                return pod.name_any();
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, running).await.unwrap();
    let running = Instant::now();
    let metrics = async || -> Vec<Value> {
        let request = http::Request::get("/apis/metrics.k8s.io/v1beta1/namespaces/default/pods")
            .body(Vec::new())
            .unwrap();
        let list: Value = client.request(request).await.unwrap();
        list["items"].as_array().unwrap().clone()
    };
    let first = tokio::time::timeout(PATIENCE, async {
        loop {
            let found = metrics().await;
            if let Some(first) = found.into_iter().next() {
                return first;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    // Two samples are 10 s apart, at the recorded pace.
    let apart = session().await.settings().pace.scale(Duration::from_secs(10));
    assert!(
        running.elapsed() >= apart / 2,
        "a metric after {:?}, samples are {apart:?} apart",
        running.elapsed()
    );
    let usage = first["containers"][0]["usage"]["cpu"].as_str().unwrap();
    let nano: f64 = usage.strip_suffix('n').unwrap().parse().unwrap();
    assert!((80e6..120e6).contains(&nano), "{usage} is not 100m");
    cluster.cluster.down(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn injection_is_what_a_user_would_do() {
    let scratch = tempfile::tempdir().unwrap();
    let cluster = up(None, scratch.path()).await;
    inject_live::injection_is_what_a_user_would_do(cluster.client(), &cluster.kubeconfig()).await;
    cluster.cluster.down(true).await;
}
