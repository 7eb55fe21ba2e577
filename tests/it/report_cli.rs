//! `kubeclash report`, and the report files of `run`: what is written, and what is said of what can't be read.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use kubeclash::evidence::{TIMELINE, VERDICT};
use kubeclash_timeline::Verdict;
use quick_junit::Report;

use crate::cli_sandbox::{Sandbox, files_below};
use crate::report_evidence::{lay_out, recordings};

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn junit(path: &Path) -> Report {
    Report::deserialize_from_str(&read(path)).unwrap()
}

#[test]
fn all_reports_come_of_one_folder_of_evidence() {
    let world = Sandbox::without_components();
    let out = world.path("out");
    let arms = lay_out(&out, "1", |_, _| {}).len();
    let files = ["a/r.html", "b/j.xml", "b/m.md"].map(|name| world.path(name));
    let names = files.each_ref().map(|file| file.display().to_string());
    let out = out.display().to_string();
    let ended = world.run(&[
        "report",
        &out,
        "--html",
        &names[0],
        "--junit",
        &names[1],
        "--markdown",
        &names[2],
    ]);
    ended.assert(0, &[]);
    assert_eq!(ended.stderr, "");
    assert!(
        ended.stdout.contains(&format!("{arms} arms: {arms} as expected")),
        "{ended}"
    );
    assert!(read(&files[0]).contains("\"id\":\"c3-broken-with-hpa\""));
    let report = junit(&files[1]);
    assert_eq!((report.tests, report.failures, report.errors), (arms, 0, 0));
    let recorded = recordings();
    let cases: BTreeSet<_> = recorded
        .iter()
        .filter_map(|file| file.ancestors().nth(2))
        .collect();
    assert_eq!(report.test_suites.len(), cases.len());
    assert!(read(&files[2]).starts_with("## kubeclash\n"));
    // Nothing is left of how they were written, and they are as readable as other files.
    for folder in ["a", "b"] {
        let hidden = files_below(&world.path(folder)).into_iter();
        let hidden = hidden.filter(|file| file.file_name().unwrap().to_string_lossy().starts_with('.'));
        assert_eq!(hidden.count(), 0);
    }
    let other = world.path("other");
    fs::write(&other, "").unwrap();
    let mode =
        |path: &Path| std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions());
    assert_eq!(mode(&files[0]), mode(&other));
}

#[test]
fn what_can_not_be_read_is_named_and_the_rest_is_reported() {
    let world = Sandbox::without_components();
    let runs = lay_out(&world.path("out"), "1", |_, _| {});
    let change = |run: usize, file: &str, change: fn(String) -> String| {
        let path = runs[run].join(file);
        fs::write(&path, change(read(&path))).unwrap();
    };
    change(0, TIMELINE, |text| text[..text.len() - 40].to_owned());
    change(1, TIMELINE, |text| {
        text.replacen("timeline\":2", "timeline\":7", 1)
    });
    change(2, TIMELINE, |text| text.replacen("\"step\"", "\"setp\"", 1));
    change(3, VERDICT, |text| text[..text.len() / 2].to_owned());
    fs::remove_file(runs[4].join(VERDICT)).unwrap();
    let (out, html) = (world.path("out"), world.path("r.html"));
    let ended = world.run(&[
        "report",
        &out.display().to_string(),
        "--html",
        &html.display().to_string(),
    ]);
    ended.assert(
        0,
        &[
            "c1_cpu_spike_overscale broken: the recording is not whole: its last line is cut off",
            "c1_cpu_spike_overscale control: there is no drawing: ",
            "is a timeline of format 7",
            "is not an entry of a timeline",
            &format!(
                "left out: \"{}\" is not an outcome",
                runs[3].join(VERDICT).display()
            ),
            &format!("left out: \"{}\" can't be read", runs[4].join(VERDICT).display()),
        ],
    );
    assert!(
        ended.stdout.contains(&format!("{} arms", runs.len() - 2)),
        "{ended}"
    );
    assert!(read(&html).contains("is a timeline of format 7"));
}

#[test]
fn of_several_runs_of_an_arm_and_build_the_last_counts() {
    let world = Sandbox::without_components();
    let out = world.path("out");
    for run in ["20260101T000000Z-a", "20260102T000000Z-b"] {
        lay_out(&out, run, |_, outcome| run.clone_into(&mut outcome.seen));
    }
    lay_out(&out, "20250101T000000Z-fork", |_, outcome| {
        let descheduler = outcome.components.get_mut("descheduler").unwrap();
        descheduler.sha256 = "f".repeat(64);
        if outcome.id.case.starts_with("c5") {
            outcome.verdict = Verdict::Absent;
        }
    });
    let xml = world.path("j.xml");
    let (out, xml_name) = (out.display().to_string(), xml.display().to_string());
    let ended = world.run(&["report", &out, "--junit", &xml_name]);
    ended.assert(
        0,
        &["left out: 20 × older runs of the same arm and build (--all takes them in)"],
    );
    let report = junit(&xml);
    assert_eq!((report.tests, report.failures), (40, 1));
    assert!(!read(&xml).contains("20260101T000000Z-a"));
    world
        .run(&["report", &out, "--junit", &xml_name, "--all"])
        .assert(0, &[]);
    assert_eq!(junit(&xml).tests, 60);
}

#[test]
fn without_evidence_or_a_place_to_write_to_nothing_is_written() {
    let world = Sandbox::without_components();
    let empty = world.path("home").display().to_string();
    world.run(&["report", &empty]).assert(
        4,
        &["there is no outcome that can be read below", "kubeclash run"],
    );
    world
        .run(&["report", &world.path("nowhere").display().to_string()])
        .assert(2, &["there is no folder", "nowhere"]);
    lay_out(&world.path("out"), "1", |_, _| {});
    let out = world.path("out").display().to_string();
    world
        .run(&["report", &out, "--html", &empty])
        .assert(2, &["failed to write the report to", "it is a folder"]);
    let twice = world.path("same").display().to_string();
    world
        .run(&["report", &out, "--html", &twice, "--junit", &twice])
        .assert(2, &["two reports are to be written to"]);
    assert!(!Path::new(&twice).exists());
    let file = world.path("file");
    fs::write(&file, "").unwrap();
    let below = file.join("r.html").display().to_string();
    world
        .run(&["report", &out, "--html", &below])
        .assert(2, &["failed to write the report to"]);
}

/// As a GitHub step summary is written; /dev/stdout is then a name of that file, and is the system's all the same.
#[test]
fn what_standard_output_is_redirected_to_is_appended_to() {
    let world = Sandbox::without_components();
    lay_out(&world.path("out"), "1", |_, _| {});
    let out = world.path("out").display().to_string();
    let summary = world.path("summary");
    fs::write(&summary, "before\n").unwrap();
    let link = fs::read_link("/dev/stdout").unwrap();
    let mut command = world.command(&["report", &out, "--markdown", "/dev/stdout"]);
    command.stdout(fs::File::options().append(true).open(&summary).unwrap());
    assert!(command.status().unwrap().success());
    let text = fs::read_to_string(&summary).unwrap();
    assert!(text.starts_with("before\n## kubeclash\n"), "{text}");
    assert!(text.ends_with("</details>\n"), "{text}");
    assert_eq!(fs::read_link("/dev/stdout").unwrap(), link);
    // A link of the user's stays one.
    let (link, file) = (world.path("link.md"), world.path("file.md"));
    fs::write(&file, "").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let written = world.run(&["report", &out, "--markdown", &link.display().to_string()]);
    written.assert(0, &[]);
    assert_eq!(fs::read_link(&link).unwrap(), file);
    assert!(fs::read_to_string(&file).unwrap().starts_with("## kubeclash"));
}

#[test]
fn a_report_goes_into_a_pipe_as_well() {
    let world = Sandbox::without_components();
    lay_out(&world.path("out"), "1", |_, _| {});
    let out = world.path("out").display().to_string();
    let ended = world.run(&["report", &out, "--markdown", "/dev/stdout"]);
    ended.assert(0, &[]);
    assert!(ended.stdout.starts_with("## kubeclash\n"), "{ended}");
    assert!(
        ended.stdout.ends_with("</details>\n"),
        "no table after it: {ended}"
    );
}

#[test]
fn a_run_says_before_it_starts_that_a_report_can_not_be_written() {
    let world = Sandbox::without_components();
    let folder = world.path("home").display().to_string();
    let ended = world.run(&["run", "c7", "--junit", &folder]);
    ended.assert(2, &["failed to write the report to", "it is a folder"]);
}

/// One run, all of its reports; one arm fails in the harness, and is in them as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_writes_its_reports_also_when_arms_failed() {
    let world = Sandbox::new().await;
    let files = ["r.html", "j.xml", "m.md"].map(|name| world.path(name));
    let names = files.each_ref().map(|file| file.display().to_string());
    let dead = world.program("kube-scheduler", "#!/bin/sh\necho Kubernetes v1.36.3\nexit 1\n");
    let args = [
        "run",
        "c7",
        "--arm",
        "broken",
        "--html",
        &names[0],
        "--junit",
        &names[1],
        "--markdown",
        &names[2],
    ];
    let ended = world.run(&[&args[..], &["--format", "junit"]].concat());
    ended.assert(0, &[]);
    assert_eq!(ended.stdout, read(&files[1]), "the same on standard output");
    let report = junit(&files[1]);
    assert_eq!((report.tests, report.failures, report.errors), (1, 0, 0));
    let said = &report.test_suites[0].test_cases[0].system_out;
    assert!(said.as_ref().unwrap().as_str().contains("pods created"));
    assert!(read(&files[0]).contains("\"id\":\"c7-broken\"") && read(&files[2]).contains("as expected"));

    let ended = world.run(&[&args[..], &["--scheduler", &dead]].concat());
    assert_eq!(ended.code, Some(6), "{ended}");
    let report = junit(&files[1]);
    assert_eq!((report.tests, report.failures, report.errors), (1, 0, 1));
    assert_eq!(report.test_suites[0].name.as_str(), "c7_taint_recreate_loop");
    assert!(read(&files[0]).contains("\"errors\":[[\"c7_taint_recreate_loop broken\""));
    assert!(read(&files[2]).contains("### c7_taint_recreate_loop broken failed"));
}
