//! The two providers side by side: the same figures and verdicts, with nodes that are played and with real kubelets.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Figure, cell};
use crate::evidence::Outcome;
use crate::evidence::number;
use kubeclash_timeline::{Arm, Pace};

/// An arm that both providers ran at the recorded pace.
struct Pair<'a> {
    local: &'a Outcome,
    kind: &'a Outcome,
}

/// The arms that both ran; of several runs by one the last counts.
fn pairs(outcomes: &[Outcome]) -> Vec<Pair<'_>> {
    let of = |provider: &str| {
        let mut last: Vec<&Outcome> = Vec::new();
        let theirs = outcomes
            .iter()
            .filter(|o| o.provider == provider && o.pace == Pace::Recorded);
        for outcome in theirs {
            last.retain(|other| other.id != outcome.id);
            last.push(outcome);
        }
        last
    };
    let kind = of("kind");
    let local = of("local").into_iter();
    local
        .filter_map(|local| {
            let kind = kind.iter().find(|kind| kind.id == local.id)?;
            Some(Pair { local, kind })
        })
        .collect()
}

/// Both providers' runs: a row for each verdict, and for each figure of a broken arm. Nothing where no arm was run by
/// both.
#[must_use]
pub fn providers(outcomes: &[Outcome], figures: &[Figure]) -> Option<String> {
    let pairs = pairs(outcomes);
    if pairs.is_empty() {
        return None;
    }
    let mut text = String::from(
        "| case | arm | figure | allowed | local | kind | difference | why |\n|---|---|---|--:|--:|--:|--:|---|\n",
    );
    for Pair { local, kind } in &pairs {
        let place = format!("{} | {}", cell(&local.id.case), cell(&local.id.arm_name()));
        let same = if local.verdict.is_like(&kind.verdict) {
            "equal"
        } else {
            "**differs**"
        };
        writeln!(
            text,
            "| {place} | verdict | {} | {} | {} | {same} | |",
            local.expected, local.verdict, kind.verdict
        )
        .expect("a String takes whatever is written");
        let theirs = figures.iter().filter(|figure| {
            let variant = figure.variant.is_none() || figure.variant == local.id.variant;
            local.id.arm == Arm::Broken && figure.case == local.id.case && variant
        });
        for figure in theirs {
            row(&mut text, &place, figure, local, kind);
        }
    }
    let equal = pairs
        .iter()
        .filter(|pair| pair.local.verdict.is_like(&pair.kind.verdict))
        .count();
    write!(text, "\n{equal} of {} verdicts are equal.\n", pairs.len())
        .expect("a String takes whatever is written");
    Some(text)
}

fn row(text: &mut String, place: &str, figure: &Figure, local: &Outcome, kind: &Outcome) {
    let value = |outcome: &Outcome| outcome.facts.get(&figure.fact).and_then(Value::as_f64);
    let shown = |value: Option<f64>| match value {
        Some(value) if figure.allows(value) => figure.with_unit(number(value)),
        Some(value) => format!("**{}**", figure.with_unit(number(value))),
        None => "–".to_owned(),
    };
    let (local, kind) = (value(local), value(kind));
    writeln!(
        text,
        "| {place} | {} (`{}`) | {} | {} | {} | {} | {} |",
        cell(&figure.name),
        figure.fact,
        cell(&figure.allowed()),
        shown(local),
        shown(kind),
        local
            .zip(kind)
            .map_or("–".to_owned(), |(local, kind)| difference(figure, local, kind)),
        cell(figure.on_kind.as_deref().unwrap_or_default()),
    )
    .expect("a String takes whatever is written");
}

/// By how much kind's value is above local's, as in `+0.4 s (+4 %)`.
fn difference(figure: &Figure, local: f64, kind: f64) -> String {
    let signed = |value: f64| {
        let text = number(value.abs());
        let sign = if text == "0" {
            ""
        } else if value < 0.0 {
            "−"
        } else {
            "+"
        };
        format!("{sign}{text}")
    };
    let by = figure.with_unit(signed(kind - local));
    if local == 0.0 || signed(kind - local) == "0" {
        return by;
    }
    format!("{by} ({} %)", signed(((kind - local) / local * 100.0).round()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{control, outcome};

    fn figure(fact: &str, unit: &str, variant: Option<&str>) -> Figure {
        Figure {
            case: outcome().id.case,
            variant: variant.map(str::to_owned),
            name: format!("the | {fact}"),
            fact: fact.to_owned(),
            unit: unit.to_owned(),
            low: Some(3.5),
            high: Some(10.5),
            recorded: "4".to_owned(),
            source: "traces C5".to_owned(),
            on_kind: (fact == "first_eviction_s").then(|| "the image is loaded first".to_owned()),
        }
    }

    fn on_kind(mut outcome: Outcome, facts: &[(&str, f64)]) -> Outcome {
        outcome.provider = "kind".to_owned();
        for (name, value) in facts {
            outcome.facts.insert((*name).to_owned(), (*value).into());
        }
        outcome
    }

    #[test]
    fn a_row_shows_both_their_difference_and_why() {
        let figures = [
            figure("rounds", "", None),
            figure("period_s", "s", None),
            figure("first_eviction_s", "s", None),
            figure("skew", "", None),
            figure("rounds", "", Some("with-hpa")),
        ];
        let facts = [("rounds", 3.0), ("period_s", 10.003), ("first_eviction_s", 12.95)];
        let runs = [
            outcome(),
            control(),
            on_kind(outcome(), &facts),
            on_kind(control(), &[]),
        ];
        let text = providers(&runs, &figures).unwrap();
        let case = "| c5_remove_duplicates_loop |";
        assert_eq!(
            text.lines().skip(2).collect::<Vec<_>>(),
            [
                &format!("{case} broken | verdict | reproduced | reproduced | reproduced | equal | |"),
                &format!(
                    "{case} broken | the \\| rounds (`rounds`) | 3.5–10.5 | 4 | **3** | −1 (−25 %) |  |"
                ),
                &format!(
                    "{case} broken | the \\| period_s (`period_s`) | 3.5–10.5 s | 10 s | 10 s | 0 s |  |"
                ),
                &format!(
                    "{case} broken | the \\| first_eviction_s (`first_eviction_s`) | 3.5–10.5 s | 3.7 s | **12.95 s** | +9.25 s \
                     (+250 %) | the image is loaded first |"
                ),
                &format!("{case} broken | the \\| skew (`skew`) | 3.5–10.5 | – | – | – |  |"),
                &format!("{case} control | verdict | absent | absent | absent | equal | |"),
                "",
                "2 of 2 verdicts are equal.",
            ]
        );
    }

    #[test]
    fn verdicts_that_differ_stand_out() {
        let mut cured = on_kind(outcome(), &[]);
        cured.verdict = kubeclash_timeline::Verdict::Absent;
        let text = providers(&[outcome(), on_kind(outcome(), &[]), cured], &[]).unwrap();
        assert!(text.contains("| reproduced | absent | **differs** |"), "{text}");
        assert!(text.ends_with("0 of 1 verdicts are equal.\n"), "{text}");
    }

    #[test]
    fn only_arms_that_both_ran_at_the_recorded_pace_are_compared() {
        let mut fast = on_kind(outcome(), &[]);
        fast.pace = Pace::Fast;
        let mut variant = on_kind(outcome(), &[]);
        variant.id.variant = Some("with-hpa".to_owned());
        assert_eq!(
            providers(&[outcome(), fast, variant, on_kind(control(), &[])], &[]),
            None
        );
    }
}
