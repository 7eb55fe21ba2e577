//! Steps on somebody's cluster: a real kubelet runs the Jobs, results come back, and nothing stays there, however it ends.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use kubeclash::exit;
use kubeclash::session::{Session, Settings};
use kubeclash_cluster::{Cluster, Provider};
use kubeclash_host::progress::Progress;
use kubeclash_host::yaml;
use kubeclash_timeline::Shape;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::cli_sandbox::{self, Ended, Running, within};
use crate::kind_live_sandbox::{CLUSTER, KindSandbox, docker, outcomes};

/// What the image of these tests is called.
const IMAGE: &str = "kubeclash/kubeclash:test";

/// A cluster of kind with our image in its worker.
struct Theirs {
    cluster: Cluster,
    session: Session,
    sandbox: KindSandbox,
}

impl Theirs {
    async fn up(sandbox: KindSandbox) -> Self {
        let mut settings = Settings::from_environment().unwrap();
        settings.provider = Provider::Kind;
        settings.on_kind.image = Some(sandbox.image().to_owned());
        let session = Session::open(settings, &Progress::detect()).await.unwrap();
        let shape = Shape {
            workers: 1,
            worker_cpu: 8,
        };
        let order = session.order(shape, sandbox.path("logs"));
        let cluster = Provider::Kind.up(order, &|_| ()).await.unwrap();
        let theirs = Self {
            cluster,
            session,
            sandbox,
        };
        theirs.load();
        // What a cluster of several teams may enforce.
        let level = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
        Api::<Namespace>::all(theirs.client().clone())
            .patch("default", &PatchParams::default(), &Patch::Merge(&level))
            .await
            .unwrap();
        theirs
    }

    /// What "kind load image-archive" does.
    fn load(&self) {
        let archive = self.sandbox.path("image.tar");
        let made = self
            .sandbox
            .run(&["image", "--tag", IMAGE, "--out", archive.to_str().unwrap()]);
        made.assert(exit::EXPECTED, &[]);
        let run = self.cluster.kubeconfig();
        let run = run.parent().unwrap().display().to_string();
        let label = format!("label=kubeclash.run={run}");
        let nodes = docker(&["ps", "--quiet", "--filter", &label, "--filter", "name=worker"]).unwrap();
        assert_eq!(nodes.lines().count(), 1, "{nodes}");
        let import = [
            "exec", "-i", &nodes, "ctr", "-n", "k8s.io", "images", "import", "-",
        ];
        let status = Command::new("docker")
            .args(import)
            .stdin(fs::File::open(&archive).unwrap())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        fs::remove_file(archive).unwrap();
    }

    fn client(&self) -> &Client {
        self.cluster.client()
    }

    fn args<'a>(&self, kubeconfig: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let ours = [
            "submit",
            "--kubeconfig",
            kubeconfig,
            "--context",
            "kubeclash",
            "--out",
            out,
            "--format",
            "json",
            "--cpu",
            "250m",
        ];
        [&ours, more].concat()
    }

    fn submit(&self, out: &str, more: &[&str]) -> Ended {
        let kubeconfig = self.cluster.kubeconfig().display().to_string();
        let out = self.sandbox.path(out).display().to_string();
        self.sandbox.run(&self.args(&kubeconfig, &out, more))
    }

    fn start(&self, out: &str, more: &[&str]) -> Running {
        let kubeconfig = self.cluster.kubeconfig().display().to_string();
        let out = self.sandbox.path(out).display().to_string();
        self.sandbox.start(&self.args(&kubeconfig, &out, more))
    }

    async fn jobs(&self) -> Vec<String> {
        let jobs = Api::<Job>::all(self.client().clone())
            .list(&ListParams::default())
            .await;
        jobs.unwrap().iter().map(ResourceExt::name_any).collect()
    }

    async fn pods(&self) -> Vec<Pod> {
        let pods = Api::<Pod>::default_namespaced(self.client().clone());
        pods.list(&ListParams::default()).await.unwrap().items
    }

    /// That nothing of a submission is on the cluster, or here.
    async fn assert_nothing_left(&self) {
        assert_eq!(self.jobs().await, [""; 0]);
        let pods: Vec<String> = self.pods().await.iter().map(ResourceExt::name_any).collect();
        assert_eq!(pods, [""; 0]);
        let secrets = Api::<Secret>::default_namespaced(self.client().clone());
        assert_eq!(secrets.list(&ListParams::default()).await.unwrap().items.len(), 0);
        self.sandbox.assert_clean();
    }

    /// Waits until a pod's program is at work.
    async fn until_at_work(&self, running: &mut Running) {
        let deadline = std::time::Instant::now() + CLUSTER;
        loop {
            running.assert_runs();
            let pods = self.pods().await;
            if pods.iter().any(|pod| {
                pod.status
                    .as_ref()
                    .is_some_and(|status| status.phase.as_deref() == Some("Running"))
            }) {
                return;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "no pod runs: {}",
                running.said()
            );
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
}

fn read(file: &Path) -> Value {
    serde_json::from_reader(io::BufReader::new(fs::File::open(file).unwrap())).unwrap()
}

fn verdicts(folder: &Path) -> Vec<PathBuf> {
    let mut files = cli_sandbox::files_below(folder);
    files.retain(|file| file.ends_with("verdict.json"));
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_run_as_jobs_and_nothing_of_them_stays() {
    let Some(sandbox) = KindSandbox::of("kubeclash submit on kind").await else {
        return;
    };
    cli_sandbox::components().await;
    let theirs = Theirs::up(sandbox).await;

    steps_of_a_matrix_come_back(&theirs).await;
    what_can_not_run_says_why(&theirs).await;
    who_may_not_is_told_what(&theirs).await;
    an_interruption_removes_all(&theirs).await;
    kill_9_is_swept(&theirs).await;

    let Theirs {
        cluster,
        session,
        sandbox,
    } = theirs;
    cluster.down(true).await;
    session.close().await;
    sandbox.assert_nothing_left();
}

/// Both arms of a case, one of the user's own and a load test, as "kubeclash matrix" lists them; one pod after the other, on a
/// small machine.
async fn steps_of_a_matrix_come_back(theirs: &Theirs) {
    let mine = theirs.sandbox.path("x1_mine").display().to_string();
    theirs
        .sandbox
        .run(&["case", "new", "x1", "--out", &mine])
        .assert(exit::EXPECTED, &[]);
    let matrix = theirs
        .sandbox
        .run(&["matrix", "c7", &mine, "--load", "10", "--format", "json"]);
    let file = theirs.sandbox.path("jobs.jsonl").display().to_string();
    fs::write(&file, matrix.stdout).unwrap();
    let ended = theirs.submit("matrix", &["--image", IMAGE, "--from", &file, "--jobs", "1"]);
    ended.assert(exit::EXPECTED, &[]);
    theirs.assert_nothing_left().await;
    let mut steps = outcomes(&ended);
    steps.sort_by_key(|step| step["name"].to_string());
    let said: Vec<_> = steps
        .iter()
        .map(|step| (step["name"].clone(), step["code"].clone()))
        .collect();
    let names = ["c7 broken", "c7 control", "load 10", "x1 broken", "x1 control"];
    assert_eq!(
        said,
        names.map(|name| (json!(name), json!(exit::EXPECTED))),
        "{ended}"
    );
    let arms = [("c7_taint_recreate_loop", 0), ("x1_mine", 3)];
    let arms = arms
        .into_iter()
        .flat_map(|(case, at)| [(case, at, "reproduced"), (case, at + 1, "absent")]);
    for (case, at, verdict) in arms {
        let step = &steps[at];
        let folder = PathBuf::from(step["results"].as_str().unwrap());
        let verdicts = verdicts(&folder);
        assert_eq!(verdicts.len(), 1, "{verdicts:?}");
        assert_eq!(read(&verdicts[0])["verdict"], verdict);
        let log = fs::read_to_string(folder.join("console.log")).unwrap();
        assert!(log.contains(case), "{log}");
    }
    let load = PathBuf::from(steps[2]["results"].as_str().unwrap());
    let mut runs = cli_sandbox::files_below(&load);
    runs.retain(|file| file.ends_with("load.json"));
    assert_eq!(read(&runs[0])["nodes"], 10);
    // They are what a run here leaves: any other verb takes them.
    let out = theirs.sandbox.path("matrix").display().to_string();
    let reported = theirs.sandbox.run(&["report", &out]);
    reported.assert(exit::EXPECTED, &[]);
    assert!(reported.stdout.contains("4 arms"), "{reported}");
    let ledger = theirs.sandbox.path("ledger.jsonl").display().to_string();
    let added = theirs.sandbox.run(&["ledger", "add", &out, "--ledger", &ledger]);
    added.assert(exit::EXPECTED, &["5 of 5 runs added"]);
}

async fn what_can_not_run_says_why(theirs: &Theirs) {
    let pause = theirs.session.kit().unwrap().pause().to_owned();
    for (why, more) in [
        ("InvalidImageName", &["--image", "Not:An:Image"][..]),
        ("--timeout", &["--image", IMAGE, "--timeout", "6s"]),
        // It is root's.
        ("CreateContainerConfigError", &["--image", &pause]),
    ] {
        let ended = theirs.submit("bad", &[more, &["--", "run", "c7", "--arm", "control"]].concat());
        ended.assert(exit::UNAVAILABLE, &[]);
        let step = &outcomes(&ended)[0];
        assert!(step["why"].as_str().unwrap().contains(why), "no {why} in {ended}");
        assert_eq!(step["results"], Value::Null);
        theirs.assert_nothing_left().await;
    }
}

/// Before anything is created.
async fn who_may_not_is_told_what(theirs: &Theirs) {
    let mut config = yaml::value(&fs::read_to_string(theirs.cluster.kubeconfig()).unwrap()).unwrap();
    let user = &mut config["users"][0]["user"];
    user["as"] = "somebody".into();
    user["as-groups"] = json!(["system:authenticated"]);
    let file = theirs.sandbox.path("somebody").display().to_string();
    fs::write(&file, yaml::text(&config)).unwrap();
    let out = theirs.sandbox.path("none").display().to_string();
    let more = ["--image", IMAGE, "--", "run", "c7"];
    let ended = theirs.sandbox.run(&theirs.args(&file, &out, &more));
    let missing = [
        "may not create jobs.batch",
        "delete jobs.batch",
        "create pods/exec",
        "--namespace",
    ];
    ended.assert(exit::UNAVAILABLE, &missing);
    theirs.assert_nothing_left().await;
}

async fn an_interruption_removes_all(theirs: &Theirs) {
    let mut running = theirs.start("interrupted", &["--image", IMAGE, "--", "run", "c7"]);
    theirs.until_at_work(&mut running).await;
    running.signal(Signal::SIGINT);
    let status = within(CLUSTER, "the end of a submission", || {
        running.child.try_wait().unwrap()
    });
    assert_eq!(
        status.code(),
        Some(exit::INTERRUPTED.into()),
        "{}",
        running.said()
    );
    theirs.assert_nothing_left().await;
}

async fn kill_9_is_swept(theirs: &Theirs) {
    let mut running = theirs.start("killed", &["--image", IMAGE, "--", "run", "c7"]);
    theirs.until_at_work(&mut running).await;
    let kubeconfig = theirs.cluster.kubeconfig().display().to_string();
    let sweep = [
        "submit",
        "--kubeconfig",
        &kubeconfig,
        "--context",
        "kubeclash",
        "--sweep",
    ];
    // Somebody waits for it.
    assert_eq!(theirs.sandbox.run(&sweep).stdout, "nothing was left behind\n");
    running.signal(Signal::SIGKILL);
    running.end();
    let jobs = theirs.jobs().await;
    assert_eq!(jobs.len(), 1);
    // Another machine's is none of our business.
    let mut other = Api::<Job>::default_namespaced(theirs.client().clone())
        .get(&jobs[0])
        .await
        .unwrap();
    let labels = other.labels_mut();
    labels.insert("kubeclash.dev/submission".to_owned(), "0123456789ab".to_owned());
    let annotations = other.annotations_mut();
    annotations.insert("kubeclash.dev/submitter".to_owned(), "another".to_owned());
    other.metadata.name = Some("kubeclash-another".to_owned());
    other.metadata.uid = None;
    other.metadata.resource_version = None;
    let spec = other.spec.as_mut().unwrap();
    spec.selector = None;
    spec.suspend = Some(true);
    spec.template.metadata.as_mut().unwrap().labels = None;
    let apis = Api::<Job>::default_namespaced(theirs.client().clone());
    apis.create(&PostParams::default(), &other).await.unwrap();

    let dry = theirs.sandbox.run(&[&sweep[..], &["--dry-run"]].concat());
    assert!(dry.stdout.contains(&format!("would remove {}", jobs[0])), "{dry}");
    assert!(
        dry.stdout
            .contains("left alone: kubeclash-another, submitted by another"),
        "{dry}"
    );
    assert_eq!(theirs.jobs().await.len(), 2);
    let swept = theirs.sandbox.run(&sweep);
    swept.assert(exit::EXPECTED, &[]);
    assert_eq!(theirs.jobs().await, ["kubeclash-another"]);
    let gone = kube::api::DeleteParams::background();
    apis.delete("kubeclash-another", &gone).await.unwrap();
    // What a killed program leaves here is another sweep's.
    theirs.sandbox.run(&["sweep"]).assert(exit::EXPECTED, &[]);
    let there = async { while !theirs.jobs().await.is_empty() {} };
    tokio::time::timeout(CLUSTER, there).await.unwrap();
    theirs.assert_nothing_left().await;
}
