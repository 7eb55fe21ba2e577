//! The identity card of an experiment that is written in Rust: `manifests/<case>/card.yaml`.

use std::time::Duration;

use serde_json::{Map, Value};

use kubeclash_host::yaml;
use kubeclash_timeline::Shape;

/// Who a case is: what its `card.yaml` says, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The folder's name, `<id>_<what goes wrong>`.
    pub folder: &'static str,
    /// Short id, e.g. `c7`.
    pub id: String,
    /// One sentence: what goes wrong.
    pub title: String,
    /// The controllers that fight.
    pub conflict: Vec<String>,
    /// Why they do.
    pub mechanism: String,
    /// What the control arm changes.
    pub control: String,
    /// Issues of the projects concerned, as `owner/repo#number`.
    pub upstream: Vec<String>,
    /// How many workers.
    pub workers: usize,
    /// Allocatable CPU of each, in whole cores.
    pub worker_cpu: u32,
    /// How long the study's original script ran; bounds the case's timeout at the recorded pace.
    pub expected_runtime: Duration,
    /// How long the broken arm needs, at the recorded pace, to show its failure.
    pub needs: Duration,
    /// How long the study watched; the window of the broken arm at the recorded pace.
    pub observe: Duration,
}

/// Everything that is wrong with a `card.yaml`, each mistake with its file and, where it is known, its line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .mistakes.join("\n"))]
pub struct CardError {
    /// One sentence a mistake, `file:line: what`.
    pub mistakes: Vec<String>,
}

impl Card {
    /// Reads a card.
    ///
    /// # Errors
    /// All mistakes together: unknown and missing fields, values of another type, an id that is not the folder's.
    pub fn parse(folder: &'static str, text: &str) -> Result<Self, CardError> {
        let file = format!("{folder}/card.yaml");
        let map = match yaml::value(text) {
            Ok(Value::Object(map)) => map,
            Ok(_) => {
                return Err(CardError {
                    mistakes: vec![format!("{file}: not a mapping of fields")],
                });
            }
            Err(e) => {
                let line = e.line.map_or(String::new(), |l| format!(":{l}"));
                return Err(CardError {
                    mistakes: vec![format!("{file}{line}: {e}")],
                });
            }
        };
        let mut fields = Fields {
            file,
            text,
            map,
            mistakes: Vec::new(),
            known: Vec::new(),
        };
        let card = Self {
            folder,
            id: fields.string("id"),
            title: fields.string("title"),
            conflict: fields.strings("conflict"),
            mechanism: fields.string("mechanism"),
            control: fields.string("control"),
            upstream: fields.strings("upstream"),
            workers: fields.whole("workers", 1..=5_000) as usize,
            worker_cpu: fields.whole("worker_cpu", 1..=1_024) as u32,
            expected_runtime: Duration::from_secs(fields.whole("expected_runtime_s", 1..=86_400)),
            needs: Duration::from_secs(fields.whole("needs_s", 1..=86_400)),
            observe: Duration::from_secs(fields.whole("observe_s", 1..=86_400)),
        };
        fields.unknown();
        if !card.id.is_empty() && !folder.starts_with(&format!("{}_", card.id)) {
            fields.mistake(
                "id",
                format!("\"{}\" is not the beginning of the folder's name", card.id),
            );
        }
        if fields.mistakes.is_empty() {
            Ok(card)
        } else {
            Err(CardError {
                mistakes: fields.mistakes,
            })
        }
    }

    /// What goes wrong, as the folder says it: `taint_recreate_loop`.
    #[must_use]
    pub fn slug(&self) -> &str {
        self.folder.split_once('_').map_or(self.folder, |(_, slug)| slug)
    }

    /// The nodes that it needs.
    #[must_use]
    pub fn shape(&self) -> Shape {
        Shape {
            workers: self.workers,
            worker_cpu: self.worker_cpu,
        }
    }
}

/// Takes fields one by one and keeps the mistakes.
struct Fields<'a> {
    file: String,
    text: &'a str,
    map: Map<String, Value>,
    mistakes: Vec<String>,
    known: Vec<&'static str>,
}

impl Fields<'_> {
    fn line(&self, key: &str) -> String {
        let at = self
            .text
            .lines()
            .position(|l| l.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
        at.map_or(String::new(), |at| format!(":{}", at + 1))
    }

    fn mistake(&mut self, key: &str, what: impl std::fmt::Display) {
        self.mistakes
            .push(format!("{}{}: {key}: {what}", self.file, self.line(key)));
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        let value = self.map.get(key).cloned();
        if value.is_none() {
            self.mistake(key, "missing");
        }
        value
    }

    fn string(&mut self, key: &'static str) -> String {
        match self.take(key) {
            Some(Value::String(s)) if !s.trim().is_empty() => s.trim().to_owned(),
            Some(other) => {
                self.mistake(key, format!("expected text, found {other}"));
                String::new()
            }
            None => String::new(),
        }
    }

    fn strings(&mut self, key: &'static str) -> Vec<String> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        let texts = value
            .as_array()
            .and_then(|list| list.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        if let Some(texts) = texts {
            return texts.into_iter().map(str::to_owned).collect();
        }
        self.mistake(key, format!("expected a list of texts, found {value}"));
        Vec::new()
    }

    fn whole(&mut self, key: &'static str, range: std::ops::RangeInclusive<u64>) -> u64 {
        match self.take(key).map(|v| (v.as_u64(), v)) {
            Some((Some(n), _)) if range.contains(&n) => n,
            Some((_, other)) => {
                let (from, to) = range.into_inner();
                self.mistake(
                    key,
                    format!("expected a whole number from {from} to {to}, found {other}"),
                );
                0
            }
            None => 0,
        }
    }

    fn unknown(&mut self) {
        let unknown: Vec<String> = self
            .map
            .keys()
            .filter(|k| !self.known.contains(&k.as_str()))
            .cloned()
            .collect();
        for key in unknown {
            self.mistake(&key, "unknown field");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "id: c9\ntitle: t\nconflict: [a, b]\nmechanism: m\ncontrol: c\nupstream: []\nworkers: 3\n\
                        worker_cpu: 8\nexpected_runtime_s: 64\nneeds_s: 5\nobserve_s: 31\n";

    #[test]
    fn a_good_card_is_read() {
        let card = Card::parse("c9_some_loop", GOOD).unwrap();
        assert_eq!(card.slug(), "some_loop");
        assert_eq!(card.needs, Duration::from_secs(5));
    }

    #[test]
    fn all_mistakes_are_shown_together_with_their_lines() {
        let text = GOOD
            .replace("workers: 3", "workers: many")
            .replace("title: t\n", "")
            + "colour: red\n";
        let error = Card::parse("c8_some_loop", &text).unwrap_err();
        assert_eq!(
            error.mistakes,
            [
                "c8_some_loop/card.yaml: title: missing",
                "c8_some_loop/card.yaml:6: workers: expected a whole number from 1 to 5000, found \"many\"",
                "c8_some_loop/card.yaml:11: colour: unknown field",
                "c8_some_loop/card.yaml:1: id: \"c9\" is not the beginning of the folder's name",
            ]
        );
    }
}
