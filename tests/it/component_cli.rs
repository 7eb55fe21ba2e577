//! The verbs `components` and `doctor`, as far as they can be seen without starting the command.

use clap::Parser;
use kubeclash::cli::components::ComponentsArgs;
use kubeclash::cli::doctor::{DoctorArgs, examine};
use kubeclash_components::{Builder, ComponentName, Platform};
use serde_json::Value;
use tempfile::tempdir;

use crate::component_site::{Lines, Site, published, resolver};

#[derive(Parser)]
enum Command {
    Components(ComponentsArgs),
    Doctor(Box<DoctorArgs>),
}

fn doctor(args: &[&str]) -> DoctorArgs {
    match Command::try_parse_from([&["kubeclash", "doctor"], args].concat()) {
        Ok(Command::Doctor(args)) => *args,
        Ok(Command::Components(_)) => unreachable!(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_flag_of_one_component_wins_over_that_of_three() {
    let args = doctor(&[
        "--scheduler",
        "path:./mine",
        "--kubernetes",
        "v1.35.0",
        "--etcd",
        "3.5.9",
    ]);
    let selection = args.components.selection();
    for (name, spec) in [
        (ComponentName::Apiserver, "v1.35.0"),
        (ComponentName::ControllerManager, "v1.35.0"),
        (ComponentName::Scheduler, "path:./mine"),
        (ComponentName::Etcd, "v3.5.9"),
        (ComponentName::Descheduler, "v0.36.0"),
    ] {
        assert_eq!(selection.spec(name).to_string(), spec, "{name}");
    }
}

#[test]
fn a_bad_spec_is_refused_by_its_flag() {
    let refused = |args: &[&str]| {
        Command::try_parse_from(args)
            .err()
            .map(|error| error.to_string())
            .unwrap()
    };
    let text = refused(&["kubeclash", "components", "fetch", "--scheduler", "docker:x/y:z"]);
    assert!(
        text.contains("--scheduler <SPEC>") && text.contains("\"docker:\" is no kind of component"),
        "{text}"
    );
    let text = refused(&["kubeclash", "components", "fetch", "kube-proxy"]);
    assert!(text.contains("\"kube-proxy\" is no component"), "{text}");
}

#[tokio::test]
async fn doctor_tells_what_is_there_from_what_is_missing() {
    let cache = tempdir().unwrap();
    let site = Site::serve(published("kube-scheduler", b"scheduler")).await;
    let resolver = resolver(cache.path(), &site.address, &Lines::default());
    let args = doctor(&["--etcd", "path:/there/is/nothing"]);
    resolver
        .resolve(&args.components.selection(), &[ComponentName::Scheduler])
        .await
        .unwrap();
    let asked = site.requests();

    let found = serde_json::to_value(examine(&resolver, &args.components).await).unwrap();
    let component = |name: &str| -> &Value {
        found["components"]
            .as_array()
            .unwrap()
            .iter()
            .find(|finding| finding["name"] == name)
            .unwrap()
    };
    assert_eq!(component("kube-scheduler")["state"], "cached");
    assert!(component("kube-scheduler")["took_ms"].is_u64());
    assert_eq!(component("etcd")["problem"], "does not exist");
    assert_eq!(component("kwok")["state"], "missing");
    let plan = &component("kwok")["plan"];
    assert_eq!(
        plan[0],
        format!("fetch http://{}/kwok/v0.8.0/kwok-linux-amd64", site.address)
    );
    assert!(
        plan[1].as_str().unwrap().starts_with("no Go to build it with"),
        "{plan}"
    );
    assert_eq!(found["go"]["version"], Value::Null);
    assert_eq!(found["go"]["needed"], "1.26.0");
    assert_eq!(found["machine"]["platform"], Platform::host().to_string());
    assert!(
        found["machine"]["memory_bytes"].as_u64().unwrap() > 0
            && found["machine"]["cores"].as_u64().unwrap() > 0
    );
    assert!(found["cache"]["room_bytes"].is_u64());
    assert_eq!(site.requests(), asked, "doctor asked the network");

    let kept = serde_json::to_string(&resolver.cache().list()[0].binary).unwrap();
    let kept: serde_json::Map<String, Value> = serde_json::from_str(&kept).unwrap();
    let fields: Vec<_> = kept.keys().map(String::as_str).collect();
    assert_eq!(fields, ["name", "version", "path", "sha256", "origin"]);
    assert_eq!(kept["origin"]["kind"], "downloaded");
}

#[test]
fn the_default_go_is_the_one_on_the_path() {
    assert_eq!(Builder::default().go.as_os_str(), "go");
}
