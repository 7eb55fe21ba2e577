use super::super::schema::STRICT;
use super::super::tree::document;
use super::*;

const HEAD: &str = "format: kubeclash.case/v1\nid: c9\ntitle: t\nmechanism: m\nexpected-runtime: 60s\narms: {broken: {}, control: {}}\n";

fn told_of(text: &str) -> Vec<String> {
    let (node, flaws) = document(text);
    assert_eq!(flaws, [], "{text}");
    flaws_of(&node.unwrap(), &STRICT)
        .iter()
        .map(|flaw| format!("{}: {}", flaw.place, flaw.what))
        .collect()
}

fn steps(text: &str) -> Vec<String> {
    told_of(&format!("{HEAD}failure: {{rests: violated}}\nsteps:\n{text}\n"))
}

fn failure(text: &str) -> Vec<String> {
    told_of(&format!("{HEAD}steps: [{{observe: 9s}}]\nfailure:\n{text}\n"))
}

#[test]
fn a_case_of_the_right_shape_has_no_flaw() {
    assert_eq!(
        steps("- apply: [a.yaml, b.yaml]\n- drain: {fullest-of: deploy/web}\n- nothing"),
        [""; 0]
    );
    assert_eq!(
        steps("- wait: {deployment/web: {running: '>= 3'}, nodes: {open: 3}}\n  within: 60s\n  or: go on"),
        [""; 0]
    );
    assert_eq!(
        steps("- patch: deployment/web\n  with: {spec: {a: [1, null]}}"),
        [""; 0]
    );
    assert_eq!(
        failure("  all:\n  - {rests: violated, from: x}\n  - {fits: violated}"),
        [""; 0]
    );
}

#[test]
fn a_step_is_known_by_its_first_field() {
    assert_eq!(
        steps("- aply: a.yaml"),
        ["9:3: steps[0]: unknown step \"aply\": did you mean \"apply\"?"]
    );
    assert_eq!(
        steps("- wait: {nodes: {open: 3}}"),
        ["9:3: steps[0].wait: missing within"]
    );
    assert_eq!(
        steps("- wait: {nodes: {open: 3}}\n  whithin: 3s"),
        ["10:3: steps[0]: unknown field \"whithin\": did you mean \"within\"?"]
    );
    assert_eq!(
        steps("- apply: a.yaml\n  observe: 3s"),
        ["10:3: steps[0]: two steps in one: apply and observe"]
    );
    assert_eq!(
        steps("- observe"),
        ["9:3: steps[0]: a step is a field with a value: write \"observe: …\""]
    );
    assert_eq!(steps("- observe:"), ["9:10: steps[0].observe: empty"]);
    assert_eq!(steps("- {}"), ["9:3: steps[0]: an empty step"]);
    assert_eq!(
        steps("- [a]"),
        ["9:3: steps[0]: expected fields or a text, found a list"]
    );
}

#[test]
fn words_with_a_grammar_say_what_they_should_be() {
    assert_eq!(
        steps("- observe: 90"),
        ["9:12: steps[0].observe: expected a text, found 90"]
    );
    assert_eq!(
        steps("- observe: ninety"),
        ["9:12: steps[0].observe: \"ninety\" is no duration: write it as 90s, 5m or 1h30m"]
    );
    assert_eq!(
        steps("- delete: web"),
        [
            "9:11: steps[0].delete: \"web\" names no workload: write kind/name or kind/namespace/name, e.g. deployment/web"
        ]
    );
    assert_eq!(
        steps("- cpu: {of: deploy/web, each-pod: [{use: 1 core}]}"),
        ["9:42: steps[0].cpu.each-pod[0].use: \"1 core\" is no quantity: write 8, 500m or 32Gi"]
    );
    assert_eq!(
        failure("  rests: violated\n  at-least: 3 turns"),
        [
            "10:13: failure.at-least: \"3 turns\" is no count: write a number and what is counted (rounds, pods, replicasets, nodes)"
        ]
    );
}

#[test]
fn what_is_not_known_is_told_with_the_nearest() {
    assert_eq!(
        failure("  keeps_floor: violated"),
        ["9:3: failure: unknown field \"keeps_floor\": did you mean \"keeps-floor\"?"]
    );
    assert_eq!(
        failure("  rests: violated\n  as: evict-lop\n"),
        ["10:7: failure.as: unknown word \"evict-lop\": did you mean \"evict-loop\"?"]
    );
    assert_eq!(
        failure("  rests: no"),
        ["9:10: failure.rests: unknown word \"no\""]
    );
    assert_eq!(
        failure("  rests: violated\n  since: a\n  from: b"),
        ["11:3: failure: \"from\" and \"since\" are the same: write one of them"]
    );
    assert_eq!(
        told_of(&format!(
            "{HEAD}steps: [{{observe: 9s}}]\nfailure: {{rests: violated}}\nexpected_runtme: 3s\n"
        )),
        ["9:1: unknown field \"expected_runtme\""]
    );
}

#[test]
fn all_mistakes_are_told_together() {
    let told = told_of(
        "format: kubeclash.case/v2\nsteps: x\ncluster: {nodes: [{count: -1, pods: 4294967296, cpu: [8]}]}\n",
    );
    assert_eq!(
        told,
        [
            "1:9: format: unknown word \"kubeclash.case/v2\": did you mean \"kubeclash.case/v1\"?",
            "2:8: steps: expected a list, found \"x\"",
            "3:27: cluster.nodes[0].count: -1 is out of bounds",
            "3:37: cluster.nodes[0].pods: 4294967296 is out of bounds",
            "3:54: cluster.nodes[0].cpu: expected a number or a text, found a list",
            "1:1: missing id",
            "1:1: missing title",
            "1:1: missing mechanism",
            "1:1: missing expected-runtime",
            "1:1: missing arms",
            "1:1: missing failure",
        ]
    );
}
