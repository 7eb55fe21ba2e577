//! Exit codes of the command: part of its interface, and tested.

/// Every arm ended as expected.
pub const EXPECTED: u8 = 0;
/// An unexpected error of the harness.
pub const ERROR: u8 = 1;
/// The command line, or a file that it names, is not right.
pub const USAGE: u8 = 2;
/// A verdict differed from the expected one.
pub const DIFFERED: u8 = 3;
/// Nothing was selected.
pub const NOTHING: u8 = 4;
/// An arm was inconclusive.
pub const INCONCLUSIVE: u8 = 5;
/// A provider or a component is unavailable.
pub const UNAVAILABLE: u8 = 6;
/// Ctrl-C or SIGTERM, as shells have it for SIGINT.
pub const INTERRUPTED: u8 = kubeclash_host::interrupt::INTERRUPTED;

/// All of them with their meaning, for `--help` and `docs/reference/exit-codes.md`.
pub const ALL: [(u8, &str); 8] = [
    (EXPECTED, "as expected"),
    (ERROR, "unexpected error"),
    (USAGE, "usage: the command line, or a file that it names"),
    (DIFFERED, "a verdict differed from the expected one"),
    (NOTHING, "nothing selected"),
    (INCONCLUSIVE, "inconclusive"),
    (UNAVAILABLE, "provider or component unavailable"),
    (INTERRUPTED, "interrupted (Ctrl-C), everything torn down"),
];
