//! What is looked for, and what it comes to: signatures, components and the rules of "black", as plain data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::pattern::Pattern;
use super::step::StepName;

/// What a signature says of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The issue is found.
    Red,
    /// Nothing by itself: it is counted, and a rule may lean on it.
    Note,
}

impl Severity {
    /// Its name, in data and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Note => "note",
        }
    }
}

/// Something that a line of a log says.
#[derive(Debug, Clone)]
pub struct Signature {
    /// Its name: small letters, digits and hyphens.
    pub id: String,
    /// In whose logs it is looked for; in all where there is none.
    pub component: Vec<String>,
    /// The releases that write it, as a range of versions; `None` for all.
    pub versions: Option<semver::VersionReq>,
    /// What it says of a run.
    pub severity: Severity,
    /// How many lines make it found.
    pub at_least: u64,
    /// Signatures each line of which takes one from its count: it explains one of its lines.
    pub less: Vec<String>,
    /// What the line looks like. The captures `key…`, `step` and `state` are looked into.
    pub pattern: Pattern,
    /// What it means.
    pub meaning: String,
    /// Where the line comes from: a file of Kubernetes or etcd, or an entry of the seed.
    pub source: String,
    /// Lines that have it.
    pub examples: Vec<String>,
    /// Lines that look like it, and don't have it.
    pub not: Vec<String>,
}

/// A program, and how its logs are known.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Its name.
    pub id: String,
    /// What its logs' files are called.
    #[serde(default)]
    pub names: Vec<String>,
    /// What only its logs say.
    #[serde(default)]
    pub content: Vec<String>,
}

/// What a black rule goes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Over {
    /// Any finding: the run was not set up as the search wants it.
    Red,
    /// An absence only: what is missing might have shown the issue.
    Green,
}

/// When a run does not fit the search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlackRule {
    /// Its name.
    pub id: String,
    /// What it goes before.
    pub over: Over,
    /// The reason, in words.
    pub because: String,
    /// One of these has to hold.
    pub when: Vec<Condition>,
}

/// Something that holds of a run's logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// A signature was found.
    Found(String),
    /// There is a log of a component, with at least a line.
    LogOf(String),
    /// There is no log of any of these components.
    NoLogOf(Vec<String>),
    /// A signature was found, and no step of a load test was seen.
    FoundBeforeAnyStep(String),
    /// No step after this one has started.
    NotPast(StepName),
    /// Whether something that was named could not be read to its end.
    Unread(bool),
}

/// Everything that is looked for.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Programs, and how their logs are known.
    pub components: Vec<Component>,
    /// What is looked for in lines.
    pub signatures: Vec<Signature>,
    /// What makes a run black, in the order in which they count.
    pub black: Vec<BlackRule>,
}

impl Rules {
    /// A signature by its name.
    #[must_use]
    pub fn signature(&self, id: &str) -> Option<&Signature> {
        self.signatures.iter().find(|signature| signature.id == id)
    }

    /// Adds what others have; what is called the same takes the place of what was there.
    pub fn add(&mut self, other: Self) {
        put(&mut self.components, other.components, |component| &component.id);
        put(&mut self.signatures, other.signatures, |signature| &signature.id);
        put(&mut self.black, other.black, |rule| &rule.id);
    }

    /// Leaves out the signature or the black rule of a name; whether there was one.
    pub fn remove(&mut self, id: &str) -> bool {
        let before = self.signatures.len() + self.black.len();
        self.signatures.retain(|signature| signature.id != id);
        self.black.retain(|rule| rule.id != id);
        self.signatures.len() + self.black.len() < before
    }

    /// Has a step that a run must get past in each rule that asks for one; whether there was one.
    pub fn past(&mut self, step: &StepName) -> bool {
        let conditions = self.black.iter_mut().flat_map(|rule| &mut rule.when);
        let mut found = false;
        for condition in conditions {
            if let Condition::NotPast(wanted) = condition {
                *wanted = step.clone();
                found = true;
            }
        }
        found
    }

    /// What does not fit together: names that nothing has. Each with the name of the entry that it is in.
    #[must_use]
    pub fn loose_ends(&self) -> Vec<(String, String)> {
        let components: BTreeMap<&str, ()> = self.components.iter().map(|c| (c.id.as_str(), ())).collect();
        let no_component = |name: &str| {
            (!components.contains_key(name)).then(|| format!("no component is called \"{name}\""))
        };
        let mut found = Vec::new();
        for signature in &self.signatures {
            let wrong = signature.component.iter().filter_map(|name| no_component(name));
            found.extend(wrong.map(|what| (signature.id.clone(), what)));
            let unknown = signature.less.iter().filter(|id| self.signature(id).is_none());
            found.extend(unknown.map(|id| (signature.id.clone(), no_signature(id))));
            if self.leads_to(&signature.less, &signature.id) {
                let what = "less: what it takes away is taken from itself".to_owned();
                found.push((signature.id.clone(), what));
            }
        }
        for rule in &self.black {
            for condition in &rule.when {
                let wrong: Vec<String> = match condition {
                    Condition::Found(id) | Condition::FoundBeforeAnyStep(id) => {
                        let unknown = self.signature(id).is_none();
                        unknown.then(|| no_signature(id)).into_iter().collect()
                    }
                    Condition::LogOf(name) => no_component(name).into_iter().collect(),
                    Condition::NoLogOf(names) => names.iter().filter_map(|name| no_component(name)).collect(),
                    Condition::NotPast(_) | Condition::Unread(_) => Vec::new(),
                };
                found.extend(wrong.into_iter().map(|what| (rule.id.clone(), what)));
            }
        }
        found
    }

    /// Whether one of these signatures is a certain one, or is lessened by it.
    fn leads_to(&self, from: &[String], to: &str) -> bool {
        let (mut open, mut seen): (Vec<&str>, Vec<&str>) =
            (from.iter().map(String::as_str).collect(), Vec::new());
        while let Some(id) = open.pop() {
            if id == to {
                return true;
            }
            if !seen.contains(&id) {
                seen.push(id);
                let less = self.signature(id).map_or(&[][..], |signature| &signature.less);
                open.extend(less.iter().map(String::as_str));
            }
        }
        false
    }
}

fn no_signature(id: &str) -> String {
    format!("no signature is called \"{id}\"")
}

fn put<T>(there: &mut Vec<T>, new: Vec<T>, id: impl Fn(&T) -> &String) {
    for entry in new {
        match there.iter().position(|old| id(old) == id(&entry)) {
            Some(at) => there[at] = entry,
            None => there.push(entry),
        }
    }
}
