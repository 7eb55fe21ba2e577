//! The ledger: which build ended how, one line a run, kept in git beside what was searched.
//!
//! ```text
//! diary (Markdown) ──► diary ──► import ──┐
//! verdict.json, load.json ──► recorded ───┼──► Entry ──► file (*.jsonl) ──► chronicle, contradictions ──► views
//! bisect's runs ──────────────────────────┘   (value)    (effects)          (pure)
//! ```
//!
//! A line is a JSON object with its fields in a fixed order, and names itself by its content. So two branches that
//! have both appended merge by union (`*.jsonl merge=union` in `.gitattributes`), and what came twice is told.
//!
//! What belongs elsewhere: which build to look at next ([`bisect`](crate::cli) decides that), and how a run is judged.

mod chronicle;
mod contradiction;
mod contradictions;
mod diary;
mod entry;
mod figures;
mod file;
mod import;
mod outcomes;
mod prose;
mod recorded;
mod rules;

pub use chronicle::{Build, chronicle};
pub use contradiction::{Contradiction, Kind};
pub use contradictions::contradictions;
pub use entry::{Entry, Id, Setup, Source};
pub use file::{Ledger, LedgerError, append};
pub use import::{ImportError, import};
pub use recorded::{of_load, of_outcome, recorded};
