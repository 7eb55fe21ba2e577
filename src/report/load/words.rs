//! Figures as people read them.

use indicatif::{BinaryBytes, HumanCount};

/// A count, with its thousands apart: `30,000`.
pub(super) fn count(number: u64) -> String {
    HumanCount(number).to_string()
}

/// A size: `1.25 GiB`.
pub(super) fn bytes(bytes: u64) -> String {
    BinaryBytes(bytes).to_string()
}

/// Milliseconds: `12 ms`, `1.25 s`.
pub(super) fn ms(ms: f64) -> String {
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 1_000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.2} s", ms / 1e3)
    }
}

/// A rate: `120/s`.
pub(super) fn per_second(rate: f64) -> String {
    if rate < 10.0 {
        format!("{rate:.1}/s")
    } else {
        format!("{rate:.0}/s")
    }
}

/// Cores: `1.52`.
pub(super) fn cores(cores: f64) -> String {
    format!("{cores:.2}")
}
