//! `docs/results.md`: what real runs on several releases of Kubernetes ended with, and what changed between these.
//!
//! Verdicts and figures come from evidence. Why something changed, and what could not be run, is written by hand, as a
//! list of
//!
//! ```yaml
//! - case: c5                # optional: an id, a name or a glob
//!   component: descheduler  # a component, or kubernetes
//!   release: v0.30.0        # the first that has it, or that can't be run
//!   text: what changed there
//!   source: https://…       # where it says so
//! ```

use std::fmt::Write as _;

use semver::Version;

use super::markdown::cell;
use crate::agreement::{agree, by_arm};
use crate::cases::Library;
use crate::comparison::{Compared, FACTOR, FIGURES, Outlook, compare};
use crate::evidence::Outcome;
use crate::expectation::release;
use crate::scenario::items::{Item, items};
use kubeclash_components::ComponentName;
use kubeclash_timeline::{Arm, Expect, Pace};

/// What somebody found out about a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Of which cases; of none in particular where it is `None`.
    pub case: Option<String>,
    /// Of which component; `kubernetes` is all of the control plane.
    pub component: String,
    /// Of which release.
    pub release: String,
    /// What.
    pub text: String,
    /// Where it says so.
    pub source: Option<String>,
}

/// Everything that is wrong with the notes, each mistake with its file and line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .mistakes.join("\n"))]
pub struct NotesError {
    /// One sentence a mistake, `file:line: what`.
    pub mistakes: Vec<String>,
}

/// All of the control plane, as a note's component.
const KUBERNETES: &str = "kubernetes";

/// Reads a file of notes, on the cases of a library.
///
/// # Errors
/// All mistakes together.
pub fn notes(file: &str, text: &str, library: &Library) -> Result<Vec<Note>, NotesError> {
    let mut mistakes = Vec::new();
    let items = items(file, text, &mut mistakes);
    let notes = items
        .into_iter()
        .map(|item| note(item, library, &mut mistakes))
        .collect();
    if mistakes.is_empty() {
        Ok(notes)
    } else {
        Err(NotesError { mistakes })
    }
}

fn note(mut item: Item, library: &Library, mistakes: &mut Vec<String>) -> Note {
    let [component, version, text] = ["component", "release", "text"].map(|key| item.needed(key, mistakes));
    let [case, source] = ["case", "source"].map(|key| item.text(key, mistakes));
    if let Some(case) = &case
        && library.called(case).next().is_none()
    {
        mistakes.push(item.mistake("case", library.no_case(case)));
    }
    if !component.is_empty() && component != KUBERNETES {
        let known = component.parse::<ComponentName>();
        mistakes.extend(known.err().map(|e| item.mistake("component", e)));
    }
    if !version.is_empty() && release(&version).is_none() {
        mistakes.push(item.mistake("release", format!("\"{version}\" is no release")));
    }
    item.end(mistakes);
    Note {
        case,
        component,
        release: version,
        text,
        source,
    }
}

/// What a column of the table is: one combination of releases.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Build {
    kubernetes: String,
    descheduler: String,
    /// What is of another release than its API server, or beside it.
    others: Vec<String>,
}

impl Build {
    fn of(outcome: &Outcome) -> Self {
        let version = |name: ComponentName| outcome.version(name.as_str()).unwrap_or("unknown").to_owned();
        let kubernetes = version(ComponentName::Apiserver);
        let others = [
            ComponentName::ControllerManager,
            ComponentName::Scheduler,
            ComponentName::SecondScheduler,
        ];
        let others = others
            .into_iter()
            .filter(|name| outcome.version(name.as_str()).is_some_and(|v| v != kubernetes))
            .map(|name| format!("{name} {}", version(name)));
        Self {
            others: others.collect(),
            descheduler: version(ComponentName::Descheduler),
            kubernetes,
        }
    }

    fn order(&self) -> (Option<Version>, Option<Version>, Vec<String>) {
        (
            release(&self.kubernetes),
            release(&self.descheduler),
            self.others.clone(),
        )
    }

    fn names(&self) -> Vec<String> {
        let mut names = vec![
            format!("Kubernetes {}", self.kubernetes),
            format!("descheduler {}", self.descheduler),
        ];
        names.extend(self.others.clone());
        names
    }

    /// `v1.36.3`, with what it is combined with.
    fn short(&self) -> String {
        let mut parts = vec![self.kubernetes.clone(), self.descheduler.clone()];
        parts.extend(self.others.clone());
        parts.join(" with ")
    }

    /// The release of a note's component.
    fn release_of(&self, component: &str) -> Option<Version> {
        let of_its_own = self
            .others
            .iter()
            .find_map(|other| other.strip_prefix(component)?.strip_prefix(' '));
        let kubernetes = component == KUBERNETES
            || ComponentName::KUBERNETES
                .iter()
                .any(|name| name.as_str() == component);
        match of_its_own {
            Some(version) => release(version),
            None if component == ComponentName::Descheduler.as_str() => release(&self.descheduler),
            None if kubernetes => release(&self.kubernetes),
            None => None,
        }
    }
}

/// The runs of one pace: columns, and of each its arms.
struct Table {
    pace: Pace,
    columns: Vec<(Build, Vec<Outcome>)>,
}

/// The whole page, its cases in the order of a library.
#[must_use]
pub fn page(outcomes: &[Outcome], notes: &[Note], library: &Library) -> String {
    let mut text = String::from(
        "# Results\n\n\
         What every case ended with on several releases of Kubernetes, each with a descheduler of its age. This page is\n\
         generated from the evidence of real runs by `kubeclash results`; upstream reasons are in\n\
         `docs/results-notes.yaml`. A verdict that is not the usual one (broken reproduces, control does not) is bold.\n\
         Below it stands the arm's rate, or the figure that it has instead; of several runs it is their median.\n",
    );
    let mut used = vec![false; notes.len()];
    for table in tables(outcomes) {
        let _ = write!(text, "\n## At {} pace\n\n", table.pace);
        verdicts(&table, library, &mut text);
        let _ = write!(
            text,
            "\n### What changed between releases ({} pace)\n\n",
            table.pace
        );
        changes(&table, notes, library, &mut used, &mut text);
    }
    let left: Vec<&Note> = notes
        .iter()
        .zip(used)
        .filter(|(_, used)| !used)
        .map(|(note, _)| note)
        .collect();
    if !left.is_empty() {
        text.push_str("\n## Notes\n\n");
        for note in left {
            let case = note
                .case
                .as_ref()
                .map_or_else(String::new, |case| format!(", {case}"));
            let _ = writeln!(
                text,
                "- {} {}{case}: {}",
                note.component,
                note.release,
                told(note)
            );
        }
    }
    text
}

/// A table for each pace that something was run at: rates of two paces are not the same thing.
fn tables(outcomes: &[Outcome]) -> Vec<Table> {
    let mut tables = Vec::new();
    for pace in [Pace::Fast, Pace::Recorded] {
        let mut groups: Vec<(Build, Vec<Outcome>)> = Vec::new();
        for outcome in outcomes.iter().filter(|outcome| outcome.pace == pace) {
            let build = Build::of(outcome);
            match groups.iter_mut().find(|(known, _)| *known == build) {
                Some((_, runs)) => runs.push(outcome.clone()),
                None => groups.push((build, vec![outcome.clone()])),
            }
        }
        groups.sort_by_key(|(build, _)| build.order());
        let columns: Vec<_> = groups
            .into_iter()
            .map(|(build, runs)| {
                let arms = by_arm(runs);
                (build, arms.iter().filter_map(|runs| agree(runs, 0)).collect())
            })
            .collect();
        if !columns.is_empty() {
            tables.push(Table { pace, columns });
        }
    }
    tables
}

impl Table {
    /// The arms that some column has, in the order of the cases.
    fn rows(&self, library: &Library) -> Vec<&Outcome> {
        let mut rows: Vec<&Outcome> = Vec::new();
        for outcome in self.columns.iter().flat_map(|(_, arms)| arms) {
            if !rows.iter().any(|known| known.id == outcome.id) {
                rows.push(outcome);
            }
        }
        rows.sort_by_key(|row| (library.place(&row.id.case), row.id.clone()));
        rows
    }
}

fn of<'a>(arms: &'a [Outcome], row: &Outcome) -> Option<&'a Outcome> {
    arms.iter().find(|outcome| outcome.id == row.id)
}

fn verdicts(table: &Table, library: &Library, text: &mut String) {
    text.push_str("| case | arm |");
    for (build, _) in &table.columns {
        let names: Vec<String> = build.names().iter().map(|name| cell(name)).collect();
        let _ = write!(text, " {} |", names.join("<br>"));
    }
    let _ = writeln!(text, "\n|---|---|{}", "---|".repeat(table.columns.len()));
    let mut unclear = Vec::new();
    for row in table.rows(library) {
        let case = match row.id.arm {
            Arm::Control => String::new(),
            Arm::Broken => row.id.case_name(),
        };
        let _ = write!(text, "| {} | {} |", cell(&case), row.id.arm);
        for (build, arms) in &table.columns {
            let outcome = of(arms, row);
            let _ = write!(text, " {} |", outcome.map_or_else(|| "not run".to_owned(), ended));
            if let Some(outcome) = outcome.filter(|outcome| outcome.verdict.is_inconclusive()) {
                unclear.push(format!("- {}, {}: {}", outcome.id, build.short(), outcome.why()));
            }
        }
        text.push('\n');
    }
    if !unclear.is_empty() {
        let _ = write!(text, "\nWithout a verdict:\n\n{}\n", unclear.join("\n"));
    }
}

/// Verdict, figure, and how many runs it took.
fn ended(outcome: &Outcome) -> String {
    let verdict = if Expect::of(outcome.id.arm).met_by(&outcome.verdict) {
        outcome.verdict.to_string()
    } else {
        format!("**{}**", outcome.verdict)
    };
    let figure = FIGURES.iter().find_map(|figure| {
        let value = figure.shown(figure.of(outcome)?);
        Some(match figure.name {
            "rate" => value,
            name => format!("{name} {value}"),
        })
    });
    let runs = (outcome.runs.len() > 1).then(|| format!("{} runs", outcome.runs.len()));
    let lines: Vec<String> = std::iter::once(verdict).chain(figure).chain(runs).collect();
    lines.join("<br>")
}

fn changes(table: &Table, notes: &[Note], library: &Library, used: &mut [bool], text: &mut String) {
    let mut any = false;
    for pair in table.columns.windows(2) {
        let [(from, before), (to, after)] = pair else {
            continue;
        };
        let mut lines = Vec::new();
        for row in table.rows(library) {
            let (Some(a), Some(b)) = (of(before, row), of(after, row)) else {
                continue;
            };
            for compared in compare(vec![a.clone()], vec![b.clone()]) {
                let Some(change) = change(&compared) else { continue };
                let mut line = format!("- {}: {change}", compared.id);
                for (note, used) in notes.iter().zip(used.iter_mut()) {
                    if explains(note, &compared, library, from, to) {
                        *used = true;
                        let _ = write!(line, ". {} {}: {}", note.component, note.release, told(note));
                    }
                }
                lines.push(line);
            }
        }
        if !lines.is_empty() {
            any = true;
            let _ = write!(
                text,
                "{} → {}:\n\n{}\n\n",
                from.short(),
                to.short(),
                lines.join("\n")
            );
        }
    }
    if table.columns.len() < 2 {
        text.push_str("There is one release only.\n");
    } else if !any {
        let _ = writeln!(
            text,
            "No verdict flipped, and no figure differs by a factor of {FACTOR} from one release to the next."
        );
    } else {
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
}

/// What changed from one release to the next, where it is worth a word.
fn change(compared: &Compared) -> Option<String> {
    let (a, b) = (compared.a.as_ref()?, compared.b.as_ref()?);
    let mut parts = Vec::new();
    if compared.outlook != Outlook::Same {
        parts.push(match compared.outlook {
            Outlook::Inconclusive => format!("{} → {}", a.verdict, b.verdict),
            flip => format!("**{flip}**: {} → {}", a.verdict, b.verdict),
        });
        if a.verdict.is_like(&b.verdict) {
            return None;
        }
    }
    let figures = compared.figures.iter().filter(|pair| pair.is_another());
    parts.extend(figures.map(super::comparison::sentence));
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Whether a note is of what came in between two releases.
fn explains(note: &Note, compared: &Compared, library: &Library, from: &Build, to: &Build) -> bool {
    let of_case = note
        .case
        .as_ref()
        .is_some_and(|word| library.called(word).any(|case| case.folder() == compared.id.case));
    let (Some(then), Some(before), Some(after)) = (
        release(&note.release),
        from.release_of(&note.component),
        to.release_of(&note.component),
    ) else {
        return false;
    };
    of_case && before < then && then <= after
}

fn told(note: &Note) -> String {
    let text = note.text.split_whitespace().collect::<Vec<_>>().join(" ");
    match &note.source {
        Some(source) if source.starts_with("https://") => format!("{text} (<{source}>)"),
        Some(source) => format!("{text} ({source})"),
        None => text,
    }
}

#[cfg(test)]
#[path = "results_tests.rs"]
mod tests;
