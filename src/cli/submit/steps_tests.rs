use std::fs;

use tempfile::TempDir;

use super::*;
use crate::case::template;

fn step(words: &str) -> Step {
    Step {
        name: words.to_owned(),
        command: words.split(' ').map(str::to_owned).collect(),
        cases: None,
    }
}

#[test]
fn jobs_are_read_as_they_are_printed() {
    let lines = "{\"name\":\"a\",\"command\":\"run c7 --scheduler 'path:./it'\\\\''s'\"}\n{\"command\":\"load --nodes 100\"}\n";
    let read = parsed(lines).unwrap();
    assert_eq!(read[0].name, "a");
    assert_eq!(read[0].command, ["run", "c7", "--scheduler", "path:./it's"]);
    assert_eq!(read[1].name, "load --nodes 100");
    assert_eq!(
        parsed("{\"include\":[{\"name\":\"a\",\"command\":\"run c7\"}]}")
            .unwrap()
            .len(),
        1
    );
    assert_eq!(parsed("{\"include\":[]}").unwrap(), []);
    for (bad, why) in [
        ("{", "job 1"),
        ("{\"name\":\"a\"}", "no \"command\""),
        ("{\"command\":\"run 'c7\"}", "does not end"),
    ] {
        let said = parsed(bad).unwrap_err();
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_command_that_is_no_step_is_refused_before_anything_is_created() {
    check(&step("run c7 --arm broken")).unwrap();
    check(&step("load --nodes 100")).unwrap();
    for (bad, why) in [
        ("run c7 --nonsense", "unexpected argument"),
        ("sweep", "run, load, compare or bisect"),
        ("run c7 --provider kind", "no container engine"),
        ("run c7 --out elsewhere", "submit's own"),
    ] {
        let failure = check(&step(bad)).unwrap_err();
        assert_eq!(failure.code, exit::USAGE);
        assert!(failure.report.to_string().contains(why), "{:?}", failure.report);
    }
}

/// Cases x1_one, x2_two and x3_three in a folder.
fn cases() -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    for (id, folder) in [("x1", "x1_one"), ("x2", "x2_two"), ("x3", "x3_three")] {
        let folder = dir.path().join(folder);
        fs::create_dir(&folder).unwrap();
        for (file, text) in template::files(id) {
            fs::write(folder.join(file), text).unwrap();
        }
    }
    let shown = dir.path().display().to_string();
    (dir, shown)
}

/// The command that a pod runs, and the folders of the cases that it takes along.
fn packed(words: &str, dirs: &[&str]) -> Result<(String, Vec<String>), String> {
    let dirs = dirs.iter().map(PathBuf::from).collect();
    let told = |failure: Failure| failure.report.to_string();
    let (steps, _) = pack(vec![step(words)], &CasesFlags { dirs }).map_err(told)?;
    let [step] = &steps[..] else { panic!("{steps:?}") };
    let to = tempfile::tempdir().unwrap();
    let folder = to.path().join("cases");
    let mut names = Vec::new();
    if let Some(cases) = &step.cases {
        cases.unpack(&folder).unwrap();
        names = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
    }
    Ok((step.command.join(" "), names))
}

#[test]
fn a_step_takes_the_cases_along_that_it_runs_and_names_them() {
    let (_kept, dir) = cases();
    let one = format!("{dir}/x1_one");
    let none: [&str; 0] = [];
    for (words, dirs, command, along) in [
        ("run c7".to_owned(), vec![&*dir], "run c7", &none[..]),
        (
            "load --nodes 100".to_owned(),
            vec![&dir],
            "load --nodes 100",
            &none,
        ),
        ("run x1".to_owned(), vec![&dir], "run x1", &["x1_one"]),
        (
            format!("run {one} c7 --arm broken"),
            vec![],
            "run x1_one c7 --arm broken",
            &["x1_one"],
        ),
        (format!("run -- {one}"), vec![&dir], "run -- x1_one", &["x1_one"]),
        (
            format!("run x1 --cases {dir} x2"),
            vec![],
            "run x1 x2",
            &["x1_one", "x2_two"],
        ),
        (
            format!("run --cases={dir} x?"),
            vec![],
            "run x?",
            &["x1_one", "x2_two", "x3_three"],
        ),
        (
            format!("run {dir}"),
            vec![],
            "run x1_one x2_two x3_three",
            &["x1_one", "x2_two", "x3_three"],
        ),
        (
            format!("compare old: new: {one}"),
            vec![],
            "compare old: new: x1_one",
            &["x1_one"],
        ),
        (
            format!("bisect --versions a,b --good a --bad b --case={one}"),
            vec![],
            "bisect --versions a,b --good a --bad b --case=x1_one",
            &["x1_one"],
        ),
        (
            format!("bisect --versions a,b --good a --bad b --case x2 --cases {dir}"),
            vec![],
            "bisect --versions a,b --good a --bad b --case x2",
            &["x2_two"],
        ),
    ] {
        let (said, names) = packed(&words, &dirs).unwrap_or_else(|why| panic!("{words}: {why}"));
        assert_eq!(said, command);
        assert_eq!(names, along, "{words}");
    }
}

#[test]
fn what_can_not_go_along_is_told() {
    let (kept, dir) = cases();
    for (words, why) in [
        ("run c99".to_owned(), "no case is called \"c99\""),
        ("run /there/is/nothing".to_owned(), "has no case in it"),
        (
            format!("run {dir}/x1_one --expect {dir}/x1_one"),
            "can't be a step: where its cases' folders stand is not clear",
        ),
    ] {
        let told = packed(&words, &[]).unwrap_err();
        assert!(told.contains(why), "{told}");
    }
    fs::write(kept.path().join("x2_two/case.yaml"), "id: x2\n").unwrap();
    let told = packed("run c7", &[&dir]).unwrap_err();
    assert!(told.contains("x2_two"), "{told}");
}

#[test]
fn two_steps_with_a_case_of_one_name_each_are_refused() {
    let ((_one, a), (_two, b)) = (cases(), cases());
    let steps = [&a, &b].map(|dir| step(&format!("run {dir}/x1_one")));
    let told = pack(steps.to_vec(), &CasesFlags::default()).unwrap_err();
    let told = told.report.to_string();
    assert!(told.contains(&*a) && told.contains(&*b), "{told}");
}
