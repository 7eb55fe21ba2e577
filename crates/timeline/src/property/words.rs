//! How violations are told: a change as a person says it, and a violation in a sentence.

use std::time::Duration;

use super::{Kind, Violation};
use crate::{Act, Does, History, PodHistory};

/// Who nothing tells the name of.
pub(crate) const SOMEBODY: &str = "somebody";

/// `descheduler evicts web-a from w1 (RemoveDuplicates)`.
pub(super) fn taking(act: Option<&Act>, pod: &str, node: &str, cause: &str) -> String {
    let actor = act.map_or_else(|| SOMEBODY.to_owned(), Act::actor_told);
    let verb = act.map_or(Does::Deletes, |act| act.does);
    let why = if cause.is_empty() {
        String::new()
    } else {
        format!(" ({cause})")
    };
    format!("{actor} {verb} {pod} from {node}{why}")
}

/// `replicaset-controller creates web-b`, `kube-scheduler binds it to w1`.
pub(super) fn made_anew(history: &History<'_>, pod: &PodHistory<'_>) -> Vec<String> {
    let name = &pod.last().name;
    let by = |does: Does| {
        let acts = history.acts_on(&pod.workload);
        let its = acts.filter(|act| act.does == does && act.name == *name && act.refused.is_none());
        its.map(Act::actor_told).next()
    };
    let mut told = vec![format!(
        "{} creates {name}",
        by(Does::Creates).unwrap_or_else(|| SOMEBODY.to_owned())
    )];
    if let (Some(actor), Some(node)) = (by(Does::Binds), &pod.last().node) {
        told.push(format!("{actor} binds it to {node}"));
    }
    told
}

/// `descheduler is refused an eviction of web-a (429)`.
pub(super) fn refusal(act: &Act) -> String {
    let of = if act.name.is_empty() {
        String::new()
    } else {
        format!(" of {}", act.name)
    };
    format!(
        "{} is refused {}{of} ({})",
        act.actor_told(),
        act.does.noun(),
        act.refused.unwrap_or_default()
    )
}

/// Why something was refused: the API server's words, or the status where it has none.
pub(super) fn cause(act: &Act) -> String {
    let code = act.refused.unwrap_or_default();
    let words = match code {
        403 => "Forbidden",
        409 => "Conflict",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        _ => "refused",
    };
    act.refusal.clone().unwrap_or_else(|| format!("{code} {words}"))
}

/// `kubectl apply scales deployment web 5→1`.
pub(super) fn act(act: &Act) -> String {
    if act.refused.is_some() {
        return refusal(act);
    }
    let object = match act.object.as_str() {
        "pod" | "node" => act.name.as_str(),
        object => object.split_once(' ').map_or(object, |(_, name)| name),
    };
    match (&act.detail, act.does) {
        (Some(detail), Does::Scales) => format!("{} scales {object} {detail}", act.actor_told()),
        (Some(detail), does) if act.object != "node" => {
            format!("{} {does} {object} ({detail})", act.actor_told())
        }
        (_, does) => format!("{} {does} {object}", act.actor_told()),
    }
}

/// How many causes a sentence has; each try of a controller may have one of its own, with the name of a pod.
const CAUSES: usize = 2;

/// `a, b and 12 more`.
fn few(causes: &[String]) -> String {
    let told = causes[..causes.len().min(CAUSES)].join(", ");
    match causes.len().saturating_sub(CAUSES) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}

/// Seconds as people write them: `0.2 s`, `14 s`.
pub(super) fn seconds(t: Duration) -> String {
    let seconds = t.as_secs_f64();
    if seconds < 10.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{seconds:.0} s")
    }
}

/// `1 round`, `3 rounds`.
fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

impl Violation {
    /// What is wrong, in a sentence: `deployment/web never rests: 301 pods a minute, none ever ready`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { workload, rounds, .. } = self;
        let rate = self
            .per_minute
            .map(|rate| format!(", {rate} a minute"))
            .unwrap_or_default();
        let every = self
            .period
            .map(|period| format!(", one every {}", seconds(period)))
            .unwrap_or_default();
        let causes = few(&self.causes);
        let nodes = self.nodes.join(", ");
        let figure = |name: &str| {
            self.figures
                .get(name)
                .map(ToString::to_string)
                .unwrap_or_default()
        };
        let lasted = seconds(self.until.saturating_sub(self.since));
        match self.kind {
            Kind::RecreateLoop => {
                format!(
                    "{workload} never rests: {}{rate}{every}, none ever ready ({causes} on {nodes})",
                    count(*rounds, "pod")
                )
            }
            Kind::EvictLoop if self.figures.contains_key("refused_evictions") => {
                format!(
                    "{workload} never rests: {} to evict its pods {} refused{every} ({causes})",
                    count(*rounds, "attempt"),
                    if *rounds == 1 { "is" } else { "are" }
                )
            }
            Kind::EvictLoop | Kind::PreemptionLoop | Kind::PlacementSwap if *rounds == 0 => format!(
                "{workload} does not rest: {} away, and the placement has not come back yet ({causes})",
                match figure("evictions").as_str() {
                    "1" => "1 pod was taken".to_owned(),
                    pods => format!("{pods} pods were taken"),
                },
            ),
            Kind::EvictLoop | Kind::PreemptionLoop | Kind::PlacementSwap => format!(
                "{workload} never rests: {} of {}{every}, each back at {} ({causes})",
                count(*rounds, "round"),
                match self.kind {
                    Kind::EvictLoop => "evict and recreate",
                    Kind::PreemptionLoop => "preempt and recreate",
                    _ => "delete and recreate",
                },
                figure("placement"),
            ),
            Kind::ReplicaOscillation => {
                format!(
                    "{workload} never rests: its replicas returned {}{every}, {}",
                    count(*rounds, "time"),
                    figure("replicas")
                )
            }
            Kind::ReplicasetExplosion => {
                format!(
                    "{workload} never rests: {} more than its changes explain{every}",
                    count(*rounds, "replica set")
                )
            }
            Kind::Unschedulable => {
                let room = match self
                    .figures
                    .get("room_elsewhere")
                    .and_then(serde_json::Value::as_bool)
                {
                    Some(true) => ", although a node has room for it",
                    _ => "",
                };
                format!("a pod of {workload} finds no node for {lasted}{room}: {causes}")
            }
            Kind::Dip => format!(
                "{workload} fell to {} of {} promised ({causes}), for {lasted}",
                figure("least"),
                figure("floor")
            ),
            Kind::Skew => format!(
                "{workload} stays skewed by {} over {causes} for {lasted}",
                figure("skew")
            ),
            Kind::OverScale => format!(
                "{workload} rose to {} replicas without load ({causes})",
                figure("reached")
            ),
            Kind::UnexplainedFall => format!(
                "{workload} fell to {} replicas, which no load explains ({causes})",
                figure("fell_to")
            ),
            Kind::Deadlock => format!("{workload} goes no further for {lasted}: {causes}"),
            Kind::Rejection => format!(
                "{} of {workload} {} rejected on {nodes}: {causes}",
                count(*rounds, "pod"),
                if *rounds == 1 { "was" } else { "were" }
            ),
            Kind::Overcommit => format!("{nodes} is asked for more than it has: {causes}"),
            Kind::Cascade => {
                let more = match rounds.saturating_sub(self.nodes.len()) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                format!("{rounds} nodes stopped one after the other: {nodes}{more}")
            }
            Kind::Restarts => format!("the API server was killed {} ({causes})", count(*rounds, "time")),
        }
    }
}
