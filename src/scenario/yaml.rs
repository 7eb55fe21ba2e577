//! The one place that knows which YAML library is in use.
//!
//! `serde_yaml` is on the project's card and no longer maintained; nothing outside of this module names it, so
//! that it can be replaced in one.

use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::ManifestError;

/// A document that is not YAML, or not of the expected form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// What is wrong.
    pub message: String,
    /// The line in the text, counted from 1, where it is known.
    pub line: Option<usize>,
}

impl From<serde_yaml::Error> for YamlError {
    fn from(error: serde_yaml::Error) -> Self {
        let line = error.location().map(|l| l.line());
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
        Self { message, line }
    }
}

/// One YAML document as JSON.
///
/// # Errors
/// When the text is not YAML.
pub fn value(text: &str) -> Result<Value, YamlError> {
    Ok(serde_yaml::from_str(text)?)
}

/// One YAML document as a type that knows its fields.
///
/// # Errors
/// When the text is not YAML, or of another form; with the line.
pub fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    Ok(serde_yaml::from_str(text)?)
}

/// The only document of a file, checked to be of a kind and of an API version that `known` knows.
///
/// # Errors
/// When it is not YAML, another kind, or of another API version; each with `file` and the line. `versions` are told.
pub fn typed(
    file: &str,
    text: &str,
    kind: &str,
    known: impl Fn(&str) -> bool,
    versions: &[String],
) -> Result<Value, ManifestError> {
    let fail = |line: usize, what: String| {
        Err(ManifestError {
            mistakes: vec![format!("{file}:{line}: {what}")],
        })
    };
    let mut found = documents(text);
    if found.len() > 1 {
        return fail(found[1].0, format!("one {kind} is all that fits in a file"));
    }
    let Some((first, document)) = found.pop() else {
        return fail(1, format!("there is no {kind} in it"));
    };
    let document = match document {
        Ok(document) => document,
        Err(e) => {
            let line = e.line.unwrap_or(first);
            return fail(line, format!("not YAML: {e}"));
        }
    };
    let line = |field: &str| line_of(text, field).unwrap_or(first);
    if document["kind"] != kind {
        let what = format!("kind: expected \"{kind}\", found {}", document["kind"]);
        return fail(line("kind"), what);
    }
    match document["apiVersion"].as_str() {
        Some(version) if known(version) => Ok(document),
        _ => {
            let what = format!(
                "apiVersion: expected {}, found {}",
                versions.join(" or "),
                document["apiVersion"]
            );
            fail(line("apiVersion"), what)
        }
    }
}

/// The line of a field at the outermost level, counted from 1.
#[must_use]
pub fn line_of(text: &str, field: &str) -> Option<usize> {
    let begins = |line: &str| {
        line.strip_prefix(field)
            .is_some_and(|rest| rest.trim_start().starts_with(':'))
    };
    text.lines().position(begins).map(|at| at + 1)
}

/// Every document of a file, with the line at which each begins; empty documents are left out.
pub fn documents(text: &str) -> Vec<(usize, Result<Value, YamlError>)> {
    let parsed = |(start, document): (usize, String)| {
        // Each document is parsed by itself, so that a mistake in one does not hide those of the next.
        let parsed = serde_yaml::Deserializer::from_str(&document)
            .next()
            .map_or(Ok(Value::Null), Value::deserialize)
            .map_err(|e| {
                let mut error = YamlError::from(e);
                error.line = error.line.map(|l| l + start - 1);
                error
            });
        (start, parsed)
    };
    texts(text).into_iter().map(parsed).collect()
}

/// The text of every document of a file, with the line at which each begins; as [`documents`] has them.
#[must_use]
pub fn texts(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut start = 1;
    let mut lines: Vec<&str> = Vec::new();
    let mut flush = |start: usize, lines: &mut Vec<&str>| {
        let document = lines.join("\n");
        lines.clear();
        let is_empty = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
        if !document.lines().all(is_empty) {
            found.push((start, document));
        }
    };
    for (at, line) in text.lines().enumerate() {
        if line.trim_end() == "---" {
            flush(start, &mut lines);
            start = at + 2;
        } else {
            lines.push(line);
        }
    }
    flush(start, &mut lines);
    found
}

/// Where something is in a document, as people write it: `profiles[0].name`, `data["policy.yaml"]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldPath(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Field(String),
    Item(usize),
}

impl FieldPath {
    /// A field of what is here.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        self.with(Segment::Field(name.to_owned()))
    }

    /// An item of the list that is here, counted from 0.
    #[must_use]
    pub fn item(&self, at: usize) -> Self {
        self.with(Segment::Item(at))
    }

    /// The same below another.
    #[must_use]
    pub fn below(&self, other: &Self) -> Self {
        Self(other.0.iter().chain(&self.0).cloned().collect())
    }

    /// What stands beside it, where it is a field.
    #[must_use]
    pub fn sibling(&self, name: &str) -> Self {
        let around = self.0.split_last().map_or(&[][..], |(_, around)| around);
        Self(around.to_vec()).field(name)
    }

    /// What is there in a value, and what is around it.
    #[must_use]
    pub fn ends<'a>(&self, value: &'a Value) -> Option<(&'a Value, &'a Value)> {
        let mut ends = (value, value);
        for segment in &self.0 {
            let inner = match segment {
                Segment::Field(name) => ends.1.get(name)?,
                Segment::Item(at) => ends.1.get(at)?,
            };
            ends = (ends.1, inner);
        }
        Some(ends)
    }

    fn with(&self, segment: Segment) -> Self {
        Self(self.0.iter().cloned().chain([segment]).collect())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            let plain = |name: &str| name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
            match segment {
                Segment::Item(item) => write!(f, "[{item}]")?,
                Segment::Field(name) if !plain(name) => write!(f, "[\"{name}\"]")?,
                Segment::Field(name) if at == 0 => f.write_str(name)?,
                Segment::Field(name) => write!(f, ".{name}")?,
            }
        }
        Ok(())
    }
}

/// The line of a document, counted from 1, in which something stands; of what is not there, that of what is around it.
#[must_use]
pub fn line_at(document: &str, path: &FieldPath) -> usize {
    let mut way = path.0.as_slice();
    while !way.is_empty() {
        let seek = Seek {
            way,
            found: &Cell::new(false),
        };
        let end = serde_yaml::Deserializer::from_str(document)
            .next()
            .map(|document| seek.deserialize(document));
        if let Some(Err(error)) = end
            && seek.found.get()
            && let Some(place) = error.location()
        {
            return place.line();
        }
        way = &way[..way.len() - 1];
    }
    1
}

/// Goes the way through a document and fails where it ends: the parser says of an error where it is, and of nothing else.
#[derive(Clone, Copy)]
struct Seek<'a> {
    way: &'a [Segment],
    found: &'a Cell<bool>,
}

impl Seek<'_> {
    fn here<E: Error>(self) -> E {
        self.found.set(true);
        E::custom("here")
    }
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what the way leads through")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Segment::Field(name), rest)) = self.way.split_first() else {
            return Err(if self.way.is_empty() {
                self.here()
            } else {
                A::Error::custom("no list")
            });
        };
        let key = Key {
            name,
            seek: self,
            is_last: rest.is_empty(),
        };
        while let Some(is_it) = map.next_key_seed(&key)? {
            if is_it {
                return map.next_value_seed(Seek { way: rest, ..self });
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some((Segment::Item(at), rest)) = self.way.split_first() else {
            return Err(if self.way.is_empty() {
                self.here()
            } else {
                A::Error::custom("no fields")
            });
        };
        for _ in 0..*at {
            list.next_element::<IgnoredAny>()?;
        }
        list.next_element_seed(Seek { way: rest, ..self })?;
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Err(self.scalar())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Err(self.scalar())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Err(self.scalar())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Err(self.scalar())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Err(self.scalar())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Err(self.scalar())
    }
}

impl Seek<'_> {
    fn scalar<E: Error>(self) -> E {
        if self.way.is_empty() {
            self.here()
        } else {
            E::custom("a value")
        }
    }
}

/// A key of a map: whether it is the one that is sought.
struct Key<'a> {
    name: &'a str,
    seek: Seek<'a>,
    is_last: bool,
}

impl<'de> DeserializeSeed<'de> for &Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for &Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        match key == self.name {
            true if self.is_last => Err(self.seek.here()),
            is_it => Ok(is_it),
        }
    }
}

/// The same with what `<<` takes over written out, as every reader of the descheduler's and of Kubernetes' has it.
#[must_use]
pub fn merged(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(merged).collect(),
        Value::Object(mut fields) => {
            let taken = fields.shift_remove("<<").map(merged);
            let mut fields: serde_json::Map<String, Value> = fields
                .into_iter()
                .map(|(name, value)| (name, merged(value)))
                .collect();
            let sources = match taken {
                Some(Value::Array(sources)) => sources,
                Some(source) => vec![source],
                None => Vec::new(),
            };
            for (name, value) in sources
                .into_iter()
                .filter_map(|source| match source {
                    Value::Object(fields) => Some(fields),
                    _ => None,
                })
                .flatten()
            {
                fields.entry(name).or_insert(value);
            }
            Value::Object(fields)
        }
        value => value,
    }
}

/// A JSON value as a YAML document.
#[must_use]
pub fn text(value: &Value) -> String {
    serde_yaml::to_string(value).expect("a JSON value is always YAML")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_know_their_lines() {
        let found = documents("# only a comment\n---\na: 1\n---\nb: [\n---\nc: 3\n");
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], (3, Ok(serde_json::json!({"a": 1}))));
        let error = found[1].1.clone().unwrap_err();
        assert_eq!(found[1].0, 5);
        assert!(error.line.is_some_and(|l| l >= 5), "{error:?}");
        assert_eq!(found[2].0, 7);
    }

    #[test]
    fn what_is_in_a_document_has_a_line_in_every_style() {
        let text = "\
# a comment
kind: x
list:
  - name: a
    args: {one: 1,
      two: 2}
  -
    name: b
  - [c,
     d]
\"quoted\": |
  text
  more
last: null
";
        let top = FieldPath::default();
        let list = top.field("list");
        for (path, line) in [
            (top.clone(), 1),
            (top.field("kind"), 2),
            (list.clone(), 3),
            (list.item(0), 4),
            (list.item(0).field("name"), 4),
            (list.item(0).field("args").field("one"), 5),
            (list.item(0).field("args").field("two"), 6),
            (list.item(1), 8),
            (list.item(2).item(1), 10),
            (top.field("quoted"), 11),
            (top.field("last"), 14),
            // What is not there has the line of what is around it.
            (list.item(0).field("none"), 4),
            (list.item(7).field("none"), 3),
            (top.field("kind").field("none"), 2),
            (top.field("none"), 1),
        ] {
            assert_eq!(line_at(text, &path), line, "{path}");
        }
    }

    #[test]
    fn a_path_reads_as_people_write_it() {
        let path = FieldPath::default()
            .field("a")
            .item(0)
            .field("b-c")
            .field("d.yaml");
        assert_eq!(path.to_string(), "a[0].b-c[\"d.yaml\"]");
        assert_eq!(
            path.below(&FieldPath::default().field("top")).to_string(),
            "top.a[0].b-c[\"d.yaml\"]"
        );
    }

    #[test]
    fn what_is_merged_is_written_out_and_gives_way_to_what_is_said() {
        let text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: [{<<: [{z: 4}, *a]}]\n";
        let found = merged(value(text).unwrap());
        assert_eq!(found["b"], serde_json::json!({"y": 3, "x": 1}));
        assert_eq!(found["c"][0], serde_json::json!({"z": 4, "x": 1, "y": 2}));
    }
}
