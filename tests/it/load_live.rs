//! The load test through the command: all of it at the smallest profile, and what goes wrong at a smaller one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kubeclash::exit;
use kubeclash_load::LoadRun;
use kubeclash_load::run::LoadOutcome;
use kubeclash_timeline::{Label, LoadStep};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::cli_sandbox::{Running, Sandbox, until, within};

/// A profile of a few nodes and pods, with some lines changed.
fn small(sandbox: &Sandbox, changes: &[(&str, &str)]) -> String {
    let ended = sandbox.run(&["load", "--print-profile"]);
    let mut text = ended.stdout;
    let small = [
        ("nodes", "6"),
        ("pods_per_node", "6"),
        ("sizes", "{small: 2, medium: 4, big: 8}"),
    ];
    for (field, value) in small.iter().chain(changes) {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{field}:")))
            .unwrap()
            .to_owned();
        text = text.replace(&line, &format!("{field}: {value}"));
    }
    let file = sandbox.path("small.yaml");
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

/// The only run's evidence.
fn evidence(sandbox: &Sandbox) -> PathBuf {
    let mut dir = sandbox.path("out/load");
    for _ in 0..2 {
        let inside: Vec<PathBuf> = fs::read_dir(&dir).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(inside.len(), 1, "{inside:?}");
        dir = inside[0].clone();
    }
    dir
}

fn read(evidence: &Path) -> LoadRun {
    LoadRun::read(&evidence.join("load.json")).unwrap()
}

/// What a log of a run that goes on has so far.
fn log(sandbox: &Sandbox, name: &str) -> Option<String> {
    let out = fs::read_dir(sandbox.path("out/load")).ok()?;
    let sizes = out.flatten().flat_map(|size| fs::read_dir(size.path()).ok());
    let runs = sizes.flatten().flatten();
    let mut logs = runs.filter_map(|run| fs::read_to_string(run.path().join("logs").join(name)).ok());
    logs.next()
}

/// Whether the load test says that a step has started, or ended.
fn says(sandbox: &Sandbox, step: LoadStep, state: &str) -> bool {
    let line = format!("Step \"{step}\" {state}");
    log(sandbox, "load.log").is_some_and(|log| log.contains(&line))
}

/// Waits for a step to begin.
fn until_started(sandbox: &Sandbox, running: &mut Running, step: LoadStep) {
    until(step.name(), || {
        running.assert_runs();
        says(sandbox, step, "started").then_some(())
    });
}

/// Kills the API server while it owes an answer to one of the load test's clients.
///
/// It is stopped in a step that sends requests. When a probe that was sent after that has waited in vain, every answer from
/// before has long been taken note of, by the same process; if the step is not over then, it waits for an answer that will
/// not come. If it is over, as it may be on a busy machine, the next such step is taken.
fn kill_amid_requests(sandbox: &Sandbox, running: &mut Running) {
    let apiserver = || {
        let mut all = sandbox.processes().into_iter();
        let (pid, _) = all.find(|(_, name)| name.starts_with("kube-apiserver")).unwrap();
        Pid::from_raw(i32::try_from(pid).unwrap())
    };
    for step in [
        LoadStep::CreateObjects,
        LoadStep::ScaleObjects,
        LoadStep::DeleteObjects,
    ] {
        until_started(sandbox, running, step);
        let (pid, failed) = (apiserver(), || {
            let log = log(sandbox, "kubelet.log").unwrap_or_default();
            log.matches("\"Probe failed\"").count()
        });
        let before = failed();
        kill(pid, Signal::SIGSTOP).unwrap();
        // The first may have been on its way before.
        until("a probe that gets no answer", || {
            (failed() > before + 1).then_some(())
        });
        if !says(sandbox, step, "ended") {
            return kill(pid, Signal::SIGKILL).unwrap();
        }
        kill(pid, Signal::SIGCONT).unwrap();
    }
    panic!("each step was over before the API server was stopped");
}

#[tokio::test]
async fn all_13_steps_at_the_smallest_profile_with_every_measurement() {
    let sandbox = Sandbox::new().await;
    let ended = sandbox.run(&["load", "--format", "json", "--prefix", "/registry/configmaps/"]);
    ended.assert(exit::EXPECTED, &[]);
    let run = LoadRun::parse("standard output", &ended.stdout).unwrap();
    let dir = evidence(&sandbox);
    assert_eq!(read(&dir), run);
    assert_eq!(
        (run.nodes, run.outcome),
        (100, LoadOutcome::Completed),
        "{}",
        run.why
    );
    assert_eq!(run.label, Some(Label::Green), "{}", run.why);
    let steps: Vec<LoadStep> = run.steps.iter().map(|record| record.step).collect();
    assert_eq!(steps, LoadStep::ALL);
    assert!(
        run.steps
            .iter()
            .all(|record| record.ended_ms.is_some() && record.late_total == 0)
    );

    // What was sent is what the API server counted, and what the pods came to.
    let measured = &run.measured;
    assert_eq!(measured.missing, Vec::<String>::new());
    // A busy API server may ask for patience; nothing else goes wrong.
    let reasons: Vec<&str> = run.requests.failed.keys().map(String::as_str).collect();
    assert!(reasons.is_empty() || reasons == ["429"], "{:?}", run.requests);
    let again = run.requests.failed.values().sum::<u64>();
    let posted = |resource: &str| {
        let rows = measured.latency.rows.iter();
        let posts = rows.filter(|row| row.verb == "POST" && row.resource == resource);
        posts.map(|row| row.took.count).sum::<u64>()
    };
    for (resource, sent) in [
        ("deployments", 104),
        ("jobs", 3),
        ("daemonsets", 1),
        ("services", 52),
        ("configmaps", 104),
        ("secrets", 104),
    ] {
        let posted = posted(resource);
        assert!((sent..=sent + again).contains(&posted), "{resource}: {posted}");
    }
    assert!(measured.pods.created >= 1_090, "{}", measured.pods.created);
    let started = measured.pods.start_up.unwrap();
    assert!(started.count > 1_000, "{started:?}");
    for name in [
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kwok",
    ] {
        let process = measured
            .processes
            .iter()
            .find(|process| process.name == name)
            .unwrap();
        assert!(process.cpu_s > 0.0 && process.peak_bytes > 0, "{process:?}");
    }
    assert!(measured.etcd.peak_keys > 1_000, "{}", measured.etcd.peak_keys);
    let maps = measured
        .etcd
        .curve
        .iter()
        .filter_map(|moment| moment.size.keys.get("/registry/configmaps/"));
    assert!(maps.max().is_some_and(|most| *most >= 104));

    // Announced in order, as the load tool of the seed does; and anybody's logs can be judged again.
    let log = fs::read_to_string(dir.join("logs/load.log")).unwrap();
    let announced: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once("] Step \"")?.1.strip_suffix("\" started"))
        .collect();
    assert_eq!(announced, LoadStep::ALL.map(LoadStep::name));
    let classified = sandbox.run(&["classify", "--format", "json", &dir.display().to_string()]);
    classified.assert(exit::EXPECTED, &[]);
    let classified: Value = serde_json::from_str(&classified.stdout).unwrap();
    assert_eq!(classified["label"], "green");
    assert_eq!(classified["reached"]["number"], 13);
    let page = fs::read_to_string(dir.join("load.html")).unwrap();
    assert!(page.contains("Creating objects") && fs::read_to_string(dir.join("load.md")).is_ok());
    sandbox.assert_clean();
}

#[tokio::test]
async fn objects_that_are_late_are_named_and_the_run_goes_on() {
    let sandbox = Sandbox::new().await;
    // Nodes on which not all pods fit.
    let profile = small(
        &sandbox,
        &[
            ("node", "{cpu: 8, memory: 32Gi, pods: 2, lease_s: 40}"),
            ("deadlines_s", "{running: 2, scaled: 2, deleted: 600}"),
        ],
    );
    let ended = sandbox.run(&["load", "--profile", &profile]);
    ended.assert(exit::EXPECTED, &[]);
    assert!(ended.stdout.contains("completed with timeouts"), "{ended}");
    let run = read(&evidence(&sandbox));
    assert_eq!(run.outcome, LoadOutcome::CompletedWithTimeouts);
    assert_eq!(run.reached, LoadStep::CollectMeasurements);
    let waits = [LoadStep::WaitForRunning, LoadStep::WaitForScaled];
    for record in &run.steps {
        let late = record.late_total > 0;
        assert_eq!(late, waits.contains(&record.step), "{record:?}");
        assert!(
            record.late.iter().all(|one| one.contains(" pods run")),
            "{record:?}"
        );
    }
}

#[tokio::test]
async fn an_interrupted_run_says_how_far_it_got_and_leaves_nothing() {
    let sandbox = Sandbox::new().await;
    let profile = small(
        &sandbox,
        &[(
            "rates",
            "{create_per_s: 2, scale_per_s: 2, delete_per_s: 2, clients: 4}",
        )],
    );
    let mut running = sandbox.start(&["load", "--profile", &profile, "--apiserver-cpu", "1"]);
    until_started(&sandbox, &mut running, LoadStep::CreateObjects);
    running.interrupt();
    sandbox.assert_clean();
    let run = read(&evidence(&sandbox));
    assert_eq!(
        (run.outcome, run.label),
        (LoadOutcome::Aborted, Some(Label::Black))
    );
    // Step 5, or as far as it got before the signal came through.
    let log = fs::read_to_string(evidence(&sandbox).join("logs/load.log")).unwrap();
    let (_, last) = log.rsplit_once("Step \"").unwrap();
    assert!(last.starts_with(run.reached.name()), "{:?}: {last}", run.reached);
    assert!(run.reached >= LoadStep::CreateObjects);
    assert!(run.why.starts_with("interrupted; "), "{}", run.why);
}

#[tokio::test]
async fn an_api_server_that_dies_is_started_again_and_the_run_goes_on() {
    let sandbox = Sandbox::new().await;
    let profile = small(
        &sandbox,
        &[(
            "rates",
            "{create_per_s: 4, scale_per_s: 10, delete_per_s: 10, clients: 8}",
        )],
    );
    let mut running = sandbox.start(&[
        "load",
        "--profile",
        &profile,
        "--liveness-period",
        "2s",
        "--liveness-timeout",
        "2s",
    ]);
    kill_amid_requests(&sandbox, &mut running);
    // Twenty seconds, and several times as much where others are at work; a client waits for its turn after each failure.
    let ended = within(Duration::from_secs(240), "the end of a load test", || {
        running.child.try_wait().unwrap()
    });
    assert_eq!(ended.code(), Some(exit::EXPECTED.into()), "{}", running.said());
    let run = read(&evidence(&sandbox));
    assert_eq!(run.outcome, LoadOutcome::Completed, "{}", run.why);
    let befell: Vec<&str> = run.liveness.iter().map(|event| event.what.as_str()).collect();
    let place = |what: &str| befell.iter().position(|event| event.starts_with(what));
    let (ended, restarted) = (place("ended by itself").unwrap(), place("restarted").unwrap());
    assert!(ended < restarted, "{befell:?}");
    assert_eq!(
        befell.iter().filter(|event| **event == "answers").count(),
        2,
        "{befell:?}"
    );
    // The request that was under way was sent again, and so was every other that failed: none was given up.
    assert!(run.requests.retried > 0, "{:?}", run.requests);
    let failed: u64 = run.requests.failed.values().sum();
    assert_eq!(failed, run.requests.retried, "{:?}", run.requests);
    assert_eq!(run.reached, LoadStep::CollectMeasurements);
    let (back, last) = (run.liveness[restarted].t_ms, run.steps.last().unwrap());
    assert!(last.started_ms > back, "it goes on after {back} ms: {last:?}");
    assert_eq!(run.measured.latency.restarts, 1);
    let apiserver = run
        .measured
        .processes
        .iter()
        .find(|process| process.name == "kube-apiserver");
    assert_eq!(apiserver.unwrap().starts, 2);
    sandbox.assert_clean();
}

#[tokio::test]
async fn kill_9_under_a_bound_of_cpu_is_swept() {
    let sandbox = Sandbox::new().await;
    let profile = small(&sandbox, &[]);
    let mut running = sandbox.start(&["load", "--profile", &profile, "--apiserver-cpu", "0.5"]);
    let of_runs = || {
        let runs = fs::read_dir(sandbox.tmp()).ok()?.flatten();
        let runs = runs
            .flat_map(|root| fs::read_dir(root.path()).ok())
            .flatten()
            .flatten();
        let mut cgroups = runs.filter_map(|run| fs::read_to_string(run.path().join("cgroup")).ok());
        cgroups.next()
    };
    let cgroup = until("the bound", || {
        running.assert_runs();
        of_runs()
    });
    running.signal(Signal::SIGKILL);
    assert_eq!(running.end().code(), None);
    sandbox.run(&["sweep"]).assert(exit::EXPECTED, &[]);
    assert!(!Path::new(&cgroup).exists(), "{cgroup} is left");
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_profile_with_mistakes_is_refused_with_its_lines() {
    let sandbox = Sandbox::without_components();
    let profile = small(
        &sandbox,
        &[(
            "rates",
            "{create_per_s: 0, scale_per_s: 2, delete_per_s: 2, clients: 0}",
        )],
    );
    let ended = sandbox.run(&["load", "--profile", &profile]);
    ended.assert(exit::USAGE, &["small.yaml:", "rates: 0 is not between"]);
    let many = sandbox.run(&["load", "--nodes", "5001"]);
    many.assert(exit::USAGE, &["--profile names a file of yours"]);
    let missing = sandbox.run(&["load", "--profile", "nowhere.yaml"]);
    missing.assert(exit::USAGE, &["nowhere.yaml", "can't be read"]);
}
