//! What the tests on real clusters of kind share: one cluster at a time, and what an engine has of runs.
//!
//! They need a node image, which `KUBECLASH_TEST_KIND_IMAGE` names, and say `NOT RUN` where it names none.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use kubeclash_components::{Binary, Cache, ComponentName, Resolver, Selection};
use kubeclash_host::progress::Progress;
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::cli_sandbox::{Ended, Running, Sandbox, not_run};

/// How long a cluster may take until its case is at work, on a machine that has other things to do as well.
pub(crate) const CLUSTER: Duration = Duration::from_secs(300);

/// Clusters of four nodes take memory, CPU and the kernel's watches: there is one at a time.
static ONE: Mutex<()> = Mutex::const_new(());

/// The name of the node image.
pub(crate) fn node_image(what: &str) -> Option<String> {
    let image = std::env::var("KUBECLASH_TEST_KIND_IMAGE").unwrap_or_default();
    if image.is_empty() {
        let why = "KUBECLASH_TEST_KIND_IMAGE names no node image";
        not_run(what, why, "KUBECLASH_REQUIRE_KIND");
        return None;
    }
    Some(image)
}

/// A sandbox whose runs are on kind.
pub(crate) struct KindSandbox {
    sandbox: Sandbox,
    image: String,
    /// Last: the next may begin when nothing is left.
    _one: MutexGuard<'static, ()>,
}

impl Deref for KindSandbox {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl KindSandbox {
    /// For a test that is over without a node image.
    pub(crate) async fn of(what: &str) -> Option<Self> {
        let image = node_image(what)?;
        let one = ONE.lock().await;
        components().await;
        Some(Self {
            sandbox: Sandbox::without_components(),
            image,
            _one: one,
        })
    }

    /// The node image's name.
    pub(crate) fn image(&self) -> &str {
        &self.image
    }

    /// The arguments of a run on kind.
    pub(crate) fn args<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        let on_kind = ["--provider", "kind", "--kind-image", &self.image, "--jobs", "1"];
        [&["run"], args, &on_kind].concat()
    }

    /// Runs cases to their end.
    pub(crate) fn on_kind(&self, args: &[&str]) -> Ended {
        self.run(&self.args(args))
    }

    /// Starts a case.
    pub(crate) fn start_on_kind(&self, args: &[&str]) -> Running {
        self.start(&self.args(args))
    }

    /// What the engine has of this sandbox's runs: `container ID`, `network ID`, `image ID`.
    pub(crate) fn things(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (noun, all) in [
            ("container", Some("--all")),
            ("network", None),
            ("image", Some("--all")),
        ] {
            let list = [noun, "ls", "--quiet", "--filter", "label=kubeclash.run"];
            let ids = docker(&[&list[..], all.as_slice()].concat()).unwrap();
            for id in ids.split_whitespace() {
                // One that has gone since is not there.
                let inspected = docker(&[noun, "inspect", id]).unwrap_or_default();
                let label = format!("\"kubeclash.run\": \"{}/", self.tmp().display());
                if inspected.contains(&label) {
                    found.push(format!("{noun} {id}"));
                }
            }
        }
        found
    }

    /// The containers of this sandbox's runs.
    pub(crate) fn containers(&self) -> Vec<String> {
        let things = self.things();
        let containers = things.iter().filter_map(|thing| thing.strip_prefix("container "));
        containers.map(str::to_owned).collect()
    }

    /// The containers among them that kind has made: nodes.
    pub(crate) fn nodes(&self) -> Vec<String> {
        let list = [
            "ps",
            "--all",
            "--quiet",
            "--filter",
            "label=io.x-k8s.kind.cluster",
        ];
        let of_kind = docker(&list).unwrap();
        let mut containers = self.containers();
        containers.retain(|id| of_kind.split_whitespace().any(|of_kind| of_kind == id));
        containers
    }

    /// That neither machine nor engine has anything of a run.
    #[track_caller]
    pub(crate) fn assert_nothing_left(&self) {
        assert_eq!(self.things(), [""; 0]);
        self.assert_clean();
    }

    /// That nothing comes late either: what an engine was asked for by somebody who is dead by now.
    #[track_caller]
    pub(crate) fn assert_nothing_comes(&self) {
        std::thread::sleep(Duration::from_secs(3));
        self.assert_nothing_left();
    }
}

impl Drop for KindSandbox {
    /// Whatever a failed test left. The processes first, as they could make more of it.
    fn drop(&mut self) {
        for pid in self.processes().into_keys() {
            let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
        for thing in self.things() {
            let words: Vec<&str> = thing.split(' ').collect();
            let force: &[&str] = match words[0] {
                "network" => &[],
                "container" => &["--force", "--volumes"],
                _ => &["--force", "--no-prune"],
            };
            let _ = docker(&[&[words[0], "rm"], force, &words[1..]].concat());
        }
    }
}

/// What these tests need and comes in no node image; built once a test program where it is not in the cache yet, as
/// that must not look like a command that hangs.
async fn components() -> &'static BTreeMap<ComponentName, Binary> {
    static THERE: OnceCell<BTreeMap<ComponentName, Binary>> = OnceCell::const_new();
    let fetch = || async {
        let names = [
            ComponentName::Kind,
            ComponentName::Descheduler,
            ComponentName::Scheduler,
            ComponentName::Burn,
            ComponentName::MetricsServer,
        ];
        let resolver = Resolver::new(Cache::open(None).unwrap(), Progress::detect()).unwrap();
        resolver.resolve(&Selection::default(), &names).await.unwrap()
    };
    THERE.get_or_init(fetch).await
}

/// The file of one of them.
pub(crate) async fn cached(name: ComponentName) -> PathBuf {
    components().await[&name].file().unwrap().to_owned()
}

/// The command, as kind uses it.
pub(crate) fn docker(args: &[&str]) -> Result<String, String> {
    let output = Command::new("docker")
        .args(args)
        .output()
        .map_err(|e| e.to_string())?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(said(&output.stdout)),
        false => Err(said(&output.stderr)),
    }
}

/// One JSON object a line.
pub(crate) fn outcomes(ended: &Ended) -> Vec<Value> {
    ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
