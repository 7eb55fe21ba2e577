use super::*;
use crate::case::{Files, template};

fn all(text: &str) -> Substitutes {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str) -> String {
    text.parse::<Substitutes>().unwrap_err().to_string()
}

/// A case with these controllers.
fn case(controllers: &[&str]) -> Case {
    let mut files: std::collections::BTreeMap<String, String> = template::files("x1")
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text))
        .collect();
    let text = files.get_mut("case.yaml").unwrap();
    let declared: String = controllers
        .iter()
        .map(|name| format!("  - {{name: {name}, run: 'path:./{name}'}}\n"))
        .collect();
    let started: String = controllers
        .iter()
        .map(|name| format!("  - start: {name}\n"))
        .collect();
    if !controllers.is_empty() {
        *text = text.replace(
            "\nsteps:\n",
            &format!("\ncontrollers:\n{declared}\nsteps:\n{started}"),
        );
    }
    Case::of("x1", Files::of(files)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_list_is_read_and_written_alike() {
    for text in [
        "keeper=src:.",
        "keeper=path:./keeper,operator=go:example.org/x/cmd/operator@v1.2.3",
        "keeper=path:./a,B=c,operator=image:me/operator:pr-12",
    ] {
        assert_eq!(all(text).to_string(), text);
    }
    let lines = all("keeper=path:a,b\n operator = src:../x#./cmd/y \n");
    assert_eq!(lines.to_string(), "keeper=path:a,b,operator=src:../x#./cmd/y");
    assert_eq!(lines.of("keeper"), Some(&Spec::Path("a,b".into())));
    assert_eq!(lines.of("other"), None);
}

#[test]
fn what_is_no_substitute_is_told_with_what_is_wrong() {
    for (text, why) in [
        ("", "write NAME=SPEC"),
        ("keeper", "\"keeper\" is no controller and its program"),
        (
            "Keeper=src:.",
            "\"Keeper=src:.\" is no controller and its program",
        ),
        ("keeper=", "keeper: \"\" is not a release"),
        ("keeper=docker:x", "keeper: \"docker:\" is no kind of component"),
        (
            "keeper=v1.2.3",
            "keeper: \"v1.2.3\" is a release, and of what nobody knows",
        ),
        ("keeper=src:.,keeper=src:..", "\"keeper\" is given twice"),
        ("keeper=src:.\nkeeper=src:..", "\"keeper\" is given twice"),
    ] {
        let told = refused(text);
        assert!(told.contains(why), "{text}: {told}");
    }
}

#[test]
fn the_first_ones_win_over_others() {
    let over = all("keeper=src:a").over(&all("operator=src:b,keeper=src:c"));
    assert_eq!(over, all("keeper=src:a,operator=src:b"));
}

#[test]
fn a_controller_that_no_case_brings_is_told_with_the_nearest_and_with_those_that_there_are() {
    let cases = [case(&["keeper", "operator"]), case(&["keeper"]), case(&[])];
    assert_eq!(all("keeper=src:.,operator=src:.").fit(&cases), Ok(()));
    let told = |text: &str, cases: &[Case]| all(text).fit(cases).unwrap_err().to_string();
    assert_eq!(
        told("keeper=src:.,keper=src:.", &cases),
        "\"keper\" is no controller of the cases that are run (did you mean \"keeper\"?): they bring keeper, operator"
    );
    assert_eq!(
        told("operator=src:.", &cases[1..]),
        "\"operator\" is no controller of the cases that are run: they bring keeper"
    );
    assert_eq!(
        told("operator=src:.", &cases[2..]),
        "\"operator\" is no controller of the cases that are run: they bring none"
    );
    assert_eq!(
        all("keeper=src:.,operator=src:.").for_case(&cases[1]),
        all("keeper=src:.")
    );
}
