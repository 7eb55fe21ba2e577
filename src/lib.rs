//! x

pub mod cli;
pub mod component;
pub mod progress;
