//! From the events of the YAML library to a tree.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::Number;

use super::super::mistake::{Flaw, Place};
use super::{Content, Key, MOST_VALUES, Node, Path, quoted, told};

/// How deep values may lie in one another.
const DEEPEST: usize = 64;

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
