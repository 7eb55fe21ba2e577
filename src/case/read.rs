//! From the files of a folder to a case: every arm of every variant with its values put in, or every mistake.

use std::collections::{BTreeMap, BTreeSet};

use super::declared::Declared;
use super::files::Files;
use super::format::{CaseFile, Step};
use super::inputs::{Inputs, inputs_of};
use super::mistake::{Flaw, Mistake, Place};
use super::rules::{self, Known};
use super::scenario::{Scenario, inputs_sha256};
use super::schema::{STRICT, WITH_VALUES};
use super::shape;
use super::tree::{self, Content, Node};
use super::values::{Bindings, Writing};
use kubeclash_timeline::Arm;
use kubeclash_timeline::claim::Failure;

/// The file that says what a case is.
pub(super) const CASE_FILE: &str = "case.yaml";

/// An arm of a variant, with its values put in.
struct Draft {
    variant: Option<String>,
    arm: Arm,
    case: Node,
    inputs: Inputs,
}

/// Mistakes, each told once, with its help and in which arms it was found.
#[derive(Default)]
struct Mistakes {
    found: BTreeMap<Told, Finding>,
}

/// What is told: the file, the place, and what is wrong.
type Told = (String, Place, String);

/// What belongs to it: what to do about it, and the arms that have it.
type Finding = (Option<String>, BTreeSet<String>);

impl Mistakes {
    fn add(&mut self, mistakes: impl IntoIterator<Item = Mistake>, arm: &str) {
        for mistake in mistakes {
            let Mistake {
                file,
                line,
                column,
                what,
                help,
            } = mistake;
            let found = self.found.entry((file, Place { line, column }, what));
            found.or_insert((help, BTreeSet::new())).1.insert(arm.to_owned());
        }
    }

    fn add_flaws(&mut self, flaws: impl IntoIterator<Item = Flaw>, arm: &str) {
        self.add(flaws.into_iter().map(|flaw| flaw.in_file(CASE_FILE)), arm);
    }

    /// In the order of their places; what is wrong in some of the arms only says in which.
    fn told(self, arms: usize) -> Vec<Mistake> {
        let told = self
            .found
            .into_iter()
            .map(|((file, place, what), (help, found_in))| {
                let partly = found_in.len() < arms && !found_in.contains("");
                let only = partly.then(|| {
                    format!(
                        "only so in {}",
                        found_in.into_iter().collect::<Vec<_>>().join("; ")
                    )
                });
                let help = match (help, only) {
                    (Some(help), Some(only)) => Some(format!("{help}; {only}")),
                    (help, only) => help.or(only),
                };
                Mistake {
                    file,
                    line: place.line,
                    column: place.column,
                    what,
                    help,
                }
            });
        told.collect()
    }
}

/// Reads a case.
///
/// # Errors
/// Every mistake of every file, each once.
pub(super) fn read(folder: &str, files: &Files) -> Result<Vec<Scenario>, Vec<Mistake>> {
    let root = match root_of(files) {
        (Some(root), flaws) if flaws.is_empty() => root,
        (_, flaws) => return Err(flaws.into_iter().map(|flaw| flaw.in_file(CASE_FILE)).collect()),
    };
    let mut mistakes = Mistakes::default();
    let declared = Declared::of(&root);
    mistakes.add_flaws(id_of(folder, &root), "");
    let mut drafts = Vec::new();
    let mut used = BTreeSet::new();
    for variant in declared.variants() {
        for arm in Arm::ALL {
            let mut bindings = Bindings::new(declared.of_arm(arm, variant.as_deref()));
            let name = variant
                .as_ref()
                .map_or(arm.to_string(), |variant| format!("{arm}, {variant}"));
            let case = put_into(&root, &mut bindings);
            let (inputs, found) = inputs_of(&case, files, &mut bindings);
            mistakes.add(found, &name);
            if declared.readable {
                mistakes.add_flaws(std::mem::take(&mut bindings.flaws), &name);
            }
            mistakes.add_flaws(shape::flaws_of(&case, &STRICT), &name);
            used.append(&mut bindings.used);
            drafts.push((
                name,
                Draft {
                    variant: variant.clone(),
                    arm,
                    case,
                    inputs,
                },
            ));
        }
    }
    let mut known = Known::default();
    for (_, draft) in &drafts {
        known.add(&draft.case);
        known.partial |= draft.inputs.partial;
        draft.inputs.objects().for_each(|object| known.add_object(object));
    }
    for (name, draft) in &drafts {
        mistakes.add_flaws(rules::flaws_of(&draft.case, &known), name);
    }
    for (name, here) in declared
        .names
        .iter()
        .filter(|(name, _)| !known.partial && !used.contains(*name))
    {
        let flaw = here.flaw(format!("nothing uses \"{name}\""));
        let flaw = flaw.help(format!("write ${name} where it belongs"));
        mistakes.add_flaws([flaw], "");
    }
    mistakes.add_flaws(declared.flaws, "");
    let arms = drafts.len();
    if mistakes.found.is_empty() {
        let mut scenarios = Vec::new();
        for (name, draft) in drafts {
            match scenario(folder, draft) {
                Ok(scenario) => scenarios.push(scenario),
                Err(flaw) => mistakes.add_flaws([flaw], &name),
            }
        }
        mistakes.add_flaws(equal_arms(&root, &scenarios), "");
        if mistakes.found.is_empty() {
            return Ok(scenarios);
        }
    }
    Err(mistakes.told(arms))
}

fn root_of(files: &Files) -> (Option<Node>, Vec<Flaw>) {
    let text = match files.text(CASE_FILE) {
        Some(Ok(text)) => text,
        Some(Err(why)) => return (None, vec![Flaw::new(Place::START, why)]),
        None => {
            let flaw = Flaw::new(Place::START, format!("there is no {CASE_FILE}"))
                .help("\"kubeclash case new ID\" writes one to begin with");
            return (None, vec![flaw]);
        }
    };
    let (root, mut flaws) = tree::document(text);
    if let Some(root) = root
        .as_ref()
        .filter(|root| !matches!(root.content, Content::Map(_)))
    {
        flaws.push(root.flaw(format!("expected fields, found {}", root.noun())));
    }
    (root, flaws)
}

/// The case with the values of an arm put in where values may stand.
fn put_into(root: &Node, bindings: &mut Bindings) -> Node {
    let fields = root.fields().iter().filter_map(|(key, value)| {
        if !WITH_VALUES.contains(&key.name.as_str()) {
            return Some((key.clone(), value.clone()));
        }
        let put = bindings.put_into(value, Writing::Case);
        // What is `nothing` is left out.
        (put.content != Content::Null || value.content == Content::Null).then(|| (key.clone(), put))
    });
    let fields = fields.collect();
    root.with(Content::Map(fields))
}

fn id_of(folder: &str, root: &Node) -> Option<Flaw> {
    let node = root.get("id")?;
    let id = node.text()?;
    let right = !id.is_empty() && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if !right {
        return Some(node.flaw(format!("\"{id}\" is no id: it is of small letters and digits")));
    }
    let begins = folder
        .strip_prefix(id)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    (!begins).then(|| {
        node.flaw(format!(
            "\"{id}\" is not the folder's name, \"{folder}\", or its beginning before the _"
        ))
        .help(format!(
            "call the folder {id}_WHAT_GOES_WRONG, or the case otherwise"
        ))
    })
}

fn scenario(folder: &str, draft: Draft) -> Result<Scenario, Flaw> {
    let mut file = typed(&draft.case)?;
    file.steps.retain(|step| !matches!(step, Step::Nothing(_)));
    let (manifests, policies, configs) = draft.inputs.typed();
    let inputs_sha256 = inputs_sha256(&file, &manifests, &policies, &configs);
    Ok(Scenario {
        case: folder.to_owned(),
        arm: draft.arm,
        variant: draft.variant,
        file,
        manifests,
        policies,
        configs,
        inputs_sha256,
    })
}

/// The case as its types. The schema is made from them, so they refuse nothing that it takes; if they do, this is told at the
/// nearest place that can be found.
fn typed(case: &Node) -> Result<CaseFile, Flaw> {
    serde_json::from_value(case.json()).map_err(|error| {
        let steps = case.get("steps").map_or(&[][..], Node::items);
        let step = steps
            .iter()
            .find(|step| serde_json::from_value::<Step>(step.json()).is_err());
        let failure = case
            .get("failure")
            .filter(|node| serde_json::from_value::<Failure>(node.json()).is_err());
        step.or(failure)
            .unwrap_or(case)
            .flaw(format!("{REFUSED}: {error}"))
    })
}

/// What opens a mistake that only the types know.
const REFUSED: &str = "this is no case";

/// Tells when an arm of a variant is the same as its control.
fn equal_arms(root: &Node, scenarios: &[Scenario]) -> Option<Flaw> {
    let same = scenarios.iter().find(|broken| {
        let twin = |other: &&Scenario| other.variant == broken.variant && other.arm == Arm::Control;
        broken.arm == Arm::Broken
            && scenarios
                .iter()
                .find(twin)
                .is_some_and(|control| control.inputs_sha256 == broken.inputs_sha256)
    })?;
    let (key, arms) = root.entry("arms")?;
    let of = same
        .variant
        .as_ref()
        .map_or(String::new(), |variant| format!(" of \"{variant}\""));
    let what = tree::told(
        &arms.path,
        format!("the broken arm{of} is the same as the control"),
    );
    Some(Flaw::new(key.place, what).help("name a value in both arms, and use it"))
}
