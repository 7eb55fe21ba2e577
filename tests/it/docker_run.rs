//! Components as containers: the same verdicts, and nothing left behind. Images are made on the spot.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use kubeclash::exit;
use kubeclash::session::{Session, Settings};
use kubeclash_cluster::Provider;
use kubeclash_components::{Cache, ComponentName, Resolver, Selection};
use kubeclash_host::progress::Progress;
use kubeclash_timeline::Shape;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use testcontainers::bollard::Docker;

use crate::cli_sandbox::{Sandbox, files_below, until};
use crate::component_registry::Registry;
use crate::docker_images::{Foreign, Made, containers_below, containers_of, docker_for, not_run, program};

/// The default scheduler and descheduler, out of the cache.
async fn cached(name: ComponentName) -> PathBuf {
    let resolver = Resolver::new(Cache::open(None).unwrap(), Progress::detect()).unwrap();
    let binaries = resolver.resolve(&Selection::default(), &[name]).await.unwrap();
    binaries[&name].file().unwrap().to_owned()
}

/// As the project publishes it: no `ENTRYPOINT`, and help for who gives no arguments.
async fn descheduler(docker: &Docker) -> Made {
    let binary = cached(ComponentName::Descheduler).await;
    let config = json!({"Cmd": ["/bin/descheduler", "--help"], "User": "1000"});
    Made::of(docker, "descheduler", &[("/bin/descheduler", &binary)], &config).await
}

/// As Kubernetes publishes it: a wrapper that runs its arguments, and the program on the `PATH`.
async fn scheduler(docker: &Docker) -> Made {
    let binary = cached(ComponentName::Scheduler).await;
    let files = [
        ("/go-runner", &*program().await),
        ("/usr/local/bin/kube-scheduler", &*binary),
    ];
    Made::of(
        docker,
        "scheduler",
        &files,
        &json!({"Entrypoint": ["/go-runner"]}),
    )
    .await
}

/// Both arms of c5 and of both variants of c3, by name.
fn outcomes(sandbox: &Sandbox, scheduler: &str, descheduler: &str) -> BTreeMap<String, Value> {
    let ended = sandbox.run(&[
        "run",
        "c3",
        "c5",
        "--jobs",
        "2",
        "--format",
        "json",
        "--scheduler",
        scheduler,
        "--descheduler",
        descheduler,
    ]);
    ended.assert(exit::EXPECTED, &[]);
    let lines = ended.stdout.lines().map(|line| {
        let outcome: Value = serde_json::from_str(line).unwrap();
        let name = format!("{} {} {}", outcome["case"], outcome["arm"], outcome["variant"]);
        (name, outcome)
    });
    lines.collect()
}

#[tokio::test]
async fn the_same_binary_by_path_by_image_and_out_of_it_gives_the_same_verdicts() {
    let Some(docker) = docker_for("scheduler and descheduler by path and by image").await else {
        return;
    };
    let sandbox = Sandbox::new().await;
    let (scheduler_image, descheduler_image) = (scheduler(&docker).await, descheduler(&docker).await);
    let path = async |name| format!("path:{}", cached(name).await.display());
    let by_path = outcomes(
        &sandbox,
        &path(ComponentName::Scheduler).await,
        &path(ComponentName::Descheduler).await,
    );
    let by_image = outcomes(&sandbox, &scheduler_image.spec(), &descheduler_image.spec());

    let verdicts = |outcomes: &BTreeMap<String, Value>| -> BTreeMap<String, Value> {
        let verdict = |(name, outcome): (&String, &Value)| (name.clone(), outcome["verdict"].clone());
        outcomes.iter().map(verdict).collect()
    };
    assert_eq!(verdicts(&by_path), verdicts(&by_image));
    match Registry::up().await {
        Err(why) => not_run("scheduler and descheduler taken out of their images", &why),
        Ok(registry) => {
            let extracted = async |image: &Made, repository: &str| {
                let reference = registry.take(image, repository, "x").await;
                registry.forget(&reference).await;
                format!("image+extract:{reference}")
            };
            let scheduler = extracted(&scheduler_image, "me/kube-scheduler").await;
            let descheduler = extracted(&descheduler_image, "me/descheduler").await;
            let by_extraction = outcomes(&sandbox, &scheduler, &descheduler);
            registry.down().await;
            assert_eq!(verdicts(&by_path), verdicts(&by_extraction));
            let components =
                |outcomes: &BTreeMap<String, Value>| outcomes.values().next().unwrap()["components"].clone();
            for name in ["kube-scheduler", "descheduler"] {
                let (given, taken) = (&components(&by_path)[name], &components(&by_extraction)[name]);
                assert_eq!(given["sha256"], taken["sha256"], "{taken}");
                assert!(
                    taken["origin"].as_str().unwrap().contains(" out of 127.0.0.1:"),
                    "{taken}"
                );
            }
        }
    }
    assert_eq!(by_image.len(), 6, "{:?}", by_image.keys());

    let outcome = by_image.values().next().unwrap();
    for (name, image) in [
        ("kube-scheduler", &scheduler_image),
        ("descheduler", &descheduler_image),
    ] {
        let component = &outcome["components"][name];
        let id = image.inspect(&docker).await.id.unwrap();
        assert_eq!(format!("sha256:{}", component["sha256"].as_str().unwrap()), id);
        let origin = component["origin"].as_str().unwrap();
        assert!(origin.contains(image.reference()), "{origin}");
        let given = &by_path.values().next().unwrap()["components"][name];
        assert_eq!(component["version"], given["version"], "{component}");
    }
    let log = sandbox
        .path("out")
        .join(outcome["evidence"].as_str().unwrap())
        .join("logs/kube-scheduler.log");
    let log = fs::read_to_string(log).unwrap();
    let first = log.lines().next().unwrap();
    assert!(
        first.starts_with("# docker run ") && first.contains(" kube-scheduler --kubeconfig="),
        "{first}"
    );
    assert!(log.lines().count() > 5, "{log}");
    sandbox.assert_clean();
    assert_eq!(containers_below(&docker, &sandbox.tmp()).await, [""; 0]);
}

#[tokio::test]
async fn a_container_that_exits_at_once_is_quoted() {
    let Some(docker) = docker_for("a container that exits at once").await else {
        return;
    };
    let sandbox = Sandbox::new().await;
    let files = [("/fails", &*program().await)];
    let image = Made::of(&docker, "fails", &files, &json!({"Entrypoint": ["/fails"]})).await;
    let ended = sandbox.run(&["run", "c5", "--arm", "broken", "--descheduler", &image.spec()]);
    let words = [
        "\"descheduler\" exited (exit status: 3)",
        "starting\n",
        "no such flag: --descheduling-interval",
    ];
    ended.assert(exit::UNAVAILABLE, &words);
    sandbox.assert_clean();
    assert_eq!(containers_below(&docker, &sandbox.tmp()).await, [""; 0]);
    // A tag stays, as a container's image is the user's.
    assert_eq!(
        image.inspect(&docker).await.repo_tags.unwrap(),
        [image.reference()]
    );
}

#[tokio::test]
async fn an_image_that_cannot_be_run_is_named_with_the_reason() {
    let Some(docker) = docker_for("images that can't be run").await else {
        return;
    };
    let sandbox = Sandbox::without_components();
    let refused = |spec: &str, words: &[&str]| {
        let ended = sandbox.run(&["components", "fetch", "--scheduler", spec, "kube-scheduler"]);
        let named = format!(
            "--scheduler (or KUBECLASH_SCHEDULER): image \"{}\"",
            spec.trim_start_matches("image:")
        );
        ended.assert(exit::UNAVAILABLE, &[&[&*named], words].concat());
    };
    // Nobody listens there, whether or not there is a network.
    refused(
        "image:127.0.0.1:9/no/such:image",
        &["is not there, and can't be pulled", "docker pull"],
    );

    let files = [("/fails", &*program().await)];
    let other = if cfg!(target_arch = "x86_64") {
        "arm64"
    } else {
        "amd64"
    };
    let foreign = Made::for_arch(&docker, "foreign", &files, &json!({}), other).await;
    refused(
        &foreign.spec(),
        &[&format!("is made for linux/{other}, and this machine is")],
    );

    let shell = json!({"Entrypoint": ["/bin/sh", "-c", "/fails"]});
    let shell = Made::of(&docker, "shell", &files, &shell).await;
    refused(&shell.spec(), &["through a shell", "as a list"]);

    let elsewhere = Made::of(
        &docker,
        "elsewhere",
        &files,
        &json!({"Cmd": ["/no/such/program"]}),
    )
    .await;
    refused(&elsewhere.spec(), &["does not start", "/no/such/program"]);
    sandbox.assert_clean();
    assert_eq!(containers_below(&docker, &sandbox.tmp()).await, [""; 0]);
}

#[tokio::test]
async fn an_interruption_takes_the_container_with_it() {
    let Some(docker) = docker_for("an interruption with a container").await else {
        return;
    };
    let sandbox = Sandbox::new().await;
    let image = scheduler(&docker).await;
    let mut running = sandbox.start(&["run", "c7", "--arm", "control", "--scheduler", &image.spec()]);
    sandbox.until_marked(&mut running);
    assert_eq!(
        containers_below(&docker, &sandbox.tmp()).await,
        ["kube-scheduler"]
    );
    running.interrupt();
    assert_eq!(containers_below(&docker, &sandbox.tmp()).await, [""; 0]);
    sandbox.assert_clean();
    image.inspect(&docker).await;
}

#[tokio::test]
async fn an_interruption_takes_a_container_that_is_asked_for_its_version() {
    let Some(docker) = docker_for("an interruption while an image is looked at").await else {
        return;
    };
    let sandbox = Sandbox::without_components();
    let files = [("/sleeps", &*program().await)];
    let image = Made::of(&docker, "silent", &files, &json!({"Entrypoint": ["/sleeps"]})).await;
    let mut running = sandbox.start(&["run", "c5", "--descheduler", &image.spec()]);
    until("a container", || {
        let seen = sandbox.processes();
        seen.values().any(|name| name == "sleeps").then_some(())
    });
    running.interrupt();
    assert_eq!(containers_of(&docker, &image).await, 0);
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_panic_takes_the_container_with_it() {
    let Some(docker) = docker_for("a panic with a container").await else {
        return;
    };
    let image = scheduler(&docker).await;
    let mut settings = Settings::from_environment().unwrap();
    // On kind a panic takes the nodes as well, of which another test tells.
    settings.provider = Provider::Local;
    let spec = image.spec().parse().unwrap();
    settings.selection = settings.selection.with(ComponentName::Scheduler, spec);
    let session = Session::open(settings, &Progress::detect()).await.unwrap();
    let logs = tempfile::tempdir().unwrap();
    let shape = Shape {
        workers: 1,
        worker_cpu: 1,
    };
    let order = session.order(shape, logs.path().to_owned());
    let provider = session.settings().provider;
    assert_eq!(containers_of(&docker, &image).await, 0);
    let cluster = provider.up(order, &|_| ()).await.unwrap();
    assert_eq!(containers_of(&docker, &image).await, 1);
    let panicked = tokio::spawn(async move {
        let _cluster = cluster;
        panic!("on purpose");
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert_eq!(containers_of(&docker, &image).await, 0);
}

#[tokio::test]
async fn what_kill_9_leaves_of_docker_is_swept_and_nothing_else() {
    let Some(docker) = docker_for("a sweep of containers").await else {
        return;
    };
    let sandbox = Sandbox::new().await;
    let files = [("/sleeps", &*program().await)];
    let sleeps = Made::of(&docker, "sleeps", &files, &json!({})).await;
    let foreign = [
        Foreign::start(&docker, &sleeps, None).await,
        Foreign::start(&docker, &sleeps, Some("/elsewhere/kubeclash-0/run-0123")).await,
    ];
    let image = scheduler(&docker).await;
    // At a pace at which it is not over before it is killed, however long a sweep takes on a busy machine.
    let arm = [
        "run",
        "c7",
        "--arm",
        "control",
        "--pace",
        "recorded",
        "--scheduler",
        &image.spec(),
    ];
    for without_directory in [false, true] {
        let mut running = sandbox.start(&arm);
        until("a container", || {
            // The image was asked for its version by a container of its own, before there was a cluster.
            let seen = sandbox.processes();
            let runs = |program: &str| seen.values().any(|name| name.starts_with(program));
            (runs("kube-scheduler") && runs("etcd")).then_some(())
        });
        // A run whose kubeclash is alive is none of a sweep's business.
        let swept = sandbox.run(&["sweep"]);
        assert_eq!(swept.stdout, "nothing was left behind\n");
        running.signal(Signal::SIGKILL);
        running.end();
        if without_directory {
            for file in files_below(&sandbox.tmp()) {
                fs::remove_file(file).unwrap();
            }
            let root = fs::read_dir(sandbox.tmp())
                .unwrap()
                .next()
                .unwrap()
                .unwrap()
                .path();
            fs::remove_dir_all(root).unwrap();
        } else {
            let doctor = sandbox.run(&["doctor"]);
            assert!(doctor.stdout.contains("and 1 containers"), "{doctor}");
        }
        assert_eq!(
            containers_below(&docker, &sandbox.tmp()).await,
            ["kube-scheduler"]
        );
        let swept = sandbox.run(&["sweep"]);
        swept.assert(exit::EXPECTED, &[]);
        assert!(swept.stdout.contains("kube-scheduler (container "), "{swept}");
        assert_eq!(containers_below(&docker, &sandbox.tmp()).await, [""; 0]);
        sandbox.assert_clean();
    }
    for foreign in foreign {
        assert!(
            foreign.lives(&docker).await,
            "a container of somebody else's was removed"
        );
    }
    image.inspect(&docker).await;
}

#[tokio::test]
async fn a_sweep_without_docker_says_what_it_cannot_remove() {
    let sandbox = Sandbox::without_components();
    let run = sandbox
        .tmp()
        .join(format!("kubeclash-{}/run-0123456789ab", nix::unistd::getuid()));
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("containers"), "").unwrap();
    let mut command = sandbox.command(&["sweep"]);
    command.env("DOCKER_HOST", "unix:///no/such/socket");
    let swept = crate::cli_sandbox::ended(command);
    swept.assert(
        exit::ERROR,
        &[
            "containers can't be removed: Docker does not run",
            "/no/such/socket",
        ],
    );
    assert!(run.exists(), "what knows of the containers went");
}

#[tokio::test]
async fn without_docker_an_image_is_refused_with_the_remedy() {
    let sandbox = Sandbox::without_components();
    let silent = sandbox.path("silent.sock");
    // Takes connections, and says nothing.
    let _listener = std::os::unix::net::UnixListener::bind(&silent).unwrap();
    let silent = format!("unix://{}", silent.display());
    for (host, reason) in [
        (
            "unix:///no/such/socket",
            "needs Docker, which does not run: nothing listens at unix:///no/such/socket",
        ),
        (&silent, "does not answer within 5s"),
        (
            "tcp://127.0.0.1:9",
            "needs Docker, which does not run: nothing listens at tcp://127.0.0.1:9",
        ),
        ("carrier-pigeon://x", "URI scheme is not supported"),
    ] {
        let mut command = sandbox.command(&["run", "c5", "--descheduler", "image:me/descheduler:pr-12"]);
        command.env("DOCKER_HOST", host);
        let ended = crate::cli_sandbox::ended(command);
        let named = "--descheduler (or KUBECLASH_DESCHEDULER): image \"me/descheduler:pr-12\"";
        ended.assert(exit::UNAVAILABLE, &[named, reason, "DOCKER_HOST"]);
    }
    sandbox.assert_clean();
}
