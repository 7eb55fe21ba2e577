//! Runs of our own, as entries: out of the `verdict.json` of a case and the `load.json` of a load test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::entry::{Entry, Setup};
use super::file::Ledger;
use crate::evidence::{self, Outcome};
use kubeclash_load::run::LoadRun;
use kubeclash_timeline::{ComponentVersion, Label};

/// What a ledger is called that lies among evidence.
const FILE: &str = "ledger.jsonl";

/// How many folders deep load tests are looked for: a profile, a run, and what somebody sorted these into.
const DEPTH: usize = 8;

/// The runs of cases and of load tests below a folder, in order of their folders' names; and before them those of every
/// `ledger.jsonl` there, as they stand: what another machine has noted down, say. A run is what its ledger says of it.
///
/// `build` is what the build is called; without it, by the release of the API server.
///
/// # Errors
/// When one can't be read; in words.
pub fn recorded(dir: &Path, build: Option<&str>) -> Result<Vec<Entry>, String> {
    let mut entries: Vec<Entry> = Vec::new();
    for folder in folders(dir, FILE) {
        let ledger = Ledger::read(&folder.join(FILE)).map_err(|error| error.to_string())?;
        entries.extend(ledger.entries);
    }
    // A run's folder has a name of its own, wherever it has been moved to.
    let name = |folder: &Path| folder.file_name().map(ToOwned::to_owned);
    let noted: BTreeSet<_> = entries
        .iter()
        .flat_map(|entry| &entry.evidence)
        .filter_map(|evidence| name(Path::new(evidence)))
        .collect();
    let is_new = |folder: &Path| name(folder).is_none_or(|name| !noted.contains(&name));
    for outcome in evidence::outcomes(dir)? {
        if is_new(&outcome.evidence) {
            entries.push(of_outcome(&outcome, build).named());
        }
    }
    for folder in folders(dir, kubeclash_load::RUN) {
        if !is_new(&folder) {
            continue;
        }
        let run = LoadRun::read(&folder.join(kubeclash_load::RUN)).map_err(|error| error.to_string())?;
        entries.push(of_load(&run, &folder, build).named());
    }
    Ok(entries)
}

/// The folders that have a file, in order of their names.
fn folders(dir: &Path, file: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    find(dir, file, 0, &mut found);
    found.sort();
    found
}

fn find(dir: &Path, file: &str, depth: usize, found: &mut Vec<PathBuf>) {
    if dir.join(file).is_file() {
        found.push(dir.to_owned());
    }
    if depth < DEPTH {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        // Links are not followed: a folder that lies in itself has no end.
        let dirs = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        dirs.for_each(|entry| find(&entry.path(), file, depth + 1, found));
    }
}

/// A run of a case. Whether the failure is expected is not asked: green is absent, red is reproduced.
#[must_use]
pub fn of_outcome(outcome: &Outcome, build: Option<&str>) -> Entry {
    let numbers = outcome.facts.iter();
    let mut figures: BTreeMap<String, f64> = numbers
        .filter_map(|(name, value)| Some((name.clone(), value.as_f64()?)))
        .collect();
    figures.extend(outcome.needed_ms.map(|ms| ("needed_ms".to_owned(), ms as f64)));
    let test = outcome.id.to_string();
    Entry {
        question: Some(format!("{test}, {} pace, {}", outcome.pace, outcome.provider)),
        setup: Setup {
            test: Some(test),
            ..Setup::default()
        },
        date: started(&outcome.evidence),
        verdict: Some(Label::of(&outcome.verdict)),
        figures,
        evidence: vec![outcome.evidence.display().to_string()],
        text: outcome.why().to_owned(),
        title: outcome.id.to_string(),
        ..of_components(&outcome.components, build)
    }
}

/// A run of the load test.
#[must_use]
pub fn of_load(run: &LoadRun, folder: &Path, build: Option<&str>) -> Entry {
    let test = format!("load {}", run.profile.name);
    let figures = figures(run);
    Entry {
        question: Some(format!("{test}, {} nodes", run.nodes)),
        setup: Setup {
            test: Some(test.clone()),
            ..Setup::default()
        },
        date: Some(run.started.to_string()),
        verdict: run.label,
        reached: Some(run.reached),
        figures,
        evidence: vec![folder.display().to_string()],
        text: run.why.clone(),
        title: format!("{test}: {}", run.outcome),
        ..of_components(&run.components, build)
    }
}

/// What a diary would note of it: how large etcd was, how many pods ran, what was late, refused or too slow.
fn figures(run: &LoadRun) -> BTreeMap<String, f64> {
    let measured = &run.measured;
    let late: u64 = run.steps.iter().map(|step| step.late_total).sum();
    let counts = [
        ("nodes", run.nodes as u64),
        ("elapsed_ms", run.elapsed_ms),
        ("late objects", late),
        ("pods running at most", measured.pods.peak_running),
        ("etcd bytes at most", measured.etcd.peak_db_bytes),
        ("etcd keys at most", measured.etcd.peak_keys),
        ("took too long", measured.took_too_long.total),
    ];
    let failed = run.requests.failed.iter();
    counts
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count as f64))
        .chain(failed.map(|(reason, count)| (format!("requests failed: {reason}"), *count as f64)))
        .collect()
}

fn of_components(components: &BTreeMap<String, ComponentVersion>, build: Option<&str>) -> Entry {
    let release = components.get("kube-apiserver").map(|api| api.version.clone());
    Entry {
        build: build
            .map(str::to_owned)
            .or(release)
            .unwrap_or_else(|| "unknown".to_owned()),
        binaries: components
            .iter()
            .map(|(name, component)| (name.clone(), component.sha256.clone()))
            .collect(),
        ..Entry::default()
    }
}

/// When a run began: its folder is called so.
fn started(folder: &Path) -> Option<String> {
    let name = folder.file_name()?.to_str()?;
    let (date, _) = name.split_once('-')?;
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?;
    Some(format!("{time}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::outcome;

    #[test]
    fn a_run_of_a_case_is_an_entry() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("c7/broken/20261126T075316Z-2db23b");
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(
            run.join(evidence::VERDICT),
            serde_json::to_vec(&outcome()).unwrap(),
        )
        .unwrap();
        let entries = recorded(dir.path(), Some("mine")).unwrap();
        let [entry] = &entries[..] else {
            panic!("{entries:?}")
        };
        assert_eq!(entry.build, "mine");
        assert_eq!(entry.verdict, Some(Label::Red));
        assert_eq!(entry.date.as_deref(), Some("2026-11-26T07:53:16Z"));
        assert!(!entry.figures.is_empty());
        assert_eq!(entry.content(), entry.id);
    }

    #[test]
    fn what_is_no_load_test_is_refused_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(kubeclash_load::RUN), "{\n  7").unwrap();
        let error = recorded(dir.path(), None).unwrap_err();
        assert!(error.contains("load.json:2:"), "{error}");
    }
}
