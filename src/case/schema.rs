//! The JSON Schema of `case.yaml`, made from the types of [`format`](mod@super::format).
//!
//! There are two of it: the one that is published (`schemas/case.v1.json`), in which `$name` may stand in place of any field, for
//! editors; and the strict one, which is what a case is checked against when the values of an arm are put in.

use once_cell::sync::Lazy;
use serde_json::{Map, Value, json};

use super::format::CaseFile;

/// Where the schema is published.
const ID: &str = "https://kubeclash.dev/schemas/case.v1.json";
/// The fields of a case in which values may stand.
pub(super) const WITH_VALUES: [&str; 8] = [
    "cluster",
    "controllers",
    "steps",
    "failure",
    "expect",
    "premises",
    "facts",
    "vary",
];

/// The strict schema.
pub(super) static STRICT: Lazy<Value> = Lazy::new(|| {
    let mut schema = schemars::schema_for!(CaseFile).to_value();
    each_schema(&mut schema, &mut tidy);
    with_aliases(&mut schema);
    schema
});

/// The schema as it is published: with `$name` in place of any field, for completion in editors.
#[must_use]
pub fn schema() -> Value {
    let mut schema = STRICT.clone();
    let root = schema.as_object_mut().expect("a schema of fields is an object");
    for name in WITH_VALUES {
        if let Some(property) = root.get_mut("properties").and_then(|all| all.get_mut(name)) {
            with_values(property);
            or_value(property);
        }
    }
    for (name, definition) in root
        .get_mut("$defs")
        .and_then(Value::as_object_mut)
        .into_iter()
        .flatten()
    {
        if !["ArmsFile", "Format"].contains(&name.as_str()) {
            with_values(definition);
        }
    }
    if let Some(definitions) = root.get_mut("$defs").and_then(Value::as_object_mut) {
        let value = json!({
            "description": "The value of this name, of the arm or the variant.",
            "type": "string",
            "pattern": "^\\$[a-z][a-z0-9-]*$",
        });
        definitions.insert("ValueName".to_owned(), value);
    }
    let mut published = Map::new();
    published.insert("$schema".to_owned(), root.remove("$schema").unwrap_or_default());
    published.insert("$id".to_owned(), json!(ID));
    root.remove("title");
    published.insert("title".to_owned(), json!("A case of kubeclash"));
    published.append(root);
    Value::Object(published)
}

/// The published schema as the text of its file.
#[must_use]
pub fn text() -> String {
    let text = serde_json::to_string_pretty(&schema()).expect("a JSON value is always JSON");
    text + "\n"
}

/// Visits a schema and all that are in it, the inner ones first.
fn each_schema(schema: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    for (word, inner) in object.iter_mut() {
        match word.as_str() {
            "properties" | "$defs" => {
                for (_, schema) in inner.as_object_mut().into_iter().flatten() {
                    each_schema(schema, visit);
                }
            }
            "items" | "additionalProperties" => each_schema(inner, visit),
            "anyOf" | "oneOf" => {
                for schema in inner.as_array_mut().into_iter().flatten() {
                    each_schema(schema, visit);
                }
            }
            _ => {}
        }
    }
    visit(object);
}

/// Takes `null` away (who has nothing to say leaves the field out), and closes objects.
fn tidy(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|word| word != "null");
        if let [one] = &types[..] {
            let one = one.clone();
            schema.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(branches)) = schema.get_mut("anyOf") {
        branches.retain(|branch| branch["type"] != "null");
        if let [Value::Object(one)] = &branches[..] {
            let one = one.clone();
            schema.remove("anyOf");
            for (word, value) in one {
                schema.entry(word).or_insert(value);
            }
        }
    }
    if schema.contains_key("properties") && !schema.contains_key("additionalProperties") {
        schema.insert("additionalProperties".to_owned(), json!(false));
    }
    if let Some(Value::String(text)) = schema.get_mut("description") {
        let paragraphs = text.split("\n\n").map(|p| {
            if p.contains('|') {
                p.to_owned()
            } else {
                p.replace('\n', " ")
            }
        });
        *text = paragraphs.collect::<Vec<_>>().join("\n\n");
    }
}

/// `from` is another word for `since`, which the types know and schemars does not.
fn with_aliases(schema: &mut Value) {
    for definition in ["Claim", "Premise", "Fact"] {
        let Some(properties) = schema["$defs"][definition]["properties"].as_object_mut() else {
            continue;
        };
        let Some(mut since) = properties.get("since").cloned() else {
            continue;
        };
        since["description"] = json!("The same as `since`.");
        properties.insert("from".to_owned(), since);
    }
}

/// Lets a value stand in place of each field and item of a schema.
fn with_values(schema: &mut Value) {
    each_schema(schema, &mut |object| {
        for (_, property) in object
            .get_mut("properties")
            .and_then(Value::as_object_mut)
            .into_iter()
            .flatten()
        {
            or_value(property);
        }
        for word in ["items", "additionalProperties"] {
            if let Some(inner) = object.get_mut(word) {
                or_value(inner);
            }
        }
    });
}

fn or_value(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    let plain_text = object.get("type") == Some(&json!("string")) && !object.contains_key("pattern");
    let anything = ["type", "$ref", "anyOf", "oneOf"]
        .iter()
        .all(|word| !object.contains_key(*word));
    if plain_text || anything {
        return;
    }
    let mut wrapped = Map::new();
    if let Some(description) = object.remove("description") {
        wrapped.insert("description".to_owned(), description);
    }
    let own = Value::Object(std::mem::take(object));
    wrapped.insert("anyOf".to_owned(), json!([own, {"$ref": "#/$defs/ValueName"}]));
    *object = wrapped;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_that_of_the_types() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/case.v1.json");
        let published = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            published == text(),
            "schemas/case.v1.json is old: cargo run -- case schema > schemas/case.v1.json"
        );
    }

    #[test]
    fn a_value_may_stand_in_place_of_a_field_and_not_of_a_title() {
        let schema = schema();
        let within = &schema["$defs"]["WaitStep"]["properties"]["within"];
        assert_eq!(within["anyOf"][1]["$ref"], "#/$defs/ValueName");
        assert_eq!(schema["properties"]["title"]["type"], "string");
        assert_eq!(
            schema["properties"]["steps"]["anyOf"][0]["items"]["anyOf"][1]["$ref"],
            "#/$defs/ValueName"
        );
        assert!(schema["properties"]["expected-runtime"].get("anyOf").is_none());
    }

    #[test]
    fn every_object_of_the_schema_is_closed_and_nothing_is_null() {
        let mut schema = STRICT.clone();
        each_schema(&mut schema, &mut |object| {
            if object.contains_key("properties") {
                assert_eq!(object["additionalProperties"], false, "{object:?}");
            }
            assert_ne!(object.get("type"), Some(&json!("null")), "{object:?}");
        });
    }
}
