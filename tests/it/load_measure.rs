//! What is measured of a load agrees with what was done, on a real control plane; over the API server's death, too.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client};
use kubeclash_load::measure::measured::{CallKind, EtcdSize, LatencyRow};
use kubeclash_load::measure::{MeasureOptions, Measured, Measuring, PodCounts};
use kubeclash_timeline::LoadStep;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::cli_sandbox::until;
use crate::conformance::{Up, local, pod, up};

const PATIENCE: Duration = Duration::from_secs(60);

/// How many pods: they fit two nodes.
const PODS: u64 = 24;

/// What a cluster's own files say of its processes.
pub(crate) struct Traces {
    logs: PathBuf,
    run: PathBuf,
}

impl Traces {
    pub(crate) fn of(cluster: &Up, logs: &Path) -> Self {
        let kubeconfig = cluster.kubeconfig();
        Self {
            logs: logs.to_owned(),
            run: kubeconfig.parent().unwrap().to_owned(),
        }
    }

    /// The command line of a component: the first line of its log.
    pub(crate) fn command_line(&self, name: &str) -> Vec<String> {
        let log = std::fs::read_to_string(self.log(name)).unwrap();
        let line = log.lines().next().unwrap().strip_prefix("# ").unwrap();
        line.split(' ').map(str::to_owned).collect()
    }

    fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    pub(crate) fn etcd(&self) -> String {
        let line = self.command_line("etcd");
        let url = line
            .iter()
            .find_map(|arg| arg.strip_prefix("--listen-client-urls="));
        url.unwrap().to_owned()
    }

    /// Names and ids of what was started.
    pub(crate) fn processes(&self) -> Vec<(String, u32)> {
        let lines = std::fs::read_to_string(self.run.join("processes.jsonl")).unwrap();
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .map(|one| {
                let pid = u32::try_from(one["pid"].as_u64().unwrap()).unwrap();
                (one["name"].as_str().unwrap().to_owned(), pid)
            })
            .collect()
    }

    async fn measure(&self, client: &Client) -> Measuring {
        let (etcd, processes) = (self.etcd(), self.processes());
        Measuring::start(client, Some(&etcd), &processes, self.options())
            .await
            .unwrap()
    }

    fn options(&self) -> MeasureOptions {
        MeasureOptions {
            metrics_every: Duration::from_millis(500),
            processes_every: Duration::from_millis(200),
            patience: Duration::from_secs(10),
            prefixes: vec!["/registry/pods/default/".to_owned()],
            logs: vec![self.log("etcd"), self.log("kube-apiserver")],
            ..MeasureOptions::default()
        }
    }
}

async fn create(pods: &Api<Pod>, names: std::ops::Range<u64>) {
    for number in names {
        let pod = pod(&format!("load-{number}"), &json!({})).await;
        pods.create(&PostParams::default(), &pod).await.unwrap();
    }
}

async fn pods_are(measuring: &Measuring, wanted: PodCounts) {
    let mut counts = measuring.pods();
    let seen = tokio::time::timeout(PATIENCE, counts.wait_for(|counts| *counts == wanted)).await;
    let seen = seen.map(|seen| seen.map(|seen| *seen));
    assert!(
        seen.is_ok(),
        "waited {PATIENCE:?} for {wanted:?}: {:?}",
        measuring.pods().borrow()
    );
}

/// The row of `verb resource/subresource scope`.
fn row<'a>(measured: &'a Measured, call: &str) -> &'a LatencyRow {
    let mut rows = measured.latency.rows.iter();
    let found = rows.find(|row| row.title() == call);
    let all = || {
        measured
            .latency
            .rows
            .iter()
            .map(LatencyRow::title)
            .collect::<Vec<_>>()
    };
    found.unwrap_or_else(|| panic!("no {call}: {:#?}", all()))
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_agree_with_what_was_done() {
    if !local().await {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let cluster = up(None, scratch.path()).await;
    let traces = Traces::of(&cluster, scratch.path());
    let client = cluster.client();
    let pods = Api::<Pod>::default_namespaced(client.clone());
    let measuring = traces.measure(client).await;
    step(&measuring, LoadStep::CreateObjects, &pods).await;
    create(&pods, 0..PODS).await;
    let all = PodCounts {
        here: PODS,
        running: PODS,
    };
    pods_are(&measuring, all).await;
    step(&measuring, LoadStep::DeleteObjects, &pods).await;
    pods.delete_collection(&DeleteParams::default(), &ListParams::default())
        .await
        .unwrap();
    pods_are(&measuring, PodCounts::default()).await;
    step(&measuring, LoadStep::CollectMeasurements, &pods).await;
    for _ in 0..3 {
        pods.list(&ListParams::default()).await.unwrap();
    }
    let measured = measuring.finish().await;
    cluster.cluster.down(true).await;
    assert_eq!(measured.missing, [""; 0]);
    println!("{:#?}\n{:#?}", measured.cost, measured.steps);
    pods_agree(&measured);
    requests_agree(&measured);
    etcd_agrees(&measured);
    processes_agree(&measured);
    // A file has the same.
    let json = serde_json::to_string(&measured).unwrap();
    assert_eq!(serde_json::from_str::<Measured>(&json).unwrap(), measured);
}

fn pods_agree(measured: &Measured) {
    let pods = &measured.pods;
    assert_eq!(
        (
            pods.created,
            pods.scheduled,
            pods.running,
            pods.deleted,
            pods.peak_running
        ),
        (PODS, PODS, PODS, PODS, PODS)
    );
    assert_eq!((pods.there_before, pods.gaps), (0, 0));
    let start_up = pods.start_up.unwrap();
    let parts = [pods.create_to_schedule, pods.schedule_to_run].map(|part| part.unwrap().max_ms.unwrap());
    assert_eq!(start_up.count, PODS);
    assert!(start_up.max_ms.unwrap() <= parts[0] + parts[1], "{pods:#?}");
    assert!(pods.schedule_rate.peak_1s >= 1 && pods.schedule_rate.total == PODS);
    assert_eq!(pods.curve.running.iter().sum::<u32>(), 24);
    let [create, delete, collect] = &measured.steps[..] else {
        panic!("{:#?}", measured.steps)
    };
    assert_eq!(
        (
            create.pods_created,
            create.pods_scheduled.total,
            create.pods_running.total
        ),
        (PODS, PODS, PODS)
    );
    assert_eq!(
        (create.pods_deleted, delete.pods_deleted, collect.pods_deleted),
        (0, PODS, 0)
    );
    assert_eq!(create.ended_ms, delete.started_ms);
}

fn requests_agree(measured: &Measured) {
    assert_eq!(
        row(measured, "POST pods resource").took.count,
        PODS,
        "nobody else makes pods"
    );
    assert_eq!(
        row(measured, "POST pods/binding resource").took.count,
        PODS,
        "one of the scheduler's each"
    );
    assert_eq!(row(measured, "DELETE pods namespace").took.count, 1);
    assert!(row(measured, "LIST pods namespace").took.count >= 3);
    assert!(
        measured
            .latency
            .rows
            .iter()
            .all(|row| row.verb != "WATCH" && !row.resource.is_empty())
    );
    assert_eq!(
        measured.latency.judged_metric,
        "apiserver_request_sli_duration_seconds"
    );
    let made = measured.requests.by_code["201"];
    assert!(made >= 2 * PODS, "pods and bindings: {made}");
    assert_eq!(measured.requests.rejections(), 0);
    let in_steps: u64 = measured.steps.iter().map(|step| step.requests).sum();
    assert!(in_steps <= measured.requests.total && in_steps > 2 * PODS);
    assert!(measured.steps[0].latency[&CallKind::Mutating].count >= 2 * PODS);
    assert!(
        measured.steps[2].latency[&CallKind::List].count >= 3,
        "{:#?}",
        measured.steps[2]
    );
    assert!(measured.cost.samples >= 5 && measured.cost.failed_samples == 0);
}

fn etcd_agrees(measured: &Measured) {
    let after = |step: usize| -> &EtcdSize { measured.steps[step].etcd.as_ref().unwrap() };
    assert_eq!((after(0).keys["pods"], after(1).keys["pods"]), (PODS, 0));
    assert_eq!(
        after(0).keys["/registry/pods/default/"],
        PODS,
        "a prefix that was asked for"
    );
    assert_eq!(after(0).keys["nodes"], 2);
    assert!(after(0).keys["events"] >= PODS);
    assert!(after(0).keys["all"] > after(0).keys["pods"] + after(0).keys["events"]);
    assert!(after(0).in_use_bytes <= after(0).db_bytes);
    assert!(measured.etcd.peak_db_bytes >= after(2).db_bytes && after(2).db_bytes > 16 << 10);
    assert!(measured.etcd.version.as_ref().unwrap().starts_with("3."));
    let slow: u64 = measured
        .took_too_long
        .by_prefix
        .values()
        .map(|slow| slow.count)
        .sum();
    assert_eq!(slow, measured.took_too_long.total);
}

fn processes_agree(measured: &Measured) {
    let names: Vec<&str> = measured.processes.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "etcd",
            "kube-apiserver",
            "kube-scheduler",
            "kube-controller-manager",
            "kwok"
        ]
    );
    for one in &measured.processes {
        assert_eq!(one.starts, 1, "{}", one.name);
        assert!(one.curve.t_ms.len() >= 3, "{}", one.name);
        assert!(
            one.peak_bytes > 8 << 20 && one.mean_bytes <= one.peak_bytes,
            "{}: {}",
            one.name,
            one.peak_bytes
        );
        assert!(one.peak_cores < 64.0, "{}: {}", one.name, one.peak_cores);
        let used = measured.steps[0].processes[&one.name];
        assert!(used.peak_cores <= one.peak_cores && used.peak_bytes <= one.peak_bytes);
    }
    assert!(measured.processes[1].cpu_s > 0.1, "the API server worked");
}

/// A process that ends with the test.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_api_server_is_measured_before_and_after() {
    if !local().await {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let cluster = up(None, scratch.path()).await;
    let traces = Traces::of(&cluster, scratch.path());
    let client = cluster.client();
    let pods = Api::<Pod>::default_namespaced(client.clone());
    let mut processes = traces.processes();
    let measuring = traces.measure(client).await;
    measuring.step(LoadStep::CreateObjects);
    create(&pods, 0..8).await;
    pods_are(&measuring, PodCounts { here: 8, running: 8 }).await;
    // What it answered is looked at before it goes.
    step(&measuring, LoadStep::ScaleObjects, &pods).await;
    let (_, pid) = processes
        .iter()
        .find(|(name, _)| name == "kube-apiserver")
        .unwrap();
    kill(Pid::from_raw(i32::try_from(*pid).unwrap()), Signal::SIGKILL).unwrap();
    let line = traces.command_line("kube-apiserver");
    let port = line.iter().find_map(|arg| arg.strip_prefix("--secure-port="));
    let port: u16 = port.unwrap().parse().unwrap();
    // Its last thread takes the socket with it.
    until("the port of the API server that was killed", || {
        std::net::TcpListener::bind(("127.0.0.1", port)).ok()
    });
    let log = std::fs::File::create(scratch.path().join("again.log")).unwrap();
    let again = Command::new(&line[0])
        .args(&line[1..])
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    let again = Owned(again.unwrap());
    processes.retain(|(name, _)| name != "kube-apiserver");
    processes.push(("kube-apiserver".to_owned(), again.0.id()));
    measuring.processes(&processes);
    let answers = async {
        while client.apiserver_version().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    let answered = tokio::time::timeout(PATIENCE, answers).await;
    let said = || std::fs::read_to_string(scratch.path().join("again.log")).unwrap();
    assert!(answered.is_ok(), "{}", said());
    measuring.step(LoadStep::WaitForScaled);
    create(&pods, 8..12).await;
    pods_are(
        &measuring,
        PodCounts {
            here: 12,
            running: 12,
        },
    )
    .await;
    let measured = measuring.finish().await;
    drop(again);
    cluster.cluster.down(true).await;
    assert_eq!(measured.latency.restarts, 1);
    let made = row(&measured, "POST pods resource").took.count;
    assert_eq!(made, 12, "8 of the first one, 4 of the second");
    assert_eq!((measured.pods.created, measured.pods.running), (12, 12));
    let apiserver = measured
        .processes
        .iter()
        .find(|one| one.name == "kube-apiserver")
        .unwrap();
    assert_eq!(apiserver.starts, 2);
    assert!(
        measured
            .missing
            .iter()
            .all(|why| why.starts_with("the API server was asked")),
        "{:?}",
        measured.missing
    );
}

/// Begins a step, and waits for the look from which on requests are counted as its own.
async fn step(measuring: &Measuring, step: LoadStep, pods: &Api<Pod>) {
    measuring.step(step);
    tokio::time::timeout(PATIENCE, looked(measuring, pods))
        .await
        .unwrap();
}

/// Waits until a look has seen all that was asked before: one that began after it.
async fn looked(measuring: &Measuring, pods: &Api<Pod>) {
    let begun = measuring.looks();
    while measuring.looks() < begun + 2 {
        pods.list(&ListParams::default()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_answer_is_named_and_the_rest_is_measured() {
    if !local().await {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let cluster = up(None, scratch.path()).await;
    let traces = Traces::of(&cluster, scratch.path());
    let pods = Api::<Pod>::default_namespaced(cluster.client().clone());
    // Nobody is there: the port of a socket that does not listen.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let etcd = format!("http://{}", nobody.local_addr().unwrap());
    let absent = [("nobody".to_owned(), u32::MAX / 4)];
    let measuring = Measuring::start(cluster.client(), Some(&etcd), &absent, traces.options());
    let measuring = measuring.await.unwrap();
    measuring.step(LoadStep::CreateObjects);
    create(&pods, 0..2).await;
    let measured = measuring.finish().await;
    cluster.cluster.down(true).await;
    assert_eq!(row(&measured, "POST pods resource").took.count, 2);
    let [etcd_missing, process_missing] = &measured.missing[..] else {
        panic!("{:?}", measured.missing)
    };
    assert!(
        etcd_missing.contains(&etcd) && etcd_missing.starts_with("etcd was asked"),
        "{etcd_missing}"
    );
    assert_eq!(
        process_missing,
        "\"nobody\" was not seen among the system's processes"
    );
    assert!(measured.etcd.curve.is_empty());
}
