//! A YAML text as a tree of values, each of which knows where it stands.
//!
//! YAML is read as kubectl reads it where a person can see the difference: numbers in Go's forms, `<<` merges, a key that
//! stands twice is a mistake. `yes` and `no` are texts. What a tree may hold is bounded, so that no text can exhaust anything.

mod reader;

pub use reader::{document, documents};

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Number, Value};

use super::mistake::{Flaw, Place};

/// How many values a text may hold, aliases written out.
pub(super) const MOST_VALUES: usize = 200_000;

/// A value, and where it stands.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is.
    pub content: Content,
    /// Where it begins.
    pub place: Place,
    /// By which fields and items it is reached from the root of its text.
    pub path: Path,
    /// Whether it is a scalar that is written without quotes.
    pub bare: bool,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Nothing is written, or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Fields, in their order.
    Map(Vec<(Key, Node)>),
}

/// A field's name, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The name.
    pub name: String,
    /// Where it begins.
    pub place: Place,
}

impl PartialEq for Node {
    /// Two values are equal when they say the same, wherever they stand.
    fn eq(&self, other: &Self) -> bool {
        self.content == other.content
    }
}

/// How a value is reached from the root of its text: `steps[3].wait`.
#[derive(Debug, Clone, Default)]
pub struct Path(Option<Arc<(Path, Part)>>);

#[derive(Debug, Clone)]
enum Part {
    Field(String),
    Item(usize),
}

impl Path {
    /// The path of a field of what is here.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        // A name as long as a page is of no use in a message.
        let mut short: String = name.chars().take(64).collect();
        if short.len() < name.len() {
            short.push('…');
        }
        Self(Some(Arc::new((self.clone(), Part::Field(short)))))
    }

    /// The path of an item of what is here.
    #[must_use]
    pub fn item(&self, at: usize) -> Self {
        Self(Some(Arc::new((self.clone(), Part::Item(at)))))
    }

    /// Whether it is the root's.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(step) = &self.0 else { return Ok(()) };
        let (before, part) = &**step;
        before.fmt(f)?;
        match part {
            Part::Item(at) => write!(f, "[{at}]"),
            Part::Field(name) if before.is_root() => f.write_str(name),
            Part::Field(name) => write!(f, ".{name}"),
        }
    }
}

impl Node {
    /// Of this content, standing where another stands.
    #[must_use]
    pub fn with(&self, content: Content) -> Self {
        Self {
            content,
            place: self.place,
            path: self.path.clone(),
            bare: self.bare,
        }
    }

    /// A flaw at this value's place, which opens with its path.
    #[must_use]
    pub fn flaw(&self, what: impl fmt::Display) -> Flaw {
        Flaw::new(self.place, told(&self.path, what))
    }

    /// A field's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.entry(name).map(|(_, value)| value)
    }

    /// A field.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&(Key, Self)> {
        self.fields().iter().find(|(key, _)| key.name == name)
    }

    /// Its fields; none where it has none.
    #[must_use]
    pub fn fields(&self) -> &[(Key, Self)] {
        match &self.content {
            Content::Map(fields) => fields,
            _ => &[],
        }
    }

    /// Its items; none where it is no list.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match &self.content {
            Content::List(items) => items,
            _ => &[],
        }
    }

    /// Its items, or itself where it is no list.
    #[must_use]
    pub fn one_or_many(&self) -> &[Self] {
        match &self.content {
            Content::List(items) => items,
            _ => std::slice::from_ref(self),
        }
    }

    /// Its text, where it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A scalar as it may be written: a text, a number or a truth value.
    #[must_use]
    pub fn scalar(&self) -> Option<String> {
        match &self.content {
            Content::Text(text) => Some(text.clone()),
            Content::Number(number) => Some(number.to_string()),
            Content::Bool(truth) => Some(truth.to_string()),
            _ => None,
        }
    }

    /// What it is, in words: for messages.
    #[must_use]
    pub fn noun(&self) -> String {
        match &self.content {
            Content::Null => "nothing".to_owned(),
            Content::Bool(truth) => truth.to_string(),
            Content::Number(number) => number.to_string(),
            Content::Text(text) => quoted(text),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "fields".to_owned(),
        }
    }

    /// As JSON, which has no places.
    #[must_use]
    pub fn json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(truth) => Value::Bool(*truth),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => items.iter().map(Self::json).collect(),
            Content::Map(fields) => {
                let fields = fields.iter().map(|(key, value)| (key.name.clone(), value.json()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }

    /// How many values it holds with itself, and how deep they lie.
    pub(super) fn extent(&self) -> (usize, usize) {
        let values: Box<dyn Iterator<Item = &Self>> = match &self.content {
            Content::List(items) => Box::new(items.iter()),
            Content::Map(fields) => Box::new(fields.iter().map(|(_, value)| value)),
            _ => return (1, 1),
        };
        let (count, depth) = values
            .map(Self::extent)
            .fold((0, 0), |(n, deep), (more, deeper)| (n + more, deep.max(deeper)));
        (count + 1, depth + 1)
    }
}

/// A sentence about what a path leads to.
pub(super) fn told(path: &Path, what: impl fmt::Display) -> String {
    if path.is_root() {
        what.to_string()
    } else {
        format!("{path}: {what}")
    }
}

/// A text in quotes, shortened where it is long.
pub(super) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    let rest = if short.len() < text.len() { "…" } else { "" };
    format!("{:?}", format!("{short}{rest}"))
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
