use std::time::Duration;

use super::*;
use crate::report::tests::{c5, outcome as ended};
use kubeclash_timeline::{Ending, Entry, Judgement, Sink, Verdict, What};

/// The folder of a run with a whole recording.
fn run(dir: &Path, name: &str) -> PathBuf {
    let folder = dir.join(name);
    fs::create_dir_all(folder.join("logs")).unwrap();
    let mut timeline = c5();
    timeline.entries.push(Entry {
        t: Duration::from_secs(46),
        what: What::End(Ending::Complete),
    });
    let mut sink = Sink::create(&folder.join(TIMELINE), &timeline.header).unwrap();
    for entry in &timeline.entries {
        sink.write(entry).unwrap();
    }
    fs::write(folder.join(VERDICT), serde_json::to_string(&ended()).unwrap()).unwrap();
    folder
}

fn rewrite(file: &Path, change: impl Fn(String) -> String) {
    let text = fs::read_to_string(file).unwrap();
    fs::write(file, change(text)).unwrap();
}

#[test]
fn runs_are_found_at_any_depth_in_order_and_links_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let b = run(dir.path(), "c5/broken/2");
    let a = run(dir.path(), "c5/broken/1");
    std::os::unix::fs::symlink(dir.path(), dir.path().join("c5/again")).unwrap();
    assert_eq!(runs(dir.path()), [a.clone(), b]);
    assert_eq!(runs(&a), std::slice::from_ref(&a), "a run itself");
    assert_eq!(runs(&a.join("logs")), Vec::<PathBuf>::new());
}

#[test]
fn a_whole_run_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let found = read(&run(dir.path(), "1")).unwrap();
    assert_eq!((found.outcome, found.lacks), (ended(), None));
    assert!(found.timeline.is_some_and(|timeline| timeline.entries.len() > 20));
}

#[test]
fn a_verdict_stands_without_its_recording_and_what_that_lacks_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let lacks = |change: fn(String) -> String| {
        let folder = run(dir.path(), "1");
        rewrite(&folder.join(TIMELINE), change);
        let found = read(&folder).unwrap();
        (found.timeline.is_some(), found.lacks.unwrap())
    };
    let (drawn, why) = lacks(|text| text[..text.len() - 30].to_owned());
    assert!(drawn && why.contains("its last line is cut off"), "{why}");
    let (drawn, why) =
        lacks(|text| text.replacen("{\"kubeclash_timeline\":2", "{\"kubeclash_timeline\":3", 1));
    assert!(!drawn && why.contains("is a timeline of format 3"), "{why}");
    let (drawn, why) = lacks(|text| text.replacen("\"mark\"", "\"makr\"", 1));
    assert!(!drawn && why.contains("is not an entry"), "{why}");
    let (drawn, why) = lacks(|text| text.replacen("c5_remove_duplicates_loop", "c6_other", 1));
    assert!(
        !drawn && why.contains("is a recording of c6_other broken"),
        "{why}"
    );
    let (drawn, why) =
        lacks(|text| text.replacen("\"end\":\"complete\"", "\"end\":{\"broken\":\"etcd died\"}", 1));
    assert!(drawn && why.contains("not whole: etcd died"), "{why}");
    let folder = run(dir.path(), "1");
    fs::remove_file(folder.join(TIMELINE)).unwrap();
    let found = read(&folder).unwrap();
    assert!(found.lacks.unwrap().contains("can't be read"));
}

#[test]
fn without_a_verdict_there_is_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = run(dir.path(), "1");
    rewrite(&folder.join(VERDICT), |text| text.replace("reproduced", ""));
    let why = read(&folder).unwrap_err();
    assert!(why.contains("verdict.json\" is not an outcome: "), "{why}");
    fs::remove_file(folder.join(VERDICT)).unwrap();
    let why = read(&folder).unwrap_err();
    assert!(why.contains("can't be read"), "{why}");
}

#[test]
fn a_file_larger_than_any_of_ours_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let folder = run(dir.path(), "1");
    fs::File::create(folder.join(TIMELINE))
        .unwrap()
        .set_len(LARGEST + 1)
        .unwrap();
    assert!(read(&folder).unwrap().lacks.unwrap().contains("256 MiB"));
}

/// An outcome's JSON, changed.
fn changed(
    outcome: &Outcome,
    change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>),
) -> Result<Outcome, String> {
    let mut value = serde_json::to_value(outcome).unwrap();
    change(value.as_object_mut().unwrap());
    serde_json::from_value(value).map_err(|e| e.to_string())
}

#[test]
fn a_reason_is_why_in_json_and_what_was_seen_nevertheless_has_a_field_of_its_own() {
    let unclear = Outcome {
        verdict: Verdict::Inconclusive("a gap".to_owned()),
        ..ended()
    };
    let value = serde_json::to_value(&unclear).unwrap();
    assert_eq!(
        (&value["verdict"], &value["why"]),
        (&"inconclusive".into(), &"a gap".into())
    );
    assert_eq!(value["seen"], ended().why());
    assert_eq!(value["ok"], false);
    assert_eq!(serde_json::from_value::<Outcome>(value).unwrap(), unclear);
    let value = serde_json::to_value(ended()).unwrap();
    assert_eq!(value["why"], ended().seen);
    assert!(value.get("seen").is_none(), "{value}");
}

#[test]
fn an_old_inconclusive_outcome_has_its_reason_and_nothing_that_was_seen() {
    let old = changed(&ended(), |outcome| {
        outcome.insert("verdict".to_owned(), "inconclusive".into());
        outcome.insert("ok".to_owned(), false.into());
        outcome.insert("why".to_owned(), "a gap".into());
        outcome.insert(
            "runs".to_owned(),
            serde_json::json!([{"verdict": "inconclusive", "evidence": "a"}]),
        );
    });
    let old = old.unwrap();
    assert_eq!(
        (old.verdict.reason(), old.why(), old.seen.as_str()),
        (Some("a gap"), "a gap", "")
    );
    assert!(old.runs[0].verdict.is_inconclusive());
}

#[test]
fn an_outcome_against_its_own_verdict_is_refused() {
    let refused = |key: &str, value: serde_json::Value| {
        changed(&ended(), |outcome| drop(outcome.insert(key.to_owned(), value))).unwrap_err()
    };
    assert_eq!(
        refused("ok", false.into()),
        "it says \"ok\": false against its own verdict: reproduced, and reproduced was expected"
    );
    assert_eq!(
        refused("expected", "absent".into()),
        "it says \"ok\": true against its own verdict: reproduced, and absent was expected"
    );
    assert_eq!(
        refused("change", "cured".into()),
        "it says \"change\": \"cured\" against its own verdict: reproduced, and reproduced was expected"
    );
    assert!(refused("verdict", "odd".into()).contains("unknown variant"));
}

#[test]
fn an_outcome_is_built_of_its_run_and_what_the_judge_says() {
    let context = || RunContext {
        id: ended().id,
        expected: ended().expected,
        expected_why: None,
        elapsed: Duration::from_millis(ended().elapsed_ms),
        ready: Duration::from_millis(ended().ready_ms),
        created: None,
        provider: ended().provider,
        pace: ended().pace,
        components: ended().components,
        evidence: ended().evidence,
    };
    let judgement = Judgement {
        verdict: Verdict::Reproduced,
        why: ended().seen,
        fight: ended().fight,
        attribution: Vec::new(),
        facts: ended().facts,
        needed: Some(Duration::from_millis(35_700)),
        watched: Duration::from_millis(41_000),
    };
    assert_eq!(Outcome::new(context(), judgement.clone()), ended());
    let unclear = Outcome::new(context(), judgement.unless("a gap"));
    assert_eq!((unclear.why(), &unclear.seen), ("a gap", &ended().seen));
    let nothing = Outcome::new(context(), Judgement::inconclusive("a gap"));
    assert_eq!((nothing.why(), nothing.seen.as_str()), ("a gap", ""));
    assert!(!nothing.ok() && nothing.change().is_none());
}
