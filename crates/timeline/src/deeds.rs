//! Who did what to a workload, and how often: read from the requests of a timeline, or, where it has none, from what the
//! watches show of the deeds.
//!
//! An actor is named only where something says so. Without requests a pod's owner says who created it, a condition or a
//! status who took it away; for the rest it is `somebody`, or `a scheduler`, since nobody else binds pods. What was refused
//! (403, 409, 422, 429) is a deed as well: an endless attempt is no rest.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::history::{NODE, POD, names};
use super::{Act, Does, History, Timeline, WorkloadRef};

/// What says that somebody did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeenIn {
    /// The API server's audit log.
    #[serde(rename = "audit log")]
    AuditLog,
    /// Owners, conditions and statuses of what was watched.
    Watches,
}

/// What one actor did to one kind of object, and how often.
///
/// Field names are part of the command's interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deed {
    /// Who, as people who know Kubernetes call it.
    pub actor: String,
    /// What.
    pub does: Does,
    /// To what: `pod` (one of the workload's), `deployment web`, `node`.
    pub object: String,
    /// Which reason, nodes or numbers: `RemoveDuplicates`, `kind-worker`, `1→3→6`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How often.
    pub count: usize,
    /// How often a minute, from the first time to the last; where it was done more than once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_min: Option<f64>,
    /// The HTTP status of the answers, where it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<u16>,
    /// Whether kubeclash did it in that one's name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub played: bool,
    /// What says so.
    pub seen_in: SeenIn,
}

impl Deed {
    /// `descheduler evicts pod (RemoveDuplicates)`; without the pod where it was already spoken of.
    fn words(&self, spoken_of: bool) -> String {
        let Self { does, .. } = self;
        let actor = names::told(&self.actor, self.played);
        let object = match self.object.as_str() {
            POD if spoken_of => String::new(),
            object => format!(" {}", object.split_once(' ').map_or(object, |(_, name)| name)),
        };
        if let Some(code) = self.refused {
            return format!("{actor} is refused {} ({code})", does.noun());
        }
        match (does, self.detail.as_deref()) {
            (_, None) => format!("{actor} {does}{object}"),
            (Does::Binds, Some(nodes)) => format!("{actor} binds{object} to {nodes}"),
            (Does::Cordons | Does::Uncordons, Some(nodes)) => format!("{actor} {does} {nodes}"),
            (Does::Scales, Some(numbers)) => format!("{actor} scales{object} {numbers}"),
            (Does::Refuses, Some(message)) => format!("{actor} refuses{object}: \"{message}\""),
            (_, Some(detail)) => format!("{actor} {does}{object} ({detail})"),
        }
    }
}

/// Everything that was done to a workload, in order of the first time.
#[derive(Debug, Clone, PartialEq)]
pub struct Deeds {
    /// What, by whom.
    pub list: Vec<Deed>,
    /// Whether the audit log says so.
    audited: bool,
}

impl Deeds {
    /// A sentence of who did what upon what: `a evicts pod (why) → b creates → c binds to kind-worker`. Several who did
    /// the same stand together, in order of the first time; what nobody did is left out.
    #[must_use]
    pub fn chain(&self, links: &[&[Does]]) -> String {
        let mut told: Vec<String> = Vec::new();
        for does in links {
            let these = self.list.iter().filter(|deed| does.contains(&deed.does));
            let words: Vec<String> = these.map(|deed| deed.words(!told.is_empty())).collect();
            if !words.is_empty() {
                told.push(words.join(" and "));
            }
        }
        if told.is_empty() {
            "nobody was seen to act".to_owned()
        } else {
            told.join(" → ")
        }
    }

    /// One sentence of all deeds of one kind, one actor after the other.
    #[must_use]
    pub fn turns(&self, does: Does) -> Option<String> {
        let these = self.list.iter().filter(|deed| deed.does == does);
        let words: Vec<String> = these.map(|deed| deed.words(false)).collect();
        (!words.is_empty()).then(|| words.join(" → "))
    }

    /// What is to be added to a sentence that no audit log stands behind.
    #[must_use]
    pub fn caveat(&self) -> &'static str {
        if self.audited {
            ""
        } else {
            " (read from the watches: there is no audit log)"
        }
    }
}

/// The deeds that concern a workload, its pods, and the nodes, since a time.
#[must_use]
pub fn deeds(timeline: &Timeline, workload: &WorkloadRef, since: Duration) -> Deeds {
    deeds_in(&History::of(timeline), workload, since)
}

/// The same of a history that is there already.
#[must_use]
pub fn deeds_in(history: &History<'_>, workload: &WorkloadRef, since: Duration) -> Deeds {
    let mut groups: Vec<Vec<&Act>> = Vec::new();
    for act in history.acts.iter().filter(|act| act.t >= since) {
        if act.workload.as_ref().is_some_and(|of| of != workload)
            || (act.workload.is_none() && act.object != NODE)
        {
            continue;
        }
        match groups.iter_mut().find(|group| group[0].is_like(act)) {
            Some(group) => group.push(act),
            None => groups.push(vec![act]),
        }
    }
    let list = groups.into_iter().map(|group| Deed {
        actor: group[0].actor.clone(),
        does: group[0].does,
        object: group[0].object.clone(),
        detail: detail(group[0].does, &group),
        count: group.len(),
        per_min: per_min(&group),
        refused: group[0].refused,
        played: group[0].played,
        seen_in: if history.audited {
            SeenIn::AuditLog
        } else {
            SeenIn::Watches
        },
    });
    Deeds {
        list: list.collect(),
        audited: history.audited,
    }
}

fn per_min(acts: &[&Act]) -> Option<f64> {
    let (first, last) = (acts.first()?.t, acts.last()?.t);
    let took = last.saturating_sub(first).as_secs_f64();
    (acts.len() > 1 && took > 0.0).then(|| ((acts.len() - 1) as f64 / took * 600.0).round() / 10.0)
}

/// How many different details are told.
const TOLD: usize = 8;

fn detail(does: Does, acts: &[&Act]) -> Option<String> {
    let details = acts.iter().filter_map(|act| act.detail.as_deref());
    let told = if does == Does::Scales {
        steps(details)
    } else {
        let different: BTreeSet<&str> = details.collect();
        let more = (different.len() > TOLD).then_some("…");
        let told: Vec<&str> = different.into_iter().take(TOLD).chain(more).collect();
        told.join(", ")
    };
    (!told.is_empty()).then_some(told)
}

/// `1→3` and `3→6` are `1→3→6`; what somebody else changed in between is left out.
fn steps<'a>(changes: impl Iterator<Item = &'a str>) -> String {
    let mut told = String::new();
    for change in changes {
        match change.split_once('→') {
            Some((from, to)) if told.rsplit(['→', ' ']).next() == Some(from) => {
                told.push('→');
                told.push_str(to);
            }
            _ if told.is_empty() => told.push_str(change),
            _ => {
                told.push_str(", ");
                told.push_str(change);
            }
        }
    }
    told
}

#[cfg(test)]
#[path = "deeds_tests.rs"]
mod tests;
