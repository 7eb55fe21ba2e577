//! The steps of a case: what they name is there, and they watch what they do.

use super::super::mistake::Flaw;
use super::super::tree::{Content, Node};
use super::known::Known;
use super::objects::{at, condition};
use super::{cluster, grammar, steps_of};
use kubeclash_timeline::WorkloadRef;

/// The steps that take a node.
const OF_NODES: [&str; 6] = [
    "cordon",
    "uncordon",
    "drain",
    "stop-node",
    "start-node",
    "remove-node",
];
/// The steps that change nothing.
const WATCHING: [&str; 3] = ["wait", "mark", "observe"];

pub(super) fn check(case: &Node, known: &Known, flaws: &mut Vec<Flaw>) {
    for (number, step) in steps_of(case).iter().enumerate() {
        workloads(step, known, flaws);
        labels(step, known, flaws);
        for verb in OF_NODES {
            if let Some(pick) = step.get(verb) {
                node(pick, &steps_of(case)[..number], known, flaws);
            }
        }
        if let Some(group) = step.get("add-nodes") {
            cluster::nodes(group, flaws);
        }
        for verb in ["start", "stop"] {
            if let Some(name) = step.get(verb) {
                controller(verb, name, known, flaws);
            }
        }
        if let Some(cpu) = step.get("cpu") {
            curve(cpu, flaws);
        }
        if let Some(wait) = step.get("wait") {
            condition(wait, known, flaws);
        }
        for (field, needs) in [("force", "server-side"), ("as", "apply")] {
            if let (Some(given), None) = (step.get(field), step.get(needs)) {
                flaws.push(given.flaw(format!("\"{field}\" needs \"{needs}\"")));
            }
        }
    }
    watched(case, flaws);
}

/// Tells when nothing looks at what the steps have done.
fn watched(case: &Node, flaws: &mut Vec<Flaw>) {
    let Some(list) = case
        .get("steps")
        .filter(|steps| matches!(steps.content, Content::List(_)))
    else {
        return;
    };
    let steps = list.items();
    let changes =
        |step: &Node| !step.fields().is_empty() && WATCHING.iter().all(|verb| step.get(verb).is_none());
    let last_change = steps.iter().rposition(changes);
    let waits = steps.iter().rposition(|step| step.get("wait").is_some());
    if !steps.iter().any(|step| step.get("observe").is_some()) && waits <= last_change {
        flaws.push(
            list.flaw("nothing watches what comes of the steps")
                .help("end them with \"observe: 60s\", or with a wait"),
        );
    }
}

fn workloads(step: &Node, known: &Known, flaws: &mut Vec<Flaw>) {
    let mut named: Vec<Node> = Vec::new();
    for verb in ["scale", "set-image"] {
        let fields = step.get(verb).map_or(&[][..], Node::fields);
        named.extend(fields.iter().map(|(key, value)| at(key, value)));
    }
    named.extend(step.get("cpu").and_then(|cpu| cpu.get("of")).cloned());
    named.extend(step.get("patch").cloned());
    named.extend(
        step.get("delete")
            .map_or(&[][..], Node::one_or_many)
            .iter()
            .cloned(),
    );
    for verb in OF_NODES {
        named.extend(step.get(verb).and_then(|pick| pick.get("fullest-of")).cloned());
    }
    for node in named {
        object(&node, known, flaws);
    }
    for (key, value) in step.get("scale").map_or(&[][..], Node::fields) {
        if value.scalar().is_some_and(|replicas| replicas.starts_with('-')) {
            flaws.push(value.flaw(format!("\"{}\" can't have less than no replicas", key.name)));
        }
    }
}

/// Tells when what a text names is not there; of a text that names nothing, only where its field has no grammar of its own.
pub(super) fn object(node: &Node, known: &Known, flaws: &mut Vec<Flaw>) {
    match node.text().map(str::parse::<WorkloadRef>) {
        Some(Ok(name)) => known.object(&name, node, flaws),
        Some(Err(what)) => flaws.push(node.flaw(what)),
        None => {}
    }
}

fn labels(step: &Node, known: &Known, flaws: &mut Vec<Flaw>) {
    type Grammar = fn(&str) -> Result<(), String>;
    let verbs: [(&str, Grammar); 2] = [
        ("label", grammar::label),
        ("taint", |text| grammar::taint(text, true)),
    ];
    for (verb, grammar) in verbs {
        for (key, value) in step.get(verb).map_or(&[][..], Node::fields) {
            let name = at(key, value);
            if verb == "label" && key.name.contains('/') {
                object(&name, known, flaws);
            } else {
                known.node(&key.name, &name, flaws);
            }
            for one in value.one_or_many() {
                if let Some(Err(what)) = one.text().map(grammar) {
                    flaws.push(one.flaw(what));
                }
            }
        }
    }
}

fn node(pick: &Node, before: &[Node], known: &Known, flaws: &mut Vec<Flaw>) {
    let taken = |verbs: &[&str]| {
        before
            .iter()
            .any(|step| verbs.iter().any(|verb| step.get(verb).is_some()))
    };
    match pick.text() {
        Some("the drained node") if !taken(&["drain", "cordon"]) => {
            flaws.push(pick.flaw("no node is drained or cordoned before this"));
        }
        Some("the stopped node") if !taken(&["stop-node"]) => {
            flaws.push(pick.flaw("no node is stopped before this"))
        }
        Some("the drained node" | "the stopped node") | None => {}
        Some(name) => known.node(name, pick, flaws),
    }
}

fn controller(verb: &str, name: &Node, known: &Known, flaws: &mut Vec<Flaw>) {
    let Some(text) = name.text() else { return };
    if known.controllers().contains(text) {
        if verb == "stop" && !known.started.contains(text) {
            flaws.push(name.flaw(format!("no step starts \"{text}\"")));
        }
        return;
    }
    match (verb, text) {
        ("start", "descheduler") => {
            let flaw = name.flaw("the descheduler has a step of its own");
            flaws.push(flaw.help("write \"descheduler: {policy: policy.yaml}\""));
        }
        ("stop", "descheduler" | "apply") => {
            if !known.stoppable.contains(text) {
                flaws.push(name.flaw(match text {
                    "apply" => "no step applies again and again (\"every\")",
                    _ => "no step starts a descheduler",
                }));
            }
        }
        _ => {
            let known = known.controllers().iter().map(String::as_str);
            let words = if verb == "stop" {
                &["descheduler", "apply"][..]
            } else {
                &[]
            };
            let flaw = name.flaw(format!("no controller is called \"{text}\""));
            flaws.push(
                flaw.nearest(text, known.chain(words.iter().copied()))
                    .help("controllers are named under \"controllers\""),
            );
        }
    }
}

fn curve(cpu: &Node, flaws: &mut Vec<Flaw>) {
    let given: Vec<&Node> = ["each-pod", "all-pods"]
        .iter()
        .filter_map(|name| cpu.get(name))
        .collect();
    let [pieces] = given[..] else {
        flaws.push(cpu.flaw("expected one of each-pod and all-pods"));
        return;
    };
    let Some((_, earlier)) = pieces.items().split_last() else {
        if matches!(pieces.content, Content::List(_)) {
            flaws.push(pieces.flaw("no piece: write [{use: 100m}]"));
        }
        return;
    };
    for piece in earlier.iter().filter(|piece| piece.get("for").is_none()) {
        flaws.push(piece.flaw("missing for: only the last piece lasts for ever"));
    }
}
