//! Wrappers of releases, from what `go mod edit -json` printed of their go.mod files, cut down to a line of each kind.

use super::*;

/// Kubernetes v1.24.17: everything is replaced, most by itself, the staging modules by folders.
const KUBERNETES: &str = r#"{
    "Module": {"Path": "k8s.io/kubernetes"}, "Go": "1.19",
    "Require": [
        {"Path": "github.com/gogo/protobuf", "Version": "v1.3.2"},
        {"Path": "k8s.io/api", "Version": "v0.0.0"},
        {"Path": "k8s.io/klog/v2", "Version": "v2.60.1"}
    ],
    "Exclude": null,
    "Replace": [
        {"Old": {"Path": "github.com/gogo/protobuf"}, "New": {"Path": "github.com/gogo/protobuf", "Version": "v1.3.2"}},
        {"Old": {"Path": "gopkg.in/yaml.v2", "Version": "v2.4.0"}, "New": {"Path": "example.org/yaml", "Version": "v2.4.1"}},
        {"Old": {"Path": "k8s.io/api"}, "New": {"Path": "./staging/src/k8s.io/api"}},
        {"Old": {"Path": "k8s.io/sample-cli-plugin"}, "New": {"Path": "./staging/src/k8s.io/sample-cli-plugin"}}
    ],
    "Retract": null
}"#;

/// Kubernetes v1.32.13 says how go shall behave.
const DEBUG: &str = r#"{
    "Go": "1.23.0", "Toolchain": "go1.23.8",
    "GoDebug": [{"Key": "default", "Value": "go1.23"}, {"Key": "winsymlink", "Value": "0"}],
    "Exclude": [{"Path": "x.y/z", "Version": "v1.0.0"}]
}"#;

/// The server of etcd v3.5.9: its siblings are required at the release's own version.
const ETCD: &str = r#"{
    "Go": "1.19",
    "Require": [{"Path": "go.etcd.io/etcd/api/v3", "Version": "v3.5.9"}, {"Path": "go.etcd.io/etcd/client/v2", "Version": "v2.305.9"}],
    "Replace": [
        {"Old": {"Path": "go.etcd.io/etcd/api/v3"}, "New": {"Path": "../api"}},
        {"Old": {"Path": "go.etcd.io/etcd/client/v2"}, "New": {"Path": "../client/v2"}},
        {"Old": {"Path": "go.etcd.io/etcd/server/v3"}, "New": {"Path": "."}}
    ]
}"#;

fn wanted<'a>(module: &'a str, version: &'a str, query: &'a str) -> Wanted<'a> {
    Wanted {
        module,
        version,
        query,
    }
}

fn read(text: &str) -> GoMod {
    serde_json::from_str(text).unwrap()
}

/// The wrapper, if every sibling is published under the first of its candidates.
fn wrapper(text: &str, wanted: &Wanted<'_>) -> String {
    let go_mod = read(text);
    let first = |sibling: Sibling| (sibling.module, sibling.candidates[0].clone());
    let published = go_mod.siblings(wanted).into_iter().map(first).collect();
    go_mod.wrapper(wanted, &published)
}

#[test]
fn staging_modules_become_their_published_versions_and_all_else_is_carried_over() {
    let text = wrapper(KUBERNETES, &wanted("k8s.io/kubernetes", "v1.24.17", "v1.24.17"));
    assert_eq!(
        text,
        "module kubeclash.dev/components/wrapper\n\n\
         go 1.19\n\n\
         require k8s.io/kubernetes v1.24.17\n\n\
         replace github.com/gogo/protobuf => github.com/gogo/protobuf v1.3.2\n\
         replace gopkg.in/yaml.v2 v2.4.0 => example.org/yaml v2.4.1\n\
         replace k8s.io/api => k8s.io/api v0.24.17\n\
         replace k8s.io/sample-cli-plugin => k8s.io/sample-cli-plugin v0.24.17\n"
    );
}

#[test]
fn what_is_not_published_is_left_out_of_the_text() {
    let text = read(KUBERNETES).wrapper(
        &wanted("k8s.io/kubernetes", "v1.24.17", "v1.24.17"),
        &BTreeMap::new(),
    );
    assert!(
        !text.contains("staging") && !text.contains("k8s.io/api"),
        "{text}"
    );
}

#[test]
fn how_go_behaves_is_the_releases_own_choice() {
    let text = wrapper(DEBUG, &wanted("k8s.io/kubernetes", "v1.32.13", "v1.32.13"));
    for line in [
        "go 1.23.0",
        "godebug default=go1.23",
        "godebug winsymlink=0",
        "exclude x.y/z v1.0.0",
    ] {
        assert!(
            text.lines().any(|written| written == line),
            "{line:?} is not in {text}"
        );
    }
    assert!(
        !text.contains("toolchain"),
        "any Go that is new enough will do: {text}"
    );
    let old = wrapper("{}", &wanted("x.y/z", "v1.0.0", "v1.0.0"));
    assert!(
        old.contains("\ngo 1.16\n"),
        "what a go.mod without the line means: {old}"
    );
}

#[test]
fn siblings_of_a_tag_are_what_it_requires() {
    let text = wrapper(ETCD, &wanted("go.etcd.io/etcd/server/v3", "v3.5.9", "v3.5.9"));
    for line in [
        "replace go.etcd.io/etcd/api/v3 => go.etcd.io/etcd/api/v3 v3.5.9",
        "replace go.etcd.io/etcd/client/v2 => go.etcd.io/etcd/client/v2 v2.305.9",
    ] {
        assert!(
            text.lines().any(|written| written == line),
            "{line:?} is not in {text}"
        );
    }
    assert!(!text.contains("replace go.etcd.io/etcd/server"), "{text}");
}

#[test]
fn candidates_fit_the_path_and_a_branch_is_looked_for_there_too() {
    let of = |module: &str, version: &str, query: &str| {
        candidates(module, &wanted("k8s.io/kubernetes", version, query))
    };
    assert_eq!(of("k8s.io/api", "v1.24.17", "v1.24.17"), ["v0.24.17", "v1.24.17"]);
    assert_eq!(of("x.y/z/v2", "v2.1.0", "v2.1.0"), ["v2.1.0"]);
    assert_eq!(of("x.y/z", "v0.5.0", "latest"), ["v0.5.0", "latest"]);
    let commit = "v1.36.0-alpha.0.0.20260101000000-0123456789ab";
    assert_eq!(of("k8s.io/api", commit, "release-1.36"), ["release-1.36"]);
    assert_eq!(
        of("k8s.io/api", "v1.37.0-rc.1", "v1.37.0-rc.1"),
        ["v0.37.0-rc.1", "v1.37.0-rc.1"]
    );
}

#[test]
fn placeholders_and_queries_are_no_versions() {
    let required = r#"{"Require": [{"Path": "x.y/z", "Version": "v0.0.0-00010101000000-000000000000"}],
        "Replace": [{"Old": {"Path": "x.y/z"}, "New": {"Path": "./z"}}]}"#;
    let siblings = read(required).siblings(&wanted("x.y", "v1.2.3", "v1.2.3"));
    assert_eq!(siblings[0].candidates, ["v0.2.3", "v1.2.3"]);
    assert!(siblings[0].required);
    assert!(!read(KUBERNETES).siblings(&wanted("k8s.io/kubernetes", "v1.24.17", ""))[1].required);
    for text in [
        "v1.2.3",
        "v2.0.0+incompatible",
        "v0.0.0-20260101000000-0123456789ab",
    ] {
        assert!(is_version(text), "{text}");
    }
    for text in ["latest", "main", "v1", "v1.2", "1.2.3", "abc123"] {
        assert!(!is_version(text), "{text}");
    }
}

#[test]
fn tools_name_every_package_once() {
    let packages = ["x.y/b", "x.y/a", "x.y/b"].map(str::to_owned);
    let text = tools(&packages);
    assert!(
        text.ends_with("import (\n\t_ \"x.y/a\"\n\t_ \"x.y/b\"\n)\n"),
        "{text}"
    );
}
