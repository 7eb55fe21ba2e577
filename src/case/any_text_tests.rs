//! Whatever a folder has in it: reading it never panics, and every mistake has a place inside its file.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

/// Reads a folder and looks at every mistake.
fn read(files: BTreeMap<String, String>) -> Result<(), TestCaseError> {
    let texts = files.clone();
    let Err(error) = Case::of("x1", Files::of(files)) else {
        return Ok(());
    };
    prop_assert!(!error.mistakes.is_empty());
    for mistake in &error.mistakes {
        let text = texts.get(&mistake.file).map_or("", String::as_str);
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let lines: Vec<&str> = text.split('\n').collect();
        prop_assert!(
            mistake.line >= 1 && mistake.line <= lines.len(),
            "{mistake:?} in {text:?}"
        );
        let width = lines[mistake.line - 1].chars().count();
        prop_assert!(
            mistake.column >= 1 && mistake.column <= width + 1,
            "{mistake:?} in {text:?}"
        );
        prop_assert!(
            !mistake.what.is_empty() && mistake.what.len() < 4_096,
            "{mistake:?}"
        );
        // What the schema takes, the types take.
        prop_assert!(!mistake.what.contains("this is no case"), "{mistake:?} in {text}");
    }
    Ok(())
}

fn template() -> BTreeMap<String, String> {
    let files = template::files("x1").into_iter();
    files.map(|(name, text)| (name.to_owned(), text)).collect()
}

/// Every word of the schema: fields, and what they may say.
fn vocabulary() -> Vec<String> {
    fn words(schema: &Value, found: &mut BTreeSet<String>) {
        match schema {
            Value::Object(fields) => {
                for (name, inner) in fields {
                    match (name.as_str(), inner) {
                        ("properties", Value::Object(properties)) => found.extend(properties.keys().cloned()),
                        ("const", Value::String(word)) => drop(found.insert(word.clone())),
                        _ => {}
                    }
                    words(inner, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|inner| words(inner, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    words(&schema::STRICT, &mut found);
    let more = [
        "$first",
        "$none",
        "${first}",
        "nothing",
        "<<",
        "deployment/web",
        "hpa/web",
        "kind-worker",
        "10-web.yaml",
        "../x",
        "60s",
        "3",
        ">= 3",
        "3 rounds",
        "a=b:NoExecute",
        "the drained node",
        "ä\u{feff}",
        "",
        "500m",
    ];
    found.extend(more.map(str::to_owned));
    found.into_iter().collect()
}

fn value() -> impl Strategy<Value = Value> {
    let word = proptest::sample::select(vocabulary());
    let leaf = prop_oneof![
        6 => word.clone().prop_map(Value::from),
        2 => any::<i64>().prop_map(Value::from),
        1 => (0_i64..9).prop_map(Value::from),
        1 => any::<f64>().prop_map(|number| json!(number)),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(5, 48, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((word.clone(), inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A change of a text as a slip of the pen makes it.
#[derive(Debug, Clone)]
enum Slip {
    Cut(usize),
    Double(usize),
    Indent(usize),
    Word(usize, String),
    Char(usize, char),
}

fn slip() -> impl Strategy<Value = Slip> {
    let at = any::<usize>();
    prop_oneof![
        at.prop_map(Slip::Cut),
        at.prop_map(Slip::Double),
        at.prop_map(Slip::Indent),
        (at, proptest::sample::select(vocabulary())).prop_map(|(at, word)| Slip::Word(at, word)),
        (at, any::<char>()).prop_map(|(at, char)| Slip::Char(at, char)),
    ]
}

fn slipped(text: &str, slip: &Slip) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let count = lines.len().max(1);
    let line = |at: usize| at % count;
    match slip {
        Slip::Cut(at) => drop(lines.drain(line(*at)..=line(*at))),
        Slip::Double(at) => lines.insert(line(*at), lines[line(*at)].clone()),
        Slip::Indent(at) => lines[line(*at)].insert_str(0, "  "),
        Slip::Word(at, word) => {
            let line = &mut lines[line(*at)];
            let from = line.rfind([' ', '{', '[']).map_or(0, |at| at + 1);
            line.replace_range(from.., word);
        }
        Slip::Char(at, char) => {
            let mut chars: Vec<char> = text.chars().collect();
            let place = at % (chars.len() + 1);
            chars.insert(place, *char);
            return chars.into_iter().collect();
        }
    }
    lines.join("\n") + "\n"
}

/// Few cases, as each reads a folder twice; as many as `PROPTEST_CASES` says where somebody has the time.
fn config() -> ProptestConfig {
    if std::env::var_os("PROPTEST_CASES").is_some() {
        ProptestConfig::default()
    } else {
        ProptestConfig::with_cases(64)
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_text_is_read(text in any::<String>(), name in prop_oneof![Just("case.yaml"), Just("10-web.yaml"), Just("20-hpa.yaml")]) {
        let mut files = template();
        files.insert(name.to_owned(), text);
        read(files)?;
    }

    #[test]
    fn any_text_of_yamls_own_characters_is_read(text in r#"[-?:,\[\]{}#&*!|>'"%@`<a0 \n$~.]{0,80}"#) {
        read(BTreeMap::from([("case.yaml".to_owned(), text)]))?;
    }

    #[test]
    fn any_tree_of_the_schemas_words_is_read(tree in value(), field in proptest::sample::select(vocabulary())) {
        let mut case: Value = serde_json::from_value(tree::document(&template()["case.yaml"]).0.unwrap().json()).unwrap();
        case[field] = tree;
        let mut files = template();
        files.insert("case.yaml".to_owned(), case.to_string());
        read(files)?;
    }

    #[test]
    fn any_step_of_the_schemas_words_is_read(steps in proptest::collection::vec(value(), 0..3), claim in value()) {
        let mut case: Value = serde_json::from_value(tree::document(&template()["case.yaml"]).0.unwrap().json()).unwrap();
        case["steps"].as_array_mut().unwrap().extend(steps);
        if let (Value::Object(claim), Value::Object(more)) = (&mut case["failure"], claim) {
            claim.extend(more);
        }
        let mut files = template();
        files.insert("case.yaml".to_owned(), kubeclash_host::yaml::text(&case));
        read(files)?;
    }

    #[test]
    fn slips_of_the_pen_are_told(slips in proptest::collection::vec(slip(), 1..6), file in 0_usize..4) {
        let mut files = template();
        let name = files.keys().nth(file).unwrap().clone();
        let text = slips.iter().fold(files[&name].clone(), |text, slip| slipped(&text, slip));
        files.insert(name, text);
        read(files)?;
    }
}
