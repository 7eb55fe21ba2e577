//! When a line was written: the times of klog, zap, capnslog, containers and the system's log, to the microsecond.
//!
//! klog and the system's log say neither year nor zone. Both are taken from elsewhere ([`Calendar`]), and where the year is
//! from is told. Where nothing in a log names a zone, times are taken as they are: control planes run on UTC.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use memchr::memmem;
use serde::{Serialize, Serializer};

/// What a time with a year says of its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// Nothing.
    Unsaid,
    /// That it is UTC: as seconds, or with a `Z`. Some programs write so wherever they run, so it says nothing of other lines.
    Utc,
    /// That of whoever wrote it: an offset, or what a clock beside it shows.
    Local(Offset),
}

/// What a line says of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// With a year: in UTC, unless it does not say in which zone.
    Dated(DateTime, Zone),
    /// Without one: month, day, time.
    Yearless(i8, i8, Time),
}

impl Stamp {
    /// The time that a line begins with, or that is one of its JSON fields.
    #[must_use]
    pub fn of(line: &[u8]) -> Option<Self> {
        // A log that was truncated while its writer was at work begins with zeros.
        let start = line.iter().position(|byte| !matches!(byte, 0 | b' ' | b'\t'))?;
        let line = &line[start..];
        match line[0] {
            b'I' | b'W' | b'E' | b'F' => klog(line).or_else(|| syslog(line)),
            b'0'..=b'9' => dated(line).map(|(time, zone)| Self::Dated(time, zone)),
            b'{' => json(line),
            b't' => logfmt(line),
            b'A'..=b'Z' => syslog(line),
            _ => None,
        }
    }
}

/// A zone's time as UTC's.
pub(super) fn utc(local: DateTime, zone: Offset) -> Option<DateTime> {
    local
        .checked_sub(SignedDuration::from_secs(i64::from(zone.seconds())))
        .ok()
}

/// The date of a month and a day that is nearest to another.
pub(super) fn nearest(near: Date, month: i8, day: i8) -> Option<Date> {
    let year = near.year();
    let dates = (year - 1..=year + 1).filter_map(|year| Date::new(year, month, day).ok());
    dates.min_by_key(|date| date.duration_since(near).abs())
}

/// Two digits at a place.
fn two(text: &[u8], at: usize) -> Option<i8> {
    match text.get(at..at + 2)? {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some(((tens - b'0') * 10 + (ones - b'0')).cast_signed()),
        // The system's log has a blank before days of one digit.
        [b' ', ones @ b'0'..=b'9'] => Some((ones - b'0').cast_signed()),
        _ => None,
    }
}

/// `hh:mm:ss` with or without a fraction, and what comes after it.
fn clock(text: &[u8]) -> Option<(Time, &[u8])> {
    if text.get(2) != Some(&b':') || text.get(5) != Some(&b':') {
        return None;
    }
    let mut rest = text.get(8..)?;
    let mut micros = 0_i32;
    if let Some(digits) = rest.strip_prefix(b".").or_else(|| rest.strip_prefix(b",")) {
        let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let six = digits[..count]
            .iter()
            .map(|digit| digit - b'0')
            .chain(std::iter::repeat(0))
            .take(6);
        micros = six.fold(0, |micros, digit| micros * 10 + i32::from(digit));
        rest = &digits[count..];
    }
    // A leap second is the last that a clock shows.
    let time = Time::new(two(text, 0)?, two(text, 3)?, two(text, 6)?.min(59), micros * 1000).ok()?;
    Some((time, rest))
}

/// `I0930 18:12:03.123456`.
fn klog(line: &[u8]) -> Option<Stamp> {
    if line.get(5) != Some(&b' ') || !line.get(1)?.is_ascii_digit() {
        return None;
    }
    let (time, _) = clock(&line[6..])?;
    Some(Stamp::Yearless(two(line, 1)?, two(line, 3)?, time))
}

/// `Sep 30 18:12:03 host kubelet[1]: …`; the program's own time where that comes after it, as it is finer.
fn syslog(line: &[u8]) -> Option<Stamp> {
    const MONTHS: [&[u8]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
    ];
    let month = MONTHS.iter().position(|month| line.starts_with(month))?;
    let (time, rest) = clock(line.get(7..)?)?;
    let (month, day) = (i8::try_from(month + 1).ok()?, two(line, 4)?);
    let inner = memmem::find(&rest[..rest.len().min(256)], b"]: ");
    let inner = inner.and_then(|at| program(&rest[at + 3..]));
    Some(match inner {
        // Two clocks for one moment: how far they are apart is the zone of the one that names none.
        Some(Stamp::Dated(utc, Zone::Utc | Zone::Local(_))) => {
            let zone = apart(month, day, time, utc);
            Stamp::Dated(utc, zone.map_or(Zone::Utc, Zone::Local))
        }
        Some(inner) => inner,
        None => Stamp::Yearless(month, day, time),
    })
}

/// The time that a program's own line has, behind the system's.
fn program(line: &[u8]) -> Option<Stamp> {
    match line.first()? {
        b'{' => json(line),
        b't' => logfmt(line),
        b'0'..=b'9' => dated(line).map(|(time, zone)| Stamp::Dated(time, zone)),
        _ => klog(line),
    }
}

/// How far a local clock is from UTC, in quarters of an hour; `None` where the two can't be of one moment.
fn apart(month: i8, day: i8, time: Time, utc: DateTime) -> Option<Offset> {
    let local = nearest(utc.date(), month, day)?.to_datetime(time);
    let seconds = local.duration_since(utc).as_secs();
    let quarters = (seconds + if seconds < 0 { -450 } else { 450 }) / 900;
    // A line is passed on at once, or soon.
    let fits = (seconds - quarters * 900).abs() <= 120;
    let offset = i32::try_from(quarters * 900)
        .ok()
        .filter(|offset| fits && offset.abs() <= 14 * 3600);
    Offset::from_seconds(offset?).ok()
}

/// `time="2024-01-11T03:12:02-08:00" level=fatal`, with or without the quotes; `ts=` as well.
fn logfmt(line: &[u8]) -> Option<Stamp> {
    let value = line
        .strip_prefix(b"time=")
        .or_else(|| line.strip_prefix(b"ts="))?;
    let value = value.strip_prefix(b"\"").unwrap_or(value);
    dated(value).map(|(time, zone)| Stamp::Dated(time, zone))
}

/// `2020-09-30 18:12:03.123456`, with `T` or slashes as well, with or without a zone.
pub(super) fn dated(text: &[u8]) -> Option<(DateTime, Zone)> {
    let year = i16::from(two(text, 0)?) * 100 + i16::from(two(text, 2)?);
    if !matches!(text.get(4)?, b'-' | b'/') || !matches!(text.get(10)?, b' ' | b'T') {
        return None;
    }
    let date = Date::new(year, two(text, 5)?, two(text, 8)?).ok()?;
    let (time, rest) = clock(&text[11..])?;
    let time = date.to_datetime(time);
    let sign = match rest.first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        Some(b'Z') => return Some((time, Zone::Utc)),
        _ => return Some((time, Zone::Unsaid)),
    };
    let Some(hours) = two(rest, 1) else {
        return Some((time, Zone::Unsaid));
    };
    let minutes = two(rest, if rest.get(3) == Some(&b':') { 4 } else { 3 }).unwrap_or_default();
    let seconds = sign * (i32::from(hours) * 60 + i32::from(minutes)) * 60;
    let zone = Offset::from_seconds(seconds).ok()?;
    Some((utc(time, zone)?, Zone::Local(zone)))
}

/// The field `ts` (klog's and zap's), `time` (of a container engine) or `timestamp`, as text or as a number.
fn json(line: &[u8]) -> Option<Stamp> {
    let fields: [&[u8]; 3] = [b"\"ts\":", b"\"time\":", b"\"timestamp\":"];
    fields.iter().find_map(|field| {
        let at = memmem::find(line, field)? + field.len();
        let value = line[at..].trim_ascii_start();
        let value = &value[..value.len().min(48)];
        if let Some(text) = value.strip_prefix(b"\"") {
            return dated(text).map(|(time, zone)| Stamp::Dated(time, zone));
        }
        let digits = value
            .iter()
            .take_while(|byte| byte.is_ascii_digit() || b".eE+-".contains(byte));
        let number = std::str::from_utf8(&value[..digits.count()])
            .ok()?
            .parse::<f64>()
            .ok()?;
        // Kubernetes writes milliseconds, zap by itself seconds.
        let seconds = if number > 1e11 { number / 1000.0 } else { number };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what is no time of ours is refused by the next line"
        )]
        let micros = (seconds * 1e6).round() as i64;
        let time = Timestamp::from_microsecond(micros).ok()?;
        Some(Stamp::Dated(Offset::UTC.to_datetime(time), Zone::Utc))
    })
}

/// A time as output has it.
pub fn written(time: DateTime) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

/// A time, if there is one, as output has it.
pub(super) fn time_text<S: Serializer>(time: &Option<DateTime>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(written).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{Calendar, YearFrom};
    use jiff::civil::date;

    fn at(line: &str) -> String {
        let calendar = Calendar::near(date(2020, 10, 1), YearFrom::Path);
        let time = Stamp::of(line.as_bytes()).and_then(|stamp| stamp.at(&calendar));
        time.map_or_else(|| "none".to_owned(), |time| time.to_string())
    }

    #[test]
    fn every_form_of_a_time_is_known_to_the_microsecond() {
        for (line, time) in [
            (
                "I0930 18:12:03.123456       1 a.go:1] b",
                "2020-09-30T18:12:03.123456",
            ),
            (
                "\0\0\0E1001 07:00:00.000001       1 a.go:1] b",
                "2020-10-01T07:00:00.000001",
            ),
            (
                "2020-09-30 18:12:03.123456 W | etcdserver: a",
                "2020-09-30T18:12:03.123456",
            ),
            (
                "2026-11-22T10:00:00.123456789Z stderr F E1122 a",
                "2026-11-22T10:00:00.123456",
            ),
            ("2026/11/22 10:00:00 a", "2026-11-22T10:00:00"),
            ("2026-11-22T10:00:00.5+0130 a", "2026-11-22T08:30:00.5"),
            ("2026-11-22T23:00:00-05:00 a", "2026-11-23T04:00:00"),
            ("Sep  3 18:12:03 host kubelet[7]: a", "2020-09-03T18:12:03"),
            (
                "Sep 30 18:12:03 host kubelet[7]: E0930 18:12:02.999999    7 a.go:1] b",
                "2020-09-30T18:12:02.999999",
            ),
            (
                "{\"level\":\"warn\",\"ts\":\"2026-11-22T10:00:00.123456Z\"}",
                "2026-11-22T10:00:00.123456",
            ),
            (
                "{\"ts\":1580306777047.728,\"msg\":\"a\"}",
                "2020-01-29T14:06:17.047728",
            ),
            (
                "{\"level\":\"info\",\"ts\":1580306777.04728}",
                "2020-01-29T14:06:17.04728",
            ),
            (
                "{\"log\":\"{\\\"time\\\":\\\"x\\\"}\",\"time\":\"2026-11-22T10:00:00Z\"}",
                "2026-11-22T10:00:00",
            ),
        ] {
            assert_eq!(at(line), time, "{line}");
        }
    }

    #[test]
    fn a_time_that_is_cut_off_or_spoilt_does_no_harm() {
        for line in [
            "I0930 18:12:03.123456       1 a",
            "2026-11-22T23:00:00.123-05:00 a",
            "Sep 30 18:12:03 host kubelet[7]: E0930 18:12:02.999999 7",
            "{\"ts\":1580306777047.728,\"time\":\"2026-11-22T10:00:00+01:30\"}",
        ] {
            for cut in 0..=line.len() {
                let _ = at(&line[..cut]);
                let mut spoilt = line.as_bytes().to_vec();
                for byte in [0, b'9', b' ', b':', 0xff] {
                    spoilt.truncate(cut);
                    spoilt.push(byte);
                    spoilt.extend(&line.as_bytes()[(cut + 1).min(line.len())..]);
                    let _ = Stamp::of(&spoilt)
                        .and_then(|stamp| stamp.at(&Calendar::near(date(2020, 1, 1), YearFrom::Today)));
                }
            }
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for line in [
            "",
            "goroutine 1 [running]:",
            "I1330 18:12:03.123456 1",
            "I0930 25:12:03.123456 1",
            "Iamnoklog line",
            "I0",
            "2020-13-01 00:00:00",
            "2020",
            "{}",
            "{\"ts\":\"x\"}",
            "{\"ts\":}",
            "{\"ts\":1e300}",
            "Sep",
            "Sep 30 xx",
        ] {
            assert_eq!(at(line), "none", "{line}");
        }
    }

    #[test]
    fn a_zone_is_that_of_an_offset_or_of_two_clocks_beside_each_other() {
        let zone = |line: &str| match Stamp::of(line.as_bytes()) {
            Some(Stamp::Dated(_, Zone::Local(zone))) => zone.to_string(),
            other => format!("{other:?}"),
        };
        let host = "Jan 11 03:12:01 edge-2 k3s[901]: ";
        for (line, wanted) in [
            (r#"time="2024-01-11T03:12:02-08:00" level=info"#.to_owned(), "-08"),
            (r#"time=2024-01-11T03:12:02+0530 level=info"#.to_owned(), "+05:30"),
            (
                format!(r#"{host}{{"level":"warn","ts":"2024-01-11T03:12:01.120-0800"}}"#),
                "-08",
            ),
            // Whoever writes UTC everywhere says by that what the clock before it is.
            (
                format!(r#"{host}{{"level":"warn","ts":"2024-01-11T11:12:01.120Z"}}"#),
                "-08",
            ),
            (format!(r#"{host}{{"level":"warn","ts":1704971521.12}}"#), "-08"),
            (
                "Dec 31 19:00:05 h k[1]: time=\"2024-01-01T00:00:03Z\"".to_owned(),
                "-05",
            ),
            (
                "Jan  1 05:45:05 h k[1]: time=\"2024-01-01T00:00:03Z\"".to_owned(),
                "+05:45",
            ),
        ] {
            assert_eq!(zone(&line), wanted, "{line}");
        }
        for line in [
            "2024-01-11T11:12:01Z a",
            r#"{"ts":1580306777047.728}"#,
            // Of another moment: what was passed on late says nothing.
            "Jan 11 03:12:01 h k[1]: time=\"2024-01-11T11:20:01Z\"",
        ] {
            assert!(
                matches!(Stamp::of(line.as_bytes()), Some(Stamp::Dated(_, Zone::Utc))),
                "{line}"
            );
        }
        let plain = Stamp::of(b"2020-09-30 18:12:03.123456 W | etcdserver: a");
        assert!(matches!(plain, Some(Stamp::Dated(_, Zone::Unsaid))));
    }

    #[test]
    fn a_known_zone_holds_for_every_time_that_names_none() {
        let mut calendar = Calendar::near(date(2020, 10, 1), YearFrom::Today);
        assert!(calendar.learn(Stamp::of(b"time=\"2024-01-11T03:12:02-08:00\"").unwrap()));
        for (line, wanted) in [
            ("E0111 03:12:01.121900 901 a.go:1] b", "2024-01-11T11:12:01.1219"),
            ("Jan 11 20:00:00 edge-2 systemd[1]: a", "2024-01-12T04:00:00"),
            ("2024-01-11 03:12:01 W | a", "2024-01-11T11:12:01"),
            ("2024-01-11T03:12:01Z a", "2024-01-11T03:12:01"),
        ] {
            let time = Stamp::of(line.as_bytes()).unwrap().at(&calendar);
            assert_eq!(time.unwrap().to_string(), wanted, "{line}");
        }
    }
}
