//! The table of merge rules against what the API server publishes.

use std::collections::HashSet;

use kube::Client;
use kube::core::Request;
use kube::core::params::GetParams;
use kubeclash::inject::merge_keys::{Rule, is_built_in, rule};
use serde_json::{Map, Value};

/// Walks every kind of every served version through its `OpenAPI` schema, and compares each field's
/// `x-kubernetes-patch-strategy` and `-merge-key` with the table.
pub(crate) async fn the_merge_rules_are_those_of_the_api_server(client: &Client) {
    let index = get(client, "openapi", "v3").await;
    let mut wrong = Vec::new();
    let mut kinds = 0;
    for path in index["paths"].as_object().expect("an index").keys() {
        let Some(api_version) = path.strip_prefix("apis/").or_else(|| path.strip_prefix("api/")) else {
            continue;
        };
        if api_version != "v1" && !api_version.contains('/') {
            continue;
        }
        let (above, last) = path.rsplit_once('/').expect("at least a prefix and a version");
        let document = get(client, &format!("openapi/v3/{above}"), last).await;
        for (kind, strategic) in patched_kinds(&document) {
            if strategic != is_built_in(api_version) {
                wrong.push(format!(
                    "{api_version} {kind} takes strategic merge patches: {strategic}"
                ));
            }
            let schemas = document["components"]["schemas"].as_object().expect("schemas");
            let schema = schemas.values().find(|schema| {
                let names = schema["x-kubernetes-group-version-kind"].as_array();
                names.into_iter().flatten().any(|name| {
                    let group = name["group"].as_str().unwrap_or_default();
                    let version = name["version"].as_str().unwrap_or_default();
                    let written = if group.is_empty() {
                        version.to_owned()
                    } else {
                        format!("{group}/{version}")
                    };
                    name["kind"] == kind && written == api_version
                })
            });
            if let (Some(schema), true) = (schema, strategic) {
                kinds += 1;
                let mut walk = Walk {
                    schemas,
                    seen: HashSet::new(),
                    wrong: &mut wrong,
                };
                walk.fields(&kind, schema, &format!("{api_version} {kind}"), true);
            }
        }
    }
    assert!(kinds > 40, "only {kinds} kinds were found");
    assert_eq!(wrong, Vec::<String>::new());
}

async fn get(client: &Client, above: &str, last: &str) -> Value {
    let request = Request::new(format!("/{above}"))
        .get(last, &GetParams::default())
        .expect("a path");
    client
        .request(request)
        .await
        .expect("the API server publishes its schema")
}

/// The kinds that can be patched, and whether strategically.
fn patched_kinds(document: &Value) -> Vec<(String, bool)> {
    let paths = document["paths"].as_object().expect("paths");
    let whole = paths.iter().filter(|(path, _)| path.ends_with("/{name}"));
    let patches = whole.filter_map(|(_, operations)| operations.get("patch"));
    patches
        .filter_map(|patch| {
            let kind = patch["x-kubernetes-group-version-kind"]["kind"].as_str()?;
            let content = patch["requestBody"]["content"].as_object()?;
            Some((
                kind.to_owned(),
                content.contains_key("application/strategic-merge-patch+json"),
            ))
        })
        .collect()
}

struct Walk<'a> {
    schemas: &'a Map<String, Value>,
    seen: HashSet<(String, String)>,
    wrong: &'a mut Vec<String>,
}

impl Walk<'_> {
    fn fields(&mut self, of: &str, schema: &Value, path: &str, root: bool) {
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            // The API server drops the status from what a user applies.
            if root && field == "status" {
                continue;
            }
            let path = format!("{path}.{field}");
            let ours = rule(of, field);
            let published = published(property);
            let same = match (ours, published) {
                (Rule::Plain(_), ("", _)) | (Rule::Replace, ("replace", _)) => true,
                (Rule::Union(_), ("retainKeys", _)) | (Rule::Set, ("merge", "")) => true,
                (
                    Rule::Keyed {
                        key, union: false, ..
                    },
                    ("merge", theirs),
                ) => key == theirs,
                (Rule::Keyed { key, union: true, .. }, ("merge,retainKeys", theirs)) => key == theirs,
                _ => false,
            };
            if !same {
                self.wrong.push(format!(
                    "{path}: the table has {ours:?}, the API server {published:?}"
                ));
            }
            let inner = match ours {
                Rule::Plain(inner) | Rule::Union(inner) => inner,
                Rule::Keyed { element, .. } => element,
                // Replaced as a whole: what is inside never merges.
                Rule::Replace | Rule::Set => continue,
            };
            // A list without a rule is replaced as a whole, too.
            if property["type"] == "array" && matches!(ours, Rule::Plain(_)) {
                continue;
            }
            let property = if property["type"] == "array" {
                &property["items"]
            } else {
                property
            };
            let reference = property.get("$ref").or_else(|| property.pointer("/allOf/0/$ref"));
            let Some(name) = reference
                .and_then(Value::as_str)
                .and_then(|path| path.rsplit('/').next())
            else {
                continue;
            };
            if self.seen.insert((inner.to_owned(), name.to_owned())) {
                let schema = self.schemas[name].clone();
                self.fields(inner, &schema, &path, false);
            }
        }
    }
}

/// Strategy and key of a property.
fn published(property: &Value) -> (&str, &str) {
    let text = |name: &str| property[name].as_str().unwrap_or_default();
    (
        text("x-kubernetes-patch-strategy"),
        text("x-kubernetes-patch-merge-key"),
    )
}
