//! Who is named in a verdict, on a live control plane: whoever acted, as often as the watches saw it.

use kubeclash::cases::Library;
use kubeclash::drive::{ArmRun, drive};
use kubeclash::evidence::Outcome;
use kubeclash::session::{Session, Settings};
use kubeclash_host::interrupt;
use kubeclash_host::progress::Progress;
use kubeclash_timeline::{Arm, ArmId, Deed, Does, Expect, SeenIn, lives};
use tempfile::TempDir;

use crate::conformance::turn;

/// Runs the broken arm of a case.
async fn broken(case: &str, audit: bool, out: &TempDir) -> ArmRun {
    let mut settings = Settings::from_environment().unwrap();
    settings.out = out.path().to_owned();
    settings.tuning.audit = audit;
    let _turn = turn(settings.provider).await;
    let session = Session::open(settings, &Progress::detect()).await.unwrap();
    let case = Library::builtin().find(case).unwrap().clone();
    let id = ArmId::new(case.folder(), Arm::Broken, None);
    let plan = session.plan(&case, id, Expect::Reproduced.into());
    let finished = drive(&plan, &interrupt::token(), &|_| ()).await.unwrap();
    assert!(finished.outcome.ok(), "{}", finished.outcome.why());
    finished
}

fn deed<'a>(outcome: &'a Outcome, actor: &str, does: Does) -> &'a Deed {
    let found = outcome
        .attribution
        .iter()
        .find(|deed| deed.actor == actor && deed.does == does);
    found.unwrap_or_else(|| panic!("{actor} {does}: {:?}", outcome.attribution))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_names_descheduler_controller_and_scheduler_once_a_round() {
    let out = TempDir::new().unwrap();
    let ArmRun { outcome, .. } = broken("c5_remove_duplicates_loop", true, &out).await;
    let evicts = deed(&outcome, "descheduler", Does::Evicts);
    assert_eq!(evicts.detail.as_deref(), Some("RemoveDuplicates"));
    assert_eq!(outcome.facts["evictions"], evicts.count);
    let rounds = &outcome.facts["rounds"];
    assert_eq!(
        *rounds,
        deed(&outcome, "replicaset-controller", Does::Creates).count
    );
    let binds = deed(&outcome, "kube-scheduler", Does::Binds);
    assert_eq!(*rounds, binds.count);
    let nodes = binds.detail.as_deref().unwrap();
    let fight = outcome.fight.as_deref().unwrap();
    let told = [
        "descheduler evicts nginx-",
        " (RemoveDuplicates) → replicaset-controller creates nginx-",
        " → kube-scheduler binds it to ",
    ];
    assert!(told.iter().all(|part| fight.contains(part)), "{fight}");
    let home = fight.rsplit(' ').next().unwrap();
    assert!(nodes.contains(home), "{fight}: {nodes}");
    assert!(outcome.evidence.join("logs/audit.log").is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_pod_is_deleted_by_whoever_really_deletes_it() {
    let out = TempDir::new().unwrap();
    let ArmRun {
        outcome, timeline, ..
    } = broken("c7_taint_recreate_loop", true, &out).await;
    let gone = lives(&timeline)
        .iter()
        .filter(|life| life.terminating.is_some())
        .count();
    let deletes: Vec<_> = outcome
        .attribution
        .iter()
        .filter(|deed| deed.does == Does::Deletes)
        .collect();
    assert_eq!(deletes.len(), 1, "{deletes:?}");
    assert_eq!(deletes[0].actor, "taint-eviction-controller");
    // The last one may be asked for and not yet seen, or seen and not yet written down.
    let count = deletes[0].count;
    assert!(count.abs_diff(gone) <= 1, "{count} deletions of {gone} pods");
    let rejects = deed(&outcome, "kubelet", Does::Rejects);
    assert_eq!(rejects.detail.as_deref(), Some("TaintToleration"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_audit_log_the_verdict_is_the_same_and_says_what_it_was_read_from() {
    let out = TempDir::new().unwrap();
    let ArmRun { outcome, .. } = broken("c5_remove_duplicates_loop", false, &out).await;
    assert!(
        outcome
            .attribution
            .iter()
            .all(|deed| deed.seen_in == SeenIn::Watches)
    );
    assert_eq!(
        outcome.facts["evictions"],
        deed(&outcome, "somebody", Does::Evicts).count
    );
    let fight = outcome.fight.as_deref().unwrap();
    assert!(
        fight.starts_with("somebody ") && fight.contains("no audit log"),
        "{fight}"
    );
    assert!(!outcome.evidence.join("logs/audit.log").exists());
}
