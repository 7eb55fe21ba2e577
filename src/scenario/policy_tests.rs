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
        "mine.yaml:2: kind: expected \"DeschedulerPolicy\", found \"Policy\""
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
