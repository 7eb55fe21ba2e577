//! `kubeclash classify` on logs as people report them: what a client leaves, tables of events, journals, load tests of one's own.

use std::fs;
use std::path::{Path, PathBuf};

use kubeclash::exit;
use serde_json::{Value, json};

use crate::classify::{FAR, classify, found, run, steps};
use crate::cli_sandbox::{Ended, Sandbox};

fn field(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/fixtures/field")
        .join(name)
}

fn of(name: &str, args: &[&str]) -> (Ended, Value) {
    let path = field(name);
    let args: Vec<&str> = [path.to_str().unwrap()].iter().chain(args).copied().collect();
    classify(&Sandbox::without_components(), &args)
}

/// What one log with this text comes to.
fn of_text(name: &str, text: &str) -> Value {
    let sandbox = Sandbox::without_components();
    let path = sandbox.path(name);
    fs::write(&path, text).unwrap();
    classify(&sandbox, &[path.to_str().unwrap()]).1
}

fn why(seen: &Value) -> &str {
    seen["why"].as_str().unwrap()
}

/// Aborted requests, and how long each handler went on.
fn aborts(elapsed: &[&str]) -> String {
    let lines = elapsed.iter().map(|elapsed| {
        format!(
            "E0930 07:12:03.000412 1 wrap.go:53] \"Timeout or abort while handling\" method=\"GET\" URI=\"/api/v1/pods\"\n\
             E0930 07:12:03.000500 1 timeout.go:140] \"Post-timeout activity\" timeElapsed=\"{elapsed}\" method=\"GET\"\n"
        )
    });
    lines.collect()
}

const LATE: &str = "E0930 07:12:03.1 1 writers.go:117] apiserver was unable to write a JSON response: http: Handler timeout\n";

#[test]
fn aborts_of_a_client_that_went_away_are_green_and_those_of_an_overloaded_server_red() {
    let (ended, healthy) = of("g02-aborts-of-a-client/healthy", &[]);
    assert_eq!(ended.code, Some(exit::EXPECTED.into()), "{ended}");
    assert_eq!(
        (&healthy["label"], &healthy["red"]),
        (&"green".into(), &json!([]))
    );
    let (abort, at_once) = (
        found(&healthy, "timeout-or-abort"),
        found(&healthy, "handler-ends-at-once"),
    );
    assert_eq!((&abort["count"], &abort["explained"]), (&14.into(), &14.into()));
    assert_eq!((&abort["found"], &at_once["count"]), (&false.into(), &14.into()));
    let path = field("g02-aborts-of-a-client/healthy");
    let text = Sandbox::without_components().run(&["classify", path.to_str().unwrap()]);
    for word in ["A client went away", "other signatures explain 14 of them"] {
        assert!(text.stdout.contains(word), "no {word} in {text}");
    }

    let (ended, overloaded) = of("g02-aborts-of-a-client/overloaded", &[]);
    assert_eq!(ended.code, Some(exit::DIFFERED.into()), "{ended}");
    assert_eq!(overloaded["red"], json!(["timeout-or-abort"]));
    let abort = found(&overloaded, "timeout-or-abort");
    assert_eq!((&abort["count"], &abort["explained"]), (&14.into(), &0.into()));
}

#[test]
fn each_handler_that_ends_at_once_explains_one_abort_and_a_late_answer_takes_that_back() {
    let sandbox = Sandbox::without_components();
    let dir = sandbox.path("run");
    let red = |apiserver: &str| {
        run(&dir, apiserver, "", &steps(&FAR));
        let (_, seen) = classify(&sandbox, &[dir.to_str().unwrap()]);
        seen["label"].as_str().unwrap().to_owned()
    };
    for (elapsed, label) in [
        (vec!["11.278µs"; 500], "green"),
        (vec!["23.784917ms"; 30], "green"),
        (vec!["356.4ms"; 30], "red"),
        (vec!["3.564331s"; 10], "red"),
        (vec!["1m3.5s"; 10], "red"),
        // A slow one now and then is no overload, however many clients go away.
        ([vec!["11.278µs"; 500], vec!["3.5s"; 9]].concat(), "green"),
        ([vec!["11.278µs"; 500], vec!["3.5s"; 10]].concat(), "red"),
    ] {
        assert_eq!(red(&aborts(&elapsed)), label, "{elapsed:?}");
    }
    // Handlers that never end say nothing, and those that want to answer too late end at once.
    let alone: String = aborts(&["1s"; 10])
        .lines()
        .filter(|line| line.contains("wrap.go"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(red(&alone), "red");
    assert_eq!(red(&(aborts(&["11.278µs"; 14]) + &LATE.repeat(14))), "red");
    assert_eq!(red(&(aborts(&["11.278µs"; 14]) + &LATE.repeat(2))), "green");
}

#[test]
fn a_line_that_a_container_runtime_has_cut_in_two_is_one_line() {
    let (ended, seen) = of("g13-cri-halves", &[]);
    assert_eq!(ended.code, Some(exit::DIFFERED.into()), "{ended}");
    let panic = found(&seen, "killing-connection");
    assert_eq!((&panic["count"], &panic["first"]["line"]), (&1.into(), &1.into()));
    assert_eq!(panic["first"]["time"], "2026-02-03T09:10:11.000000");
    assert_eq!(seen["lines"], 3);
}

#[test]
fn a_cut_may_be_anywhere_and_lines_keep_their_numbers() {
    let line = "E0203 09:10:11.000001 1 runtime.go:78] Observed a panic: killing connection/stream because serving request \
                timed out and response had been started";
    let t = "2026-02-03T09:10:11.000000001Z stderr";
    for cut in (1..line.len()).filter(|cut| cut % 40 < 2) {
        let (a, b) = line.split_at(cut);
        // Between the halves: a line of the other stream.
        let other = "2026-02-03T09:10:11.000000001Z stdout F x\n";
        let between = if cut % 2 == 0 { other } else { "" };
        let log = format!("{t} F first\n{t} P {a}\n{between}{t} F {b}\n{t} F last\n{t} F {line}\n");
        let seen = of_text("0.log", &log);
        let panic = found(&seen, "killing-connection");
        let last = 5 + u64::from(cut % 2 == 0);
        assert_eq!(
            (&panic["count"], &panic["first"]["line"], &panic["last"]["line"]),
            (&2.into(), &2.into(), &last.into()),
            "{cut}"
        );
        assert_eq!(seen["lines"], last, "{cut}");
    }
}

#[test]
fn a_row_of_a_table_of_events_counts_as_often_as_it_says_and_has_no_time() {
    let (ended, seen) = of("g08-tables-of-events/describe-overloaded.log", &[]);
    assert_eq!(ended.code, Some(exit::DIFFERED.into()), "{ended}");
    let killed = found(&seen, "apiserver-fails-liveness");
    assert_eq!((&killed["count"], &killed["lines"]), (&33.into(), &1.into()));
    assert_eq!(killed["first"]["time"], Value::Null);
    assert!(
        why(&seen).contains("33 times, as 1 line of a table of events says"),
        "{seen:#}"
    );
    // Behind a log, too: what was said last there is another moment's.
    let table = fs::read_to_string(field("g08-tables-of-events/describe-overloaded.log")).unwrap();
    let both = of_text("all.log", &format!("I0930 07:12:04.000000 1 a.go:1] b\n{table}"));
    let killed = found(&both, "apiserver-fails-liveness");
    assert_eq!(
        (&killed["count"], &killed["first"]["time"]),
        (&33.into(), &Value::Null)
    );
}

#[test]
fn a_start_up_probe_that_fails_is_told_and_is_not_red() {
    let (ended, seen) = of("g08-tables-of-events/describe-startup-probe.log", &[]);
    assert_eq!(ended.code, Some(exit::INCONCLUSIVE.into()), "{ended}");
    assert_eq!(seen["red"], json!([]));
    let killed = found(&seen, "apiserver-fails-startup");
    assert_eq!(
        (&killed["count"], &killed["severity"]),
        (&3.into(), &"note".into())
    );
    assert!(killed["meaning"].as_str().unwrap().contains("never became ready"));
}

#[test]
fn a_lost_lease_is_told_and_year_and_zone_hold_for_the_whole_log() {
    let (ended, seen) = of("g04-lost-its-lease/k3s.log", &[]);
    assert_eq!(ended.code, Some(exit::INCONCLUSIVE.into()), "{ended}");
    assert_eq!(seen["red"], json!([]));
    let (lost, renewed) = (
        found(&seen, "leader-election-lost"),
        found(&seen, "lease-not-renewed"),
    );
    assert_eq!((&lost["count"], &lost["severity"]), (&1.into(), &"note".into()));
    assert_eq!(lost["first"]["time"], "2024-01-11T11:12:02.000000");
    // klog's own lines, which say neither.
    assert_eq!(renewed["first"]["time"], "2024-01-11T11:12:02.001200");
    assert_eq!(
        found(&seen, "post-timeout-activity")["first"]["time"],
        "2024-01-11T11:12:01.121900"
    );
    assert_eq!(
        (&seen["logs"][0]["zone"], &seen["logs"][0]["year_from"]),
        (&"-08:00".into(), &"line".into())
    );
}

#[test]
fn a_zone_that_is_said_late_holds_for_what_was_before() {
    let refused = "E0111 03:12:01.121900 901 a.go:1] connection refused\n";
    let filler = "I0111 03:12:01.200000 901 a.go:1] nothing happens\n".repeat(5000);
    let lost = "time=\"2024-01-11T03:12:02+02:00\" level=fatal msg=\"leaderelection lost for k3s\"\n";
    let step = "I0111 03:12:01.500000 5672 simple_test_executor.go:135] Step \"Creating objects\" started\n";
    let seen = of_text("all.log", &format!("{refused}{filler}{step}{lost}{refused}"));
    let of = |id: &str| found(&seen, id)["first"]["time"].as_str().unwrap().to_owned();
    assert_eq!(of("connection-refused"), "2024-01-11T01:12:01.121900");
    assert_eq!(of("leader-election-lost"), "2024-01-11T01:12:02.000000");
    assert_eq!(seen["steps"][0]["started"], "2024-01-11T01:12:01.500000");
    assert_eq!(found(&seen, "connection-refused")["count"], 2);
    // Nobody says it: as they are.
    let seen = of_text("2024-01-11.log", &format!("{refused}{filler}"));
    assert_eq!(
        found(&seen, "connection-refused")["first"]["time"],
        "2024-01-11T03:12:01.121900"
    );
    assert_eq!(seen["logs"][0]["zone"], Value::Null);
}

#[test]
fn a_load_test_that_never_began_is_black_for_that_with_the_line_that_says_why() {
    let (ended, seen) = of("g09-load-tools/never-began", &[]);
    assert_eq!(ended.code, Some(exit::INCONCLUSIVE.into()), "{ended}");
    assert_eq!(seen["black"][0], "load-never-began");
    for words in [
        "the load test never began",
        "Error while setting up prometheus stack: timed out waiting for the condition",
    ] {
        assert!(why(&seen).contains(words), "{seen:#}");
    }
    // It is how a load test ends, too, of which some objects failed.
    let sandbox = Sandbox::without_components();
    let dir = sandbox.path("run");
    let end = "F0930 07:12:03.000412    5672 clusterloader.go:301] 1 tests have failed!\n";
    run(&dir, "", "", &(steps(&FAR) + end));
    let (_, seen) = classify(&sandbox, &[dir.to_str().unwrap()]);
    assert_eq!(seen["label"], "green", "{seen:#}");
    run(&dir, "", "", "panic: runtime error: index out of range\n");
    let (_, seen) = classify(&sandbox, &[dir.to_str().unwrap()]);
    assert_eq!(seen["black"][0], "load-never-began");
}

#[test]
fn a_load_test_of_ones_own_has_its_steps_listed_and_one_of_them_can_be_asked_for() {
    let own = "g09-load-tools/own-steps";
    let (ended, seen) = of(own, &[]);
    assert_eq!(ended.code, Some(exit::INCONCLUSIVE.into()), "{ended}");
    let names = ["Start measurements", "Create Sandboxes", "Wait for Sandboxes"];
    assert_eq!(seen["other_steps"], json!(names));
    for word in names.iter().chain(&["--past names the one"]) {
        assert!(why(&seen).contains(word), "{seen:#}");
    }
    for (past, label, words) in [
        ("Create Sandboxes", "green", "no red signature"),
        ("[step: 02] Create Sandboxes", "green", "no red signature"),
        (
            "Wait for Sandboxes",
            "black",
            "it reached \"Wait for Sandboxes\", and has to get past it",
        ),
        (
            "Create sandboxes",
            "black",
            "no step was seen that is called \"Create sandboxes\"",
        ),
        (
            "Scaling and updating objects",
            "black",
            "no step was seen that is called",
        ),
    ] {
        let (_, seen) = of(own, &["--past", past]);
        assert_eq!(seen["label"], label, "{past}");
        assert!(why(&seen).contains(words), "{past}: {seen:#}");
    }
    let nothing =
        Sandbox::without_components().run(&["classify", field(own).to_str().unwrap(), "--past", " "]);
    nothing.assert(exit::USAGE, &["it names no step"]);
}
