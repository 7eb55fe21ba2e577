//! What is done to a cluster, as a value: the card of a case, its manifests, its shape, its steps.
//!
//! Nothing in here touches a cluster or a clock. [`crate::drive`] carries a [`Scenario`](crate::case::Scenario) out; tests can look at
//! one without running it.

mod card;
pub mod items;
mod manifest;

pub use card::{Card, CardError};
pub use manifest::{Images, Manifest, TIME_TO_COMPLETE, TIME_TO_DIE};
pub(crate) use manifest::{missing_of, time_to_die_of};
