//! What is known of the year and the zone of a log's times, as most of its lines name neither.

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use memchr::{memmem, memrchr};
use serde::{Deserialize, Serialize};

use super::times::{Stamp, Zone, dated, nearest, utc};

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

/// What is known of a log's days beside its lines' own words: a day that they are near to, and the zone of its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    near: Date,
    /// Where the year is from.
    pub from: YearFrom,
    zone: Option<Offset>,
}

impl Calendar {
    /// Near a day, in no zone that is known.
    #[must_use]
    pub fn near(near: Date, from: YearFrom) -> Self {
        Self {
            near,
            from,
            zone: None,
        }
    }

    /// The zone of the log's clock, where a line says it.
    #[must_use]
    pub fn zone(&self) -> Option<Offset> {
        self.zone
    }

    /// The zone as it is written: `-08:00`.
    pub(super) fn zone_name(&self) -> Option<String> {
        let seconds = self.zone?.seconds();
        let minutes = seconds.abs() / 60;
        let sign = if seconds < 0 { '-' } else { '+' };
        Some(format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60))
    }

    /// Takes in what a line says itself, which goes before anything else that is known; whether that is the zone.
    pub fn learn(&mut self, stamp: Stamp) -> bool {
        let Stamp::Dated(time, zone) = stamp else {
            return false;
        };
        (self.near, self.from) = (time.date(), YearFrom::Line);
        if let Zone::Local(zone) = zone {
            self.zone = Some(zone);
        }
        matches!(zone, Zone::Local(_))
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

    /// What a log's head says, else this: klog's own (`Log file created at: 2026/11/22 10:00:00`), and lines that have year
    /// and zone.
    #[must_use]
    pub fn or_of(mut self, head: &[u8]) -> Self {
        const CREATED: &[u8] = b"Log file created at: ";
        let first = &head[..head.len().min(4096)];
        let created = memmem::find(first, CREATED).and_then(|at| dated(&first[at + CREATED.len()..]));
        if let Some((time, _)) = created {
            (self.near, self.from) = (time.date(), YearFrom::Line);
        }
        // The last line may be cut off.
        let lines = memrchr(b'\n', head).map_or(&[][..], |end| &head[..end]);
        for stamp in lines.split(|byte| *byte == b'\n').filter_map(Stamp::of) {
            if self.from == YearFrom::Line && !matches!(stamp, Stamp::Dated(_, Zone::Local(_))) {
                continue;
            }
            if self.learn(stamp) {
                break;
            }
        }
        self
    }

    /// The date of a month and a day: that which is nearest.
    pub(super) fn date(&self, month: i8, day: i8) -> Option<Date> {
        nearest(self.near, month, day)
    }
}

impl Stamp {
    /// The time, in a log of such a calendar: in UTC where that knows a zone.
    #[must_use]
    pub fn at(self, calendar: &Calendar) -> Option<DateTime> {
        let local = match self {
            Self::Dated(time, Zone::Utc | Zone::Local(_)) => return Some(time),
            Self::Dated(time, Zone::Unsaid) => time,
            Self::Yearless(month, day, time) => calendar.date(month, day)?.to_datetime(time),
        };
        match calendar.zone() {
            Some(zone) => utc(local, zone),
            None => Some(local),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn the_year_is_that_of_the_nearest_day() {
        let near = |year, month, day| Calendar::near(date(year, month, day), YearFrom::Modified);
        assert_eq!(near(2021, 1, 2).date(12, 31), Some(date(2020, 12, 31)));
        assert_eq!(near(2020, 12, 31).date(1, 1), Some(date(2021, 1, 1)));
        assert_eq!(near(2021, 3, 1).date(2, 29), Some(date(2020, 2, 29)));
    }

    #[test]
    fn klog_says_the_year_at_the_head_of_its_own_files() {
        let calendar = Calendar::near(date(2020, 10, 1), YearFrom::Today);
        let head = b"Log file created at: 2026/11/22 10:00:00\nRunning on machine: a\n";
        assert_eq!(
            calendar.or_of(head),
            Calendar::near(date(2026, 11, 22), YearFrom::Line)
        );
        assert_eq!(calendar.or_of(b"Log file created at: once"), calendar);
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
            let calendar = Calendar::of(Path::new(path), Some(modified));
            assert_eq!(Some((calendar.near.year(), calendar.from)), wanted, "{path}");
        }
        assert_eq!(Calendar::of(Path::new("etcd.log"), None).from, YearFrom::Today);
    }
}
