//! What a timeline's drawing is made of: pods as bars in lanes by node, numbers as steps, marks as lines.
//!
//! Everything that takes thought is done here, as values that can be tested: which bar goes where, and what it shows
//! from when to when. What draws it (`html/page.js`) only turns milliseconds into pixels. Times are milliseconds since
//! the scenario's first step.

mod bars;
mod panels;

use std::time::Duration;

use serde::Serialize;

use super::picture;
use kubeclash_timeline::{Timeline, What};

/// What is drawn of a timeline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drawing {
    /// How long it is.
    pub length_ms: f64,
    /// The nodes from top to bottom, and last the row of pods that no node ever had, if there are any.
    pub nodes: Vec<NodeRow>,
    /// A bar for each pod, in order of creation.
    pub pods: Vec<Bar>,
    /// How many more pods there were than bars are drawn.
    pub pods_left_out: usize,
    /// How many nodes without any pod have no row.
    pub nodes_left_out: usize,
    /// Numbers over time.
    pub panels: Vec<Panel>,
    /// When pods were told to go by somebody else than their owner.
    pub evictions: Vec<Eviction>,
    /// The scenario's marks.
    pub marks: Vec<(f64, String)>,
    /// The scenario's steps.
    pub steps: Vec<(f64, String)>,
    /// When a watch had to list again, and which.
    pub gaps: Vec<(f64, String)>,
}

/// The row of a node, of as many lanes as it takes for bars not to overlap.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeRow {
    /// Its name; `None` for pods that no node ever had.
    pub name: Option<String>,
    /// How many bars lie above each other.
    pub lanes: usize,
    /// From when to when it took no pods, or not all, and why: cordoned, tainted, not ready.
    pub closed: Vec<(f64, f64, String)>,
}

/// The life of a pod.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bar {
    /// Its name.
    pub name: String,
    /// Its row: that of the node that it was bound to.
    pub node: usize,
    /// Its lane in the row, from the top.
    pub lane: usize,
    /// What it was from when on.
    pub stages: Vec<(f64, Stage)>,
    /// When it was gone; `None` where it was there at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone: Option<f64>,
    /// Why it failed, found no node or was told to go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// What a pod is, as far as a drawing tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// On no node.
    Pending,
    /// On a node, and not ready.
    Bound,
    /// Running and ready.
    Running,
    /// Told to go.
    Terminating,
    /// Phase `Failed`.
    Failed,
    /// Phase `Succeeded`.
    Succeeded,
}

/// Numbers of one object over time, which share an axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Panel {
    /// What they are of: `web`.
    pub name: String,
    /// What they count: `replicas`, `CPU %`.
    pub unit: &'static str,
    /// The greatest of them.
    pub top: i64,
    /// The numbers.
    pub lines: Vec<Line>,
}

/// One number over time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Which: `wanted`, `ready`, `autoscaler wants`, `of the request`.
    pub what: String,
    /// Its values, each from when on.
    pub points: Vec<(f64, i64)>,
}

/// A pod was told to go by somebody else than its owner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Eviction {
    /// When.
    pub t: f64,
    /// Which pod, by its place among the bars.
    pub pod: usize,
    /// The reason of its DisruptionTarget condition.
    pub reason: String,
}

/// Times as a drawing has them.
#[derive(Debug, Clone, Copy)]
struct Clock {
    from: Duration,
    to: Duration,
}

impl Clock {
    fn of(timeline: &Timeline) -> Self {
        Self {
            from: picture::begin(timeline),
            to: timeline.end(),
        }
    }

    /// A time in milliseconds, to the tenth; what was before the beginning is at it.
    fn ms(self, t: Duration) -> f64 {
        (t.saturating_sub(self.from).as_micros() as f64 / 100.0).round() / 10.0
    }

    fn end(self) -> f64 {
        self.ms(self.to)
    }
}

impl Drawing {
    /// What is drawn of a timeline.
    #[must_use]
    pub fn of(timeline: &Timeline) -> Self {
        let clock = Clock::of(timeline);
        let named = |pick: fn(&What) -> Option<String>| {
            let entries = timeline.entries.iter();
            entries
                .filter_map(|entry| Some((clock.ms(entry.t), pick(&entry.what)?)))
                .collect::<Vec<_>>()
        };
        let bars = bars::of(timeline, clock);
        Self {
            length_ms: clock.end(),
            nodes: bars.nodes,
            pods: bars.pods,
            pods_left_out: bars.pods_left_out,
            nodes_left_out: bars.nodes_left_out,
            panels: panels::of(timeline, clock),
            evictions: bars.evictions,
            marks: named(|what| match what {
                What::Mark(name) => Some(name.clone()),
                _ => None,
            }),
            steps: named(|what| match what {
                What::Step(name) => Some(name.clone()),
                _ => None,
            }),
            gaps: named(|what| match what {
                What::Gap(gap) => Some(format!("the watch on {} had a gap: {}", gap.watch, gap.why)),
                _ => None,
            }),
        }
    }
}

#[cfg(test)]
#[path = "drawing_tests.rs"]
mod tests;
