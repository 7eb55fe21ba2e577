//! The cluster and the controllers of a case.

use std::collections::BTreeSet;

use super::super::mistake::Flaw;
use super::super::tree::Node;
use super::grammar;
use super::known::{Known, MOST_NODES};
use super::objects::at;
use kubeclash_components::Spec;

/// Names that are somebody else's, in steps and in the audit log.
const TAKEN: [&str; 7] = [
    "apply",
    "descheduler",
    "kube-scheduler",
    "kube-controller-manager",
    "kube-apiserver",
    "kubelet",
    "kubectl",
];

pub(super) fn check(case: &Node, known: &Known, flaws: &mut Vec<Flaw>) {
    if let Some(cluster) = case.get("cluster") {
        for group in cluster.get("nodes").map_or(&[][..], Node::items) {
            nodes(group, flaws);
        }
        for name in ["scheduler", "controller-manager", "apiserver", "second-scheduler"] {
            if let Some(component) = cluster.get(name) {
                component_of(name, component, flaws);
            }
        }
    }
    let mut names = BTreeSet::new();
    for controller in case.get("controllers").map_or(&[][..], Node::items) {
        let Some(name) = controller.get("name") else {
            continue;
        };
        let text = name.text().unwrap_or_default();
        if TAKEN.contains(&text) {
            flaws.push(name.flaw(format!("\"{text}\" is the name of something else")));
        } else if !names.insert(text.to_owned()) {
            flaws.push(name.flaw(format!("a second controller called \"{text}\"")));
        } else if !super::super::values::is_name(text) {
            flaws.push(
                name.flaw("a controller's name is of small letters, digits and -, with a letter first"),
            );
        } else if !known.started.contains(text) {
            flaws.push(name.flaw(format!("no step starts it: write \"start: {text}\"")));
        }
        if let Some(run) = controller.get("run") {
            spec(run, flaws);
        }
    }
}

/// Tells what is wrong with a group of nodes.
pub(super) fn nodes(group: &Node, flaws: &mut Vec<Flaw>) {
    if let Some(count) = group.get("count") {
        let number = count.scalar().and_then(|count| count.parse::<usize>().ok());
        if number.is_some_and(|number| !(1..=MOST_NODES).contains(&number)) {
            flaws.push(count.flaw(format!("expected 1 to {MOST_NODES}")));
        }
    }
    for (key, value) in group.get("labels").map_or(&[][..], Node::fields) {
        let value_of = value.scalar().unwrap_or_default();
        if !grammar::is_key(&key.name) || !grammar::is_value(&value_of) {
            flaws.push(at(key, value).flaw("no label: keys and values are of letters, digits, -, _ and ."));
        }
    }
    for taint in group.get("taints").map_or(&[][..], Node::items) {
        if let Some(Err(what)) = taint.text().map(|text| grammar::taint(text, false)) {
            flaws.push(taint.flaw(what));
        }
    }
}

fn component_of(name: &str, component: &Node, flaws: &mut Vec<Flaw>) {
    if let Some(config) = component.get("config").filter(|_| !name.ends_with("scheduler")) {
        flaws.push(
            config
                .flaw("only schedulers have a configuration")
                .help("use args and feature-gates"),
        );
    }
    if let Some(controllers) = component
        .get("controllers")
        .filter(|_| name != "controller-manager")
    {
        flaws.push(controllers.flaw("only the controller-manager has controllers"));
    }
    for argument in component.get("args").map_or(&[][..], Node::items) {
        if argument.text().is_some_and(|text| !text.starts_with("--")) {
            flaws.push(argument.flaw("an argument is --name=value"));
        }
    }
}

fn spec(run: &Node, flaws: &mut Vec<Flaw>) {
    let Some(text) = run.text() else { return };
    match text.parse::<Spec>() {
        Ok(Spec::Release(_)) => {
            let flaw = run.flaw(format!("\"{text}\" is a release, and of what nobody knows"));
            flaws.push(flaw.help("write path:, src:, go:, image: or image+extract:"));
        }
        Ok(_) => {}
        Err(error) => flaws.push(run.flaw(error)),
    }
}
