//! JSON lines: one object an arm.

use std::io::{self, Write};

use crate::evidence::Outcome;

/// An outcome as one line, without its newline.
#[must_use]
pub fn line(outcome: &Outcome) -> String {
    serde_json::to_string(outcome).expect("an outcome is plain data")
}

/// Writes an outcome as one line, in one write: lines of arms that end at the same time don't mix.
///
/// # Errors
/// When it can't be written.
pub fn write(outcome: &Outcome, to: &mut impl Write) -> io::Result<()> {
    to.write_all(format!("{}\n", line(outcome)).as_bytes())?;
    to.flush()
}
