//! Conditions: objects, and the numbers that they have.

use super::super::mistake::Flaw;
use super::super::tree::{Key, Node};
use super::known::Known;
use kubeclash_timeline::{Object, WorkloadRef};

/// Tells what is wrong with a condition: `{deployment/web: {ready: 3}, nodes: {open: 3}}`.
pub(super) fn condition(node: &Node, known: &Known, flaws: &mut Vec<Flaw>) {
    if node.fields().is_empty() {
        flaws.push(node.flaw("an empty condition holds at once"));
    }
    for (key, numbers) in node.fields() {
        let Some(object) = object(key, numbers, known, flaws) else {
            continue;
        };
        if numbers.fields().is_empty() {
            flaws.push(numbers.flaw("no number is compared"));
        }
        for (number, value) in numbers.fields() {
            self::number(&object, &number.name, &at(number, value), flaws);
        }
    }
}

/// Tells what is wrong with the number of an object: `{deployment/web: wanted}`.
pub(super) fn reading(node: &Node, known: &Known, flaws: &mut Vec<Flaw>) {
    if node.fields().len() != 1 {
        flaws.push(node.flaw("expected one object and its number, e.g. {deployment/web: wanted}"));
    }
    for (key, value) in node.fields() {
        if let (Some(object), Some(name)) = (object(key, value, known, flaws), value.text()) {
            number(&object, name, value, flaws);
        }
    }
}

fn object(key: &Key, value: &Node, known: &Known, flaws: &mut Vec<Flaw>) -> Option<Object> {
    let here = at(key, value);
    let object = match Object::named(&key.name) {
        Ok(object) => object,
        Err(_) => {
            let what = format!("\"{}\" names no object", key.name);
            let flaw = here.flaw(what).nearest(&key.name, ["nodes", "pods"]);
            flaws.push(flaw.help("write kind/name, kind/namespace/name, nodes or pods"));
            return None;
        }
    };
    if let Ok(name) = key.name.parse::<WorkloadRef>() {
        known.object(&name, &here, flaws);
    }
    Some(object)
}

fn number(object: &Object, name: &str, node: &Node, flaws: &mut Vec<Flaw>) {
    let numbers = object.numbers();
    if !numbers.contains(&name) {
        let flaw = node.flaw(format!("there is no number \"{name}\" of it"));
        flaws.push(
            flaw.nearest(name, numbers)
                .help(format!("there is {}", numbers.join(", "))),
        );
    }
}

/// A field's name as a value of its own: its place is the name's, its path the field's.
pub(in crate::case) fn at(key: &Key, value: &Node) -> Node {
    Node {
        content: super::super::tree::Content::Text(key.name.clone()),
        place: key.place,
        path: value.path.clone(),
        bare: true,
    }
}
