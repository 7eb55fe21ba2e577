//! Two runs of the same arms, side by side: verdicts, figures, and what has flipped. Pure.

use serde::Serialize;
use serde_json::Value;

use crate::agreement::NEEDED;
use crate::evidence::Outcome;
use kubeclash_timeline::{ArmId, Difference};

/// A number that arms are compared by, whatever the case calls it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// What it is called here.
    pub name: &'static str,
    /// Its unit; empty for counts.
    pub unit: &'static str,
    /// The facts that it is taken from: of these an arm has one at most.
    facts: &'static [&'static str],
    /// A difference that is smaller says nothing, however large the factor: two pods are twice as many as one.
    least: f64,
}

/// The figures: the one place that knows them.
pub const FIGURES: [Figure; 6] = [
    Figure::new("rate", "/min", 1.0, &["evictions_per_min", "pods_per_min"]),
    Figure::new("period", " s", 0.1, &["period_s"]),
    Figure::new("time to symptom", " s", 1.0, &[NEEDED]),
    // Each eviction of a loop is a pod created once more.
    Figure::new("pods created", "", 3.0, &["distinct_pods", "evictions"]),
    Figure::new(
        "peak",
        "",
        3.0,
        &["peak_replicas", "skew_after_maintenance", "max_terminating"],
    ),
    Figure::new("least", "", 1.0, &["least_replicas", "least_available"]),
];

/// From which factor on a figure is another one.
pub const FACTOR: f64 = 1.5;

impl Figure {
    const fn new(name: &'static str, unit: &'static str, least: f64, facts: &'static [&'static str]) -> Self {
        Self {
            name,
            unit,
            facts,
            least,
        }
    }

    /// Its value in an outcome, where it has one.
    #[must_use]
    pub fn of(&self, outcome: &Outcome) -> Option<f64> {
        self.facts.iter().find_map(|fact| match *fact {
            NEEDED => outcome.needed_ms.map(|ms| ms as f64 / 1_000.0),
            fact => outcome.facts.get(fact).and_then(Value::as_f64),
        })
    }

    /// A value with its unit: `6/min`, `10.03 s`.
    #[must_use]
    pub fn shown(&self, value: f64) -> String {
        format!("{}{}", crate::evidence::number(value), self.unit)
    }
}

/// A figure of both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Which.
    pub figure: Figure,
    /// Of the one.
    pub a: Option<f64>,
    /// Of the other.
    pub b: Option<f64>,
    /// The other over the one, where both can be compared.
    pub ratio: Option<f64>,
}

impl Pair {
    /// Whether both differ so much that it is worth a word: by [`FACTOR`], one way or the other, and not by a trifle.
    #[must_use]
    pub fn is_another(&self) -> bool {
        let (Some(a), Some(b)) = (self.a, self.b) else {
            return false;
        };
        // Something over nothing has no ratio; figures of two paces have none either, and say nothing.
        let far = self
            .ratio
            .map_or(a == 0.0, |ratio| ratio >= FACTOR || ratio <= 1.0 / FACTOR);
        far && (a - b).abs() >= self.figure.least
    }
}

/// What two runs of an arm come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outlook {
    /// Both have the same verdict.
    Same,
    /// The failure was there, and is no more.
    Cured,
    /// The failure was not there, and is now.
    Returned,
    /// At least one has no verdict.
    Inconclusive,
    /// One of them was not run.
    Missing,
}

impl Outlook {
    /// Whether a verdict flipped.
    #[must_use]
    pub fn is_flip(self) -> bool {
        matches!(self, Self::Cured | Self::Returned)
    }
}

impl std::fmt::Display for Outlook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Same => "same",
            Self::Cured => "cured",
            Self::Returned => "returned",
            Self::Inconclusive => "inconclusive",
            Self::Missing => "missing",
        })
    }
}

/// One arm of both sides.
#[derive(Debug, Clone)]
pub struct Compared {
    /// Which arm.
    pub id: ArmId,
    /// How the one ended.
    pub a: Option<Outcome>,
    /// How the other did.
    pub b: Option<Outcome>,
    /// What it comes to.
    pub outlook: Outlook,
    /// The figures that at least one of them has.
    pub figures: Vec<Pair>,
}

impl Compared {
    /// Two outcomes of an arm; at least one of them is there.
    fn of(a: Option<Outcome>, b: Option<Outcome>) -> Option<Self> {
        let id = a.as_ref().or(b.as_ref())?.id.clone();
        let outlook = match (&a, &b) {
            (Some(a), Some(b)) => match (a.verdict.answer(), b.verdict.answer()) {
                (Some(before), Some(after)) => match Difference::between(before, after) {
                    None => Outlook::Same,
                    Some(Difference::Cured) => Outlook::Cured,
                    Some(Difference::Returned) => Outlook::Returned,
                },
                _ => Outlook::Inconclusive,
            },
            _ => Outlook::Missing,
        };
        let figures = FIGURES
            .into_iter()
            .filter_map(|figure| pair(figure, a.as_ref(), b.as_ref()))
            .collect();
        Some(Self {
            id,
            outlook,
            figures,
            a,
            b,
        })
    }

    /// What should be known of the comparison, in words: paces that differ, reasons of what has no verdict.
    #[must_use]
    pub fn notes(&self, names: [&str; 2]) -> Vec<String> {
        let mut notes = Vec::new();
        if let (Some(a), Some(b)) = (&self.a, &self.b)
            && a.pace != b.pace
        {
            notes.push(format!(
                "{} was run at {} pace, {} at {}: figures can't be compared",
                names[0], a.pace, names[1], b.pace
            ));
        }
        for (side, name) in [&self.a, &self.b].into_iter().zip(names) {
            match side {
                None => notes.push(format!("{name} has no outcome of it")),
                Some(outcome) if outcome.verdict.is_inconclusive() => {
                    notes.push(format!("{name}: {}", outcome.why()));
                }
                Some(_) => {}
            }
        }
        notes
    }
}

fn pair(figure: Figure, a: Option<&Outcome>, b: Option<&Outcome>) -> Option<Pair> {
    let of = |side: Option<&Outcome>| side.and_then(|outcome| figure.of(outcome));
    let alike = a.map(|a| a.pace) == b.map(|b| b.pace);
    let (a, b) = (of(a), of(b));
    let ratio = match (a, b) {
        (Some(a), Some(b)) if alike && a > 0.0 => Some(b / a),
        (Some(a), Some(b)) if alike && a == b => Some(1.0),
        _ => None,
    };
    (a.is_some() || b.is_some()).then_some(Pair { figure, a, b, ratio })
}

/// Compares the arms of two sides, of each of which an arm has one outcome: in the order of the first, then what only
/// the second has.
#[must_use]
pub fn compare(a: Vec<Outcome>, mut b: Vec<Outcome>) -> Vec<Compared> {
    let mut both = Vec::new();
    for one in a {
        let at = b.iter().position(|other| other.id == one.id);
        let other = at.map(|at| b.remove(at));
        both.extend(Compared::of(Some(one), other));
    }
    both.extend(b.into_iter().filter_map(|other| Compared::of(None, Some(other))));
    both
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{control, outcome};
    use kubeclash_timeline::{Pace, Verdict};

    fn with(verdict: &Verdict) -> Outcome {
        let mut outcome = outcome();
        outcome.verdict = verdict.clone();
        outcome
    }

    fn looks(a: Outcome, b: Outcome) -> Outlook {
        compare(vec![a], vec![b])[0].outlook
    }

    #[test]
    fn a_flip_is_cured_or_returned_and_an_inconclusive_arm_is_none() {
        let [seen, absent] = [Verdict::Reproduced, Verdict::Absent];
        let unclear = Verdict::Inconclusive("a gap".to_owned());
        assert_eq!(looks(with(&seen), with(&seen)), Outlook::Same);
        assert_eq!(looks(with(&seen), with(&absent)), Outlook::Cured);
        assert_eq!(looks(with(&absent), with(&seen)), Outlook::Returned);
        for other in [&seen, &absent, &unclear] {
            assert_eq!(looks(with(&unclear), with(other)), Outlook::Inconclusive);
            assert_eq!(looks(with(other), with(&unclear)), Outlook::Inconclusive);
        }
        assert!(!Outlook::Inconclusive.is_flip() && !Outlook::Missing.is_flip());
        let compared = &compare(vec![with(&seen)], vec![with(&unclear)])[0];
        assert_eq!(compared.notes(["old", "new"]), ["new: a gap"]);
    }

    #[test]
    fn arms_are_paired_by_case_arm_and_variant() {
        let mut variant = outcome();
        variant.id.variant = Some("with-hpa".to_owned());
        let both = compare(vec![outcome(), control()], vec![variant, control()]);
        let looks: Vec<(String, Outlook)> =
            both.iter().map(|one| (one.id.to_string(), one.outlook)).collect();
        assert_eq!(
            looks,
            [
                ("c5_remove_duplicates_loop broken".to_owned(), Outlook::Missing),
                ("c5_remove_duplicates_loop control".to_owned(), Outlook::Same),
                (
                    "c5_remove_duplicates_loop broken (with-hpa)".to_owned(),
                    Outlook::Missing
                ),
            ]
        );
        assert_eq!(both[0].notes(["old", "new"]), ["new has no outcome of it"]);
    }

    #[test]
    fn figures_have_a_ratio() {
        let mut fast = outcome();
        fast.facts.insert("evictions_per_min".to_owned(), 9.0.into());
        fast.needed_ms = None;
        let compared = &compare(vec![outcome()], vec![fast])[0];
        let figures: Vec<_> = compared
            .figures
            .iter()
            .map(|pair| (pair.figure.name, pair.a, pair.b, pair.ratio))
            .collect();
        assert_eq!(
            figures,
            [
                ("rate", Some(6.0), Some(9.0), Some(1.5)),
                ("period", Some(10.003), Some(10.003), Some(1.0)),
                ("time to symptom", Some(35.7), None, None),
            ]
        );
        assert!(compared.figures[0].is_another());
        assert!(!compared.figures[1].is_another() && !compared.figures[2].is_another());
    }

    #[test]
    fn nothing_over_nothing_is_the_same_and_something_over_nothing_has_no_ratio() {
        let zero = |n: i64| {
            let mut outcome = control();
            outcome.facts.insert("evictions".to_owned(), n.into());
            outcome
        };
        let ratio = |a, b| compare(vec![zero(a)], vec![zero(b)])[0].figures[0].ratio;
        assert_eq!(
            (ratio(0, 0), ratio(0, 2), ratio(2, 0)),
            (Some(1.0), None, Some(0.0))
        );
    }

    #[test]
    fn a_trifle_is_no_other_figure_however_large_the_factor() {
        let evictions = |n: i64| {
            let mut outcome = control();
            outcome.facts.insert("evictions".to_owned(), n.into());
            outcome
        };
        let another = |a, b| compare(vec![evictions(a)], vec![evictions(b)])[0].figures[0].is_another();
        assert!(another(0, 3) && another(9, 3));
        assert!(!another(1, 2) && !another(9, 12) && !another(3, 3));
    }

    #[test]
    fn figures_of_two_paces_are_not_compared() {
        let fast = Outcome {
            pace: Pace::Fast,
            ..outcome()
        };
        let compared = &compare(vec![outcome()], vec![fast])[0];
        assert!(
            compared
                .figures
                .iter()
                .all(|pair| pair.ratio.is_none() && !pair.is_another())
        );
        assert_eq!(
            compared.notes(["a", "b"]),
            ["a was run at recorded pace, b at fast: figures can't be compared"]
        );
    }

    #[test]
    fn every_figure_is_a_fact_of_some_case() {
        // A case names facts of its own; those of a failure are named where violations are found.
        let mut cases = [
            include_str!("../crates/timeline/src/property/rests/rounds.rs"),
            include_str!("../crates/timeline/src/property/rests/recreation.rs"),
        ]
        .concat();
        for case in &crate::cases::Library::builtin() {
            let scenarios = case.as_folder().map_or(&[][..], |case| case.scenarios());
            let named = scenarios.iter().flat_map(|scenario| scenario.file.facts.keys());
            cases.extend(named.map(|name| format!("\"{name}\"")));
        }
        let facts = FIGURES.iter().flat_map(|figure| figure.facts);
        for fact in facts.filter(|fact| **fact != NEEDED) {
            assert!(cases.contains(&format!("\"{fact}\"")), "{fact}");
        }
    }
}
