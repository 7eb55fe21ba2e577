//! How an API server is told to write down who changed what.

use serde_json::{Value, json};

use super::ClusterSpec;
use crate::CONTROLLER;
use kubeclash_host::yaml;

/// What it writes down.
const POLICY: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/config/audit-policy.yaml"));

/// What it writes down in a cluster: of a case's own controllers that they asked for anything at all, as well.
pub(super) fn policy(spec: &ClusterSpec) -> String {
    if spec.programs.is_empty() {
        return POLICY.to_owned();
    }
    let users: Vec<String> = spec
        .programs
        .iter()
        .map(|name| format!("{CONTROLLER}{name}"))
        .collect();
    // A watch is answered for good when it ends, and that may be never: it counts when it begins.
    let mut policy = yaml::value(POLICY).expect("the policy is YAML, as a test has it");
    let stages = policy
        .as_object_mut()
        .and_then(|policy| policy.shift_remove("omitStages"));
    let rules = policy["rules"].as_array_mut().into_iter().flatten();
    let mut rules: Vec<Value> = rules.map(|rule| rule.take()).collect();
    for rule in &mut rules {
        rule["omitStages"] = json!(stages);
    }
    let reads = json!({
        "level": "Metadata", "users": users, "verbs": ["get", "list", "watch"], "omitStages": ["RequestReceived"]});
    rules.insert(0, reads);
    policy["rules"] = json!(rules);
    yaml::text(&policy)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_case_s_own_controllers_read_is_written_down_as_well() {
        let mut spec = ClusterSpec::default();
        assert_eq!(policy(&spec), POLICY);
        spec.programs = vec!["keeper".to_owned(), "other".to_owned()];
        let policy = yaml::value(&policy(&spec)).unwrap();
        let rules = policy["rules"].as_array().unwrap();
        assert_eq!(
            rules[0]["users"],
            json!(["controller:keeper", "controller:other"])
        );
        assert_eq!(rules[0]["omitStages"], json!(["RequestReceived"]));
        let before = yaml::value(POLICY).unwrap();
        assert_eq!(rules.len(), before["rules"].as_array().unwrap().len() + 1);
        assert!(
            rules[1..]
                .iter()
                .all(|rule| rule["omitStages"] == before["omitStages"]),
            "{policy}"
        );
    }
}
