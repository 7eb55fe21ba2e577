use std::fs;

use kubeclash_cluster::Policy;

use super::*;
use crate::case::template;

/// A case that `case new` would write, in a folder.
fn write(folder: &Path, id: &str) {
    fs::create_dir_all(folder).unwrap();
    for (file, text) in template::files(id) {
        fs::write(folder.join(file), text).unwrap();
    }
}

/// A copy of a built-in case.
fn copy(case: &str, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let builtin = Library::builtin();
    for (file, text) in builtin.find(case).unwrap().as_folder().unwrap().files() {
        fs::write(to.join(file), text).unwrap();
    }
}

fn spoil(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(file, text.replace(from, to)).unwrap();
}

fn twice(dirs: &[PathBuf]) -> Vec<String> {
    match Library::with(dirs).unwrap_err() {
        FoldersError::Twice(twice) => twice.iter().map(ToString::to_string).collect(),
        other => panic!("{other}"),
    }
}

#[test]
fn the_folder_of_this_repository_has_the_built_in_cases() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    let library = Library::with(&[dir]).unwrap_or_else(|error| panic!("{error}"));
    let builtin = Library::builtin();
    let names = |library: &Library| {
        library
            .iter()
            .map(|case| case.folder().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&library), names(&builtin));
    let of_folders = library.iter().filter_map(Case::as_folder);
    assert!(of_folders.filter(|case| case.source().is_some()).count() > 20);
}

#[test]
fn another_case_of_a_built_in_ones_name_is_told_with_both_places() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (
        dir.path().join("c7_taint_recreate_loop"),
        dir.path().join("c5_my_own"),
    );
    copy("c7_taint_recreate_loop", &one);
    // Prose is no part of an experiment.
    spoil(&one.join("case.yaml"), "id: c7", "# mine\nid: c7");
    assert!(Library::with(std::slice::from_ref(&one)).is_ok());
    spoil(&one.join("case.yaml"), "count: 3", "count: 4");
    write(&other, "c5");
    assert_eq!(
        twice(&[dir.path().to_owned()]),
        [
            format!(
                "two cases are called \"c5\": a built-in one, and another in \"{}\", which needs a name of its own",
                other.display()
            ),
            format!(
                "two cases are called \"c7\": a built-in one, and another in \"{}\", which needs a name of its own",
                one.display()
            ),
        ]
    );
}

#[test]
fn two_folders_with_cases_of_one_name_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("a/x1_one"), dir.path().join("b/x1_other"));
    write(&one, "x1");
    write(&other, "x1");
    let dirs = ["a", "b"].map(|name| dir.path().join(name));
    let told = format!(
        "two cases are called \"x1\": in \"{}\" and in \"{}\"",
        one.display(),
        other.display()
    );
    assert_eq!(twice(&dirs), [told]);
    // The same folder, however it is written, is one case.
    let again = dir.path().join("a/../a/x1_one");
    let library = Library::with(&[again, dirs[0].clone(), one]).unwrap();
    assert_eq!(library.iter().count(), Library::builtin().iter().count() + 1);
}

#[test]
fn the_policies_of_the_cases_have_no_notes() {
    for case in &Library::builtin() {
        let scenarios = case.as_folder().map_or(&[][..], |case| case.scenarios());
        for (file, document) in scenarios.iter().flat_map(|scenario| &scenario.policies) {
            let policy = Policy::parse(file.into(), &kubeclash_host::yaml::text(document)).unwrap();
            let notes: Vec<String> = policy.notes().map(ToString::to_string).collect();
            assert!(notes.is_empty(), "{}/{file}: {notes:?}", case.folder());
        }
    }
}
