//! Where the policy is in a file as people have it: alone, or among the values of a Helm chart.

use serde_json::{Map, Value};

use super::PolicyApi;
use kubeclash_host::yaml::{self, FieldPath, ManifestError};

/// What a policy is called.
const KIND: &str = "DeschedulerPolicy";

/// The field of the chart's values that has the policy, without `apiVersion` and `kind`.
const VALUES: &str = "deschedulerPolicy";

/// The field beside it that has its `apiVersion`.
const VALUES_API: &str = "deschedulerPolicyAPIVersion";

const PLACES: &str = "a policy is looked for at the top of the file and below any field \"deschedulerPolicy\", as in \
                      Helm values and in spec.values of a HelmRelease";

/// A policy, and where it is.
#[derive(Debug)]
pub(super) struct Place {
    /// What it says, with `apiVersion` and `kind`.
    pub(super) document: Value,
    /// Its API version.
    pub(super) api: PolicyApi,
    /// Where it is in its YAML document: nowhere below, or in the values of a chart.
    pub(super) at: FieldPath,
    text: String,
    first: usize,
}

impl Place {
    /// The line in the file of something in the policy.
    pub(super) fn line(&self, path: &FieldPath) -> usize {
        self.first - 1 + yaml::line_at(&self.text, &path.below(&self.at))
    }

    /// Finds the policy of a file.
    ///
    /// # Errors
    /// When there is none, or more than one; with the line, and with where it was looked for.
    pub(super) fn of(file: &str, text: &str) -> Result<Self, ManifestError> {
        let all = Parsed::all(file, text)?;
        if all.is_empty() || all.iter().any(|one| one.value["kind"] == KIND) {
            return Self::alone(file, text);
        }
        let found: Vec<(&Parsed, FieldPath)> = all
            .iter()
            .flat_map(|one| {
                let mut places = Vec::new();
                values_in(&one.value, &FieldPath::default(), &mut places);
                places.into_iter().map(move |place| (one, place))
            })
            .collect();
        match found.as_slice() {
            [(one, at)] => one.values(file, at),
            [] => Err(nowhere(file, text, &all)),
            [(first, at), ..] => {
                let places: Vec<String> = found
                    .iter()
                    .map(|(one, at)| format!("\"{at}\" (line {})", one.line(at)))
                    .collect();
                let what = format!(
                    "one policy is all that fits in a file: there are {}",
                    places.join(", ")
                );
                Err(mistake(file, first.line(at), &what))
            }
        }
    }

    /// The policy that is all that there is in a file.
    fn alone(file: &str, text: &str) -> Result<Self, ManifestError> {
        let of = |what: &str| PolicyApi::of(what).is_some();
        let versions = PolicyApi::ALL.map(|api| api.to_string());
        let document = yaml::merged(yaml::typed(file, text, KIND, of, &versions)?);
        let api = document["apiVersion"].as_str().and_then(PolicyApi::of);
        let (first, text) = yaml::texts(text).pop().expect("typed has found one");
        Ok(Self {
            document,
            api: api.expect("typed has looked"),
            at: FieldPath::default(),
            text,
            first,
        })
    }
}

/// One YAML document of a file.
struct Parsed {
    first: usize,
    text: String,
    value: Value,
}

impl Parsed {
    fn all(file: &str, text: &str) -> Result<Vec<Self>, ManifestError> {
        let parsed = yaml::documents(text).into_iter().zip(yaml::texts(text));
        parsed
            .map(|((first, value), (_, text))| match value {
                Ok(value) => Ok(Self {
                    first,
                    text,
                    value: yaml::merged(value),
                }),
                Err(e) => Err(mistake(file, e.line.unwrap_or(first), &format!("not YAML: {e}"))),
            })
            .collect()
    }

    fn line(&self, path: &FieldPath) -> usize {
        self.first - 1 + yaml::line_at(&self.text, path)
    }

    /// The policy among the values of a chart, as its template writes it: with the API version that stands beside it.
    fn values(&self, file: &str, at: &FieldPath) -> Result<Place, ManifestError> {
        let (beside, policy) = at.ends(&self.value).expect("it was found there");
        let Value::Object(policy) = policy else {
            let what = format!("{at}: expected the fields of a policy, found {policy}");
            return Err(mistake(file, self.line(at), &what));
        };
        let said = [
            (beside.get(VALUES_API), VALUES_API),
            (policy.get("apiVersion"), VALUES),
        ];
        let said = said.into_iter().find_map(|(value, field)| Some((value?, field)));
        let api = match said {
            None if policy.contains_key("strategies") => PolicyApi::V1alpha1,
            None => PolicyApi::V1alpha2,
            Some((value, field)) => value.as_str().and_then(PolicyApi::of).ok_or_else(|| {
                let versions = PolicyApi::ALL.map(|api| api.to_string()).join(" or ");
                let place = at.sibling(field);
                let what = format!("{place}: expected {versions}, found {value}");
                mistake(file, self.line(&place), &what)
            })?,
        };
        let mut document = Map::new();
        document.insert("apiVersion".to_owned(), api.to_string().into());
        document.insert("kind".to_owned(), KIND.into());
        document.extend(
            policy
                .iter()
                .filter(|(name, _)| !["apiVersion", "kind"].contains(&name.as_str()))
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        Ok(Place {
            document: document.into(),
            api,
            at: at.clone(),
            text: self.text.clone(),
            first: self.first,
        })
    }
}

/// Every place below which the values of a chart have a policy.
fn values_in(value: &Value, path: &FieldPath, found: &mut Vec<FieldPath>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = path.field(name);
                // The chart's own default is none at all.
                if name == VALUES && !value.is_null() {
                    found.push(path);
                } else {
                    values_in(value, &path, found);
                }
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                values_in(value, &path.item(at), found);
            }
        }
        _ => {}
    }
}

/// The first text in a document that has a policy in it, as a `ConfigMap` has.
fn text_in(value: &Value, path: &FieldPath) -> Option<FieldPath> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .find_map(|(name, value)| text_in(value, &path.field(name))),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(at, value)| text_in(value, &path.item(at)))
        }
        Value::String(text) if text.contains(KIND) || text.contains(VALUES) => {
            let is_one = |value: &Value| {
                let mut places = Vec::new();
                values_in(value, &FieldPath::default(), &mut places);
                value["kind"] == KIND || !places.is_empty()
            };
            let documents = yaml::documents(text);
            let has_one = documents
                .iter()
                .any(|(_, value)| value.as_ref().is_ok_and(is_one));
            has_one.then(|| path.clone())
        }
        _ => None,
    }
}

fn nowhere(file: &str, text: &str, all: &[Parsed]) -> ManifestError {
    let inner = all
        .iter()
        .find_map(|one| Some((one, text_in(&one.value, &FieldPath::default())?)));
    if let Some((one, path)) = inner {
        let kind = one.value["kind"]
            .as_str()
            .map_or_else(String::new, |kind| format!("kind {kind} is no policy: "));
        let what = format!(
            "{kind}the policy is the text under {path}: put that into a file of its own, as \
             `yq -r '.{path}' {file} > policy.yaml` does, and name that one"
        );
        return mistake(file, one.line(&path), &what);
    }
    let [one] = all else {
        return mistake(file, 1, &format!("there is no {KIND} in it: {PLACES}"));
    };
    let line = yaml::line_of(text, "kind").unwrap_or(one.first);
    let what = format!("kind: expected \"{KIND}\", found {}; {PLACES}", one.value["kind"]);
    mistake(file, line, &what)
}

fn mistake(file: &str, line: usize, what: &str) -> ManifestError {
    ManifestError {
        mistakes: vec![format!("{file}:{line}: {what}")],
    }
}
