//! Rules that hold runs against each other.

use std::collections::{BTreeMap, BTreeSet};

use super::super::chronicle::chronicle;
use super::super::contradictions::{Contradiction, Kind};
use super::super::entry::{Entry, short};
use super::{contradiction, list, places};
use kubeclash_timeline::Label;

/// A commit with different verdicts, and which of its runs differ in their set-up as well.
pub(in super::super) fn same_commit(entries: &[&Entry]) -> Vec<Contradiction> {
    let mut commits: Vec<(&str, Vec<&Entry>)> = Vec::new();
    for entry in entries {
        for commit in &entry.commits {
            match commits.iter_mut().find(|(known, _)| *known == commit.as_str()) {
                Some((_, runs)) => runs.push(entry),
                None => commits.push((commit, vec![entry])),
            }
        }
    }
    let differ = |runs: &[&Entry]| runs.iter().any(|run| run.verdict != runs[0].verdict);
    commits
        .into_iter()
        .filter(|(_, runs)| differ(runs))
        .map(|(commit, runs)| {
            let sentence = format!(
                "{} ({}) is {}; {}",
                short(commit),
                runs[0].build,
                list(&by_verdict(&runs)),
                set_ups(&runs)
            );
            contradiction(Kind::SameCommit, &runs, sentence)
        })
        .collect()
}

/// `green in lines 147 and 158`, …
fn by_verdict(runs: &[&Entry]) -> Vec<String> {
    let verdicts = [Some(Label::Green), Some(Label::Red), Some(Label::Black), None];
    verdicts
        .into_iter()
        .filter_map(|verdict| {
            let those: Vec<&Entry> = runs
                .iter()
                .copied()
                .filter(|run| run.verdict == verdict)
                .collect();
            let first = those.first()?;
            Some(format!(
                "{} in {}",
                first.verdict_name().replace("no ", "without a "),
                places(&those)
            ))
        })
        .collect()
}

/// In what the set-ups of runs differ from that of the first plain one.
fn set_ups(runs: &[&Entry]) -> String {
    let plain = runs
        .iter()
        .find(|run| run.setup.differs.is_empty())
        .unwrap_or(&runs[0]);
    let others = runs.iter().filter(|run| run.verdict != plain.verdict);
    let told: Vec<String> = others
        .map(|run| {
            let differs = differences(run, plain);
            if differs.is_empty() {
                format!("{} and {} have the same set-up", run.place(), plain.place())
            } else {
                format!(
                    "{} differs from {} in its set-up: {}",
                    run.place(),
                    plain.place(),
                    list(&differs)
                )
            }
        })
        .collect();
    told.join("; ")
}

/// In what one run's set-up differs from another's.
fn differences(run: &Entry, plain: &Entry) -> Vec<String> {
    let (mine, theirs) = (&run.setup, &plain.setup);
    let mut differs: Vec<String> = mine
        .differs
        .iter()
        .filter(|said| !theirs.differs.contains(said))
        .map(|said| match mine.against(said) {
            Some(common) => format!("{said}, against the common \"{common}\""),
            None => said.clone(),
        })
        .collect();
    if let (Some(mine), Some(theirs)) = (&mine.test, &theirs.test)
        && mine != theirs
    {
        differs.push(format!("test \"{mine}\" in place of \"{theirs}\""));
    }
    let (mine, theirs) = (mine.variables(), theirs.variables());
    let names: BTreeSet<&&str> = mine.keys().chain(theirs.keys()).collect();
    for name in names {
        let value =
            |variables: &BTreeMap<&str, &str>| variables.get(*name).map_or("nothing", |v| v).to_owned();
        if mine.get(*name) != theirs.get(*name) {
            differs.push(format!("{name}={} in place of {}", value(&mine), value(&theirs)));
        }
    }
    differs
}

/// Verdicts that change more than once along the builds: no one build brought the issue.
pub(in super::super) fn order(entries: &[&Entry]) -> Option<Contradiction> {
    let builds = chronicle(entries.iter().copied());
    // A build that is both is a contradiction of its own, and one that is neither says nothing.
    let decided: Vec<(&str, Label, Vec<&Entry>)> = builds
        .iter()
        .filter_map(|build| {
            let runs = build.runs.iter().copied();
            let decided: Vec<&Entry> = runs
                .filter(|run| matches!(run.verdict, Some(Label::Green | Label::Red)))
                .collect();
            let label = decided.first()?.verdict?;
            decided
                .iter()
                .all(|run| run.verdict == Some(label))
                .then_some((build.name, label, decided))
        })
        .collect();
    let mut spans: Vec<Vec<&(&str, Label, Vec<&Entry>)>> = Vec::new();
    for build in &decided {
        match spans.last_mut() {
            Some(span) if span[0].1 == build.1 => span.push(build),
            _ => spans.push(vec![build]),
        }
    }
    if spans.len() <= 2 {
        return None;
    }
    let told: Vec<String> = spans
        .iter()
        .map(|span| {
            let names: Vec<String> = span
                .iter()
                .map(|(name, _, runs)| format!("{name} ({})", places(&runs[..1])))
                .collect();
            let verb = if span.len() > 1 { "are" } else { "is" };
            format!("{} {verb} {}", list(&names), span[0].1)
        })
        .collect();
    let runs: Vec<&Entry> = spans
        .iter()
        .flatten()
        .flat_map(|(_, _, runs)| runs.iter().copied())
        .collect();
    let sentence = format!(
        "along the builds, verdicts change {} times: {}; a search by halves finds one of these changes, and not which one matters",
        spans.len() - 1,
        told.join("; then ")
    );
    Some(contradiction(Kind::Order, &runs, sentence))
}

/// Verdicts that go with who ran it: the runner, or the runner's machine, may be what was found.
pub(in super::super) fn runner(entries: &[&Entry]) -> Option<Contradiction> {
    let mut runners: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        if let (Some(runner), Some(Label::Green | Label::Red)) = (&entry.runner, entry.verdict) {
            runners.entry(runner).or_default().push(entry);
        }
    }
    let one_colour = runners
        .values()
        .all(|runs| runs.iter().all(|run| run.verdict == runs[0].verdict));
    let of = |label: Label| -> Vec<String> {
        let theirs = runners.iter().filter(|(_, runs)| runs[0].verdict == Some(label));
        theirs
            .map(|(name, runs)| format!("{name} ({} of {0})", runs.len()))
            .collect()
    };
    let (green, red) = (of(Label::Green), of(Label::Red));
    if !one_colour || green.is_empty() || red.is_empty() || runners.values().map(Vec::len).sum::<usize>() < 4
    {
        return None;
    }
    let runs: Vec<&Entry> = runners.values().flatten().copied().collect();
    let sentence = format!(
        "verdicts go with who ran it: all green ones are by {}, all red ones by {}; nobody's labels are of both colours",
        list(&green),
        list(&red)
    );
    Some(contradiction(Kind::Runner, &runs, sentence))
}

/// One build's name that stands for several commits.
pub(in super::super) fn several_commits(entries: &[&Entry]) -> Vec<Contradiction> {
    let mut found = Vec::new();
    for build in chronicle(entries.iter().copied()) {
        for run in build.runs.iter().filter(|run| run.commits.len() > 1) {
            let commits: Vec<String> = run
                .commits
                .iter()
                .map(|commit| short(commit).to_owned())
                .collect();
            let sentence = format!("{} ({}): one run of {}", run.place(), run.build, list(&commits));
            found.push(contradiction(Kind::SeveralCommits, &[run], sentence));
        }
        let mut commits: Vec<(&String, Vec<&Entry>)> = Vec::new();
        for run in build.runs.iter().filter(|run| run.commits.len() == 1) {
            match commits.iter_mut().find(|(known, _)| **known == run.commits[0]) {
                Some((_, runs)) => runs.push(run),
                None => commits.push((&run.commits[0], vec![run])),
            }
        }
        if commits.len() > 1 {
            let told: Vec<String> = commits
                .iter()
                .map(|(commit, runs)| format!("{} ({})", short(commit), places(runs)))
                .collect();
            let runs: Vec<&Entry> = commits
                .iter()
                .flat_map(|(_, runs)| runs.iter().copied())
                .collect();
            let sentence = format!(
                "{} stands for {} commits: {}",
                build.name,
                commits.len(),
                list(&told)
            );
            found.push(contradiction(Kind::SeveralCommits, &runs, sentence));
        }
    }
    found
}

/// What no run says, though a search wants to know it.
pub(in super::super) fn missing_everywhere(entries: &[&Entry]) -> Option<Contradiction> {
    let nobody = entries.len() > 1 && entries.iter().all(|entry| entry.reached.is_none());
    nobody.then(|| {
        let sentence = "no run says which step of the load test it reached".to_owned();
        contradiction(Kind::Missing, entries, sentence)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(build: &str, verdict: Option<Label>) -> Entry {
        Entry {
            build: build.to_owned(),
            commits: vec![format!("{build}{build}")],
            verdict,
            ..Entry::default()
        }
        .named()
    }

    fn refs(entries: &[Entry]) -> Vec<&Entry> {
        entries.iter().collect()
    }

    #[test]
    fn a_history_that_changes_once_is_in_order() {
        let (green, red) = (Some(Label::Green), Some(Label::Red));
        let once = [run("a", green), run("b", None), run("c", green), run("d", red)];
        assert_eq!(order(&refs(&once)), None);
        let twice = [
            run("a", green),
            run("b", red),
            run("c", Some(Label::Black)),
            run("d", green),
        ];
        let told = order(&refs(&twice)).unwrap();
        assert_eq!(told.entries.len(), 3);
        assert!(told.sentence.contains("change 2 times"), "{}", told.sentence);
    }

    #[test]
    fn a_commit_with_two_verdicts_is_told_with_what_differs() {
        let mut runs = [
            run("a", Some(Label::Green)),
            run("a", Some(Label::Red)),
            run("b", None),
        ];
        assert!(
            same_commit(&refs(&runs))[0]
                .sentence
                .ends_with("have the same set-up")
        );
        runs[1].setup.env = Some("DISK=1 CPU=2".to_owned());
        runs[0].setup.env = Some("DISK=2 CPU=2".to_owned());
        let told = &same_commit(&refs(&runs))[0].sentence;
        assert!(
            told.contains("DISK=1 in place of 2") && !told.contains("CPU"),
            "{told}"
        );
        runs[1].verdict = runs[0].verdict;
        assert_eq!(same_commit(&refs(&runs)), []);
    }

    #[test]
    fn verdicts_that_go_with_the_runner_are_told() {
        let by = |name: &str, build: &str, verdict| Entry {
            runner: Some(name.to_owned()),
            ..run(build, Some(verdict))
        };
        let mut runs = vec![
            by("V", "a", Label::Green),
            by("V", "b", Label::Green),
            by("J", "c", Label::Red),
            by("S", "d", Label::Red),
        ];
        let told = runner(&refs(&runs)).unwrap().sentence;
        assert!(
            told.contains("by V (2 of 2), all red ones by J (1 of 1) and S (1 of 1)"),
            "{told}"
        );
        runs.push(by("J", "e", Label::Green));
        assert_eq!(runner(&refs(&runs)), None);
    }
}
