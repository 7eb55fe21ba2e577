//! A run leaves its user's things alone: kubeconfigs, home, temporary directory. What it means to leave is evidence.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use kubeclash::exit;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::cli_sandbox::{Sandbox, ended, files_below, until};

/// A server that counts who connects to it.
fn counting_server() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for _ in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, count)
}

#[tokio::test]
async fn a_run_neither_reads_nor_changes_what_is_its_users() {
    let sandbox = Sandbox::new().await;
    let (port, connections) = counting_server();
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: c\n  cluster: {{server: \"http://127.0.0.1:{port}\"}}\n\
         users:\n- name: u\ncontexts:\n- name: c\n  context: {{cluster: c, user: u}}\n"
    );
    let home = sandbox.path("home");
    fs::create_dir(home.join(".kube")).unwrap();
    let config = home.join(".kube/config");
    fs::write(&config, &kubeconfig).unwrap();
    // Whoever opens this waits for ever, and so would the run.
    let pipe = sandbox.path("kubeconfig");
    mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let before = fs::metadata(&config).unwrap();

    // Drains and a descheduler are in it: whatever talks to an API server.
    let mut command = sandbox.command(&["run", "c5", "c6", "--arm", "broken", "--format", "json"]);
    command
        .env("KUBECONFIG", &pipe)
        .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        .env("KUBERNETES_SERVICE_PORT", port.to_string())
        .env("HTTPS_PROXY", format!("http://127.0.0.1:{port}"))
        .env("HTTP_PROXY", format!("http://127.0.0.1:{port}"))
        .env("https_proxy", format!("http://127.0.0.1:{port}"));
    let ran = ended(command);
    ran.assert(exit::EXPECTED, &[]);

    assert_eq!(
        connections.load(Ordering::SeqCst),
        0,
        "it followed a kubeconfig or a proxy"
    );
    let after = fs::metadata(&config).unwrap();
    let times = |m: &fs::Metadata| (m.ino(), m.mtime(), m.mtime_nsec(), m.atime(), m.atime_nsec());
    assert_eq!(times(&before), times(&after));
    assert_eq!(fs::read_to_string(&config).unwrap(), kubeconfig);
    assert_eq!(
        files_below(&home),
        [config],
        "something else is in the home directory"
    );
    sandbox.assert_clean();
    logs_begin_with_command_lines(&sandbox);
}

/// Every component that took part has a log in the evidence, and its command line is the first line.
fn logs_begin_with_command_lines(sandbox: &Sandbox) {
    for timeline in sandbox.timelines() {
        let logs = timeline.parent().unwrap().join("logs");
        let mut names = Vec::new();
        for log in files_below(&logs) {
            let name = log.file_stem().unwrap().to_string_lossy().into_owned();
            // Not what a component says, but what was asked of one; and what was built here was not started.
            if name == "audit" || name.starts_with("build-") {
                continue;
            }
            let text = fs::read_to_string(&log).unwrap();
            let first = text.lines().next().unwrap();
            assert!(
                first.starts_with("# /") && first.contains(&format!("/{name} --")),
                "{name}: {first}"
            );
            names.push(name);
        }
        let mut wanted = vec![
            "etcd",
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kwok",
        ];
        if logs.display().to_string().contains("c5_") {
            wanted.insert(0, "descheduler");
        }
        assert_eq!(names, wanted);
    }
}

#[tokio::test]
async fn two_first_starts_at_once_make_one_starting_point() {
    let sandbox = Sandbox::new().await;
    // A cache with all binaries, and no starting point for clusters; with what a killed first start left of its own.
    let cache = sandbox.path("cache");
    let real = kubeclash_components::Cache::open(None).unwrap();
    fs::create_dir_all(cache.join("seeds/partial/member")).unwrap();
    fs::write(cache.join("seeds/partial/member/half"), "half").unwrap();
    std::os::unix::fs::symlink(real.root().join("components"), cache.join("components")).unwrap();
    let both = Barrier::new(2);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut command = sandbox.command(&["run", "c7", "--arm", "broken"]);
                command.env("KUBECLASH_CACHE", &cache);
                both.wait();
                ended(command).assert(exit::EXPECTED, &[]);
            });
        }
    });
    let names = || {
        let mut names: Vec<String> = fs::read_dir(cache.join("seeds"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(
        names().len(),
        3,
        "one starting point, its digest, the lock: {:?}",
        names()
    );
    assert!(
        names()[0].starts_with("etcd-")
            && names()[1] == format!("{}.sha256", names()[0])
            && names()[2] == "lock",
        "{:?}",
        names()
    );
    assert!(
        files_below(&cache.join("seeds"))
            .iter()
            .all(|path| !path.ends_with("half"))
    );
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_first_start_that_is_killed_is_made_up_for() {
    let sandbox = Sandbox::new().await;
    let cache = sandbox.path("cache");
    let real = kubeclash_components::Cache::open(None).unwrap();
    fs::create_dir(&cache).unwrap();
    std::os::unix::fs::symlink(real.root().join("components"), cache.join("components")).unwrap();
    let command = || {
        let mut command = sandbox.command(&["run", "c7", "--arm", "broken"]);
        command.env("KUBECLASH_CACHE", &cache);
        command
    };
    let mut first = command()
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("the API server of a first start", || {
        (sandbox.processes().len() >= 2).then_some(())
    });
    first.kill().unwrap();
    first.wait().unwrap();
    ended(command()).assert(exit::EXPECTED, &["\"kubeclash sweep\" removes it"]);
    sandbox.run(&["sweep"]).assert(exit::EXPECTED, &[]);
    sandbox.assert_clean();
}
