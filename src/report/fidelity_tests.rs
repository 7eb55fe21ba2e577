use super::*;
use crate::report::tests::{control, outcome};

const GOOD: &str = "\
# a comment
- name: 'from one round to the next'
  fact: period_s
  unit: s
  low: 9.5
  high: 10.5
  recorded: '9.997 s'
  source: traces C5
- name: rounds
  fact: rounds
  low: 5
  recorded: '7'
  source: traces C5
- name: skew | of all
  fact: skew
  variant: with-hpa
  high: 1
  recorded: '2'
  source: traces C5
";

fn read(text: &str) -> Result<Vec<Figure>, FiguresError> {
    let case = "c5_remove_duplicates_loop".to_owned();
    figures(&BTreeMap::from([(case, text.to_owned())]))
}

#[test]
fn a_table_has_a_row_a_figure() {
    let table = table(&[outcome(), control()], &read(GOOD).unwrap());
    let rows: Vec<&str> = table.lines().skip(2).collect();
    assert_eq!(
        rows,
        [
            "| c5_remove_duplicates_loop | from one round to the next (`period_s`) | 9.997 s | 9.5–10.5 s | 10 s | yes | traces C5 |",
            "| c5_remove_duplicates_loop | rounds (`rounds`) | 7 | ≥ 5 | 4 | **no** | traces C5 |",
            "| c5_remove_duplicates_loop (with-hpa) | skew \\| of all (`skew`) | 2 | ≤ 1 | – | not measured | traces C5 |",
        ]
    );
}

#[test]
fn controls_other_paces_and_other_variants_are_not_compared() {
    let mut fast = outcome();
    fast.pace = Pace::Fast;
    let mut other = outcome();
    other.id.variant = Some("without-hpa".to_owned());
    other.facts.insert("skew".to_owned(), 0.into());
    let same_facts = Outcome {
        facts: outcome().facts,
        ..control()
    };
    let text = table(&[fast, same_facts], &read(GOOD).unwrap());
    assert_eq!(text.matches("not measured").count(), 3);
    let text = table(&[other], &read(GOOD).unwrap());
    assert_eq!(text.matches("not measured").count(), 1, "{text}");
}

#[test]
fn several_runs_show_their_spread_and_all_must_be_allowed() {
    let mut slow = outcome();
    slow.facts.insert("period_s".to_owned(), 10.62.into());
    let text = table(&[outcome(), slow], &read(GOOD).unwrap());
    assert!(text.contains("| 10–10.62 s | **no** |"), "{text}");
}

#[test]
fn a_figure_allows_both_ends_of_its_range() {
    let figure = &read(GOOD).unwrap()[0];
    assert!(figure.allows(9.5) && figure.allows(10.5));
    assert!(!figure.allows(9.49) && !figure.allows(10.51));
}

#[test]
fn all_mistakes_are_named_with_their_place() {
    let text = GOOD
        .replace("low: 9.5", "low: 11")
        .replace(
            "fact: rounds\n  low: 5",
            "fact: period_s\n  low: five\n  colour: red",
        )
        .replace("  high: 1\n", "")
        .replace("name: skew | of all", "nam: skew")
        + "- text\n";
    let place = "c5_remove_duplicates_loop/recorded/figures.yaml";
    assert_eq!(
        read(&text).unwrap_err().mistakes,
        [
            format!("{place}:20: not a mapping of fields"),
            format!("{place}:5: low: 11 is above high, 10.5"),
            format!("{place}:11: low: expected a number, found \"five\""),
            format!("{place}:12: colour: unknown field"),
            format!("{place}:10: fact: \"period_s\" has a figure already"),
            format!("{place}:15: name: missing"),
            format!("{place}:15: low: missing, and \"high\" as well: one of them is needed"),
            format!("{place}:15: nam: unknown field"),
        ]
    );
    assert_eq!(
        read("a: 1").unwrap_err().mistakes,
        [format!("{place}: not a list, whose items begin with \"- \"")]
    );
    let broken = read("- name: [\n").unwrap_err();
    assert!(broken.mistakes[0].starts_with(&format!("{place}:")), "{broken}");
}

#[test]
fn the_page_says_with_what_was_measured_and_how_many_agree() {
    let figures = read(GOOD).unwrap();
    let text = page(&[outcome()], &figures);
    assert!(text.contains("Measured with: descheduler v0.36.0."), "{text}");
    assert!(
        text.ends_with("1 of 2 measured figures are within their range; 1 were not measured.\n"),
        "{text}"
    );
    assert!(page(&[], &figures).contains("Measured with: nothing yet."));
}

#[test]
fn runs_on_kind_are_held_against_those_on_local_and_not_mixed_with_them() {
    let figures = read(GOOD).unwrap();
    let mut kind = outcome();
    kind.provider = "kind".to_owned();
    kind.facts.insert("period_s".to_owned(), 12.into());
    let both = page(&[kind.clone(), outcome()], &figures);
    let (study, providers) = both.split_once("\n## ").unwrap();
    assert_eq!(study, page(&[outcome()], &figures));
    assert!(
        providers.contains("| 10 s | **12 s** | +2 s (+20 %) |"),
        "{providers}"
    );
    assert!(
        providers.contains("`kind` with: descheduler v0.36.0."),
        "{providers}"
    );
    // Alone it is what is compared with the study.
    let alone = page(&[kind], &figures);
    assert!(
        alone.contains("| 12 s | **no** |") && !alone.contains("\n## "),
        "{alone}"
    );
}

#[test]
fn the_figures_of_all_cases_are_in_order() {
    let manifests = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    let mut texts = BTreeMap::new();
    for folder in std::fs::read_dir(manifests).unwrap() {
        let folder = folder.unwrap();
        if let Ok(text) = std::fs::read_to_string(folder.path().join("recorded/figures.yaml")) {
            texts.insert(folder.file_name().into_string().unwrap(), text);
        }
    }
    // Those of the study, and the load test's.
    assert_eq!(texts.len(), 8);
    let figures = figures(&texts).unwrap_or_else(|e| panic!("{e}"));
    let of = |case: &str| figures.iter().filter(|f| f.case.starts_with(case)).count();
    assert_eq!(
        ["c1_", "c2_", "c3_", "c5_", "c6_", "c7_", "c8_", "l1_"].map(of),
        [4, 4, 4, 4, 3, 4, 4, 2]
    );
}
