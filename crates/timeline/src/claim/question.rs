//! What a claim asks: marks become times, words become thresholds, and durations go by the pace.

use std::time::Duration;

use super::{Claim, Claims, Meanwhile, numbers};
use crate::property::{Floor, Property, Question, UpTo};
use crate::words::Scalar;
use crate::{History, Object, Series, What, WorkloadRef};

/// The mark that a claim begins at where it names none.
const APPLIED: &str = "applied";

/// A claim, and what it asks of the property.
pub(super) struct Asked<'c> {
    /// The claim.
    pub(super) claim: &'c Claim,
    /// Of which property.
    pub(super) property: Property,
    /// What.
    pub(super) question: Question,
    /// What must hold all the while; `None` where nothing must.
    pub(super) held: Option<Series<bool>>,
    /// Whether the scenario offers the workload a load.
    pub(super) load_offered: bool,
    /// Whether that load changes over time.
    pub(super) load_changes: bool,
    /// The node that it is about, where it is about one.
    pub(super) node: Option<String>,
}

impl Asked<'_> {
    /// The workload that it is about.
    pub(super) fn workload(&self) -> Option<&WorkloadRef> {
        self.question.of.as_ref()
    }
}

/// What a claim asks.
///
/// # Errors
/// Why it can't be asked yet, or at all.
pub(super) fn asked<'c>(
    claims: &Claims<'_>,
    history: &History<'_>,
    claim: &'c Claim,
) -> Result<Asked<'c>, String> {
    let property = claim.property().ok_or("the failure names no property")?;
    let since = match &claim.since {
        Some(mark) => marked(history, mark),
        None => marked(history, APPLIED),
    };
    let since = since.ok_or_else(|| {
        let mark = claim.since.as_deref().unwrap_or(APPLIED);
        format!("the run ended before \"{mark}\"")
    })?;
    let until = match claim.until.as_deref() {
        None | Some("end") => None,
        Some(mark) => Some(marked(history, mark).ok_or_else(|| format!("the run ended before \"{mark}\""))?),
    };
    let (of, node) = about(claim)?;
    let pace = history.timeline.header.pace;
    let meanwhile = claim.meanwhile.as_ref();
    let held = match (&of, meanwhile) {
        (Some(of), Some(meanwhile)) => held(history, of, meanwhile),
        _ => None,
    };
    // A state counts only while that holds; of events it is asked afterwards, from the first to the last.
    let of_states = matches!(property, Property::Schedules | Property::KeepsSpread);
    let question = Question {
        since,
        until,
        of: of.clone(),
        kind: None,
        at_least: claim.at_least.as_ref().map(|count| count.number),
        lasting: claim.lasting.map(|span| pace.scale(span.0)),
        meanwhile: held.clone().filter(|_| of_states),
        cycle: claims.descheduler_every.map(|every| pace.scale(every)),
        floor: claim
            .floor
            .as_ref()
            .map(|text| floor(&text.to_string()))
            .transpose()?,
        wanted: match claim.what.as_deref() {
            None | Some("available") => false,
            Some("wanted") => true,
            Some(other) => return Err(format!("\"{other}\" is neither \"available\" nor \"wanted\"")),
        },
        over: claim.over.clone(),
        max_skew: claim.max_skew,
        up_to: claim.up_to.as_ref().map(up_to).transpose()?,
        no_load: meanwhile
            .and_then(|meanwhile| meanwhile.no_load)
            .unwrap_or_default(),
    };
    let loads = of.as_ref().map_or(0, |of| loads_offered(claims, of));
    Ok(Asked {
        claim,
        property,
        question,
        held,
        load_offered: loads > 0,
        load_changes: loads > 1,
        node,
    })
}

/// When a mark is: one that was put, or one of those that are there without being put. `None` where it has not come.
pub(super) fn marked(history: &History<'_>, name: &str) -> Option<Duration> {
    let timeline = history.timeline;
    let first = |is: &dyn Fn(&str) -> bool| {
        timeline.entries.iter().find_map(|entry| match &entry.what {
            What::Step(step) if is(step) => Some(entry.t),
            _ => None,
        })
    };
    let is_a_node = |name: &str| history.nodes().contains_key(name);
    timeline.marked(name).or_else(|| match name {
        APPLIED => first(&|step| step.starts_with("apply ")),
        // Nodes are started as well.
        "started" => first(&|step| step.strip_prefix("start ").is_some_and(|what| !is_a_node(what))),
        "end" => matches!(timeline.entries.last()?.what, What::End(_)).then(|| timeline.end()),
        _ => None,
    })
}

/// The workload or the node that a claim is about.
fn about(claim: &Claim) -> Result<(Option<WorkloadRef>, Option<String>), String> {
    let Some(of) = claim.of.as_deref() else {
        return Ok((None, None));
    };
    Ok(match Object::named(of)? {
        Object::Workload(workload) => (Some(workload), None),
        Object::Node(node) => (None, Some(node)),
        _ => (None, None),
    })
}

/// How many loads the steps offer a workload, one after the other.
fn loads_offered(claims: &Claims<'_>, of: &WorkloadRef) -> usize {
    let loads = claims.loads.iter().filter(|(offered, _)| offered == of);
    loads.map(|(_, count)| count).sum()
}

fn floor(text: &str) -> Result<Floor, String> {
    let text = text.trim();
    if let Some(less) = text.strip_prefix("replicas") {
        let less = less.trim();
        let number = match less.strip_prefix('-') {
            Some(number) => number.trim().parse().ok(),
            None => less.is_empty().then_some(0),
        };
        return number.map(Floor::Replicas).ok_or_else(|| unreadable(text));
    }
    match text {
        "hpa.min" => Ok(Floor::HpaMin),
        "pdb" => Ok(Floor::Budget),
        "max-unavailable" => Ok(Floor::MaxUnavailable),
        number => number.parse().map(Floor::Number).map_err(|_| unreadable(text)),
    }
}

fn unreadable(text: &str) -> String {
    format!("\"{text}\" is no floor: write hpa.min, pdb, max-unavailable, replicas, replicas - 1 or a number")
}

fn up_to(text: &Scalar) -> Result<UpTo, String> {
    match text.to_string().as_str() {
        "hpa.max" => Ok(UpTo::HpaMax),
        number => number
            .parse()
            .map(UpTo::Number)
            .map_err(|_| format!("\"{number}\" is no number of replicas: write hpa.max or a number")),
    }
}

/// What must hold all the while, over time; `None` where nothing is said that holds at one time.
fn held(history: &History<'_>, of: &WorkloadRef, meanwhile: &Meanwhile) -> Option<Series<bool>> {
    let workload = |number| numbers::of(history, &Object::Workload(of.clone()), number);
    let ranges = [
        (meanwhile.wanted, "wanted"),
        (meanwhile.ready, "ready"),
        (meanwhile.running, "running"),
    ];
    let ranges = ranges
        .into_iter()
        .filter_map(|(range, number)| Some((range?, workload(number))));
    let nodes = meanwhile
        .open_nodes
        .map(|range| (range, numbers::of(history, &Object::Nodes, "open")));
    let mut all: Vec<Series<bool>> = ranges
        .chain(nodes)
        .map(|(range, number)| {
            number.with(&number, |number, _| {
                number.is_some_and(|number| range.contains(number))
            })
        })
        .collect();
    if let Some(wanted) = meanwhile.room_elsewhere {
        let room = crate::property::room::room_elsewhere(history, of);
        all.push(room.with(&room, |room, _| *room == wanted));
    }
    all.into_iter().reduce(|a, b| a.with(&b, |a, b| *a && *b))
}
