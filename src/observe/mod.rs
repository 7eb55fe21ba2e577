//! Observation: watches on a cluster, turned into a timeline, and waits on what they have seen.
//!
//! From watches, never from Events and never from polling: the event recorder drops after a burst of 25, and a
//! poll misses what is short. Who asked for a change is in the API server's audit log. Nothing here judges.

mod audit;
mod condition;
#[cfg(test)]
mod fake;
mod recorder;
mod sight;
mod tape;
mod watch;
mod watches;

pub use condition::{Condition, Poll};
pub use recorder::{Recorder, RecorderError};
