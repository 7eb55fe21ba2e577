//! Claims on hand-drawn timelines, each with what must be said of it.
//!
//! Every drawing is also judged beginning by beginning (`prefix`): what is once *reproduced* stays so.

mod another_cause;
mod claims;
mod fits;
mod keeps_floor;
mod keeps_spread;
mod loops;
mod nothing_to_fail;
mod prefix;
mod progresses;
mod rests;
mod scales_with_load;
mod schedules;
mod stays_up;
mod told;
mod work;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use super::{Claims, Fact, Failure, Premise, judge};
use crate::testing::Draft;
use crate::words::Span;
use crate::{HpaSeen, RequestSeen, Timeline, Verdict};

/// What a case says from its steps on.
#[derive(Deserialize)]
struct Scenario {
    #[serde(default)]
    steps: Vec<Value>,
    failure: Failure,
    #[serde(default)]
    premises: Vec<Premise>,
    #[serde(default)]
    facts: IndexMap<String, Fact>,
}

impl Scenario {
    fn claims(&self) -> Claims<'_> {
        let every = self
            .steps
            .iter()
            .find_map(|step| step["descheduler"]["every"].as_str());
        let loads = self.steps.iter().filter_map(|step| {
            let of = step["cpu"]["of"].as_str()?.parse().unwrap();
            Some((of, step["cpu"]["all-pods"].as_array()?.len()))
        });
        Claims {
            failure: &self.failure,
            premises: &self.premises,
            facts: &self.facts,
            descheduler_every: every.map(|every| every.parse::<Span>().unwrap().0),
            loads: loads.collect(),
        }
    }
}

/// The end of a case: its steps where they matter, its failure, its premises and facts.
fn scenario(text: &str) -> Scenario {
    serde_yaml::from_str(text).unwrap()
}

/// An autoscaler of `deployment/web`, of which nothing else is said.
fn hpa_of_web() -> HpaSeen {
    HpaSeen {
        namespace: "default".to_owned(),
        name: "web".to_owned(),
        target: "deployment/web".to_owned(),
        ..HpaSeen::default()
    }
}

/// A hand-drawn timeline, and the claim that it is judged by.
struct Drawing {
    name: &'static str,
    scenario: Scenario,
    timeline: Timeline,
}

/// What must be said of a drawing.
enum Said {
    Reproduced,
    Absent,
    /// With these words in the reason.
    Inconclusive(&'static str),
}

/// Judges a drawing; the judgement's reason or sentence, for whoever wants to look closer.
fn said(drawing: &Drawing, expected: &Said) -> crate::Judgement {
    let judged = judge(&drawing.scenario.claims(), &drawing.timeline);
    let name = drawing.name;
    match (expected, &judged.verdict) {
        (Said::Reproduced, Verdict::Reproduced) | (Said::Absent, Verdict::Absent) => {}
        (Said::Inconclusive(words), Verdict::Inconclusive(why)) => {
            assert!(why.contains(words), "{name}: {why}");
        }
        (_, verdict) => panic!("{name}: {verdict:?}: {}", judged.why),
    }
    judged
}

/// Tests that are one drawing each: its name, its claim, the timeline, and what must be said of it.
macro_rules! drawings {
    ($($name:ident: $claim:expr, $timeline:expr => $said:expr;)*) => {
        $(#[test]
        fn $name() {
            let drawing = super::Drawing {
                name: stringify!($name),
                scenario: super::scenario($claim),
                timeline: $timeline,
            };
            let _ = super::said(&drawing, &$said);
        })*

        /// All of them.
        pub(super) fn all() -> Vec<super::Drawing> {
            vec![$(super::Drawing {
                name: stringify!($name),
                scenario: super::scenario($claim),
                timeline: $timeline,
            }),*]
        }
    };
}
use drawings;

/// Every drawing of every property.
fn all_drawings() -> Vec<Drawing> {
    [
        rests::all(),
        loops::all(),
        schedules::all(),
        keeps_floor::all(),
        keeps_spread::all(),
        scales_with_load::all(),
        progresses::all(),
        fits::all(),
        stays_up::all(),
        another_cause::all(),
        claims::all(),
        work::all(),
        nothing_to_fail::all(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const DEPLOYMENTS: &str = "kube-controller-manager/deployment-controller";
const RS: &str = "kube-controller-manager/replicaset-controller";
const HPA: &str = "kube-controller-manager/horizontal-pod-autoscaler";
const NODES: &str = "kube-controller-manager/node-controller";
const SCHEDULER: &str = "kube-scheduler/scheduler";
const KUBECTL: &str = "kubectl/kubeclash";
const KEEPER: &str = "keeper";

/// Three nodes, a deployment `web` and its replica set, and the mark `applied`.
fn web(wanted: i64) -> Draft {
    Draft::new("t")
        .nodes(&["w1", "w2", "w3"])
        .mark("applied")
        .asked((KUBECTL, "create deployments", "web"), |r| {
            r.manager = Some("kubectl-client-side-apply".to_owned());
            r.replicas = Some(wanted);
        })
        .deployment("web", wanted, 0)
        .owned()
}

fn replicas(replicas: i64) -> impl FnOnce(&mut RequestSeen) {
    move |r| r.replicas = Some(replicas)
}

/// Nothing happens until then.
fn still(draft: Draft, until: f64) -> Draft {
    draft.at(until).what(crate::What::Still(()))
}
