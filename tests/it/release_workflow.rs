//! The steps of release.yml as they are written there, and those of the workflows that take what it has released.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli_sandbox::Ended;
use crate::release_checkout::{Checkout, VERSION, static_program};
use crate::release_publish::whole;
use crate::workflow_runner::{Runner, read, root, shell_steps, step};

/// Runs steps of a job of a workflow in a checkout, by their names, with what stands for expressions; the checkout's
/// machine goes into the runner.
fn steps_of(
    checkout: Checkout,
    (workflow, job): (&str, &str),
    context: &[(&str, &str)],
    names: &[&str],
) -> (Runner, Vec<Ended>) {
    let workflow = read(&format!(".github/workflows/{workflow}"));
    let (tree, env) = (checkout.tree(), checkout.env());
    let mut runner = Runner::within(checkout.sandbox, &json!({}), &[]);
    runner.env = env;
    for (name, value) in context {
        runner.context.insert((*name).to_owned(), (*value).to_owned());
    }
    let set = workflow["jobs"][job]["env"].as_object();
    for (name, value) in set.into_iter().flatten() {
        let value = runner.expand(value.as_str().unwrap());
        runner.env.insert(name.clone(), value.into());
    }
    let mut ends = Vec::new();
    for name in names {
        let end = runner.run(&step(&workflow, job, name), &tree);
        assert_eq!(end.code, Some(0), "{name}: {end}");
        ends.push(end);
    }
    (runner, ends)
}

fn calls(runner: &Runner) -> Vec<String> {
    let calls = fs::read_to_string(runner.sandbox.path("calls")).unwrap_or_default();
    calls.lines().map(str::to_owned).collect()
}

#[test]
fn every_script_is_called_where_it_is_and_can_be() {
    let mut called = BTreeSet::new();
    let mut look = |text: &str| {
        for rest in text.split(".github/scripts/").skip(1) {
            let name: String = rest
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                .collect();
            called.insert(name);
        }
    };
    look(&fs::read_to_string(root().join("action.yml")).unwrap());
    for entry in fs::read_dir(root().join(".github/workflows")).unwrap() {
        look(&fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    let mut there = BTreeSet::new();
    for entry in fs::read_dir(root().join(".github/scripts")).unwrap() {
        let entry = entry.unwrap();
        if entry.metadata().unwrap().permissions().mode() & 0o111 == 0o111 {
            there.insert(entry.file_name().into_string().unwrap());
        }
    }
    assert_eq!(called, there);
}

/// What a dry run does not do is publish, and nothing else writes anywhere.
#[test]
fn only_a_tag_publishes_and_only_what_publishes_may_write() {
    let workflow = read(".github/workflows/release.yml");
    let jobs = workflow["jobs"].as_object().unwrap();
    let mut publishing = Vec::new();
    for (name, job) in jobs {
        let writes = job["permissions"].to_string().contains("write");
        let steps = shell_steps(&job["steps"]);
        let publishes = steps
            .iter()
            .any(|step| step["run"].as_str().unwrap().contains("scripts/publish-"));
        assert_eq!(writes, publishes, "{name}");
        if publishes {
            publishing.push(name.as_str());
            assert_eq!(job["if"], "github.event_name == 'push'", "{name}");
            assert_eq!(job["environment"], "release", "{name}");
        }
    }
    assert_eq!(publishing, ["publish", "image", "crates"]);
    assert_eq!(workflow["on"]["push"], json!({"tags": ["v*"]}));
    // Nobody else's event starts it, and it asks for no secret.
    let events: Vec<&String> = workflow["on"].as_object().unwrap().keys().collect();
    assert_eq!(events, ["push", "workflow_dispatch"]);
    assert!(!workflow.to_string().contains("secrets."));
}

#[test]
fn a_program_is_built_for_its_target_and_packed() {
    let checkout = Checkout::new();
    let program = static_program(
        &checkout.sandbox.path("out"),
        "program",
        &format!("kubeclash {VERSION}"),
    );
    checkout.tool("rustup", "");
    let build = format!(
        "mkdir -p target/$6/release && cp {} target/$6/release/kubeclash",
        program.display()
    );
    checkout.tool("cargo", &build);
    let context = [
        ("matrix.target", "x86_64-unknown-linux-musl"),
        ("needs.check.outputs.sources", "abc"),
    ];
    let (runner, _) = steps_of(checkout, ("release.yml", "program"), &context, &["Build", "Pack"]);
    let archive = format!("tmp/release/kubeclash-v{VERSION}-x86_64-unknown-linux-musl.tar.gz");
    assert!(runner.sandbox.path(&archive).is_file());
    let built = "cargo +stable build --release --locked --target x86_64-unknown-linux-musl";
    assert!(
        calls(&runner).iter().any(|call| call == built),
        "{:?}",
        calls(&runner)
    );
}

/// A program as the job before has packed it, which notes how it is called.
fn packed_program(checkout: &Checkout) {
    let script = "#!/bin/bash\necho \"kubeclash $*\" >> \"$CALLS\"\n";
    fs::create_dir(checkout.sandbox.path("kubeclash-v1-x")).unwrap();
    checkout.sandbox.program("kubeclash-v1-x/kubeclash", script);
    fs::create_dir_all(checkout.tree().join("program")).unwrap();
    let made = std::process::Command::new("tar")
        .arg("-C")
        .arg(checkout.sandbox.path(""))
        .arg("-czf")
        .arg(checkout.tree().join("program/kubeclash-v1-x.tar.gz"))
        .arg("kubeclash-v1-x")
        .status();
    assert!(made.unwrap().success());
}

#[test]
fn components_are_packed_by_the_released_program_and_a_case_is_run_in_their_image() {
    let checkout = Checkout::new();
    packed_program(&checkout);
    // What it does with them is tested by itself.
    checkout.sandbox.program(
        "home/kubeclash/.github/scripts/pack-components",
        "#!/bin/bash\n\"$1\" image \"$2\"; mkdir -p \"$3\"; echo image | gzip > \"$3/kubeclash-v1-image-linux-amd64.tar.gz\"\n",
    );
    checkout.tool("docker", "[[ $1 != load ]] || cat \"$3\" >> \"$CALLS\"");
    let context = [
        ("needs.check.outputs.image", "ghcr.io/mine/kubeclash"),
        ("needs.check.outputs.version", VERSION),
    ];
    let names = ["Build and pack", "A case in the image, without a network"];
    let (runner, _) = steps_of(checkout, ("release.yml", "components"), &context, &names);
    let image = format!("ghcr.io/mine/kubeclash:{VERSION}");
    let wanted = [
        format!("kubeclash image {image}"),
        "docker load --input image.tar".to_owned(),
        "image".to_owned(),
        format!("docker run --rm --network none {image} run c7 --out /tmp/evidence"),
    ];
    assert_eq!(calls(&runner), wanted);
}

#[test]
fn a_release_ends_with_its_checksums_in_the_summary() {
    let checkout = Checkout::new();
    let files = whole(&checkout);
    let (runner, _) = steps_of(checkout, ("release.yml", "release"), &[], &["Checksums"]);
    for file in files {
        assert!(
            runner.summary().contains(&format!("  {file}\n")),
            "{}",
            runner.summary()
        );
    }
}

/// The steps of the two workflows that others call.
#[test]
fn the_workflows_take_the_released_program_and_build_where_there_is_none() {
    let of = |workflow: &str, job: &str, binary: Option<&str>| {
        let checkout = Checkout::new();
        checkout.tool("rustup", "");
        checkout.tool(
            "cargo",
            "mkdir -p target/release && echo built > target/release/kubeclash",
        );
        let takes = match binary {
            Some(binary) => {
                checkout.write(binary, "released");
                format!("#!/bin/bash\necho \"$REPOSITORY\"; echo binary={binary} >> \"$GITHUB_OUTPUT\"\n")
            }
            None => "#!/bin/bash\necho \"$REPOSITORY\"\n".to_owned(),
        };
        checkout
            .sandbox
            .program("home/kubeclash/.github/scripts/take-release", &takes);
        let context = [("job.workflow_repository", "mine/kubeclash")];
        let names = ["Take the released kubeclash", "Build it where there is none"];
        let (runner, ends) = steps_of(checkout, (workflow, job), &context, &names);
        assert_eq!(ends[0].stdout, "mine/kubeclash\n");
        let program = runner.sandbox.path("home/kubeclash/kubeclash");
        assert!(executable(&program));
        (fs::read_to_string(program).unwrap(), calls(&runner))
    };
    for (workflow, job) in [("regression.yml", "build"), ("sweep.yml", "list")] {
        assert_eq!(
            of(workflow, job, Some("there/kubeclash")),
            ("released".to_owned(), Vec::new())
        );
        let (program, calls) = of(workflow, job, None);
        assert_eq!(program, "built\n");
        assert!(
            calls
                .iter()
                .any(|call| call == "cargo +stable build --release --locked"),
            "{calls:?}"
        );
    }
}

fn executable(file: &Path) -> bool {
    fs::metadata(file).unwrap().permissions().mode() & 0o100 != 0
}

/// A step says by its condition what the next one needs.
#[test]
fn the_action_caches_what_it_builds_and_nothing_else() {
    let action = read("action.yml");
    let steps = action["runs"]["steps"].as_array().unwrap();
    let builds = |step: &&Value| {
        step["with"]["key"]
            .as_str()
            .is_some_and(|key| key.starts_with("kubeclash-${{ runner.os"))
    };
    let cache = steps.iter().find(builds).unwrap();
    assert_eq!(
        cache["if"],
        "inputs.binary == '' && steps.released.outputs.binary == ''"
    );
}
