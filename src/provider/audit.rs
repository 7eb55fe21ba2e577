//! How an API server is told to write down who changed what.

/// What it writes down.
pub(super) const POLICY: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/manifests/_shared/audit-policy.yaml"
));

/// How it does so, by flag.
///
/// Each request waits for its line (`blocking`, the default): nothing is dropped, and the lines are in the order of the
/// answers. Lines are a page long at most, so that it costs what a write to the page cache does.
pub(super) const FLAGS: [(&str, &str); 3] = [
    ("audit-log-mode", "blocking"),
    // MiB, of which two are kept: a fork that changes things without end must not fill the disk.
    ("audit-log-maxsize", "16"),
    ("audit-log-maxbackup", "1"),
];
