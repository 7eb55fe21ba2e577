//! A case's failure on a timeline: which violation it names, whether that one was seen, and what may be concluded where it was not.
//!
//! *Reproduced* takes a violation that is all that the claim names: the property, the kind, the workload, the node, each actor, the
//! cause every time, how often, how long, what held meanwhile, and what came then. Another violation of the same property in its
//! place is neither the failure nor its absence, and is told. *Absent* takes a whole recording, components that worked, and
//! something that could have failed.
//!
//! What is complete stays so: the judgement of a recording's beginning that says *reproduced* is that of the whole.

mod facts;
mod form;
mod matching;
mod numbers;
mod premises;
mod question;
mod work;

#[cfg(test)]
mod tests;

pub use form::{Claim, Fact, Failure, Meanwhile, Premise, Then, Violated};

use std::time::Duration;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use self::matching::{Answer, answer};
use self::question::Asked;
use crate::property::{Kind, Property, Question, Violation};
use crate::{History, Timeline, WorkloadRef, deeds_in};
use crate::{Judgement, Verdict};

/// What an arm is judged by: the failure that its case names, and what a judge must know of the steps besides the timeline.
#[derive(Debug, Clone)]
pub struct Claims<'c> {
    /// The failure.
    pub failure: &'c Failure,
    /// What must hold for a verdict to mean anything.
    pub premises: &'c [Premise],
    /// Numbers to report besides those of the failure.
    pub facts: &'c IndexMap<String, Fact>,
    /// The interval of the descheduler that the steps start, of the real world; `None` where they start none.
    pub descheduler_every: Option<Duration>,
    /// How many loads the steps offer a workload, one after the other. CPU that comes from its pods' own start is none.
    pub loads: Vec<(WorkloadRef, usize)>,
}

/// What is to be said of a timeline of an arm. A pure function.
pub fn judge(claims: &Claims<'_>, timeline: &Timeline) -> Judgement {
    let history = History::of(timeline);
    let (asked, answers) = match examined(claims, &history, true) {
        Ok(examined) => examined,
        // What broke the run off is the better reason.
        Err(why) => return Judgement::inconclusive(timeline.broken_off().unwrap_or(why)),
    };
    let mut judgement = concluded(claims, &history, &asked, &answers);
    judgement.watched = timeline.end().saturating_sub(earliest(&asked));
    judgement.facts = facts::of(claims, &history, &asked, &answers);
    for asked in &asked {
        let Some(workload) = asked.workload() else {
            continue;
        };
        for deed in deeds_in(&history, workload, asked.question.since).list {
            if !judgement.attribution.contains(&deed) {
                judgement.attribution.push(deed);
            }
        }
    }
    judgement
}

/// Whether a timeline shows the failure: what is asked again and again while it grows. What it says stays true of all that may
/// come after.
#[must_use]
pub fn reproduced(claims: &Claims<'_>, timeline: &Timeline) -> bool {
    let history = History::of(timeline);
    let Ok((asked, answers)) = examined(claims, &history, false) else {
        return false;
    };
    concluded(claims, &history, &asked, &answers).verdict == Verdict::Reproduced
}

/// The numbers that the verdict hangs on, as they stand: for a progress line.
#[must_use]
pub fn pulse(claims: &Claims<'_>, timeline: &Timeline) -> String {
    let history = History::of(timeline);
    let named = claims.failure.claims().iter();
    let told: Vec<String> = named
        .map(|claim| match question::asked(claims, &history, claim) {
            Ok(asked) => facts::pulse(&history, &asked),
            Err(_) => "not begun".to_owned(),
        })
        .collect();
    told.join("; ")
}

type Examined<'c> = (Vec<Asked<'c>>, Vec<Answer>);

/// What each claim is answered with. With `fully`, also other failures are looked for; they are told, and change no *reproduced*.
fn examined<'c>(claims: &Claims<'c>, history: &History<'_>, fully: bool) -> Result<Examined<'c>, String> {
    let named = claims.failure.claims();
    let mut asked = Vec::with_capacity(named.len());
    let mut answers = Vec::with_capacity(named.len());
    for claim in named {
        let question = question::asked(claims, history, claim)?;
        let answer = answer(history, &question, fully);
        let met = matches!(answer, Answer::Met { .. });
        asked.push(question);
        answers.push(answer);
        if !met && !fully {
            break;
        }
    }
    Ok((asked, answers))
}

/// From when on the failure is asked for: the earliest mark of its claims.
fn earliest(asked: &[Asked<'_>]) -> Duration {
    let since = asked.iter().map(|asked| asked.question.since);
    since.min().unwrap_or_default()
}

/// The verdict of what the claims are answered with.
fn concluded(
    claims: &Claims<'_>,
    history: &History<'_>,
    asked: &[Asked<'_>],
    answers: &[Answer],
) -> Judgement {
    let timeline = history.timeline;
    let since = earliest(asked);
    let met = |answer: &&Answer| matches!(answer, Answer::Met { .. });
    let claimed = claims.failure.claims().len();
    let all = answers.iter().filter(met).count() == claimed;
    if all {
        let complete = answers
            .iter()
            .filter_map(Answer::complete)
            .max()
            .unwrap_or_default();
        return reproduced_at(claims, history, answers, since, complete);
    }
    let told =
        |tell: fn(&Answer) -> Option<&String>| answers.iter().filter_map(tell).cloned().collect::<Vec<_>>();
    let begun = told(Answer::begun);
    let other = told(Answer::other);
    if !other.is_empty() {
        return Judgement::inconclusive(format!(
            "another failure than the named one: {}",
            other.join("; ")
        ));
    }
    if !begun.is_empty() {
        return Judgement::inconclusive(begun.join("; "));
    }
    let seen = told(Answer::met);
    let missing = told(Answer::unmet);
    if !seen.is_empty() {
        let (seen, missing) = (seen.join("; "), missing.join("; "));
        return Judgement::inconclusive(format!(
            "half of the failure is neither it nor its absence: {seen}; but {missing}"
        ));
    }
    let mut judgement = Judgement::inconclusive(missing.join("; "));
    judgement.verdict = Verdict::Absent;
    let bars = premises::unmet(claims, history, history.end())
        .into_iter()
        .chain(work::undone(claims, history, since))
        .chain(asked.iter().filter_map(|asked| work::untested(history, asked)))
        .chain(gap(timeline, since, history.end()));
    let bars: Vec<String> = bars.collect();
    if bars.is_empty() {
        judgement
    } else {
        judgement.unless(bars.join("; "))
    }
}

fn reproduced_at(
    claims: &Claims<'_>,
    history: &History<'_>,
    answers: &[Answer],
    since: Duration,
    complete: Duration,
) -> Judgement {
    let violations: Vec<&Violation> = answers.iter().filter_map(Answer::violation).collect();
    let why: Vec<String> = violations.iter().map(|violation| violation.sentence()).collect();
    let mut judgement = Judgement::inconclusive(why.join("; "));
    judgement.verdict = Verdict::Reproduced;
    judgement.needed = Some(complete.saturating_sub(since));
    let cycles: Vec<String> = violations
        .iter()
        .map(|violation| violation.cycle.join(" → "))
        .filter(|cycle| !cycle.is_empty())
        .collect();
    let caveat = if history.audited {
        ""
    } else {
        " (read from the watches: there is no audit log)"
    };
    judgement.fight = (!cycles.is_empty()).then(|| format!("{}{caveat}", cycles.join("; ")));
    let bars: Vec<String> = premises::unmet(claims, history, complete)
        .into_iter()
        .chain(history.timeline.idle_scheduler_from(complete))
        .chain(gap(history.timeline, since, complete))
        .collect();
    if bars.is_empty() {
        judgement
    } else {
        judgement.unless(bars.join("; "))
    }
}

/// A gap of a watch between two times, in words.
fn gap(timeline: &Timeline, since: Duration, until: Duration) -> Option<String> {
    let (t, gap) = timeline.gap_since(since).filter(|(t, _)| *t <= until)?;
    Some(format!(
        "the watch on {} had a gap at {:.1} s ({}): what happened in it was not seen",
        gap.watch,
        t.as_secs_f64(),
        gap.why
    ))
}

/// All violations of a claim's property, by the question that it is.
fn violations(history: &History<'_>, property: Property, question: &Question) -> Vec<Violation> {
    property.violations(history, question)
}

/// The numbers of a claim's property.
fn figures(history: &History<'_>, claim: &Claim, asked: &Asked<'_>) -> Map<String, Value> {
    match (asked.workload(), asked.property) {
        (Some(workload), property) => {
            property.figures(history, &asked.question, kind_of(claim, asked.property), workload)
        }
        (None, Property::StaysUp) => {
            let nobody = WorkloadRef::new("node", "", "");
            Property::StaysUp.figures(history, &asked.question, claim.kind, &nobody)
        }
        (None, _) => Map::new(),
    }
}

fn kind_of(claim: &Claim, property: Property) -> Option<Kind> {
    claim.kind.filter(|kind| kind.property() == property)
}
