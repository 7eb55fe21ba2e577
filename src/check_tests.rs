use std::fs;
use std::path::Path;

use super::tests;
use crate::case::template;

fn names(folder: &Path) -> Vec<String> {
    let found = tests(&[folder.to_str().unwrap()], false).unwrap();
    found.iter().map(|test| test.name().to_owned()).collect()
}

#[test]
fn each_arm_and_variant_of_each_folder_is_a_test_and_a_new_folder_needs_no_edit() {
    let all = names(Path::new("manifests"));
    let of = |case: &str| {
        all.iter()
            .filter(|name| name.starts_with(case))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of("c5_"),
        [
            "c5_remove_duplicates_loop::broken",
            "c5_remove_duplicates_loop::control"
        ]
    );
    assert_eq!(
        of("c3_"),
        [
            "c3_two_spread_keys::with-hpa::broken",
            "c3_two_spread_keys::with-hpa::control",
            "c3_two_spread_keys::without-hpa::broken",
            "c3_two_spread_keys::without-hpa::control"
        ]
    );

    let mine = tempfile::tempdir().unwrap();
    for id in ["x1", "x2"] {
        fs::create_dir(mine.path().join(id)).unwrap();
        for (file, text) in template::files(id) {
            fs::write(mine.path().join(id).join(file), text).unwrap();
        }
    }
    assert_eq!(
        names(mine.path()),
        ["x1::broken", "x1::control", "x2::broken", "x2::control"]
    );
    fs::write(mine.path().join("x1/case.yaml"), "format: kubeclash.case/v1").unwrap();
    assert_eq!(names(mine.path()), ["x1", "x2::broken", "x2::control"]);
}

#[test]
fn a_folder_without_a_case_is_no_green_test() {
    let empty = tempfile::tempdir().unwrap();
    let error = tests(&[empty.path().to_str().unwrap()], false).err().unwrap();
    assert!(error.contains("has no case in it"), "{error}");
    assert!(tests(&["nowhere"], false).is_err());
}
