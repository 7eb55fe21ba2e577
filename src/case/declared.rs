//! The values that a case declares: by both arms, and by every variant.

use indexmap::IndexMap;

use super::mistake::{Flaw, nearest};
use super::rules::at;
use super::tree::{Content, Key, Node, told};
use super::values::is_name;
use kubeclash_timeline::Arm;

/// What the control arm says in words.
const FIX: &str = "fix";
/// Names that mean something else in a case.
const TAKEN: [&str; 3] = [FIX, "kubeconfig", "nothing"];
/// How many variants a case may have.
const MOST_VARIANTS: usize = 64;

/// The values of the arms and the variants, each under its name.
#[derive(Debug, Default)]
pub(super) struct Declared {
    arms: IndexMap<String, [Node; 2]>,
    variants: IndexMap<String, IndexMap<String, Node>>,
    /// Where each name is declared first.
    pub(super) names: IndexMap<String, Node>,
    /// What is wrong with them.
    pub(super) flaws: Vec<Flaw>,
    /// Whether they could be read at all: otherwise nothing can be said of the names that are used.
    pub(super) readable: bool,
}

impl Declared {
    /// The values of a case.
    pub(super) fn of(case: &Node) -> Self {
        let mut declared = Self::default();
        let arms = case.get("arms");
        let arm = |name: &str| {
            let (key, node) = arms?.entry(name)?;
            matches!(node.content, Content::Map(_)).then_some((key.clone(), node.clone()))
        };
        if let (Some(broken), Some(control)) = (arm("broken"), arm("control")) {
            declared.readable = true;
            declared.of_arms(&broken, &control);
        }
        if let Some((key, node)) = case.entry("variants") {
            declared.of_variants(key, node);
        }
        declared
    }

    fn of_arms(&mut self, broken: &(Key, Node), control: &(Key, Node)) {
        match control.1.get(FIX) {
            None => self.flaws.push(
                Flaw::new(control.0.place, told(&control.1.path, "missing fix"))
                    .help("say in words what the control changes"),
            ),
            Some(fix) if fix.text().is_none_or(|text| text.trim().is_empty()) => {
                self.flaws
                    .push(fix.flaw("expected words: what the control changes"));
            }
            Some(_) => {}
        }
        for (this, other) in [(broken, control), (control, broken)] {
            for (key, value) in this.1.fields() {
                if key.name == FIX && std::ptr::eq(this, control) {
                    continue;
                }
                if !self.is_right_name(key, value) {
                    continue;
                }
                let twin = other.1.get(&key.name);
                if twin.is_none() {
                    self.flaws.push(missing(&other.0, &other.1, &key.name));
                }
                let pair = if std::ptr::eq(this, broken) {
                    [value.clone(), twin.unwrap_or(value).clone()]
                } else {
                    [twin.unwrap_or(value).clone(), value.clone()]
                };
                self.names
                    .entry(key.name.clone())
                    .or_insert_with(|| at(key, value));
                self.arms.entry(key.name.clone()).or_insert(pair);
            }
        }
    }

    fn of_variants(&mut self, key: &Key, node: &Node) {
        let Content::Map(variants) = &node.content else {
            self.readable = false;
            return;
        };
        if variants.is_empty() || variants.len() > MOST_VARIANTS {
            let what = format!("expected 1 to {MOST_VARIANTS} variants");
            self.flaws.push(Flaw::new(key.place, told(&node.path, what)));
        }
        // Every name, with the first variant that has it.
        let mut all: IndexMap<String, Node> = IndexMap::new();
        for (variant, values) in variants.iter().take(MOST_VARIANTS) {
            if !is_name(&variant.name) {
                let here = at(variant, values);
                self.flaws.push(
                    here.flaw("a variant's name is of small letters, digits and -, with a letter first"),
                );
            }
            self.readable &= matches!(values.content, Content::Map(_));
            for (key, value) in values.fields() {
                if !self.is_right_name(key, value) {
                    continue;
                }
                if self.arms.contains_key(&key.name) {
                    let what = format!("\"{}\" is a value of the arms already", key.name);
                    self.flaws.push(at(key, value).flaw(what));
                }
                self.names
                    .entry(key.name.clone())
                    .or_insert_with(|| at(key, value));
                all.entry(key.name.clone()).or_insert_with(|| value.clone());
            }
        }
        for (variant, values) in variants.iter().take(MOST_VARIANTS) {
            let mut mine = IndexMap::new();
            for (name, first) in &all {
                if values.get(name).is_none() {
                    self.flaws.push(missing(variant, values, name));
                }
                mine.insert(name.clone(), values.get(name).unwrap_or(first).clone());
            }
            self.variants.insert(variant.name.clone(), mine);
        }
    }

    fn is_right_name(&mut self, key: &Key, value: &Node) -> bool {
        let here = at(key, value);
        let flaw = if TAKEN.contains(&key.name.as_str()) {
            here.flaw(format!("\"{}\" can't be the name of a value", key.name))
        } else if !is_name(&key.name) {
            here.flaw("a value's name is of small letters, digits and -, with a letter first")
        } else if value.content == Content::Null {
            value
                .flaw("empty")
                .help("write a value; \"nothing\" leaves out what it stands for")
        } else {
            return true;
        };
        self.flaws.push(flaw);
        false
    }

    /// The names of the variants; one without a name where there is none.
    pub(super) fn variants(&self) -> Vec<Option<String>> {
        if self.variants.is_empty() {
            vec![None]
        } else {
            self.variants.keys().cloned().map(Some).collect()
        }
    }

    /// The values of an arm of a variant.
    pub(super) fn of_arm(&self, arm: Arm, variant: Option<&str>) -> IndexMap<String, Node> {
        let own = self.arms.iter().map(|(name, [broken, control])| {
            let value = match arm {
                Arm::Broken => broken,
                Arm::Control => control,
            };
            (name.clone(), value.clone())
        });
        let of_variant = variant.and_then(|variant| self.variants.get(variant));
        own.chain(
            of_variant
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value.clone())),
        )
        .collect()
    }
}

fn missing(key: &Key, values: &Node, name: &str) -> Flaw {
    let flaw = Flaw::new(
        key.place,
        told(&values.path, format!("missing \"{name}\", which others have")),
    );
    let near = nearest(name, values.fields().iter().map(|(key, _)| key.name.as_str()));
    match near {
        Some(near) => flaw.help(format!("is \"{near}\" meant to be it?")),
        None => flaw.help(format!("write \"{name}: nothing\" where there is nothing to say")),
    }
}
