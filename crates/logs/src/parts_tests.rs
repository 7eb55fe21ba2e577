use super::*;
use proptest::prelude::*;

/// The same with buffers of any size: pieces come in, whole lines go out.
fn joined(log: &[u8], pieces: &[usize]) -> (Vec<u8>, u64) {
    let (mut parts, mut buffer, mut filled) = (Parts::default(), vec![0; log.len()], 0);
    let mut rest = log;
    for piece in pieces.iter().cycle() {
        let (now, later) = rest.split_at((*piece).min(rest.len()));
        buffer[filled..][..now.len()].copy_from_slice(now);
        filled = parts.join(&mut buffer, filled + now.len(), false);
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    let filled = parts.join(&mut buffer, filled, true);
    assert_eq!(parts.ready(), filled);
    let gone = parts.between(0, filled);
    buffer.truncate(filled);
    (buffer, gone)
}

fn whole(log: &str) -> (String, u64) {
    let (text, gone) = joined(log.as_bytes(), &[log.len()]);
    for pieces in [&[1][..], &[7, 64], &[3, 200, 11]] {
        assert_eq!(joined(log.as_bytes(), pieces), (text.clone(), gone), "{pieces:?}");
    }
    (String::from_utf8(text).unwrap(), gone)
}

const T: &str = "2026-02-03T09:10:11.000000001Z";

#[test]
fn parts_of_a_line_are_one_line() {
    let log = format!(
        "{T} stderr F one\n{T} stderr P tw\n{T} stderr P o a\n{T} stderr F nd more\n{T} stderr F three\n"
    );
    let wanted = format!("{T} stderr F one\n{T} stderr P two and more\n{T} stderr F three\n");
    assert_eq!(whole(&log), (wanted, 2));
}

#[test]
fn what_the_other_stream_says_in_between_comes_behind() {
    let log = format!(
        "{T} stderr P a\n{T} stdout F x\n{T} stdout P y\n{T} stderr P b\n{T} stdout F z\n{T} stderr F c\n{T} stderr F d\n"
    );
    let wanted = format!("{T} stderr P abc\n{T} stdout F x\n{T} stdout P yz\n{T} stderr F d\n");
    assert_eq!(whole(&log), (wanted, 3));
}

#[test]
fn a_line_that_only_looks_like_a_part_stays_as_it_is() {
    for log in [
        format!("{T} stderr P never ended\nI0930 07:12:04.000000 1 a.go:1] b\n"),
        format!("{T} stderr P never ended\n{T} stdout F x\n"),
        format!("{T} stderr F it said: {T} stderr P no\n{T} stderr F b\n"),
        "a stderr P b\nc stderr F d\n".to_owned(),
        format!("{T} stderr Partly\n{T} stderr F b\n"),
        format!("I0930 1 a.go:1] {T} stderr P a\n{T} stderr F b"),
    ] {
        assert_eq!(whole(&log), (log.clone(), 0), "{log}");
    }
}

#[test]
fn tags_offsets_and_empty_parts_are_known() {
    let t = "2026-02-03T09:10:11.5+01:00";
    let log = format!("{t} stdout P:a a\n{t} stdout P \n{t} stdout F\n{t} stdout P b\n{t} stdout F:b c");
    let wanted = format!("{t} stdout P:a a\n{t} stdout P bc");
    assert_eq!(whole(&log), (wanted, 3));
}

#[test]
fn what_can_not_be_held_is_taken_as_it_is() {
    let mut parts = Parts::default();
    let log = format!("{T} stderr P a\n{T} stdout F {}", "x".repeat(200_000));
    let mut buffer = log.clone().into_bytes();
    let filled = parts.join(&mut buffer, log.len(), false);
    assert_eq!((filled, parts.ready()), (log.len(), log.len()));
}

proptest! {
    /// However lines are cut into parts, and however those come in.
    #[test]
    fn what_is_cut_into_parts_is_made_whole(
        lines in prop::collection::vec(("[a-z \\n]{0,90}", 1_usize..40), 0..12),
        pieces in prop::collection::vec(1_usize..300, 1..5),
    ) {
        let (mut log, mut wanted, mut cuts) = (String::new(), String::new(), 0);
        for (text, size) in &lines {
            let text = text.replace('\n', "-");
            let parts: Vec<&str> = text.as_bytes().chunks(*size).map(|part| std::str::from_utf8(part).unwrap()).collect();
            for (at, part) in parts.iter().enumerate() {
                let tag = if at + 1 < parts.len() { "P" } else { "F" };
                log += &format!("{T} stderr {tag} {part}\n");
            }
            if !parts.is_empty() {
                let tag = if parts.len() > 1 { "P" } else { "F" };
                wanted += &format!("{T} stderr {tag} {text}\n");
                cuts += parts.len() as u64 - 1;
            }
        }
        let (text, gone) = joined(log.as_bytes(), &pieces);
        prop_assert_eq!(String::from_utf8(text).unwrap(), wanted);
        prop_assert_eq!(gone, cuts);
    }
}
