//! `docs/fidelity.md`: what the 2023 study recorded, against what is measured here at the same pace.
//!
//! The study's figures are data, `manifests/<case>/recorded/figures.yaml`: a list of
//!
//! ```yaml
//! - name: all six replicas are wanted     # in words
//!   fact: max_reached_s                   # the name of the fact that measures it
//!   unit: s
//!   low: 60                               # what is allowed, both ends included; one end may be left out
//!   high: 130
//!   recorded: 83 s                        # what the study has
//!   source: traces C1, 2023-09-15         # and where
//!   variant: with-hpa                     # optional: only for this variant of the case
//!   on_kind: a real kubelet takes 3 s     # optional: why it is another on kind than on local
//! ```

mod providers;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::markdown::cell;
use crate::evidence::Outcome;
use crate::evidence::number;
use crate::scenario::items::{self, Item};
use kubeclash_timeline::{Arm, Pace, with_variant};

pub use providers::providers;

/// One number of the study, and how far a measured one may be from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The case's folder.
    pub case: String,
    /// The variant that it is of; `None` for all.
    pub variant: Option<String>,
    /// What it is, in words.
    pub name: String,
    /// The fact of an [`Outcome`] that measures it.
    pub fact: String,
    /// Its unit; empty for counts.
    pub unit: String,
    /// The least that is allowed.
    pub low: Option<f64>,
    /// The most that is allowed.
    pub high: Option<f64>,
    /// The study's value, in words.
    pub recorded: String,
    /// Where the study has it.
    pub source: String,
    /// Why it is another on kind than on local, in words.
    pub on_kind: Option<String>,
}

/// Everything that is wrong with the figures, each mistake with its file and line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .mistakes.join("\n"))]
pub struct FiguresError {
    /// One sentence a mistake, `file:line: what`.
    pub mistakes: Vec<String>,
}

/// Reads figures from the texts of `figures.yaml`, by the case's folder.
///
/// # Errors
/// All mistakes of all files together.
pub fn figures(texts: &BTreeMap<String, String>) -> Result<Vec<Figure>, FiguresError> {
    let mut figures: Vec<Figure> = Vec::new();
    let mut mistakes = Vec::new();
    for (case, text) in texts {
        let file = format!("{case}/recorded/figures.yaml");
        for item in items::items(&file, text, &mut mistakes) {
            let taken = item.clone();
            let figure = figure(case, item, &mut mistakes);
            let same = |f: &Figure| (&f.case, &f.fact, &f.variant) == (case, &figure.fact, &figure.variant);
            if !figure.fact.is_empty() && figures.iter().any(same) {
                mistakes.push(taken.mistake("fact", format!("\"{}\" has a figure already", figure.fact)));
            }
            figures.push(figure);
        }
    }
    if mistakes.is_empty() {
        Ok(figures)
    } else {
        Err(FiguresError { mistakes })
    }
}

fn figure(case: &str, mut item: Item, mistakes: &mut Vec<String>) -> Figure {
    let [name, fact, recorded, source] =
        ["name", "fact", "recorded", "source"].map(|key| item.needed(key, mistakes));
    let [unit, variant, on_kind] = ["unit", "variant", "on_kind"].map(|key| item.text(key, mistakes));
    let [low, high] = ["low", "high"].map(|key| item.number(key, mistakes));
    match (low, high) {
        (None, None) => {
            mistakes.push(item.mistake("low", "missing, and \"high\" as well: one of them is needed"))
        }
        (Some(low), Some(high)) if low > high => {
            mistakes.push(item.mistake("low", format!("{low} is above high, {high}")));
        }
        _ => {}
    }
    item.end(mistakes);
    Figure {
        case: case.to_owned(),
        variant,
        name,
        fact,
        unit: unit.unwrap_or_default(),
        low,
        high,
        recorded,
        source,
        on_kind,
    }
}

impl Figure {
    /// Whether a measured value is one that is allowed.
    #[must_use]
    pub fn allows(&self, value: f64) -> bool {
        self.low.is_none_or(|low| value >= low) && self.high.is_none_or(|high| value <= high)
    }

    /// The values that broken arms at the recorded pace have for it.
    fn measured(&self, outcomes: &[Outcome]) -> Vec<f64> {
        outcomes
            .iter()
            .filter(|o| o.id.case == self.case && o.id.arm == Arm::Broken && o.pace == Pace::Recorded)
            .filter(|o| self.variant.is_none() || o.id.variant == self.variant)
            .filter_map(|o| o.facts.get(&self.fact).and_then(Value::as_f64))
            .collect()
    }

    fn allowed(&self) -> String {
        let range = match (self.low, self.high) {
            (Some(low), Some(high)) if low == high => number(low),
            (Some(low), Some(high)) => format!("{}–{}", number(low), number(high)),
            (Some(low), None) => format!("≥ {}", number(low)),
            (None, Some(high)) => format!("≤ {}", number(high)),
            (None, None) => "any".to_owned(),
        };
        self.with_unit(range)
    }

    fn with_unit(&self, value: String) -> String {
        if self.unit.is_empty() {
            value
        } else {
            format!("{value} {}", self.unit)
        }
    }
}

/// Recorded against measured: one row a figure. Outcomes of control arms and of other paces do not count.
///
/// Where several runs measured a figure, the least and the greatest value are shown, and all must be allowed.
#[must_use]
pub fn table(outcomes: &[Outcome], figures: &[Figure]) -> String {
    let mut text = String::from(
        "| case | figure | recorded 2023 | allowed | measured | within | source |\n|---|---|---|--:|--:|---|---|\n",
    );
    for figure in figures {
        let measured = figure.measured(outcomes);
        let within = match measured.as_slice() {
            [] => "not measured",
            values if values.iter().all(|v| figure.allows(*v)) => "yes",
            _ => "**no**",
        };
        writeln!(
            text,
            "| {} | {} (`{}`) | {} | {} | {} | {within} | {} |",
            cell(&with_variant(&figure.case, figure.variant.as_deref())),
            cell(&figure.name),
            figure.fact,
            cell(&figure.recorded),
            cell(&figure.allowed()),
            cell(&spread(&measured).map_or("–".to_owned(), |values| figure.with_unit(values))),
            cell(&figure.source),
        )
        .expect("a String takes whatever is written");
    }
    text
}

/// The whole page: what was compared, the table, how many figures agree, and both providers where both ran.
#[must_use]
pub fn page(outcomes: &[Outcome], figures: &[Figure]) -> String {
    let both = providers(outcomes, figures);
    // The study is compared with one of them, so that a value is not another's.
    let local = outcomes.iter().any(|o| o.provider == "local");
    let one: Vec<Outcome> = outcomes
        .iter()
        .filter(|o| !local || o.provider == "local")
        .cloned()
        .collect();
    let measured: Vec<(&Figure, Vec<f64>)> = figures
        .iter()
        .map(|figure| (figure, figure.measured(&one)))
        .filter(|(_, values)| !values.is_empty())
        .collect();
    let within = measured
        .iter()
        .filter(|(figure, values)| values.iter().all(|v| figure.allows(*v)))
        .count();
    let mut page = format!(
        "# Fidelity\n\n\
         The broken arms at the recorded pace, against the runs of the 2023 study (kind, Kubernetes v1.24.7, three\n\
         workers of 8 CPU, descheduler v0.25.1). This page is generated; the study's figures and the ranges are in\n\
         `manifests/<case>/recorded/figures.yaml`. Times count from the first apply, but where a figure names\n\
         another step.\n\n\
         Measured with: {}.\n\n{}\n{within} of {} measured figures are within their range; {} were not measured.\n",
        components(one.iter()),
        table(&one, figures),
        measured.len(),
        figures.len() - measured.len(),
    );
    if let Some(both) = both {
        write!(
            page,
            "\n## Nodes that are played, and real kubelets\n\n\
             The arms that both `local` and `kind` ran at the recorded pace; what is outside of the range is bold.\n\n\
             `kind` with: {}.\n\n{both}",
            components(outcomes.iter().filter(|o| o.provider == "kind"))
        )
        .expect("a String takes whatever is written");
    }
    page
}

/// What took part in runs at the recorded pace, with versions.
fn components<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> String {
    let mut components: BTreeMap<&str, &str> = BTreeMap::new();
    for outcome in outcomes.filter(|o| o.pace == Pace::Recorded) {
        for (name, component) in &outcome.components {
            components.insert(name, &component.version);
        }
    }
    if components.is_empty() {
        return "nothing yet".to_owned();
    }
    let components: Vec<String> = components
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    components.join(", ")
}

/// One value, or the least and the greatest of several.
fn spread(values: &[f64]) -> Option<String> {
    let least = values.iter().copied().reduce(f64::min)?;
    let most = values.iter().copied().reduce(f64::max)?;
    Some(if least == most {
        number(least)
    } else {
        format!("{}–{}", number(least), number(most))
    })
}

#[cfg(test)]
#[path = "fidelity_tests.rs"]
mod tests;
