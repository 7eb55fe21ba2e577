//! The one place that knows which YAML library is in use.
//!
//! `serde_yaml` is on the project's card and no longer maintained; nothing outside of this module names it, so
//! that it can be replaced in one.

mod path;

pub use path::{FieldPath, line_at};

use serde::Deserialize;
use serde_json::Value;

/// Everything that is wrong with manifests, each mistake with its file and line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .mistakes.join("\n"))]
pub struct ManifestError {
    /// One sentence a mistake, `file:line: what`.
    pub mistakes: Vec<String>,
}

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
    fn what_is_merged_is_written_out_and_gives_way_to_what_is_said() {
        let text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: [{<<: [{z: 4}, *a]}]\n";
        let found = merged(value(text).unwrap());
        assert_eq!(found["b"], serde_json::json!({"y": 3, "x": 1}));
        assert_eq!(found["c"][0], serde_json::json!({"z": 4, "x": 1, "y": 2}));
    }
}
