//! Evidence for tests of reports: recordings of the repository, laid out as runs leave them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kubeclash::cases::Library;
use kubeclash::evidence::{Outcome, RunContext, TIMELINE, VERDICT};
use kubeclash_timeline::{Expect, Timeline, read};

/// The recordings of the study's cases and of l1, in order of their names.
pub(crate) fn recordings() -> Vec<PathBuf> {
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    let files = super::cli_sandbox::files_below(&manifests);
    let recorded: Vec<PathBuf> = files
        .into_iter()
        .filter(|file| file.extension().is_some_and(|end| end == "jsonl"))
        .filter(|file| {
            let folder = file.strip_prefix(&manifests).unwrap().to_string_lossy();
            folder.starts_with('c') || folder.starts_with("l1")
        })
        .collect();
    assert!(recorded.len() > 10, "{recorded:?}");
    recorded
}

/// How the arm of a timeline ended, as a run of it would have said.
pub(crate) fn outcome(timeline: &Timeline) -> Outcome {
    let header = &timeline.header;
    let judgement = Library::builtin().find(&header.case).unwrap().judge(timeline);
    let run = RunContext {
        id: header.arm_id(),
        expected: Expect::of(header.arm),
        expected_why: None,
        elapsed: timeline.end() + Duration::from_millis(3_200),
        ready: Duration::from_millis(3_100),
        created: None,
        provider: header.provider.clone(),
        pace: header.pace,
        components: header.components.clone(),
        evidence: PathBuf::new(),
    };
    Outcome::new(run, judgement)
}

/// Lays all recordings out below a folder, each changed by `change`, and gives the folders of the runs.
pub(crate) fn lay_out(dir: &Path, run: &str, change: impl Fn(&mut Timeline, &mut Outcome)) -> Vec<PathBuf> {
    let mut runs = Vec::new();
    for file in recordings() {
        let mut timeline = read(&file).unwrap().timeline;
        let mut outcome = outcome(&timeline);
        change(&mut timeline, &mut outcome);
        let name = file.file_stem().unwrap();
        let folder = dir.join(&outcome.id.case).join(name).join(run);
        fs::create_dir_all(&folder).unwrap();
        outcome.evidence.clone_from(&folder);
        write(&folder, &timeline, &outcome);
        runs.push(folder);
    }
    runs
}

/// Writes a run as `drive` does.
pub(crate) fn write(folder: &Path, timeline: &Timeline, outcome: &Outcome) {
    let mut sink = kubeclash_timeline::Sink::create(&folder.join(TIMELINE), &timeline.header).unwrap();
    for entry in &timeline.entries {
        sink.write(entry).unwrap();
    }
    fs::write(
        folder.join(VERDICT),
        serde_json::to_string_pretty(outcome).unwrap() + "\n",
    )
    .unwrap();
}
