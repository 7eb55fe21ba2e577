//! A timeline as a small picture of text: one row a number, one column a stretch of time.
//!
//! # What a column shows
//! A column stands for a stretch of time, in which a number may take several values. Where it fell below the
//! value with which it entered the stretch, the column shows the least: a dip that is shorter than a column is
//! seen. Else it shows the greatest. Of counters (pods created and deleted) it shows how many came in the stretch.
//! Rows of one kind share a scale, so that three pods on a node stand higher than one on another.

mod rows;

pub(super) use rows::{failed_probes, follow};

use std::time::Duration;

use super::Style;
use kubeclash_timeline::{Series, Timeline, What};

/// How many lines of marks there are at most.
const MARK_LINES: usize = 3;

/// What is worth seeing of a timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// When it begins: at the scenario's first step. Its axis counts from here.
    pub from: Duration,
    /// When it ends.
    pub to: Duration,
    /// The rows, from top to bottom; none that is zero throughout.
    pub rows: Vec<Row>,
    /// The marks, since the recorder was armed.
    pub marks: Vec<(Duration, String)>,
    /// How many more nodes had pods than have a row.
    pub nodes_left_out: usize,
}

/// One row of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it shows.
    pub label: String,
    /// Its number over time; for [`Shows::Growth`] the count so far.
    pub series: Series<i64>,
    /// What its columns show.
    pub shows: Shows,
    /// The value that fills a column; shared by rows of one kind.
    pub top: i64,
}

/// What the columns of a row show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// A level.
    Level,
    /// What a counter grew by.
    Growth,
}

/// When the scenario began: at its first step.
pub(super) fn begin(timeline: &Timeline) -> Duration {
    timeline
        .entries
        .iter()
        .find(|e| matches!(e.what, What::Step(_) | What::Mark(_)))
        .map_or(Duration::ZERO, |e| e.t)
}

impl Picture {
    /// What is worth seeing of a timeline.
    #[must_use]
    pub fn of(timeline: &Timeline) -> Self {
        let from = begin(timeline);
        let marks = timeline
            .entries
            .iter()
            .filter_map(|e| match &e.what {
                What::Mark(name) => Some((e.t, name.clone())),
                _ => None,
            })
            .collect();
        let (rows, nodes_left_out) = rows::of(timeline);
        Self {
            from,
            to: timeline.end(),
            rows,
            marks,
            nodes_left_out,
        }
    }

    /// The picture as lines of text, each ended by a newline; empty where there is nothing to see.
    #[must_use]
    pub fn draw(&self, style: &Style) -> String {
        if self.rows.is_empty() || self.to <= self.from {
            return String::new();
        }
        let label = self
            .rows
            .iter()
            .map(|r| r.label.chars().count())
            .max()
            .unwrap_or(0);
        let ranges: Vec<String> = self.rows.iter().map(|r| style.fit(&r.range())).collect();
        let range = ranges.iter().map(|r| r.chars().count()).max().unwrap_or(0);
        let columns = style.columns().saturating_sub(label + range + 4).max(10);
        let mut text = String::new();
        let mut line = |left: &str, middle: &str, right: &str| {
            let line = format!("{left:<label$}  {middle:<columns$}  {right}");
            text.push_str(line.trim_end());
            text.push('\n');
        };
        for (row, range) in self.rows.iter().zip(&ranges) {
            line(&style.fit(&row.label), &row.draw(self, columns, style), range);
        }
        line("", &self.axis(columns), "");
        for marks in self.marks(columns, style) {
            line("", &marks, "");
        }
        if self.nodes_left_out > 0 {
            line("", &format!("({} more nodes had pods)", self.nodes_left_out), "");
        }
        text
    }

    /// Where the `at`-th of `columns` columns begins.
    fn boundary(&self, at: usize, columns: usize) -> Duration {
        let length = (self.to - self.from).as_nanos();
        let nanos = length * at as u128 / columns.max(1) as u128;
        self.from + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The column of a time.
    fn column(&self, t: Duration, columns: usize) -> usize {
        let share = t.saturating_sub(self.from).as_secs_f64() / (self.to - self.from).as_secs_f64();
        ((share * columns as f64) as usize).min(columns - 1)
    }

    fn axis(&self, columns: usize) -> String {
        let length = (self.to - self.from).as_secs_f64();
        let steps = [
            0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0,
        ];
        let wide = |step: f64| step / length * columns as f64 >= 8.0;
        let step = steps.into_iter().find(|step| wide(*step)).unwrap_or(length);
        let mut axis = String::new();
        for tick in 0.. {
            let t = f64::from(tick) * step;
            let column = self.column(self.from + Duration::from_secs_f64(t), columns);
            let number = if step < 1.0 && tick > 0 {
                format!("{t:.1}")
            } else {
                format!("{t:.0}")
            };
            if t > length || column + number.len() + 2 > columns {
                break;
            }
            axis = format!("{axis:<column$}{number}");
        }
        axis.push_str(" s");
        axis
    }

    /// The marks under the axis, on as many lines as they need to stand side by side.
    fn marks(&self, columns: usize, style: &Style) -> Vec<String> {
        let arrow = if style.unicode { '▲' } else { '^' };
        let mut lines: Vec<String> = Vec::new();
        for (t, name) in &self.marks {
            let column = self.column(*t, columns);
            let name: String = style.fit(name).chars().take(columns.saturating_sub(2)).collect();
            let width = name.chars().count() + 2;
            let (begin, text) = if column + width <= columns || column + 1 < width {
                (column, format!("{arrow} {name}"))
            } else {
                (column + 1 - width, format!("{name} {arrow}"))
            };
            let free = |line: &String| line.is_empty() || line.chars().count() < begin;
            match lines.iter_mut().find(|line| free(line)) {
                Some(line) => *line = format!("{line:<begin$}{text}"),
                None => lines.push(format!("{:<begin$}{text}", "")),
            }
        }
        lines.truncate(MARK_LINES);
        lines
    }
}

impl Row {
    /// Its least and greatest value since it first was above zero; of a counter, its sum.
    #[must_use]
    pub fn range(&self) -> String {
        if self.shows == Shows::Growth {
            return format!("{} in all", self.series.last());
        }
        let there = self.series.since(self.begins().unwrap_or(self.series.start()));
        match (there.min(), there.max()) {
            (least, most) if least == most => format!("{most}"),
            (least, most) => format!("{least}–{most}"),
        }
    }

    /// When it first is above zero.
    fn begins(&self) -> Option<Duration> {
        self.series.first(|v| *v > 0)
    }

    /// The value of each column; `None` before there is one.
    fn values(&self, picture: &Picture, columns: usize) -> Vec<Option<i64>> {
        let begins = self.begins().unwrap_or(Duration::MAX);
        (0..columns)
            .map(|at| {
                let (from, to) = (picture.boundary(at, columns), picture.boundary(at + 1, columns));
                let last = at + 1 == columns;
                match self.shows {
                    Shows::Growth => {
                        let before = if at == 0 { 0 } else { *self.series.at(from) };
                        Some(*self.series.at(to) - before).filter(|grown| *grown > 0)
                    }
                    Shows::Level if to < begins || (to == begins && !last) => None,
                    Shows::Level => Some(self.extreme(from.max(begins), to, last)),
                }
            })
            .collect()
    }

    /// The least value of a stretch where it fell in it, else the greatest.
    fn extreme(&self, from: Duration, to: Duration, last: bool) -> i64 {
        let entered = *self.series.at(from);
        let (mut least, mut most) = (entered, entered);
        let within = |t: Duration| t > from && (t < to || (last && t == to));
        for (_, value) in self.series.points().iter().filter(|(t, _)| within(*t)) {
            least = least.min(*value);
            most = most.max(*value);
        }
        if least < entered { least } else { most }
    }

    fn draw(&self, picture: &Picture, columns: usize, style: &Style) -> String {
        let values = self.values(picture, columns);
        let top = match self.shows {
            Shows::Level => self.top,
            Shows::Growth => values.iter().flatten().copied().max().unwrap_or(1),
        };
        values
            .into_iter()
            .map(|value| value.map_or(' ', |value| glyph(value, top, style.unicode)))
            .collect()
    }
}

/// A value as one character: a block of its height, or without Unicode the digit itself, or a darker sign.
fn glyph(value: i64, top: i64, unicode: bool) -> char {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const SIGNS: [char; 8] = [':', '-', '=', '+', '*', 'x', '#', '@'];
    if !unicode && top < 10 {
        let digit = u32::try_from(value).ok().and_then(|v| char::from_digit(v, 10));
        return digit.unwrap_or('?');
    }
    if value <= 0 {
        return if unicode { '·' } else { '.' };
    }
    let eighths = (value.saturating_mul(8) + top - 1) / top.max(1);
    let at = usize::try_from(eighths.clamp(1, 8) - 1).unwrap_or(0);
    if unicode { BLOCKS[at] } else { SIGNS[at] }
}

#[cfg(test)]
#[path = "picture_tests.rs"]
mod tests;
