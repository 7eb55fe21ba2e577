//! The values of an arm and a variant, put in where `$name` or `${name}` stands.
//!
//! In `case.yaml`, `$name` is the whole of a field or an item, and takes the value as it is, of any type. Everywhere, also in
//! manifests, `${name}` is a part of a text; without quotes around it and with nothing beside it, it takes the value as it is as
//! well. A list that takes the place of an item is put in item by item, and `nothing` leaves out what it stands for. Only names
//! that the case declares are meant: others stay as they are. `$$name` and `$${name}` write `$name` and `${name}`.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::mistake::{Flaw, Place};
use super::tree::{Content, MOST_VALUES, Node, quoted};

/// How deep values may lie in one another.
const DEEPEST: usize = 8;
/// How many bytes of text may come of values, all in all.
const MOST_TEXT: usize = 4 << 20;
/// What leaves out what it stands for.
pub(super) const NOTHING: &str = "nothing";

/// In what kind of text values are put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// `case.yaml`: `$name` is a value, and a name that nobody declares is a mistake.
    Case,
    /// A manifest, a policy, a configuration: only `${name}` is one.
    Manifest,
}

/// Values by name, and which of them were used.
#[derive(Debug, Clone, Default)]
pub struct Bindings {
    values: IndexMap<String, Node>,
    /// The names that were used.
    pub used: BTreeSet<String>,
    /// What was wrong on the way.
    pub flaws: Vec<Flaw>,
    room: Room,
}

#[derive(Debug, Clone)]
struct Room {
    values: usize,
    text: usize,
    /// Whether it is at an end, which was told.
    spent: bool,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            values: MOST_VALUES,
            text: MOST_TEXT,
            spent: false,
        }
    }
}

/// What comes of a value in a list or a map.
enum Put {
    One(Node),
    /// A list in place of an item: its items are put in.
    Items(Node),
    Nothing,
}

/// Whether a name may be a value's: small letters, digits and `-`, with a letter first.
pub(super) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

impl Bindings {
    /// These values.
    #[must_use]
    pub fn new(values: IndexMap<String, Node>) -> Self {
        Self {
            values,
            ..Self::default()
        }
    }

    /// A tree with the values put in; its root stays where it is.
    #[must_use]
    pub fn put_into(&mut self, node: &Node, writing: Writing) -> Node {
        match self.put(node, writing, &mut Vec::new()) {
            Put::One(node) | Put::Items(node) => node,
            Put::Nothing => node.with(Content::Null),
        }
    }

    /// A text that is no YAML, with the values put in.
    #[must_use]
    pub fn put_into_text(&mut self, text: &str) -> String {
        let node = Node {
            content: Content::Null,
            place: Place::START,
            path: super::tree::Path::default(),
            bare: false,
        };
        self.write(text, &node, &mut Vec::new())
    }

    fn put(&mut self, node: &Node, writing: Writing, within: &mut Vec<String>) -> Put {
        if self.room.spent {
            return Put::Nothing;
        }
        self.room.values -= 1;
        if self.room.values == 0 {
            self.room.spent = true;
            let what = format!("the values write out to more than {MOST_VALUES} values");
            self.flaws.push(Flaw::new(node.place, what));
        }
        match &node.content {
            Content::Text(text) => self.put_text(text, node, writing, within),
            Content::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    match self.put(item, writing, within) {
                        Put::One(item) => list.push(item),
                        Put::Items(items) => list.extend_from_slice(items.items()),
                        Put::Nothing => {}
                    }
                }
                Put::One(node.with(Content::List(list)))
            }
            Content::Map(fields) => {
                let mut map = Vec::with_capacity(fields.len());
                for (key, value) in fields {
                    let value = match self.put(value, writing, within) {
                        Put::One(value) | Put::Items(value) => value,
                        Put::Nothing => continue,
                    };
                    let mut key = key.clone();
                    if key.name.contains("${") {
                        let here = Node {
                            place: key.place,
                            ..node.with(Content::Null)
                        };
                        key.name = self.write(&key.name, &here, within);
                    }
                    map.push((key, value));
                }
                Put::One(node.with(Content::Map(map)))
            }
            _ => Put::One(node.clone()),
        }
    }

    fn put_text(&mut self, text: &str, node: &Node, writing: Writing, within: &mut Vec<String>) -> Put {
        let in_braces = text
            .strip_prefix("${")
            .and_then(|rest| rest.strip_suffix('}'))
            .filter(|name| node.bare && self.values.contains_key(*name));
        if let Some(name) = in_braces {
            return self.value(name, node, within);
        }
        if writing == Writing::Case {
            if let Some(name) = text.strip_prefix("$$").filter(|name| is_name(name)) {
                return Put::One(node.with(Content::Text(format!("${name}"))));
            }
            if let Some(name) = text.strip_prefix('$').filter(|name| is_name(name)) {
                if self.values.contains_key(name) {
                    return self.value(name, node, within);
                }
                self.unknown(name, node);
                return Put::One(node.clone());
            }
        }
        if !text.contains("${") {
            return Put::One(node.clone());
        }
        let text = self.write(text, node, within);
        Put::One(node.with(Content::Text(text)))
    }

    fn unknown(&mut self, name: &str, node: &Node) {
        let known = self.values.keys().map(|known| format!("${known}"));
        let flaw = node
            .flaw(format!("no value is called \"${name}\""))
            .nearest(&format!("${name}"), known)
            .help("a value is named by both arms, or by every variant; $$ at the beginning of a text is a $");
        self.flaws.push(flaw);
    }

    /// The value of a name, with the values that it names itself put in.
    fn value(&mut self, name: &str, node: &Node, within: &mut Vec<String>) -> Put {
        let Some(value) = self.values.get(name).cloned() else {
            return Put::One(node.clone());
        };
        self.used.insert(name.to_owned());
        if within.iter().any(|outer| outer == name) || within.len() >= DEEPEST {
            self.flaws
                .push(value.flaw("this value is made of itself, or of too many others"));
            return Put::Nothing;
        }
        if value.text() == Some(NOTHING) {
            return Put::Nothing;
        }
        within.push(name.to_owned());
        let put = self.put(&value, Writing::Case, within);
        within.pop();
        match put {
            Put::One(list) if matches!(list.content, Content::List(_)) => Put::Items(list),
            other => other,
        }
    }

    /// A text with values in it.
    fn write(&mut self, text: &str, node: &Node, within: &mut Vec<String>) -> String {
        let mut written = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            let end = from.find('}');
            let name = end.map_or("", |end| &from[2..end]);
            let Some(end) = end.filter(|_| self.values.contains_key(name)) else {
                written.push_str(before);
                written.push_str("${");
                rest = &from[2..];
                continue;
            };
            rest = &from[end + 1..];
            if let Some(before) = before.strip_suffix('$') {
                written.push_str(before);
                written.push_str(&from[..=end]);
                continue;
            }
            written.push_str(before);
            match self.value(name, node, within) {
                Put::Nothing => {}
                Put::One(value) if value.scalar().is_some() => {
                    written.push_str(&value.scalar().unwrap_or_default());
                }
                Put::One(_) | Put::Items(_) => {
                    let what = format!("${{{name}}} is no text, and can't be a part of {}", quoted(text));
                    self.flaws.push(node.flaw(what));
                }
            }
            if self.room.spent {
                return String::new();
            }
            if written.len() > self.room.text {
                self.room.spent = true;
                self.flaws
                    .push(node.flaw("the values write out to too long a text"));
                return String::new();
            }
        }
        written.push_str(rest);
        self.room.text = self.room.text.saturating_sub(written.len());
        written
    }
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;
