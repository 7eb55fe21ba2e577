//! Forks that crash, hang, do nothing, or never stop talking: a run ends in time and says who did what, and nothing is
//! left behind.

use std::fs;

use kubeclash::exit;
use kubeclash_components::ComponentName;
use rstest::rstest;

use crate::cli_sandbox::{Ended, Sandbox, binary, files_below};

/// A fork whose heart is the real component: started, then `misbehaves` has the word, with its id in `$pid`.
async fn fork(sandbox: &Sandbox, name: ComponentName, misbehaves: &str) -> String {
    let real = binary(name).await;
    let real = real.display();
    let script = format!(
        "#!/bin/sh\ncase \"$1\" in version|--version) exec {real} \"$@\";; esac\n{real} \"$@\" &\npid=$!\n{misbehaves}\nwait $pid\n"
    );
    sandbox.program("fork", &script)
}

/// Waits, as a fork, until a timeline has something.
fn until_seen(sandbox: &Sandbox, what: &str) -> String {
    format!(
        "until grep -qrF '{what}' {}; do sleep 0.1; done",
        sandbox.path("out").display()
    )
}

fn run(sandbox: &Sandbox, case: &str, arm: &str, flag: &str, fork: &str) -> Ended {
    sandbox.run(&["run", case, "--arm", arm, flag, fork, "--format", "json"])
}

/// Hangs, as a descheduler, after the first cycle of each start; its log, which all starts share, is where its errors
/// go.
const HANG: &str = "log=$(readlink /proc/$$/fd/2)\nbefore=$(wc -l < $log)\n\
    until tail -n +$((before + 1)) $log | grep -q 'Number of evict'; do sleep 0.1; done\nkill -STOP $pid";

/// The times of a run's entries that contain something, in seconds.
fn times(sandbox: &Sandbox, what: &str) -> Vec<f64> {
    let timeline = fs::read_to_string(&sandbox.timelines()[0]).unwrap();
    let entries = timeline.lines().skip(1).filter(|line| line.contains(what));
    entries
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["t_ms"]
                .as_f64()
                .unwrap()
                / 1e3
        })
        .collect()
}

#[tokio::test]
async fn one_that_crashes_in_the_middle_is_noticed_at_once_and_quoted() {
    let sandbox = Sandbox::new().await;
    let crash = format!(
        "{}\necho 'panic: out of luck' >&2\nkill -9 $pid\nexit 2",
        until_seen(&sandbox, "\"cycle\"")
    );
    let fork = fork(&sandbox, ComponentName::Descheduler, &crash).await;
    let ended = run(&sandbox, "c5", "control", "--descheduler", &fork);
    ended.assert(
        exit::UNAVAILABLE,
        &["\"descheduler\" exited (exit status: 2)", "panic: out of luck"],
    );
    let (first, last) = (
        times(&sandbox, "\"cycle\"")[0],
        *times(&sandbox, "").last().unwrap(),
    );
    assert!(
        last - first < 3.0,
        "noticed {:.1} s after its first cycle",
        last - first
    );
    sandbox.assert_clean();
}

#[rstest]
#[case::of_a_loop("c5")]
#[case::of_a_cure("c6")]
#[tokio::test]
async fn a_descheduler_that_hangs_is_not_one_with_nothing_to_do(#[case] case: &str) {
    let sandbox = Sandbox::new().await;
    let fork = fork(&sandbox, ComponentName::Descheduler, HANG).await;
    let ended = run(&sandbox, case, "control", "--descheduler", &fork);
    ended.assert(exit::INCONCLUSIVE, &[]);
    assert!(ended.stdout.contains("the descheduler "), "{ended}");
    assert!(ended.stdout.contains("it hangs, or is stuck in one"), "{ended}");
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_scheduler_that_hangs_in_the_window_leaves_no_verdict() {
    let sandbox = Sandbox::new().await;
    let hang = format!(
        "{}\nkill -STOP $pid",
        until_seen(&sandbox, "\"mark\":\"descheduler\"")
    );
    let fork = fork(&sandbox, ComponentName::Scheduler, &hang).await;
    let ended = run(&sandbox, "c5", "control", "--scheduler", &fork);
    ended.assert(exit::INCONCLUSIVE, &[]);
    assert!(ended.stdout.contains("kube-scheduler hung at the end"), "{ended}");
    sandbox.assert_clean();
}

/// Healthy, and deaf: the real scheduler, for pods that name another one.
const DEAF: &str = "kill $pid\nfor arg; do case $arg in --kubeconfig=*) kubeconfig=${arg#*=};; esac; done\n\
    printf 'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nclientConnection: {kubeconfig: %s}\n\
    leaderElection: {leaderElect: false}\nprofiles: [{schedulerName: nobody}]\n' \"$kubeconfig\" > $TMPDIR/deaf.yaml\n";

#[tokio::test]
async fn a_scheduler_that_is_healthy_and_does_nothing_is_named() {
    let sandbox = Sandbox::new().await;
    let real = binary(ComponentName::Scheduler).await;
    let deaf = format!("{DEAF}exec {} \"$@\" --config=$TMPDIR/deaf.yaml", real.display());
    let fork = fork(&sandbox, ComponentName::Scheduler, &deaf).await;
    for (case, arm) in [("c5", "broken"), ("c7", "control")] {
        let ended = run(&sandbox, case, arm, "--scheduler", &fork);
        ended.assert(exit::INCONCLUSIVE, &[]);
        // Lines are broken where they are full.
        let said: Vec<&str> = ended.stdout.split_whitespace().collect();
        let said = said.join(" ");
        assert!(
            said.contains("kube-scheduler neither bound nor refused"),
            "{ended}"
        );
    }
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_second_scheduler_that_does_nothing_is_named() {
    let sandbox = Sandbox::new().await;
    let real = binary(ComponentName::Scheduler).await;
    let deaf = format!("{DEAF}exec {} \"$@\" --config=$TMPDIR/deaf.yaml", real.display());
    let fork = fork(&sandbox, ComponentName::Scheduler, &deaf).await;
    let args = [
        "run",
        "c7",
        "--arm",
        "control",
        "--scheduler",
        &fork,
        "--scheduler-name",
        "mine",
        "--format",
        "json",
    ];
    let ended = sandbox.run(&args);
    ended.assert(exit::INCONCLUSIVE, &[]);
    assert!(
        ended.stdout.contains("mine\\\" neither bound nor refused any"),
        "{ended}"
    );
    sandbox.assert_clean();
}

/// Healthy, and lazy: the real controller-manager, with one controller of many.
const LAZY: &str = "kill $pid\nfor arg; do shift; case $arg in --controllers=*) arg=--controllers=nodelifecycle;; esac\n\
    set -- \"$@\" \"$arg\"; done\n";

#[tokio::test]
async fn a_controller_manager_that_is_healthy_and_does_nothing_is_named() {
    let sandbox = Sandbox::new().await;
    let real = binary(ComponentName::ControllerManager).await;
    let lazy = format!("{LAZY}exec {} \"$@\"", real.display());
    let fork = fork(&sandbox, ComponentName::ControllerManager, &lazy).await;
    let ended = run(&sandbox, "c5", "broken", "--controller-manager", &fork);
    ended.assert(exit::INCONCLUSIVE, &[]);
    let words = "kube-controller-manager made no ReplicaSet of deployment";
    // Lines are broken where they are full.
    let said: Vec<&str> = ended.stdout.split_whitespace().collect();
    assert!(said.join(" ").contains(words), "{ended}");
    sandbox.assert_clean();
}

#[tokio::test]
async fn one_that_logs_100_mb_and_ignores_sigterm_fills_no_disk_and_is_gone() {
    let sandbox = Sandbox::new().await;
    let talk = "trap '' TERM INT HUP\nyes 'I have so much to say, and nobody stops me' | head -c 100000000\necho that was all";
    let fork = fork(&sandbox, ComponentName::Scheduler, talk).await;
    run(&sandbox, "c7", "control", "--scheduler", &fork).assert(exit::EXPECTED, &[]);
    let log = files_below(&sandbox.path("out"))
        .into_iter()
        .find(|file| file.ends_with("kube-scheduler.log"))
        .unwrap();
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.len() <= 16 << 20, "{} bytes", text.len());
    assert!(text.starts_with("# "), "its command line is lost");
    assert!(
        text.contains(" MiB are left out here\n") && text.contains("that was all"),
        "its end is lost"
    );
    sandbox.assert_clean();
}
