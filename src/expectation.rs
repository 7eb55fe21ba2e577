//! What arms are expected to end with, where a file says that it is not the usual: a failure that a fork has cured, or
//! one that it is known to have. Pure.
//!
//! The file is a list. Of the entries that fit an arm the **last** one counts, so that what is general stands first.
//!
//! ```yaml
//! - case: c5                    # an id, a name or a glob, as on the command line
//!   arm: broken
//!   variant: with-hpa           # optional: of a case that has variants
//!   verdict: absent             # or reproduced
//!   reason: our RemoveDuplicates respects node fit (#123)
//!   when:                       # optional: releases of components, all of which must fit
//!     descheduler: ">=0.36, <0.38"
//! ```
//!
//! Releases are compared as Cargo does; `v1.35.0-rc.1` counts as `1.35.0` where the condition names no pre-release. A
//! component whose version is not known meets no condition.

pub mod update;

use std::collections::BTreeMap;

use semver::{Version, VersionReq};
use serde_json::Value;

use crate::cases::{Case, Library};
use crate::scenario::items::{Item, items};
use kubeclash_components::ComponentName;
use kubeclash_timeline::{Arm, Expect};

/// What an arm is expected to end with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The verdict.
    pub verdict: Expect,
    /// Why, where an entry of a file decides.
    pub why: Option<String>,
}

impl From<Expect> for Expected {
    fn from(verdict: Expect) -> Self {
        Self { verdict, why: None }
    }
}

/// The versions of what takes part.
pub type Versions = BTreeMap<ComponentName, String>;

/// A file of expectations, read and checked. The default has none.
#[derive(Debug, Clone, Default)]
pub struct Expectations {
    entries: Vec<Entry>,
}

/// One entry of the file.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    item: Item,
    case: String,
    arm: Arm,
    variant: Option<String>,
    pub(crate) verdict: Expect,
    reason: String,
    when: Vec<(ComponentName, VersionReq)>,
}

/// What the expectations say of one arm.
#[derive(Debug, Clone)]
pub struct Decided<'a> {
    /// What is expected.
    pub expected: Expected,
    /// What the user should know about it, in sentences.
    pub notes: Vec<String>,
    /// The entry that decided.
    pub(crate) entry: Option<&'a Entry>,
}

/// Everything that is wrong with a file of expectations, each mistake with its file and line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .mistakes.join("\n"))]
pub struct ExpectationError {
    /// One sentence a mistake, `file:line: what`.
    pub mistakes: Vec<String>,
}

impl Expectations {
    /// Reads a file's text.
    ///
    /// # Errors
    /// All mistakes together: unknown cases, arms, variants, verdicts, components, releases and fields.
    pub fn parse(file: &str, text: &str, library: &Library) -> Result<Self, ExpectationError> {
        let mut mistakes = Vec::new();
        let items = items(file, text, &mut mistakes);
        let entries = items
            .into_iter()
            .filter_map(|item| Entry::of(item, library, &mut mistakes))
            .collect();
        if mistakes.is_empty() {
            Ok(Self { entries })
        } else {
            Err(ExpectationError { mistakes })
        }
    }

    /// What an arm is expected to end with: what the last entry that fits says, or else `usual`.
    #[must_use]
    pub fn of(
        &self,
        case: &Case,
        arm: Arm,
        variant: Option<&str>,
        versions: &Versions,
        usual: Expect,
    ) -> Decided<'_> {
        let mut decided = Decided {
            expected: usual.into(),
            notes: Vec::new(),
            entry: None,
        };
        for entry in &self.entries {
            let named = entry.arm == arm && case.is_called(&entry.case);
            if !named || (entry.variant.is_some() && entry.variant.as_deref() != variant) {
                continue;
            }
            if entry.holds(versions, &mut decided.notes) {
                decided.expected = Expected {
                    verdict: entry.verdict,
                    why: Some(entry.reason.clone()),
                };
                decided.entry = Some(entry);
            }
        }
        decided
    }
}

impl Entry {
    /// `None` where there are mistakes.
    fn of(mut item: Item, library: &Library, mistakes: &mut Vec<String>) -> Option<Self> {
        let before = mistakes.len();
        let [case, arm, verdict, reason] =
            ["case", "arm", "verdict", "reason"].map(|key| item.needed(key, mistakes));
        let variant = item.text("variant", mistakes);
        let when = item.take("when");
        // The fields' lines are asked for again when the file is updated.
        let place = item.clone();
        item.end(mistakes);
        let mut wrong = |key: &str, what: String| mistakes.push(place.mistake(key, what));
        let called: Vec<&Case> = library.called(&case).collect();
        if called.is_empty() && !case.is_empty() {
            wrong("case", library.no_case(&case));
        }
        if let (Some(variant), false) = (&variant, called.is_empty()) {
            let known: Vec<String> = called.iter().flat_map(|case| case.variants()).flatten().collect();
            if known.is_empty() {
                wrong("variant", format!("\"{case}\" has no variants"));
            } else if !known.contains(variant) {
                wrong(
                    "variant",
                    format!(
                        "\"{case}\" has no variant \"{variant}\": there are {}",
                        known.join(", ")
                    ),
                );
            }
        }
        // What is missing was told already.
        let arm = arm.parse::<Arm>().map_err(|what| {
            if !arm.is_empty() {
                wrong("arm", what);
            }
        });
        let seen = verdict.parse::<Expect>().map_err(|what| {
            if !verdict.is_empty() {
                wrong("verdict", what);
            }
        });
        let when = when.map_or_else(Vec::new, |when| conditions(when, &mut |what| wrong("when", what)));
        (mistakes.len() == before).then_some(())?;
        Some(Self {
            item: place,
            case,
            arm: arm.ok()?,
            variant,
            verdict: seen.ok()?,
            reason,
            when,
        })
    }

    fn holds(&self, versions: &Versions, notes: &mut Vec<String>) -> bool {
        let mut holds = true;
        for (name, wanted) in &self.when {
            match versions.get(name).map(|said| (said, release(said))) {
                Some((_, Some(version))) => holds &= fits(wanted, version),
                Some((said, None)) => {
                    holds = false;
                    notes.push(format!(
                        "{}: does not count: it asks for {name} {wanted}, and what runs as {name} says \"{said}\" of itself",
                        self.item.place()
                    ));
                }
                None => holds = false,
            }
        }
        holds
    }

    /// Where its verdict is written; `None` where that is no line of its own.
    pub(crate) fn verdict_line(&self) -> Option<usize> {
        self.item.line_of("verdict")
    }

    /// Whether it is of one arm only.
    pub(crate) fn is_of_one_arm(&self, library: &Library) -> bool {
        let mut called = library.called(&self.case);
        match (called.next(), called.next()) {
            (Some(case), None) => self.variant.is_some() || case.variants().len() == 1,
            _ => false,
        }
    }
}

fn conditions(when: Value, wrong: &mut impl FnMut(String)) -> Vec<(ComponentName, VersionReq)> {
    let Value::Object(map) = when else {
        wrong(format!("expected a release for each component, found {when}"));
        return Vec::new();
    };
    let mut conditions = Vec::new();
    for (name, wanted) in map {
        let known = match name.as_str() {
            "second-scheduler" => Ok(ComponentName::SecondScheduler),
            name => name.parse::<ComponentName>(),
        };
        let release = match &wanted {
            Value::String(text) => requirement(text),
            other => Err(format!("expected text, found {other}")),
        };
        match (known, release) {
            (Ok(name), Ok(release)) => conditions.push((name, release)),
            (known, release) => {
                known.err().into_iter().for_each(|e| wrong(e.to_string()));
                release.err().into_iter().for_each(|e| {
                    wrong(format!("{name}: {e}; write it as in \">=1.35, <1.37\""));
                });
            }
        }
    }
    conditions
}

/// A condition as Cargo writes them; the releases in it may have a `v` in front.
fn requirement(text: &str) -> Result<VersionReq, String> {
    let mut bare = String::new();
    for (at, c) in text.char_indices() {
        let release = text[at + c.len_utf8()..].starts_with(|next: char| next.is_ascii_digit());
        let begins = !text[..at].ends_with(|before: char| before.is_ascii_alphanumeric());
        if !(c == 'v' && release && begins) {
            bare.push(c);
        }
    }
    VersionReq::parse(&bare).map_err(|e| format!("\"{text}\" is no condition: {e}"))
}

fn fits(wanted: &VersionReq, mut version: Version) -> bool {
    if wanted.comparators.iter().all(|one| one.pre.is_empty()) {
        version.pre = semver::Prerelease::EMPTY;
    }
    wanted.matches(&version)
}

/// What a component says of itself, as a release: `v1.36.3`, `3.6.16`, `v0.36.0-12-gabcdef`, `1.35`.
pub(crate) fn release(said: &str) -> Option<Version> {
    let bare = said.trim().trim_start_matches('v');
    if let Ok(version) = Version::parse(bare) {
        return Some(version);
    }
    let end = bare.find(|c: char| !c.is_ascii_digit() && c != '.');
    let mut numbers = bare[..end.unwrap_or(bare.len())]
        .trim_end_matches('.')
        .split('.')
        .map(str::parse);
    let major = numbers.next()?.ok()?;
    let minor = numbers.next()?.ok()?;
    let patch = numbers.next().map_or(Some(0), Result::ok)?;
    Some(Version::new(major, minor, patch))
}

#[cfg(test)]
#[path = "expectation_tests.rs"]
mod tests;
