//! `kubeclash submit` and `kubeclash image` without a kubelet: what is refused, what is printed, what is in an image.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use flate2::read::GzDecoder;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use kubeclash::{evidence, exit};
use kubeclash_host::yaml;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::cli_sandbox::{Sandbox, within};
use crate::component_site::write_executable;
use crate::conformance::{local, up};

const CONFIG: &str = "\
apiVersion: v1
kind: Config
current-context: mine
clusters: [{name: mine, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: me, user: {}}]
contexts: [{name: mine, context: {cluster: mine, user: me, namespace: ns}}]
";

#[test]
fn a_context_has_to_be_named_and_is_looked_for_only_where_it_is_said() {
    let sandbox = Sandbox::without_components();
    let step = ["--image", "a:1", "--", "run", "c7"];
    sandbox
        .run(&[&["submit"], &step[..]].concat())
        .assert(exit::USAGE, &["--context <NAME>"]);
    let unknown = [&["submit", "--context", "other"], &step[..]].concat();
    sandbox
        .run(&unknown)
        .assert(exit::USAGE, &["failed to read kubeconfig"]);
    let file = sandbox.path("config").display().to_string();
    fs::write(&file, CONFIG).unwrap();
    let mut command = sandbox.command(&unknown);
    command.env("KUBECONFIG", &file);
    crate::cli_sandbox::ended(command)
        .assert(exit::USAGE, &["there is no context \"other\"", "there is mine"]);
    let there = [&["submit", "--kubeconfig", &file, "--context", "mine"], &step[..]].concat();
    let ended = sandbox.run(&there);
    ended.assert(
        exit::UNAVAILABLE,
        &["the cluster of context \"mine\" does not answer"],
    );
    sandbox.assert_clean();
}

#[test]
fn jobs_are_printed_and_nothing_is_asked() {
    let sandbox = Sandbox::without_components();
    let dry = [
        "submit",
        "--context",
        "nowhere",
        "--image",
        "a:1",
        "--dry-run",
        "--",
        "run",
        "c7",
        "--arm",
        "broken",
    ];
    let ended = sandbox.run(&dry);
    ended.assert(exit::EXPECTED, &[]);
    let job: Job = serde_json::from_value(yaml::value(&ended.stdout).unwrap()).unwrap();
    let pod = job.spec.unwrap().template.spec.unwrap();
    let command = pod.containers[0].command.as_ref().unwrap().join(" ");
    assert_eq!(command, "kubeclash worker run -- run c7 --arm broken");
    for (bad, why) in [
        (
            &["--", "run", "c7", "--provider", "kind"][..],
            "no container engine",
        ),
        (&["--", "run", "nonsense", "--nonsense"], "can't be a step"),
        (&["--from", "/nonexistent"], "/nonexistent"),
        (&["--cpu", "many", "--", "run", "c7"], "--cpu"),
    ] {
        sandbox
            .run(&[&dry[..6], bad].concat())
            .assert(exit::USAGE, &[why]);
    }
}

/// A case of the user's, in a folder of cases: the folder, and the case's own.
fn outside(sandbox: &Sandbox) -> (String, String) {
    let case = sandbox.path("mine/x1_mine").display().to_string();
    sandbox
        .run(&["case", "new", "x1", "--out", &case])
        .assert(exit::EXPECTED, &[]);
    (sandbox.path("mine").display().to_string(), case)
}

#[test]
fn a_case_that_no_job_can_carry_is_told_before_anything_is_created() {
    let sandbox = Sandbox::without_components();
    let (mine, case) = outside(&sandbox);
    let submit = |more: &[&str]| {
        let ours = ["submit", "--context", "nowhere", "--image", "a:1"];
        sandbox.run(&[&ours, more].concat())
    };
    let dry = submit(&["--cases", &mine, "--dry-run", "--", "run", "c7"]);
    dry.assert(exit::EXPECTED, &[]);
    assert!(!dry.stdout.contains("KUBECLASH_PACKED_CASES"), "{dry}");
    let file = Path::new(&case).join("case.yaml");
    let text = fs::read_to_string(&file).unwrap();
    // Not one word of it stands there twice: nothing makes it small.
    let large: String = (0..20_000_u64)
        .map(|number| format!("# {:x}\n", (number + 7).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    fs::write(&file, format!("{text}{large}")).unwrap();
    submit(&["--", "run", &case]).assert(exit::USAGE, &["the files of x1_mine are", "a Job carries 92 KiB"]);
    fs::write(&file, text.replace("observe: ", "obsrve: ")).unwrap();
    submit(&["--cases", &mine, "--", "run", "c7"]).assert(exit::USAGE, &["case.yaml:", "\"obsrve\""]);
    sandbox.assert_clean();
}

/// What a pod of a printed Job does, in a folder of this machine: until its results can be fetched.
struct Container {
    sandbox: Sandbox,
    folder: PathBuf,
    command: Vec<String>,
    env: Vec<(String, String)>,
}

impl Container {
    fn of(sandbox: Sandbox, printed: &str) -> Self {
        let job: Job = serde_json::from_value(yaml::value(printed).unwrap()).unwrap();
        let pod = job.spec.unwrap().template.spec.unwrap();
        let folder = sandbox.path("work");
        fs::create_dir(&folder).unwrap();
        let container = pod.containers.into_iter().next().unwrap();
        let here = |value: String| value.replace("/work", folder.to_str().unwrap());
        let env = container.env.unwrap_or_default().into_iter();
        // Run directories are where the sandbox looks for what is left.
        let env = env.filter(|variable| variable.name != "TMPDIR");
        Self {
            env: env
                .map(|variable| (variable.name, here(variable.value.unwrap())))
                .collect(),
            command: container.command.unwrap(),
            folder,
            sandbox,
        }
    }

    fn program(&self, command: &[&str]) -> Command {
        let mut program = self.sandbox.command(command);
        program.current_dir(&self.folder).envs(self.env.iter().cloned());
        program
    }

    /// Runs its command to the end, fetches its results as `submit` does, and ends it.
    fn results(&self) -> PathBuf {
        let command: Vec<&str> = self.command.iter().map(String::as_str).collect();
        assert_eq!(command[0], "kubeclash");
        let mut running = self.sandbox.started(self.program(&command[1..]));
        within(Duration::from_secs(180), "the end of a step's command", || {
            running.assert_runs();
            let ended = self.program(&["worker", "ended"]).status().unwrap();
            ended.success().then_some(())
        });
        let fetched = self.program(&["worker", "fetch"]).output().unwrap();
        assert!(fetched.status.success());
        let to = self.sandbox.path("fetched");
        tar::Archive::new(GzDecoder::new(&*fetched.stdout))
            .unpack(&to)
            .unwrap();
        running.signal(Signal::SIGTERM);
        let status = within(Duration::from_secs(60), "the end of a container", || {
            running.child.try_wait().unwrap()
        });
        // Its command had ended: the signal ends what waited for it.
        assert!(status.code().is_some(), "{status}: {}", running.said());
        to
    }
}

/// The digest of the only experiment below a folder, and what it ended with.
fn experiment(folder: &Path) -> (String, String) {
    let [run] = &evidence::runs(folder)[..] else {
        panic!("{:?}", evidence::runs(folder))
    };
    let evidence = evidence::read(run).unwrap();
    let header = evidence.timeline.unwrap().header;
    assert_eq!(header.case, "x1_mine");
    (header.inputs_sha256, evidence.outcome.verdict.to_string())
}

/// The folder is in the Job, and nowhere else where the step runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_case_outside_is_the_same_experiment_in_a_job_as_here() {
    let sandbox = Sandbox::new().await;
    let (mine, case) = outside(&sandbox);
    let submit = ["submit", "--context", "nowhere", "--image", "a:1", "--dry-run"];
    let printed = sandbox.run(&[&submit[..], &["--", "run", &case, "--arm", "broken"]].concat());
    printed.assert(exit::EXPECTED, &[]);
    assert!(!printed.stdout.contains(&mine), "{printed}");
    let here = sandbox.run(&["run", "x1", "--cases", &mine, "--arm", "broken"]);
    here.assert(exit::EXPECTED, &[]);
    let container = Container::of(sandbox, &printed.stdout);
    assert_eq!(
        container.command.join(" "),
        "kubeclash worker run -- run x1_mine --arm broken"
    );
    fs::rename(&mine, container.sandbox.path("elsewhere")).unwrap();
    let results = container.results();
    let sandbox = &container.sandbox;
    assert_eq!(experiment(&results), experiment(&sandbox.path("out")));
    assert_eq!(experiment(&results).1, "reproduced");

    // What came back is as good as that of a built-in case, also where the folder is not.
    let folder = results.display().to_string();
    let ledger = sandbox.path("ledger.jsonl").display().to_string();
    let added = sandbox.run(&["ledger", "add", &folder, "--ledger", &ledger]);
    added.assert(exit::EXPECTED, &["1 of 1 runs added"]);
    let shown = sandbox.run(&["ledger", "show", &ledger]);
    assert!(shown.stdout.contains("x1_mine broken"), "{shown}");
    let html = sandbox.path("report.html");
    let reported = sandbox.run(&["report", &folder, "--html", html.to_str().unwrap()]);
    reported.assert(exit::EXPECTED, &[]);
    let elsewhere = sandbox.path("elsewhere/x1_mine/case.yaml");
    let text = yaml::value(&fs::read_to_string(elsewhere).unwrap()).unwrap();
    let title = text["title"].as_str().unwrap();
    assert!(fs::read_to_string(html).unwrap().contains(title), "{title}");
    let results = sandbox.run(&["results", &folder]);
    assert!(
        results.stdout.contains("| x1_mine | broken | reproduced"),
        "{results}"
    );
    sandbox.assert_clean();
}

/// A hollow kubelet says that a pod is ready and can't run anything in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_gives_no_results_is_named_and_removed() {
    if !local().await {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let cluster = up(None, scratch.path()).await;
    let sandbox = Sandbox::without_components();
    let kubeconfig = cluster.kubeconfig().display().to_string();
    let out = sandbox.path("out").display().to_string();
    let (mine, _) = outside(&sandbox);
    let ended = sandbox.run(&[
        "submit",
        "--kubeconfig",
        &kubeconfig,
        "--context",
        "kubeclash",
        "--image",
        "a:1",
        "--cpu",
        "1",
        "--memory",
        "1Mi",
        "--format",
        "json",
        "--out",
        &out,
        "--cases",
        &mine,
        "--",
        "run",
        "x1",
    ]);
    ended.assert(exit::UNAVAILABLE, &[]);
    let step: Value = serde_json::from_str(&ended.stdout).unwrap();
    let why = step["why"].as_str().unwrap();
    assert!(why.contains("its results could not be fetched"), "{ended}");
    let jobs = Api::<Job>::all(cluster.client().clone());
    assert_eq!(jobs.list(&ListParams::default()).await.unwrap().items.len(), 0);
    let pods = Api::<Pod>::all(cluster.client().clone());
    assert_eq!(pods.list(&ListParams::default()).await.unwrap().items.len(), 0);
    sandbox.assert_clean();
    cluster.cluster.down(true).await;
}

#[tokio::test]
async fn an_image_has_this_program_its_components_and_forks() {
    let sandbox = Sandbox::new().await;
    let fork = sandbox.path("my-scheduler");
    let real = crate::cli_sandbox::binary(kubeclash_components::ComponentName::Scheduler).await;
    write_executable(&fork, &fs::read(real).unwrap());
    let (file, spec) = (sandbox.path("image.tar"), format!("path:{}", fork.display()));
    let to = file.display().to_string();
    let made = sandbox.run(&[
        "image",
        "--tag",
        "me/kubeclash:pr-1",
        "--out",
        &to,
        "--scheduler",
        &spec,
    ]);
    made.assert(exit::EXPECTED, &[]);
    let (mut manifest, mut config, mut paths) = (Value::Null, Value::Null, Vec::new());
    let mut archive = tar::Archive::new(fs::File::open(&file).unwrap());
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        match &*name {
            "manifest.json" => manifest = serde_json::from_reader(entry).unwrap(),
            name if name.ends_with(".json") => config = serde_json::from_reader(entry).unwrap(),
            _ => {
                let mut layer = tar::Archive::new(entry);
                let of_layer = layer
                    .entries()
                    .unwrap()
                    .map(|entry| entry.unwrap().path().unwrap().display().to_string());
                paths.extend(of_layer);
            }
        }
    }
    assert_eq!(manifest[0]["RepoTags"][0], "me/kubeclash:pr-1");
    assert_eq!(config["config"]["User"], "65532:65532");
    let env: Vec<&str> = config["config"]["Env"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let path = "usr/local/lib/kubeclash/kube-scheduler";
    assert!(
        env.contains(&&*format!("KUBECLASH_SCHEDULER=path:/{path}")),
        "{env:?}"
    );
    let has = |end: &str| paths.iter().any(|path| path.ends_with(end));
    for end in [
        "usr/local/bin/kubeclash",
        path,
        "/etcd",
        "/kwok",
        "/descheduler",
        "/kube-apiserver",
        "/entry.json",
        "tmp/",
    ] {
        assert!(has(end), "no {end} in {paths:#?}");
    }
    let refused = sandbox.run(&[
        "image",
        "--tag",
        "a:1",
        "--out",
        &to,
        "--scheduler",
        "image:me/scheduler:1",
    ]);
    refused.assert(exit::USAGE, &["image+extract:REF"]);
}
