use std::path::Path;

use assert_matches::assert_matches;
use proptest::prelude::*;
use tempfile::TempDir;

use super::{FormatError, Recorded, Sink, read};
use crate::testing::{Draft, node, pod, s, seen};
use crate::{
    Change, ComponentVersion, Ending, Entry, EventSeen, HpaSeen, OwnerRef, PodSeen, Sighting, Timeline, What,
    WorkloadSeen,
};

fn written(timeline: &Timeline, path: &Path) -> Vec<u8> {
    let mut sink = Sink::create(path, &timeline.header).unwrap();
    for entry in &timeline.entries {
        sink.write(entry).unwrap();
    }
    std::fs::read(path).unwrap()
}

/// Reads bytes as a timeline file.
fn read_bytes(bytes: &[u8]) -> Result<Recorded, FormatError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("timeline.jsonl");
    std::fs::write(&path, bytes).unwrap();
    read(&path)
}

fn example() -> Timeline {
    let mut timeline = Draft::new("c2_replicas_omitted")
        .nodes(&["kind-worker"])
        .at(0.5)
        .step("apply 10-web.yaml")
        .at(1.25)
        .pods(&[("a", "kind-worker")])
        .mark("redeploy – ü")
        .deployment("web", 3, 0)
        .hpa("web", 3, Some(101))
        .event("FailedScheduling")
        .gap("pods")
        .at(2.0)
        .gone("a", "kind-worker")
        .at(3.0)
        .what(What::End(Ending::Complete))
        .done();
    timeline.header.variant = Some("with-hpa".to_owned());
    timeline.header.components.insert(
        "etcd".to_owned(),
        ComponentVersion {
            version: "v3.6.16".to_owned(),
            sha256: "ab".to_owned(),
            origin: "built from source".to_owned(),
        },
    );
    timeline
}

#[test]
fn a_written_timeline_is_read_back() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("timeline.jsonl");
    written(&example(), &path);
    let recorded = read(&path).unwrap();
    assert_eq!(recorded.timeline, example());
    assert_eq!(recorded.cut, None);
}

#[test]
fn another_version_is_refused_by_number() {
    let error = read_bytes(b"{\"kubeclash_timeline\":3,\"colour\":\"red\"}\n").unwrap_err();
    assert_matches!(error, FormatError::Version { found: 3, .. });
    assert!(
        error
            .to_string()
            .contains("format 3, and this kubeclash reads formats 1 to 2")
    );
}

#[test]
fn what_is_no_timeline_is_said_to_be_none() {
    for text in [
        "",
        "\n",
        "hello\n",
        "{\"case\":\"c7\"}\n",
        "{\"kubeclash_timeline\":\"1\"}\n",
    ] {
        assert_matches!(
            read_bytes(text.as_bytes()),
            Err(FormatError::NoHeader { .. }),
            "{text:?}"
        );
    }
}

#[test]
fn a_header_without_its_fields_names_line_1_and_the_field() {
    let error = read_bytes(b"{\"kubeclash_timeline\":1,\"case\":\"c7\"}\n").unwrap_err();
    assert_matches!(&error, FormatError::Line { line: 1, why, .. } if why.contains("arm"));
}

#[test]
fn a_missing_file_is_named() {
    let error = read(Path::new("/nowhere/timeline.jsonl")).unwrap_err();
    assert_matches!(error, FormatError::Io { doing: "read", .. });
    assert!(error.to_string().contains("/nowhere/timeline.jsonl"));
}

#[test]
fn garbage_in_the_middle_is_named_with_its_line() {
    let folder = TempDir::new().unwrap();
    let bytes = written(&example(), &folder.path().join("t"));
    let mut lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
    lines[3] = b"{\"t_ms\":3.0,\"pod\":";
    assert_matches!(
        read_bytes(&lines.join(&b'\n')),
        Err(FormatError::Line { line: 4, .. })
    );
    lines[3] = b"{\"t_ms\":-3.0,\"mark\":\"x\"}";
    let error = read_bytes(&lines.join(&b'\n')).unwrap_err();
    assert!(error.to_string().contains("t_ms: -3 is not a time"), "{error}");
}

#[test]
fn a_whole_last_line_that_is_no_entry_is_not_taken_for_a_cut() {
    let folder = TempDir::new().unwrap();
    let mut bytes = written(&example(), &folder.path().join("t"));
    bytes.extend_from_slice(b"{\"t_ms\":3,\"colour\":\"red\"}\n");
    assert_matches!(read_bytes(&bytes), Err(FormatError::Line { line: 12, .. }));
}

fn text() -> impl Strategy<Value = String> {
    "[a-z0-9\"\\\\\n é–-]{0,12}"
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![Just(Change::Seen), Just(Change::Gone)]
}

fn a_pod() -> impl Strategy<Value = PodSeen> {
    let texts = (text(), proptest::option::of(text()), proptest::option::of(text()));
    let flags = (any::<bool>(), any::<bool>(), any::<u64>());
    (texts, flags).prop_map(
        |((uid, on, because), (ready, terminating, cpu_request_m))| PodSeen {
            ready,
            terminating,
            cpu_request_m,
            reason: because.clone(),
            unschedulable: because.clone(),
            disruption: because.clone(),
            labels: because.into_iter().map(|label| (label.clone(), label)).collect(),
            owner: on.clone().map(|name| OwnerRef {
                kind: "ReplicaSet".to_owned(),
                uid: name.clone(),
                name,
            }),
            ..pod(&uid, on.as_deref())
        },
    )
}

fn a_what() -> impl Strategy<Value = What> {
    prop_oneof![
        text().prop_map(What::Mark),
        text().prop_map(What::Step),
        (change(), a_pod()).prop_map(|(change, state)| What::Pod(Sighting { change, state })),
        (text(), any::<u64>(), text()).prop_map(|(name, cpu, label)| {
            let mut state = node(&name, cpu);
            state.labels.insert(label.clone(), name.clone());
            state.taints.push(label);
            What::Node(seen(state))
        }),
        (text(), any::<i64>(), any::<i64>()).prop_map(|(name, wanted, ready)| {
            What::Workload(seen(WorkloadSeen {
                kind: "deployment".to_owned(),
                name,
                wanted,
                ready,
                ..WorkloadSeen::default()
            }))
        }),
        (text(), any::<i64>()).prop_map(|(name, wanted)| {
            What::Workload(seen(WorkloadSeen {
                kind: "replicaset".to_owned(),
                namespace: "default".to_owned(),
                name,
                wanted,
                ..WorkloadSeen::default()
            }))
        }),
        (text(), proptest::option::of(any::<i64>())).prop_map(|(name, cpu_percent)| {
            What::Hpa(seen(HpaSeen {
                name,
                cpu_percent,
                ..HpaSeen::default()
            }))
        }),
        (text(), any::<i64>()).prop_map(|(message, count)| {
            What::Event(EventSeen {
                message,
                count,
                ..EventSeen::default()
            })
        }),
        (text(), proptest::option::of(any::<i64>()), any::<u16>()).prop_map(|(agent, replicas, code)| {
            What::Request(crate::RequestSeen {
                why: replicas.is_none().then(|| agent.clone()),
                agent,
                replicas,
                code,
                ..crate::RequestSeen::default()
            })
        }),
        text().prop_map(|why| What::Gap(crate::Gap {
            watch: "pods".to_owned(),
            why
        })),
        text().prop_map(|why| What::End(Ending::Broken(why))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_written_is_read_back_equal(entries in proptest::collection::vec((0_u64..1_000_000_000_000, a_what()), 0..12)) {
        let mut timeline = example();
        timeline.entries = entries
            .into_iter()
            .map(|(us, what)| Entry { t: std::time::Duration::from_micros(us), what })
            .collect();
        let folder = TempDir::new().unwrap();
        let bytes = written(&timeline, &folder.path().join("t"));
        let recorded = read_bytes(&bytes).unwrap();
        // Lines may stand in another order than their times: what is told late is written late.
        timeline.entries.sort_by_key(|entry| entry.t);
        prop_assert_eq!(recorded.timeline, timeline);
    }

    #[test]
    fn a_file_that_is_cut_anywhere_is_read_up_to_there_and_says_so(at in any::<prop::sample::Index>()) {
        let folder = TempDir::new().unwrap();
        let whole = written(&example(), &folder.path().join("t"));
        let header = whole.iter().position(|b| *b == b'\n').unwrap();
        // The last line without its newline still says that the run was complete.
        let cut = at.index(whole.len() - 1);
        let found = read_bytes(&whole[..cut]);
        if cut < header {
            let refused = matches!(found, Err(FormatError::NoHeader { .. }));
            prop_assert!(refused, "a cut header is no header");
        } else {
            let recorded = found.unwrap();
            let lines = whole[..cut].iter().filter(|b| **b == b'\n').count();
            let entries = recorded.timeline.entries;
            // A line that lacks only its newline is all there.
            prop_assert!(entries.len() + 1 == lines || entries.len() == lines);
            prop_assert_eq!(&entries[..], &example().entries[..entries.len()]);
            prop_assert!(recorded.cut.is_some());
        }
    }
}

#[test]
fn times_are_kept_to_the_microsecond() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("t");
    let timeline = Draft::new("c7").at(0.000_412).mark("x").done();
    let bytes = written(&timeline, &path);
    assert!(
        String::from_utf8(bytes)
            .unwrap()
            .ends_with("{\"t_ms\":0.412,\"mark\":\"x\"}\n")
    );
    assert_eq!(read(&path).unwrap().timeline.entries[0].t, s(0.000_412));
}
