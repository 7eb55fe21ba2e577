//! However the command ends, nothing of it stays: signals, kill -9 with a sweep, a reader that goes away.

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kubeclash::exit;
use nix::sys::signal::Signal;
use rstest::rstest;

use crate::cli_sandbox::{Sandbox, ended, until};

/// Watches for 6 s at least: long enough to be in the middle of something.
const ARM: [&str; 4] = ["run", "c7", "--arm", "control"];

/// A process of somebody else that is called like one of ours.
struct Foreign(Child);

impl Foreign {
    fn start(sandbox: &Sandbox) -> Self {
        let sleep = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|dir| dir.join("sleep"))
            .find(|path| path.is_file())
            .unwrap();
        let namesake = sandbox.path("kube-apiserver");
        fs::copy(sleep, &namesake).unwrap();
        Self(
            Command::new(namesake)
                .arg("600")
                .process_group(0)
                .spawn()
                .unwrap(),
        )
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[rstest]
#[case::ctrl_c(Signal::SIGINT)]
#[case::sigterm(Signal::SIGTERM)]
#[case::a_closed_terminal(Signal::SIGHUP)]
#[tokio::test]
async fn an_interruption_takes_everything_with_it(#[case] signal: Signal) {
    let sandbox = Sandbox::new().await;
    let mut running = sandbox.start(&ARM);
    sandbox.until_marked(&mut running);
    assert!(sandbox.processes().len() >= 5, "{:?}", sandbox.processes());
    let start = Instant::now();
    running.signal(signal);
    let status = running.end();
    let took = start.elapsed();
    assert_eq!(
        status.code(),
        Some(exit::INTERRUPTED.into()),
        "{status}: {}",
        running.said()
    );
    sandbox.assert_clean();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(
        running.stderr().contains("interrupted: tearing everything down"),
        "{}",
        running.said()
    );
}

#[tokio::test]
async fn an_interruption_in_the_middle_of_a_start_leaves_nothing() {
    let sandbox = Sandbox::new().await;
    for component in ["etcd", "kube-apiserver", "kube-scheduler"] {
        let mut running = sandbox.start(&ARM);
        until("a component", || {
            // The kernel keeps 15 bytes of a name.
            let running = sandbox.processes();
            running
                .values()
                .any(|name| component.starts_with(&**name) || name.starts_with(component))
                .then_some(())
        });
        running.interrupt();
        sandbox.assert_clean();
    }
}

#[tokio::test]
async fn a_second_interruption_ends_at_once_and_a_sweep_finds_the_rest() {
    let sandbox = Sandbox::new().await;
    let mut running = sandbox.start(&ARM);
    sandbox.until_marked(&mut running);
    // Nothing can be torn down while it stands still, so that both arrive before anything is.
    running.signal(Signal::SIGSTOP);
    running.signal(Signal::SIGINT);
    running.signal(Signal::SIGTERM);
    running.signal(Signal::SIGCONT);
    assert_eq!(
        running.end().code(),
        Some(exit::INTERRUPTED.into()),
        "{}",
        running.said()
    );
    let swept = sandbox.run(&["sweep"]);
    swept.assert(exit::EXPECTED, &[]);
    sandbox.assert_clean();
}

#[tokio::test]
async fn what_kill_9_leaves_is_swept_and_nothing_else() {
    let sandbox = Sandbox::new().await;
    let mut foreign = Foreign::start(&sandbox);
    let mut running = sandbox.start(&ARM);
    let timeline = sandbox.until_marked(&mut running);

    // A run whose kubeclash is alive is none of a sweep's business.
    let swept = sandbox.run(&["sweep"]);
    swept.assert(exit::EXPECTED, &[]);
    assert_eq!(swept.stdout, "nothing was left behind\n");
    assert!(sandbox.processes().len() >= 5);

    running.signal(Signal::SIGKILL);
    assert_eq!(running.end().signal(), Some(9));
    let left = sandbox.processes();
    assert!(left.len() >= 5, "what is there to sweep? {left:?}");

    let doctor = sandbox.run(&["doctor"]);
    assert!(
        doctor.stdout.contains("kubeclash sweep"),
        "no hint at leftovers: {doctor}"
    );
    let next = sandbox.run(&["run", "c7", "--arm", "broken"]);
    next.assert(exit::EXPECTED, &["\"kubeclash sweep\" removes it"]);

    let dry = sandbox.run(&["sweep", "--dry-run"]);
    dry.assert(exit::EXPECTED, &[]);
    for name in [
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kwok",
    ] {
        assert!(dry.stdout.contains(&format!("{name} (")), "no {name} in {dry}");
    }
    assert_eq!(sandbox.processes(), left, "a dry run killed something");

    let swept = sandbox.run(&["sweep"]);
    swept.assert(exit::EXPECTED, &[]);
    assert!(swept.stdout.starts_with("removing "), "{swept}");
    sandbox.assert_clean();
    assert!(
        foreign.lives(),
        "a process of somebody else was killed for its name"
    );

    // What was recorded up to the kill can be read.
    let replayed = sandbox.run(&["replay", &timeline.display().to_string()]);
    replayed.assert(exit::INCONCLUSIVE, &[]);
    assert!(replayed.stdout.contains("the run was killed"), "{replayed}");
    // The judge has its word on a broken arm as soon as the failure was complete.
    assert!(replayed.stdout.contains("inconclusive"), "{replayed}");
}

#[tokio::test]
async fn kill_9_in_the_middle_of_a_start_is_swept() {
    let sandbox = Sandbox::new().await;
    let mut running = sandbox.start(&ARM);
    until("a first process", || {
        (!sandbox.processes().is_empty()).then_some(())
    });
    running.signal(Signal::SIGKILL);
    running.end();
    sandbox.run(&["sweep"]).assert(exit::EXPECTED, &[]);
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_reader_that_goes_away_stops_nothing() {
    let sandbox = Sandbox::new().await;
    let mut command = sandbox.command(&["run", "c7", "--arm", "broken"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let status = until("the command's end", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(exit::EXPECTED.into()), "{status}");
    sandbox.assert_clean();
}

#[test]
fn a_sweep_of_nothing_makes_nothing() {
    let sandbox = Sandbox::without_components();
    let swept = ended(sandbox.command(&["sweep"]));
    swept.assert(exit::EXPECTED, &[]);
    assert_eq!(swept.stdout, "nothing was left behind\n");
    sandbox.assert_clean();
}
