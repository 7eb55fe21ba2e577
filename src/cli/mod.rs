//! The command line: one verb a file.

pub mod components;
pub mod doctor;
pub mod flags;
pub mod replay;
