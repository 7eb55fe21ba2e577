//! Invariants of the repository, as tests: what a reviewer would otherwise have to remember.

#[path = "tidy/book.rs"]
mod book;
#[path = "tidy/commands.rs"]
mod commands;
#[path = "tidy/json.rs"]
mod json;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kubeclash::report::fidelity::figures;
use kubeclash::{cases, exit};
use kubeclash_cluster::{PolicyApi, policies_in};
use serde_json::{Value, json};

// How long any source file may be, and a decision record (a page).
const FILE_LINES: usize = 500;
const ADR_LINES: usize = 60;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(file: impl AsRef<Path>) -> String {
    let file = root().join(file);
    fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// The names in a folder, in order.
fn names(dir: &str) -> Vec<String> {
    let dir = root().join(dir);
    let entries = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The files of a folder that end so, without that end.
fn stems(dir: &str, end: &str) -> BTreeSet<String> {
    names(dir)
        .iter()
        .filter_map(|name| name.strip_suffix(end).map(str::to_owned))
        .collect()
}

/// Every file below a folder, relative to the root.
fn below(dir: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut dirs = vec![PathBuf::from(dir)];
    while let Some(dir) = dirs.pop() {
        for name in names(&dir.to_string_lossy()) {
            let path = dir.join(name);
            if root().join(&path).is_dir() {
                dirs.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files
}

fn sources() -> Vec<PathBuf> {
    let mut files = below("src");
    files.extend(below("tests"));
    files.extend(below("crates"));
    files.retain(|file| file.extension().is_some_and(|end| end == "rs"));
    assert!(files.len() > 50, "{files:?}");
    files
}

/// What stands in a Markdown file between `<!-- name -->` and `<!-- /name -->`.
fn between(text: &str, name: &str) -> String {
    let (from, to) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let inner = text.split_once(&from).and_then(|(_, rest)| rest.split_once(&to));
    inner.unwrap_or_else(|| panic!("no {from} … {to}")).0.to_owned()
}

fn kubeclash(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_kubeclash"))
        .args(args)
        .output()
        .expect("the program was built for this test");
    assert!(output.status.success(), "{args:?}: {}", output.status);
    String::from_utf8(output.stdout).expect("the program prints UTF-8")
}

#[test]
fn a_folder_in_manifests_is_a_case() {
    let listed: BTreeSet<String> = cases::Library::builtin()
        .iter()
        .map(|case| case.folder().to_owned())
        .collect();
    let folders: BTreeSet<String> = names("manifests").into_iter().collect();
    assert_eq!(folders, listed);
}

#[test]
fn every_case_of_the_study_has_figures_that_can_be_read() {
    let recorded = cases::recorded("figures.yaml");
    let read = figures(&recorded).unwrap_or_else(|e| panic!("{e}"));
    let builtin = cases::Library::builtin();
    let study = builtin
        .iter()
        .filter(|case| case.folder().starts_with(['c', 'l']));
    for case in study {
        let mine = read.iter().filter(|figure| figure.case == case.folder());
        assert!(mine.count() > 0, "{}: no figures", case.folder());
    }
}

#[test]
fn the_docs_have_the_smallest_profile() {
    let shown = between(&text("docs/how-to/load-test.md"), "profile");
    let profile = text("crates/load/manifests/profiles/100.yaml");
    assert_eq!(shown.trim(), format!("```yaml\n{}\n```", profile.trim()));
}

#[test]
fn the_help_has_the_exit_codes() {
    let help = kubeclash(&["--help"]);
    let help: Vec<&str> = help.split_whitespace().collect();
    let help = help.join(" ");
    for (code, meaning) in exit::ALL {
        let short = meaning.split([':', '(']).next().unwrap_or_default().trim();
        // The help is shorter where the meaning is clear from its neighbours.
        let short = short.split(" from ").next().unwrap_or_default();
        assert!(
            help.contains(&format!("{code} {short}")),
            "--help: {code} {short}"
        );
    }
}

#[test]
fn every_verb_has_an_example_in_its_help() {
    let help = kubeclash(&["--help"]);
    let verbs = help
        .split_once("Commands:\n")
        .and_then(|(_, rest)| rest.split_once("\n\n"));
    let verbs = verbs.unwrap_or_else(|| panic!("no verbs in {help}")).0;
    let verbs = verbs
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let verbs: Vec<&str> = verbs.filter(|verb| !verb.is_empty() && *verb != "help").collect();
    assert!(verbs.contains(&"compare"), "{verbs:?}");
    for verb in verbs {
        assert!(
            kubeclash(&[verb, "--help"]).contains("\nExample"),
            "kubeclash {verb} --help"
        );
    }
}

#[test]
fn the_documents_have_the_versions_that_the_manifests_have() {
    let page = text("docs/how-to/install.md");
    let rust = format!("Rust {} or newer", env!("CARGO_PKG_RUST_VERSION"));
    for document in ["README.md", "CONTRIBUTING.md", "docs/how-to/install.md"] {
        assert!(text(document).contains(&rust), "{document}: {rust}");
    }
    for (module, path, name) in [
        ("kubernetes", "k8s.io/kubernetes", "Kubernetes"),
        ("etcd", "go.etcd.io/etcd/server/v3", "etcd"),
        ("kwok", "sigs.k8s.io/kwok", "kwok"),
        ("descheduler", "sigs.k8s.io/descheduler", "descheduler"),
    ] {
        let manifest = text(format!("crates/components/modules/{module}/go.mod"));
        let line = |start: &str| {
            let words = manifest
                .lines()
                .map(|line| line.trim_start_matches("require ").trim());
            let found = words.filter_map(|line| line.strip_prefix(start)).next();
            found
                .unwrap_or_else(|| panic!("{module}/go.mod: no {start}"))
                .to_owned()
        };
        let version = line(&format!("{path} "));
        let version = if module == "etcd" {
            version.trim_start_matches('v')
        } else {
            &version
        };
        assert!(
            page.contains(&format!("{name} {version}")),
            "docs/how-to/install.md: {name} {version}"
        );
        let go = line("go ");
        let (go, _) = go.rsplit_once('.').unwrap_or((&go, ""));
        assert!(
            page.contains(&format!("Go {go} or newer")),
            "docs/how-to/install.md: Go {go}"
        );
    }
}

#[test]
fn every_file_of_the_harness_tests_is_in_their_program() {
    let main = text("tests/it/main.rs");
    let listed: BTreeSet<String> = main
        .lines()
        .filter_map(|line| Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned()))
        .collect();
    let mut files = stems("tests/it", ".rs");
    assert!(files.remove("main"));
    assert_eq!(files, listed);
}

#[test]
fn one_module_knows_the_yaml_library() {
    let library = ["serde", "yaml"].join("_");
    for file in sources() {
        let knows = text(&file).contains(&library);
        // What judges timelines depends on nothing that reads files but in its tests.
        let may = file.starts_with("crates/host/src/yaml")
            || file == Path::new("crates/timeline/src/claim/tests/mod.rs");
        assert!(may || !knows, "{}", file.display());
    }
}

#[test]
fn nothing_is_ignored_or_left_for_later() {
    // Put together here, so that this file has none of them.
    let words = [
        ["#[ign", "ore"],
        ["TO", "DO"],
        ["FIX", "ME"],
        ["todo", "!("],
        ["unimplemented", "!("],
        ["dbg", "!("],
    ];
    for file in sources() {
        let text = text(&file);
        for word in words {
            let word = word.concat();
            assert!(!text.contains(&word), "{}: {word}", file.display());
        }
    }
}

#[test]
fn files_are_not_long() {
    for file in sources() {
        let lines = text(&file).lines().count();
        assert!(
            lines <= FILE_LINES,
            "{}: {lines} lines: is there a second concept in it?",
            file.display()
        );
    }
}

#[test]
fn decisions_are_numbered_without_gaps_and_fit_a_page() {
    let records = names("docs/adr");
    for (at, name) in records.iter().enumerate() {
        assert!(
            name.starts_with(&format!("{:03}-", at + 1)),
            "docs/adr/{name}: not number {}",
            at + 1
        );
        let text = text(format!("docs/adr/{name}"));
        assert!(
            text.lines().count() <= ADR_LINES,
            "docs/adr/{name}: longer than a page"
        );
        for heading in ["## Context", "## Decision", "## Consequences"] {
            assert!(text.contains(heading), "docs/adr/{name}: no {heading}");
        }
    }
    assert!(!records.is_empty());
}

#[test]
fn the_test_that_the_page_on_rust_shows_is_the_one_that_runs_here() {
    let chapter = text("docs/how-to/rust.md");
    let shown = chapter.split("```rust\n").nth(1).unwrap();
    let shown = shown.split("```").next().unwrap();
    let ours = text("tests/cases.rs");
    let ours: String = ours
        .lines()
        .filter(|line| !line.starts_with("//!"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(shown.trim(), ours.trim());
}

#[test]
fn actions_are_pinned_and_get_no_more_than_they_need() {
    let pinned = |name: &str, text: &str| {
        let lines = text.lines().map(|line| line.trim().trim_start_matches("- "));
        // The action out of a checkout of the workflow's own commit is pinned with it.
        let uses = lines.filter_map(|line| {
            line.strip_prefix("uses: ")
                .filter(|action| *action != "./.kubeclash")
        });
        for line in uses {
            let (action, version) = line.split_once(" # v").unwrap_or((line, ""));
            let sha = action.split_once('@').map_or("", |(_, sha)| sha);
            let pinned = sha.len() == 40 && sha.chars().all(|c| c.is_ascii_hexdigit());
            assert!(pinned && !version.is_empty(), "{name}: {line}");
        }
    };
    pinned("action.yml", &text("action.yml"));
    for name in names(".github/workflows") {
        let text = text(format!(".github/workflows/{name}"));
        assert!(text.contains("\npermissions: {}\n"), "{name}: permissions");
        pinned(&name, &text);
        let jobs = text.matches("\n    runs-on: ").count();
        assert_eq!(
            text.matches("\n    timeout-minutes: ").count(),
            jobs,
            "{name}: timeouts"
        );
        assert_eq!(
            text.matches("\n    permissions:").count(),
            jobs,
            "{name}: permissions of jobs"
        );
    }
}

/// What a policy does, in either API version: by plugin, whether pods must fit elsewhere, and its other arguments.
fn meaning(policy: &Value) -> BTreeMap<String, (bool, Value)> {
    let mut found = BTreeMap::new();
    for (name, strategy) in policy["strategies"].as_object().into_iter().flatten() {
        assert_eq!(strategy["enabled"], true, "{policy}");
        let mut params = strategy["params"].clone();
        let fit = params.as_object_mut().and_then(|params| params.remove("nodeFit"));
        // Thresholds have a level of their own there.
        if let Some(thresholds) = params.get("nodeResourceUtilizationThresholds") {
            params = thresholds.clone();
        }
        found.insert(name.clone(), (fit == Some(true.into()), params));
    }
    for profile in policy["profiles"].as_array().into_iter().flatten() {
        let args = |name: &str| {
            let all = profile["pluginConfig"].as_array();
            let config = all.into_iter().flatten().find(|config| config["name"] == name);
            config
                .and_then(|config| config.get("args").cloned())
                .unwrap_or_else(|| json!({}))
        };
        let enabled = profile["plugins"]["balance"]["enabled"].as_array();
        for name in enabled.into_iter().flatten().filter_map(Value::as_str) {
            let mut args = (args("DefaultEvictor")["nodeFit"] == true, args(name));
            // The same list in the words of v1alpha1.
            if args.1["constraints"] == json!(["DoNotSchedule", "ScheduleAnyway"]) {
                args.1 = json!({"includeSoftConstraints": true});
            }
            found.insert(name.to_owned(), args);
        }
    }
    assert!(!found.is_empty(), "{policy}");
    found
}

#[test]
fn a_policy_has_a_twin_for_old_deschedulers_that_means_the_same_or_says_why_not() {
    for case in &cases::Library::builtin() {
        let scenarios = case.as_folder().map_or(&[][..], |case| case.scenarios());
        for scenario in scenarios {
            let new = policies_in(PolicyApi::V1alpha2, &scenario.policies);
            let old = policies_in(PolicyApi::V1alpha1, &scenario.policies);
            for (file, policy) in &new {
                let place = format!("manifests/{}/{file}", case.folder());
                match old.get(file) {
                    Some(twin) => assert_eq!(meaning(policy), meaning(twin), "{place}"),
                    None => assert!(
                        text(&place).contains("v1alpha1"),
                        "{place} has no twin and does not say why"
                    ),
                }
            }
        }
    }
}

#[test]
fn every_number_of_workers_is_there_for_kind_as_well() {
    let builtin = cases::Library::builtin();
    for case in builtin.iter().filter(|case| !case.local_only()) {
        let workers = case.card().workers;
        let name = ["one", "two", "three"][workers - 1];
        let config = text(format!("kind-configs/{name}-worker.yaml"));
        assert_eq!(
            config.matches("- role: worker").count(),
            workers,
            "{}",
            case.folder()
        );
    }
}
