use std::collections::BTreeMap;

use super::super::{Case, Files};

const HEAD: &str = "format: kubeclash.case/v1\nid: x1\ntitle: t\nmechanism: m\nexpected-runtime: 60s\n\
                    arms: {broken: {web: 10-web.yaml}, control: {web: 11-web.yaml, fix: f}}\n";
const STEPS: &str = "steps:\n- apply: $web\n- observe: 9s\n";
const FAILURE: &str = "failure: {rests: violated}\n";

fn deployment(replicas: usize) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {{replicas: {replicas}}}\n"
    )
}

/// What is told of a case, which begins in line 7.
fn told(case: &str) -> Vec<String> {
    let hpa = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\n";
    let policy = "apiVersion: descheduler/v1alpha2\nkind: DeschedulerPolicy\n";
    let files = [
        ("case.yaml", format!("{HEAD}{case}")),
        ("10-web.yaml", format!("{}---\n{hpa}", deployment(1))),
        ("11-web.yaml", deployment(2)),
        ("policy.yaml", policy.to_owned()),
    ];
    let files: BTreeMap<String, String> = files.map(|(name, text)| (name.to_owned(), text)).into();
    let mistakes = Case::of("x1", Files::of(files)).map_or_else(|error| error.mistakes, |_| Vec::new());
    mistakes
        .iter()
        .map(|mistake| format!("{}:{}: {}", mistake.line, mistake.column, mistake.what))
        .collect()
}

fn steps(steps: &str) -> Vec<String> {
    told(&format!(
        "{FAILURE}steps:\n- apply: $web\n{steps}\n- observe: 9s\n"
    ))
}

fn failure(failure: &str) -> Vec<String> {
    told(&format!("{STEPS}failure:\n{failure}\n"))
}

fn more(more: &str) -> Vec<String> {
    told(&format!("{STEPS}{FAILURE}{more}\n"))
}

const NONE: [&str; 0] = [];

#[test]
fn what_is_right_is_told_nothing_of() {
    let right = steps(
        "- label: {kind-worker: node=1, deployment/web: [a=b, c-]}\n- taint: {kind-worker2: [a=b:NoExecute, a-]}\n\
         - scale: {deploy/web: 3}\n- set-image: {deployment/default/web: 'nginx:1'}\n- delete: pod/web-1\n\
         - patch: hpa/web\n  with: {spec: {minReplicas: 2}}\n- cpu: {of: deployment/web, each-pod: [{for: 9s, use: 1}, {use: 0}]}\n\
         - drain: {fullest-of: deployment/web}\n- uncordon: the drained node\n- stop-node: kind-worker3\n- start-node: the stopped node\n\
         - add-nodes: {count: 2, labels: {a: 1}, taints: ['a:NoSchedule']}\n- remove-node: kind-worker5\n\
         - descheduler: {policy: policy.yaml}\n- stop: descheduler\n- apply: 11-web.yaml\n  every: 9s\n- stop: apply\n- mark: one\n\
         - wait: {deployment/web: {ready: 3}, hpa/web: {min: 1}, node/kind-worker: {pods: 1}, pods: {all: 3}}\n  within: 9s",
    );
    assert_eq!(right, NONE);
    let right = failure(
        "  all:\n  - {keeps-floor: violated, as: dip, of: deployment/web, floor: replicas - 1, what: wanted, since: applied, to: end,\n\
         \x20    then: {back-at: hpa.min}}\n  - {keeps-spread: violated, over: zone, max-skew: 1}\n\
         \x20 - {scales-with-load: violated, up-to: hpa.max, then: {falls-to: hpa.max / 2}}\n  - {stays-up: violated, of: nodes}",
    );
    assert_eq!(right, NONE);
    let right = more(
        "premises: [{seen: {hpa/web: {cpu: '>= 50 %'}}}]\nfacts:\n  a: {first: {nodes: {open: 3}}, after: b}\n  b: {first: {nodes: {open: 3}}}\n\
         \x20 c: {most: {deployment/web: wanted}}\nvary: {nodes: 1..6, policy.maxSkew: [1, 2]}",
    );
    assert_eq!(right, NONE);
}

#[test]
fn objects_that_no_manifest_makes_are_told_with_the_nearest() {
    let unknown = |place: &str, path: &str| {
        vec![format!(
            "{place}: {path}: no manifest of the case makes \"deployment/wep\": did you mean \"deployment/web\"?"
        )]
    };
    assert_eq!(
        steps("- scale: {deployment/wep: 3}"),
        unknown("10:11", "steps[1].scale.deployment/wep")
    );
    assert_eq!(steps("- delete: deploy/wep"), unknown("10:11", "steps[1].delete"));
    assert_eq!(
        steps("- drain: {fullest-of: deploy/wep}"),
        unknown("10:23", "steps[1].drain.fullest-of")
    );
    assert_eq!(
        steps("- cpu: {of: deploy/wep, all-pods: [{use: 1}]}"),
        unknown("10:13", "steps[1].cpu.of")
    );
    assert_eq!(
        steps("- wait: {deployment/wep: {ready: 1}}\n  within: 9s"),
        unknown("10:10", "steps[1].wait.deployment/wep")
    );
    assert_eq!(
        failure("  rests: violated\n  of: deploy/wep"),
        unknown("12:7", "failure.of")
    );
    assert_eq!(steps("- scale: {web: 3}").len(), 1);
    assert_eq!(
        steps("- scale: {deployment/shop/web: 3}").len(),
        1,
        "another namespace"
    );
    assert_eq!(steps("- delete: pod/wep-1").len(), 1);
}

#[test]
fn a_controller_may_make_what_it_likes() {
    let case = "controllers: [{name: keeper, run: 'src:./keeper'}]\nsteps: [{start: keeper}, {apply: $web}, {observe: 9s}, {stop: keeper}]\n\
                failure: {rests: violated, of: rollout/anything, since: started}\n";
    assert_eq!(told(case), NONE);
}

#[test]
fn numbers_that_an_object_has_not_are_told_with_the_nearest() {
    assert_eq!(
        steps("- wait: {deployment/web: {avaliable: 1}}\n  within: 9s"),
        [
            "10:27: steps[1].wait.deployment/web.avaliable: there is no number \"avaliable\" of it: did you mean \"available\"?"
        ]
    );
    assert_eq!(
        more("facts: {a: {most: {nodes: opn}}, b: {last: {}}}"),
        [
            "11:27: facts.a.most.nodes: there is no number \"opn\" of it: did you mean \"open\"?",
            "11:44: facts.b.last: expected one object and its number, e.g. {deployment/web: wanted}",
        ]
    );
    assert_eq!(
        steps("- wait: {node: {ready: 1}, nodes: {}}\n  within: 9s"),
        [
            "10:10: steps[1].wait.node: \"node\" names no object: did you mean \"nodes\"?",
            "10:35: steps[1].wait.nodes: no number is compared"
        ]
    );
    assert_eq!(
        more("premises: [{seen: {}}]"),
        ["11:19: premises[0].seen: an empty condition holds at once"]
    );
}

#[test]
fn nodes_are_those_of_the_cluster() {
    assert_eq!(
        steps("- cordon: kind-worker4"),
        ["10:11: steps[1].cordon: no node is called \"kind-worker4\": did you mean \"kind-worker\"?"]
    );
    assert_eq!(steps("- cordon: kind-worker4\n- add-nodes: {}"), NONE);
    assert_eq!(
        told(&format!(
            "cluster: {{nodes: [{{}}, {{count: 1}}]}}\n{STEPS}failure: {{fits: violated, on: kind-worker3}}\n"
        ))
        .len(),
        1
    );
    assert_eq!(
        steps("- uncordon: the drained node\n- start-node: the stopped node"),
        [
            "10:13: steps[1].uncordon: no node is drained or cordoned before this",
            "11:15: steps[2].start-node: no node is stopped before this",
        ]
    );
    assert_eq!(
        told(&format!(
            "cluster: {{nodes: [{{count: 0, labels: {{a b: c}}, taints: ['a=b:Never', 'a-']}}]}}\n{STEPS}{FAILURE}"
        )),
        [
            "7:27: cluster.nodes[0].count: expected 1 to 5000",
            "7:39: cluster.nodes[0].labels.a b: no label: keys and values are of letters, digits, -, _ and .",
            "7:57: cluster.nodes[0].taints[0]: \"a=b:Never\": \"Never\" is no effect of a taint: they are NoSchedule, PreferNoSchedule, NoExecute",
            "7:70: cluster.nodes[0].taints[1]: \"a-\" takes a taint away, and there is none yet",
        ]
    );
    assert_eq!(
        steps("- label: {kind-worker: node 1}\n- taint: {kind-worker: key}"),
        [
            "10:24: steps[1].label.kind-worker: \"node 1\" is no label: write key=value, or key- to remove it",
            "11:24: steps[2].taint.kind-worker: \"key\" is no taint: write key=value:Effect, and key:Effect- to take it away",
        ]
    );
}

#[test]
fn marks_are_put_once_and_before_they_are_named() {
    assert_eq!(
        steps("- mark: one\n- mark: one\n- mark: end"),
        [
            "11:9: steps[2].mark: the mark \"one\" is put a second time",
            "12:9: steps[3].mark: \"end\" is a mark that is there without being put"
        ]
    );
    let claim = |claim: &str| {
        told(&format!(
            "steps: [{{apply: $web}}, {{mark: one}}, {{mark: two}}, {{observe: 9s}}]\nfailure: {{rests: violated, {claim}}}\n"
        ))
    };
    assert_eq!(claim("since: one, to: two"), NONE);
    assert_eq!(
        claim("from: tow"),
        ["8:34: failure.from: no step puts a mark \"tow\": did you mean \"two\"?"]
    );
    assert_eq!(
        claim("since: two, to: one"),
        ["8:44: failure.to: the mark \"one\" does not come after \"two\""]
    );
    assert_eq!(
        claim("since: started"),
        ["8:35: failure.since: no descheduler or controller is started, so there is no mark \"started\""]
    );
    assert_eq!(more("premises: [{seen: {nodes: {open: 3}}, to: x}]").len(), 1);
    assert_eq!(more("facts: {a: {most: {nodes: open}, since: x}}").len(), 1);
}

#[test]
fn a_claim_is_of_one_property_and_has_what_belongs_to_it() {
    assert_eq!(
        failure("  of: deployment/web"),
        [
            "11:3: failure: missing one of rests, schedules, keeps-floor, keeps-spread, scales-with-load, progresses, fits, stays-up"
        ]
    );
    assert_eq!(
        failure("  rests: violated\n  fits: violated"),
        ["11:3: failure: rests and fits exclude each other: write one of them"]
    );
    assert_eq!(
        failure("  rests: violated\n  as: dip"),
        ["12:7: failure.as: \"dip\" violates \"keeps-floor\", not \"rests\""]
    );
    for (field, of) in [
        ("floor: 1", "keeps-floor"),
        ("what: wanted", "keeps-floor"),
        ("over: zone", "keeps-spread"),
        ("max-skew: 1", "keeps-spread"),
        ("up-to: 1", "scales-with-load"),
    ] {
        let name = field.split(':').next().unwrap();
        let text = if field == "floor: 1" { "floor: '1'" } else { field };
        let told = failure(&format!("  rests: violated\n  {text}"));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].ends_with(&format!("failure.{name}: only \"{of}\" has \"{name}\"")),
            "{told:?}"
        );
    }
    assert_eq!(
        failure("  keeps-floor: violated\n  floor: hpa.minimum\n  what: ready\n  then: {by: [x]}"),
        [
            "12:10: failure.floor: \"hpa.minimum\" is unknown here: write \"hpa.min\", \"pdb\", \"max-unavailable\", \"replicas\" or a number",
            "13:9: failure.what: \"ready\" is unknown here: write available or wanted",
            "14:9: failure.then: missing one of back-at, falls-to",
        ]
    );
    for (claim, told) in [
        (
            "  keeps-floor: violated\n  at-least: 3 rounds",
            "a violation of \"keeps-floor\" is a state and is not counted: write \"for\"",
        ),
        (
            "  rests: violated\n  at-least: 3 nodes",
            "a violation of \"rests\" is counted in rounds or pods or replicasets, not in nodes",
        ),
        (
            "  rests: violated\n  as: replica-oscillation\n  at-least: 3 replicasets",
            "\"replica-oscillation\" is counted in rounds, not in replicasets",
        ),
    ] {
        let flaws = failure(claim);
        assert_eq!(flaws.len(), 1, "{flaws:?}");
        assert!(
            flaws[0].ends_with(&format!("failure.at-least: {told}")),
            "{flaws:?}"
        );
    }
    let of = failure("  rests: violated\n  of: pdb/web");
    assert!(
        of[0].ends_with("failure.of: \"pdb/web\" is no workload: it has no pods"),
        "{of:?}"
    );
    assert_eq!(failure("  all: []"), ["11:8: failure.all: nothing is claimed"]);
}

#[test]
fn premises_and_facts_say_one_thing_each() {
    assert_eq!(
        more("premises: [{to: end}]"),
        ["11:12: premises[0]: missing one of seen, always"]
    );
    assert_eq!(
        more("facts: {a: {most: {nodes: open}, last: {nodes: open}}, b: {since: end}}"),
        [
            "11:12: facts.a: most and last exclude each other: write one of them",
            "11:59: facts.b: missing one of most, least, last, first, longest",
        ]
    );
    let after = |name: &str| {
        more(&format!(
            "facts: {{late: {{most: {{nodes: open}}, after: {name}}}, first: {{first: {{nodes: {{open: 1}}}}}}}}"
        ))
    };
    assert_eq!(after("first"), NONE);
    assert_eq!(
        after("frist"),
        [
            "11:44: facts.late.after: no other fact is called \"frist\" and has a time (\"first\"): did you mean \"first\"?"
        ]
    );
    assert_eq!(after("late").len(), 1);
    assert_eq!(
        more("vary: {nodes: many}"),
        ["11:8: vary.nodes: expected from..to or a list of values"]
    );
}

#[test]
fn controllers_are_declared_and_started() {
    let case = |controllers: &str, start: &str| {
        told(&format!(
            "controllers: [{controllers}]\nsteps: [{{apply: $web}}, {start}, {{observe: 9s}}]\n{FAILURE}"
        ))
    };
    let keeper = "{name: keeper, run: 'src:.'}";
    assert_eq!(case(keeper, "start: keeper"), NONE);
    assert_eq!(
        case(keeper, "start: keper"),
        [
            "7:22: controllers[0].name: no step starts it: write \"start: keeper\"",
            "8:31: steps[1].start: no controller is called \"keper\": did you mean \"keeper\"?"
        ]
    );
    assert_eq!(
        case("{name: kubelet, run: 'src:.'}", "mark: x")[0],
        "7:22: controllers[0].name: \"kubelet\" is the name of something else"
    );
    assert_eq!(
        case(&format!("{keeper}, {keeper}"), "start: keeper"),
        ["7:52: controllers[1].name: a second controller called \"keeper\""]
    );
    assert_eq!(
        case("{name: My keeper, run: 'src:.'}", "start: My keeper"),
        [
            "7:22: controllers[0].name: a controller's name is of small letters, digits and -, with a letter first"
        ]
    );
    assert_eq!(
        case("{name: keeper, run: v1.2.3}", "start: keeper"),
        ["7:35: controllers[0].run: \"v1.2.3\" is a release, and of what nobody knows"]
    );
    assert_eq!(case("{name: keeper, run: keeper}", "start: keeper").len(), 1);
    assert_eq!(
        steps("- stop: descheduler\n- stop: apply\n- stop: kepr\n- start: descheduler"),
        [
            "10:9: steps[1].stop: no step starts a descheduler",
            "11:9: steps[2].stop: no step applies again and again (\"every\")",
            "12:9: steps[3].stop: no controller is called \"kepr\"",
            "13:10: steps[4].start: the descheduler has a step of its own",
        ]
    );
}

#[test]
fn the_components_of_a_cluster_have_what_they_can_have() {
    assert_eq!(
        told(&format!(
            "cluster: {{apiserver: {{config: policy.yaml, args: [v=1]}}, scheduler: {{controllers: [x]}}}}\n{STEPS}{FAILURE}"
        )),
        [
            "7:31: cluster.apiserver.config: only schedulers have a configuration",
            "7:51: cluster.apiserver.args[0]: an argument is --name=value",
            "7:83: cluster.scheduler.controllers: only the controller-manager has controllers",
        ]
    );
}

#[test]
fn what_is_done_is_watched() {
    let case = |steps: &str| told(&format!("steps: [{{apply: $web}}, {steps}]\n{FAILURE}"));
    assert_eq!(case("{observe: 9s}"), NONE);
    assert_eq!(case("{wait: {nodes: {open: 3}}, within: 9s}, {mark: x}"), NONE);
    assert_eq!(
        case("{mark: x}"),
        ["7:8: steps: nothing watches what comes of the steps"]
    );
    assert_eq!(
        case("{wait: {nodes: {open: 3}}, within: 9s}, {apply: 11-web.yaml}").len(),
        1
    );
}

#[test]
fn steps_have_what_belongs_to_them() {
    assert_eq!(
        steps(
            "- cpu: {of: deployment/web}\n- cpu: {of: deployment/web, each-pod: [], all-pods: []}\n- cpu: {of: deployment/web, each-pod: []}\n\
               - cpu: {of: deployment/web, each-pod: [{use: 1}, {use: 2}]}\n- scale: {deployment/web: -1}\n- apply: 11-web.yaml\n  force: true"
        ),
        [
            "10:8: steps[1].cpu: expected one of each-pod and all-pods",
            "11:8: steps[2].cpu: expected one of each-pod and all-pods",
            "12:39: steps[3].cpu.each-pod: no piece: write [{use: 100m}]",
            "13:40: steps[4].cpu.each-pod[0]: missing for: only the last piece lasts for ever",
            "14:27: steps[5].scale.deployment/web: \"deployment/web\" can't have less than no replicas",
            "16:10: steps[6].force: \"force\" needs \"server-side\"",
        ]
    );
}
