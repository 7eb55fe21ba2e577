//! The verdict on a run, out of what its logs have: pure, and by rules that are data.

use std::collections::BTreeMap;

use super::rules::{BlackRule, Condition, Over, Rules, Severity};
use super::step::StepName;
use super::tally::Findings;
use kubeclash_timeline::Verdict;

/// How many of the files that could not be read are told in a reason.
const TOLD: usize = 3;

/// How many steps are told in a reason.
const STEPS: usize = 20;

/// The logs that there are, and what could not be read of them.
#[derive(Debug, Clone, Default)]
pub struct Logs {
    /// How many lines there are by component.
    pub lines: BTreeMap<String, u64>,
    /// What could not be read to its end, and why.
    pub unread: Vec<String>,
}

/// A verdict, and which rule or signature it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The verdict; the reason of a black one is in it.
    pub verdict: Verdict,
    /// Why, in words.
    pub why: String,
    /// The black rules that hold, in order; the first is what a black verdict rests on.
    pub black: Vec<String>,
    /// The red signatures that were found, the earliest first.
    pub red: Vec<String>,
}

/// Judges a run.
///
/// A black rule over red goes first; then any red signature; then a black rule over green; else the issue is absent.
#[must_use]
pub fn judge(rules: &Rules, findings: &Findings, logs: &Logs) -> Judged {
    let mut red: Vec<usize> = (0..rules.signatures.len())
        .filter(|&at| rules.signatures[at].severity == Severity::Red && found(rules, findings, at))
        .collect();
    // Those without a time come last: nobody knows when they were.
    red.sort_by_key(|&at| {
        let time = findings
            .tally(at)
            .first
            .as_ref()
            .and_then(|(place, _)| place.time);
        (time.is_none(), time)
    });
    let black: Vec<(&BlackRule, String)> = rules
        .black
        .iter()
        .filter_map(|rule| {
            let detail = rule
                .when
                .iter()
                .find_map(|condition| holds(rules, findings, logs, condition))?;
            Some((rule, format!("{}: {detail}", rule.because)))
        })
        .collect();
    let first = |over: Over| {
        black
            .iter()
            .find(|(rule, _)| rule.over == over)
            .map(|(_, why)| why.clone())
    };
    let (verdict, why) = if let Some(why) = first(Over::Red) {
        let also = if red.is_empty() {
            ""
        } else {
            "; red signatures were found, too"
        };
        let why = format!("{why}{also}");
        (Verdict::Inconclusive(why.clone()), why)
    } else if let Some(&at) = red.first() {
        (Verdict::Reproduced, of_red(rules, findings, at))
    } else if let Some(why) = first(Over::Green) {
        (Verdict::Inconclusive(why.clone()), why)
    } else {
        let why = format!("no red signature in {}", in_lines(logs.lines.values().sum()));
        (Verdict::Absent, why)
    };
    Judged {
        verdict,
        why,
        black: black.iter().map(|(rule, _)| rule.id.clone()).collect(),
        red: red.iter().map(|&at| rules.signatures[at].id.clone()).collect(),
    }
}

/// Whether a signature is in as many lines as it takes, of those that nothing else explains.
pub(crate) fn found(rules: &Rules, findings: &Findings, signature: usize) -> bool {
    let left = findings
        .tally(signature)
        .count
        .saturating_sub(explained(rules, findings, signature));
    left >= rules.signatures[signature].at_least
}

/// How many lines of a signature others explain.
pub(crate) fn explained(rules: &Rules, findings: &Findings, signature: usize) -> u64 {
    // What explains may be explained itself. The rules lead in no circle; if they did, this would end all the same.
    fn left(rules: &Rules, findings: &Findings, at: usize, depth: usize) -> u64 {
        let less = rules.signatures[at].less.iter().filter(|_| depth > 0);
        let places = less.filter_map(|id| rules.signatures.iter().position(|other| other.id == *id));
        let taken: u64 = places.map(|other| left(rules, findings, other, depth - 1)).sum();
        findings.tally(at).count.saturating_sub(taken)
    }
    findings.tally(signature).count - left(rules, findings, signature, rules.signatures.len())
}

fn of_red(rules: &Rules, findings: &Findings, at: usize) -> String {
    let (signature, tally) = (&rules.signatures[at], findings.tally(at));
    let first = tally.first.as_ref().and_then(|(place, _)| place.time);
    let first = first.map_or_else(String::new, |time| {
        format!(", first at {}", super::times::written(time))
    });
    format!(
        "{} {}{first}: {}",
        signature.id,
        how_often(tally.count, tally.lines),
        signature.meaning
    )
}

/// In how many lines, or how often where a line stands for several.
pub fn how_often(count: u64, lines: u64) -> String {
    if count == lines {
        format!("in {}", in_lines(count))
    } else {
        format!(
            "{count} times, as {} of a table of events {}",
            in_lines(lines),
            if lines == 1 { "says" } else { "say" }
        )
    }
}

/// A number of lines, in words.
pub fn in_lines(count: u64) -> String {
    if count == 1 {
        "1 line".to_owned()
    } else {
        format!("{count} lines")
    }
}

/// What makes a condition hold, in words; `None` where it does not.
fn holds(rules: &Rules, findings: &Findings, logs: &Logs, condition: &Condition) -> Option<String> {
    let has = |component: &String| logs.lines.get(component).copied().unwrap_or_default();
    match condition {
        Condition::Found(id) => {
            let at = rules
                .signatures
                .iter()
                .position(|signature| signature.id == *id)?;
            let tally = findings.tally(at);
            found(rules, findings, at).then(|| format!("{id} {}", how_often(tally.count, tally.lines)))
        }
        Condition::FoundBeforeAnyStep(id) => {
            let at = rules
                .signatures
                .iter()
                .position(|signature| signature.id == *id)?;
            let none = findings.reached().is_none() && findings.other_steps().is_empty();
            let line = findings.tally(at).first.as_ref().map(|(_, line)| line.clone());
            (none && found(rules, findings, at)).then(|| line.unwrap_or_default())
        }
        Condition::LogOf(component) => {
            let count = has(component);
            (count > 0).then(|| format!("its log has {}", in_lines(count)))
        }
        Condition::NoLogOf(components) => components.iter().all(|component| has(component) == 0).then(|| {
            let there: Vec<&str> = logs
                .lines
                .iter()
                .filter(|(_, n)| **n > 0)
                .map(|(name, _)| name.as_str())
                .collect();
            let there = if there.is_empty() {
                "none".to_owned()
            } else {
                there.join(", ")
            };
            format!(
                "no log of {}; there are logs of: {there}",
                components.join(" or ")
            )
        }),
        Condition::NotPast(step) => (!findings.past(step)).then(|| short_of(findings, step)),
        Condition::Unread(wanted) => (*wanted && !logs.unread.is_empty()).then(|| {
            let (some, more) = logs.unread.split_at(logs.unread.len().min(TOLD));
            let more = if more.is_empty() {
                String::new()
            } else {
                format!("; and {} more", more.len())
            };
            format!("{}{more}", some.join("; "))
        }),
    }
}

/// How far a load test got that did not get past a step.
fn short_of(findings: &Findings, wanted: &StepName) -> String {
    let own = findings.other_steps();
    if let (StepName::Standard(step), Some(reached)) = (wanted, findings.reached()) {
        return format!(
            "it reached step {}, \"{reached}\", and has to get past step {}, \"{step}\"",
            reached.number(),
            step.number()
        );
    }
    if findings.saw(wanted) {
        return format!("it reached \"{wanted}\", and has to get past it");
    }
    let standard = findings.steps().map(|step| step.name.to_string());
    let seen: Vec<String> = standard
        .chain(own.iter().map(|name| (*name).to_owned()))
        .collect();
    if seen.is_empty() {
        return format!("no step was seen, and \"{wanted}\" has to be passed");
    }
    let (some, more) = seen.split_at(seen.len().min(STEPS));
    let more = if more.is_empty() {
        String::new()
    } else {
        format!(" and {} more", more.len())
    };
    format!(
        "no step was seen that is called \"{wanted}\", which has to be passed, but others: \"{}\"{more}; --past names the \
         one that has to be passed",
        some.join("\", \"")
    )
}
