//! Controllers that cases bring, and programs in their place: from a checkout, a public module and an image.

use std::fs;
use std::path::{Path, PathBuf};

use kubeclash::exit;
use serde_json::{Value, json};

use crate::cli_sandbox::{Ended, Sandbox};
use crate::conformance_controllers::build_keeper;
use crate::docker_images::{Made, docker_for};

/// What keeps a deployment's replicas.
fn keeper() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/keeper")
}

/// A case in which the keeper fights with an autoscaler, in a folder of the sandbox.
fn case(sandbox: &Sandbox, id: &str, run: &str) -> String {
    let folder = sandbox.path(id);
    fs::create_dir(&folder).unwrap();
    let step5 = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cases/step5");
    for file in ["10-web.yaml", "20-hpa.yaml"] {
        fs::copy(step5.join(file), folder.join(file)).unwrap();
    }
    let text = format!(
        "format: kubeclash.case/v1
id: {id}
title: A keeper and an autoscaler set the same replicas.
conflict: [keeper, horizontal-pod-autoscaler]
mechanism: Each puts right what the other has done.
expected-runtime: 5m
arms:
  broken: {{kept: 2, replicas: 1}}
  control: {{kept: 3, replicas: 1, fix: as many replicas as the autoscaler wants}}
controllers:
  - name: keeper
    run: '{run}'
    args: ['-replicas=${{kept}}', '-every=200ms', '-listen=127.0.0.1:${{port}}']
    ready: ':${{port}}/healthz'
steps:
  - apply: [10-web.yaml, 20-hpa.yaml]
  - wait: {{deployment/web: {{wanted: 3}}}}
    within: 120s
  - mark: settled
  - start: keeper
  - observe: 120s
failure:
  rests: violated
  as: replica-oscillation
  of: deployment/web
  since: settled
  by: [keeper, horizontal-pod-autoscaler]
  at-least: 3 rounds
"
    );
    fs::write(folder.join("case.yaml"), text).unwrap();
    folder.display().to_string()
}

/// Runs the command with what Go has built before: a sandbox's home has nothing of it.
fn run(sandbox: &Sandbox, args: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = sandbox.command(args);
    let asked = std::process::Command::new("go")
        .args(["env", "-json"])
        .output()
        .unwrap();
    let go: Value = serde_json::from_slice(&asked.stdout).unwrap();
    for name in [
        "GOCACHE",
        "GOMODCACHE",
        "GOPROXY",
        "GOSUMDB",
        "GOFLAGS",
        "GOTOOLCHAIN",
    ] {
        command.env(name, go[name].as_str().unwrap_or_default());
    }
    command.envs(variables.iter().copied());
    crate::cli_sandbox::ended(command)
}

/// What is said of each arm, the broken one first.
fn outcomes(ended: &Ended) -> Vec<Value> {
    let lines = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let mut outcomes: Vec<Value> = lines.collect();
    outcomes.sort_by_key(|outcome| outcome["arm"].to_string());
    outcomes
}

/// That both arms ended as they should, and that the controller was seen in the broken one.
fn fought(ended: &Ended, controller: &str) -> Value {
    ended.assert(exit::EXPECTED, &[]);
    let outcomes = outcomes(ended);
    let verdicts: Vec<&Value> = outcomes.iter().map(|outcome| &outcome["verdict"]).collect();
    assert_eq!(verdicts, ["reproduced", "absent"], "{ended}");
    let attribution = outcomes[0]["attribution"].to_string();
    assert!(
        attribution.contains(&format!("\"{controller}\"")),
        "{attribution}"
    );
    outcomes[0]["components"][controller].clone()
}

#[tokio::test]
async fn a_controller_is_built_of_a_checkout_and_another_takes_its_place() {
    let sandbox = Sandbox::new().await;
    let source = format!("src:{}", keeper().display());
    let folder = case(&sandbox, "x1", &source);
    let built = run(&sandbox, &["run", &folder, "--format", "json"], &[]);
    let component = fought(&built, "keeper");
    assert!(
        component["origin"].as_str().unwrap().contains("fixtures/keeper"),
        "{component}"
    );
    assert!(
        built
            .stderr
            .contains(&format!("x1 brings a program, which is run: keeper ({source})")),
        "{built}"
    );

    // Another program in its place, which ends at once.
    let crashes = sandbox.program("crashes", "#!/bin/sh\necho 'it is another one'\nexit 7\n");
    let with = format!("keeper={crashes}");
    let other = sandbox.run(&["run", &folder, "--arm", "broken", "--with", &with]);
    other.assert(exit::UNAVAILABLE, &["\"keeper\" exited", "it is another one"]);
    assert!(
        other.stderr.contains(&format!(
            "x1 brings a program: keeper ({source}); {crashes} takes its place and is run"
        )),
        "{other}"
    );

    // Nobody looks at what the case brings where another program takes its place.
    let folder = case(&sandbox, "x2", "path:./none");
    let with = format!("keeper={source}");
    let args = ["run", &folder, "--arm", "broken", "--format", "json"];
    let given = run(&sandbox, &args, &[("KUBECLASH_WITH", &with)]);
    given.assert(exit::EXPECTED, &[]);
    let ran = &outcomes(&given)[0]["components"]["keeper"];
    assert_eq!(ran["sha256"], component["sha256"]);
    let missing = sandbox.run(&["run", &folder, "--with", "keeper=path:/no/such/file"]);
    missing.assert(
        exit::UNAVAILABLE,
        &["--with (or KUBECLASH_WITH): \"/no/such/file\" does not exist"],
    );
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_controller_runs_as_a_container() {
    let Some(docker) = docker_for("a case's controller as a container").await else {
        return;
    };
    let sandbox = Sandbox::new().await;
    let program = sandbox.path("keeper");
    build_keeper(&program);
    let image = Made::of(
        &docker,
        "keeper",
        &[("/keeper", &program)],
        &json!({"Entrypoint": ["/keeper"], "User": "1000"}),
    )
    .await;
    let folder = case(&sandbox, "x1", &image.spec());
    let component = fought(&sandbox.run(&["run", &folder, "--format", "json"]), "keeper");
    let id = image.inspect(&docker).await.id.unwrap();
    assert_eq!(format!("sha256:{}", component["sha256"].as_str().unwrap()), id);
    assert!(
        component["origin"].as_str().unwrap().contains(image.reference()),
        "{component}"
    );
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_controller_of_a_public_module_fights_as_the_documents_tell() {
    let sandbox = Sandbox::new().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cases/operator");
    let ended = run(
        &sandbox,
        &["run", folder.to_str().unwrap(), "--format", "json"],
        &[],
    );
    let component = fought(&ended, "sample-controller");
    assert_eq!(component["version"], "v0.36.3");
    assert!(
        component["origin"]
            .as_str()
            .unwrap()
            .contains("k8s.io/sample-controller@v0.36.3"),
        "{component}"
    );
    sandbox.assert_clean();
}

#[test]
fn a_program_takes_the_place_of_a_controller_that_a_case_brings_and_of_none_else() {
    let sandbox = Sandbox::without_components();
    let folder = case(&sandbox, "x1", "path:./keeper");
    let refused = |args: &[&str], told: &[&str]| sandbox.run(args).assert(exit::USAGE, told);
    let unknown = [
        "--with (or KUBECLASH_WITH): \"keper\" is no controller of the cases that are run (did you mean \"keeper\"?)",
        "they bring keeper",
    ];
    refused(&["run", &folder, "c7", "--with", "keper=src:."], &unknown);
    refused(
        &[
            "bisect",
            "--versions",
            "v1.35.0,v1.36.0",
            "--good",
            "v1.35.0",
            "--bad",
            "v1.36.0",
            "--case",
            &folder,
            "--with",
            "keper=src:.",
        ],
        &unknown,
    );
    refused(&["compare", "a:", "b:with=keper=src:.", &folder], &unknown);
    refused(&["matrix", &folder, "--spec", "b:with=keper=src:."], &unknown);
    refused(
        &["run", "c7", "--with", "keeper=src:."],
        &["\"keeper\" is no controller", "they bring none"],
    );
    refused(
        &["load", "--with", "keeper=src:."],
        &["\"keeper\" is no controller", "they bring none"],
    );
    refused(
        &[
            "run",
            &folder,
            "--with",
            "keeper=src:.",
            "--with",
            "keeper=src:..",
        ],
        &["\"keeper\" is given twice"],
    );
    refused(
        &["run", &folder, "--with", "src:."],
        &["\"src:.\" is no controller and its program: write NAME=SPEC"],
    );
    refused(
        &["run", &folder, "--with", "keeper=v1.2.3"],
        &["of what nobody knows"],
    );
    refused(
        &["compare", "a:", "b:with=keeper=src:.,with=keeper=src:..", &folder],
        &["\"keeper\" is given twice"],
    );
    // A job of a case that brings none has none in another's place.
    let listed = sandbox.run(&[
        "matrix",
        &folder,
        "c7",
        "--cases",
        &folder,
        "--arm",
        "broken",
        "--spec",
        "b:with=keeper=src:.",
    ]);
    listed.assert(exit::EXPECTED, &[]);
    let with: Vec<bool> = listed
        .stdout
        .lines()
        .map(|line| line.ends_with("--with keeper=src:."))
        .collect();
    assert_eq!(with.iter().filter(|with| **with).count(), 1, "{listed}");
    assert_eq!(with.len(), 2, "{listed}");
}
