//! Signatures of an issue in logs, as data, and what they come to: kubeclash's own runs, or anybody's logs.
//!
//! What is looked for is in `signatures/*.yaml`, and so is what makes a run black. [`Classifier::classify`] goes over
//! logs once, whatever their size, and gives a [`Classification`]: counts, first and last time, the step that the load
//! test reached, and a verdict in the second seed's words. [`Tail`] does the same while logs are written, so that a run
//! can end at its first red signature.
//!
//! No verdict is made here but from what [`judge`](fn@judge) is given, and nothing here knows how a log came about.

mod pattern;
mod rules;
mod library;
mod calendar;
mod times;
mod parts;
mod scan;
mod step;
mod event;
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
pub(crate) use judge::{how_often, in_lines};
pub use library::RulesError;
pub use origin::KnownBy;
pub use pattern::Pattern;
pub use rules::{BlackRule, Component, Condition, Over, Rules, Severity, Signature};
pub use scan::{OVERLAP, WINDOW};
pub use source::Packed;
pub use step::{StepName, StepSeen};
pub use tail::{RedHit, Tail};
pub use tally::{Findings, Place, Tally};
pub(crate) use tally::{shown, written};
pub use times::{Stamp, Zone};
