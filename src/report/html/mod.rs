//! One page of HTML: a table of cases, arms and builds, and a drawing of each arm's timeline.
//!
//! The page is one file that asks for nothing else: its style and script are written into it, its data lies in it as
//! JSON, and its policy (CSP) allows no request at all and no script but this one. What was recorded can say what it
//! likes: the data can't end its element, and the script makes text of it, never HTML.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::builds::Build;
use super::{Drawing, HarnessFailure, Material, facts, seconds};
use crate::evidence::Outcome;

const PAGE: &str = include_str!("page.html");
pub(super) const STYLE: &str = include_str!("style.css");
pub(super) const DRAW: &str = include_str!("draw.js");
pub(super) const PARTS: &str = include_str!("parts.js");
const CASES: &str = include_str!("page.js");

/// What the page's script gets.
#[derive(Debug, Serialize)]
struct Data<'a> {
    version: &'static str,
    counts: String,
    /// What goes wrong in each case, in a sentence.
    titles: &'a BTreeMap<String, String>,
    builds: Vec<Build>,
    runs: Vec<Run<'a>>,
    /// What failed for the harness's own reasons: title and error.
    errors: Vec<(String, &'a str)>,
    left_out: &'a [String],
}

/// One arm, as the page shows it.
#[derive(Debug, Serialize)]
struct Run<'a> {
    /// Its address in the page.
    id: &'a str,
    /// The case's id.
    case_id: &'a str,
    /// `control (with-hpa)`.
    arm: String,
    build: usize,
    outcome: &'a Outcome,
    numbers: Vec<String>,
    times: Vec<(&'static str, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drawing: Option<Drawing>,
}

/// The page.
#[must_use]
pub fn page(material: &Material) -> String {
    assemble(STYLE, &[DRAW, PARTS, CASES].concat(), &data(material))
}

/// A page of a style, a script, and data that was [`embedded`].
pub(super) fn assemble(style: &str, script: &str, data: &str) -> String {
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
        digest(style),
        digest(script)
    );
    // The data comes last: nothing in it is looked at for what else is to be filled in.
    fill(
        PAGE,
        &[
            ("{{policy}}", &policy),
            ("{{style}}", style),
            ("{{script}}", script),
            ("{{data}}", data),
        ],
    )
}

/// Data as JSON that can stand in a `<script>`: no `<`, so neither `</script` nor `<!--`.
pub(super) fn embedded(data: &impl Serialize) -> String {
    serde_json::to_string(data)
        .expect("a report is plain data")
        .replace('<', "\\u003c")
}

/// Puts texts in their places, each place once and in order, without looking into what was put in.
fn fill(template: &str, places: &[(&str, &str)]) -> String {
    let mut page = String::new();
    let mut rest = template;
    let mut left: Vec<&(&str, &str)> = places.iter().collect();
    while !left.is_empty() {
        let next = left
            .iter()
            .enumerate()
            .filter_map(|(which, (place, _))| Some((rest.find(place)?, which)))
            .min();
        let Some((at, which)) = next else { break };
        let (place, text) = left.remove(which);
        page.push_str(&rest[..at]);
        page.push_str(text);
        rest = &rest[at + place.len()..];
    }
    page.push_str(rest);
    page
}

/// What names an inline text in a policy.
fn digest(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

/// The data of the page.
#[must_use]
pub fn data(material: &Material) -> String {
    let builds = material.builds();
    let ids = material.ids();
    let runs = material.arms.iter().zip(&builds.of).zip(&ids);
    let runs = runs.map(|((arm, build), id)| {
        let outcome = &arm.outcome;
        Run {
            id,
            case_id: outcome.id.case_id(),
            arm: outcome.id.arm_name(),
            build: *build,
            outcome,
            numbers: facts(outcome),
            times: times(outcome),
            note: arm.lacks.as_ref(),
            drawing: arm.timeline.as_ref().map(Drawing::of),
        }
    });
    let outcomes = material.outcomes();
    let data = Data {
        version: env!("CARGO_PKG_VERSION"),
        counts: material.summary(&outcomes).counts(),
        runs: runs.collect(),
        titles: &material.titles,
        builds: builds.all,
        errors: material.failures.iter().map(error).collect(),
        left_out: &material.left_out,
    };
    embedded(&data)
}

fn error(failure: &HarnessFailure) -> (String, &str) {
    (failure.of.to_string(), &failure.error)
}

fn times(outcome: &Outcome) -> Vec<(&'static str, String)> {
    let needed = outcome.needed_ms.map(|ms| ("needed", seconds(ms)));
    [("ready", seconds(outcome.ready_ms))]
        .into_iter()
        .chain(needed)
        .chain([
            ("watched", seconds(outcome.watched_ms)),
            ("in all", seconds(outcome.elapsed_ms)),
        ])
        .collect()
}

#[cfg(test)]
#[path = "../html_tests.rs"]
mod tests;
