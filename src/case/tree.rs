//! A YAML text as a tree of values, each of which knows where it stands.
//!
//! YAML is read as kubectl reads it where a person can see the difference: numbers in Go's forms, `<<` merges, a key that
//! stands twice is a mistake. `yes` and `no` are texts. What a tree may hold is bounded, so that no text can exhaust anything.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Map, Number, Value};

use super::mistake::{Flaw, Place};

/// How many values a text may hold, aliases written out.
pub(super) const MOST_VALUES: usize = 200_000;
/// How deep they may lie in one another.
pub(super) const DEEPEST: usize = 64;

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

/// The documents of a text, and what is wrong with it. Documents in which nothing is written are left out.
#[must_use]
pub fn documents(text: &str) -> (Vec<Node>, Vec<Flaw>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // A line ends where an editor ends it.
    let text = &text.replace("\r\n", "\n").replace('\r', "\n");
    let mut reader = Reader {
        lines: text
            .split('\n')
            .map(|line| (line, line.chars().count()))
            .collect(),
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        values: 0,
        flaws: Vec::new(),
    };
    let mut documents = Vec::new();
    // A text that can't be read any further ends there; what was read before is good.
    if let Err(flaw) = reader.stream(&mut documents) {
        reader.flaws.push(flaw);
    }
    documents.retain(|node| node.content != Content::Null);
    (documents, reader.flaws)
}

/// The only document of a text; `None` where it can't be read.
#[must_use]
pub fn document(text: &str) -> (Option<Node>, Vec<Flaw>) {
    let (documents, mut flaws) = documents(text);
    let mut documents = documents.into_iter();
    let first = documents.next();
    match (&first, documents.next()) {
        (None, _) if flaws.is_empty() => flaws.push(Flaw::new(Place::START, "nothing is written here")),
        (_, Some(second)) => flaws.push(Flaw::new(second.place, "a second document: one is all that fits")),
        _ => {}
    }
    (first, flaws)
}

struct Reader<'a> {
    /// Its lines, and how many characters each has.
    lines: Vec<(&'a str, usize)>,
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    values: usize,
    flaws: Vec<Flaw>,
}

type Next<'a> = (Event<'a>, Span);

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Next<'a>, Flaw> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => {
                let place = self.place(*error.marker());
                let flaw = Flaw::new(place, format!("not YAML: {}", error.info()));
                let line = self.lines.get(place.line - 1);
                Err(if line.is_some_and(|(line, _)| line.contains("${")) {
                    flaw.help("between braces and brackets, ${name} stands in quotes")
                } else {
                    flaw
                })
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// A place inside the text: what is missing at its end is missing there, and not in a line that it has not.
    fn place(&self, mark: Marker) -> Place {
        let line = mark.line().clamp(1, self.lines.len());
        let width = self.lines.get(line - 1).map_or(0, |(_, width)| *width);
        let column = if mark.line() > line {
            width
        } else {
            mark.col().min(width)
        };
        Place {
            line,
            column: column + 1,
        }
    }

    fn stream(&mut self, documents: &mut Vec<Node>) -> Result<(), Flaw> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentStart(_), _) => {
                    self.anchors.clear();
                    let first = self.next()?;
                    documents.push(self.node(first, Path::default(), 1)?);
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, (event, span): Next<'a>, path: Path, depth: usize) -> Result<Node, Flaw> {
        let place = self.place(span.start);
        self.grow(1, depth, place)?;
        let node = |content, bare| Node {
            content,
            place,
            path: path.clone(),
            bare,
        };
        let (anchor, made) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let bare = style == ScalarStyle::Plain;
                let content = match tag_of(tag.as_deref()) {
                    Tagged::Text => Content::Text(text.into_owned()),
                    Tagged::AsWritten if bare => scalar(&text),
                    Tagged::AsWritten => Content::Text(text.into_owned()),
                    Tagged::Unknown(tag) => return Err(unknown_tag(place, &tag)),
                };
                (anchor, node(content, bare))
            }
            Event::SequenceStart(anchor, tag) => {
                if let Tagged::Unknown(tag) = tag_of(tag.as_deref()) {
                    return Err(unknown_tag(place, &tag));
                }
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        next => items.push(self.node(next, path.item(items.len()), depth + 1)?),
                    }
                }
                (anchor, node(Content::List(items), false))
            }
            Event::MappingStart(anchor, tag) => {
                if let Tagged::Unknown(tag) = tag_of(tag.as_deref()) {
                    return Err(unknown_tag(place, &tag));
                }
                let fields = self.fields(&path, depth)?;
                (anchor, node(Content::Map(fields), false))
            }
            Event::Alias(anchor) => {
                let Some(there) = self.anchors.get(&anchor).cloned() else {
                    return Err(Flaw::new(place, "an alias of what it stands in"));
                };
                let (values, deep) = there.extent();
                self.grow(values, depth + deep - 1, place)?;
                return Ok(there);
            }
            _ => return Err(Flaw::new(place, "not YAML: a value is missing here")),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, made.clone());
        }
        Ok(made)
    }

    fn fields(&mut self, path: &Path, depth: usize) -> Result<Vec<(Key, Node)>, Flaw> {
        let mut fields: Vec<(Key, Node)> = Vec::new();
        let mut places: HashMap<String, Place> = HashMap::new();
        let mut merged = Vec::new();
        loop {
            let (key, bare) = match self.next()? {
                (Event::MappingEnd, _) => break,
                (Event::Scalar(text, style, ..), span) => {
                    let name = text.into_owned();
                    let place = self.place(span.start);
                    self.grow(1, depth, place)?;
                    (Key { name, place }, style == ScalarStyle::Plain)
                }
                (_, span) => return Err(Flaw::new(self.place(span.start), "a field's name is a text")),
            };
            let next = self.next()?;
            let value = self.node(next, path.field(&key.name), depth + 1)?;
            if key.name == "<<" && bare {
                merged.push(value);
                continue;
            }
            if let Some(first) = places.get(&key.name) {
                let what = format!(
                    "{} stands here a second time; first at {first}",
                    quoted(&key.name)
                );
                self.flaws.push(Flaw::new(key.place, told(path, what)));
                continue;
            }
            places.insert(key.name.clone(), key.place);
            fields.push((key, value));
        }
        // A field of its own comes before one that is merged, and an earlier merge before a later one.
        for source in merged.iter().flat_map(Node::one_or_many) {
            let Content::Map(more) = &source.content else {
                return Err(source.flaw(format!("<< takes fields, not {}", source.noun())));
            };
            for (key, value) in more {
                if !places.contains_key(&key.name) {
                    places.insert(key.name.clone(), key.place);
                    self.grow(value.extent().0, depth, source.place)?;
                    fields.push((key.clone(), value.clone()));
                }
            }
        }
        Ok(fields)
    }

    fn grow(&mut self, values: usize, depth: usize, place: Place) -> Result<(), Flaw> {
        self.values = self.values.saturating_add(values);
        if self.values > MOST_VALUES {
            let what = format!("more than {MOST_VALUES} values, aliases written out");
            return Err(Flaw::new(place, what));
        }
        if depth > DEEPEST {
            return Err(Flaw::new(place, format!("more than {DEEPEST} levels deep")));
        }
        Ok(())
    }
}

enum Tagged {
    AsWritten,
    Text,
    Unknown(String),
}

fn tag_of(tag: Option<&Tag>) -> Tagged {
    let Some(tag) = tag else {
        return Tagged::AsWritten;
    };
    match tag.suffix.as_str() {
        "" | "str" if tag.is_yaml_core_schema() || tag.suffix.is_empty() => Tagged::Text,
        "int" | "float" | "bool" | "null" | "map" | "seq" if tag.is_yaml_core_schema() => Tagged::AsWritten,
        _ => Tagged::Unknown(tag.to_string()),
    }
}

fn unknown_tag(place: Place, tag: &str) -> Flaw {
    Flaw::new(place, format!("unknown tag {}", quoted(tag)))
}

/// What a scalar without quotes is.
fn scalar(text: &str) -> Content {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Content::Null,
        "true" | "True" | "TRUE" => Content::Bool(true),
        "false" | "False" | "FALSE" => Content::Bool(false),
        _ => number(text).map_or_else(|| Content::Text(text.to_owned()), Content::Number),
    }
}

/// A number in one of Go's forms: `0x1f`, `0b1`, `0o17` and `017`, `1_000`, `1e3`.
fn number(text: &str) -> Option<Number> {
    let bare = text.replace('_', "");
    let (negative, digits) = match bare.as_bytes().first()? {
        b'-' => (true, &bare[1..]),
        b'+' => (false, &bare[1..]),
        _ => (false, &bare[..]),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let whole = |digits: &str, radix| {
        let plain = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        let number = plain.then(|| u64::from_str_radix(digits, radix).ok()).flatten()?;
        if negative {
            0_i64.checked_sub_unsigned(number).map(Number::from)
        } else {
            Some(Number::from(number))
        }
    };
    for (prefix, radix) in [("0x", 16), ("0X", 16), ("0b", 2), ("0B", 2), ("0o", 8), ("0O", 8)] {
        if let Some(digits) = digits.strip_prefix(prefix) {
            return whole(digits, radix);
        }
    }
    let octal = digits.len() > 1 && digits.starts_with('0');
    if let Some(number) = whole(digits, if octal { 8 } else { 10 }) {
        return Some(number);
    }
    let plain = digits
        .bytes()
        .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    let float: f64 = plain.then(|| bare.parse().ok()).flatten()?;
    Number::from_f64(float)
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
