//! Rounds: pods of a workload are taken away and made anew, and everything stands as it stood before.
//!
//! A round is complete when as many pods as are wanted are bound, none of them terminating, and the multiset of pods by node is
//! one that was there before; the scheduler has had its say, whether or not containers already run. A change of what is wanted,
//! in number or in revision, begins anew. What takes a pod away tells the kind: a preemption, an eviction (or the taint eviction), or anything else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value};

use super::super::question::ROUNDS;
use super::super::{Kind, Question, Violation, as_seconds, note, per_minute, period};
use crate::{Act, Does, History, PodSeen, Series, WorkloadRef, controller_of};

/// A pod that was taken away.
struct Taking<'h> {
    t: Duration,
    pod: usize,
    kind: Kind,
    /// Why; empty where nothing says.
    cause: String,
    /// Who did it, where a request or a condition says so.
    act: Option<&'h Act>,
}

/// From the first pod that is taken away to the placement that is back.
struct Round {
    began: Duration,
    restored: Duration,
    /// Which takings, by their place.
    takings: std::ops::Range<usize>,
    kind: Kind,
}

/// The revision of all pods, and how many are on each node, greatest number first.
type Whole = (String, Vec<usize>);

/// The pods on each node, greatest number first, after so many changes of what is wanted.
type Placement = (usize, Vec<usize>);

/// All that is known of a workload's rounds.
struct Rounds<'h> {
    takings: Vec<Taking<'h>>,
    /// By the placement that comes back.
    by_placement: BTreeMap<Placement, Vec<Round>>,
    /// The placement when the question begins; `None` where not all pods were placed.
    first: Option<Placement>,
}

/// The loops of a workload: at most one of each kind, and one of refused evictions.
pub(super) fn violations(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
) -> Vec<Violation> {
    let rounds = rounds(history, question, workload);
    let kinds = [Kind::EvictLoop, Kind::PreemptionLoop, Kind::PlacementSwap];
    let mut found: Vec<Violation> = kinds
        .into_iter()
        .filter_map(|kind| looped(history, question, workload, &rounds, kind))
        .collect();
    found.extend(refused(history, question, workload));
    found
}

/// `rounds`, `evictions`, `evictions_per_min`, `placement`, `first_eviction_s`, `period_s`.
pub(super) fn figures(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
) -> Map<String, Value> {
    let rounds = rounds(history, question, workload);
    let by_count = |(placement, back): &(&Placement, &Vec<Round>)| {
        (back.len(), Some(*placement) == rounds.first.as_ref())
    };
    let most = rounds.by_placement.iter().max_by_key(by_count);
    told(history, question, &rounds, most.map(|(placement, _)| placement))
}

fn told(
    history: &History<'_>,
    question: &Question,
    rounds: &Rounds<'_>,
    placement: Option<&Placement>,
) -> Map<String, Value> {
    let times: Vec<Duration> = rounds.takings.iter().map(|taking| taking.t).collect();
    let placement = placement.or(rounds.first.as_ref());
    let back = placement
        .and_then(|placement| rounds.by_placement.get(placement))
        .map_or(&[][..], Vec::as_slice);
    let mut figures = Map::new();
    figures.insert("rounds".to_owned(), back.len().into());
    figures.insert("evictions".to_owned(), times.len().into());
    if let Some(rate) = per_minute(&times) {
        figures.insert("evictions_per_min".to_owned(), rate.into());
    }
    if let Some((_, counts)) = placement {
        // Nodes without a pod are part of the picture.
        let mut padded = counts.clone();
        padded.resize(counts.len().max(history.nodes().len()), 0);
        figures.insert("placement".to_owned(), padded.into());
    }
    if let Some(first) = times.first() {
        figures.insert(
            "first_eviction_s".to_owned(),
            as_seconds(first.saturating_sub(question.since)),
        );
    }
    // From one cycle's first eviction to the next one's: a placement that comes back may take more than one.
    let cycles = apart(times.into_iter(), |t| *t, question.cycle.unwrap_or_default());
    if let Some(period) = period(&cycles) {
        figures.insert("period_s".to_owned(), as_seconds(period));
    }
    figures
}

fn rounds<'h>(history: &'h History<'_>, question: &Question, workload: &WorkloadRef) -> Rounds<'h> {
    let takings = takings(history, question, workload);
    let placements = placements(history, workload).since(question.since);
    let (wanted, first) = placements.at(question.since);
    let mut rounds = Rounds {
        takings,
        by_placement: BTreeMap::new(),
        first: first.as_ref().map(|(_, counts)| (0, counts.clone())),
    };
    // How many takings lay before the last time that each placement was there.
    let mut seen: BTreeMap<Placement, usize> = BTreeMap::new();
    let (mut wanted, mut revision) = (*wanted, first.as_ref().map(|(revision, _)| revision));
    seen.extend(rounds.first.clone().map(|first| (first, 0)));
    let mut changes = 0;
    let later = placements.points().iter().skip(1);
    for (t, (now, placement)) in later.filter(|(t, _)| question.covers(*t)) {
        changes += usize::from(*now != wanted);
        wanted = *now;
        let Some((its, counts)) = placement else { continue };
        changes += usize::from(revision.is_some_and(|before| before != its));
        revision = Some(its);
        let placement = (changes, counts.clone());
        let until = rounds.takings.partition_point(|taking| taking.t <= *t);
        let Some(counted) = seen
            .insert(placement.clone(), until)
            .filter(|counted| *counted < until)
        else {
            continue;
        };
        let these = &rounds.takings[counted..until];
        // A preemption anywhere makes the round one of preemption, and an eviction tells more than a deletion.
        let kind = [Kind::PreemptionLoop, Kind::EvictLoop]
            .into_iter()
            .find(|kind| these.iter().any(|taking| taking.kind == *kind));
        rounds
            .by_placement
            .entry(placement.clone())
            .or_default()
            .push(Round {
                began: these[0].t,
                restored: *t,
                takings: counted..until,
                kind: kind.unwrap_or(Kind::PlacementSwap),
            });
    }
    rounds
}

/// How many are wanted, and the revision and the placement where all of them are placed. While pods of two revisions are there, a
/// rollout is under way, and there is no placement to come back to.
fn placements(history: &History<'_>, workload: &WorkloadRef) -> Series<(Option<i64>, Option<Whole>)> {
    let placed = history.over_time(history.pods_of(workload), |pods| {
        let mut by_node: BTreeMap<&str, usize> = BTreeMap::new();
        let mut revisions: BTreeSet<&str> = BTreeSet::new();
        for pod in pods.values().filter(|pod| pod.active()) {
            *by_node.entry(pod.node.as_deref()?).or_default() += 1;
            revisions.insert(revision(pod));
        }
        let revision = revisions.pop_first().filter(|_| revisions.is_empty())?;
        let mut counts: Vec<usize> = by_node.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        Some((revision.to_owned(), counts))
    });
    let wanted = history.number(workload, |seen| seen.wanted);
    wanted.with(&placed, |wanted, placed| {
        let whole = placed
            .as_ref()
            .filter(|(_, counts)| *wanted == Some(counts.iter().sum::<usize>() as i64));
        (*wanted, whole.cloned())
    })
}

/// Which revision of its workload a pod is of: the replica set that made it, or what a stateful or a daemon set calls it.
fn revision(pod: &PodSeen) -> &str {
    let label = pod.labels.get("controller-revision-hash");
    let owner = pod.owner.as_ref().map(|owner| &owner.name);
    label.or(owner).map_or("", String::as_str)
}

/// The pods that had a place and were told to go, by somebody else than their own controller.
fn takings<'h>(history: &'h History<'_>, question: &Question, workload: &WorkloadRef) -> Vec<Taking<'h>> {
    let mut takings: Vec<Taking<'h>> = history
        .members(workload)
        .iter()
        .filter_map(|&pod| taking(history, pod).filter(|taking| question.covers(taking.t)))
        .collect();
    takings.sort_by_key(|taking| taking.t);
    takings
}

fn taking<'h>(history: &'h History<'_>, index: usize) -> Option<Taking<'h>> {
    let pod = &history.pods[index];
    let t = pod.terminating?;
    let finished = history
        .state_at(pod, t)
        .is_some_and(|state| state.phase == "Succeeded" || state.phase == "Failed");
    let had_a_place = pod.bound.is_some_and(|bound| bound <= t) && !finished;
    let act = history
        .acts_on_pod(index)
        .find(|act| act.refused.is_none() && matches!(act.does, Does::Evicts | Does::Deletes));
    let its_own = controller_of(pod.last());
    let by_its_own = history.audited && act.is_some_and(|act| Some(act.actor.as_str()) == its_own);
    if !had_a_place || by_its_own {
        return None;
    }
    let condition = pod.last().disruption.as_deref().unwrap_or_default();
    let evicted = act.is_some_and(|act| act.does == Does::Evicts);
    let by_a_scheduler = act.is_some_and(|act| act.does == Does::Deletes && act.actor.contains("scheduler"))
        && act.is_some_and(|act| !act.actor.contains("descheduler"));
    let detail = act.and_then(|act| act.detail.clone()).unwrap_or_default();
    let (kind, cause) = match condition {
        "PreemptionByScheduler" => (Kind::PreemptionLoop, condition.to_owned()),
        "DeletionByTaintManager" => (Kind::EvictLoop, condition.to_owned()),
        _ if by_a_scheduler => (Kind::PreemptionLoop, detail),
        _ if evicted || condition == "EvictionByEvictionAPI" => (Kind::EvictLoop, detail),
        _ => (Kind::PlacementSwap, detail),
    };
    Some(Taking {
        t,
        pod: index,
        kind,
        cause,
        act,
    })
}

/// What began in another descheduling cycle than the one before: half an interval apart.
fn apart<T>(all: impl Iterator<Item = T>, began: impl Fn(&T) -> Duration, interval: Duration) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    for one in all {
        let last = kept.last().map(&began);
        if last.is_none_or(|last| began(&one).saturating_sub(last) >= interval / 2) {
            kept.push(one);
        }
    }
    kept
}

fn looped(
    history: &History<'_>,
    question: &Question,
    workload: &WorkloadRef,
    rounds: &Rounds<'_>,
    kind: Kind,
) -> Option<Violation> {
    let at_least = question.at_least.unwrap_or(ROUNDS);
    let interval = question.cycle.unwrap_or_default();
    let loops = rounds.by_placement.iter().map(|(placement, back)| {
        let of_kind = back.iter().filter(|round| round.kind == kind);
        (placement, apart(of_kind, |round| round.began, interval))
    });
    let loops: Vec<(&Placement, Vec<&Round>)> = loops.filter(|(_, back)| !back.is_empty()).collect();
    let complete = |back: &[&Round]| back.get(at_least.max(1) - 1).map(|round| round.restored);
    let first = loops
        .iter()
        .filter(|(_, back)| complete(back).is_some())
        .min_by_key(|(_, back)| complete(back));
    let last = rounds.takings.iter().rfind(|taking| taking.kind == kind)?;
    let Some((placement, back)) = first else {
        // A few that lead somewhere are no loop; some that go on are no rest.
        let began = rounds.takings.iter().find(|taking| taking.kind == kind)?;
        if question.quiet(history, last.t) {
            return None;
        }
        let mut violation = Violation::begins(kind, workload, began.t);
        violation.until = last.t;
        let most = loops.iter().max_by_key(|(_, back)| back.len());
        violation.rounds = most.map_or(0, |(_, back)| back.len());
        violation.figures = told(history, question, rounds, most.map(|(placement, _)| *placement));
        describe(&mut violation, history, rounds, began.t, history.end(), None);
        return Some(violation);
    };
    let done = complete(back)?;
    let began: Vec<Duration> = back.iter().map(|round| round.began).collect();
    let mut violation = Violation::begins(kind, workload, began[0]);
    violation.complete = Some(done);
    violation.until = last.t.max(done);
    violation.rounds = back.len();
    violation.period = period(&began);
    violation.per_minute = per_minute(&began);
    violation.figures = told(history, question, rounds, Some(placement));
    describe(&mut violation, history, rounds, began[0], done, Some(back[0]));
    Some(violation)
}

/// Actors, causes, nodes and the cycle, of what happened until a time.
fn describe(
    violation: &mut Violation,
    history: &History<'_>,
    rounds: &Rounds<'_>,
    from: Duration,
    to: Duration,
    round: Option<&Round>,
) {
    let asked = |taking: &Taking<'_>| taking.act.map_or(taking.t, |act| act.t.min(taking.t));
    let these = rounds
        .takings
        .iter()
        .filter(|taking| (from..=to).contains(&taking.t));
    let mut begins = from;
    for taking in these {
        begins = begins.min(asked(taking));
        note(
            &mut violation.causes,
            if taking.cause.is_empty() {
                "no reason given"
            } else {
                &taking.cause
            },
        );
        note(
            &mut violation.nodes,
            history.pods[taking.pod].last().node.clone().unwrap_or_default(),
        );
    }
    let workload = violation.workload.clone();
    let acts = history
        .acts_on(&workload)
        .filter(|act| (begins..=to).contains(&act.t) && act.refused.is_none());
    let moves = [Does::Evicts, Does::Deletes, Does::Creates, Does::Binds];
    violation.acted(acts.filter(|act| moves.contains(&act.does)));
    violation.cycle = cycle(history, rounds, &workload, round);
}

/// One round: who took which pod from where and why, who made which pod anew, and who put it where.
fn cycle(
    history: &History<'_>,
    rounds: &Rounds<'_>,
    workload: &WorkloadRef,
    round: Option<&Round>,
) -> Vec<String> {
    let taking = match round {
        Some(round) => &rounds.takings[round.takings.start],
        None => match rounds.takings.first() {
            Some(taking) => taking,
            None => return Vec::new(),
        },
    };
    let pod = history.pods[taking.pod].last();
    let mut told = vec![super::super::words::taking(
        taking.act,
        &pod.name,
        pod.node.as_deref().unwrap_or("its node"),
        &taking.cause,
    )];
    let until = round.map_or(history.end(), |round| round.restored);
    let next = history
        .pods_of(workload)
        .find(|next| next.created >= taking.t && next.created <= until);
    if let Some(next) = next {
        told.extend(super::super::words::made_anew(history, next));
    }
    told
}

/// Evictions that are refused again and again, with none granted in between: an endless attempt is no rest.
fn refused(history: &History<'_>, question: &Question, workload: &WorkloadRef) -> Option<Violation> {
    let at_least = question.at_least.unwrap_or(ROUNDS);
    let interval = question.interval(history);
    let mut attempts: Vec<&Act> = Vec::new();
    let mut complete = None;
    let mut last = None;
    let evictions = history
        .acts_on(workload)
        .filter(|act| act.does == Does::Evicts && question.covers(act.t));
    for act in evictions {
        if act.refused.is_none() {
            if complete.is_none() {
                attempts.clear();
            }
            continue;
        }
        last = Some(act.t);
        if attempts
            .last()
            .is_none_or(|before| act.t.saturating_sub(before.t) >= interval / 2)
        {
            attempts.push(act);
            if attempts.len() >= at_least.max(1) && complete.is_none() {
                complete = Some(act.t);
            }
        }
    }
    let (first, last) = (attempts.first()?, last?);
    if complete.is_none() && question.quiet(history, last) {
        return None;
    }
    let times: Vec<Duration> = attempts.iter().map(|act| act.t).collect();
    let mut violation = Violation::begins(Kind::EvictLoop, workload, first.t);
    violation.complete = complete;
    violation.until = last;
    violation.rounds = attempts.len();
    violation.period = period(&times);
    violation.per_minute = per_minute(&times);
    for act in attempts
        .iter()
        .filter(|act| complete.is_none_or(|done| act.t <= done))
    {
        note(&mut violation.actors, act.actor_told());
        note(&mut violation.causes, super::super::words::cause(act));
    }
    violation.cycle = vec![super::super::words::refusal(first)];
    violation
        .figures
        .insert("refused_evictions".to_owned(), attempts.len().into());
    Some(violation)
}
