//! Claims on timelines: hand-drawn ones, each with what must be said of it, and the recordings.
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
mod recorded;
mod rests;
mod scales_with_load;
mod schedules;
mod stays_up;
mod told;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::case::Scenario;
use crate::case::format::CaseFile;
use crate::experiment::Arm;
use crate::property::claim::judge;
use crate::timeline::drawn::Draft;
use crate::timeline::{HpaSeen, RequestSeen, Timeline, read};
use crate::verdict::Verdict;

/// What every case has besides its steps and its failure.
const HEAD: &str = "
format: kubeclash.case/v1
id: t
title: A test.
mechanism: None.
expected-runtime: 60s
arms: {broken: {}, control: {}}
";

/// A scenario of a case's end: its steps, its failure, its premises and facts.
fn scenario(text: &str) -> Scenario {
    let steps = if text.contains("steps:") {
        ""
    } else {
        "steps: [{apply: 10-web.yaml}]\n"
    };
    let value: Value = crate::scenario::yaml::value(&format!("{HEAD}{steps}{text}")).unwrap();
    let file: CaseFile = serde_json::from_value(value).unwrap();
    Scenario {
        case: "t".to_owned(),
        arm: Arm::Broken,
        variant: None,
        file,
        manifests: BTreeMap::new(),
        policies: BTreeMap::new(),
        configs: BTreeMap::new(),
        inputs_sha256: String::new(),
    }
}

/// The study's cases whose failures are claims: id, folder, variants.
const CASES: [(&str, &str, &[&str]); 7] = [
    ("c1", "c1_cpu_spike_overscale", &[""]),
    ("c2", "c2_replicas_omitted", &[""]),
    ("c3", "c3_two_spread_keys", &["-with-hpa", "-without-hpa"]),
    ("c5", "c5_remove_duplicates_loop", &[""]),
    (
        "c6",
        "c6_maintenance_imbalance",
        &["-with-constraint", "-without-constraint"],
    ),
    ("c7", "c7_taint_recreate_loop", &[""]),
    ("c8", "c8_soft_spread_loop", &[""]),
];

/// The claim of one of them.
fn case(id: &str) -> Scenario {
    let library = crate::cases::Library::builtin();
    let case = library.iter().find(|case| case.id() == id);
    let folder = case.and_then(crate::cases::Case::as_folder).unwrap();
    folder.scenarios()[0].clone()
}

/// What was recorded of an arm.
fn recording(folder: &str, arm: Arm, variant: &str) -> Timeline {
    let root = option_env!("KUBECLASH_ROOT").unwrap_or(env!("CARGO_MANIFEST_DIR"));
    let path = PathBuf::from(root).join(format!("manifests/{folder}/recorded/{arm}{variant}.jsonl"));
    read(&path).unwrap_or_else(|e| panic!("{e}")).timeline
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
fn said(drawing: &Drawing, expected: &Said) -> crate::verdict::Judgement {
    let judged = judge(&drawing.scenario, &drawing.timeline);
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
    draft.at(until).what(crate::timeline::What::Still(()))
}
