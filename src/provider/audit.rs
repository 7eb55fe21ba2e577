//! How an API server is told to write down who changed what.

use super::ClusterSpec;
use crate::observe::CONTROLLER;

/// What it writes down.
const POLICY: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/manifests/_shared/audit-policy.yaml"
));

/// What it writes down in a cluster: of a case's own controllers that they asked for anything at all, as well.
pub(super) fn policy(spec: &ClusterSpec) -> String {
    if spec.programs.is_empty() {
        return POLICY.to_owned();
    }
    let users: Vec<String> = spec
        .programs
        .iter()
        .map(|name| format!("\"{CONTROLLER}{name}\""))
        .collect();
    format!(
        "{}\n  # Also what they read: one that asks for nothing at all does not work.\n  - level: Metadata\n    users: [{}]\n",
        POLICY.trim_end(),
        users.join(", ")
    )
}

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
