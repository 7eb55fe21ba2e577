//! Runs that begin, end, die and are swept, at the same time.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;
use crate::run_dir::{RunDir, described};

fn temp() -> (tempfile::TempDir, PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join("kubeclash");
    (temp, root)
}

/// What a SIGKILL leaves of a run: its directory, and no lock.
fn killed(root: &Path) -> PathBuf {
    let run = RunDir::create_in(root).unwrap();
    let killed = root.join(run.path().file_name().unwrap());
    let copy = root.join("run-killed");
    fs::create_dir(&copy).unwrap();
    let dead = Registered {
        name: "kubeclash".into(),
        pid: std::process::id(),
        start_time: 1,
    };
    fs::write(copy.join(OWNER), serde_json::to_vec(&dead).unwrap()).unwrap();
    fs::copy(killed.join(PROCESSES), copy.join(PROCESSES)).unwrap();
    copy
}

/// A process that does nothing, ended when the test is.
struct Idle(Child);

impl Idle {
    fn start(run: Option<&Path>) -> Self {
        let mut command = Command::new("sleep");
        command.arg("600").process_group(0);
        if let Some(run) = run {
            command.env(RUN_VARIABLE, run);
        }
        Self(command.spawn().unwrap())
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_run_and_what_is_around_it_is_its_users_alone() {
    let (_temp, root) = temp();
    fs::create_dir(&root).unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
    let run = RunDir::create_in(&root).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&root), mode(run.path())), (0o700, 0o700));
    for file in [OWNER, PROCESSES] {
        assert_eq!(mode(&run.path().join(file)), 0o600, "{file}");
    }
}

#[test]
fn a_root_that_somebody_else_put_there_is_refused() {
    let (temp, root) = temp();
    fs::create_dir(temp.path().join("theirs")).unwrap();
    std::os::unix::fs::symlink(temp.path().join("theirs"), &root).unwrap();
    let error = RunDir::create_in(&root).unwrap_err().to_string();
    assert!(
        error.contains("belongs to somebody else") && error.contains("TMPDIR"),
        "{error}"
    );
}

#[test]
fn the_last_run_takes_the_root_with_it() {
    let (_temp, root) = temp();
    let (first, second) = (
        RunDir::create_in(&root).unwrap(),
        RunDir::create_in(&root).unwrap(),
    );
    drop(first);
    assert!(second.path().is_dir());
    drop(second);
    assert!(!root.exists());
}

#[test]
fn a_kept_run_stays_and_is_told_from_a_killed_one() {
    let (_temp, root) = temp();
    let mut run = RunDir::create_in(&root).unwrap();
    run.keep();
    let path = run.path().to_owned();
    drop(run);
    // Its owner, this process, still lives; the record alone says so now.
    fs::write(path.join(OWNER), "").unwrap();
    let found = leftovers_in(&root);
    assert_eq!(found.len(), 1);
    assert!(found[0].kept && found[0].run == path);
    sweep(&found[0]).unwrap();
    assert!(!root.exists());
}

#[test]
fn runs_that_begin_and_end_side_by_side_do_not_disturb_each_other() {
    let (_temp, root) = temp();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let run = RunDir::create_in(&root).unwrap();
                    assert!(run.path().join(OWNER).is_file());
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..20 {
                assert_eq!(leftovers_in(&root), [], "a live run was taken for a leftover");
            }
        });
    });
    assert!(!root.exists());
}

#[test]
fn a_live_run_is_no_leftover_whatever_its_record_says() {
    let (_temp, root) = temp();
    let run = RunDir::create_in(&root).unwrap();
    for record in ["", "{\"name\":", r#"{"name":"kubeclash","pid":1,"start_time":1}"#] {
        fs::write(run.path().join(OWNER), record).unwrap();
        assert_eq!(leftovers_in(&root), [], "{record}");
    }
}

#[test]
fn a_garbled_or_missing_record_without_a_lock_is_a_leftover() {
    let (_temp, root) = temp();
    for (name, record) in [
        ("run-empty", Some("")),
        ("run-half", Some("{\"name\":\"kub")),
        ("run-none", None),
    ] {
        fs::create_dir_all(root.join(name)).unwrap();
        if let Some(record) = record {
            fs::write(root.join(name).join(OWNER), record).unwrap();
        }
    }
    fs::create_dir(root.join("not-a-run")).unwrap();
    let found: Vec<PathBuf> = leftovers_in(&root).into_iter().map(|l| l.run).collect();
    assert_eq!(
        found,
        ["run-empty", "run-half", "run-none"].map(|name| root.join(name))
    );
}

#[test]
fn a_process_is_known_by_its_mark_and_by_id_with_start_time_only() {
    let (_temp, root) = temp();
    let run = killed(&root);
    let (mut marked, mut registered) = (Idle::start(Some(&run)), Idle::start(None));
    let (mut foreign, mut reused) = (Idle::start(None), Idle::start(None));
    let record = |name: &str, idle: &Idle, later: u64| {
        let mut record = described(name, idle.0.id());
        record.start_time += later;
        serde_json::to_string(&record).unwrap()
    };
    // The last is as if the id had been given to somebody else since.
    let records = [
        record("etcd", &registered, 0),
        "half a li".to_owned(),
        record("etcd", &reused, 3600),
    ];
    fs::write(run.join(PROCESSES), records.join("\n")).unwrap();
    let found = leftovers_in(&root);
    assert_eq!(found.len(), 1, "{found:?}");
    let mut pids: Vec<u32> = found[0].processes.iter().map(|(_, pid)| *pid).collect();
    pids.sort_unstable();
    let mut wanted = [marked.0.id(), registered.0.id()];
    wanted.sort_unstable();
    assert_eq!(pids, wanted);
    sweep(&found[0]).unwrap();
    assert!(!marked.lives() && !registered.lives());
    assert!(foreign.lives() && reused.lives());
    assert!(!root.exists());
}

#[test]
fn a_process_that_outlived_its_directory_is_found() {
    let (_temp, root) = temp();
    let mut orphan = Idle::start(Some(&root.join("run-gone")));
    let mut elsewhere = Idle::start(Some(&root.join("deeper/run-gone")));
    let found = leftovers_in(&root);
    assert_eq!(found.len(), 1, "{found:?}");
    sweep(&found[0]).unwrap();
    assert!(!orphan.lives() && elsewhere.lives());
}

#[test]
fn a_run_on_kind_says_which_engine_has_its_cluster() {
    let (_temp, root) = temp();
    let run = RunDir::create_in(&root).unwrap();
    run.register_engine(Engine::Podman.as_str()).unwrap();
    let registered = run.path().join(KIND);
    assert_eq!(fs::read_to_string(&registered).unwrap(), "podman");
    assert_eq!(fs::metadata(registered).unwrap().mode() & 0o777, 0o600);
}
