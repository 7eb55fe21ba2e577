//! The three-way merge of `kubectl apply`, as a pure function.
//!
//! Three states of an object go in: what its owner applied *last*, what they apply *now*, and what is
//! *live*. What comes out is a patch:
//!
//! - what is in *last* and not in *now* is deleted, whatever the live value is;
//! - what is in *now* and differs from *live* is set;
//! - what is only in *live* belongs to somebody else and is left alone.
//!
//! The first rule is the mechanism of case C2. A Deployment was applied with `replicas: 3`, an autoscaler
//! raised it to 5, and the next manifest leaves `replicas` out: the patch says `"replicas": null`, and the
//! API server fills the hole with its default, 1.
//!
//! The rules are those of `CreateThreeWayMergePatch` in `k8s.io/apimachinery`
//! (`pkg/util/strategicpatch/patch.go`) for built-in types, and `CreateThreeWayJSONMergePatch`
//! (`pkg/util/jsonmergepatch/patch.go`) for custom resources. Those compute two patches, deletions and
//! changes, and merge them; here one walk over the three states yields both. The object that results is
//! the same; the bytes of the patch need not be.
//!
//! Talking to a cluster does not belong here; see [`apply`](super::apply).
//!
//! # Caveats
//!
//! A `PodDisruptionBudget` whose selector did not change yields no patch for it. kubectl sends such a
//! selector every time, and reports "configured" for ever; the object is the same.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::merge_keys::{Rule, rule};

/// Why no patch could be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// A state of the object is not a JSON object.
    #[error("the {state} state of the object is no map")]
    NotAMap {
        /// Which of the three: last applied, new or live.
        state: &'static str,
    },
    /// An element of a list that merges by key is no object, or lacks the key.
    #[error("an element of \"{list}\" has no \"{key}\", by which its elements are told apart")]
    NoMergeKey {
        /// Path of the list, such as `spec.template.spec.containers`.
        list: String,
        /// The merge key, such as `name`.
        key: &'static str,
    },
}

/// Which patch is written, and with it what an explicit `null` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// `application/strategic-merge-patch+json`.
    Strategic,
    /// `application/merge-patch+json`.
    Json,
}

/// The strategic merge patch that takes `live`, of a built-in `kind`, from `last` to `now`.
///
/// `last` is the content of the last-applied annotation, `None` if the object has none. `{}` comes back if
/// there is nothing to do.
///
/// # Errors
///
/// [`MergeError`] if one of the three is no map, or an element of a keyed list lacks its key.
pub fn strategic_patch(
    kind: &str,
    last: Option<&Value>,
    now: &Value,
    live: &Value,
) -> Result<Value, MergeError> {
    patch(Dialect::Strategic, kind, last, now, live)
}

/// The JSON merge patch (RFC 7386) that takes `live`, a custom resource, from `last` to `now`.
///
/// As [`strategic_patch`], but every list is one value.
///
/// # Errors
///
/// [`MergeError::NotAMap`] if one of the three is no map.
pub fn json_merge_patch(last: Option<&Value>, now: &Value, live: &Value) -> Result<Value, MergeError> {
    patch(Dialect::Json, "", last, now, live)
}

fn patch(
    dialect: Dialect,
    kind: &str,
    last: Option<&Value>,
    now: &Value,
    live: &Value,
) -> Result<Value, MergeError> {
    let map = |state, value: &'_ Value| match value {
        Value::Object(_) => Ok(()),
        _ => Err(MergeError::NotAMap { state }),
    };
    map("new", now)?;
    map("live", live)?;
    last.map_or(Ok(()), |last| map("last applied", last))?;
    let merge = Merge {
        dialect,
        path: String::new(),
    };
    let empty = Map::new();
    let (now, live) = (
        now.as_object().unwrap_or(&empty),
        live.as_object().unwrap_or(&empty),
    );
    Ok(Value::Object(merge.maps(
        kind,
        last.and_then(Value::as_object),
        now,
        live,
        false,
    )?))
}

/// Where the walk is.
struct Merge {
    dialect: Dialect,
    /// For messages.
    path: String,
}

impl Merge {
    fn at(&self, field: &str) -> Merge {
        let path = if self.path.is_empty() {
            field.to_owned()
        } else {
            format!("{}.{field}", self.path)
        };
        Merge {
            dialect: self.dialect,
            path,
        }
    }

    fn rule(&self, of: &str, field: &str) -> Rule {
        match self.dialect {
            Dialect::Strategic => rule(of, field),
            Dialect::Json => Rule::Plain(""),
        }
    }

    /// The patch of a map of type `of`. With `union`, keys that `now` does not name are to be cleared.
    fn maps(
        &self,
        of: &str,
        last: Option<&Map<String, Value>>,
        now: &Map<String, Value>,
        live: &Map<String, Value>,
        union: bool,
    ) -> Result<Map<String, Value>, MergeError> {
        let mut patch = Map::new();
        for (field, new) in now {
            let before = last.and_then(|last| last.get(field));
            // In a JSON merge patch, a null that was applied before is a deletion that was made before.
            if self.dialect == Dialect::Json && new.is_null() && before == Some(&Value::Null) {
                continue;
            }
            match live.get(field) {
                None => {
                    patch.insert(field.clone(), new.clone());
                }
                Some(old) => {
                    self.at(field)
                        .field(self.rule(of, field), field, before, new, old, &mut patch)?
                }
            }
        }
        for field in last
            .into_iter()
            .flat_map(Map::keys)
            .filter(|field| !now.contains_key(*field))
        {
            patch.insert(field.clone(), Value::Null);
        }
        if union {
            let mut kept: Vec<&str> = now
                .iter()
                .filter(|(_, v)| !v.is_null())
                .map(|(k, _)| k.as_str())
                .collect();
            let stale = live.iter().any(|(k, v)| !v.is_null() && !now.contains_key(k));
            if !kept.is_empty() && (stale || !patch.is_empty()) {
                kept.sort_unstable();
                patch.insert("$retainKeys".to_owned(), kept.into());
            }
        }
        Ok(patch)
    }

    /// Puts into `patch` what takes one field from `old`, its live value, to `new`.
    fn field(
        &self,
        rule: Rule,
        field: &str,
        before: Option<&Value>,
        new: &Value,
        old: &Value,
        patch: &mut Map<String, Value>,
    ) -> Result<(), MergeError> {
        let set = match (rule, new, old) {
            (Rule::Plain(of) | Rule::Union(of), Value::Object(now), Value::Object(live)) => {
                let union = matches!(rule, Rule::Union(_));
                let inner = self.maps(of, before.and_then(Value::as_object), now, live, union)?;
                (!inner.is_empty()).then_some(Value::Object(inner))
            }
            (Rule::Keyed { key, element, union }, Value::Array(now), Value::Array(live)) => {
                let last = before.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                let list = KeyedList { key, element, union };
                let (elements, order) = self.keyed_lists(&list, last, now, live)?;
                put_unless_empty(patch, format!("$setElementOrder/{field}"), order);
                put_unless_empty(patch, field.to_owned(), elements);
                return Ok(());
            }
            (Rule::Set, Value::Array(now), Value::Array(live)) => {
                let last = before.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                let gone = absent(last, now);
                let reordered = !gone.is_empty() || (!live.is_empty() && now != live);
                let order = if reordered { now.clone() } else { Vec::new() };
                put_unless_empty(patch, format!("$setElementOrder/{field}"), order);
                put_unless_empty(patch, format!("$deleteFromPrimitiveList/{field}"), gone);
                put_unless_empty(patch, field.to_owned(), absent(now, live));
                return Ok(());
            }
            _ => (new != old).then(|| new.clone()),
        };
        if let Some(value) = set {
            patch.insert(field.to_owned(), value);
        }
        Ok(())
    }

    /// What changes in a list that merges by key, deletions last, and the order to set.
    fn keyed_lists(
        &self,
        list: &KeyedList,
        last: &[Value],
        now: &[Value],
        live: &[Value],
    ) -> Result<(Vec<Value>, Vec<Value>), MergeError> {
        let (last_of, now_of, live_of) = (
            self.elements(list, last)?,
            self.elements(list, now)?,
            self.elements(list, live)?,
        );
        let (in_last, gone) = pair(&now_of, &last_of);
        let (in_live, _) = pair(&now_of, &live_of);
        let mut patch = Vec::new();
        for (new, (before, old)) in now_of.iter().zip(in_last.into_iter().zip(in_live)) {
            let Some(old) = old else {
                patch.push(Value::Object(new.map.clone()));
                continue;
            };
            let before = before.map(|index| last_of[index].map);
            let mut inner = self.maps(list.element, before, new.map, live_of[old].map, list.union)?;
            if !inner.is_empty() {
                inner.insert(list.key.to_owned(), new.id.clone());
                patch.push(Value::Object(inner));
            }
        }
        let deletes = !gone.is_empty();
        patch.extend(gone.into_iter().map(|index| {
            let id = last_of[index].id.clone();
            Value::Object(Map::from_iter([
                (list.key.to_owned(), id),
                ("$patch".to_owned(), "delete".into()),
            ]))
        }));
        // kubectl sends the order also when somebody else's elements are in between: it compares the
        // whole lists, so that such an object is "configured" by each apply.
        let same = now_of.len() == live_of.len() && now_of.iter().zip(&live_of).all(|(a, b)| a.id == b.id);
        let order = if deletes || (!live.is_empty() && (!patch.is_empty() || !same)) {
            now_of
                .iter()
                .map(|new| Map::from_iter([(list.key.to_owned(), new.id.clone())]).into())
                .collect()
        } else {
            Vec::new()
        };
        Ok((patch, order))
    }

    fn elements<'a>(&self, list: &KeyedList, values: &'a [Value]) -> Result<Vec<Element<'a>>, MergeError> {
        values
            .iter()
            .map(|value| {
                let map = value.as_object()?;
                let id = map.get(list.key)?;
                let sort = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
                Some(Element { map, id, sort })
            })
            .collect::<Option<_>>()
            .ok_or_else(|| MergeError::NoMergeKey {
                list: self.path.clone(),
                key: list.key,
            })
    }
}

/// A list of type [`Rule::Keyed`].
struct KeyedList {
    key: &'static str,
    element: &'static str,
    union: bool,
}

/// An element of a [`KeyedList`], with its identity.
struct Element<'a> {
    map: &'a Map<String, Value>,
    id: &'a Value,
    /// The identity as text, by which kubectl sorts and compares.
    sort: String,
}

/// For each element of `now` its partner in `other`, and the elements of `other` that have none.
///
/// Two elements may share a key (a service's port 53 for TCP and UDP; two spread constraints on one
/// topology): kubectl sorts both lists and walks them side by side. Its sort puts equals in reverse, since
/// its "less" is "less or equal" (`SortableSliceOfMaps` with Go's insertion sort), so the last of one list
/// meets the last of the other.
fn pair(now: &[Element<'_>], other: &[Element<'_>]) -> (Vec<Option<usize>>, Vec<usize>) {
    let mut left: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, element) in other.iter().enumerate() {
        left.entry(&element.sort).or_default().push(index);
    }
    let mut partners: Vec<Option<usize>> = now
        .iter()
        .rev()
        .map(|new| left.get_mut(new.sort.as_str()).and_then(Vec::pop))
        .collect();
    partners.reverse();
    (partners, left.into_values().flatten().collect())
}

/// What is in `of` and not in `list`, each once.
fn absent(of: &[Value], list: &[Value]) -> Vec<Value> {
    let mut seen = Vec::new();
    for value in of.iter().filter(|value| !list.contains(value)) {
        if !seen.contains(value) {
            seen.push(value.clone());
        }
    }
    seen
}

fn put_unless_empty(patch: &mut Map<String, Value>, field: String, values: Vec<Value>) {
    if !values.is_empty() {
        patch.insert(field, Value::Array(values));
    }
}
