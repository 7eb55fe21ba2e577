//! Views on what a run has left: text for terminals, JSON lines, JUnit, Markdown, a page of HTML, and the table of
//! fidelity.
//!
//! A view takes values and gives text. It runs nothing, judges nothing and looks at no environment: whether there
//! is colour, Unicode or a wide terminal is told to it in a [`Style`].

pub mod builds;
pub mod classification;
pub mod comparison;
pub mod drawing;
pub mod fidelity;
pub mod html;
pub mod json;
pub mod junit;
pub mod ledger;
pub mod load;
pub mod markdown;
pub mod material;
pub mod picture;
pub mod results;
pub mod signatures;
pub mod terminal;

pub use drawing::Drawing;
pub use material::{Attempt, HarnessFailure, Material};
pub use picture::Picture;

use std::time::Duration;

use serde_json::Value;

use crate::evidence::{Outcome, number};
use kubeclash_timeline::Difference;

/// What the place that a text is written to can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether ANSI colours are allowed.
    pub colour: bool,
    /// Whether characters beyond ASCII are.
    pub unicode: bool,
    /// Columns; views use between 40 and 100 of them.
    pub width: usize,
}

impl Default for Style {
    /// Without colour, with Unicode, 100 columns.
    fn default() -> Self {
        Self {
            colour: false,
            unicode: true,
            width: 100,
        }
    }
}

impl Style {
    /// The columns that views use.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.width.clamp(40, 100)
    }

    /// A text with the characters that this place can show.
    #[must_use]
    pub fn fit(&self, text: &str) -> String {
        if self.unicode {
            return text.to_owned();
        }
        text.chars().fold(String::new(), |mut ascii, c| {
            match c {
                '→' => ascii.push_str("->"),
                '⇄' => ascii.push_str("<->"),
                '–' | '—' => ascii.push('-'),
                '≥' => ascii.push_str(">="),
                '≤' => ascii.push_str("<="),
                '·' => ascii.push('|'),
                '…' => ascii.push_str("..."),
                '×' => ascii.push('x'),
                '±' => ascii.push_str("+/-"),
                '’' => ascii.push('\''),
                c if c.is_ascii() => ascii.push(c),
                _ => ascii.push('?'),
            }
            ascii
        })
    }
}

/// A run of several arms, as its summaries see it.
#[derive(Debug, Clone)]
pub struct Summary<'a> {
    /// The arms that ended with a verdict, in the order in which they are listed.
    pub outcomes: &'a [Outcome],
    /// The arms that failed for the harness's own reasons.
    pub failures: &'a [HarnessFailure],
    /// How long everything took, by the clock on the wall.
    pub took: Duration,
}

impl Summary<'_> {
    /// The counts in a line: `14 arms: 12 as expected, 1 cured, 1 failed; 58.2 s in all`.
    #[must_use]
    pub fn counts(&self) -> String {
        let arms = self.outcomes.len() + self.failures.len();
        let expected = self.outcomes.iter().filter(|o| o.ok()).count();
        let inconclusive = self.outcomes.iter().filter(|o| o.verdict.is_inconclusive());
        let changed = |change| {
            let changes = self.outcomes.iter().map(Outcome::change);
            changes.filter(|seen| *seen == Some(change)).count()
        };
        let mut parts = vec![format!("{expected} as expected")];
        let others = [
            (changed(Difference::Cured), "cured"),
            (changed(Difference::Returned), "returned"),
            (inconclusive.count(), "inconclusive"),
            (self.failures.len(), "failed"),
        ];
        parts.extend(
            others
                .iter()
                .filter(|(n, _)| *n > 0)
                .map(|(n, what)| format!("{n} {what}")),
        );
        format!(
            "{}: {}; {} in all",
            arms_in_words(arms),
            parts.join(", "),
            seconds(u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX))
        )
    }
}

/// `1 arm`, `14 arms`.
pub(crate) fn arms_in_words(count: usize) -> String {
    match count {
        1 => "1 arm".to_owned(),
        many => format!("{many} arms"),
    }
}

/// Milliseconds as people read them: `0.9 s`, `64 s`, `4 min 32 s`.
#[must_use]
pub(crate) fn seconds(ms: u64) -> String {
    match ms {
        0..=59_949 => format!("{:.1} s", ms as f64 / 1_000.0),
        _ => {
            let whole = ms.saturating_add(500) / 1_000;
            format!("{} min {:02} s", whole / 60, whole % 60)
        }
    }
}

/// Facts as `name value`, in their order; of several runs with the least and the greatest: `rounds 4 (3–5)`.
pub(crate) fn facts(outcome: &Outcome) -> Vec<String> {
    let facts = outcome.facts.iter();
    facts
        .map(|(name, value)| match outcome.spread.get(name) {
            Some(spread) if spread.min < spread.max => {
                format!(
                    "{name} {} ({}–{})",
                    plain(value),
                    number(spread.min),
                    number(spread.max)
                )
            }
            _ => fact(name, value),
        })
        .collect()
}

/// A fact as `name value`.
pub(crate) fn fact(name: &str, value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            format!("{name} {}", items.join("/"))
        }
        other => format!("{name} {}", plain(other)),
    }
}

/// Which arm of which build, for each outcome; the build only where there are several.
pub(crate) fn arm_names(outcomes: &[Outcome]) -> Vec<String> {
    let builds = builds::Builds::of(outcomes.iter());
    let name = |(outcome, build): (&Outcome, &usize)| {
        if builds.several() {
            format!("{} [{}]", outcome.id.arm_name(), builds.all[*build].label)
        } else {
            outcome.id.arm_name()
        }
    };
    outcomes.iter().zip(&builds.of).map(name).collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
pub(crate) mod tests;
