//! The failure, the premises and the facts of a case.

use super::super::mistake::{Flaw, nearest};
use super::super::tree::{Content, Node};
use super::known::{Known, has_no_pods};
use super::marks::Marks;
use super::objects::{condition, reading};
use super::{grammar, steps};
use kubeclash_timeline::words::{Count, Unit};
use kubeclash_timeline::{
    WorkloadRef,
    property::{Kind, Property},
};

/// Fields of a claim that only some properties have.
const OF_PROPERTIES: [(&str, Property); 5] = [
    ("floor", Property::KeepsFloor),
    ("what", Property::KeepsFloor),
    ("over", Property::KeepsSpread),
    ("max-skew", Property::KeepsSpread),
    ("up-to", Property::ScalesWithLoad),
];

pub(super) fn check(case: &Node, known: &Known, marks: &Marks, flaws: &mut Vec<Flaw>) {
    if let Some(failure) = case.get("failure") {
        match failure.get("all") {
            Some(all) => {
                if all.items().is_empty() && matches!(all.content, Content::List(_)) {
                    flaws.push(all.flaw("nothing is claimed"));
                }
                for one in all.items() {
                    claim(one, known, marks, flaws);
                }
            }
            None => claim(failure, known, marks, flaws),
        }
    }
    for premise in case.get("premises").map_or(&[][..], Node::items) {
        one_of(premise, &["seen", "always"], flaws);
        for name in ["seen", "always"] {
            if let Some(node) = premise.get(name) {
                condition(node, known, flaws);
            }
        }
        marks.check(premise, flaws);
    }
    if let Some(facts) = case.get("facts") {
        for (_, fact) in facts.fields() {
            self::fact(fact, facts, known, flaws);
            marks.check(fact, flaws);
        }
    }
    for (key, value) in case.get("vary").map_or(&[][..], Node::fields) {
        let range = value
            .text()
            .and_then(|text| text.parse::<kubeclash_timeline::words::Range>().ok());
        if range.is_none() && value.items().is_empty() {
            let flaw = super::objects::at(key, value).flaw("expected from..to or a list of values");
            flaws.push(flaw.help(format!("write \"{}: 1..6\"", key.name)));
        }
    }
}

/// Tells when not exactly one of some fields is given.
fn one_of(node: &Node, names: &[&str], flaws: &mut Vec<Flaw>) {
    let Content::Map(_) = node.content else { return };
    let given: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| node.get(name).is_some())
        .collect();
    let meant = || {
        node.fields()
            .iter()
            .any(|(key, _)| nearest(&key.name, names).is_some())
    };
    match given[..] {
        [_] => {}
        // A slip of the pen is told as that.
        [] if meant() => {}
        [] => flaws.push(node.flaw(format!("missing one of {}", names.join(", ")))),
        [..] => flaws.push(node.flaw(format!(
            "{} exclude each other: write one of them",
            given.join(" and ")
        ))),
    }
}

fn claim(claim: &Node, known: &Known, marks: &Marks, flaws: &mut Vec<Flaw>) {
    let names = Property::ALL.map(|property| property.to_string());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    one_of(claim, &names, flaws);
    let given = Property::ALL
        .into_iter()
        .find(|property| claim.get(&property.to_string()).is_some());
    if let (Some(property), Some(node)) = (given, claim.get("as"))
        && let Ok(kind) = serde_json::from_value::<Kind>(node.json())
        && kind.property() != property
    {
        flaws.push(node.flaw(format!(
            "\"{kind}\" violates \"{}\", not \"{property}\"",
            kind.property()
        )));
    }
    for (field, property) in OF_PROPERTIES {
        if let Some(node) = claim
            .get(field)
            .filter(|_| given.is_some_and(|given| given != property))
        {
            flaws.push(node.flaw(format!("only \"{property}\" has \"{field}\"")));
        }
    }
    if let Some(of) = claim.get("of")
        && !(given == Some(Property::StaysUp) && of.text() == Some("nodes"))
    {
        match of.text().map(str::parse::<WorkloadRef>) {
            Some(Ok(name)) if has_no_pods(&name) => {
                let what = format!("\"{name}\" is no workload: it has no pods");
                flaws.push(
                    of.flaw(what)
                        .help("write deployment/NAME, statefulset/NAME or the like"),
                );
            }
            _ => steps::object(of, known, flaws),
        }
    }
    if let Some(on) = claim.get("on")
        && let Some(name) = on.text()
    {
        known.node(name, on, flaws);
    }
    if let Some(what) = claim.get("what")
        && let Some(text) = what.text()
        && !["available", "wanted"].contains(&text)
    {
        flaws.push(what.flaw(format!("\"{text}\" is unknown here: write available or wanted")));
    }
    counted(claim, given, flaws);
    measures(claim, flaws);
    marks.check(claim, flaws);
}

/// Tells when `at-least` counts what the claimed violation is not counted in.
fn counted(claim: &Node, property: Option<Property>, flaws: &mut Vec<Flaw>) {
    let Some((node, count)) = claim
        .get("at-least")
        .and_then(|node| Some((node, node.text()?.parse::<Count>().ok()?)))
    else {
        return;
    };
    let kind = claim
        .get("as")
        .and_then(|kind| serde_json::from_value::<Kind>(kind.json()).ok());
    let kinds = Kind::ALL
        .into_iter()
        .filter(|one| kind.map_or(property == Some(one.property()), |kind| kind == *one));
    let mut units: Vec<Unit> = Vec::new();
    for unit in kinds.filter_map(Kind::counted_in) {
        if !units.contains(&unit) {
            units.push(unit);
        }
    }
    let what = match (kind, property) {
        (Some(kind), _) => format!("\"{kind}\""),
        (None, Some(property)) => format!("a violation of \"{property}\""),
        (None, None) => return,
    };
    if units.contains(&count.unit) {
        return;
    }
    let told: Vec<String> = units.iter().map(ToString::to_string).collect();
    flaws.push(node.flaw(if units.is_empty() {
        format!("{what} is a state and is not counted: write \"for\"")
    } else {
        format!(
            "{what} is counted in {}, not in {}",
            told.join(" or "),
            count.unit
        )
    }));
}

fn measures(claim: &Node, flaws: &mut Vec<Flaw>) {
    let then = claim.get("then");
    let fields: [(Option<&Node>, &[&str]); 4] = [
        (
            claim.get("floor"),
            &["hpa.min", "pdb", "max-unavailable", "replicas"],
        ),
        (claim.get("up-to"), &["hpa.max"]),
        (then.and_then(|then| then.get("back-at")), &["hpa.min", "hpa.max"]),
        (
            then.and_then(|then| then.get("falls-to")),
            &["hpa.min", "hpa.max"],
        ),
    ];
    for (node, names) in fields {
        if let Some(node) = node
            && let Some(Err(what)) = node.scalar().map(|text| grammar::measure(&text, names))
        {
            flaws.push(node.flaw(what));
        }
    }
    if let Some(then) = then {
        one_of(then, &["back-at", "falls-to"], flaws);
    }
}

fn fact(fact: &Node, facts: &Node, known: &Known, flaws: &mut Vec<Flaw>) {
    const NUMBERS: [&str; 3] = ["most", "least", "last"];
    const TIMES: [&str; 2] = ["first", "longest"];
    one_of(fact, &[&NUMBERS[..], &TIMES[..]].concat(), flaws);
    for name in NUMBERS {
        if let Some(node) = fact.get(name) {
            reading(node, known, flaws);
        }
    }
    for name in TIMES {
        if let Some(node) = fact.get(name) {
            condition(node, known, flaws);
        }
    }
    if let Some(after) = fact.get("after")
        && let Some(name) = after.text()
    {
        let timed = facts
            .fields()
            .iter()
            .filter(|(_, other)| other.get("first").is_some());
        let timed: Vec<&str> = timed.map(|(key, _)| key.name.as_str()).collect();
        let itself = facts.get(name).is_some_and(|other| other.place == fact.place);
        if itself || !timed.contains(&name) {
            let flaw = after.flaw(format!(
                "no other fact is called \"{name}\" and has a time (\"first\")"
            ));
            flaws.push(flaw.nearest(name, timed));
        }
    }
}
