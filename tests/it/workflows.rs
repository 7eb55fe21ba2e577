//! What users' CI runs: the shell steps of the composite action and of the reusable workflow, as they are written there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kubeclash_host::yaml;
use serde_json::Value;

use crate::cli_sandbox::Ended;
use crate::workflow_runner::{Runner, read, root, shell_steps, step, text};

/// The action, with inputs; the ends of its steps, in order.
async fn action(given: &[(&str, &str)]) -> (Runner, Vec<Ended>) {
    let action = read("action.yml");
    let mut runner = Runner::new(&action["inputs"], given).await;
    let folder = runner.sandbox.path("home");
    let steps = shell_steps(&action["runs"]["steps"]);
    let ends = steps.iter().map(|step| runner.run(step, &folder)).collect();
    (runner, ends)
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_kubeclash");

#[tokio::test(flavor = "multi_thread")]
async fn the_action_and_the_workflow_report_what_was_expected() {
    let (runner, ends) = action(&[("binary", PROGRAM), ("cases", "c7"), ("args", "--jobs 2")]).await;
    for end in &ends {
        assert_eq!(end.code, Some(0), "{end:?}");
    }
    assert_eq!(runner.output("steps.run.outputs.code"), "0");
    let summary = runner.summary();
    assert!(summary.contains("c7_taint_recreate_loop"), "{summary}");
    let out = PathBuf::from(runner.output("steps.run.outputs.out"));
    for file in ["summary.md", "junit.xml", "report.html", "evidence"] {
        assert!(out.join(file).exists(), "no {file}");
    }
    // The reusable workflow's last job makes one report of all parts.
    let workflow = read(".github/workflows/regression.yml");
    let inputs = &workflow["on"]["workflow_call"]["inputs"];
    let mut runner = Runner::new(inputs, &[("cases", "c7"), ("shards", "2")]).await;
    let folder = runner.sandbox.path("home");
    fs::create_dir_all(folder.join("parts")).unwrap();
    // As the artifact is unpacked.
    fs::rename(&out, folder.join("parts/kubeclash-part-0")).unwrap();
    fs::copy(PROGRAM, folder.join("kubeclash")).unwrap();
    fs::create_dir(folder.join("caller")).unwrap();
    let plan = shell_steps(&workflow["jobs"]["build"]["steps"]);
    let plan = plan.iter().find(|step| step["id"] == "plan").unwrap();
    let end = runner.run(plan, &folder);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(runner.output("steps.plan.outputs.shards"), r#"["1/2","2/2"]"#);
    for step in shell_steps(&workflow["jobs"]["report"]["steps"]) {
        let end = runner.run(&step, &folder);
        assert_eq!(end.code, Some(0), "{end:?}");
    }
    assert!(runner.summary().contains("c7_taint_recreate_loop"));
    assert!(folder.join("report/report.html").exists() && folder.join("report/junit.xml").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_action_fails_with_its_report_where_a_verdict_differs() {
    let dir = tempfile::tempdir().unwrap();
    let expect = dir.path().join("expect.yaml");
    fs::write(
        &expect,
        "- {case: c7, arm: broken, verdict: absent, reason: this build refuses such pods}\n",
    )
    .unwrap();
    let given = [
        ("binary", PROGRAM),
        ("cases", "c7"),
        ("arm", "broken"),
        ("expect", expect.to_str().unwrap()),
    ];
    let (runner, ends) = action(&given).await;
    let codes: Vec<_> = ends.iter().map(|end| end.code).collect();
    // Only the step that runs the cases: what follows it runs all the same.
    assert_eq!(codes, [Some(0), Some(0), Some(0), Some(3), Some(0)], "{ends:?}");
    assert_eq!(runner.output("steps.run.outputs.code"), "3");
    assert!(runner.summary().contains("returned"), "{}", runner.summary());
}

/// In the project's own CI the program has been built by the quick start; here it is built where it has not.
#[tokio::test(flavor = "multi_thread")]
async fn the_action_builds_its_own_program() {
    let action = read("action.yml");
    let mut runner = Runner::new(&action["inputs"], &[]).await;
    let steps = shell_steps(&action["runs"]["steps"]);
    // Without a repository that it would be the action of there is no release.
    for id in ["place", "released", "build"] {
        let step = steps.iter().find(|step| step["id"] == id).unwrap();
        let end = runner.run(step, root());
        assert_eq!(end.code, Some(0), "{end:?}");
    }
    let sources = runner.output("steps.place.outputs.sources");
    assert_eq!(sources.len(), 16);
    let built = runner.output("steps.build.outputs.binary");
    assert!(
        built.ends_with(&format!("kubeclash-{sources}/kubeclash")),
        "{built}"
    );
    // It knows what was written last.
    let help = Command::new(built).args(["report", "--help"]).output().unwrap();
    assert!(help.status.success() && !help.stdout.is_empty(), "{help:?}");
}

/// The sweep's own steps, with a program that is there.
async fn sweep(given: &[(&str, &str)]) -> (Runner, PathBuf) {
    let workflow = read(".github/workflows/sweep.yml");
    let mut runner = Runner::new(&workflow["on"]["workflow_call"]["inputs"], given).await;
    let folder = runner.sandbox.path("home");
    std::os::unix::fs::symlink(PROGRAM, folder.join("kubeclash")).unwrap();
    let list = step(&workflow, "list", "List");
    let end = runner.run(&list, &folder);
    assert_eq!(end.code, Some(0), "{end}");
    (runner, folder)
}

fn jobs(runner: &Runner) -> Vec<Value> {
    let jobs: Value = serde_json::from_str(runner.output("steps.list.outputs.jobs")).unwrap();
    jobs["include"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_lists_runs_and_merges() {
    let workflow = read(".github/workflows/sweep.yml");
    let given = [("matrix", "c7 --arm broken --spec 'mine:scheduler=v1.36.3'")];
    let (mut runner, folder) = sweep(&given).await;
    assert_eq!(runner.output("steps.list.outputs.some"), "true");
    let [job] = &jobs(&runner)[..] else {
        panic!("{:?}", jobs(&runner))
    };
    let command = job["command"].as_str().unwrap().to_owned();
    runner.context.insert("matrix.command".to_owned(), command);
    for (of, name) in [("run", "Run"), ("merge", "Merge")] {
        let end = runner.run(&step(&workflow, of, name), &folder);
        assert_eq!(end.code, Some(0), "{end}");
    }
    let summary = runner.summary();
    assert!(summary.contains("c7_taint_recreate_loop"), "{summary}");
    let ledger = fs::read_to_string(folder.join("ledger.jsonl")).unwrap();
    assert_eq!(ledger.lines().count(), 1, "{ledger}");
    assert!(folder.join("report.html").is_file());
}

/// Folders of cases are those of the calling repository, wherever a step runs.
#[tokio::test(flavor = "multi_thread")]
async fn cases_of_the_calling_repository_are_found() {
    let mine = |folder: &Path| {
        let case = folder.join("cases/x1_mine").display().to_string();
        let made = Command::new(PROGRAM)
            .args(["case", "new", "x1", "--out", &case])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    };
    let given = [("case-dirs", "cases"), ("matrix", "x1 --arm broken")];
    let workflow = read(".github/workflows/sweep.yml");
    let mut runner = Runner::new(&workflow["on"]["workflow_call"]["inputs"], &given).await;
    let folder = runner.sandbox.path("home");
    std::os::unix::fs::symlink(PROGRAM, folder.join("kubeclash")).unwrap();
    mine(&folder.join("caller"));
    let end = runner.run(&step(&workflow, "list", "List"), &folder);
    assert_eq!(end.code, Some(0), "{end}");
    let command = text(&jobs(&runner)[0]["command"]);
    assert_eq!(command, "run x1_mine --arm broken --cases cases");
    runner.context.insert("matrix.command".to_owned(), command);
    for (of, name) in [("run", "Run"), ("merge", "Merge")] {
        let end = runner.run(&step(&workflow, of, name), &folder);
        assert_eq!(end.code, Some(0), "{end}");
    }
    assert!(runner.summary().contains("x1_mine"), "{}", runner.summary());

    let workflow = read(".github/workflows/regression.yml");
    let inputs = &workflow["on"]["workflow_call"]["inputs"];
    let mut runner = Runner::new(inputs, &[("cases", "x1"), ("case-dirs", "cases")]).await;
    let folder = runner.sandbox.path("home");
    std::os::unix::fs::symlink(PROGRAM, folder.join("kubeclash")).unwrap();
    mine(&folder.join("caller"));
    let end = runner.run(&step(&workflow, "build", "Plan"), &folder);
    assert_eq!(end.code, Some(0), "{end}");
    assert!(end.stdout.contains("run x1_mine"), "{end}");

    let action = read("action.yml");
    let given = [
        ("binary", PROGRAM),
        ("cases", "x1"),
        ("case-dirs", "cases"),
        ("arm", "broken"),
    ];
    let mut runner = Runner::new(&action["inputs"], &given).await;
    let folder = runner.sandbox.path("home");
    mine(&folder);
    for step in shell_steps(&action["runs"]["steps"]) {
        let end = runner.run(&step, &folder);
        assert_eq!(end.code, Some(0), "{end}");
    }
    assert!(runner.summary().contains("x1_mine"), "{}", runner.summary());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_of_a_search_says_what_the_next_one_asks_or_where_it_ended() {
    let workflow = read(".github/workflows/sweep.yml");
    let search = "--versions v1.34.4,v1.35.4,v1.36.3 --bad v1.34.4 --good v1.36.3 --case c1";
    let (mut runner, folder) = sweep(&[("bisect", search), ("machines", "2")]).await;
    let asked: Vec<String> = jobs(&runner).iter().map(|job| text(&job["build"])).collect();
    assert_eq!(asked, ["v1.34.4", "v1.36.3"]);
    let merge = step(&workflow, "merge", "Merge");
    let mut answered = |builds: &[(&str, &str)]| {
        for (build, verdict) in builds {
            let of_job = folder.join("evidence").join(build);
            fs::create_dir_all(&of_job).unwrap();
            let line = |run: u8| {
                let question = "bisect: c1_cpu_spike_overscale broken, fast pace, local";
                format!(
                    "{}\n",
                    serde_json::json!({"build": build, "question": question, "verdict": verdict, "title": run.to_string()})
                )
            };
            fs::write(of_job.join("ledger.jsonl"), (1..=3).map(line).collect::<String>()).unwrap();
        }
        let end = runner.run(&merge, &folder);
        assert_eq!(end.code, Some(0), "{end}");
        runner.summary()
    };
    let summary = answered(&[("v1.34.4", "red"), ("v1.36.3", "green")]);
    assert!(
        summary.contains("The next round asks") && summary.contains("--only v1.35.4"),
        "{summary}"
    );
    let summary = answered(&[("v1.35.4", "green")]);
    assert!(summary.contains("the first good build is v1.35.4"), "{summary}");
    // Nothing is left to ask.
    let end = runner.run(&step(&workflow, "list", "List"), &folder);
    assert_eq!(end.code, Some(0), "{end}");
    assert_eq!(runner.output("steps.list.outputs.some"), "false");
}

/// An expression in a script is text that somebody else may have written, run as a script.
#[test]
fn no_script_of_a_workflow_has_an_expression_in_it() {
    let mut scripts = shell_steps(&read("action.yml")["runs"]["steps"]);
    for entry in fs::read_dir(root().join(".github/workflows")).unwrap() {
        let path = entry.unwrap().path();
        let workflow = yaml::value(&fs::read_to_string(&path).unwrap()).unwrap();
        for job in workflow["jobs"].as_object().unwrap().values() {
            scripts.extend(shell_steps(&job["steps"]));
        }
    }
    assert!(scripts.len() > 15, "{}", scripts.len());
    for step in scripts {
        let script = step["run"].as_str().unwrap();
        assert!(!script.contains("${{"), "{script}");
    }
}

#[test]
fn the_live_workflow_leaves_out_what_kind_can_t_run() {
    let live = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows/live.yml"),
    )
    .unwrap();
    let left_out: std::collections::BTreeSet<&str> = live
        .lines()
        .filter_map(|line| line.strip_prefix("            case: "))
        .collect();
    let builtin = kubeclash::cases::Library::builtin();
    let local = builtin.iter().filter(|case| case.local_only());
    assert_eq!(left_out, local.map(|case| case.folder()).collect());
}
