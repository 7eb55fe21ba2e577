//! Two builds side by side: text, Markdown, JSON lines.

use std::fmt::Write as _;

use owo_colors::Style as Ink;
use serde_json::{Map, Value, json};

use super::markdown::cell;
use super::terminal::{labelled, paint};
use super::{Style, arms_in_words};
use crate::comparison::{Compared, Outlook, Pair};
use crate::evidence::Outcome;
use crate::evidence::number;

/// What a person reads: for each arm both verdicts and the figures with their ratio, and the counts.
#[must_use]
pub fn text(compared: &[Compared], names: [&str; 2], style: &Style) -> String {
    let mut text = String::new();
    for line in made_of(compared, names) {
        text.push_str(&style.fit(&line));
        text.push('\n');
    }
    for one in compared {
        let [a, b] = verdicts(one);
        let ink = match one.outlook {
            Outlook::Same => Ink::new().green().bold(),
            Outlook::Cured | Outlook::Returned => Ink::new().red().bold(),
            Outlook::Inconclusive | Outlook::Missing => Ink::new().yellow().bold(),
        };
        let title = paint(&one.id.to_string(), Ink::new().bold(), style);
        let arrow = style.fit("→");
        let outlook = paint(&outlook(one.outlook), ink, style);
        text.push_str(&format!("\n{title}: {a} {arrow} {b}, {outlook}\n"));
        for line in figures(&one.figures, names) {
            text.push_str(style.fit(&format!("  {line}")).trim_end());
            text.push('\n');
        }
        for note in one.notes(names) {
            text.push_str(&labelled("note", &note, style));
        }
    }
    text.push_str(&format!("\n{}\n", counts(compared)));
    text
}

/// A whole comparison, fit for a job summary of GitHub Actions.
#[must_use]
pub fn markdown(compared: &[Compared], names: [&str; 2]) -> String {
    let mut text = format!(
        "## kubeclash compare\n\n{}\n\n{}\n\n",
        counts(compared),
        cell(&made_of(compared, names).join(" · "))
    );
    let heads = names.map(cell);
    let _ = write!(
        text,
        "| case | arm | {} | {} | | figures |\n|---|---|---|---|---|---|\n",
        heads[0], heads[1]
    );
    for one in compared {
        let [a, b] = verdicts(one);
        let flip = if one.outlook == Outlook::Same {
            "same".to_owned()
        } else {
            format!("**{}**", outlook(one.outlook))
        };
        let said = one.figures.iter().map(sentence).chain(one.notes(names));
        let said: Vec<String> = said.collect();
        let _ = writeln!(
            text,
            "| {} | {} | {a} | {b} | {flip} | {} |",
            cell(&one.id.case),
            cell(&one.id.arm_name()),
            cell(&said.join("; "))
        );
    }
    text
}

/// An arm as one JSON object.
#[must_use]
pub fn line(one: &Compared, names: [&str; 2]) -> Value {
    let side = |outcome: &Option<Outcome>, name: &str| {
        outcome.as_ref().map(|outcome| {
            json!({
                "name": name, "verdict": outcome.verdict.name(), "why": outcome.why(), "pace": outcome.pace,
                "components": outcome.components, "evidence": outcome.evidence, "runs": outcome.runs,
            })
        })
    };
    let figures: Map<String, Value> = one
        .figures
        .iter()
        .map(|pair| {
            let value = json!({
                "a": pair.a, "b": pair.b, "ratio": pair.ratio.map(|ratio| (ratio * 1_000.0).round() / 1_000.0),
                "unit": pair.figure.unit.trim(),
            });
            (pair.figure.name.to_owned(), value)
        })
        .collect();
    json!({
        "case": one.id.case, "arm": one.id.arm, "variant": one.id.variant, "outlook": one.outlook,
        "flip": one.outlook.is_flip(), "a": side(&one.a, names[0]), "b": side(&one.b, names[1]),
        "figures": figures, "notes": one.notes(names),
    })
}

/// `14 arms: 12 same, 1 cured, 1 inconclusive`.
fn counts(compared: &[Compared]) -> String {
    let all = [
        Outlook::Same,
        Outlook::Cured,
        Outlook::Returned,
        Outlook::Inconclusive,
        Outlook::Missing,
    ];
    let parts: Vec<String> = all
        .into_iter()
        .map(|outlook| {
            (
                outlook,
                compared.iter().filter(|one| one.outlook == outlook).count(),
            )
        })
        .filter(|(_, count)| *count > 0)
        .map(|(outlook, count)| format!("{count} {outlook}"))
        .collect();
    format!("{}: {}", arms_in_words(compared.len()), parts.join(", "))
}

fn outlook(outlook: Outlook) -> String {
    match outlook {
        Outlook::Cured | Outlook::Returned => format!("FLIP: {outlook}"),
        Outlook::Missing => "MISSING on one side".to_owned(),
        Outlook::Same | Outlook::Inconclusive => outlook.to_string(),
    }
}

fn verdicts(one: &Compared) -> [&str; 2] {
    [&one.a, &one.b].map(|side| side.as_ref().map_or("not run", |outcome| outcome.verdict.name()))
}

/// In what the two sides differ, by the binaries of the arms that both have.
fn made_of(compared: &[Compared], names: [&str; 2]) -> Vec<String> {
    let both = compared
        .iter()
        .find_map(|one| Some((one.a.as_ref()?, one.b.as_ref()?)));
    let Some((a, b)) = both else { return Vec::new() };
    let mut lines = Vec::new();
    let all: std::collections::BTreeSet<&String> = a.components.keys().chain(b.components.keys()).collect();
    for name in all {
        let sides = [a, b].map(|side| side.components.get(name));
        if sides[0].map(|c| &c.sha256) == sides[1].map(|c| &c.sha256) {
            continue;
        }
        let told = sides.map(|side| {
            side.map_or_else(
                || "none".to_owned(),
                |c| format!("{} ({}, SHA-256 {:.12})", c.version, c.origin, c.sha256),
            )
        });
        lines.push(format!(
            "{name}: {} {}, {} {}",
            names[0], told[0], names[1], told[1]
        ));
    }
    if lines.is_empty() {
        lines.push(format!(
            "{} and {} are made of the same binaries",
            names[0], names[1]
        ));
    }
    lines
}

/// The figures as lines of a table.
fn figures(pairs: &[Pair], names: [&str; 2]) -> Vec<String> {
    if pairs.is_empty() {
        return Vec::new();
    }
    let mut rows = vec![[
        "".to_owned(),
        names[0].to_owned(),
        names[1].to_owned(),
        "ratio".to_owned(),
    ]];
    rows.extend(pairs.iter().map(|pair| {
        [
            pair.figure.name.to_owned(),
            value(pair, pair.a),
            value(pair, pair.b),
            pair.ratio
                .map_or_else(String::new, |ratio| format!("×{}", number(ratio))),
        ]
    }));
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths = [0, 1, 2, 3].map(width);
    rows.iter()
        .map(|row| {
            format!(
                "{:<3$}  {:>4$}  {:>5$}  {6}",
                row[0], row[1], row[2], widths[0], widths[1], widths[2], row[3]
            )
        })
        .collect()
}

fn value(pair: &Pair, value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| pair.figure.shown(value))
}

/// A figure in a few words: `rate 6/min → 9/min (×1.5)`.
pub(super) fn sentence(pair: &Pair) -> String {
    let ratio = pair
        .ratio
        .map_or_else(String::new, |ratio| format!(" (×{})", number(ratio)));
    format!(
        "{} {} → {}{ratio}",
        pair.figure.name,
        value(pair, pair.a),
        value(pair, pair.b)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::compare;
    use crate::report::tests::{control, outcome};
    use kubeclash_timeline::Verdict;

    fn compared() -> Vec<Compared> {
        let mut cured = outcome();
        cured.verdict = Verdict::Absent;
        cured.needed_ms = None;
        cured.facts.insert("evictions_per_min".to_owned(), 1.5.into());
        cured.facts.shift_remove("period_s");
        let component = cured.components.get_mut("descheduler").unwrap();
        component.sha256 = "cd".repeat(32);
        component.origin = "given".to_owned();
        compare(vec![outcome(), control()], vec![cured])
    }

    #[test]
    fn a_person_reads_verdicts_figures_and_what_flipped() {
        let told = text(&compared(), ["old", "new"], &Style::default());
        assert_eq!(
            told.lines().collect::<Vec<_>>(),
            [
                "descheduler: old v0.36.0 (built from source, SHA-256 ab), new v0.36.0 (given, SHA-256 cdcdcdcdcdcd)",
                "",
                "c5_remove_duplicates_loop broken: reproduced → absent, FLIP: cured",
                "                      old      new  ratio",
                "  rate              6/min  1.5/min  ×0.25",
                "  period             10 s        –",
                "  time to symptom  35.7 s        –",
                "",
                "c5_remove_duplicates_loop control: absent → not run, MISSING on one side",
                "                old  new  ratio",
                "  pods created    0    –",
                "  note      new has no outcome of it",
                "",
                "2 arms: 1 cured, 1 missing",
            ]
        );
        let ascii = Style {
            unicode: false,
            ..Style::default()
        };
        assert!(text(&compared(), ["old", "new"], &ascii).is_ascii());
    }

    #[test]
    fn markdown_is_a_table() {
        let told = markdown(&compared(), ["old", "a|b"]);
        assert!(
            told.contains("\n| case | arm | old | a\\|b | | figures |\n"),
            "{told}"
        );
        assert!(
            told.contains("| reproduced | absent | **FLIP: cured** | rate 6/min → 1.5/min (×0.25); "),
            "{told}"
        );
    }

    #[test]
    fn a_line_is_for_scripts() {
        let line = line(&compared()[0], ["old", "new"]);
        assert_eq!(line["flip"], true);
        assert_eq!(line["outlook"], "cured");
        assert_eq!(line["a"]["name"], "old");
        assert_eq!(line["b"]["verdict"], "absent");
        assert_eq!(
            line["figures"]["rate"],
            json!({"a": 6.0, "b": 1.5, "ratio": 0.25, "unit": "/min"})
        );
        assert_eq!(line["figures"]["period"]["b"], Value::Null);
    }

    #[test]
    fn two_of_the_same_say_so() {
        let same = compare(vec![outcome()], vec![outcome()]);
        let told = text(&same, ["a", "b"], &Style::default());
        assert!(
            told.starts_with("a and b are made of the same binaries\n"),
            "{told}"
        );
        assert!(told.ends_with("\n1 arm: 1 same\n"), "{told}");
    }
}
