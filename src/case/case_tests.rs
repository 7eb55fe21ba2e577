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
