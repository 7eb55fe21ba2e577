//! That those who could have made the failure worked: without that, its absence says nothing.

use std::time::Duration;

use super::question;
use crate::case::Scenario;
use crate::case::format::Step;
use crate::property::question::ROUNDS;
use crate::timeline::{History, What};

/// Why an absence says nothing, in words: what broke off, what releases lack, who hangs.
pub(super) fn undone(scenario: &Scenario, history: &History<'_>, since: Duration) -> Vec<String> {
    let timeline = history.timeline;
    // What broke off may have done so for what is lacking.
    let lacks = timeline.header.lacks.iter().cloned();
    let mut why: Vec<String> = timeline.broken_off().into_iter().chain(lacks).collect();
    if why.is_empty() {
        why.extend(timeline.idle_scheduler());
        why.extend(timeline.left_undone());
        why.extend(unbalanced(scenario, history, since));
    }
    why
}

/// A descheduler that was started and did not go through its cycles.
fn unbalanced(scenario: &Scenario, history: &History<'_>, since: Duration) -> Option<String> {
    let named = scenario
        .file
        .failure
        .claims()
        .iter()
        .any(|claim| claim.by.iter().any(|actor| actor == "descheduler"));
    let mut every = None;
    for step in &scenario.file.steps {
        if let Step::Descheduler(step) = step {
            every = every.or(Some(step.descheduler.every));
        }
    }
    let every = match every {
        Some(every) => every.map_or(Duration::from_secs(10), |every| every.0),
        // It is named, and this arm starts none: there is nothing to work.
        None => return None,
    };
    let cycle = history.timeline.header.pace.scale(every);
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
