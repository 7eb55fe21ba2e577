//! A search by halves for the build after which a failure is there, or is no more.
//!
//! ```text
//! builds (releases, commits) ──► next ──► ask: build, run ──► ledger, a line a run ──► tally ──► answer ──┐
//!                                 ▲                                                                      │
//!                                 └──────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! [`search`] and [`confidence`] are pure. What was asked is in a ledger, so that a search which was killed goes on.

pub mod builds;
pub mod confidence;
pub mod search;
