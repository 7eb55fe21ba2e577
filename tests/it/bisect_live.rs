//! A search over the commits of a repository, on real clusters: the right commit among some that can't be built and one
//! whose runs don't agree, over the searching program's death.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use kubeclash::exit;
use kubeclash::ledger::Ledger;
use kubeclash_components::ComponentName;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::cli_sandbox::{Sandbox, binary, within};

/// How long two runs may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// How many commits there are, and which is the first that ignores nodeFit, counted from 1.
const COMMITS: usize = 14;
const BAD: usize = 10;

/// Those that can't be built: among those that are asked.
const UNBUILDABLE: [usize; 2] = [11, 12];

/// Whose runs don't agree.
const FLAKY: usize = 8;

fn git(repo: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(repo)
        .args(["-c", "user.name=A", "-c", "user.email=a@example.org"])
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A repository of deschedulers: each commit has a script around the real one.
async fn repository(sandbox: &Sandbox) -> String {
    let repo = sandbox.path("repo");
    fs::create_dir(&repo).unwrap();
    git(&repo, &["init", "--quiet"]);
    let real = binary(ComponentName::Descheduler).await;
    let spoil = "for arg in \"$@\"; do case \"$arg\" in --policy-config-file=*) \
                 sed -i 's/nodeFit: true/nodeFit: false/' \"${arg#*=}\";; esac; done\n";
    for commit in 1..=COMMITS {
        let spoiled = match commit {
            // Every other time that it is given a policy: the first build that is asked after the ends.
            FLAKY => format!(
                "case \"$*\" in *--policy-config-file=*) if [ -e {0} ]; then rm {0}; {spoil}else touch {0}; fi;; esac\n",
                sandbox.path("toggle").display()
            ),
            BAD.. => spoil.to_owned(),
            _ => String::new(),
        };
        let script = format!("#!/bin/sh\n{spoiled}exec {} \"$@\"\n", real.display());
        fs::write(repo.join("descheduler"), script).unwrap();
        // These two can't be built.
        let builds = if UNBUILDABLE.contains(&commit) {
            "no"
        } else {
            "yes"
        };
        fs::write(repo.join("builds"), builds).unwrap();
        fs::write(repo.join("number"), commit.to_string()).unwrap();
        git(&repo, &["add", "--all"]);
        git(
            &repo,
            &["commit", "--quiet", "--message", &format!("change {commit}")],
        );
    }
    repo.display().to_string()
}

#[tokio::test]
async fn the_bad_commit_is_found_over_a_kill_9() {
    let sandbox = Sandbox::new().await;
    let repo = repository(&sandbox).await;
    let of = |commit: usize| format!("HEAD~{}", COMMITS - commit);
    let (good, bad) = (of(1), of(COMMITS));
    let build = "grep -q yes builds && cp descheduler \"$KUBECLASH_OUT\" && chmod +x \"$KUBECLASH_OUT\"";
    let args = [
        "bisect",
        "--repo",
        &repo,
        "--good",
        &good,
        "--bad",
        &bad,
        "--component",
        "descheduler",
        "--build",
        build,
        "--case",
        "c5",
        "--arm",
        "control",
        // Two that agree: what is tested is the search.
        "--error",
        "0.05",
        "--most",
        "4",
    ];
    let ledger = sandbox.path("out/ledger.jsonl");
    let mut running = sandbox.start(&args);
    within(PATIENCE, "two runs in the ledger", || {
        running.assert_runs();
        let text = fs::read_to_string(&ledger).ok()?;
        (text.lines().count() >= 2).then_some(())
    });
    running.signal(Signal::SIGKILL);
    assert_eq!(running.end().code(), None);
    sandbox.run(&["sweep"]).assert(exit::EXPECTED, &[]);
    let before = Ledger::read(&ledger).unwrap().entries;

    let status = git(Path::new(&repo), &["status", "--porcelain"]);
    let head = git(Path::new(&repo), &["rev-parse", "HEAD"]);
    let ended = sandbox.run(&args);
    ended.assert(
        exit::EXPECTED,
        &[&format!("{} runs of this search are in", before.len())],
    );
    let first = git(Path::new(&repo), &["rev-parse", &of(BAD)]);
    assert!(
        ended.stdout.starts_with(&format!(
            "the first bad build is {} change {BAD} (A)",
            &first[..10]
        )),
        "{ended}"
    );

    // Nothing that was known was asked again.
    let after = Ledger::read(&ledger).unwrap().entries;
    assert_eq!(after[..before.len()], before);
    let report: Value =
        serde_json::from_str(&fs::read_to_string(sandbox.path("out/bisect/bisect.json")).unwrap()).unwrap();
    let answers: Vec<&str> = report["builds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["answer"].as_str().unwrap())
        .collect();
    assert_eq!((answers[0], answers[COMMITS - 1]), ("good", "bad"), "{answers:?}");
    assert_eq!(
        (answers[BAD - 2], answers[BAD - 1]),
        ("good", "bad"),
        "{answers:?}"
    );
    assert_eq!(answers[FLAKY - 1], "flaky", "{answers:?}");
    assert!(
        UNBUILDABLE
            .iter()
            .all(|commit| answers[commit - 1] == "unbuildable"),
        "{answers:?}"
    );
    let page = fs::read_to_string(sandbox.path("out/bisect/bisect.md")).unwrap();
    assert!(
        page.contains("### Evidence") && page.contains("change 10 (A)"),
        "{page}"
    );
    // git takes it from here.
    let log = sandbox.path("out/bisect/bisect.log").display().to_string();
    let mut inside = fs::read_dir(sandbox.path("out/bisect"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let copy = inside.find(|path| path.join(".git").exists()).unwrap();
    git(&copy, &["bisect", "replay", &log]);
    assert_eq!(git(&copy, &["rev-parse", "bisect/bad"]), first);
    // The user's own checkout is as it was.
    assert_eq!(git(Path::new(&repo), &["status", "--porcelain"]), status);
    assert_eq!(git(Path::new(&repo), &["rev-parse", "HEAD"]), head);
    sandbox.assert_clean();
}

#[tokio::test]
async fn what_can_t_be_searched_is_told_before_anything_runs() {
    let sandbox = Sandbox::without_components();
    let repo = sandbox.path("repo");
    fs::create_dir(&repo).unwrap();
    git(&repo, &["init", "--quiet"]);
    git(
        &repo,
        &["commit", "--quiet", "--allow-empty", "--message", "only"],
    );
    let repo = repo.display().to_string();
    for (args, told) in [
        (
            vec!["--repo", &repo, "--good", "HEAD", "--bad", "nowhere"],
            "has no commit \"nowhere\"",
        ),
        (
            vec!["--repo", &repo, "--good", "HEAD", "--bad", "HEAD"],
            "is no ancestor of",
        ),
        (
            vec![
                "--versions",
                "v1.30.14,v1.36.3",
                "--good",
                "v1.30.14",
                "--bad",
                "v1.31.0",
            ],
            "is none of --versions",
        ),
        (
            vec![
                "--versions",
                "v1.30.14,v1.36.3",
                "--good",
                "v1.30.14",
                "--bad",
                "v1.30.14",
            ],
            "are the same build",
        ),
        (
            vec![
                "--versions",
                "v1.30.14,v1.36.3",
                "--good",
                "v1.30.14",
                "--bad",
                "v1.36.3",
                "--rarely",
                "0.95",
            ],
            "--rarely must be less than --mostly",
        ),
        (vec!["--good", "a", "--bad", "b"], "--versions"),
    ] {
        let all: Vec<&str> = [&["bisect", "--case", "c5"], &args[..]].concat();
        sandbox.run(&all).assert(exit::USAGE, &[told]);
    }
}
