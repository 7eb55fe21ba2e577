//! Signatures of failures in logs of a control plane, as data, and what they come to.
//!
//! What is looked for is in `signatures/*.yaml`, and so is what makes a run black. [`Classifier::classify`] goes over
//! logs once, whatever their size, and gives a [`Classification`]: counts, first and last time, the step that the load
//! test reached, and a verdict: green, red, black or inconclusive. [`Tail`] does the same while logs are written, so
//! that a run can end at its first red signature.
//!
//! No verdict is made here but from what [`judge`](fn@judge) is given, and nothing here knows how a log came about.
//!
//! # Examples
//!
//! What is looked for, and what it means:
//!
//! ```
//! # fn main() -> Result<(), kubeclash_logs::RulesError> {
//! for signature in kubeclash_logs::Rules::embedded()?.signatures {
//!     println!("{:?} {}: {}", signature.severity, signature.id, signature.meaning);
//! }
//! # Ok(())
//! # }
//! ```

mod pattern;
mod times;
mod calendar;
mod parts;
mod event;
mod step;
mod rules;
mod library;
mod scan;
mod tally;
mod inputs;
mod origin;
mod source;
mod judge;
mod classification;
mod classifier;
mod tail;

pub use calendar::{Calendar, YearFrom};
pub use classification::{Classification, Found, LogRead, ReachedStep};
pub use classifier::{Classifier, Error};
pub use inputs::{Input, Inputs, PassedOver};
pub use judge::{Judged, Logs, judge};
pub use judge::{how_often, in_lines};
pub use library::RulesError;
pub use origin::KnownBy;
pub use pattern::Pattern;
pub use rules::{BlackRule, Component, Condition, Over, Rules, Severity, Signature};
pub use scan::{OVERLAP, WINDOW};
pub use source::Packed;
pub use step::{StepName, StepSeen};
pub use tail::{RedHit, Tail};
pub use tally::shown;
pub use tally::{Findings, Place, Tally};
pub use times::{Stamp, Zone, written};
