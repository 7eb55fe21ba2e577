use super::*;

const V1ALPHA1: &str = "apiVersion: descheduler/v1alpha1\nkind: DeschedulerPolicy\nstrategies: {}\n";
const V1ALPHA2: &str = "apiVersion: descheduler/v1alpha2\nkind: DeschedulerPolicy\nprofiles: []\n";

fn mistake(text: &str) -> String {
    policy_of("mine.yaml", text).unwrap_err().to_string()
}

#[test]
fn a_policy_of_either_api_version_is_one() {
    let old = Policy::parse("old.yaml".into(), V1ALPHA1).unwrap();
    let new = Policy::parse("new.yaml".into(), &format!("# mine\n---\n{V1ALPHA2}")).unwrap();
    assert_eq!((old.api, new.api), (PolicyApi::V1alpha1, PolicyApi::V1alpha2));
}

#[test]
fn what_is_no_policy_is_named_with_its_line() {
    assert!(
        mistake("a: [\n").starts_with("mine.yaml:"),
        "{}",
        mistake("a: [\n")
    );
    assert!(mistake("a: [\n").contains("not YAML"));
    assert_eq!(
        mistake("apiVersion: descheduler/v1alpha2\nkind: Policy\n"),
        "mine.yaml:2: kind: expected \"DeschedulerPolicy\", found \"Policy\"; a policy is looked for at the top of the file \
         and below any field \"deschedulerPolicy\", as in Helm values and in spec.values of a HelmRelease"
    );
    assert_eq!(
        mistake("kind: DeschedulerPolicy\napiVersion: descheduler/v1\n"),
        "mine.yaml:2: apiVersion: expected descheduler/v1alpha1 or descheduler/v1alpha2, found \"descheduler/v1\""
    );
    assert_eq!(
        mistake("kind: DeschedulerPolicy\n"),
        "mine.yaml:1: apiVersion: expected descheduler/v1alpha1 or descheduler/v1alpha2, found null"
    );
    assert_eq!(
        mistake("# nothing\n"),
        "mine.yaml:1: there is no DeschedulerPolicy in it"
    );
    assert!(
        mistake("kind: Pod\n---\nkind: Service\n")
            .contains("there is no DeschedulerPolicy in it: a policy is looked"),
    );
    assert_eq!(
        mistake(&format!("{V1ALPHA2}---\n{V1ALPHA1}")),
        "mine.yaml:5: one DeschedulerPolicy is all that fits in a file"
    );
}

#[test]
fn a_descheduler_gets_the_newest_api_version_that_it_knows() {
    for (version, api) in [
        ("v0.24.0", PolicyApi::V1alpha1),
        ("v0.26.1", PolicyApi::V1alpha1),
        ("v0.27.0", PolicyApi::V1alpha2),
        ("v0.36.0", PolicyApi::V1alpha2),
        ("unknown", PolicyApi::V1alpha2),
    ] {
        assert_eq!(PolicyApi::for_descheduler(version), api, "{version}");
    }
    let known = |minor| PolicyApi::ALL.map(|api| api.is_known_by(Minor::new(0, minor)));
    assert_eq!(known(26), [true, false]);
    assert_eq!(known(30), [true, true]);
    assert_eq!(known(31), [false, true]);
}

#[test]
fn policies_go_by_the_names_that_the_steps_have_for_them() {
    let policies = [
        ("policy.yaml", "new"),
        ("policy.v1alpha1.yaml", "old"),
        ("policy-x.yaml", "x"),
    ];
    let policies: BTreeMap<String, Value> = policies
        .map(|(file, text)| (file.to_owned(), Value::from(text)))
        .into();
    let names = |api| {
        let found = policies_in(api, &policies);
        found
            .into_iter()
            .map(|(file, text)| format!("{file}={}", text.as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(PolicyApi::V1alpha2), ["policy-x.yaml=x", "policy.yaml=new"]);
    assert_eq!(names(PolicyApi::V1alpha1), ["policy.yaml=old"], "x has no twin");
}

fn field_file(name: &str) -> String {
    let path = format!("{}/../../tests/field/policies/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn found(text: &str) -> (Policy, String) {
    let policy = Policy::parse("mine.yaml".into(), text).unwrap();
    let places = policy.notes().filter(|note| note.kind == NoteKind::Found);
    let places: Vec<String> = places.map(PolicyNote::to_string).collect();
    let note = places.join("\n");
    (policy, note)
}

#[test]
fn a_policy_among_helm_values_is_what_the_chart_makes_of_it_and_its_place_is_told() {
    let (policy, note) = found(&field_file("helm-values.yaml"));
    let taken_out = policy_of("x", &field_file("helm-values-taken-out.yaml")).unwrap();
    assert_eq!(policy.document, taken_out);
    assert_eq!(policy.api, PolicyApi::V1alpha2);
    assert_eq!(
        note,
        "mine.yaml:6: the policy is the one below descheduler.deschedulerPolicy, as descheduler/v1alpha2"
    );
}

#[test]
fn the_values_of_a_chart_say_which_api_version_their_policy_has() {
    for (text, api) in [
        ("deschedulerPolicy: {profiles: []}\n", PolicyApi::V1alpha2),
        ("deschedulerPolicy: {strategies: {}}\n", PolicyApi::V1alpha1),
        (
            "deschedulerPolicyAPIVersion: descheduler/v1alpha1\ndeschedulerPolicy: {}\n",
            PolicyApi::V1alpha1,
        ),
        (
            "deschedulerPolicy: {apiVersion: descheduler/v1alpha1, kind: DeschedulerPolicy}\n",
            PolicyApi::V1alpha1,
        ),
    ] {
        let (policy, _) = found(text);
        assert_eq!(policy.api, api, "{text}");
        assert_eq!(policy.document["apiVersion"], api.to_string(), "{text}");
        assert_eq!(policy.document["kind"], "DeschedulerPolicy", "{text}");
    }
    assert_eq!(
        mistake("a:\n  deschedulerPolicyAPIVersion: descheduler/v2\n  deschedulerPolicy: {}\n"),
        "mine.yaml:2: a.deschedulerPolicyAPIVersion: expected descheduler/v1alpha1 or descheduler/v1alpha2, found \
         \"descheduler/v2\""
    );
}

#[test]
fn a_policy_in_a_helm_release_is_found_among_other_documents() {
    let text = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
spec: {url: https://kubernetes-sigs.github.io/descheduler}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
spec:
  values:
    deschedulerPolicy:
      profiles:
        - name: default
          nodeFit: true
";
    let (policy, note) = found(text);
    assert!(
        note.starts_with("mine.yaml:9: the policy is the one below spec.values.deschedulerPolicy"),
        "{note}"
    );
    assert_eq!(policy.document["profiles"][0]["name"], "default");
    let lines: Vec<usize> = policy.notes().map(|note| note.line).collect();
    assert_eq!(
        lines,
        [9, 10, 12],
        "lines are those of the file, not of the document"
    );
}

#[test]
fn two_policies_in_one_file_are_named_and_none_is_taken() {
    let text = "a:\n  deschedulerPolicy: {}\nb:\n  - deschedulerPolicy: {}\n";
    assert_eq!(
        mistake(text),
        "mine.yaml:2: one policy is all that fits in a file: there are \"a.deschedulerPolicy\" (line 2), \
         \"b[0].deschedulerPolicy\" (line 4)"
    );
    assert!(
        mistake("deschedulerPolicy: 3\n")
            .starts_with("mine.yaml:1: deschedulerPolicy: expected the fields of a policy")
    );
    assert!(
        mistake("deschedulerPolicy:\n").contains("a policy is looked for"),
        "nothing is no policy"
    );
}

#[test]
fn a_config_map_is_refused_with_the_key_that_its_policy_is_under() {
    assert_eq!(
        mistake(&field_file("config-map.yaml")),
        "mine.yaml:5: kind ConfigMap is no policy: the policy is the text under data[\"policy.yaml\"]: put that into a file of its \
         own, as `yq -r '.data[\"policy.yaml\"]' mine.yaml > policy.yaml` does, and name that one"
    );
    let application = "kind: Application\nspec:\n  source:\n    helm:\n      values: |\n        deschedulerPolicy:\n          \
                       profiles: []\n";
    assert!(mistake(application).starts_with(
        "mine.yaml:5: kind Application is no policy: the policy is the text under spec.source.helm.values"
    ));
    let other = "kind: ConfigMap\ndata: {note: this is no DeschedulerPolicy}\n";
    assert!(
        mistake(other)
            .contains("expected \"DeschedulerPolicy\", found \"ConfigMap\"; a policy is looked for")
    );
}

#[test]
fn anchors_and_merges_are_written_out() {
    let text = "apiVersion: descheduler/v1alpha2\nkind: DeschedulerPolicy\nprofiles:\n  - &a\n    name: a\n    \
                pluginConfig: [{name: RemoveDuplicates}]\n    plugins: {balance: {enabled: [RemoveDuplicates]}}\n  - <<: *a\n    \
                name: b\n";
    let policy = Policy::parse("mine.yaml".into(), text).unwrap();
    assert_eq!(
        policy.document["profiles"][1]["plugins"]["balance"]["enabled"][0],
        "RemoveDuplicates"
    );
    assert_eq!(policy.notes().next(), None);
}
