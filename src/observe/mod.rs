//! Observation: watches on a cluster, turned into a timeline, and waits on what they have seen.
//!
//! From watches, never from Events and never from polling: the event recorder drops after a burst of 25, and a
//! poll misses what is short. Nothing here judges.

mod recorder;
mod sight;

pub use recorder::{Recorder, RecorderError};
