//! Lists that people write: expectations, figures, notes. Each item is a mapping, each mistake has its file and line.

use serde_json::{Map, Value};

use kubeclash_host::yaml;

/// One item of a list, whose fields are taken one by one.
#[derive(Debug, Clone)]
pub struct Item {
    file: String,
    /// The line at which it begins, counted from 1; `None` where the list is not written a line an item.
    pub line: Option<usize>,
    keys: Vec<(String, usize)>,
    map: Map<String, Value>,
}

/// The items of a list, and nothing for an empty file. What is no list or no mapping is put to the mistakes.
pub fn items(file: &str, text: &str, mistakes: &mut Vec<String>) -> Vec<Item> {
    let values = match yaml::value(text) {
        Ok(Value::Array(values)) => values,
        Ok(Value::Null) => Vec::new(),
        Ok(_) => {
            mistakes.push(format!("{file}: not a list, whose items begin with \"- \""));
            Vec::new()
        }
        Err(e) => {
            let line = e.line.map_or(String::new(), |l| format!(":{l}"));
            mistakes.push(format!("{file}{line}: {e}"));
            Vec::new()
        }
    };
    let starts = starts(text);
    let written = starts.len() == values.len();
    let mut items = Vec::new();
    for (at, value) in values.into_iter().enumerate() {
        let line = written.then(|| starts[at]);
        let end = starts.get(at + 1).copied();
        let item = |map| Item {
            file: file.to_owned(),
            line,
            keys: line.map_or_else(Vec::new, |line| keys(text, line, end)),
            map,
        };
        match value {
            Value::Object(map) => {
                let item = item(map);
                item.twice(mistakes);
                items.push(item);
            }
            _ => mistakes.push(format!("{}: not a mapping of fields", item(Map::new()).place())),
        }
    }
    items
}

/// Where each item begins, in a list that is written a line an item: the dashes that stand as far left as the first.
fn starts(text: &str) -> Vec<usize> {
    let dashes: Vec<(usize, usize)> = (1..)
        .zip(text.lines())
        .filter(|(_, line)| line.trim_start() == "-" || line.trim_start().starts_with("- "))
        .map(|(number, line)| (number, indent(line)))
        .collect();
    let left = dashes.first().map_or(0, |(_, indent)| *indent);
    dashes
        .into_iter()
        .filter(|(_, indent)| *indent == left)
        .map(|(number, _)| number)
        .collect()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The fields of an item, each with its line: what stands as far left as its first.
fn keys(text: &str, start: usize, end: Option<usize>) -> Vec<(String, usize)> {
    let lines = (1..).zip(text.lines()).skip(start - 1);
    let mut column = None;
    let mut keys = Vec::new();
    for (number, line) in lines.take_while(|(number, _)| end.is_none_or(|end| *number < end)) {
        // The dash is part of the first field's indent.
        let line = if number == start {
            line.replacen('-', " ", 1)
        } else {
            line.to_owned()
        };
        let bare = line.trim_start();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        let column = *column.get_or_insert(indent(&line));
        if indent(&line) == column
            && let Some((key, _)) = bare.split_once(':')
        {
            keys.push((key.trim().trim_matches(['"', '\'']).to_owned(), number));
        }
    }
    keys
}

impl Item {
    /// `file:line`, as far as it is known.
    #[must_use]
    pub fn place(&self) -> String {
        self.line
            .map_or_else(|| self.file.clone(), |line| format!("{}:{line}", self.file))
    }

    /// The line of a field, where it has one of its own.
    #[must_use]
    pub fn line_of(&self, key: &str) -> Option<usize> {
        let found = self.keys.iter().find(|(known, _)| known == key);
        found.map(|(_, line)| *line)
    }

    /// What is wrong with a field, with its place.
    #[must_use]
    pub fn mistake(&self, key: &str, what: impl std::fmt::Display) -> String {
        let line = self
            .line_of(key)
            .or(self.line)
            .map_or_else(String::new, |line| format!(":{line}"));
        format!("{}{line}: {key}: {what}", self.file)
    }

    /// A field that is written twice has one value that nobody meant.
    fn twice(&self, mistakes: &mut Vec<String>) {
        for (at, (key, line)) in self.keys.iter().enumerate() {
            if self.keys[..at].iter().any(|(before, _)| before == key) {
                mistakes.push(format!("{}:{line}: {key}: given twice", self.file));
            }
        }
    }

    /// A field, whatever it is.
    pub fn take(&mut self, key: &str) -> Option<Value> {
        self.map.shift_remove(key)
    }

    /// A field that may be missing, and is text where it is not.
    pub fn text(&mut self, key: &str, mistakes: &mut Vec<String>) -> Option<String> {
        match self.take(key)? {
            Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            other => {
                mistakes.push(self.mistake(key, format!("expected text, found {other}")));
                None
            }
        }
    }

    /// A text that must be there; an empty one where it is not.
    pub fn needed(&mut self, key: &str, mistakes: &mut Vec<String>) -> String {
        if !self.map.contains_key(key) {
            mistakes.push(self.mistake(key, "missing"));
        }
        self.text(key, mistakes).unwrap_or_default()
    }

    /// A number that may be missing.
    pub fn number(&mut self, key: &str, mistakes: &mut Vec<String>) -> Option<f64> {
        match self.take(key)? {
            Value::Number(number) => number.as_f64(),
            other => {
                mistakes.push(self.mistake(key, format!("expected a number, found {other}")));
                Some(0.0)
            }
        }
    }

    /// That no field is left which nobody asked for.
    pub fn end(self, mistakes: &mut Vec<String>) {
        for key in self.map.keys() {
            mistakes.push(self.mistake(key, "unknown field"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Item>, Vec<String>) {
        let mut mistakes = Vec::new();
        let items = items("f.yaml", text, &mut mistakes);
        (items, mistakes)
    }

    #[test]
    fn each_field_knows_its_line() {
        let text = "# list\n  - a: 1\n    # said of b\n    b: >-\n      c: no field\n      - no item\n\n  -\n    \"b\": 3\n";
        let (items, mistakes) = read(text);
        assert_eq!(mistakes, Vec::<String>::new());
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].mistake("b", "wrong"), "f.yaml:4: b: wrong");
        assert_eq!(items[0].line_of("c"), None);
        assert_eq!(items[1].mistake("b", "wrong"), "f.yaml:9: b: wrong");
        assert_eq!(items[1].place(), "f.yaml:8");
    }

    #[test]
    fn what_is_no_list_of_mappings_is_told() {
        assert!(read("").0.is_empty() && read("# nothing\n").1.is_empty());
        assert_eq!(
            read("a: 1\n").1,
            ["f.yaml: not a list, whose items begin with \"- \""]
        );
        assert_eq!(read("- a: 1\n- 2\n").1, ["f.yaml:2: not a mapping of fields"]);
        assert!(
            read("- a: [\n").1[0].starts_with("f.yaml:2: "),
            "{:?}",
            read("- a: [\n").1
        );
        // Whoever writes it in one line gets no line.
        assert_eq!(
            read("[{a: 1}, {a: 2}, 3]\n").1,
            ["f.yaml: not a mapping of fields"]
        );
    }

    #[test]
    fn what_is_missing_too_much_or_of_another_kind_is_told() {
        let (mut items, mut mistakes) = read("- a: 1\n  b: 2\n  a: x\n  n: many\n");
        let mut item = items.remove(0);
        assert_eq!(item.needed("c", &mut mistakes), "");
        assert_eq!(item.text("b", &mut mistakes), None);
        assert_eq!(item.number("n", &mut mistakes), Some(0.0));
        item.end(&mut mistakes);
        assert_eq!(
            mistakes,
            [
                "f.yaml:3: a: given twice",
                "f.yaml:1: c: missing",
                "f.yaml:2: b: expected text, found 2",
                "f.yaml:4: n: expected a number, found \"many\"",
                "f.yaml:1: a: unknown field",
            ]
        );
    }
}
