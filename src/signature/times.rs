//! When a line was written: the times of klog, zap, capnslog, containers and the system's log, to the microsecond.
//!
//! klog and the system's log say no year. It is taken from elsewhere ([`Year`]), and where from is told. Times that
//! name no zone are taken as they are: control planes run on UTC.

use std::path::Path;

use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Timestamp};
use memchr::memmem;
use serde::{Deserialize, Serialize};

/// Where the year of a file's times is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum YearFrom {
    /// The lines have it.
    Line,
    /// A date in the file's path.
    Path,
    /// When the file was last changed.
    Modified,
    /// Today: there is nothing else.
    Today,
}

/// A day that a file's times are near to, and where it is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Year {
    near: Date,
    /// Where from.
    pub from: YearFrom,
}

impl Year {
    /// Near a day.
    #[must_use]
    pub fn near(near: Date, from: YearFrom) -> Self {
        Self { near, from }
    }

    /// That of a file: of a date in its path, else of when it was last changed, else today's.
    #[must_use]
    pub fn of(path: &Path, modified: Option<Timestamp>) -> Self {
        let day = |time: Timestamp| jiff::tz::TimeZone::UTC.to_datetime(time).date();
        match (date_in(path), modified) {
            (Some(date), _) => Self::near(date, YearFrom::Path),
            (None, Some(time)) => Self::near(day(time), YearFrom::Modified),
            (None, None) => Self::near(day(Timestamp::now()), YearFrom::Today),
        }
    }

    /// What klog says at the head of a file of its own (`Log file created at: 2026/11/22 10:00:00`), else this.
    #[must_use]
    pub fn or_of(self, head: &[u8]) -> Self {
        const CREATED: &[u8] = b"Log file created at: ";
        let head = &head[..head.len().min(4096)];
        let created = memmem::find(head, CREATED).and_then(|at| dated(&head[at + CREATED.len()..]));
        created.map_or(self, |(time, _)| Self::near(time.date(), YearFrom::Line))
    }

    /// The date of a month and a day: that which is nearest.
    fn date(&self, month: i8, day: i8) -> Option<Date> {
        let year = self.near.year();
        let dates = (year - 1..=year + 1).filter_map(|year| Date::new(year, month, day).ok());
        dates.min_by_key(|date| date.duration_since(self.near).abs())
    }
}

/// The last date in a path: `20200930`, `2020-09-30`, or a folder `2020`.
fn date_in(path: &Path) -> Option<Date> {
    path.iter().rev().find_map(|part| {
        let part = part.to_string_lossy();
        let runs = part
            .split(|sign: char| !sign.is_ascii_digit())
            .filter(|run| !run.is_empty());
        let runs: Vec<&str> = runs.collect();
        let number = |text: &str| text.parse::<i16>().ok();
        let date = |year: &str, month: &str, day: &str| {
            let year = number(year).filter(|year| (2014..2100).contains(year))?;
            Date::new(year, month.parse().ok()?, day.parse().ok()?).ok()
        };
        let whole = runs.iter().find_map(|run| match run.len() {
            8 => date(&run[..4], &run[4..6], &run[6..]),
            _ => None,
        });
        let apart = || {
            let mut three = runs.windows(3);
            three.find_map(|run| match run {
                [year, month, day] if year.len() == 4 => date(year, month, day),
                _ => None,
            })
        };
        // Of a year alone, the middle is near to all of its days.
        let year = || (part.len() == 4).then(|| date(&part, "7", "2")).flatten();
        whole.or_else(apart).or_else(year)
    })
}

/// What a line says of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// With a year.
    Dated(DateTime),
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
            b'0'..=b'9' => dated(line).map(|(time, _)| Self::Dated(time)),
            b'{' => json(line),
            b'A'..=b'Z' => syslog(line),
            _ => None,
        }
    }

    /// The time, in a file of such a year.
    #[must_use]
    pub fn at(self, year: &Year) -> Option<DateTime> {
        match self {
            Self::Dated(time) => Some(time),
            Self::Yearless(month, day, time) => Some(year.date(month, day)?.to_datetime(time)),
        }
    }
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

/// `Sep 30 18:12:03 host kubelet[1]: …`; klog's own time where that comes after it, as it is finer.
fn syslog(line: &[u8]) -> Option<Stamp> {
    const MONTHS: [&[u8]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
    ];
    let month = MONTHS.iter().position(|month| line.starts_with(month))?;
    let (time, rest) = clock(line.get(7..)?)?;
    let rest = &rest[..rest.len().min(256)];
    let inner = memmem::find(rest, b"]: ").and_then(|at| klog(&rest[at + 3..]));
    let month = i8::try_from(month + 1).ok()?;
    inner.or_else(|| Some(Stamp::Yearless(month, two(line, 4)?, time)))
}

/// `2020-09-30 18:12:03.123456`, with `T` or slashes as well, with or without a zone; and what comes after it.
fn dated(text: &[u8]) -> Option<(DateTime, &[u8])> {
    let year = i16::from(two(text, 0)?) * 100 + i16::from(two(text, 2)?);
    if !matches!(text.get(4)?, b'-' | b'/') || !matches!(text.get(10)?, b' ' | b'T') {
        return None;
    }
    let date = Date::new(year, two(text, 5)?, two(text, 8)?).ok()?;
    let (time, rest) = clock(&text[11..])?;
    let time = date.to_datetime(time);
    let sign = match rest.first() {
        Some(b'+') => -1,
        Some(b'-') => 1,
        _ => return Some((time, rest)),
    };
    let Some(hours) = two(rest, 1) else {
        return Some((time, rest));
    };
    let minutes = if rest.get(3) == Some(&b':') {
        two(rest, 4)
    } else {
        two(rest, 3)
    };
    let minutes = i64::from(hours) * 60 + i64::from(minutes.unwrap_or_default());
    let time = time.checked_add(SignedDuration::from_mins(sign * minutes)).ok()?;
    Some((time, rest))
}

/// The field `ts` (klog's and zap's), `time` (of a container engine) or `timestamp`, as text or as a number.
fn json(line: &[u8]) -> Option<Stamp> {
    let fields: [&[u8]; 3] = [b"\"ts\":", b"\"time\":", b"\"timestamp\":"];
    fields.iter().find_map(|field| {
        let at = memmem::find(line, field)? + field.len();
        let value = line[at..].trim_ascii_start();
        let value = &value[..value.len().min(48)];
        if let Some(text) = value.strip_prefix(b"\"") {
            return dated(text).map(|(time, _)| Stamp::Dated(time));
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
        Some(Stamp::Dated(jiff::tz::TimeZone::UTC.to_datetime(time)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn at(line: &str) -> String {
        let year = Year::near(date(2020, 10, 1), YearFrom::Path);
        let time = Stamp::of(line.as_bytes()).and_then(|stamp| stamp.at(&year));
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
                        .and_then(|stamp| stamp.at(&Year::near(date(2020, 1, 1), YearFrom::Today)));
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
    fn the_year_is_that_of_the_nearest_day() {
        let near = |year, month, day| Year::near(date(year, month, day), YearFrom::Modified);
        assert_eq!(near(2021, 1, 2).date(12, 31), Some(date(2020, 12, 31)));
        assert_eq!(near(2020, 12, 31).date(1, 1), Some(date(2021, 1, 1)));
        assert_eq!(near(2021, 3, 1).date(2, 29), Some(date(2020, 2, 29)));
    }

    #[test]
    fn klog_says_the_year_at_the_head_of_its_own_files() {
        let year = Year::near(date(2020, 10, 1), YearFrom::Today);
        let head = b"Log file created at: 2026/11/22 10:00:00\nRunning on machine: a\n";
        assert_eq!(year.or_of(head), Year::near(date(2026, 11, 22), YearFrom::Line));
        assert_eq!(year.or_of(b"Log file created at: once"), year);
    }

    #[test]
    fn a_date_in_the_path_goes_before_the_files_own() {
        for (path, wanted) in [
            ("logs/2020/kubelet.log", Some((2020, YearFrom::Path))),
            (
                "kube-apiserver.log-20200930-1601450000.gz",
                Some((2020, YearFrom::Path)),
            ),
            ("2019-10-30/b/etcd.log", Some((2019, YearFrom::Path))),
            ("arktos/0929-0618-91f3/etcd.log", Some((2021, YearFrom::Modified))),
            ("a/99999999/1601450000", Some((2021, YearFrom::Modified))),
        ] {
            let modified = Timestamp::from_second(1_620_000_000).unwrap();
            let year = Year::of(Path::new(path), Some(modified));
            assert_eq!(Some((year.near.year(), year.from)), wanted, "{path}");
        }
        assert_eq!(Year::of(Path::new("etcd.log"), None).from, YearFrom::Today);
    }
}
