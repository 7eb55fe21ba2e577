//! Programs that take the place of controllers that cases bring: `NAME=SPEC`, as `--with` takes it.

use std::fmt;
use std::str::FromStr;

use super::mistake::nearest;
use super::{Case, Program};
use kubeclash_components::{Spec, SpecError};

/// A program that takes the place of a controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Substitute {
    /// The controller's name in the case.
    pub name: String,
    /// Where the program comes from; its paths are seen from where kubeclash is started.
    pub spec: Spec,
}

/// Substitutes, in the order in which they were given.
///
/// As a text they are apart by commas or lines: `keeper=src:.,operator=path:./operator`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Substitutes(Vec<Substitute>);

/// Why a program can't take a controller's place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubstituteError {
    /// A text that is no substitute.
    #[error("\"{0}\" is no controller and its program: write NAME=SPEC, as in keeper=src:.")]
    Form(String),
    /// A spec that is none.
    #[error("{name}: {why}")]
    Spec {
        /// The controller.
        name: String,
        /// What is wrong with it.
        why: SpecError,
    },
    /// A release: of what, nobody knows.
    #[error(
        "{name}: \"{release}\" is a release, and of what nobody knows: write path:FILE, src:DIR, go:MODULE/cmd/name@VERSION, image:REF or image+extract:REF"
    )]
    Release {
        /// The controller.
        name: String,
        /// What was written.
        release: String,
    },
    /// Two programs for one controller.
    #[error("\"{0}\" is given twice")]
    Twice(String),
    /// A controller that no case brings.
    #[error("\"{name}\" is no controller of the cases that are run{}: {}", meant(near.as_ref()), brought(known))]
    NoController {
        /// What was written.
        name: String,
        /// What was probably meant.
        near: Option<String>,
        /// The controllers that there are.
        known: Vec<String>,
    },
}

fn meant(near: Option<&String>) -> String {
    near.map(|near| format!(" (did you mean \"{near}\"?)"))
        .unwrap_or_default()
}

fn brought(known: &[String]) -> String {
    match known {
        [] => "they bring none".to_owned(),
        known => format!("they bring {}", known.join(", ")),
    }
}

impl Substitute {
    /// A program for a controller.
    ///
    /// # Errors
    /// When the spec is none, or a release.
    pub fn new(name: &str, spec: &str) -> Result<Self, SubstituteError> {
        let name = name.to_owned();
        match spec.parse() {
            Ok(Spec::Release(_)) => Err(SubstituteError::Release {
                name,
                release: spec.to_owned(),
            }),
            Ok(spec) => Ok(Self { name, spec }),
            Err(why) => Err(SubstituteError::Spec { name, why }),
        }
    }
}

impl FromStr for Substitute {
    type Err = SubstituteError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, spec)) if is_name(name.trim()) => Self::new(name.trim(), spec.trim()),
            _ => Err(SubstituteError::Form(text.to_owned())),
        }
    }
}

impl fmt::Display for Substitute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.spec)
    }
}

impl FromStr for Substitutes {
    type Err = SubstituteError;

    /// # Errors
    /// When one is none, or two are for one controller.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = parts(text);
        if parts.is_empty() {
            return Err(SubstituteError::Form(text.to_owned()));
        }
        let all: Result<Vec<_>, _> = parts.iter().map(|part| part.parse()).collect();
        all?.into_iter().try_fold(Self::default(), Self::and)
    }
}

impl fmt::Display for Substitutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.iter().map(ToString::to_string).collect();
        f.write_str(&all.join(","))
    }
}

impl Substitutes {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Substitute> {
        self.0.iter()
    }

    /// These and one more.
    ///
    /// # Errors
    /// When there is one for that controller already.
    pub fn and(mut self, more: Substitute) -> Result<Self, SubstituteError> {
        if self.of(&more.name).is_some() {
            return Err(SubstituteError::Twice(more.name));
        }
        self.0.push(more);
        Ok(self)
    }

    /// These, and of others those that are for other controllers.
    #[must_use]
    pub fn over(mut self, others: &Self) -> Self {
        for other in others.iter() {
            if self.of(&other.name).is_none() {
                self.0.push(other.clone());
            }
        }
        self
    }

    /// What takes a controller's place, if anything does.
    #[must_use]
    pub fn of(&self, controller: &str) -> Option<&Spec> {
        let found = self.iter().find(|one| one.name == controller);
        found.map(|one| &one.spec)
    }

    /// Those that are for a controller of this case.
    #[must_use]
    pub fn for_case(&self, case: &Case) -> Self {
        let brought = case.brings();
        let is_brought = |one: &&Substitute| brought.iter().any(|program| program.name == one.name);
        Self(self.iter().filter(is_brought).cloned().collect())
    }

    /// That each is for a controller that one of these cases brings.
    ///
    /// # Errors
    /// The first that is for none.
    pub fn fit<'a>(&self, cases: impl IntoIterator<Item = &'a Case>) -> Result<(), SubstituteError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let brought: Vec<Program> = cases.into_iter().flat_map(Case::brings).collect();
        let mut known: Vec<String> = Vec::new();
        for Program { name, .. } in brought {
            if !known.contains(&name) {
                known.push(name);
            }
        }
        match self.iter().find(|one| !known.contains(&one.name)) {
            Some(stranger) => Err(SubstituteError::NoController {
                name: stranger.name.clone(),
                near: nearest(&stranger.name, &known),
                known,
            }),
            None => Ok(()),
        }
    }
}

/// Whether it can be a controller's name.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(plain)
}

/// Splits at the ends of lines, and at the commas behind which a controller is named: a file's name may have others.
fn parts(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for line in text.lines() {
        let mut begun = false;
        for piece in line.split(',') {
            let begins = piece
                .split_once('=')
                .is_some_and(|(name, _)| is_name(name.trim()));
            match parts.last_mut() {
                Some(last) if begun && !begins => *last = format!("{last},{piece}"),
                _ => parts.push(piece.to_owned()),
            }
            begun = true;
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

#[cfg(test)]
#[path = "substitute_tests.rs"]
mod tests;
