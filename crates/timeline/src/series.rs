//! A number over time, and the predicates that verdicts are made of. Pure.

use std::fmt::{Debug, Display};
use std::time::Duration;

use super::Finding;

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When it begins.
    pub from: Duration,
    /// When it ends.
    pub to: Duration,
}

impl Span {
    /// How long it is.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.to.saturating_sub(self.from)
    }
}

/// A value over time: a step function, from its first point to the last time that anything was seen.
///
/// Between two points the earlier value holds, as it does in a cluster between two watch events.
#[derive(Debug, Clone, PartialEq)]
pub struct Series<T> {
    /// (since when, value), ascending; neighbours differ. Never empty.
    points: Vec<(Duration, T)>,
    end: Duration,
}

impl<T: PartialEq> Series<T> {
    /// A series that begins with a value.
    #[must_use]
    pub fn starting(at: Duration, value: T) -> Self {
        Self {
            points: vec![(at, value)],
            end: at,
        }
    }

    /// Adds what was seen at `t`. Of several values at one time the last counts; a dip that lasts no time is none.
    pub fn push(&mut self, t: Duration, value: T) {
        let t = t.max(self.end);
        self.end = t;
        if self.points.last().is_some_and(|(_, last)| *last == value) {
            return;
        }
        if self.points.last().is_some_and(|(at, _)| *at == t) {
            self.points.pop();
            if self.points.last().is_some_and(|(_, last)| *last == value) {
                return;
            }
        }
        self.points.push((t, value));
    }

    /// The same with a later end.
    #[must_use]
    pub fn lasting(mut self, end: Duration) -> Self {
        self.end = self.end.max(end);
        self
    }

    /// The points: (since when, value).
    #[must_use]
    pub fn points(&self) -> &[(Duration, T)] {
        &self.points
    }

    /// When it begins.
    #[must_use]
    pub fn start(&self) -> Duration {
        self.points.first().map_or(Duration::ZERO, |p| p.0)
    }

    /// When it ends.
    #[must_use]
    pub fn end(&self) -> Duration {
        self.end
    }

    /// The value at a time; before the beginning, the first.
    #[must_use]
    pub fn at(&self, t: Duration) -> &T {
        let after = self.points.partition_point(|(at, _)| *at <= t);
        &self.points[after.saturating_sub(1)].1
    }

    /// The last value.
    #[must_use]
    pub fn last(&self) -> &T {
        &self.points[self.points.len() - 1].1
    }

    /// The stretches in which a value holds, in order.
    #[must_use]
    pub fn spans(&self, holds: impl Fn(&T) -> bool) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for (at, (from, value)) in self.points.iter().enumerate() {
            let to = self.points.get(at + 1).map_or(self.end, |next| next.0);
            if !holds(value) {
                continue;
            }
            match spans.last_mut() {
                Some(last) if last.to == *from => last.to = to,
                _ => spans.push(Span { from: *from, to }),
            }
        }
        spans
    }

    /// The longest stretch in which a value holds.
    #[must_use]
    pub fn longest(&self, holds: impl Fn(&T) -> bool) -> Option<Span> {
        self.spans(holds).into_iter().max_by_key(Span::length)
    }

    /// When a value first holds.
    #[must_use]
    pub fn first(&self, holds: impl Fn(&T) -> bool) -> Option<Duration> {
        self.points
            .iter()
            .find(|(_, value)| holds(value))
            .map(|(t, _)| *t)
    }
}

impl<T: PartialEq + Clone> Series<T> {
    /// The part from `t` on.
    #[must_use]
    pub fn since(&self, t: Duration) -> Self {
        let t = t.max(self.start());
        let mut points = vec![(t, self.at(t).clone())];
        points.extend(self.points.iter().filter(|(at, _)| *at > t).cloned());
        Self {
            points,
            end: self.end.max(t),
        }
    }

    /// The part up to `t`.
    #[must_use]
    pub fn until(&self, t: Duration) -> Self {
        let start = self.start();
        let mut points: Vec<_> = self.points.iter().filter(|(at, _)| *at <= t).cloned().collect();
        if points.is_empty() {
            points.push((start, self.at(start).clone()));
        }
        Self {
            points,
            end: self.end.min(t).max(start),
        }
    }
}

impl<T: PartialEq + Clone> Series<T> {
    /// What is read from two series at the same times, from the earlier beginning to the later end.
    #[must_use]
    pub fn with<U: PartialEq, R: PartialEq>(
        &self,
        other: &Series<U>,
        read: impl Fn(&T, &U) -> R,
    ) -> Series<R> {
        let mut times: Vec<Duration> = self.points.iter().map(|(t, _)| *t).collect();
        times.extend(other.points.iter().map(|(t, _)| *t));
        times.sort_unstable();
        times.dedup();
        let start = times.first().copied().unwrap_or_default();
        let mut both = Series::starting(start, read(self.at(start), other.at(start)));
        for t in times {
            both.push(t, read(self.at(t), other.at(t)));
        }
        both.end = both.end.max(self.end).max(other.end);
        both
    }
}

impl<T: PartialOrd + Copy + Display + Debug> Series<T> {
    /// The least value.
    #[must_use]
    pub fn min(&self) -> T {
        self.points.iter().skip(1).fold(
            self.points[0].1,
            |least, (_, v)| if *v < least { *v } else { least },
        )
    }

    /// The greatest value.
    #[must_use]
    pub fn max(&self) -> T {
        self.points
            .iter()
            .skip(1)
            .fold(self.points[0].1, |most, (_, v)| if *v > most { *v } else { most })
    }

    /// Is it below `floor` at any instant?
    pub fn dips_below(&self, floor: T) -> Finding {
        match self.first(|v| *v < floor) {
            Some(at) => Finding::seen(
                at,
                format!(
                    "fell to {} (floor {floor})",
                    self.since(at).until_back(floor).min()
                ),
            ),
            None => Finding::not_seen(format!("never below {floor}")),
        }
    }

    /// Does it get to `level` or above?
    pub fn reaches(&self, level: T) -> Finding {
        match self.first(|v| *v >= level) {
            Some(at) => Finding::seen(at, format!("reached {level}")),
            None => Finding::not_seen(format!("got no further than {} of {level}", self.max())),
        }
    }

    /// Does it fall to `level` or below?
    pub fn falls_to(&self, level: T) -> Finding {
        match self.first(|v| *v <= level) {
            Some(at) => Finding::seen(at, format!("fell to {}", self.at(at))),
            None => Finding::not_seen(format!("never fell below {}", self.min())),
        }
    }

    /// Is it at least `level` when it ends?
    pub fn ends_at_least(&self, level: T) -> Finding {
        let last = *self.last();
        if last >= level {
            let since = self
                .spans(|v| *v >= level)
                .last()
                .map_or(self.start(), |span| span.from);
            Finding::seen(since, format!("ended at {last}"))
        } else {
            Finding::not_seen(format!("ended at {last}, below {level}"))
        }
    }

    /// Does a value hold the whole time?
    pub fn holds(&self, what: &str, holds: impl Fn(&T) -> bool) -> Finding {
        match self.points.iter().find(|(_, v)| !holds(v)) {
            Some((at, v)) => {
                Finding::not_seen(format!("not {what} throughout: {v} at {:.1} s", at.as_secs_f64()))
            }
            None => Finding::seen(self.start(), format!("{what} throughout")),
        }
    }

    /// Does a value hold at the end, and has for at least `long`?
    pub fn settles(&self, long: Duration, what: &str, holds: impl Fn(&T) -> bool) -> Finding {
        match self.spans(holds).last() {
            Some(span) if span.to == self.end && span.length() >= long => Finding::seen(
                span.from,
                format!("{what} for the last {:.1} s", span.length().as_secs_f64()),
            ),
            Some(span) if span.to == self.end => Finding::not_seen(format!(
                "{what} only for the last {:.1} s of {:.1} s asked for",
                span.length().as_secs_f64(),
                long.as_secs_f64()
            )),
            _ => Finding::not_seen(format!("not {what} at the end")),
        }
    }

    /// Does a value come, and come again, at least `times` times?
    pub fn recurs(&self, times: usize, what: &str, holds: impl Fn(&T) -> bool) -> Finding {
        let spans = self.spans(holds);
        if spans.len() >= times && times > 0 {
            Finding::seen(spans[times - 1].from, format!("{what} {} times", spans.len()))
        } else {
            Finding::not_seen(format!("{what} {} times, not {times}", spans.len()))
        }
    }

    fn until_back(&self, floor: T) -> Self {
        match self.first(|v| *v >= floor) {
            Some(back) => self.until(back - Duration::from_nanos(1)),
            None => self.clone(),
        }
    }
}

#[cfg(test)]
#[path = "series_tests.rs"]
mod tests;
