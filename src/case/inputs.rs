//! The files that an arm names, with its values put in: manifests, policies, configurations.

use std::collections::BTreeMap;

use serde_json::Value;

use super::files::Files;
use super::mistake::{Flaw, Mistake, Place};
use super::read::CASE_FILE;
use super::tree::{self, Content, Node};
use super::values::{Bindings, Writing};
use crate::scenario::{Manifest, missing_of, time_to_die_of};
use kubeclash_cluster::PolicyApi;
use kubeclash_host::yaml;

/// What a file is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Manifest,
    Policy,
    Config,
}

/// The files that an arm names.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    manifests: BTreeMap<String, Vec<Node>>,
    policies: BTreeMap<String, Node>,
    configs: BTreeMap<String, String>,
    /// Whether a file of it could not be read: then nobody knows what would be in it.
    pub(super) partial: bool,
}

impl Inputs {
    /// The objects of its manifests.
    pub(super) fn objects(&self) -> impl Iterator<Item = &Node> {
        self.manifests.values().flatten()
    }

    /// As a scenario has them.
    pub(super) fn typed(
        self,
    ) -> (
        BTreeMap<String, Manifest>,
        BTreeMap<String, Value>,
        BTreeMap<String, String>,
    ) {
        let manifests = self.manifests.into_iter().map(|(file, objects)| {
            let objects = objects.iter().map(Node::json).collect();
            (file.clone(), Manifest { file, objects })
        });
        let policies = self
            .policies
            .into_iter()
            .map(|(file, policy)| (file, policy.json()));
        (manifests.collect(), policies.collect(), self.configs)
    }
}

/// Reads the files that an arm names.
pub(super) fn inputs_of(case: &Node, files: &Files, bindings: &mut Bindings) -> (Inputs, Vec<Mistake>) {
    let mut inputs = Inputs::default();
    let mut mistakes = Vec::new();
    for (role, node) in named(case) {
        let Some(name) = node.text() else { continue };
        let there = [
            &inputs.manifests.contains_key(name),
            &inputs.policies.contains_key(name),
            &inputs.configs.contains_key(name),
        ];
        if *there[role as usize] {
            continue;
        }
        let text = match text_of(files, name, node) {
            Ok(text) => text,
            Err(flaw) => {
                inputs.partial = true;
                mistakes.push(flaw.in_file(CASE_FILE));
                continue;
            }
        };
        inputs.partial |= !tree::documents(text).1.is_empty();
        let mut found = Vec::new();
        // What values do in a file is told of the file.
        let of_case = std::mem::take(&mut bindings.flaws);
        match role {
            Role::Manifest => drop(
                inputs
                    .manifests
                    .insert(name.to_owned(), manifest(text, bindings, &mut found)),
            ),
            Role::Policy => {
                inputs
                    .policies
                    .extend(policy(name, text, bindings, &mut found).map(|policy| (name.to_owned(), policy)));
                found.append(&mut bindings.flaws);
                mistakes.extend(found.drain(..).map(|flaw| flaw.in_file(name)));
                let twin = PolicyApi::V1alpha1.file(name);
                if let Some(Ok(text)) = files.text(&twin).filter(|_| twin != name) {
                    let policy = policy(&twin, text, bindings, &mut found);
                    inputs
                        .policies
                        .extend(policy.map(|policy| (twin.clone(), policy)));
                }
                mistakes.extend(found.drain(..).map(|flaw| flaw.in_file(&twin)));
            }
            Role::Config => drop(
                inputs
                    .configs
                    .insert(name.to_owned(), config(case, name, text, bindings, &mut found)),
            ),
        }
        found.append(&mut bindings.flaws);
        bindings.flaws = of_case;
        mistakes.extend(found.into_iter().map(|flaw| flaw.in_file(name)));
    }
    (inputs, mistakes)
}

/// The files that a case names, each where it is named.
fn named(case: &Node) -> Vec<(Role, &Node)> {
    let mut named = Vec::new();
    for step in case.get("steps").map_or(&[][..], Node::items) {
        if let Some(files) = step.get("apply") {
            named.extend(files.one_or_many().iter().map(|file| (Role::Manifest, file)));
        }
        let policy = step
            .get("descheduler")
            .and_then(|descheduler| descheduler.get("policy"));
        named.extend(policy.map(|file| (Role::Policy, file)));
    }
    for scheduler in ["scheduler", "second-scheduler"] {
        let component = case.get("cluster").and_then(|cluster| cluster.get(scheduler));
        let config = component.and_then(|component| component.get("config"));
        named.extend(config.map(|file| (Role::Config, file)));
    }
    named
}

fn text_of<'a>(files: &'a Files, name: &str, node: &Node) -> Result<&'a str, Flaw> {
    if name.contains(['/', '\\']) || name.starts_with('.') {
        let flaw = node.flaw(format!("\"{name}\" is no name of a file in the case's folder"));
        return Err(flaw.help("the files of a case stand in its folder itself"));
    }
    match files.text(name) {
        Some(Ok(text)) => Ok(text),
        Some(Err(why)) => Err(node.flaw(format!("\"{name}\" can't be used: {why}"))),
        None => {
            let others = files.names().filter(|name| *name != CASE_FILE);
            Err(node
                .flaw(format!("there is no file \"{name}\""))
                .nearest(name, others))
        }
    }
}

fn manifest(text: &str, bindings: &mut Bindings, flaws: &mut Vec<Flaw>) -> Vec<Node> {
    let (documents, found) = tree::documents(text);
    let readable = found.is_empty();
    flaws.extend(found);
    let mut objects = Vec::new();
    for document in &documents {
        let document = bindings.put_into(document, Writing::Manifest);
        let is_list = document
            .get("kind")
            .and_then(Node::text)
            .is_some_and(|kind| kind.ends_with("List"));
        match document.get("items").filter(|_| is_list) {
            Some(items) => objects.extend_from_slice(items.items()),
            None => objects.push(document),
        }
    }
    if objects.is_empty() && readable {
        flaws.push(Flaw::new(Place::START, "no object in it"));
    }
    for object in &objects {
        if !matches!(object.content, Content::Map(_)) {
            flaws.push(object.flaw(format!("expected an object, found {}", object.noun())));
            continue;
        }
        let json = object.json();
        for field in missing_of(&json) {
            flaws.push(Flaw::new(object.place, format!("missing {field}")));
        }
        if let Some(what) = time_to_die_of(&json) {
            let annotations = ["spec", "template", "metadata", "annotations"];
            let place = annotations.iter().try_fold(object, |node, field| node.get(field));
            flaws.push(Flaw::new(place.unwrap_or(object).place, what));
        }
    }
    objects
}

fn policy(name: &str, text: &str, bindings: &mut Bindings, flaws: &mut Vec<Flaw>) -> Option<Node> {
    let document = of_kind(text, "DeschedulerPolicy", bindings, flaws)?;
    let wanted = PolicyApi::of_file(name);
    let found = document.get("apiVersion");
    if found.and_then(Node::text) != Some(wanted.to_string().as_str()) {
        let here = found.unwrap_or(&document);
        let found = found.map_or("nothing".to_owned(), Node::noun);
        let flaw = Flaw::new(
            here.place,
            format!("apiVersion: expected \"{wanted}\", found {found}"),
        );
        flaws.push(flaw.help(format!("a file of this name is for {}", wanted.known_by())));
    }
    Some(document)
}

fn config(case: &Node, name: &str, text: &str, bindings: &mut Bindings, flaws: &mut Vec<Flaw>) -> String {
    let Some(document) = of_kind(text, "KubeSchedulerConfiguration", bindings, flaws) else {
        return text.to_owned();
    };
    let version = document.get("apiVersion");
    if !version
        .and_then(Node::text)
        .is_some_and(|text| text.starts_with("kubescheduler.config.k8s.io/"))
    {
        let what = "apiVersion: expected one of kubescheduler.config.k8s.io";
        flaws.push(Flaw::new(version.unwrap_or(&document).place, what));
    }
    let second = case
        .get("cluster")
        .and_then(|cluster| cluster.get("second-scheduler"));
    let own = |second: &&Node| second.get("config").and_then(Node::text) == Some(name);
    if let (Some(called), Some(profiles)) = (
        second
            .filter(own)
            .and_then(|second| second.get("name"))
            .and_then(Node::text),
        document.get("profiles"),
    ) {
        let of_profile = |profile: &Node| profile.get("schedulerName").and_then(Node::text) == Some(called);
        if !profiles.items().iter().any(of_profile) {
            let what =
                format!("profiles: none has the schedulerName \"{called}\", which the second scheduler has");
            flaws.push(Flaw::new(profiles.place, what));
        }
    }
    // As it is written, comments and all, where no value is put in.
    let as_written = tree::document(text).0.map(|node| node.json());
    if as_written == Some(document.json()) {
        text.to_owned()
    } else {
        yaml::text(&document.json())
    }
}

/// The only document of a text, of a kind.
fn of_kind(text: &str, kind: &str, bindings: &mut Bindings, flaws: &mut Vec<Flaw>) -> Option<Node> {
    let (document, found) = tree::document(text);
    flaws.extend(found);
    let document = bindings.put_into(&document?, Writing::Manifest);
    let found = document.get("kind");
    if found.and_then(Node::text) != Some(kind) {
        let place = found.unwrap_or(&document).place;
        let found = found.map_or("nothing".to_owned(), Node::noun);
        flaws.push(Flaw::new(
            place,
            format!("kind: expected \"{kind}\", found {found}"),
        ));
    }
    Some(document)
}
