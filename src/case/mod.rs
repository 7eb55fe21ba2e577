//! A case: a folder that anybody can write, with its card, its cluster, its arms, its steps and its failure.
//!
//! [`format`](mod@format) is what `case.yaml` says; the rest reads it, checks it, and puts the values of an arm and a variant in.

mod condition;
mod cpu;
pub mod format;
pub mod scenario;
mod text;
pub mod words;

pub use condition::condition;
pub use cpu::cpu_use;
pub use scenario::Scenario;
