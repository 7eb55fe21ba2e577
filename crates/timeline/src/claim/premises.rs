//! What must hold for a verdict to mean anything.

use std::time::Duration;

use super::question::marked;
use super::{Claims, Premise, numbers};
use crate::{History, words};

/// The premises that do not hold, in words.
///
/// What must be so at every time is asked up to `complete` only: nothing later takes back what was complete by then. What was seen
/// once stays seen.
pub(super) fn unmet(claims: &Claims<'_>, history: &History<'_>, complete: Duration) -> Vec<String> {
    let premises = claims.premises.iter();
    premises
        .filter_map(|premise| lacking(history, premise, complete))
        .collect()
}

fn lacking(history: &History<'_>, premise: &Premise, complete: Duration) -> Option<String> {
    let since = match &premise.since {
        Some(mark) => match marked(history, mark) {
            Some(t) => t,
            None => return Some(format!("the run ended before \"{mark}\"")),
        },
        None => Duration::ZERO,
    };
    // A mark that has not come bounds nothing yet.
    let until = premise
        .until
        .as_deref()
        .and_then(|mark| marked(history, mark))
        .unwrap_or(history.end());
    if let Some(condition) = &premise.seen {
        match numbers::condition(history, condition) {
            Ok(holds) if holds.since(since).until(until).first(|holds| *holds).is_some() => {}
            Ok(_) => {
                return Some(format!(
                    "a premise was never seen: {}",
                    words::condition(condition)
                ));
            }
            Err(why) => return Some(why),
        }
    }
    if let Some(condition) = &premise.always {
        let until = until.min(complete);
        match numbers::condition(history, condition) {
            Ok(holds) => {
                if let Some(t) = holds.since(since).until(until).first(|holds| !holds) {
                    let told = words::condition(condition);
                    return Some(format!(
                        "a premise did not hold at {:.1} s: {told}",
                        t.as_secs_f64()
                    ));
                }
            }
            Err(why) => return Some(why),
        }
    }
    None
}
