use super::*;
use crate::report::tests::{control, outcome};
use kubeclash_timeline::Verdict;

const NOTES: &str = "\
- case: c5
  component: descheduler
  release: v0.33.0
  text: RemoveDuplicates looks
    at node fit
  source: https://example.org/1
- component: kubernetes
  release: v1.20.15
  text: can't be built with this Go
";

fn on(outcome: Outcome, kubernetes: &str, descheduler: &str) -> Outcome {
    let mut outcome = outcome;
    let mut component = outcome.components["descheduler"].clone();
    for (name, version) in [
        ("kube-apiserver", kubernetes),
        ("kube-controller-manager", kubernetes),
        ("kube-scheduler", kubernetes),
        ("descheduler", descheduler),
    ] {
        component.version = version.to_owned();
        outcome.components.insert(name.to_owned(), component.clone());
    }
    outcome
}

fn with(outcome: Outcome, verdict: &Verdict, rate: f64) -> Outcome {
    let mut outcome = outcome;
    outcome.verdict = verdict.clone();
    outcome.facts.insert("evictions_per_min".to_owned(), rate.into());
    outcome
}

fn read(text: &str) -> Vec<Note> {
    notes("n.yaml", text, &Library::builtin()).unwrap_or_else(|e| panic!("{e}"))
}

fn page(outcomes: &[Outcome], notes: &[Note]) -> String {
    super::page(outcomes, notes, &Library::builtin())
}

#[test]
fn the_page_has_a_column_a_release_and_says_what_changed() {
    let old = |outcome| on(outcome, "v1.24.17", "v0.26.1");
    let new = |outcome| on(outcome, "v1.36.3", "v0.36.0");
    let text = page(
        &[
            new(with(outcome(), &Verdict::Absent, 0.0)),
            new(control()),
            old(outcome()),
        ],
        &read(NOTES),
    );
    let (_, tables) = text.split_once("## At recorded pace\n").unwrap();
    assert_eq!(
        tables.lines().collect::<Vec<_>>(),
        [
            "",
            "| case | arm | Kubernetes v1.24.17<br>descheduler v0.26.1 | Kubernetes v1.36.3<br>descheduler v0.36.0 |",
            "|---|---|---|---|",
            "| c5_remove_duplicates_loop | broken | reproduced<br>6/min | **absent**<br>0/min |",
            "|  | control | not run | absent<br>pods created 0 |",
            "",
            "### What changed between releases (recorded pace)",
            "",
            "v1.24.17 with v0.26.1 → v1.36.3 with v0.36.0:",
            "",
            "- c5_remove_duplicates_loop broken: **cured**: reproduced → absent; rate 6/min → 0/min (×0). descheduler v0.33.0: RemoveDuplicates looks at node fit (<https://example.org/1>)",
            "",
            "## Notes",
            "",
            "- kubernetes v1.20.15: can't be built with this Go",
        ]
    );
}

#[test]
fn releases_are_in_order_and_a_note_outside_of_a_step_explains_nothing() {
    let runs = [
        on(with(outcome(), &Verdict::Absent, 0.0), "v1.9.1", "v0.33.0"),
        on(outcome(), "v1.10.0", "v0.33.0"),
    ];
    let text = page(&runs, &read(NOTES));
    assert!(
        text.contains("Kubernetes v1.9.1<br>descheduler v0.33.0 | Kubernetes v1.10.0"),
        "{text}"
    );
    assert!(text.contains("**returned**: absent → reproduced"), "{text}");
    assert!(
        text.contains("\n- descheduler v0.33.0, c5: RemoveDuplicates looks at node fit"),
        "{text}"
    );
}

#[test]
fn several_runs_are_one_and_a_split_is_told() {
    let run = |verdict: &Verdict, rate| on(with(outcome(), verdict, rate), "v1.36.3", "v0.36.0");
    let seen = Verdict::Reproduced;
    let text = page(&[run(&seen, 5.0), run(&seen, 6.0), run(&seen, 9.0)], &[]);
    assert!(text.contains("| reproduced<br>6/min<br>3 runs |"), "{text}");
    assert!(text.contains("There is one release only."), "{text}");
    let text = page(&[run(&seen, 6.0), run(&Verdict::Absent, 6.0)], &[]);
    assert!(text.contains("| **inconclusive**<br>6/min<br>2 runs |"), "{text}");
    assert!(
        text.contains("- c5_remove_duplicates_loop broken, v1.36.3 with v0.36.0: 2 runs are split: 1 reproduced, 1 absent"),
        "{text}"
    );
}

#[test]
fn paces_have_tables_of_their_own_and_trifles_are_no_change() {
    let fast = Outcome {
        pace: Pace::Fast,
        ..on(outcome(), "v1.36.3", "v0.36.0")
    };
    let slow = |version, rate| on(with(outcome(), &Verdict::Reproduced, rate), version, "v0.36.0");
    let text = page(&[fast, slow("v1.35.4", 6.0), slow("v1.36.3", 6.5)], &[]);
    assert!(
        text.contains("## At fast pace") && text.contains("## At recorded pace"),
        "{text}"
    );
    assert!(
        text.contains("No verdict flipped, and no figure differs by a factor of 1.5"),
        "{text}"
    );
    let text = page(&[slow("v1.35.4", 6.0), slow("v1.36.3", 12.0)], &[]);
    assert!(
        text.contains("- c5_remove_duplicates_loop broken: rate 6/min → 12/min (×2)"),
        "{text}"
    );
}

#[test]
fn a_scheduler_of_another_release_is_another_column() {
    let mut fork = on(outcome(), "v1.36.3", "v0.36.0");
    fork.components.get_mut("kube-scheduler").unwrap().version = "v1.37.0-alpha.1".to_owned();
    let text = page(&[on(outcome(), "v1.36.3", "v0.36.0"), fork], &[]);
    assert!(
        text.contains("| Kubernetes v1.36.3<br>descheduler v0.36.0<br>kube-scheduler v1.37.0-alpha.1 |"),
        "{text}"
    );
}

#[test]
fn all_mistakes_of_the_notes_are_named() {
    let text = "- case: c9\n  component: scheduler\n  release: new\n  txt: x\n";
    assert_eq!(
        notes("n.yaml", text, &Library::builtin()).unwrap_err().mistakes,
        [
            "n.yaml:1: text: missing",
            "n.yaml:1: case: no case is called \"c9\": there are c1, c2, c3, c5, c6, c7, c8, as1, ds1, ds2, ds3, h2, h2m, h22, k4, s1, s7, s9, sc2, wl1, wl2, l1 (see \"kubeclash list\")",
            "n.yaml:2: component: \"scheduler\" is no component: they are etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok, descheduler, kwokctl, kind, metrics-server, burn, pause, kubeadm, kubelet, kubectl, containerd, containerd-shim-runc-v2, ctr, ptp, host-local, loopback, crictl",
            "n.yaml:3: release: \"new\" is no release",
            "n.yaml:4: txt: unknown field",
        ]
    );
}
