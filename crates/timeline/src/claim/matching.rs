//! Whether a violation is the one that a claim names, and what differs where it is not.

use std::time::Duration;

use super::question::Asked;
use super::{Claim, Then, violations};
use crate::property::words::SOMEBODY;
use crate::property::{Kind, Property, Question, Violation};
use crate::words::{OneOrMany, Scalar};
use crate::{Does, History, WorkloadRef, controller_of};

/// What a claim is answered with.
pub(super) enum Answer {
    /// The violation that it names, and when all of it was complete.
    Met {
        violation: Box<Violation>,
        complete: Duration,
        told: String,
    },
    /// One that has begun, goes on at the end, and is not complete.
    Begun(String),
    /// Another one than the named.
    Other(String),
    /// None.
    Unmet(String),
}

impl Answer {
    pub(super) fn complete(&self) -> Option<Duration> {
        match self {
            Self::Met { complete, .. } => Some(*complete),
            _ => None,
        }
    }

    pub(super) fn violation(&self) -> Option<&Violation> {
        match self {
            Self::Met { violation, .. } => Some(violation),
            _ => None,
        }
    }

    pub(super) fn met(&self) -> Option<&String> {
        match self {
            Self::Met { told, .. } => Some(told),
            _ => None,
        }
    }

    pub(super) fn begun(&self) -> Option<&String> {
        match self {
            Self::Begun(why) => Some(why),
            _ => None,
        }
    }

    pub(super) fn other(&self) -> Option<&String> {
        match self {
            Self::Other(why) => Some(why),
            _ => None,
        }
    }

    pub(super) fn unmet(&self) -> Option<&String> {
        match self {
            Self::Unmet(why) => Some(why),
            _ => None,
        }
    }
}

/// What a claim is answered with. With `fully`, other failures in its place are looked for.
pub(super) fn answer(history: &History<'_>, asked: &Asked<'_>, fully: bool) -> Answer {
    // What is asked again and again while a timeline grows asks for nothing else.
    let named = Question {
        kind: asked.claim.kind,
        ..asked.question.clone()
    };
    let question = if fully { &asked.question } else { &named };
    let found = violations(history, asked.property, question);
    // Loops stand in each other's place. Of the other properties, violations of two kinds are two things: an autoscaler that rises
    // without load, and the fall by somebody's hand before.
    let of_kind = |violation: &Violation| {
        asked.property == Property::Rests || asked.claim.kind.is_none_or(|kind| kind == violation.kind)
    };
    let mut begun = None;
    let mut other = None;
    for violation in found.into_iter().filter(of_kind) {
        let differences = differences(history, asked, &violation);
        let sentence = violation.sentence();
        match (violation.complete, differences.is_empty()) {
            (Some(complete), true) => match then(history, asked, &violation, complete) {
                Ok(complete) => {
                    return Answer::Met {
                        violation: Box::new(violation),
                        complete,
                        told: sentence,
                    };
                }
                Err(Missing::NotYet(why)) => begun = begun.or(Some(format!("{sentence}, {why}"))),
                Err(Missing::Differs(why)) => other = other.or(Some(format!("{sentence}, {why}"))),
            },
            (Some(_), false) => other = other.or(Some(format!("{sentence}, but {}", differences.join(", ")))),
            (None, _) => begun = begun.or(Some(format!("{sentence}; this has begun and is not complete"))),
        }
    }
    if let Some(why) = other.or_else(|| fully.then(|| elsewhere(history, asked)).flatten()) {
        return Answer::Other(why);
    }
    if let Some(why) = begun {
        return Answer::Begun(why);
    }
    let of = match (asked.claim.of.as_deref(), asked.property) {
        (Some("nodes"), _) => "every node",
        (Some(of), _) => of,
        (None, Property::StaysUp) => "everything",
        (None, _) => "every workload",
    };
    Answer::Unmet(format!("{of} {}", asked.property.kept()))
}

/// A violation that is asked about in wider terms: of the same workload at other circumstances, or of another one.
fn elsewhere(history: &History<'_>, asked: &Asked<'_>) -> Option<String> {
    let complete = |violation: &Violation| violation.complete.is_some();
    if asked.question.meanwhile.is_some() {
        let anyhow = Question {
            meanwhile: None,
            ..asked.question.clone()
        };
        let found = violations(history, asked.property, &anyhow)
            .into_iter()
            .find(complete);
        if let Some(found) = found {
            let mut differences = differences(history, asked, &found);
            differences.push("not while all held that should".to_owned());
            return Some(format!("{}, but {}", found.sentence(), differences.join(", ")));
        }
    }
    let of = asked.workload()?;
    let anybody = Question {
        of: None,
        meanwhile: None,
        ..asked.question.clone()
    };
    let kind = asked.claim.kind;
    let found = violations(history, asked.property, &anybody)
        .into_iter()
        .find(|violation| {
            complete(violation) && violation.workload != *of && kind.is_none_or(|kind| violation.kind == kind)
        })?;
    Some(format!("{}, but not of {of}", found.sentence()))
}

/// In what a violation differs from the claim.
fn differences(history: &History<'_>, asked: &Asked<'_>, violation: &Violation) -> Vec<String> {
    let claim = asked.claim;
    let mut all = Vec::new();
    if let Some(kind) = claim.kind.filter(|kind| *kind != violation.kind) {
        all.push(format!("it is a {}, and no {kind}", violation.kind));
    } else if let Some(count) = claim
        .at_least
        .as_ref()
        .filter(|count| violation.kind.counted_in() != Some(count.unit))
    {
        all.push(format!("a {} is not counted in {}", violation.kind, count.unit));
    }
    let nodes = &violation.nodes;
    if let Some(node) = asked.node.as_ref().filter(|node| !nodes.contains(node)) {
        all.push(format!("not of node {node}"));
    }
    if let Some(on) = claim
        .on
        .as_ref()
        .filter(|on| nodes.is_empty() || nodes.iter().any(|node| node != *on))
    {
        all.push(format!("on {}, not on {on}", or_nothing(nodes, "no node")));
    }
    all.extend(by_others(history, &claim.by, violation));
    all.extend(for_another_cause(claim, violation));
    if asked.question.no_load && asked.load_offered {
        all.push("load was offered".to_owned());
    }
    if violation.kind == Kind::ReplicaOscillation && asked.load_changes {
        all.push("the load that was offered changed".to_owned());
    }
    if let Some(complete) = violation.complete {
        all.extend(not_meanwhile(history, asked, violation, complete));
    }
    all
}

fn or_nothing(words: &[String], nothing: &str) -> String {
    if words.is_empty() {
        nothing.to_owned()
    } else {
        words.join(", ")
    }
}

/// A name without the note that kubeclash played it.
fn bare(actor: &str) -> &str {
    actor.strip_suffix(" (played by kubeclash)").unwrap_or(actor)
}

/// Whether an actor is the one that a claim names. A fork keeps the place of what it stands for, whatever it calls itself: one of
/// the controller-manager names its controllers first, and a scheduler is who binds pods.
fn is_called(history: &History<'_>, actor: &str, name: &str) -> bool {
    let in_its_place = || match name {
        "kube-scheduler" => history
            .acts
            .iter()
            .any(|act| act.does == Does::Binds && act.actor == actor),
        "descheduler" => actor.contains("descheduler"),
        controller => actor
            .strip_prefix(controller)
            .is_some_and(|rest| rest.starts_with(" (")),
    };
    actor == name || in_its_place()
}

/// Where there is an audit log, everybody who is named must have acted, and of those who took pods away or scaled nobody else, if
/// one of them is named; without one, nobody can be told apart.
fn by_others(history: &History<'_>, named: &[String], violation: &Violation) -> Option<String> {
    if !history.audited {
        return None;
    }
    let actors = &violation.actors;
    let missing: Vec<&str> = named
        .iter()
        .map(String::as_str)
        .filter(|name| !actors.iter().any(|actor| is_called(history, bare(actor), name)))
        .collect();
    if !missing.is_empty() {
        return Some(format!(
            "by {}, without {}",
            or_nothing(actors, "nobody"),
            missing.join(" and ")
        ));
    }
    let takers = actors.iter().filter(|actor| takes(history, violation, actor));
    let (mine, others): (Vec<&String>, Vec<&String>) =
        takers.partition(|actor| named.iter().any(|name| is_called(history, bare(actor), name)));
    let others: Vec<&str> = others.into_iter().map(String::as_str).collect();
    (!mine.is_empty() && !others.is_empty()).then(|| format!("also by {}", others.join(" and ")))
}

/// Whether somebody takes pods of a workload away, or scales it, until the violation is complete. What a pod's own controller does
/// follows from that.
fn takes(history: &History<'_>, violation: &Violation, actor: &str) -> bool {
    let to = violation.complete.unwrap_or(history.end());
    actor == SOMEBODY
        || history.acts_on(&violation.workload).any(|act| {
            let own = act
                .pod
                .is_some_and(|pod| controller_of(history.pods[pod].last()) == Some(&*act.actor));
            matches!(act.does, Does::Evicts | Does::Deletes | Does::Scales)
                && !own
                && act.t <= to
                && act.actor_told() == actor
        })
}

/// Each cause must be one of those that are named, or have one of them among its words.
fn for_another_cause(claim: &Claim, violation: &Violation) -> Option<String> {
    let named = claim.because.as_ref().map(OneOrMany::as_slice)?;
    let is_named = |cause: &String| {
        named
            .iter()
            .any(|named| cause.contains(named.as_str()) || same(named, cause))
    };
    let others: Vec<String> = violation
        .causes
        .iter()
        .filter(|cause| !is_named(cause))
        .cloned()
        .collect();
    (violation.causes.is_empty() || !others.is_empty()).then(|| {
        let named: Vec<&str> = named.iter().map(String::as_str).collect();
        format!(
            "for {}, not for {}",
            or_nothing(&others, "no reason that was seen"),
            named.join(" or ")
        )
    })
}

/// Two names of one cause: a kubelet and the taint manager say of a pod that it does not tolerate its node's NoExecute taint.
fn same(named: &str, cause: &str) -> bool {
    named == "TaintToleration" && cause == "DeletionByTaintManager"
}

/// What must hold from a violation's beginning until it is complete, and did not.
fn not_meanwhile(
    history: &History<'_>,
    asked: &Asked<'_>,
    violation: &Violation,
    complete: Duration,
) -> Option<String> {
    let (from, to) = (violation.since, complete);
    if let Some(held) = &asked.held
        && let Some(t) = held.since(from).until(to).first(|held| !held)
    {
        let meanwhile = asked.claim.meanwhile.as_ref()?;
        let told = [
            ("wanted", meanwhile.wanted),
            ("ready", meanwhile.ready),
            ("running", meanwhile.running),
            ("open nodes", meanwhile.open_nodes),
        ];
        let told = told
            .iter()
            .filter_map(|(what, range)| Some(format!("{what} {}", (*range)?)));
        let room = meanwhile.room_elsewhere.map(|room| {
            if room {
                "with room elsewhere"
            } else {
                "without room elsewhere"
            }
        });
        let told: Vec<String> = told.chain(room.map(str::to_owned)).collect();
        return Some(format!(
            "not {} all the while (not at {:.1} s)",
            told.join(" and "),
            t.as_secs_f64()
        ));
    }
    let still = asked
        .claim
        .meanwhile
        .as_ref()
        .and_then(|meanwhile| meanwhile.no_churn)
        .unwrap_or_default();
    let workload = asked.workload().filter(|_| still)?;
    let moves = churn(history, workload, from, to);
    (moves > 0).then(|| format!("{moves} times a pod came or went meanwhile"))
}

/// How often a pod of a workload came or went between two times.
fn churn(history: &History<'_>, workload: &WorkloadRef, from: Duration, to: Duration) -> usize {
    let times = history
        .pods_of(workload)
        .flat_map(|pod| [Some(pod.created), pod.terminating])
        .flatten();
    times.filter(|t| *t > from && *t < to).count()
}

enum Missing {
    NotYet(String),
    Differs(String),
}

/// When what comes after a violation had come; at once where nothing is to come.
fn then(
    history: &History<'_>,
    asked: &Asked<'_>,
    violation: &Violation,
    complete: Duration,
) -> Result<Duration, Missing> {
    let Some(then) = &asked.claim.then else {
        return Ok(complete);
    };
    let Some(workload) = asked.workload() else {
        return Ok(complete);
    };
    let wanted = history.number(workload, |seen| seen.wanted);
    let mut at = complete;
    let levels = [(&then.back_at, true), (&then.falls_to, false)];
    for (level, back) in levels
        .into_iter()
        .filter_map(|(level, back)| Some((level.as_ref()?, back)))
    {
        let level = number(history, workload, level)
            .ok_or_else(|| Missing::NotYet(format!("and \"{level}\" is no number")))?;
        // An instant at which the dip begins is still below.
        let after = wanted.since(violation.since);
        let reached = after.points().iter().find(|(t, wanted)| {
            let there = wanted.is_some_and(|wanted| if back { wanted >= level } else { wanted <= level });
            *t >= at && there
        });
        let not_yet = if back {
            "was not brought back to"
        } else {
            "did not fall back to"
        };
        at = reached
            .map(|(t, _)| *t)
            .ok_or_else(|| Missing::NotYet(format!("and {not_yet} {level}")))?;
    }
    by_whom(history, workload, then, complete, at)
}

fn by_whom(
    history: &History<'_>,
    workload: &WorkloadRef,
    then: &Then,
    from: Duration,
    at: Duration,
) -> Result<Duration, Missing> {
    let scales = history.acts_on(workload).filter(|act| act.does == Does::Scales);
    let after: Vec<_> = scales.filter(|act| act.t > from && act.t <= at).collect();
    let missing: Vec<&str> = then
        .by
        .iter()
        .map(String::as_str)
        .filter(|name| !after.iter().any(|act| is_called(history, &act.actor, name)))
        .collect();
    let mut others: Vec<String> = Vec::new();
    for act in after {
        if !others.contains(&act.actor) {
            others.push(act.actor.clone());
        }
    }
    let named = |other: &String| then.by.iter().any(|name| is_called(history, other, name));
    let alone = then.by.is_empty() || others.iter().all(named);
    if (missing.is_empty() && alone) || !history.audited {
        return Ok(at);
    }
    // Whose request is not written down yet may still come.
    Err(match others[..] {
        [] => Missing::NotYet(format!(
            "and nothing says that {} brought it back",
            missing.join(" and ")
        )),
        _ => Missing::Differs(format!(
            "but {} brought it back, not {}",
            others.join(" and "),
            if missing.is_empty() {
                format!("{} alone", then.by.join(" and "))
            } else {
                missing.join(" and ")
            }
        )),
    })
}

/// `hpa.min`, `hpa.max`, `hpa.max / 2`, or a number.
fn number(history: &History<'_>, workload: &WorkloadRef, text: &Scalar) -> Option<i64> {
    let text = text.to_string();
    let (what, by) = match text.split_once('/') {
        Some((what, by)) => (
            what.trim().to_owned(),
            by.trim().parse().ok().filter(|by| *by > 0)?,
        ),
        None => (text.trim().to_owned(), 1),
    };
    let last = |read: fn(&crate::HpaSeen) -> i64| {
        let all = history.hpas_of(workload).flat_map(|(_, states)| states.iter());
        all.filter_map(|(_, hpa)| hpa.map(read)).next()
    };
    let number = match what.as_str() {
        "hpa.min" => last(|hpa| hpa.min)?,
        "hpa.max" => last(|hpa| hpa.max)?,
        number => number.parse().ok()?,
    };
    Some(number / by)
}

impl Property {
    /// That it holds, of some workload, in words.
    fn kept(self) -> &'static str {
        match self {
            Self::Rests => "comes to rest: no loop was seen",
            Self::Schedules => "schedules: no pod was stuck without a node",
            Self::KeepsFloor => "keeps its floor",
            Self::KeepsSpread => "keeps its spread",
            Self::ScalesWithLoad => "scales with its load",
            Self::Progresses => "progresses: nothing stood still",
            Self::Fits => "fits: no pod was rejected, and no node overcommitted",
            Self::StaysUp => "stays up",
        }
    }
}
