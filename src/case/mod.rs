//! A case: a folder that anybody can write, with its card, its cluster, its arms, its steps and its failure.
//!
//! [`format`](mod@format) is what `case.yaml` says; the rest reads it, checks it, and puts the values of an arm and a variant in.

pub mod format;
pub mod mistake;
pub mod scenario;
pub mod schema;
pub mod shape;
pub mod tree;
pub mod values;
pub mod words;

pub use mistake::{CaseError, Mistake, Place};
pub use scenario::Scenario;
