use std::collections::BTreeMap;

use super::*;

/// The files of the case that `case new` writes, to be spoiled.
fn files() -> BTreeMap<String, String> {
    let files = template::files("x1").into_iter();
    files.map(|(name, text)| (name.to_owned(), text)).collect()
}

fn read(files: BTreeMap<String, String>) -> Result<Case, CaseError> {
    Case::of("x1_dip", Files::of(files))
}

/// What is told of the case when a piece of a file is another.
fn spoiled(file: &str, from: &str, to: &str) -> Vec<String> {
    let mut files = files();
    let text = files.get_mut(file).unwrap();
    assert!(text.contains(from), "no {from:?} in {file}");
    *text = text.replace(from, to);
    told(read(files))
}

fn told(read: Result<Case, CaseError>) -> Vec<String> {
    let mistakes = read.map_or_else(|error| error.mistakes, |_| Vec::new());
    mistakes
        .iter()
        .map(|mistake| format!("{}:{}: {}", mistake.file, mistake.line, mistake.what))
        .collect()
}

#[test]
fn the_case_that_is_written_is_one() {
    let case = read(files()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((case.id(), case.slug(), case.workers()), ("x1", "dip", 1));
    assert_eq!(case.variants(), [None]);
    let broken = case.scenario(Arm::Broken, None).unwrap();
    assert_eq!(broken.manifests.len(), 3);
    let control = case.scenario(Arm::Control, None).unwrap();
    assert!(!control.manifests.contains_key("10-web.yaml"));
    assert_ne!(broken.inputs_sha256, control.inputs_sha256);
    assert!(case.fix().starts_with("the first manifest"));
    assert!(case.is_called("x1") && case.is_called("d?p") && !case.is_called("c1"));
    let names: Vec<&str> = case.files().iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "10-web-without-replicas.yaml",
            "10-web.yaml",
            "20-hpa.yaml",
            "case.yaml"
        ]
    );
}

#[test]
fn the_id_is_the_beginning_of_the_folders_name() {
    assert_eq!(
        spoiled("case.yaml", "id: x1", "id: x"),
        ["case.yaml:6: id: \"x\" is not the folder's name, \"x1_dip\", or its beginning before the _"]
    );
    assert_eq!(
        spoiled("case.yaml", "id: x1", "id: X_1"),
        ["case.yaml:6: id: \"X_1\" is no id: it is of small letters and digits"]
    );
    assert!(Case::of("x1", Files::of(files())).is_ok());
}

#[test]
fn every_arm_names_the_same_values_and_uses_them() {
    assert_eq!(
        spoiled("case.yaml", "first: 10-web-without", "frist: 10-web-without"),
        [
            "case.yaml:18: arms.broken: missing \"frist\", which others have",
            "case.yaml:20: arms.control: missing \"first\", which others have",
            "case.yaml:21: arms.control.frist: nothing uses \"frist\"",
        ]
    );
    assert_eq!(
        spoiled("case.yaml", "- apply: $first", "- apply: 10-web.yaml"),
        ["case.yaml:19: arms.broken.first: nothing uses \"first\""]
    );
    assert_eq!(
        spoiled("case.yaml", "    fix: the", "    first2: the"),
        [
            "case.yaml:18: arms.broken: missing \"first2\", which others have",
            "case.yaml:20: arms.control: missing fix",
            "case.yaml:22: arms.control.first2: nothing uses \"first2\"",
        ]
    );
    let same = spoiled(
        "case.yaml",
        "first: 10-web-without-replicas.yaml",
        "first: 10-web.yaml",
    );
    assert_eq!(
        same,
        ["case.yaml:17: arms: the broken arm is the same as the control"]
    );
}

#[test]
fn a_mistake_in_a_value_is_told_once_and_where_the_value_stands() {
    assert_eq!(
        spoiled("case.yaml", "    first: 10-web.yaml", "    first: 10-wep.yaml"),
        ["case.yaml:19: arms.broken.first: there is no file \"10-wep.yaml\": did you mean \"10-web.yaml\"?"]
    );
    let error = read(
        files()
            .into_iter()
            .map(|(name, text)| {
                (
                    name,
                    text.replace("    first: 10-web.yaml", "    first: [{observe: 1s}]"),
                )
            })
            .collect(),
    )
    .unwrap_err();
    assert_eq!(error.mistakes.len(), 1, "{error}");
    assert_eq!(
        error.mistakes[0].what,
        "arms.broken.first[0]: expected a text, found fields"
    );
    assert_eq!(error.mistakes[0].help.as_deref(), Some("only so in broken"));
}

#[test]
fn variants_have_values_of_their_own() {
    let variants = "variants:\n  small: {floor: '3', act: nothing}\n  large: {floor: '4', act: [{mark: a}, {mark: b}]}\n\ncluster:";
    let with = |variants: &str| {
        let mut files = files();
        let text = files.get_mut("case.yaml").unwrap();
        *text = text
            .replace("\ncluster:", &format!("\n{variants}"))
            .replace("  - mark: redeploy", "  - $act\n  - mark: redeploy")
            .replace("floor: hpa.min", "floor: $floor");
        read(files)
    };
    let case = with(variants).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        case.variants(),
        [Some("small".to_owned()), Some("large".to_owned())]
    );
    let steps = |variant| {
        case.scenario(Arm::Broken, Some(variant))
            .unwrap()
            .file
            .steps
            .len()
    };
    assert_eq!((steps("small"), steps("large")), (7, 9));
    assert!(case.scenario(Arm::Broken, None).is_none());
    let told = told(with(&variants.replace("act: nothing", "first: x")));
    assert_eq!(
        told,
        [
            "case.yaml:25: variants.small: missing \"act\", which others have",
            "case.yaml:25: variants.small.first: \"first\" is a value of the arms already",
            "case.yaml:25: variants.small.first: there is no file \"x\"",
            "case.yaml:26: variants.large: missing \"first\", which others have",
        ]
    );
}

#[test]
fn values_stand_in_manifests_as_well() {
    let mut files = files();
    files.remove("10-web-without-replicas.yaml");
    let web = files.get_mut("10-web.yaml").unwrap();
    *web = web
        .replace("replicas: 3", "replicas: ${replicas}")
        .replace("{app: web}", "{app: \"web-${replicas}-${other}\"}");
    let text = files.get_mut("case.yaml").unwrap();
    *text = text
        .replace("first: 10-web.yaml", "replicas: 3")
        .replace("first: 10-web-without-replicas.yaml", "replicas: nothing")
        .replace("apply: $first", "apply: 10-web.yaml")
        .replace("apply: 10-web-without-replicas.yaml", "apply: 10-web.yaml");
    let case = read(files).unwrap_or_else(|error| panic!("{error}"));
    let spec = |arm| case.scenario(arm, None).unwrap().manifests["10-web.yaml"].objects[0]["spec"].clone();
    assert_eq!(spec(Arm::Broken)["replicas"], 3);
    assert_eq!(
        spec(Arm::Broken)["selector"]["matchLabels"]["app"],
        "web-3-${other}"
    );
    assert_eq!(spec(Arm::Control).get("replicas"), None);
}

#[test]
fn what_is_wrong_in_a_manifest_is_told_of_the_manifest() {
    assert_eq!(
        spoiled("20-hpa.yaml", "  name: web\nspec", "  nam: web\nspec"),
        ["20-hpa.yaml:1: missing metadata.name"]
    );
    assert_eq!(
        spoiled("20-hpa.yaml", "minReplicas: 3", "minReplicas: [")[0]
            .split(": ")
            .next(),
        Some("20-hpa.yaml:8")
    );
    assert_eq!(
        spoiled(
            "20-hpa.yaml",
            "minReplicas: 3",
            "minReplicas: 3\n  minReplicas: 4"
        ),
        ["20-hpa.yaml:8: spec: \"minReplicas\" stands here a second time; first at 7:3"]
    );
    let two = "kind: List\napiVersion: v1\nitems:\n- {kind: A, apiVersion: b, metadata: {name: c}}\n- {kind: A}\n---\njust text\n";
    let mut files = files();
    files.insert("20-hpa.yaml".to_owned(), two.to_owned());
    assert_eq!(
        told(read(files)),
        [
            "20-hpa.yaml:5: missing apiVersion",
            "20-hpa.yaml:5: missing metadata.name",
            "20-hpa.yaml:7: expected an object, found \"just text\"",
        ]
    );
}

#[test]
fn files_are_what_they_are_named_for() {
    let outside = |name: &str| spoiled("case.yaml", "apply: 20-hpa.yaml", &format!("apply: {name}"));
    for name in [
        "../20-hpa.yaml",
        "/etc/passwd",
        "sub/20.yaml",
        ".hidden.yaml",
        "./20-hpa.yaml",
    ] {
        let told = outside(name);
        assert_eq!(
            told,
            [format!(
                "case.yaml:31: steps[2].apply: {name:?} is no name of a file in the case's folder"
            )]
        );
    }
    let with = |more: &str, file: &str, text: &str| {
        let mut files = files();
        let case = files.get_mut("case.yaml").unwrap();
        *case = case.replace(
            "  - observe: 60s",
            "  - descheduler: {policy: policy.yaml}\n  - observe: 60s",
        );
        *case = case.replace("\nsteps:", &format!("\n{more}\nsteps:"));
        files.insert(
            "policy.yaml".to_owned(),
            "apiVersion: descheduler/v1alpha2\nkind: DeschedulerPolicy\n".to_owned(),
        );
        files.insert(file.to_owned(), text.to_owned());
        read(files)
    };
    let case = with(
        "",
        "policy.v1alpha1.yaml",
        "apiVersion: descheduler/v1alpha1\nkind: DeschedulerPolicy\n",
    );
    assert_eq!(case.unwrap().scenarios()[0].policies.len(), 2);
    assert_eq!(
        told(with(
            "",
            "policy.v1alpha1.yaml",
            "apiVersion: descheduler/v1alpha2\nkind: Policy\n"
        )),
        [
            "policy.v1alpha1.yaml:1: apiVersion: expected \"descheduler/v1alpha1\", found \"descheduler/v1alpha2\"",
            "policy.v1alpha1.yaml:2: kind: expected \"DeschedulerPolicy\", found \"Policy\"",
        ]
    );
    let scheduler = "second: x\n";
    let cluster = "second-scheduler: {name: mine, config: scheduler.yaml}";
    let config = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles: [{schedulerName: mine}]\n";
    let with = |text: &str| {
        let mut files = files();
        let case = files.get_mut("case.yaml").unwrap();
        *case = case.replace("cluster:\n", &format!("cluster:\n  {cluster}\n"));
        files.insert("scheduler.yaml".to_owned(), text.to_owned());
        read(files)
    };
    assert_eq!(
        with(config).unwrap().scenarios()[0].configs["scheduler.yaml"],
        config
    );
    assert_eq!(
        told(with(&config.replace("mine", "other"))),
        ["scheduler.yaml:3: profiles: none has the schedulerName \"mine\", which the second scheduler has"]
    );
    assert_eq!(told(with(scheduler)).len(), 2);
}

#[test]
fn a_case_is_the_same_wherever_it_was_read_from() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("x1_dip");
    std::fs::create_dir(&folder).unwrap();
    for (name, text) in files() {
        std::fs::write(folder.join(name), text).unwrap();
    }
    std::fs::write(folder.join("notes.txt"), "mine").unwrap();
    let of_disk = Case::read(&folder).unwrap();
    assert_eq!(of_disk.source(), Some(&*folder));
    let copy = of_disk
        .files()
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text.to_owned()));
    let copy = read(copy.collect()).unwrap();
    for (one, other) in of_disk.scenarios().iter().zip(copy.scenarios()) {
        assert_eq!(one.inputs_sha256, other.inputs_sha256);
    }
    let error = Case::read(dir.path()).unwrap_err();
    assert_eq!(told(Err(error)), ["case.yaml:1: there is no case.yaml"]);
}

#[test]
fn prose_is_no_part_of_the_experiment() {
    let digest = |from: &str, to: &str| {
        let mut files = files();
        let text = files.get_mut("case.yaml").unwrap();
        *text = text.replace(from, to);
        read(files).unwrap().scenarios()[0].inputs_sha256.clone()
    };
    let same = digest("", "");
    assert_eq!(digest("title: A", "title: Another"), same);
    assert_ne!(digest("observe: 60s", "observe: 61s"), same);
    assert_ne!(digest("what: wanted", "what: available"), same);
}

#[test]
fn programs_are_seen_from_the_cases_folder() {
    let mut files = files();
    let text = files.get_mut("case.yaml").unwrap();
    *text = text.replace(
        "\nsteps:\n",
        "\ncontrollers: [{name: keeper, run: 'src:./keeper'}]\nsteps:\n  - start: keeper\n",
    );
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("x1");
    std::fs::create_dir(&folder).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let brings = Case::read(&folder)
        .unwrap_or_else(|error| panic!("{error}"))
        .brings();
    let spec = Spec::Source {
        dir: folder.join("./keeper"),
        package: None,
    };
    assert_eq!(
        brings,
        [Program {
            name: "keeper".to_owned(),
            spec
        }]
    );
}

#[test]
fn what_could_not_be_read_is_not_said_to_be_missing() {
    let told = spoiled("10-web.yaml", "{app: web}", "{app: ${first}}");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("10-web.yaml:8: not YAML: "), "{told:?}");
    assert_eq!(
        spoiled(
            "case.yaml",
            "apply: 10-web-without-replicas.yaml",
            "apply: 10.yaml"
        )
        .len(),
        1
    );
}
