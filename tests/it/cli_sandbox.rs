//! The command in a world of its own: temporary directory, home, evidence; components come from the user's cache.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use kubeclash_components::{Binary, Cache, ComponentName, Resolver, Selection};
use kubeclash_host::progress::Progress;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// How long anything may take that a warm cache makes fast, on a machine that has other things to do as well.
const PATIENCE: Duration = Duration::from_secs(60);

/// Gets what clusters are made of, once a test program: a cold cache must not look like a command that hangs.
pub(crate) async fn components() -> &'static BTreeMap<ComponentName, Binary> {
    static THERE: OnceCell<BTreeMap<ComponentName, Binary>> = OnceCell::const_new();
    let fetch = || async {
        let resolver = Resolver::new(Cache::open(None).unwrap(), Progress::detect()).unwrap();
        resolver
            .resolve(&Selection::default(), &ComponentName::ALL)
            .await
            .unwrap()
    };
    THERE.get_or_init(fetch).await
}

/// Tells everybody that a test was not run, though it passes: libtest swallows only what `println!` and its like say.
///
/// With the variable `require` set to 1 the test fails instead.
pub(crate) fn not_run(what: &str, why: &str, require: &str) {
    use std::io::Write;
    let text = format!("NOT RUN: {what}: {why}");
    let required = std::env::var_os(require).is_some_and(|value| value == "1");
    assert!(!required, "{text} (and {require}=1)");
    let mut stderr = std::io::stderr();
    writeln!(stderr, "\n{text}").unwrap();
}

/// The real component.
pub(crate) async fn binary(name: ComponentName) -> PathBuf {
    components().await[&name].file().unwrap().to_owned()
}

/// Looks until there is something to see; what is looked at here (processes, other processes' files) can't be
/// watched.
pub(crate) fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look)
}

/// The same for what takes its time.
pub(crate) fn within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(start.elapsed() < patience, "waited {patience:?} for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Directories that nobody else uses, removed in the end.
pub(crate) struct Sandbox {
    dir: TempDir,
}

impl Sandbox {
    pub(crate) async fn new() -> Self {
        components().await;
        Self::without_components()
    }

    /// For commands that need none.
    pub(crate) fn without_components() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["tmp", "home", "out"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where run directories are.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.path("tmp")
    }

    /// Writes an executable file, and gives `path:FILE`.
    pub(crate) fn program(&self, name: &str, script: &str) -> String {
        let path = self.path(name);
        crate::component_site::write_executable(&path, script.as_bytes());
        format!("path:{}", path.display())
    }

    /// The command, with nothing of the caller's environment that could change what it does.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.with(Command::new(env!("CARGO_BIN_EXE_kubeclash")), args)
    }

    /// Another program, in the same world.
    pub(crate) fn with(&self, mut command: Command, args: &[&str]) -> Command {
        let cache = Cache::open(None).unwrap();
        command
            .args(args)
            .env_clear()
            .envs(
                std::env::vars_os()
                    .filter(|(key, _)| ["PATH", "LANG", "DOCKER_HOST"].map(Into::into).contains(key)),
            )
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.tmp())
            .env("KUBECLASH_CACHE", cache.root())
            .env("KUBECLASH_OUT", self.path("out"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            // Ctrl-C at the test must not reach it before the test has had its say.
            .process_group(0);
        command
    }

    /// Runs the command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        ended(self.command(args))
    }

    /// Starts the command, and lets it run.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        self.started(self.command(args))
    }

    /// The same for a command that was told more.
    pub(crate) fn started(&self, mut command: Command) -> Running {
        let out = self.path("stdout");
        let err = self.path("stderr");
        command
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap());
        Running {
            child: command.spawn().unwrap(),
            out,
            err,
        }
    }

    /// Every timeline that was begun.
    pub(crate) fn timelines(&self) -> Vec<PathBuf> {
        files_below(&self.path("out"))
            .into_iter()
            .filter(|path| path.ends_with("timeline.jsonl"))
            .collect()
    }

    /// Waits until a run is in the middle of its experiment.
    pub(crate) fn until_marked(&self, running: &mut Running) -> PathBuf {
        self.marked_within(PATIENCE, running)
    }

    /// The same where a cluster takes its time.
    pub(crate) fn marked_within(&self, patience: Duration, running: &mut Running) -> PathBuf {
        within(patience, "a mark on a timeline", || {
            running.assert_runs();
            self.timelines()
                .into_iter()
                .find(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("\"mark\"")))
        })
    }

    /// The processes that carry a run directory of this sandbox in their environment: id and name.
    pub(crate) fn processes(&self) -> BTreeMap<u32, String> {
        let mut system = System::new();
        let what = ProcessRefreshKind::nothing()
            .with_environ(UpdateKind::Always)
            .without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
        let mine = format!("KUBECLASH_RUN={}", self.tmp().display());
        let marked = system.processes().iter().filter(|(_, process)| {
            process.status() != sysinfo::ProcessStatus::Zombie
                && process
                    .environ()
                    .iter()
                    .any(|variable| variable.to_string_lossy().starts_with(&mine))
        });
        marked
            .map(|(pid, process)| (pid.as_u32(), process.name().to_string_lossy().into_owned()))
            .collect()
    }

    /// That there is no process, no file and no directory of any run.
    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.processes(), BTreeMap::new());
        assert_eq!(files_below(&self.tmp()), Vec::<PathBuf>::new());
        assert_eq!(
            fs::read_dir(self.tmp()).unwrap().count(),
            0,
            "an empty directory is left"
        );
    }
}

impl Drop for Sandbox {
    /// Whatever a failed test left.
    fn drop(&mut self) {
        for pid in self.processes().into_keys() {
            let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
        }
    }
}

pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files_below(&entry.path())),
            _ => found.push(entry.path()),
        }
    }
    found.sort();
    found
}

/// A command that runs; killed when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// That it has not ended.
    pub(crate) fn assert_runs(&mut self) {
        let status = self.child.try_wait().unwrap();
        assert_eq!(status, None, "it ended: {}", self.said());
    }

    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(&self.err).unwrap_or_default()
    }

    /// All that it said so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default() + &self.stderr()
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ended(&mut self) -> Ended {
        let status = self.child.wait().unwrap();
        Ended {
            code: status.code(),
            stdout: fs::read_to_string(&self.out).unwrap(),
            stderr: self.stderr(),
        }
    }

    /// Interrupts it, and waits for the end that it owes then.
    #[track_caller]
    pub(crate) fn interrupt(&mut self) {
        self.signal(Signal::SIGINT);
        let code = Some(kubeclash::exit::INTERRUPTED.into());
        assert_eq!(self.end().code(), code, "{}", self.said());
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        until("the command's end", || self.child.try_wait().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// That it ended with `code`, and said all of `words` on standard error.
    #[track_caller]
    pub(crate) fn assert(&self, code: u8, words: &[&str]) {
        assert_eq!(self.code, Some(code.into()), "{self}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in\n{self}");
        }
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "exit code {:?}, standard output:", self.code)?;
        writeln!(f, "{}\nstandard error:\n{}", self.stdout, self.stderr)
    }
}

pub(crate) fn ended(mut command: Command) -> Ended {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    Ended {
        code: status.code(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}
