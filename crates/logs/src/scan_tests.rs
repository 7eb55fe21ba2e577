use super::*;
use crate::Rules;
use proptest::prelude::*;
use std::io::Cursor;

const RED: &str = "E0930 07:12:03.000412       1 runtime.go:78] Observed a panic: &errors.errorString{s:\"killing \
connection/stream because serving request timed out and response had been started\"}";

/// What was seen: signature, line, and the minute and second of its time.
type Seen = Vec<(String, u64, Option<(i8, i8)>)>;

fn seen_of(rules: &Rules, sighting: &Sighting<'_>) -> (String, u64, Option<(i8, i8)>) {
    let time = sighting.stamp.map(|stamp| match stamp {
        Stamp::Dated(time, _) => (time.minute(), time.second()),
        Stamp::Yearless(_, _, time) => (time.minute(), time.second()),
    });
    let id = rules.signatures[sighting.signature].id.clone();
    (id, sighting.line, time)
}

fn read(log: &[u8]) -> (Seen, Scanner) {
    let rules = Rules::embedded().unwrap();
    let sieve = Sieve::new(&rules, |_| true).unwrap();
    let (mut seen, mut scanner) = (Vec::new(), Scanner::default());
    let mut tell = |sighting: &Sighting<'_>| seen.push(seen_of(&rules, sighting));
    scanner.read(&mut Cursor::new(log), &sieve, &mut tell).unwrap();
    (seen, scanner)
}

fn fed(log: &[u8], pieces: &[usize]) -> (Seen, Scanner) {
    let rules = Rules::embedded().unwrap();
    let sieve = Sieve::new(&rules, |_| true).unwrap();
    let (mut seen, mut scanner) = (Vec::new(), Scanner::default());
    let mut tell = |sighting: &Sighting<'_>| seen.push(seen_of(&rules, sighting));
    let mut rest = log;
    for piece in pieces.iter().cycle() {
        let (now, later) = rest.split_at((*piece).min(rest.len()));
        scanner.feed(now, &sieve, &mut tell);
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    scanner.end(&sieve, &mut tell);
    (seen, scanner)
}

fn of(seen: &Seen, id: &str) -> Vec<u64> {
    seen.iter()
        .filter(|(name, ..)| name == id)
        .map(|(_, line, _)| *line)
        .collect()
}

#[test]
fn a_line_counts_once_for_each_signature_with_its_number_and_time() {
    let log = format!("\n{RED}\r\nI0930 07:12:04.000000 1 a.go:1] b\n{RED} {RED}");
    let (seen, scanner) = read(log.as_bytes());
    assert_eq!(of(&seen, "killing-connection"), [2, 4]);
    assert_eq!(of(&seen, "apiserver-panic"), [2, 4]);
    assert!(seen.iter().all(|(_, _, time)| *time == Some((12, 3))), "{seen:?}");
    assert_eq!((scanner.lines(), scanner.bytes()), (4, log.len() as u64));
}

#[test]
fn a_line_without_a_time_has_that_of_the_line_before_it() {
    let gap = "x\n".repeat(2000);
    let log = format!("I0930 07:12:04.000000 1 a.go:1] b\n{gap}panic: runtime error: index\n");
    assert_eq!(
        read(log.as_bytes()).0,
        [("load-tool-panic".to_owned(), 2002, Some((12, 4)))]
    );
    // Also where that is in a chunk before.
    let gap = "x\n".repeat(CHUNK / 2 - 20);
    let log = format!(
        "I0930 07:12:04.000000 1 a.go:1] b\n{gap}{gap}I0930 07:12:05.000000 1 a.go:1] b\npanic: runtime error: i\n"
    );
    assert_eq!(read(log.as_bytes()).0[0].2, Some((12, 5)));
    assert_eq!(read(b"panic: runtime error: index\n").0[0].2, None);
}

#[test]
fn a_line_of_many_megabytes_is_found_in_wherever_it_stands_and_counts_once() {
    for at in [
        0,
        100,
        CHUNK - 50,
        CHUNK,
        CHUNK + OVERLAP,
        3 * CHUNK - 20,
        5_000_000,
    ] {
        let long = [
            b"I0930 07:12:09.000000 1 a.go:1] ".as_slice(),
            &vec![b'a'; at],
            RED.as_bytes(),
        ]
        .concat();
        let line = [&long[..], &vec![b'b'; 2_000_000], RED.as_bytes(), b"\n"].concat();
        let log = [b"first\n".as_slice(), &line, b"third\n", RED.as_bytes(), b"\n"].concat();
        let (seen, scanner) = read(&log);
        assert_eq!(of(&seen, "killing-connection"), [2, 4], "at {at}");
        assert_eq!(
            seen[0].2,
            Some((12, 9)),
            "the time is that of the line's beginning"
        );
        assert_eq!((scanner.lines(), scanner.bytes()), (4, log.len() as u64));
        assert_eq!(scanner.buffer.len(), CHUNK, "no more is held");
    }
}

#[test]
fn a_long_line_full_of_literals_takes_no_time_that_grows_with_its_square() {
    // Each literal alone would have its whole window looked at: 8 MB / 16 bytes × 64 KiB.
    let log = b"took too long   ".repeat(500_000);
    let (seen, _) = read(&log);
    assert_eq!(of(&seen, "took-too-long"), [1]);
}

#[test]
fn rubbish_zeros_and_broken_text_do_no_harm() {
    let mut log: Vec<u8> = (0..3_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    log.retain(|byte| *byte != b'\n');
    let whole = [&log[..], b"\n\0\0\0\0", RED.as_bytes(), b"\xff\xfe\n"].concat();
    let (seen, _) = read(&whole);
    assert_eq!(of(&seen, "killing-connection"), [2]);
    assert_eq!(seen[0].2, Some((12, 3)));
}

#[test]
fn what_is_appended_is_looked_at_line_by_line() {
    let rules = Rules::embedded().unwrap();
    let sieve = Sieve::new(&rules, |_| true).unwrap();
    let mut scanner = Scanner::default();
    let mut count = 0;
    for byte in RED.as_bytes() {
        scanner.feed(&[*byte], &sieve, &mut |_| count += 1);
    }
    assert_eq!((count, scanner.lines()), (0, 1));
    let mut count = 0;
    scanner.feed(b"\nmore", &sieve, &mut |_| count += 1);
    assert_eq!((count, scanner.lines()), (2, 2));
}

/// A container's log: a line in parts of so many bytes.
fn in_parts(line: &[u8], size: usize) -> Vec<u8> {
    let parts: Vec<&[u8]> = line.chunks(size).collect();
    let mut log = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let tag: &[u8] = if at + 1 < parts.len() { b"P" } else { b"F" };
        log.extend([b"2026-02-03T09:12:03.000000001Z stderr ", tag, b" ", part, b"\n"].concat());
    }
    log
}

#[test]
fn a_line_of_many_megabytes_in_parts_is_found_in_wherever_it_is_cut() {
    for size in [50, 1000, 16 << 10] {
        let long = [RED.as_bytes(), &vec![b'a'; 3 * CHUNK + 77], RED.as_bytes()].concat();
        let parts = in_parts(&long, size);
        let lines = parts.iter().filter(|byte| **byte == b'\n').count() as u64;
        let log = [
            b"first\n",
            &parts[..],
            b"middle\n",
            &in_parts(RED.as_bytes(), size),
        ]
        .concat();
        let (seen, scanner) = read(&log);
        assert_eq!(of(&seen, "killing-connection"), [2, lines + 3], "{size}");
        assert!(seen.iter().all(|(_, _, time)| *time == Some((12, 3))), "{seen:?}");
        let all = log.iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!((scanner.lines(), scanner.bytes()), (all, log.len() as u64));
        assert_eq!(scanner.buffer.len(), CHUNK, "no more is held");
        let (parts, other) = fed(&log, &[700_000, 13, 90_000]);
        assert_eq!((parts, other.lines()), (seen, all));
    }
}

#[test]
fn parts_that_never_end_take_no_time_that_grows_with_their_square() {
    let t = "2026-02-03T09:12:03.000000001Z";
    let log = format!("{t} stderr P a\n{t} stdout P b\n").repeat(100_000);
    assert_eq!(read(log.as_bytes()).1.lines(), 200_000);
    let log = format!("{t} stderr P a\n{t} stdout F b\n").repeat(100_000);
    assert_eq!(read(log.as_bytes()).1.lines(), 200_000);
    let log = " stderr P stdout P".repeat(500_000);
    assert_eq!(read(log.as_bytes()).1.lines(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// However a log is cut into pieces and lines: as many are found as there are, with their numbers.
    #[test]
    fn nothing_is_lost_between_pieces(
        lines in prop::collection::vec((0_usize..3, 0_usize..90_000), 1..60),
        pieces in prop::collection::vec(1_usize..700_000, 1..6),
        last in any::<bool>(),
    ) {
        let mut log = Vec::new();
        let mut wanted = Vec::new();
        for (number, (kind, filler)) in lines.iter().enumerate() {
            if number > 0 {
                log.push(b'\n');
            }
            log.extend(vec![b'.'; *filler]);
            if *kind == 0 {
                log.extend(RED.as_bytes());
                wanted.push(number as u64 + 1);
            }
        }
        if last {
            log.push(b'\n');
        }
        let (whole, scanner) = read(&log);
        prop_assert_eq!(of(&whole, "killing-connection"), wanted.clone());
        let (parts, other) = fed(&log, &pieces);
        prop_assert_eq!(of(&parts, "killing-connection"), wanted);
        prop_assert_eq!(scanner.lines(), other.lines());
        prop_assert_eq!(other.bytes(), log.len() as u64);
    }
}
