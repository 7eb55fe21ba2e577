use futures::io::Cursor;

use super::super::objectives;
use super::*;

/// What an API server says: `count` requests of 30 ms, of which `slow` took 1.5 s instead.
fn answer(started: u64, count: u64, slow: u64) -> String {
    let series = |name: &str, more: &str, verb: &str, resource: &str, scope: &str| {
        let labels = format!(
            r#"component="apiserver",{more}group="",resource="{resource}",scope="{scope}",subresource="",verb="{verb}",version="v1""#
        );
        let fast = count - slow;
        format!(
            "{name}_bucket{{{labels},le=\"0.05\"}} {fast}\n{name}_bucket{{{labels},le=\"1\"}} {fast}\n\
             {name}_bucket{{{labels},le=\"2\"}} {count}\n{name}_bucket{{{labels},le=\"+Inf\"}} {count}\n\
             {name}_sum{{{labels}}} 1\n{name}_count{{{labels}}} {count}\n"
        )
    };
    let mut text =
        "# HELP apiserver_request_duration_seconds x\n# TYPE apiserver_request_duration_seconds histogram\n"
            .to_owned();
    for (verb, scope) in [
        ("POST", "resource"),
        ("GET", "resource"),
        ("LIST", "cluster"),
        ("WATCH", "cluster"),
    ] {
        text += &series(DURATION, "dry_run=\"\",", verb, "pods", scope);
        text += &series(INDICATORS[0], "", verb, "pods", scope);
    }
    text += &series(DURATION, "dry_run=\"All\",", "POST", "pods", "resource");
    text += &series(DURATION, "dry_run=\"\",", "GET", "", "");
    format!(
        "{text}apiserver_request_total{{code=\"200\",verb=\"GET\"}} {count}\n\
         apiserver_request_total{{code=\"200\",verb=\"LIST\"}} {count}\n\
         apiserver_request_total{{code=\"429\",verb=\"LIST\"}} {slow}\n\
         apiserver_flowcontrol_rejected_requests_total{{flow_schema=\"x\",priority_level=\"y\",reason=\"queue-full\"}} {slow}\n\
         apiserver_dropped_requests_total{{request_kind=\"mutating\"}} {slow}\n\
         apiserver_current_inflight_requests{{request_kind=\"mutating\"}} 3\n\
         apiserver_current_inflight_requests{{request_kind=\"readOnly\"}} 4\n\
         process_start_time_seconds {started}\n"
    )
}

async fn look(text: &str) -> Look {
    let mut reader = Reader::default();
    let read = exposition::read(Cursor::new(text), wanted, |sample| reader.see(&sample));
    assert_eq!(read.await.unwrap().bad, None);
    reader.look
}

#[tokio::test]
async fn calls_are_told_apart_and_what_lasts_is_left_out() {
    let look = look(&answer(1, 10, 0)).await;
    let mut verbs: Vec<(&str, f64)> = look
        .durations
        .iter()
        .map(|(call, durations)| (call.verb.as_str(), durations.count()))
        .collect();
    verbs.sort_by(|a, b| a.0.cmp(b.0));
    assert_eq!(
        verbs,
        [("GET", 10.0), ("LIST", 10.0), ("POST", 20.0)],
        "dry runs are calls; watches, /livez are none"
    );
    assert_eq!(look.indicator, Some(INDICATORS[0]));
    assert_eq!((look.in_flight, look.in_queue), (Some(7.0), None));
    assert_eq!(
        look.counted(Count::Code).collect::<Vec<_>>(),
        [("200", 20.0), ("429", 0.0)]
    );
}

#[tokio::test]
async fn what_was_added_is_summed_over_a_restart() {
    let looks = [
        answer(1, 10, 0),
        answer(1, 110, 1),
        answer(2, 150, 2),
        answer(2, 160, 3),
    ];
    let mut all = Look::default();
    let mut restarts = 0;
    let mut last = look(&looks[0]).await;
    for text in &looks[1..] {
        let now = look(text).await;
        let (added, restarted) = now.since(&last);
        all.absorb(&added);
        restarts += u32::from(restarted);
        last = now;
    }
    // 100, then all 150 of the new one, though that is more than before, then 10.
    let counts: Vec<f64> = all
        .kinds()
        .into_values()
        .map(|histogram| histogram.count())
        .collect();
    assert_eq!(counts, [520.0, 260.0, 260.0]);
    assert_eq!(restarts, 1);
    assert_eq!(
        all.counted(Count::Rejected).collect::<Vec<_>>(),
        [("limit", 4.0), ("queue-full", 4.0)]
    );
}

#[tokio::test]
async fn without_a_start_time_a_lower_count_tells_of_a_restart() {
    let of = async |text: String| look(&text.replace("process_start_time_seconds", "other")).await;
    let (before, after) = (of(answer(1, 100, 0)).await, of(answer(2, 30, 0)).await);
    let (added, _) = after.since(&before);
    assert_eq!(added.kinds()[&CallKind::Read].count(), 30.0);
    assert_eq!(added.counted(Count::Code).collect::<Vec<_>>(), [("200", 60.0)]);
}

#[tokio::test]
async fn rows_are_held_against_their_objectives_the_worst_first() {
    let rows = objectives::rows(&look(&answer(1, 100, 5)).await);
    let judged: Vec<(&str, bool, Option<u64>)> = rows
        .iter()
        .map(|row| (row.verb.as_str(), row.met, row.slow))
        .collect();
    // 5 of 100 took up to 2 s: too long for one object, not for a list. The list's histogram has no bound at 30 s.
    assert_eq!(
        judged,
        [
            ("GET", false, Some(5)),
            ("POST", false, Some(5)),
            ("LIST", true, None)
        ]
    );
    assert_eq!(rows[0].objective_ms, 1_000.0);
    assert_eq!(rows[2].objective_ms, 30_000.0);
    assert!((rows[0].judged_p99_ms - 1_800.0).abs() < 1.0, "{:?}", rows[0]);
    let rows = objectives::rows(&look(&answer(1, 100, 0)).await);
    assert!(rows.iter().all(|row| row.met));
}

#[test]
fn a_call_is_of_the_kind_that_its_verb_says() {
    let of = |verb: &str, subresource: &str, scope: &str| {
        let text = format!(r#"resource="pods",scope="{scope}",subresource="{subresource}",verb="{verb}""#);
        Call::of(Labels(&text)).map(|call| call.kind())
    };
    assert_eq!(of("POST", "", "resource"), Some(CallKind::Mutating));
    assert_eq!(
        of("POST", "", "namespace"),
        Some(CallKind::Mutating),
        "up to v1.16"
    );
    assert_eq!(of("DELETE", "", "resource"), Some(CallKind::Mutating));
    assert_eq!(of("DELETE", "", "namespace"), Some(CallKind::List));
    assert_eq!(of("DELETECOLLECTION", "", "cluster"), Some(CallKind::List));
    assert_eq!(of("GET", "status", "resource"), Some(CallKind::Read));
    for (verb, subresource) in [
        ("GET", "log"),
        ("POST", "exec"),
        ("CONNECT", ""),
        ("GET", "proxy"),
        ("WATCH", ""),
    ] {
        assert_eq!(of(verb, subresource, "resource"), None, "{verb} {subresource}");
    }
}
