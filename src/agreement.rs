//! What several runs of an arm come to: one outcome, with a verdict where all of them have the same. Pure.

use serde_json::Value;

use crate::evidence::{Outcome, Repetition, Spread};
use kubeclash_timeline::Verdict;

/// The name of the time that the failure needed, which is none of the facts but a field of the outcome; in
/// [`Outcome::spread`] it stands among them.
pub const NEEDED: &str = "needed_ms";

/// Sums up the runs of an arm; `failed` more have no outcome. `None` where there is no outcome at all.
///
/// All must agree, or the verdict is `inconclusive`, with the counts. Numbers are medians, and how far they lie apart
/// is told; what is no number, and the evidence, is that of the first run that ended like the whole.
#[must_use]
pub fn agree(runs: &[Outcome], failed: usize) -> Option<Outcome> {
    let first = runs.first()?;
    if runs.len() == 1 && failed == 0 {
        return Some(first.clone());
    }
    let split = failed > 0 || runs.iter().any(|run| !run.verdict.is_like(&first.verdict));
    let mut sum = first.clone();
    if split {
        let reason = format!("{} runs are split: {}", runs.len() + failed, counts(runs, failed));
        sum.verdict = Verdict::Inconclusive(reason);
        sum.seen = format!("in the first run: {}", first.why());
        sum.fight = None;
    } else {
        let all = format!("in each of {} runs; in the first: ", runs.len());
        match &mut sum.verdict {
            Verdict::Inconclusive(reason) => reason.insert_str(0, &all),
            Verdict::Reproduced | Verdict::Absent => sum.seen.insert_str(0, &all),
        }
    }
    for (name, value) in &mut sum.facts {
        let values: Vec<f64> = runs
            .iter()
            .filter_map(|run| run.facts.get(name).and_then(Value::as_f64))
            .collect();
        if let (true, Some(spread)) = (value.is_number(), spread(values)) {
            *value = whole(spread.median);
            sum.spread.insert(name.clone(), spread);
        }
    }
    let needed = runs
        .iter()
        .filter_map(|run| run.needed_ms)
        .map(|ms| ms as f64)
        .collect();
    let needed = spread(needed).filter(|_| !split);
    sum.needed_ms = needed.map(|spread| spread.median.round() as u64);
    sum.spread
        .extend(needed.map(|spread| (NEEDED.to_owned(), spread)));
    sum.ready_ms = median(runs, |run| run.ready_ms);
    sum.watched_ms = median(runs, |run| run.watched_ms);
    sum.elapsed_ms = runs.iter().map(|run| run.elapsed_ms).sum();
    sum.runs = runs
        .iter()
        .map(|run| Repetition {
            verdict: run.verdict.clone(),
            evidence: run.evidence.clone(),
        })
        .collect();
    Some(sum)
}

/// `2 reproduced, 1 absent, 1 failed`.
fn counts(runs: &[Outcome], failed: usize) -> String {
    let mut parts: Vec<(&str, usize)> = Vec::new();
    let verdicts = runs.iter().map(|run| run.verdict.name());
    for verdict in verdicts.chain(std::iter::repeat_n("failed", failed)) {
        match parts.iter_mut().find(|(known, _)| *known == verdict) {
            Some((_, count)) => *count += 1,
            None => parts.push((verdict, 1)),
        }
    }
    parts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let parts: Vec<String> = parts
        .iter()
        .map(|(verdict, count)| format!("{count} {verdict}"))
        .collect();
    parts.join(", ")
}

fn spread(mut values: Vec<f64>) -> Option<Spread> {
    values.sort_by(f64::total_cmp);
    let (min, max) = (*values.first()?, *values.last()?);
    let middle = values.len() / 2;
    let median = if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    };
    Some(Spread { min, median, max })
}

fn median(runs: &[Outcome], of: impl Fn(&Outcome) -> u64) -> u64 {
    let values = runs.iter().map(|run| of(run) as f64).collect();
    spread(values).map_or(0, |spread| spread.median.round() as u64)
}

/// A whole number where it is one: `4`, not `4.0`.
fn whole(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        Value::from(value as i64)
    } else {
        Value::from(value)
    }
}

/// The runs of each arm, arms in the order of their first.
#[must_use]
pub fn by_arm(outcomes: Vec<Outcome>) -> Vec<Vec<Outcome>> {
    let mut arms: Vec<Vec<Outcome>> = Vec::new();
    for outcome in outcomes {
        match arms.iter_mut().find(|arm| arm[0].id == outcome.id) {
            Some(arm) => arm.push(outcome),
            None => arms.push(vec![outcome]),
        }
    }
    arms
}

/// The arms of a folder of evidence, in their order: of each its last run, and with it those before that were made of
/// the same binaries at the same pace.
#[must_use]
pub fn arms(outcomes: Vec<Outcome>) -> Vec<Outcome> {
    by_arm(outcomes)
        .into_iter()
        .filter_map(|runs| {
            let last = runs.last()?.clone();
            let alike: Vec<Outcome> = runs
                .into_iter()
                .filter(|run| run.pace == last.pace && run.components == last.components)
                .collect();
            agree(&alike, 0)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::report::tests::{control, outcome};
    use kubeclash_timeline::Difference;

    fn run(at: usize, verdict: &Verdict, rounds: i64, needed: u64) -> Outcome {
        let mut run = outcome();
        run.verdict = verdict.clone();
        run.needed_ms = (*verdict == Verdict::Reproduced).then_some(needed);
        run.facts.insert("rounds".to_owned(), rounds.into());
        run.evidence = PathBuf::from(format!("run{at}"));
        run
    }

    #[test]
    fn one_run_is_what_it_is() {
        assert_eq!(agree(&[outcome()], 0), Some(outcome()));
        assert_eq!(agree(&[], 2), None);
    }

    #[test]
    fn runs_that_agree_have_their_verdict_and_their_medians() {
        let seen = Verdict::Reproduced;
        let runs = [
            run(1, &seen, 4, 900),
            run(2, &seen, 9, 100),
            run(3, &seen, 5, 500),
        ];
        let sum = agree(&runs, 0).unwrap();
        assert_eq!((&sum.verdict, sum.ok()), (&Verdict::Reproduced, true));
        assert_eq!(sum.needed_ms, Some(500));
        assert_eq!(sum.facts["rounds"], 5);
        let spread = |min, median, max| Spread { min, median, max };
        assert_eq!(sum.spread["rounds"], spread(4.0, 5.0, 9.0));
        assert_eq!(sum.spread[NEEDED], spread(100.0, 500.0, 900.0));
        assert_eq!(sum.facts["placement"], outcome().facts["placement"]);
        assert_eq!(sum.runs.len(), 3);
        assert_eq!(sum.elapsed_ms, 3 * outcome().elapsed_ms);
        assert!(sum.why().starts_with("in each of 3 runs"), "{}", sum.why());
    }

    #[test]
    fn a_split_decision_is_inconclusive_with_the_counts() {
        let runs = [
            run(1, &Verdict::Reproduced, 4, 100),
            run(2, &Verdict::Absent, 0, 0),
            run(3, &Verdict::Reproduced, 5, 100),
        ];
        let sum = agree(&runs, 0).unwrap();
        assert_eq!((sum.verdict.name(), sum.ok()), ("inconclusive", false));
        assert_eq!(sum.why(), "3 runs are split: 2 reproduced, 1 absent");
        assert_eq!(sum.seen, format!("in the first run: {}", outcome().why()));
        assert_eq!((sum.change(), sum.fight, sum.needed_ms), (None, None, None));
    }

    #[test]
    fn a_run_without_a_verdict_spoils_the_agreement() {
        let unclear = Verdict::Inconclusive("a gap".to_owned());
        let seen = run(1, &Verdict::Reproduced, 4, 100);
        let sum = agree(&[seen.clone(), run(2, &unclear, 4, 0)], 0).unwrap();
        assert!(sum.verdict.is_inconclusive());
        let sum = agree(&[seen.clone(), seen], 1).unwrap();
        assert!(sum.verdict.is_inconclusive());
        assert_eq!(sum.why(), "3 runs are split: 2 reproduced, 1 failed");
    }

    #[test]
    fn all_unexpected_alike_is_a_change() {
        let runs = [run(1, &Verdict::Absent, 0, 0), run(2, &Verdict::Absent, 0, 0)];
        assert_eq!(agree(&runs, 0).unwrap().change(), Some(Difference::Cured));
    }

    #[test]
    fn an_even_number_of_runs_has_the_middle_of_two() {
        let seen = Verdict::Reproduced;
        let sum = agree(&[run(1, &seen, 4, 100), run(2, &seen, 5, 300)], 0).unwrap();
        assert_eq!(sum.facts["rounds"], 4.5);
        assert_eq!(sum.needed_ms, Some(200));
    }

    #[test]
    fn runs_of_another_build_are_none_of_this_one() {
        let mut old = run(1, &Verdict::Absent, 0, 0);
        old.components.clear();
        let seen = Verdict::Reproduced;
        let arms = arms(vec![old, run(2, &seen, 4, 100), run(3, &seen, 4, 100), control()]);
        assert_eq!(arms.len(), 2);
        assert_eq!((&arms[0].verdict, arms[0].runs.len()), (&Verdict::Reproduced, 2));
        assert_eq!(arms[1], control());
    }
}
