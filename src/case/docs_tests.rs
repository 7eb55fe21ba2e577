//! What the documents say of cases is so.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;

/// The page that has every field.
const FORMAT: &str = "reference/case-format.md";

/// The page that builds a case in five steps.
const TUTORIAL: &str = "tutorial/own-case.md";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

fn fields(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            let properties = object.get("properties").and_then(Value::as_object);
            found.extend(properties.into_iter().flat_map(|all| all.keys().cloned()));
            object.values().for_each(|inner| fields(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| fields(inner, found)),
        _ => {}
    }
}

#[test]
fn every_field_of_the_format_is_in_the_reference() {
    let reference = std::fs::read_to_string(docs().join(FORMAT)).unwrap();
    // What stands between backquotes, word by word.
    let code = reference
        .split('`')
        .skip(1)
        .step_by(2)
        .collect::<Vec<_>>()
        .join(" ");
    let words: BTreeSet<&str> = code
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .collect();
    let mut all = BTreeSet::new();
    fields(&schema::STRICT, &mut all);
    assert!(all.len() > 80, "{all:?}");
    let missing: Vec<&String> = all.iter().filter(|name| !words.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "docs/{FORMAT} says nothing of {missing:?}");
}

#[test]
fn every_number_of_an_object_and_every_kind_is_in_the_reference() {
    let text = std::fs::read_to_string(docs().join(FORMAT)).unwrap();
    for object in [
        "deployment/web",
        "hpa/web",
        "pdb/web",
        "nodes",
        "node/kind-worker",
        "pods",
    ] {
        let numbers = kubeclash_timeline::Object::named(object).unwrap().numbers();
        let named = if object == "deployment/web" {
            "| a workload |".to_owned()
        } else {
            format!("| `{object}` | `")
        };
        let line = text
            .lines()
            .find(|line| line.starts_with(&named))
            .unwrap_or_else(|| panic!("no {object}"));
        for number in numbers {
            assert!(
                line.contains(&format!("`{number}`")),
                "docs/{FORMAT}: {object} {number}"
            );
        }
    }
    let kinds = schema::STRICT["$defs"]["Kind"]["oneOf"].as_array().unwrap();
    for kind in kinds.iter().filter_map(|kind| kind["const"].as_str()) {
        let property = serde_json::from_value::<kubeclash_timeline::property::Kind>(kind.into())
            .unwrap()
            .property();
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("| `{property}` |")))
            .unwrap();
        assert!(line.contains(&format!("`{kind}`")), "docs/{FORMAT}: {kind}");
    }
}

#[test]
fn every_case_of_the_documents_is_one_and_is_linked() {
    let text = [TUTORIAL, "how-to/own-controller.md"]
        .map(|page| std::fs::read_to_string(docs().join(page)).unwrap())
        .concat();
    let folders = std::fs::read_dir(docs().join("cases")).unwrap();
    for folder in folders.map(|entry| entry.unwrap().path()) {
        Case::read(&folder).unwrap_or_else(|error| panic!("{error}"));
        let name = folder.file_name().unwrap().to_string_lossy();
        assert!(
            text.contains(&format!("(../cases/{name}/case.yaml)")),
            "docs: no link to {name}"
        );
    }
}

#[test]
fn every_step_of_the_tutorial_is_a_case_and_shows_what_is_in_it() {
    let text = std::fs::read_to_string(docs().join(TUTORIAL)).unwrap();
    for step in 1..=5 {
        let folder = docs().join(format!("cases/step{step}"));
        Case::read(&folder).unwrap_or_else(|error| panic!("{error}"));
        let own = std::fs::read_to_string(folder.join("case.yaml")).unwrap();
        let own: BTreeSet<&str> = own
            .lines()
            .map(|line| line.split(" #").next().unwrap().trim())
            .collect();
        let link = format!("(../cases/step{step}/case.yaml)");
        let shown = text.split_once(&link).unwrap_or_else(|| panic!("no {link}")).1;
        let block = shown.split("```").nth(1).unwrap().trim_start_matches("yaml");
        for line in block.lines().map(str::trim).filter(|line| !line.is_empty()) {
            assert!(
                own.contains(line),
                "docs/{TUTORIAL}: {line:?} is not in step {step}"
            );
        }
    }
}
