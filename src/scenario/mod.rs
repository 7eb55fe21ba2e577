//! What is done to a cluster, as a value: the card of a case, its manifests, its shape, its steps.
//!
//! Nothing in here touches a cluster or a clock. [`crate::drive`] carries a [`Scenario`](crate::case::Scenario) out; tests can look at
//! one without running it.

mod card;
mod curve;
pub mod items;
mod manifest;
mod policy;
mod quantity;
mod taint;
pub mod yaml;

pub use card::{Card, CardError};
pub use curve::{CpuCurve, CpuShare, CpuUse};
pub use manifest::{Images, Manifest, ManifestError, TIME_TO_COMPLETE, TIME_TO_DIE};
pub(crate) use manifest::{missing_of, time_to_die_of};
pub use policy::{NoteKind, Policy, PolicyApi, PolicyNote, policies_in, policy_of};
pub use quantity::thousandths;
pub use taint::{TaintChange, taint, taint_change};
