//! The front door for Rust, live: a run is awaited, and gives its outcome.

use kubeclash::{Arm, Outcome, Run, Verdict, evidence};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_awaited_gives_the_outcome_that_its_evidence_has() {
    let out = tempfile::tempdir().unwrap();
    let run = Run::case("c7").unwrap().arm(Arm::Control).out(out.path());
    let id = run.id();
    let outcome: Outcome = run.await.unwrap();
    assert_eq!(
        (&outcome.id, &outcome.verdict),
        (&id, &Verdict::Absent),
        "{}",
        outcome.why()
    );
    assert!(outcome.ok() && outcome.change().is_none());
    assert!(
        outcome
            .evidence
            .starts_with(out.path().join(&id.case).join(id.folder()))
    );
    let evidence = evidence::read(&outcome.evidence).unwrap();
    assert_eq!(evidence.outcome, outcome);
    assert_eq!(evidence.timeline.unwrap().header.arm_id(), id);
    assert_eq!(evidence.lacks, None);
}
