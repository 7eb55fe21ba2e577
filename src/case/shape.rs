//! Whether a tree has the shape that a schema says: every mistake of it, in plain words and with its place.
//!
//! A validator of JSON Schema would do, but for its messages: of a step with a slip of the pen it says that none of 22 forms fits.
//! Here the form is picked by the field that names it, as a reader does.

use serde_json::Value;

use super::mistake::{Flaw, nearest};
use super::tree::{Content, Key, Node, quoted, told};
use kubeclash_cluster::thousandths;
use kubeclash_timeline::WorkloadRef;
use kubeclash_timeline::words::{Count, Range, Span};

/// Every way in which a tree differs from a schema of [`schema`](mod@super::schema).
#[must_use]
pub fn flaws_of(node: &Node, schema: &Value) -> Vec<Flaw> {
    let mut shape = Shape {
        root: schema,
        flaws: Vec::new(),
    };
    shape.check(node, schema);
    shape.flaws
}

struct Shape<'a> {
    root: &'a Value,
    flaws: Vec<Flaw>,
}

/// A schema, and what it is called where it has a name.
#[derive(Clone, Copy)]
struct Named<'a> {
    schema: &'a Value,
    name: &'a str,
}

impl<'a> Shape<'a> {
    fn resolve(&self, schema: &'a Value) -> Named<'a> {
        let mut named = Named { schema, name: "" };
        // A schema that leads nowhere takes anything.
        while let Some(name) = named.schema["$ref"]
            .as_str()
            .and_then(|to| to.strip_prefix("#/$defs/"))
        {
            named = Named {
                schema: &self.root["$defs"][name],
                name,
            };
        }
        named
    }

    fn flaw(&mut self, node: &Node, what: impl std::fmt::Display) {
        self.flaws.push(node.flaw(what));
    }

    fn check(&mut self, node: &Node, schema: &'a Value) {
        let Named { schema, name } = self.resolve(schema);
        let types = self.types(schema);
        if types.is_empty() {
            return;
        }
        if node.content == Content::Null {
            let empty = node.flaw("empty").help("write a value, or leave the field out");
            self.flaws.push(empty);
            return;
        }
        if !types.iter().any(|kind| is(node, kind)) {
            self.other_type(node, &types, schema, name);
            return;
        }
        if let Some(flaw) = grammar(name, node) {
            self.flaw(node, flaw);
        } else if let Some(branches) = schema["anyOf"].as_array() {
            self.one_of_forms(node, branches, name);
        } else if let Some(words) = schema["oneOf"].as_array() {
            self.word(node, words);
        } else {
            self.plain(node, schema);
        }
    }

    /// The JSON types that a schema takes; none where it takes anything.
    fn types(&self, schema: &'a Value) -> Vec<&'a str> {
        let schema = self.resolve(schema).schema;
        let mut types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        for word in ["anyOf", "oneOf"] {
            for branch in schema[word].as_array().into_iter().flatten() {
                for kind in self.types(branch) {
                    if !types.contains(&kind) {
                        types.push(kind);
                    }
                }
            }
        }
        types
    }

    fn other_type(&mut self, node: &Node, types: &[&str], schema: &'a Value, name: &str) {
        let words: Vec<&str> = types.iter().map(|kind| in_words(kind)).collect();
        let flaw = node.flaw(format!("expected {}, found {}", words.join(" or "), node.noun()));
        let number = matches!(node.content, Content::Number(_) | Content::Bool(_));
        self.flaws.push(if number && types.contains(&"string") {
            let form = schema["description"]
                .as_str()
                .filter(|_| schema["pattern"].is_string());
            flaw.help(form.map_or_else(|| "put it in quotes".to_owned(), |form| format!("write {form}")))
        } else if let (Some(only), true) = (schema["additionalProperties"].as_object(), name.is_empty()) {
            let _ = only;
            flaw.help("write NAME: VALUE")
        } else {
            flaw
        });
    }

    fn word(&mut self, node: &Node, words: &'a [Value]) {
        let known: Vec<&str> = words.iter().filter_map(|word| word["const"].as_str()).collect();
        let found = node.text().unwrap_or_default();
        if known.contains(&found) {
            return;
        }
        let flaw = node
            .flaw(format!("unknown word {}", quoted(found)))
            .nearest(found, &known);
        self.flaws.push(flaw.help(format!("it is {}", known.join(", "))));
    }

    fn one_of_forms(&mut self, node: &Node, branches: &'a [Value], name: &str) {
        let fitting = |branch: &&'a Value| self.types(branch).iter().any(|kind| is(node, kind));
        let forms: Vec<&'a Value> = branches.iter().filter(fitting).collect();
        match (&forms[..], &node.content) {
            ([one], Content::Text(text)) if name == "Step" => {
                let verbs = branches.iter().filter_map(|branch| self.head(branch));
                let verb = nearest(text, verbs);
                match verb.filter(|_| text != super::values::NOTHING) {
                    Some(verb) => self.flaw(
                        node,
                        format!("a step is a field with a value: write \"{verb}: …\""),
                    ),
                    None => self.check(node, one),
                }
            }
            ([one], _) => self.check(node, one),
            (forms, Content::Map(fields)) => self.form_by_head(node, fields, forms, name),
            ([first, ..], _) => self.check(node, first),
            ([], _) => {}
        }
    }

    /// The field that names a form: its first, if it must be there.
    fn head(&self, form: &'a Value) -> Option<&'a str> {
        let schema = self.resolve(form).schema;
        let (first, _) = schema["properties"].as_object()?.iter().next()?;
        let required = schema["required"].as_array()?;
        required
            .iter()
            .any(|name| name == first)
            .then_some(first.as_str())
    }

    fn form_by_head(&mut self, node: &Node, fields: &[(Key, Node)], forms: &[&'a Value], name: &str) {
        let heads: Vec<(&'a str, &'a Value)> = forms
            .iter()
            .filter_map(|form| Some((self.head(form)?, *form)))
            .collect();
        let present: Vec<&(&str, &Value)> = heads
            .iter()
            .filter(|(head, _)| node.get(head).is_some())
            .collect();
        match present[..] {
            [(head, form)] => self.fields(node, fields, self.resolve(form).schema, Some(head)),
            [] => {
                if let Some(form) = forms.iter().find(|form| self.head(form).is_none()) {
                    return self.fields(node, fields, self.resolve(form).schema, None);
                }
                let verbs: Vec<&str> = heads.iter().map(|(head, _)| *head).collect();
                let noun = name.to_lowercase();
                let Some((key, _)) = fields
                    .iter()
                    .find(|(key, _)| nearest(&key.name, &verbs).is_some())
                    .or(fields.first())
                else {
                    return self.flaw(node, format!("an empty {noun}"));
                };
                let what = told(&node.path, format!("unknown {noun} {}", quoted(&key.name)));
                let flaw = Flaw::new(key.place, what).nearest(&key.name, &verbs);
                self.flaws
                    .push(flaw.help(format!("a {noun} is {}", verbs.join(", "))));
            }
            [(first, _), (second, _), ..] => {
                let place = node.entry(second).map_or(node.place, |(key, _)| key.place);
                let what = told(&node.path, format!("two steps in one: {first} and {second}"));
                self.flaws
                    .push(Flaw::new(place, what).help("make them two items of the list"));
            }
        }
    }

    fn plain(&mut self, node: &Node, schema: &'a Value) {
        match &node.content {
            Content::Map(fields) => self.fields(node, fields, schema, None),
            Content::List(items) => {
                for item in items {
                    self.check(item, &schema["items"]);
                }
            }
            Content::Number(number) => {
                if let Some(what) = out_of_bounds(number, schema) {
                    self.flaw(node, what);
                }
            }
            Content::Text(text) if text.trim().is_empty() => self.flaw(node, "an empty text"),
            _ => {}
        }
    }

    /// Fields, of a form that `head` names.
    fn fields(&mut self, node: &Node, fields: &[(Key, Node)], schema: &'a Value, head: Option<&str>) {
        let properties = schema["properties"].as_object();
        // Fields that were meant by others: they are not missing as well.
        let mut meant: Vec<String> = Vec::new();
        let known = properties.into_iter().flat_map(|all| all.keys());
        for (key, value) in fields {
            if let Some(schema) = properties.and_then(|all| all.get(&key.name)) {
                self.check(value, schema);
            } else if schema["additionalProperties"] == false {
                let what = told(&node.path, format!("unknown field {}", quoted(&key.name)));
                // What is there already is not meant a second time.
                let free = known.clone().filter(|name| node.get(name).is_none());
                let near = nearest(&key.name, free);
                let flaw = Flaw::new(key.place, what).meant(near.as_deref());
                meant.extend(near);
                let all: Vec<&str> = known.clone().map(String::as_str).collect();
                self.flaws
                    .push(flaw.help(format!("the fields are {}", all.join(", "))));
            } else {
                self.check(value, &schema["additionalProperties"]);
            }
        }
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if node.get(name).is_none() && meant.iter().all(|meant| meant != name) {
                let head = head.and_then(|head| node.entry(head));
                let (place, path) = head.map_or((node.place, &node.path), |(key, value)| {
                    (
                        key.place,
                        if value.path.is_root() {
                            &node.path
                        } else {
                            &value.path
                        },
                    )
                });
                self.flaws
                    .push(Flaw::new(place, told(path, format!("missing {name}"))));
            }
        }
        for (one, other) in [("since", "from")] {
            if let (Some(_), Some((key, _))) = (node.get(one), node.entry(other)) {
                let what = format!("\"{other}\" and \"{one}\" are the same: write one of them");
                self.flaws.push(Flaw::new(key.place, told(&node.path, what)));
            }
        }
    }
}

fn is(node: &Node, kind: &str) -> bool {
    match &node.content {
        Content::Null => kind == "null",
        Content::Bool(_) => kind == "boolean",
        Content::Number(number) => kind == "number" || (kind == "integer" && !number.is_f64()),
        Content::Text(_) => kind == "string",
        Content::List(_) => kind == "array",
        Content::Map(_) => kind == "object",
    }
}

fn in_words(kind: &str) -> &'static str {
    match kind {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        _ => "fields",
    }
}

/// What is wrong with a value that has a grammar of its own.
fn grammar(name: &str, node: &Node) -> Option<String> {
    let text = node.scalar()?;
    match name {
        "Span" => text.parse::<Span>().err(),
        "Range" => text.parse::<Range>().err(),
        "Count" => text.parse::<Count>().err(),
        "WorkloadRef" => text.parse::<WorkloadRef>().err(),
        "Quantity" if thousandths(&text).is_none() => {
            Some(format!("{} is no quantity: write 8, 500m or 32Gi", quoted(&text)))
        }
        _ => None,
    }
}

fn out_of_bounds(number: &serde_json::Number, schema: &Value) -> Option<String> {
    let (least, most) = match schema["format"].as_str() {
        Some("uint32") => (0, u64::from(u32::MAX)),
        Some("uint" | "uint64") => (0, u64::MAX),
        Some("int64") => (i64::MIN, i64::MAX as u64),
        _ => return None,
    };
    let fits = match (number.as_u64(), number.as_i64()) {
        (Some(whole), _) => whole <= most,
        (None, Some(negative)) => negative >= least,
        (None, None) => false,
    };
    (!fits).then(|| format!("{number} is out of bounds"))
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod tests;
