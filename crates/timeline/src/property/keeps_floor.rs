//! `keeps-floor`: available (or wanted) replicas stay at or above what was promised.
//!
//! It pins a fall: replicas that were at or above the promise and then are below it. The promise is read at each time: an
//! autoscaler's minimum, a disruption budget's, wanted replicas without those that a rolling update may take, or a number. A promise
//! that rises above what is there is no fall, and neither is a workload that never was that large. A dip is complete at once, and
//! what brings it back is for whoever asks to say.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{Floor, Kind, Question, Violation, as_seconds, note, words};
use crate::{Act, Does, History, Series, WorkloadRef};

/// A dip of one number below one promise.
#[derive(Debug, Clone)]
struct Dip {
    from: Duration,
    /// When it was back at the promise; `None` where it was not.
    back: Option<Duration>,
    least: i64,
    floor: i64,
    /// How many it had lost when it fell below, since it last rose.
    lost: i64,
}

/// All dips, of each promise the first.
pub(super) fn violations(history: &History<'_>, question: &Question) -> Vec<Violation> {
    let mut found = Vec::new();
    for workload in question.workloads(history) {
        for floor in floors(question) {
            let Some(promise) = promise(history, &workload, floor) else {
                continue;
            };
            let dips = dips(history, question, &workload, &promise);
            let long = |dip: &&Dip| match question.lasting {
                Some(lasting) => dip.back.unwrap_or(history.end()).saturating_sub(dip.from) >= lasting,
                None => true,
            };
            let last = dips.last().filter(|dip| dip.back.is_none());
            if let Some(dip) = dips.iter().find(long).or(last) {
                found.push(violation(history, question, &workload, floor, dip, long(&dip)));
            }
        }
    }
    found
}

/// The promises that are asked about. Without one, those that somebody made by an object of their own.
fn floors(question: &Question) -> Vec<Floor> {
    match question.floor {
        Some(floor) => vec![floor],
        None => vec![Floor::HpaMin, Floor::Budget, Floor::MaxUnavailable],
    }
}

/// What was promised, over time; `None` at times without a promise, and as a whole where there never was one.
fn promise(history: &History<'_>, workload: &WorkloadRef, floor: Floor) -> Option<Series<Option<i64>>> {
    let greater = |a: &Option<i64>, b: &Option<i64>| (*a).max(*b);
    match floor {
        Floor::HpaMin => {
            let all = history
                .hpas_of(workload)
                .map(|(_, states)| history.series(states, |hpa| hpa.min));
            all.reduce(|a, b| a.with(&b, greater))
        }
        Floor::Budget => {
            let all = history
                .budgets_of(workload)
                .map(|(_, states)| history.series(states, |budget| budget.floor));
            all.reduce(|a, b| a.with(&b, greater))
        }
        Floor::MaxUnavailable => {
            let promised = history.number(workload, |seen| {
                seen.max_unavailable.map(|most| seen.wanted - most)
            });
            let promised = promised.with(&promised, |a, _| a.flatten());
            promised
                .points()
                .iter()
                .any(|(_, floor)| floor.is_some())
                .then_some(promised)
        }
        Floor::Replicas(less) => Some(history.number(workload, |seen| seen.wanted - less)),
        Floor::Number(number) => Some(history.number(workload, |_| number)),
    }
}

/// That replicas are below the promise at the end, or that there is none, where they did not fall below it.
pub(super) fn doubt(history: &History<'_>, question: &Question) -> Option<String> {
    let workload = question.of.as_ref()?;
    let end = question.end(history);
    let value = *looked_at(history, question, workload).at(end);
    let promised = floors(question)
        .into_iter()
        .filter_map(|floor| promise(history, workload, floor))
        .map(|promised| promised.since(question.since).until(end))
        // A promise of nothing is none.
        .filter(|promised| promised.first(|n| n.is_some_and(|n| n > 0)).is_some())
        .filter_map(|promised| *promised.last());
    match (value, promised.max()) {
        (_, None) => Some(format!("nothing was promised of {workload} at the end")),
        (Some(value), Some(floor)) if value < floor => Some(format!(
            "at the end {workload} had {value} of {floor} that were promised"
        )),
        _ => None,
    }
}

fn looked_at(history: &History<'_>, question: &Question, workload: &WorkloadRef) -> Series<Option<i64>> {
    let wanted = question.wanted;
    history.number(workload, |seen| if wanted { seen.wanted } else { seen.available })
}

fn dips(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
    promise: &Series<Option<i64>>,
) -> Vec<Dip> {
    let both = looked_at(history, question, workload).with(promise, |value, floor| (*value, *floor));
    let mut dips: Vec<Dip> = Vec::new();
    let mut open = false;
    let mut before: Option<i64> = None;
    let mut high: i64 = 0;
    for (t, (value, floor)) in both.points() {
        if let Some(value) = value {
            let rises = before.is_none_or(|before| *value > before);
            high = if rises { *value } else { high };
        }
        let (Some(value), Some(floor)) = (value, floor) else {
            before = *value;
            open = false;
            continue;
        };
        if value < floor {
            let fell = before.is_some_and(|before| before >= *floor);
            if open && let Some(dip) = dips.last_mut() {
                dip.least = dip.least.min(*value);
            } else if fell && question.covers(*t) {
                dips.push(Dip {
                    from: *t,
                    back: None,
                    least: *value,
                    floor: *floor,
                    lost: high - *value,
                });
                open = true;
            }
        } else if open && let Some(dip) = dips.last_mut() {
            dip.back = Some(*t);
            open = false;
        }
        before = Some(*value);
    }
    dips
}

fn violation(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
    floor: Floor,
    dip: &Dip,
    complete: bool,
) -> Violation {
    let mut violation = Violation::begins(Kind::Dip, workload, dip.from);
    violation.complete = complete.then(|| dip.from + question.lasting.unwrap_or_default());
    violation.until = dip.back.unwrap_or(history.end());
    note(&mut violation.causes, promised(history, workload, floor));
    let causers = causers(history, question, workload, dip);
    violation.acted(causers.iter().copied());
    // What was taken away is less than what is missing: something else took the rest.
    if !question.wanted {
        let pods: BTreeSet<usize> = causers.iter().filter_map(|act| act.pod).collect();
        if (pods.len() as i64) < dip.lost {
            note(&mut violation.actors, words::SOMEBODY);
        }
    }
    violation.cycle = causers.iter().map(|act| words::act(act)).collect();
    violation.figures = figures(history, question, workload);
    violation.figures.insert("least".to_owned(), dip.least.into());
    violation.figures.insert("floor".to_owned(), dip.floor.into());
    if let Some(back) = dip.back {
        violation.figures.insert(
            "below_for_s".to_owned(),
            as_seconds(back.saturating_sub(dip.from)),
        );
        let mends = |act: &&Act| {
            act.does == Does::Scales && act.refused.is_none() && act.t > dip.from && act.t <= back
        };
        for act in history.acts_on(workload).filter(mends) {
            violation.cycle.push(words::act(act));
        }
    }
    violation
}

/// The promise's name, as a claim has it, and whose it is.
fn promised(history: &History<'_>, workload: &WorkloadRef, floor: Floor) -> String {
    match floor {
        Floor::HpaMin => {
            let names: Vec<&str> = history.hpas_of(workload).map(|(name, _)| name).collect();
            format!("hpa.min of {}", names.join(", "))
        }
        Floor::Budget => {
            let names: Vec<&str> = history.budgets_of(workload).map(|(name, _)| name).collect();
            format!("pdb {}", names.join(", "))
        }
        Floor::MaxUnavailable => "maxUnavailable of its rolling update".to_owned(),
        Floor::Replicas(0) => "replicas".to_owned(),
        Floor::Replicas(less) => format!("replicas - {less}"),
        Floor::Number(number) => format!("{number} replicas"),
    }
}

/// Whoever made it fall: who scaled, evicted or deleted, from the last time that it rose to the time that it fell.
fn causers<'h>(
    history: &'h History<'_>,
    question: &Question,
    workload: &'h WorkloadRef,
    dip: &Dip,
) -> Vec<&'h Act> {
    let value = looked_at(history, question, workload).until(dip.from);
    let mut rises = value.points().windows(2).filter(|pair| pair[1].1 > pair[0].1);
    let rose = rises
        .next_back()
        .map_or(question.since, |pair| pair[1].0.max(question.since));
    let takes = |act: &&Act| {
        let down = act.detail.as_deref().and_then(|detail| detail.split_once('→')).is_some_and(|(from, to)| {
            matches!((from.parse::<i64>(), to.parse::<i64>()), (Ok(from), Ok(to)) if to < from)
        });
        let takes = match act.does {
            Does::Scales => down,
            Does::Evicts | Does::Deletes => true,
            _ => false,
        };
        takes && act.refused.is_none() && act.t >= rose && act.t <= dip.from
    };
    history.acts_on(workload).filter(takes).collect()
}

/// `least_replicas` (wanted), `least_available`, `fell_s`, `back_at_min_s`, `below_min_for_s`, `available_low_for_s`: those that the
/// promise has.
pub(super) fn figures(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
) -> Map<String, Value> {
    let mut figures = Map::new();
    let end = question.end(history);
    let within = |series: Series<Option<i64>>| series.since(question.since).until(end);
    let wanted = within(history.number(workload, |seen| seen.wanted));
    let available = within(history.number(workload, |seen| seen.available));
    let least = |series: &Series<Option<i64>>| series.points().iter().filter_map(|(_, n)| *n).min();
    let Some(promise) = floors(question)
        .into_iter()
        .find_map(|floor| promise(history, workload, floor))
    else {
        return figures;
    };
    let low = available.with(
        &promise,
        |n, floor| matches!((n, floor), (Some(n), Some(floor)) if n < floor),
    );
    let longest = low
        .since(question.since)
        .until(end)
        .longest(|low| *low)
        .map(|span| span.length());
    match question.floor {
        None | Some(Floor::HpaMin) => {
            figures.extend(least(&wanted).map(|n| ("least_replicas".to_owned(), n.into())));
            let dip = Question {
                wanted: true,
                ..question.clone()
            };
            let dip = dips(history, &dip, workload, &promise).into_iter().next();
            let since = |t: Duration| as_seconds(t.saturating_sub(question.since));
            figures.extend(dip.as_ref().map(|dip| ("fell_s".to_owned(), since(dip.from))));
            figures.extend(
                dip.and_then(|dip| dip.back)
                    .map(|back| ("back_at_min_s".to_owned(), since(back))),
            );
            figures.extend(longest.map(|long| ("below_min_for_s".to_owned(), as_seconds(long))));
        }
        Some(_) => {
            figures.extend(least(&available).map(|n| ("least_available".to_owned(), n.into())));
            figures.extend(longest.map(|long| ("available_low_for_s".to_owned(), as_seconds(long))));
        }
    }
    figures
}
