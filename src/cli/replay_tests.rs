use assert_matches::assert_matches;
use clap::Parser;
use tempfile::TempDir;

use super::*;
use kubeclash_timeline::testing::Draft;
use kubeclash_timeline::{Ending, Object, Sink, What};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    replay: ReplayArgs,
}

/// As C2's judge: do the replicas wanted fall below three after the redeploy?
fn judge(timeline: &Timeline) -> Judgement {
    let web = Object::named("deployment/web").unwrap();
    let wanted = timeline.series(|world| web.read("wanted", world).unwrap_or(0));
    Judgement::since(timeline, "redeploy", |since| {
        let series = wanted.since(since);
        Judgement::of(&series.dips_below(3))
            .fact("least_replicas", series.min())
            .fight(|| "kubectl apply against the HPA".to_owned())
    })
    .on(timeline)
}

fn judge_of(_: &Path, header: &Header) -> Result<Option<Judge>, CaseError> {
    Ok((header.case == "c2_replicas_omitted").then(|| Judge {
        judge: Box::new(judge),
        expected: Expect::of(header.arm),
    }))
}

/// A redeploy that leaves this many replicas; complete.
fn timeline(replicas: i64) -> Timeline {
    Draft::new("c2_replicas_omitted")
        .step("apply 10-web.yaml")
        .deployment("web", 5, 5)
        .at(10.0)
        .mark("redeploy")
        .at(12.0)
        .deployment("web", replicas, 5)
        .at(20.0)
        .what(What::End(Ending::Complete))
        .done()
}

fn file(folder: &TempDir, timeline: &Timeline) -> PathBuf {
    let path = folder.path().join("timeline.jsonl");
    let mut sink = Sink::create(&path, &timeline.header).unwrap();
    for entry in &timeline.entries {
        sink.write(entry).unwrap();
    }
    path
}

fn run(path: PathBuf, format: ReplayFormat) -> (Result<Replay, ReplayError>, String) {
    let args = ReplayArgs {
        cases: crate::cli::cases::CasesFlags::default(),
        timeline: path,
        format,
    };
    let style = Style {
        width: 60,
        ..Style::default()
    };
    let mut out = Vec::new();
    let replayed = replay(&args, judge_of, &style, &mut out);
    (replayed, String::from_utf8(out).unwrap())
}

#[test]
fn a_replay_says_what_it_is_and_what_it_is_not() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, &timeline(1));
    let (replayed, text) = run(path.clone(), ReplayFormat::Text);
    let replayed = replayed.unwrap();
    assert_eq!(
        (replayed.verdict, replayed.agrees, replayed.cut),
        (Verdict::Reproduced, true, None)
    );
    let expected = format!(
        "\
replay of c2_replicas_omitted broken: reproduced, as expected
  why       fell to 1 (floor 3)
  fight     kubectl apply against the HPA

  web wanted     ██████████████████████▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂  1–5
  web available  ██████████████████████████████████████  5
                 0        5         10       15 s
                                    ▲ redeploy

  facts     least_replicas 1
  recorded  2026-01-02T03:04:05Z on local at recorded pace
  timeline  {}
  note      a replay proves the judge, not the failure: it
            is no reproduction
",
        path.display()
    );
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        expected.lines().collect::<Vec<_>>()
    );
}

#[test]
fn its_json_is_marked_and_has_no_ok_to_be_counted() {
    let folder = TempDir::new().unwrap();
    file(&folder, &timeline(5));
    // The folder of the evidence will do.
    let (replayed, text) = run(folder.path().to_owned(), ReplayFormat::Json);
    assert!(!replayed.unwrap().agrees);
    assert_eq!(text.matches('\n').count(), 1);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["replay"], true);
    assert_eq!(
        (&value["verdict"], &value["expected"]),
        (&json!("absent"), &json!("reproduced"))
    );
    assert_eq!(value["facts"]["least_replicas"], 5);
    assert!(value.get("ok").is_none());
}

#[test]
fn a_file_that_is_cut_is_judged_as_far_as_it_goes_and_says_so() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, &timeline(1));
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    let (replayed, text) = run(path, ReplayFormat::Text);
    let replayed = replayed.unwrap();
    assert_eq!(
        replayed.verdict,
        Verdict::Reproduced,
        "nothing that comes later takes it back"
    );
    assert_eq!(replayed.cut.as_deref(), Some("its last line is cut off"));
    assert!(
        text.contains("cut       its last line is cut off; what is there was"),
        "{text}"
    );
}

#[test]
fn an_absence_is_not_read_from_half_a_file() {
    let folder = TempDir::new().unwrap();
    let mut half = timeline(5);
    half.entries.pop();
    let (replayed, text) = run(file(&folder, &half), ReplayFormat::Text);
    assert_matches!(replayed.unwrap().verdict, Verdict::Inconclusive(why) if why.contains("has no end"));

    assert!(text.contains("inconclusive, UNEXPECTED"), "{text}");
    let mut broken = half;
    broken.entries.push(kubeclash_timeline::Entry {
        t: broken.end(),
        what: What::End(Ending::Broken("interrupted".to_owned())),
    });
    let (replayed, _) = run(file(&folder, &broken), ReplayFormat::Text);
    assert_matches!(replayed.unwrap().verdict, Verdict::Inconclusive(why) if why.contains("interrupted"));
}

#[test]
fn other_versions_and_unknown_cases_are_refused() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, &timeline(1));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        text.replacen("\"kubeclash_timeline\":2", "\"kubeclash_timeline\":7", 1),
    )
    .unwrap();
    let (refused, out) = run(path.clone(), ReplayFormat::Text);
    assert_matches!(
        refused,
        Err(ReplayError::Format(FormatError::Version { found: 7, .. }))
    );
    assert_eq!(out, "");
    std::fs::write(&path, text.replacen("c2_replicas_omitted", "c9_other", 1)).unwrap();
    let (refused, _) = run(path, ReplayFormat::Json);
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("a timeline of \"c9_other\", a case")
    );
}

#[test]
fn the_flags_are_as_documented() {
    let parsed = Command::try_parse_from(["replay", "t.jsonl", "--format", "json"])
        .unwrap()
        .replay;
    assert_eq!(
        (parsed.timeline, parsed.format),
        (PathBuf::from("t.jsonl"), ReplayFormat::Json)
    );
    assert!(Command::try_parse_from(["replay"]).is_err());
}
