//! That those who could have made the failure worked, and that there was something to fail: without that, its absence says nothing.

use std::time::Duration;

use super::question::Asked;
use super::{Claims, numbers, question};
use crate::property::question::ROUNDS;
use crate::{History, Object, Series, What};

/// Why an absence says nothing, in words: what broke off, what releases lack, who hangs.
pub(super) fn undone(claims: &Claims<'_>, history: &History<'_>, since: Duration) -> Vec<String> {
    let timeline = history.timeline;
    // What broke off may have done so for what is lacking.
    let lacks = timeline.header.lacks.iter().cloned();
    let mut why: Vec<String> = timeline.broken_off().into_iter().chain(lacks).collect();
    if why.is_empty() {
        why.extend(timeline.idle_scheduler());
        why.extend(timeline.left_undone());
        why.extend(unbalanced(claims, history, since));
    }
    why
}

/// Why what a claim is about could not have failed, in words: it was not there, or not what it should be.
pub(super) fn untested(history: &History<'_>, asked: &Asked<'_>) -> Option<String> {
    let question = &asked.question;
    let end = question.end(history);
    let meanwhile = asked.claim.meanwhile.as_ref();
    let ever = |number: &Series<Option<i64>>, holds: &dyn Fn(i64) -> bool| {
        let within = number.since(question.since).until(end);
        within.first(|number| number.is_some_and(holds)).is_some()
    };
    let watched = end.saturating_sub(question.since);
    if watched.is_zero() {
        return Some("nothing was watched between the failure's marks".to_owned());
    }
    if let Some(lasting) = question.lasting.filter(|lasting| watched < *lasting) {
        let (watched, lasting) = (watched.as_secs_f64(), lasting.as_secs_f64());
        return Some(format!(
            "watched for {watched:.1} s of a failure that lasts {lasting:.1} s"
        ));
    }
    if let Some(workload) = asked.workload() {
        let wanted = history.number(workload, |seen| seen.wanted);
        if wanted.at(end).is_none() {
            return Some(format!("{workload} was not there at the end"));
        }
        // A cron job wants its pods by jobs.
        let wants = ever(&wanted, &|wanted| wanted > 0) || !history.members(workload).is_empty();
        if !wants {
            return Some(format!("{workload} never wanted a pod"));
        }
        if let Some(range) = meanwhile.and_then(|meanwhile| meanwhile.wanted)
            && !ever(&wanted, &|wanted| range.contains(wanted))
        {
            return Some(format!("{workload} never wanted {range}"));
        }
    }
    if let Some(range) = meanwhile.and_then(|meanwhile| meanwhile.open_nodes)
        && !ever(&numbers::of(history, &Object::Nodes, "open"), &|open| {
            range.contains(open)
        })
    {
        return Some(format!("there never were {range} nodes open"));
    }
    asked.property.doubt(history, question)
}

/// A descheduler that was started and did not go through its cycles.
fn unbalanced(claims: &Claims<'_>, history: &History<'_>, since: Duration) -> Option<String> {
    let named = claims
        .failure
        .claims()
        .iter()
        .any(|claim| claim.by.iter().any(|actor| actor == "descheduler"));
    // Where it is named, and this arm starts none, there is nothing to work.
    let cycle = history.timeline.header.pace.scale(claims.descheduler_every?);
    let runs = runs(history, since);
    let last = runs.len().saturating_sub(1);
    runs.into_iter().enumerate().find_map(|(at, (from, to))| {
        // The failure takes so many; where it is only a part of the control, one says that it works.
        let count = if named && at == last { ROUNDS } else { 1 };
        let cycled = history
            .timeline
            .entries
            .iter()
            .any(|entry| matches!(entry.what, What::Cycle(_)));
        if !cycled && history.timeline.format > 1 {
            return Some(
                "the descheduler did not go through a single cycle: it hangs, or is stuck in one".to_owned(),
            );
        }
        let worked = history.timeline.descheduled(from, to, cycle, count);
        (!worked.holds()).then_some(worked.why)
    })
}

/// From when to when a descheduler ran, of what was watched since a time.
fn runs(history: &History<'_>, since: Duration) -> Vec<(Duration, Duration)> {
    let mut runs = Vec::new();
    let mut from = None;
    for entry in &history.timeline.entries {
        match &entry.what {
            What::Step(step) if step.starts_with("stop ") && step.contains("descheduler") => {
                runs.extend(from.take().map(|from| (from, entry.t)));
            }
            What::Step(step) if step.starts_with("start descheduler") || step.starts_with("descheduler") => {
                from = from.or(Some(entry.t));
            }
            _ => {}
        }
    }
    runs.extend(
        from.or_else(|| question::marked(history, "started").filter(|_| runs.is_empty()))
            .map(|from| (from, history.end())),
    );
    runs.retain(|(_, to)| *to >= since);
    runs
}
