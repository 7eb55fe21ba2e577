//! Every judge, on what was recorded of both arms: no cluster. Proves the judges, not the failures.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use assert_matches::assert_matches;
use kubeclash::cases::{Case, Library};
use kubeclash_timeline::claim::Claim;
use kubeclash_timeline::words::OneOrMany;
use kubeclash_timeline::{Arm, Change, Ending, Expect, LivenessChange, Timeline, Verdict, What, read};
use rstest::rstest;
use serde_json::Value;

/// The recordings: `manifests/<case>/recorded/<arm>[-<variant>].jsonl`.
fn recording(case: &Case, arm: Arm, variant: Option<&str>) -> PathBuf {
    let name = variant.map_or_else(|| arm.to_string(), |variant| format!("{arm}-{variant}"));
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("manifests")
        .join(case.folder())
        .join(format!("recorded/{name}.jsonl"))
}

fn recorded(case: &Case, arm: Arm, variant: Option<&str>) -> Timeline {
    let path = recording(case, arm, variant);
    let recorded = read(&path).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(recorded.cut, None, "{}", path.display());
    recorded.timeline
}

fn named(id: &str) -> Case {
    let library = Library::builtin();
    library.iter().find(|case| case.id() == id).unwrap().clone()
}

/// Every case and variant that was recorded.
fn all() -> Vec<(Case, Option<String>)> {
    let mut all = Vec::new();
    for case in &Library::builtin() {
        let variants = case.variants().into_iter().map(|variant| (case.clone(), variant));
        all.extend(
            variants.filter(|(case, variant)| recording(case, Arm::Broken, variant.as_deref()).is_file()),
        );
    }
    all
}

/// Those whose broken arm shows its failure.
fn failures() -> Vec<(Case, Option<String>)> {
    let mut all = all();
    all.retain(|(case, variant)| case.expected(Arm::Broken, variant.as_deref()) == Expect::Reproduced);
    all
}

#[test]
fn each_recording_is_judged_as_it_was_live() {
    for (case, variant) in all() {
        for arm in Arm::ALL {
            let judged = case.judge(&recorded(&case, arm, variant.as_deref()));
            let name = format!("{} {variant:?} {arm}: {}", case.folder(), judged.why);
            let expected = case.expected(arm, variant.as_deref());
            assert!(expected.met_by(&judged.verdict), "{name}: {:?}", judged.verdict);
            let reproduced = judged.verdict == Verdict::Reproduced;
            let told = (judged.fight.is_some(), judged.needed.is_some());
            assert_eq!(told, (reproduced, reproduced), "{name}");
        }
    }
}

/// A recording of a broken arm that shows its failure, with each of its lines changed.
fn changed(case: &Case, variant: Option<&str>, change: impl Fn(&mut Value)) -> Timeline {
    let text = fs::read_to_string(recording(case, Arm::Broken, variant)).unwrap();
    let lines = text.lines().map(|line| {
        let mut line = serde_json::from_str(line).unwrap();
        change(&mut line);
        format!("{line}\n")
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), lines.collect::<String>()).unwrap();
    read(file.path()).unwrap().timeline
}

/// What a case claims of its broken arm; of several claims the first.
fn claim(case: &Case, variant: Option<&str>) -> Claim {
    let scenario = case
        .as_folder()
        .and_then(|case| case.scenario(Arm::Broken, variant));
    scenario.map_or_else(Claim::default, |scenario| {
        scenario.file.failure.claims()[0].clone()
    })
}

#[test]
fn by_somebody_else_a_failure_is_another_one() {
    let mut looked = 0;
    for (case, variant) in failures() {
        if claim(&case, variant.as_deref()).by.is_empty() {
            continue;
        }
        let mallory = |line: &mut Value| {
            if let Some(request) = line.get_mut("request").and_then(Value::as_object_mut) {
                request.insert("agent".to_owned(), "mallory".into());
                request.remove("user");
                request.remove("manager");
            }
        };
        let judged = case.judge(&changed(&case, variant.as_deref(), mallory));
        let name = format!("{} {variant:?}: {}", case.folder(), judged.why);
        assert_matches!(judged.verdict, Verdict::Inconclusive(_), "{name}");
        looked += 1;
    }
    assert!(looked > 12, "{looked}");
}

#[test]
fn for_another_reason_a_failure_is_another_one() {
    let mut looked = 0;
    for (case, variant) in failures() {
        let Some(OneOrMany::One(because)) = claim(&case, variant.as_deref()).because else {
            continue;
        };
        let another = |line: &mut Value| {
            *line = serde_json::from_str(&line.to_string().replace(&because, "SomethingElse")).unwrap();
        };
        let judged = case.judge(&changed(&case, variant.as_deref(), another));
        let name = format!("{} {variant:?}: {}", case.folder(), judged.why);
        assert_matches!(judged.verdict, Verdict::Inconclusive(_), "{name}");
        looked += 1;
    }
    assert!(looked > 12, "{looked}");
}

#[test]
fn a_control_is_watched_at_least_twice_as_long_as_its_failure_needs() {
    for (case, variant) in failures() {
        let needed = case
            .judge(&recorded(&case, Arm::Broken, variant.as_deref()))
            .needed
            .expect("it was reproduced");
        let watched = case
            .judge(&recorded(&case, Arm::Control, variant.as_deref()))
            .watched;
        assert!(
            watched >= needed * 2,
            "{} {variant:?}: needed {needed:?}, watched {watched:?}",
            case.folder()
        );
    }
}

#[rstest]
#[case::broken(Arm::Broken)]
#[case::control(Arm::Control)]
fn no_part_of_a_recording_shows_an_absence(#[case] arm: Arm) {
    for (case, variant) in all() {
        let whole = recorded(&case, arm, variant.as_deref());
        for tenth in 0..10 {
            let mut part = whole.clone();
            part.entries.truncate(whole.entries.len() * tenth / 10);
            let verdict = case.judge(&part).verdict;
            assert_ne!(
                verdict,
                Verdict::Absent,
                "{} {arm} {variant:?}, {tenth} tenths",
                case.folder()
            );
            if arm == Arm::Control {
                assert_ne!(
                    verdict,
                    Verdict::Reproduced,
                    "{} {variant:?}, {tenth} tenths",
                    case.folder()
                );
            }
        }
    }
}

#[test]
fn without_its_failure_a_broken_recording_is_no_reproduction() {
    let study = |(case, _): &(Case, _)| case.id().starts_with('c') || case.id() == "l1";
    for (case, variant) in all().into_iter().filter(study) {
        // What makes each failure, taken out of its recording.
        let mut timeline = recorded(&case, Arm::Broken, variant.as_deref());
        let marks = timeline
            .entries
            .iter()
            .filter(|e| matches!(e.what, What::Mark(_)))
            .count();
        match case.id() {
            // The autoscaler's maximum, the dip, the stuck pod.
            "c1" => timeline
                .entries
                .retain(|e| !matches!(&e.what, What::Workload(d) if d.state.kind == "deployment" && d.state.wanted == 6)),
            "c2" => timeline
                .entries
                .retain(|e| !matches!(&e.what, What::Workload(d) if d.state.kind == "deployment" && d.state.wanted == 1)),
            "c3" => timeline
                .entries
                .retain(|e| !matches!(&e.what, What::Pod(p) if p.state.unschedulable.is_some())),
            // Nobody is told to go.
            "c5" | "c8" => timeline.entries.retain(
                |e| !matches!(&e.what, What::Pod(p) if p.state.terminating || p.change == Change::Gone),
            ),
            // It ends after ten pods.
            "c7" => {
                let mut first = BTreeSet::new();
                timeline.entries.retain(|e| match &e.what {
                    What::Pod(pod) => first.len() < 10 && first.insert(pod.state.uid.clone()),
                    _ => true,
                });
            }
            // The second drain takes one pod less.
            "c6" => timeline
                .entries
                .retain(|e| !matches!(&e.what, What::Workload(d) if d.state.kind == "deployment" && d.state.available == 1)),
            // Never a second time.
            "l1" => {
                let mut kills = 0;
                timeline.entries.retain(|e| {
                    kills += usize::from(matches!(e.what, What::Liveness(LivenessChange::Killing { .. })));
                    kills < 2 || !matches!(e.what, What::Liveness(_))
                });
            }
            other => panic!("say what makes the failure of {other}"),
        }
        assert_eq!(
            marks,
            timeline
                .entries
                .iter()
                .filter(|e| matches!(e.what, What::Mark(_)))
                .count()
        );
        assert_matches!(
            timeline.entries.last().map(|e| &e.what),
            Some(What::End(Ending::Complete))
        );
        let judgement = case.judge(&timeline);
        assert_ne!(
            judgement.verdict,
            Verdict::Reproduced,
            "{} {variant:?}: {}",
            case.folder(),
            judgement.why
        );
    }
}

#[test]
fn what_is_worse_than_a_failure_is_not_its_absence() {
    let worse = |id: &str, spoil: &dyn Fn(&mut Timeline)| {
        let case = named(id);
        let mut timeline = recorded(&case, Arm::Broken, case.variants()[0].as_deref());
        spoil(&mut timeline);
        let judgement = case.judge(&timeline);
        assert_matches!(
            judgement.verdict,
            Verdict::Inconclusive(_),
            "{id}: {}",
            judgement.why
        );
    };
    // Nobody brings the replicas back, or takes them away again.
    let never_back = |floor: i64| {
        move |timeline: &mut Timeline| {
            let mut low = false;
            timeline.entries.retain(|e| match &e.what {
                What::Workload(d) if d.state.kind == "deployment" => {
                    low |= d.state.wanted == 1 && floor > 1;
                    !(low && d.state.wanted >= floor)
                }
                _ => true,
            });
        }
    };
    worse("c2", &never_back(3));
    worse("c1", &|timeline| {
        let mut peak = false;
        timeline.entries.retain(|e| match &e.what {
            What::Workload(d) if d.state.kind == "deployment" => {
                peak |= d.state.wanted == 6;
                !peak || d.state.wanted == 6
            }
            _ => true,
        });
    });
    // A second pod never runs: not one stuck pod, but not six running ones either.
    worse("c3", &|timeline| {
        let mut uids = BTreeSet::new();
        timeline.entries.retain(|e| match &e.what {
            What::Pod(p) if uids.contains(&p.state.uid) || uids.len() < 5 => {
                uids.insert(p.state.uid.clone());
                uids.len() < 5 || p.state.node.is_none()
            }
            _ => true,
        });
    });
    // The same pods go, because fewer are wanted.
    worse("c5", &|timeline| {
        for entry in &mut timeline.entries {
            if let What::Workload(d) = &mut entry.what
                && d.state.kind == "deployment"
                && d.state.name == "nginx"
                && entry.t > std::time::Duration::from_secs(1)
            {
                d.state.wanted = 4;
            }
        }
    });
}
