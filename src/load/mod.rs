//! The load test: what a run of it leaves, and what is measured meanwhile.

pub mod measure;
pub mod run;

pub use run::LoadRun;
