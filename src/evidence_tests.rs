use std::time::Duration;

use super::*;
use crate::report::tests::{c5, outcome as ended};
use crate::timeline::{Ending, Entry, Sink, What};

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
