//! What a case may name: the objects that its manifests make, its nodes, its controllers.

use std::collections::BTreeSet;

use super::super::mistake::Flaw;
use super::super::tree::Node;
use super::steps_of;
use kubeclash_timeline::{WorkloadRef, worker};

/// What may be named in a case. Objects are those of all its arms and variants together.
#[derive(Debug, Clone, Default)]
pub(in crate::case) struct Known {
    objects: BTreeSet<WorkloadRef>,
    nodes: BTreeSet<String>,
    controllers: BTreeSet<String>,
    /// Whether there are files that could not be read: what they would make is not known.
    pub(in crate::case) partial: bool,
    /// The words that `stop` knows besides controllers, of those that a step starts.
    pub(super) stoppable: BTreeSet<&'static str>,
    /// The controllers that a step starts.
    pub(super) started: BTreeSet<String>,
}

/// How many workers there are where a case says nothing.
const WORKERS: usize = 3;
/// More than any cluster has.
pub(super) const MOST_NODES: usize = 5_000;

impl Known {
    /// Adds what one arm of one variant has: its nodes and its controllers.
    pub(in crate::case) fn add(&mut self, case: &Node) {
        let count = |group: &Node| {
            let count = group
                .get("count")
                .map_or(Some(1), |count| count.scalar()?.parse().ok());
            count.unwrap_or(0_usize).min(MOST_NODES)
        };
        let groups = case
            .get("cluster")
            .and_then(|cluster| cluster.get("nodes"))
            .map_or(&[][..], Node::items);
        let mut workers: usize = if groups.is_empty() {
            WORKERS
        } else {
            groups.iter().map(count).sum()
        };
        for step in steps_of(case) {
            workers += step.get("add-nodes").map_or(0, count);
            if step.get("descheduler").is_some() {
                self.stoppable.insert("descheduler");
            }
            if step.get("apply").is_some() && step.get("every").is_some() {
                self.stoppable.insert("apply");
            }
            if let Some(name) = step.get("start").and_then(Node::text) {
                self.started.insert(name.to_owned());
            }
        }
        self.nodes.extend((1..=workers.min(MOST_NODES)).map(worker));
        for controller in case.get("controllers").map_or(&[][..], Node::items) {
            let name = controller.get("name").and_then(Node::text);
            self.controllers.extend(name.map(str::to_owned));
        }
    }

    /// Adds an object that a manifest makes.
    pub(in crate::case) fn add_object(&mut self, object: &Node) {
        let text = |node: &Node, field: &str| node.get(field).and_then(Node::scalar);
        let named = object
            .get("metadata")
            .and_then(|meta| Some((meta, text(meta, "name")?)));
        let (Some(kind), Some((meta, name))) = (text(object, "kind"), named) else {
            // That it has no name was told.
            self.partial = true;
            return;
        };
        let namespace = text(meta, "namespace").unwrap_or_default();
        self.objects
            .insert(canonical(&WorkloadRef::new(&kind, &namespace, &name)));
    }

    /// Tells when no object of a name is there, or can come of one that is.
    pub(super) fn object(&self, name: &WorkloadRef, node: &Node, flaws: &mut Vec<Flaw>) {
        if name.kind == "node" {
            return self.node(&name.name, node, flaws);
        }
        let wanted = canonical(name);
        // Whatever a controller of one's own makes is its own affair.
        if self.partial
            || self.objects.contains(&wanted)
            || !self.controllers.is_empty()
            || self.makes(&wanted)
        {
            return;
        }
        let flaw = node
            .flaw(format!("no manifest of the case makes \"{name}\""))
            .nearest(&wanted.to_string(), self.objects.iter().map(ToString::to_string));
        flaws.push(if self.objects.is_empty() {
            flaw
        } else {
            let all: Vec<String> = self.objects.iter().take(12).map(ToString::to_string).collect();
            flaw.help(format!("they make {}", all.join(", ")))
        });
    }

    /// Whether it is named as what an object of the manifests makes: pods, replica sets, jobs.
    fn makes(&self, wanted: &WorkloadRef) -> bool {
        ["pod", "replicaset", "job"].contains(&wanted.kind.as_str())
            && self.objects.iter().any(|maker| {
                let rest = wanted.name.strip_prefix(&maker.name);
                maker.namespace == wanted.namespace && rest.is_some_and(|rest| rest.starts_with('-'))
            })
    }

    /// Tells when no node has a name.
    pub(super) fn node(&self, name: &str, node: &Node, flaws: &mut Vec<Flaw>) {
        if !self.nodes.contains(name) {
            let all: Vec<&str> = self.nodes.iter().take(6).map(String::as_str).collect();
            let flaw = node
                .flaw(format!("no node is called \"{name}\""))
                .help(format!("there is {}", all.join(", ")));
            flaws.push(flaw.nearest(name, &self.nodes));
        }
    }

    /// The controllers of the case.
    pub(super) fn controllers(&self) -> &BTreeSet<String> {
        &self.controllers
    }
}

/// Kinds that make no pods: what they are called in short, and in full.
const SHORT: [(&str, &str); 12] = [
    ("hpa", "horizontalpodautoscaler"),
    ("pdb", "poddisruptionbudget"),
    ("cm", "configmap"),
    ("svc", "service"),
    ("ns", "namespace"),
    ("sa", "serviceaccount"),
    ("pc", "priorityclass"),
    ("quota", "resourcequota"),
    ("limits", "limitrange"),
    ("ing", "ingress"),
    ("netpol", "networkpolicy"),
    ("crd", "customresourcedefinition"),
];

/// Whether an object is of a kind that makes no pods, so that nothing can be claimed of it.
pub(super) fn has_no_pods(name: &WorkloadRef) -> bool {
    let kind = canonical(name).kind;
    SHORT.iter().any(|(_, long)| *long == kind)
}

/// An object under the name of its kind that manifests have for it.
fn canonical(name: &WorkloadRef) -> WorkloadRef {
    let mut name = name.clone();
    let long = SHORT.iter().find(|(short, long)| {
        [*short, *long].contains(&name.kind.as_str()) || name.kind.strip_suffix('s') == Some(long)
    });
    if let Some((_, long)) = long {
        (*long).clone_into(&mut name.kind);
    }
    name
}
