use serde_json::json;

use super::*;

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The wall clock when measuring began: any time will do.
fn clock(ms: u64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + i64::try_from(ms).unwrap()).unwrap()
}

fn pod(uid: &str, node: Option<&str>, phase: &str, started_ms: Option<u64>) -> Pod {
    // As the API server writes it: whole seconds.
    let started = started_ms.map(|ms| clock(ms).strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let running = started.map(|at| json!({"startedAt": at}));
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": uid, "namespace": "load-1", "uid": uid, "labels": {"app": "web"}},
        "spec": {"nodeName": node, "containers": [{"name": "c", "image": "pause"}]},
        "status": {"phase": phase, "containerStatuses": [{"name": "c", "state": {"running": running}}]},
    }))
    .unwrap()
}

fn armed() -> PodTimes {
    let mut times = PodTimes::default();
    times.see(at(0), clock(0), Event::Init);
    times.see(at(0), clock(0), Event::InitDone);
    times
}

fn see(times: &mut PodTimes, t: u64, event: Event<Pod>) {
    times.see(at(t), clock(t), event);
}

#[test]
fn a_pods_times_are_those_of_its_first_sights() {
    let mut times = armed();
    see(&mut times, 1_000, Event::Apply(pod("a", None, "Pending", None)));
    see(
        &mut times,
        1_200,
        Event::Apply(pod("a", Some("n1"), "Pending", None)),
    );
    see(
        &mut times,
        1_300,
        Event::Apply(pod("a", Some("n1"), "Pending", None)),
    );
    see(
        &mut times,
        4_250,
        Event::Apply(pod("a", Some("n1"), "Running", Some(4_100))),
    );
    assert_eq!(times.counts(), PodCounts { here: 1, running: 1 });
    see(
        &mut times,
        9_000,
        Event::Apply(pod("a", Some("n1"), "Running", Some(4_100))),
    );
    see(
        &mut times,
        9_500,
        Event::Delete(pod("a", Some("n1"), "Running", Some(4_100))),
    );
    assert_eq!(times.counts(), PodCounts::default());
    let measured = times.measured(at(10_000));
    let p99 = |quantiles: Option<Quantiles>| quantiles.unwrap().p99_ms;
    assert_eq!(p99(measured.create_to_schedule), 200.0);
    assert_eq!(p99(measured.schedule_to_run), 3_050.0);
    assert_eq!(p99(measured.start_up), 3_250.0);
    // 150 ms, and what the node's whole seconds add.
    assert_eq!(p99(measured.run_to_watch), 250.0);
    assert_eq!(measured.met, Some(true));
    assert_eq!(
        (
            measured.created,
            measured.scheduled,
            measured.running,
            measured.deleted
        ),
        (1, 1, 1, 1)
    );
    assert_eq!((measured.peak_running, measured.there_before), (1, 0));
    assert_eq!(measured.curve.created, [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(measured.curve.deleted[9], 1);
}

#[test]
fn pods_that_were_there_before_have_no_start() {
    let mut times = PodTimes::default();
    times.see(at(0), clock(0), Event::Init);
    times.see(
        at(0),
        clock(0),
        Event::InitApply(pod("old", Some("n1"), "Running", Some(0))),
    );
    assert!(!times.armed());
    times.see(at(0), clock(0), Event::InitDone);
    assert!(times.armed());
    see(
        &mut times,
        2_000,
        Event::Delete(pod("old", Some("n1"), "Running", Some(0))),
    );
    let measured = times.measured(at(3_000));
    assert_eq!(
        (measured.created, measured.there_before, measured.deleted),
        (0, 1, 1)
    );
    assert_eq!((measured.start_up, measured.met), (None, None));
}

#[test]
fn a_list_anew_is_a_gap_and_shows_who_went_in_it() {
    let mut times = armed();
    see(
        &mut times,
        1_000,
        Event::Apply(pod("stays", Some("n1"), "Running", None)),
    );
    see(
        &mut times,
        1_000,
        Event::Apply(pod("goes", Some("n1"), "Running", None)),
    );
    see(&mut times, 5_000, Event::Init);
    see(
        &mut times,
        5_000,
        Event::InitApply(pod("stays", Some("n1"), "Running", None)),
    );
    see(
        &mut times,
        5_000,
        Event::InitApply(pod("comes", None, "Pending", None)),
    );
    see(&mut times, 5_100, Event::InitDone);
    let measured = times.measured(at(6_000));
    assert_eq!((measured.gaps, measured.created, measured.deleted), (1, 3, 1));
    assert_eq!(times.counts(), PodCounts { here: 2, running: 1 });
    assert_eq!(measured.peak_running, 2);
}

#[test]
fn a_pod_that_has_ended_when_it_is_seen_has_run() {
    let mut times = armed();
    see(&mut times, 1_000, Event::Apply(pod("job", None, "Pending", None)));
    see(
        &mut times,
        2_000,
        Event::Apply(pod("job", Some("n1"), "Succeeded", None)),
    );
    let measured = times.measured(at(3_000));
    assert_eq!((measured.running, measured.peak_running), (1, 0));
    assert_eq!(measured.start_up.unwrap().p50_ms, 1_000.0);
    assert_eq!(measured.run_to_watch, None);
}

#[test]
fn rates_have_a_mean_and_peaks_wherever_these_begin() {
    assert_eq!(rate(&[]), Rate::default());
    // 5 within 400 ms over a full second's border, and one 20 s later.
    let found = rate(&[900, 950, 1_000, 1_100, 1_300, 21_300]);
    assert_eq!((found.total, found.peak_1s), (6, 5));
    assert_eq!((found.mean_per_s, found.peak_10s_per_s), (0.3, 0.5));
    assert_eq!(
        rate(&[0, 1_000]).peak_1s,
        1,
        "a second ends before its last millisecond's next"
    );
    assert_eq!(rate(&[7]).mean_per_s, 1.0, "no less than a second");
}

#[test]
fn quantiles_are_values_that_were_there() {
    let found = quantiles((1..=200).collect()).unwrap();
    assert_eq!(
        (found.p50_ms, found.p90_ms, found.p99_ms, found.max_ms),
        (100.0, 180.0, 198.0, Some(200.0))
    );
    let one = quantiles(vec![7]).unwrap();
    assert_eq!((one.count, one.p50_ms, one.p99_ms), (1, 7.0, 7.0));
    assert_eq!(quantiles(Vec::new()), None);
}
