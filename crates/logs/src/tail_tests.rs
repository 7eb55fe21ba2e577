use super::*;
use crate::Rules;
use kubeclash_timeline::Label;
use std::fs::{self, OpenOptions};
use std::io::Write;

const RED: &str = "E0930 07:13:00.500000       1 runtime.go:78] Observed a panic: &errors.errorString{s:\"killing \
connection/stream because serving request timed out and response had been started\"}\n";

fn tail() -> Tail {
    Tail::new(Arc::new(Classifier::new(Rules::embedded().unwrap()).unwrap()))
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn the_first_red_line_is_told_when_it_is_complete() {
    let mut tail = tail();
    let log = Path::new("logs/kube-apiserver.log");
    let (a, b) = RED.split_at(90);
    tail.append(log, a.as_bytes());
    assert_eq!(tail.first_red(), None);
    tail.append(log, b.as_bytes());
    let hit = tail.first_red().cloned().unwrap();
    assert_eq!(
        (hit.signature.as_str(), hit.place.line),
        ("killing-connection", 1)
    );
    assert_eq!(hit.place.file.as_ref(), log);
    tail.append(
        Path::new("logs/kubelet.log"),
        b"Container kube-apiserver failed liveness probe, will be restarted\n",
    );
    assert_eq!(tail.first_red(), Some(&hit), "the first stays the first");
    assert_eq!(tail.finish().red.len(), 2);
}

const ABORT: &[u8] =
    b"E1122 10:00:00.000001 1 wrap.go:53] \"Timeout or abort while handling\" method=\"GET\"\n";

#[test]
fn a_signature_that_takes_several_lines_is_red_with_the_last_of_them() {
    let mut rules = Rules::embedded().unwrap();
    let abort = rules
        .signatures
        .iter_mut()
        .find(|signature| signature.id == "timeout-or-abort");
    abort.unwrap().less.clear();
    let mut tail = Tail::new(Arc::new(Classifier::new(rules).unwrap()));
    let log = Path::new("kube-apiserver.log");
    for number in 1..=10 {
        assert_eq!(tail.first_red(), None, "{number}");
        tail.append(log, ABORT);
    }
    assert_eq!(tail.first_red().unwrap().signature, "timeout-or-abort");
    assert_eq!(tail.first_red().unwrap().place.line, 1);
}

/// What is said early has to stay true.
#[test]
fn what_a_later_line_may_explain_is_red_at_the_end_and_not_before() {
    for (explained, label) in [(0, Label::Red), (10, Label::Black)] {
        let mut tail = tail();
        let log = Path::new("kube-apiserver.log");
        tail.append(log, &ABORT.repeat(10));
        assert_eq!(tail.first_red(), None);
        let over = "E1122 10:00:00.000061 1 timeout.go:140] \"Post-timeout activity\" timeElapsed=\"11.278\u{b5}s\"\n";
        tail.append(log, over.repeat(explained).as_bytes());
        assert_eq!(tail.first_red(), None);
        assert_eq!(tail.finish().label, label);
    }
}

#[test]
fn a_log_of_somebody_else_says_nothing_of_the_api_server() {
    let mut tail = tail();
    tail.append(Path::new("kube-scheduler.log"), RED.as_bytes());
    assert_eq!(tail.first_red(), None);
    tail.append(Path::new("what.txt"), RED.as_bytes());
    assert!(tail.first_red().is_some());
}

#[test]
fn a_folder_is_followed_as_its_logs_grow_are_truncated_and_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("kube-apiserver.log");
    let mut tail = tail();
    tail.poll(dir.path());
    append(
        &log,
        "I0930 07:00:00.000000 1 a.go:1] one\nI0930 07:00:01.000000 1 a.go:1] tw",
    );
    tail.poll(dir.path());
    append(&log, "o\n");
    tail.poll(dir.path());
    tail.poll(dir.path());
    assert_eq!(tail.logs[&log].scanner.lines(), 2);
    // As logrotate's copytruncate does.
    fs::write(&log, "three\n").unwrap();
    tail.poll(dir.path());
    assert_eq!(tail.logs[&log].scanner.lines(), 3);
    // As rename and create do.
    fs::rename(&log, dir.path().join("old")).unwrap();
    fs::write(
        &log,
        format!("four, which is longer than what was there before, as it happens\n{RED}"),
    )
    .unwrap();
    tail.poll(dir.path());
    assert_eq!(tail.first_red().unwrap().place.line, 5);
    append(
        &dir.path().join("nohup.out"),
        "I0930 07:00:00.000000 1 a.go:1] Step \"Creating objects\" started",
    );
    tail.poll(dir.path());
    let seen = tail.finish();
    assert_eq!((seen.label, seen.reached.unwrap().number), (Label::Red, 5));
    let note = seen
        .logs
        .iter()
        .find(|read| read.path == log)
        .unwrap()
        .note
        .clone();
    assert_eq!(
        note.as_deref(),
        Some("it was truncated or replaced while it was written")
    );
}
