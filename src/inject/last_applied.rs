//! The annotation in which `kubectl apply` keeps what was applied last.
//!
//! Its text is Go's: `UnstructuredJSONScheme` in `k8s.io/apimachinery`
//! (`pkg/apis/meta/v1/unstructured/helpers.go`) ends in `json.NewEncoder(w).Encode(object)`, which sorts
//! keys, escapes what HTML could misread, and ends with a line break. The text is written exactly so
//! because it is a value like any other: an apply by us after one by kubectl must find nothing to do.

use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

/// The annotation's name.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// `manifest` with the annotation that describes it, as kubectl sends it.
///
/// `metadata.annotations` is part of the description even where the manifest has none, for kubectl has
/// made room for its own by then (`GetModifiedConfiguration` in `k8s.io/kubectl`, `pkg/util/apply.go`). An
/// annotation of this name in the manifest is dropped: it describes another time.
#[must_use]
pub fn annotated(manifest: &Value) -> Value {
    let mut object = manifest.clone();
    annotations(&mut object).remove(LAST_APPLIED);
    let text = go_json(&object);
    // Read back, so that the numbers are those that the text says: Go writes 1.0 as 1.
    let mut object = serde_json::from_str(&text).unwrap_or(object);
    annotations(&mut object).insert(LAST_APPLIED.to_owned(), Value::String(text));
    object
}

/// The content of the annotation, if `object` has one.
#[must_use]
pub fn text(object: &Value) -> Option<&str> {
    object
        .pointer("/metadata/annotations")?
        .get(LAST_APPLIED)?
        .as_str()
}

/// `metadata.annotations` of `object`, made where it is missing.
fn annotations(object: &mut Value) -> &mut Map<String, Value> {
    child(child(as_map(object), "metadata"), "annotations")
}

fn child<'a>(map: &'a mut Map<String, Value>, field: &str) -> &'a mut Map<String, Value> {
    as_map(map.entry(field).or_insert(Value::Null))
}

/// `value` as a map; what is none becomes an empty one, as a null does in Go.
fn as_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("was just made one")
}

/// `value` as JSON text, as Go's `json.Encoder` writes a map.
#[must_use]
pub fn go_json(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value);
    out.push('\n');
    out
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_string(out, text),
        Value::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(out, value);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_unstable_by_key(|(field, _)| *field);
            out.push('{');
            for (index, (field, value)) in fields.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(out, field);
                out.push(':');
                write_value(out, value);
            }
            out.push('}');
        }
    }
}

/// Go writes the shortest text that reads back the same, with an exponent below 1e-6 and from 1e21 on
/// (`floatEncoder` in Go's `encoding/json/encode.go`).
fn write_number(out: &mut String, number: &Number) {
    let float = match number.as_f64() {
        Some(float) if number.is_f64() => float,
        _ => return out.push_str(&number.to_string()),
    };
    let size = float.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        _ = write!(out, "{float}");
    } else {
        let text = format!("{float:e}");
        out.push_str(&if size >= 1e21 {
            text.replace('e', "e+")
        } else {
            text
        });
    }
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}
