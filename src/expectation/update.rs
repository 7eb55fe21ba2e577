//! A file of expectations, brought up to what was seen: what it says besides (reasons, comments, order) stays.

use super::{Expectations, Versions};
use crate::cases::Library;
use crate::evidence::Outcome;
use kubeclash_timeline::Expect;

/// What a new file begins with.
const HEAD: &str = "\
# What kubeclash is to expect of this build, where that is not the usual: broken arms reproduce, controls do not.
# Of the entries that fit an arm the last one counts.
";

/// What an update came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The file's new text.
    pub text: String,
    /// What has changed, in sentences.
    pub changes: Vec<String>,
}

/// Brings a file's text up to the verdicts of a run.
///
/// An entry of one arm gets its verdict changed. What a general entry says of an arm, or none does, gets an entry of
/// its own at the end, with a reason to be written. An inconclusive arm changes nothing.
///
/// # Errors
/// When the text is written in a way that can't be changed by itself; in words, with what is to be written by hand.
pub fn update(
    file: &str,
    text: &str,
    library: &Library,
    versions: &Versions,
    outcomes: &[Outcome],
) -> Result<Update, String> {
    let unreadable = |e: super::ExpectationError| e.to_string();
    let before = Expectations::parse(file, text, library).map_err(unreadable)?;
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let indent = lines
        .iter()
        .find(|line| line.trim_start().starts_with('-'))
        .map_or(String::new(), |line| {
            line[..line.len() - line.trim_start().len()].to_owned()
        });
    let (mut changes, mut added, mut wanted) = (Vec::new(), Vec::new(), Vec::new());
    for outcome in outcomes {
        let (Some(case), Some(seen)) = (library.find(&outcome.id.case), outcome.verdict.answer()) else {
            continue;
        };
        let of = (case, outcome.id.arm, outcome.id.variant.as_deref());
        wanted.push((of, seen));
        let decided = before.of(of.0, of.1, of.2, versions, of.0.expected(of.1, of.2));
        if decided.expected.verdict == seen {
            continue;
        }
        let line = decided
            .entry
            .filter(|entry| entry.is_of_one_arm(library))
            .and_then(super::Entry::verdict_line)
            .and_then(|line| lines.get_mut(line - 1).map(|text| (line, text)));
        match line {
            Some((number, line)) => {
                *line = reworded(line, seen);
                changes.push(format!("{file}:{number}: {}: now {seen}", outcome.id));
            }
            None => {
                added.push(entry(outcome, seen, &indent));
                changes.push(format!("{file}: {}: {seen}, which is new", outcome.id));
            }
        }
    }
    let mut text = lines.concat();
    if text.is_empty() && !added.is_empty() {
        text.push_str(HEAD);
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&added.concat());
    // Whatever the way in which the file is written: what comes out must say what was seen.
    let holds = Expectations::parse(file, &text, library).is_ok_and(|after| {
        wanted.iter().all(|&((case, arm, variant), seen)| {
            after
                .of(case, arm, variant, versions, case.expected(arm, variant))
                .expected
                .verdict
                == seen
        })
    });
    if holds {
        Ok(Update { text, changes })
    } else {
        Err(format!(
            "\"{file}\" is not written a line a field, and can't be updated by itself; to be written into it:\n{}",
            changes.join("\n")
        ))
    }
}

/// A line `verdict: absent  # comment` with another verdict.
fn reworded(line: &str, seen: Expect) -> String {
    let Some((key, value)) = line.split_once(':') else {
        return line.to_owned();
    };
    let gap = &value[..value.len() - value.trim_start().len()];
    let bare = value.trim_start();
    let end = bare.find(char::is_whitespace).unwrap_or(bare.len());
    format!("{key}:{gap}{seen}{}", &bare[end..])
}

/// A new entry, whose reason is the user's to write.
fn entry(outcome: &Outcome, seen: Expect, indent: &str) -> String {
    let text = |text: &str| serde_json::to_string(text).expect("a text is always JSON, and so YAML");
    let variant = outcome.id.variant.iter();
    let mut fields = vec![
        format!("case: {}", outcome.id.case),
        format!("arm: {}", outcome.id.arm),
    ];
    fields.extend(variant.map(|variant| format!("variant: {variant}")));
    fields.push(format!("verdict: {seen}"));
    let reason = format!("not written yet: say why; seen was: {}", outcome.why());
    fields.push(format!("reason: {}", text(&reason)));
    let fields = fields.into_iter().enumerate();
    fields
        .map(|(at, field)| format!("{indent}{} {field}\n", if at == 0 { "-" } else { " " }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{control, outcome};
    use kubeclash_timeline::Verdict;

    const FILE: &str = "\
# ours
- case: '*loop'       # all of them
  arm: control
  verdict: absent
  reason: general

- arm: broken
  verdict: absent  # since the spring
  case: c5
  reason: we look at node fit
";

    fn seen(outcome: Outcome, verdict: &Verdict) -> Outcome {
        let mut outcome = outcome;
        outcome.verdict = verdict.clone();
        outcome
    }

    fn updated(text: &str, outcomes: &[Outcome]) -> Update {
        update("e.yaml", text, &Library::builtin(), &Versions::new(), outcomes)
            .unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn an_entry_of_one_arm_gets_another_verdict_and_keeps_the_rest() {
        let update = updated(FILE, &[seen(outcome(), &Verdict::Reproduced)]);
        assert_eq!(
            update.text,
            FILE.replace("verdict: absent  # since", "verdict: reproduced  # since")
        );
        assert_eq!(
            update.changes,
            ["e.yaml:8: c5_remove_duplicates_loop broken: now reproduced"]
        );
    }

    #[test]
    fn a_general_entry_stays_and_gets_an_exception() {
        let update = updated(FILE, &[seen(control(), &Verdict::Reproduced)]);
        let new = "- case: c5_remove_duplicates_loop\n  arm: control\n  verdict: reproduced\n  \
                   reason: \"not written yet: say why; seen was: no pod of web was evicted\"\n";
        assert_eq!(update.text, format!("{FILE}{new}"));
    }

    #[test]
    fn a_new_file_says_what_it_is() {
        let variant = Outcome {
            id: "c3_two_spread_keys broken (with-hpa)".parse().unwrap(),
            seen: "it \"runs\": all\\six".to_owned(),
            ..outcome()
        };
        let update = updated("", &[seen(variant, &Verdict::Absent), outcome()]);
        assert!(
            update.text.starts_with("# What kubeclash is to expect"),
            "{}",
            update.text
        );
        assert_eq!(update.text.matches("- case:").count(), 1, "{}", update.text);
        assert!(update.text.contains("\n  variant: with-hpa\n"), "{}", update.text);
        assert_eq!(updated("", &[outcome(), control()]).text, "");
    }

    #[test]
    fn an_inconclusive_arm_changes_nothing() {
        let unclear = Verdict::Inconclusive("a gap".to_owned());
        let update = updated(FILE, &[seen(outcome(), &unclear), seen(control(), &unclear)]);
        assert_eq!((update.text.as_str(), update.changes), (FILE, Vec::new()));
    }

    #[test]
    fn what_was_updated_twice_is_updated() {
        let seen = [
            seen(outcome(), &Verdict::Reproduced),
            seen(control(), &Verdict::Reproduced),
        ];
        let once = updated(FILE, &seen);
        assert_eq!(once.changes.len(), 2);
        assert_eq!(updated(&once.text, &seen).changes, Vec::<String>::new());
        let indented = FILE
            .replace("\n-", "\n  -")
            .replace("\n  ", "\n    ")
            .replace("    -", "  -");
        let once = updated(&indented, &seen);
        assert!(
            once.text
                .contains("\n  - case: c5_remove_duplicates_loop\n    arm: control\n"),
            "{}",
            once.text
        );
    }

    #[test]
    fn what_can_not_be_changed_by_itself_is_left_alone_and_told() {
        let flow = "[{case: c5, arm: broken, verdict: absent, reason: r}]\n";
        let error = update(
            "e.yaml",
            flow,
            &Library::builtin(),
            &Versions::new(),
            &[seen(outcome(), &Verdict::Reproduced)],
        )
        .unwrap_err();
        assert!(
            error.contains("by itself") && error.contains("c5_remove_duplicates_loop broken: reproduced"),
            "{error}"
        );
        // Where the verdict has no line of its own, an entry can still be added.
        let line = "- {case: c5, arm: broken, verdict: absent, reason: r}\n";
        let update = updated(line, &[seen(outcome(), &Verdict::Reproduced)]);
        assert!(
            update.text.starts_with(line) || update.text.contains("reproduced"),
            "{}",
            update.text
        );
    }
}
