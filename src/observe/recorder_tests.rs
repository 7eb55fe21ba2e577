//! The recorder before an API server in memory, and a clock that goes on when everybody waits.

use std::io::ErrorKind;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::fake::{Asks, PODS, Server};
use super::*;
use kubeclash_timeline::testing::Draft;
use kubeclash_timeline::{Change, Gap};

const BUDGETS: &str = "/apis/policy/v1/poddisruptionbudgets";
const ROLLOUTS: &str = "/apis/argoproj.io/v1alpha1/rollouts";

struct Recording {
    server: Server,
    recorder: Recorder,
    _dir: tempfile::TempDir,
}

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name, "uid": name, "namespace": "default"}, "spec": {"containers": []}})
}

async fn arm(server: &Server) -> Result<(Recorder, tempfile::TempDir), RecorderError> {
    let dir = tempfile::tempdir().unwrap();
    let header = Draft::new("c5").done().header;
    let file = dir.path().join("timeline.jsonl");
    let recorder = Recorder::arm(&server.client(), header, &file, None).await?;
    Ok((recorder, dir))
}

/// A recording of these pods that is connected.
async fn recording(pods: &[&str]) -> Recording {
    let server = Server::default();
    for name in pods {
        server.put(PODS, pod(name));
    }
    let (recorder, _dir) = arm(&server).await.unwrap();
    server.asked(PODS, Asks::Changes, 1).await;
    Recording {
        server,
        recorder,
        _dir,
    }
}

impl Recording {
    /// Waits until these pods are there, by name.
    async fn has(&self, pods: &[&str]) {
        let pods: Vec<String> = pods.iter().map(|&name| name.to_owned()).collect();
        let condition = Condition::new(format!("pods {pods:?}"), move |world| {
            let there: Vec<&String> = world.pods.keys().collect();
            if there == pods.iter().collect::<Vec<_>>() {
                Poll::Ready
            } else {
                Poll::Pending(format!("{there:?}"))
            }
        });
        self.recorder
            .wait(&condition, Duration::from_secs(60))
            .await
            .unwrap();
    }

    async fn catch_up(&self) {
        self.recorder.catch_up(&self.server.client()).await;
    }

    /// Watches for some seconds.
    async fn watch(&self, seconds: u64) {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        self.recorder.watch(deadline, |_| false).await;
    }

    fn entries<T>(&self, pick: impl Fn(&What) -> Option<T>) -> Vec<T> {
        let look = |timeline: &Timeline, _: &World| {
            timeline
                .entries
                .iter()
                .filter_map(|entry| pick(&entry.what))
                .collect()
        };
        self.recorder.look(look)
    }

    /// The gaps: which watch, and why.
    fn gaps(&self) -> Vec<(String, String)> {
        self.entries(|what| match what {
            What::Gap(Gap { watch, why }) => Some((watch.clone(), why.clone())),
            _ => None,
        })
    }

    /// What was told of pods, `-` for those that have gone.
    fn pods(&self) -> Vec<String> {
        self.entries(|what| match what {
            What::Pod(pod) if pod.change == Change::Gone => Some(format!("-{}", pod.state.name)),
            What::Pod(pod) => Some(pod.state.name.clone()),
            _ => None,
        })
    }

    fn stills(&self) -> usize {
        self.entries(|what| matches!(what, What::Still(())).then_some(()))
            .len()
    }
}

#[tokio::test(start_paused = true)]
async fn a_recorder_is_armed_when_it_has_what_is_there_and_misses_nothing_from_then_on() {
    let recording = recording(&["a"]).await;
    assert_eq!(recording.pods(), ["a"]);
    recording.server.put(PODS, pod("b"));
    recording.server.delete(PODS, pod("a"));
    recording.has(&["b"]).await;
    recording.catch_up().await;
    assert_eq!(recording.pods(), ["a", "b", "-a"]);
    assert_eq!(recording.gaps(), []);
    let timeline = recording.recorder.finish(Ending::Complete).unwrap();
    assert_eq!(timeline.broken_off(), None);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_does_not_begin_is_named_with_its_reason() {
    let server = Server::default();
    server.refuse(PODS, Asks::List, Some(403));
    let error = arm(&server).await.unwrap_err().to_string();
    assert!(
        error.contains("the watch on pods (") && error.contains("the test says 403"),
        "{error}"
    );
    assert!(!error.contains("nodes"), "{error}");
    let lists = server.count(PODS, Asks::List);
    assert!((5..20).contains(&lists), "{lists} lists in 30 s");
}

#[tokio::test(start_paused = true)]
async fn an_api_that_a_release_lacks_bars_nothing() {
    let server = Server::default();
    server.refuse(BUDGETS, Asks::List, Some(404));
    let (recorder, _dir) = arm(&server).await.unwrap();
    let recording = Recording {
        server,
        recorder,
        _dir,
    };
    recording.watch(60).await;
    assert!(recording.stills() > 50, "it is connected all the same");
    recording.catch_up().await;
    assert_eq!(recording.gaps(), []);
    assert_eq!(
        recording.server.count(BUDGETS, Asks::List),
        1,
        "and not asked for again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_lists_again_has_a_gap_and_tells_what_has_gone_in_it() {
    let recording = recording(&["a", "b"]).await;
    let server = &recording.server;
    server.hold(PODS);
    server.delete(PODS, pod("a"));
    server.put(PODS, pod("c"));
    server.compact(PODS);
    server.cut(PODS, None);
    recording.has(&["b", "c"]).await;
    let [(watch, why)] = &recording.gaps()[..] else {
        panic!("{:?}", recording.gaps())
    };
    assert_eq!(watch, "pods");
    assert!(why.contains("the test says 410"), "{why}");
    assert_eq!(
        recording.pods(),
        ["a", "b", "c", "-a"],
        "what did not change is not told again"
    );
    recording.catch_up().await;
    assert_eq!(recording.gaps().len(), 1, "it has told all of it");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_fails_and_resumes_has_no_gap_and_is_no_busy_loop() {
    let recording = recording(&["a"]).await;
    let server = &recording.server;
    for code in [500, 429, 503] {
        let before = server.count(PODS, Asks::Changes);
        server.refuse(PODS, Asks::Changes, Some(code));
        server.cut(PODS, Some(ErrorKind::ConnectionReset));
        recording.watch(60).await;
        let asked = server.count(PODS, Asks::Changes) - before;
        assert!((15..40).contains(&asked), "{asked} requests in a minute");
        server.put(PODS, pod(&code.to_string()));
        server.refuse(PODS, Asks::Changes, None);
        server.asked(PODS, Asks::Changes, before + asked + 1).await;
    }
    recording.has(&["429", "500", "503", "a"]).await;
    recording.catch_up().await;
    assert_eq!(recording.gaps(), []);
    assert_eq!(server.count(PODS, Asks::List), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_ends_at_once_is_no_busy_loop_either() {
    let recording = recording(&["a"]).await;
    recording.server.end_at_once(PODS);
    recording.server.cut(PODS, None);
    let before = recording.server.count(PODS, Asks::Changes);
    recording.watch(10).await;
    let asked = recording.server.count(PODS, Asks::Changes) - before;
    assert!((50..=101).contains(&asked), "{asked} requests in 10 s");
}

#[tokio::test(start_paused = true)]
async fn what_a_watch_tells_late_is_waited_for_at_the_end() {
    let recording = recording(&["a", "b"]).await;
    let server = &recording.server;
    server.hold(PODS);
    server.put(PODS, pod("a"));
    server.put(PODS, pod("c"));
    server.delete(PODS, pod("b"));
    tokio::join!(recording.catch_up(), async {
        server.asked(PODS, Asks::Metadata, 1).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(recording.pods(), ["a", "b"]);
        server.release(PODS);
    });
    assert_eq!(recording.pods(), ["a", "b", "a", "c", "-b"]);
    assert_eq!(recording.gaps(), []);
}

#[tokio::test(start_paused = true)]
async fn what_was_made_and_deleted_after_the_last_list_is_not_waited_for() {
    let recording = recording(&["a"]).await;
    let server = &recording.server;
    server.hold(PODS);
    server.put(PODS, pod("b"));
    tokio::join!(recording.catch_up(), async {
        server.asked(PODS, Asks::Metadata, 1).await;
        // The list has it, and the watch tells at once that it came and went.
        server.delete(PODS, pod("b"));
        server.put(PODS, pod("c"));
        server.release(PODS);
    });
    assert_eq!(recording.pods(), ["a", "b", "-b", "c"]);
    assert_eq!(recording.gaps(), []);
}

#[tokio::test(start_paused = true)]
async fn what_a_watch_never_tells_is_a_gap_at_the_end() {
    for (change, expected) in [
        ("new", "it had not told of 1 objects at the end, \"b\" for one"),
        ("old", "it had not told of 1 objects at the end, \"a\" for one"),
        ("gone", "it had not told of 1 deletions at the end"),
    ] {
        let recording = recording(&["a"]).await;
        recording.server.hold(PODS);
        match change {
            "new" => drop(recording.server.put(PODS, pod("b"))),
            "old" => drop(recording.server.put(PODS, pod("a"))),
            _ => recording.server.delete(PODS, pod("a")),
        }
        let began = Instant::now();
        recording.catch_up().await;
        assert_eq!(recording.gaps(), [("pods".to_owned(), expected.to_owned())]);
        assert_eq!(began.elapsed().as_secs(), CATCH_UP.as_secs());
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_in_error_at_the_end_is_a_gap_and_one_that_comes_back_in_time_is_none() {
    let recording = recording(&["a"]).await;
    let server = &recording.server;
    server.refuse(PODS, Asks::Changes, Some(500));
    server.cut(PODS, Some(ErrorKind::ConnectionReset));
    server.put(PODS, pod("b"));
    tokio::join!(recording.catch_up(), async {
        server.asked(PODS, Asks::Changes, 3).await;
        server.refuse(PODS, Asks::Changes, None);
    });
    assert_eq!(recording.gaps(), []);
    assert_eq!(recording.pods(), ["a", "b"]);
    server.refuse(PODS, Asks::Changes, Some(500));
    server.cut(PODS, Some(ErrorKind::ConnectionReset));
    recording.catch_up().await;
    let [(watch, why)] = &recording.gaps()[..] else {
        panic!("{:?}", recording.gaps())
    };
    assert_eq!(watch, "pods");
    assert!(
        why.starts_with("it was not connected at the end: ") && why.contains("500"),
        "{why}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_end_without_an_answer_is_a_gap_of_every_watch_that_was_not_answered() {
    let recording = recording(&["a"]).await;
    recording.server.refuse(PODS, Asks::Metadata, Some(500));
    recording.catch_up().await;
    let [(watch, why)] = &recording.gaps()[..] else {
        panic!("{:?}", recording.gaps())
    };
    assert_eq!(watch, "pods");
    assert!(why.contains("the test says 500"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_list_anew_at_the_very_end_is_a_gap() {
    let recording = recording(&["a"]).await;
    let server = &recording.server;
    server.hold(PODS);
    server.put(PODS, pod("b"));
    tokio::join!(recording.catch_up(), async {
        server.asked(PODS, Asks::Metadata, 1).await;
        server.compact(PODS);
        server.cut(PODS, None);
    });
    let gaps = recording.gaps();
    assert!(gaps.len() == 1 && gaps[0].1.contains("410"), "{gaps:?}");
    assert_eq!(recording.pods(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_to_be_still_while_a_watch_is_down() {
    let recording = recording(&["a"]).await;
    recording.watch(10).await;
    let before = recording.stills();
    assert!((15..=20).contains(&before), "{before}");
    recording.server.refuse(PODS, Asks::Changes, Some(500));
    recording.server.cut(PODS, Some(ErrorKind::ConnectionReset));
    recording.watch(10).await;
    assert!(
        recording.stills() <= before + 1,
        "{} after {before}",
        recording.stills()
    );
    recording.server.refuse(PODS, Asks::Changes, None);
    recording.watch(10).await;
    assert!(
        recording.stills() > before + 10,
        "{} after {before}",
        recording.stills()
    );
    // One whose request is not answered at all is not connected either.
    assert_eq!(recording.gaps(), []);
}

#[tokio::test(start_paused = true)]
async fn what_is_told_twice_is_put_once() {
    let recording = recording(&["a"]).await;
    let server = &recording.server;
    server.put(PODS, pod("b"));
    server.tell(PODS, &server.last(PODS));
    server.tell(PODS, &json!({"type": "BOOKMARK", "object": {"kind": "Pod", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}}}));
    server.put(PODS, pod("c"));
    recording.has(&["a", "b", "c"]).await;
    assert_eq!(recording.pods(), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_can_t_be_read_is_a_gap() {
    let recording = recording(&["a"]).await;
    recording.server.tell(
        PODS,
        &json!({"type": "ADDED", "object": {"metadata": {"name": 7}}}),
    );
    recording.server.put(PODS, pod("b"));
    recording.has(&["a", "b"]).await;
    let gaps = recording.gaps();
    assert!(gaps.len() == 1 && gaps[0].0 == "pods", "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_turns_out_to_own_pods_is_watched_from_then_on_and_so_is_its_owner() {
    let recording = recording(&["a"]).await;
    let server = &recording.server;
    let resource = |plural: &str, kind: &str| json!({"name": plural, "singularName": "", "namespaced": true, "kind": kind, "verbs": ["list", "watch"]});
    server.serve(
        "/apis/argoproj.io/v1alpha1",
        "argoproj.io/v1alpha1",
        json!([resource("rollouts", "Rollout")]),
    );
    server.serve("/apis/x.io/v1", "x.io/v1", json!([resource("sites", "Site")]));
    let owned = |name: &str, api: &str, kind: &str| {
        json!({"metadata": {"name": name, "uid": name, "namespace": "default", "ownerReferences": [
            {"apiVersion": api, "kind": kind, "name": "web", "uid": "o", "controller": true}]}, "spec": {"containers": [], "replicas": 3}})
    };
    server.put(ROLLOUTS, owned("web", "x.io/v1", "Site"));
    server.put(
        "/apis/x.io/v1/sites",
        json!({"metadata": {"name": "web", "uid": "s", "namespace": "default"}}),
    );
    server.put(PODS, owned("b", "argoproj.io/v1alpha1", "Rollout"));
    server.put(PODS, owned("c", "lost.io/v1", "Nobody"));
    let site = Condition::new("a site", |world| match world.workloads.len() {
        2 => Poll::Ready,
        n => Poll::Pending(format!("{n}")),
    });
    recording
        .recorder
        .wait(&site, Duration::from_secs(60))
        .await
        .unwrap();
    let told = recording.entries(|what| match what {
        What::Workload(workload) => Some((workload.state.reference().to_string(), workload.state.wanted)),
        _ => None,
    });
    assert_eq!(told, [("rollout/web".to_owned(), 3), ("site/web".to_owned(), 0)]);
    server.asked(ROLLOUTS, Asks::Changes, 1).await;
    // It counts as any other watch.
    server.hold(ROLLOUTS);
    server.put(ROLLOUTS, owned("other", "x.io/v1", "Site"));
    recording.catch_up().await;
    let gaps = recording.gaps();
    assert!(gaps.len() == 1 && gaps[0].0 == "rollouts.argoproj.io", "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_comes_after_the_end_whoever_has_something_to_tell() {
    let Recording { recorder, _dir, .. } = recording(&["web-1"]).await;
    let late = recorder.noter();
    recorder.finish(Ending::Complete).unwrap();
    late(What::Cycle("descheduler".to_owned()));
    let read = kubeclash_timeline::read(&_dir.path().join("timeline.jsonl")).unwrap();
    assert_eq!(read.cut, None);
    assert_eq!(read.timeline.broken_off(), None);
}
