//! What a case must be, besides of the right shape: names that lead somewhere, fields that belong together, arms that differ.
//!
//! Every rule looks at one arm of one variant, with its values put in, and tells every mistake at its place. A rule says nothing
//! of what has the wrong shape: that was told.

mod cluster;
mod failure;
mod grammar;
mod known;
mod marks;
mod objects;
mod steps;

pub(super) use known::Known;
pub(super) use objects::at;

use super::mistake::Flaw;
use super::tree::Node;

/// Every rule that one arm of one variant breaks.
pub(super) fn flaws_of(case: &Node, known: &Known) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let marks = marks::Marks::of(case, &mut flaws);
    cluster::check(case, known, &mut flaws);
    steps::check(case, known, &mut flaws);
    failure::check(case, known, &marks, &mut flaws);
    flaws
}

/// The steps of a case.
fn steps_of(case: &Node) -> &[Node] {
    case.get("steps").map_or(&[], Node::items)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
