//! Fields that no descheduler reads, each with what was probably meant.

use serde_json::{Map, Value};

use super::PolicyApi;
use super::fields::{self, Field, Shape};
use super::notes::Notebook;
use super::plugins::{EVICTOR, Plugin};
use kubeclash_host::yaml::FieldPath;

/// Tells of every field that is not read. Outside of plugins' arguments nothing else does: the decoder passes over it.
pub(super) fn tell(api: PolicyApi, policy: &Value, notes: &mut Notebook<'_>) {
    let top = Reader { api, plugin: None };
    top.read(policy, fields::of(api), &FieldPath::default(), notes);
}

/// Who reads what is looked at.
#[derive(Clone, Copy)]
struct Reader {
    api: PolicyApi,
    /// The plugin whose arguments they are.
    plugin: Option<&'static Plugin>,
}

impl Reader {
    fn read(self, value: &Value, shape: Shape, path: &FieldPath, notes: &mut Notebook<'_>) {
        match (shape, value) {
            (Shape::Fields(known), Value::Object(fields)) => self.fields(fields, known, path, notes),
            (Shape::Items(shape), Value::Array(items)) => {
                for (at, item) in items.iter().enumerate() {
                    self.read(item, *shape, &path.item(at), notes);
                }
            }
            (Shape::Map(shape), Value::Object(entries)) => {
                for (name, entry) in entries {
                    self.read(entry, *shape, &path.field(name), notes);
                }
            }
            _ => {}
        }
    }

    fn fields(
        self,
        fields: &Map<String, Value>,
        known: &'static [Field],
        path: &FieldPath,
        notes: &mut Notebook<'_>,
    ) {
        // The fork's own plugins have fields of their own, whatever they are.
        let named = fields.get("name").and_then(Value::as_str).and_then(Plugin::of);
        for (name, value) in fields {
            let at = path.field(name);
            let Some(field) = known.iter().find(|field| field.name == name) else {
                if !self.is_type(name) {
                    notes.warn(&at, self.unread(name, known, named));
                }
                continue;
            };
            if let Some(releases) = field.releases {
                notes.warn_others_than(
                    releases,
                    &at,
                    format!("is for deschedulers {releases}: this one does not know it"),
                );
            }
            match field.shape {
                Shape::Args => {
                    if let Some(plugin) = named {
                        let reader = Self {
                            plugin: Some(plugin),
                            ..self
                        };
                        reader.read(value, Shape::Fields(plugin.args), &at, notes);
                    }
                }
                shape => self.read(value, shape, &at, notes),
            }
        }
    }

    /// Arguments are an object of their own, and may say which.
    fn is_type(self, name: &str) -> bool {
        self.plugin.is_some() && ["apiVersion", "kind"].contains(&name)
    }

    fn unread(self, name: &str, known: &[Field], named: Option<&Plugin>) -> String {
        let newest = fields::newest(self.api);
        let what = match self.plugin {
            Some(plugin) => format!("is no argument of {} up to {newest}", plugin.name),
            None => format!("is read by no descheduler up to {newest}"),
        };
        match self.meant(name, known, named) {
            Some(meant) => format!("{what}: {meant}"),
            None => what,
        }
    }

    /// What was probably meant by a field that nobody reads.
    fn meant(self, name: &str, known: &[Field], named: Option<&Plugin>) -> Option<String> {
        let has = |fields: &[Field], name: &str| fields.iter().any(|field| field.name == name);
        let did_you_mean = |name: &str| format!("did you mean \"{name}\"?");
        if let Some(field) = known.iter().find(|field| field.name.eq_ignore_ascii_case(name)) {
            return Some(did_you_mean(field.name));
        }
        let mut below = known.iter().filter(|field| match field.shape {
            Shape::Args => named.is_some_and(|plugin| has(plugin.args, name)),
            shape => has(inner(shape), name),
        });
        if let (Some(field), None) = (below.next(), below.next()) {
            return Some(format!("it belongs below \"{}\"", field.name));
        }
        if let Some(near) = nearest(name, known) {
            return Some(did_you_mean(near));
        }
        let evictor = Plugin::of(EVICTOR)?;
        if self.api == PolicyApi::V1alpha2 && has(evictor.args, name) {
            return Some(format!("it is an argument of {EVICTOR}"));
        }
        let other = match self.api {
            PolicyApi::V1alpha1 => PolicyApi::V1alpha2,
            PolicyApi::V1alpha2 => PolicyApi::V1alpha1,
        };
        let top = has(known, "apiVersion") && has(inner(fields::of(other)), name);
        top.then(|| format!("it is a field of {other}"))
    }
}

/// The fields below a field, through lists.
fn inner(shape: Shape) -> &'static [Field] {
    match shape {
        Shape::Fields(fields) => fields,
        Shape::Items(shape) => inner(*shape),
        Shape::Map(_) | Shape::Args | Shape::Anything => &[],
    }
}

/// The known name that is nearest to one: a slip of the pen away, or with the word in it.
fn nearest(name: &str, known: &[Field]) -> Option<&'static str> {
    let name = name.to_lowercase();
    let distance = |field: &&Field| strsim::damerau_levenshtein(&field.name.to_lowercase(), &name);
    let near = known.iter().min_by_key(distance)?;
    if distance(&near) <= 1 + name.len() / 6 {
        return Some(near.name);
    }
    let has_it = |field: &&Field| name.len() > 5 && field.name.to_lowercase().contains(&name);
    known.iter().find(has_it).map(|field| field.name)
}
