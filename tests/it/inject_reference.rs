//! A strategic merge patch applied the slow and obvious way: the yardstick for the patches that are written.
//!
//! Follows the API server's rules (`pkg/util/strategicpatch/patch.go` in `k8s.io/apimachinery`) as far as a
//! three-way merge uses them: nulls, `$patch: delete`, `$retainKeys`, `$deleteFromPrimitiveList` and
//! `$setElementOrder`.

use kubeclash::inject::merge_keys::{Rule, rule};
use serde_json::{Map, Value};

/// `live` with `patch` applied; both are of type `of`.
pub(crate) fn strategic(of: &str, live: &Value, patch: &Value) -> Value {
    let mut live = live.as_object().cloned().unwrap_or_default();
    let patch = patch.as_object().expect("a patch is a map");
    if let Some(kept) = patch.get("$retainKeys").and_then(Value::as_array) {
        live.retain(|key, _| kept.iter().any(|kept| kept == key));
    }
    for (field, change) in patch {
        if let Some(list) = field.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = change.as_array().expect("a list");
            live.get_mut(list)
                .and_then(Value::as_array_mut)
                .into_iter()
                .for_each(|list| {
                    list.retain(|value| !gone.contains(value));
                });
        }
    }
    for (field, change) in patch.iter().filter(|(field, _)| !field.starts_with('$')) {
        let merged = match (rule(of, field), live.get(field), change) {
            (_, _, Value::Null) => {
                live.remove(field);
                continue;
            }
            (Rule::Plain(of) | Rule::Union(of), Some(Value::Object(old)), Value::Object(_)) => {
                strategic(of, &Value::Object(old.clone()), change)
            }
            (Rule::Keyed { key, element, .. }, old, Value::Array(changes)) => keyed(
                key,
                element,
                old.and_then(Value::as_array).cloned().unwrap_or_default(),
                changes,
            ),
            (Rule::Set, Some(Value::Array(old)), Value::Array(added)) => {
                let added = added.iter().filter(|value| !old.contains(value));
                Value::Array(old.iter().chain(added).cloned().collect())
            }
            _ => without_nulls(change),
        };
        live.insert(field.clone(), merged);
    }
    for (field, order) in patch {
        if let Some(list) = field.strip_prefix("$setElementOrder/") {
            let key = match rule(of, list) {
                Rule::Keyed { key, .. } => Some(key),
                _ => None,
            };
            let order = order.as_array().expect("a list");
            if let Some(Value::Array(list)) = live.get_mut(list) {
                set_order(list, order, key);
            }
        }
    }
    Value::Object(live)
}

fn keyed(key: &str, element: &str, mut live: Vec<Value>, changes: &[Value]) -> Value {
    for change in changes {
        let id = &change[key];
        let at = live.iter().position(|old| &old[key] == id);
        match (at, change.get("$patch").and_then(Value::as_str)) {
            (_, Some("delete")) => live.retain(|old| &old[key] != id),
            (_, Some(other)) => panic!("unknown directive {other:?}"),
            (Some(at), None) => live[at] = strategic(element, &live[at], change),
            (None, None) => live.push(strategic(element, &Value::Object(Map::new()), change)),
        }
    }
    Value::Array(live)
}

/// Puts the elements that `order` names into that order, at the places that they take together.
fn set_order(list: &mut [Value], order: &[Value], key: Option<&str>) {
    let same = |a: &Value, b: &Value| key.map_or(a == b, |key| a[key] == b[key]);
    let places: Vec<usize> = (0..list.len())
        .filter(|&at| order.iter().any(|named| same(named, &list[at])))
        .collect();
    let mut named: Vec<Value> = places.iter().map(|&at| list[at].clone()).collect();
    named.sort_by_key(|value| order.iter().position(|named| same(named, value)));
    for (at, value) in places.into_iter().zip(named) {
        list[at] = value;
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(_, v)| !v.is_null())
                .map(|(k, v)| (k.clone(), without_nulls(v)))
                .collect(),
        ),
        _ => value.clone(),
    }
}
