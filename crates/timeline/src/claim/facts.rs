//! The numbers of a case: those of its claims' properties, and its own.

use std::collections::HashMap;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::matching::Answer;
use super::question::{Asked, marked};
use super::{Claims, Fact, earliest, figures, numbers};
use crate::property::{Kind, Property, as_seconds};
use crate::words::Condition;
use crate::{History, Object, Series};

/// All numbers.
pub(super) fn of(
    claims: &Claims<'_>,
    history: &History<'_>,
    asked: &[Asked<'_>],
    answers: &[Answer],
) -> Map<String, Value> {
    let mut facts = Map::new();
    for (asked, answer) in asked.iter().zip(answers) {
        let mut numbers = figures(history, asked.claim, asked);
        if let Some(violation) = answer.violation() {
            // Those of the very violation tell more than those of its workload.
            numbers.extend(violation.figures.clone());
        }
        for (name, value) in numbers {
            facts.entry(name).or_insert(value);
        }
    }
    let since = earliest(asked);
    let mut times: HashMap<&str, Duration> = HashMap::new();
    for name in ["max_reached_s", "fell_s", "pending_since_s"] {
        if let Some(seconds) = facts.get(name).and_then(Value::as_f64) {
            times.insert(name, since + Duration::from_secs_f64(seconds.max(0.0)));
        }
    }
    for (name, fact) in claims.facts {
        if let Some((value, at)) = own(history, fact, since, &times) {
            times.extend(at.map(|at| (name.as_str(), at)));
            facts.insert(name.clone(), value);
        }
    }
    facts
}

/// A number of the case's own, and when it was so.
fn own(
    history: &History<'_>,
    fact: &Fact,
    since: Duration,
    times: &HashMap<&str, Duration>,
) -> Option<(Value, Option<Duration>)> {
    let begins = match &fact.since {
        Some(mark) => marked(history, mark)?,
        None => since,
    };
    let from = match &fact.after {
        Some(other) => *times.get(other.as_str())?,
        None => begins,
    };
    let until = fact
        .until
        .as_deref()
        .and_then(|mark| marked(history, mark))
        .unwrap_or(history.end());
    let holds = |condition: &Condition| {
        let series = numbers::condition(history, condition).ok()?;
        Some(series.since(from).until(until))
    };
    if let Some(condition) = &fact.first {
        let at = holds(condition)?.first(|holds| *holds)?;
        return Some((as_seconds(at.saturating_sub(begins)), Some(at)));
    }
    if let Some(condition) = &fact.longest {
        let span = holds(condition)?.longest(|holds| *holds)?;
        return Some((as_seconds(span.length()), Some(span.from)));
    }
    let over = |what: &IndexMap<String, String>| {
        let (object, number) = what.first()?;
        let series: Series<Option<i64>> = numbers::of(history, &Object::named(object).ok()?, number);
        Some(series.since(from).until(until))
    };
    let values = |series: &Series<Option<i64>>| -> Vec<i64> {
        series.points().iter().filter_map(|(_, n)| *n).collect()
    };
    let number = if let Some(what) = &fact.most {
        values(&over(what)?).into_iter().max()
    } else if let Some(what) = &fact.least {
        values(&over(what)?).into_iter().min()
    } else {
        *over(fact.last.as_ref()?)?.last()
    };
    Some((number?.into(), None))
}

/// The numbers that a claim hangs on, in words.
pub(super) fn pulse(history: &History<'_>, asked: &Asked<'_>) -> String {
    let figures = figures(history, asked.claim, asked);
    let number = |name: &str| {
        figures
            .get(name)
            .map_or_else(|| "0".to_owned(), ToString::to_string)
    };
    match (asked.property, asked.claim.kind) {
        (Property::Rests, Some(Kind::RecreateLoop)) => format!("{} pods created", number("distinct_pods")),
        (Property::Rests, Some(Kind::ReplicaOscillation)) => {
            format!("{} returns, replicas {}", number("rounds"), number("replicas"))
        }
        (Property::Rests, Some(Kind::ReplicasetExplosion)) => {
            format!(
                "{} replica sets more, {} collisions",
                number("replicasets"),
                number("collisions")
            )
        }
        (Property::Rests, _) => format!("{} evictions, {} rounds", number("evictions"), number("rounds")),
        (Property::Schedules, _) => {
            format!(
                "{} pods ran, one pending for {} s",
                number("running"),
                number("pending_for_s")
            )
        }
        (Property::KeepsFloor, _) | (Property::ScalesWithLoad, _) => {
            let last = |what: &str| {
                let workload = asked.workload().cloned();
                let series = workload.map(|of| numbers::of(history, &Object::Workload(of), what));
                series.and_then(|series| *series.last()).unwrap_or(0)
            };
            format!(
                "{} replicas wanted, {} available",
                last("wanted"),
                last("available")
            )
        }
        (Property::KeepsSpread, _) => format!("skew {}", number("skew_at_the_end")),
        (Property::Progresses, _) => format!(
            "{} requests refused, still for {} s",
            number("refused"),
            number("still_for_s")
        ),
        (Property::Fits, _) => format!("{} pods rejected", number("rejected_pods")),
        (Property::StaysUp, Some(Kind::Cascade)) => format!("{} nodes stopped", number("nodes_stopped")),
        (Property::StaysUp, _) => format!(
            "{} kills, {} failed probes",
            number("kills"),
            number("failed_probes")
        ),
    }
}
