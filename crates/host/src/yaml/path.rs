//! Where something is in a YAML document, and in which line.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
