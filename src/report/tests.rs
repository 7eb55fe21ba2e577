use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::*;
use kubeclash_timeline::testing::Draft;
use kubeclash_timeline::{Arm, ArmId, ComponentVersion, Expect, Pace, Timeline, Verdict};

/// C2 as the study saw it: 3 → 5 replicas, then a dip to 1 when the manifest without replicas comes.
pub(crate) fn c2() -> Timeline {
    let mut draft = Draft::new("c2_replicas_omitted")
        .nodes(&["kind-worker"])
        .at(1.0)
        .step("apply 10-web.yaml")
        .at(1.2)
        .deployment("web", 3, 0)
        .pods(&[("a", "kind-worker"), ("b", "kind-worker"), ("c", "kind-worker")])
        .at(4.0)
        .deployment("web", 3, 3)
        .hpa("web", 3, None)
        .at(26.0)
        .hpa("web", 5, Some(101))
        .deployment("web", 5, 3)
        .pods(&[("d", "kind-worker"), ("e", "kind-worker")])
        .at(30.0)
        .deployment("web", 5, 5)
        .at(71.0)
        .mark("redeploy")
        .at(71.5)
        .deployment("web", 1, 5);
    for uid in ["b", "c", "d", "e"] {
        draft = draft
            .at(71.6)
            .terminating(uid, "kind-worker")
            .at(73.0)
            .gone(uid, "kind-worker");
    }
    draft
        .deployment("web", 1, 1)
        .at(86.0)
        .hpa("web", 3, Some(100))
        .deployment("web", 3, 1)
        .pods(&[("f", "kind-worker"), ("g", "kind-worker")])
        .at(89.0)
        .deployment("web", 3, 3)
        .at(102.0)
        .hpa("web", 5, Some(100))
        .deployment("web", 5, 3)
        .pods(&[("h", "kind-worker"), ("i", "kind-worker")])
        .at(105.0)
        .deployment("web", 5, 5)
        .at(131.0)
        .event("end of the window")
        .done()
}

/// C5: one pod a cycle is evicted from the first worker and comes back to it.
pub(crate) fn c5() -> Timeline {
    let mut draft = Draft::new("c5_remove_duplicates_loop")
        .nodes(&["kind-worker", "kind-worker2", "kind-worker10"])
        .step("apply 10-background.yaml")
        .at(1.0)
        .deployment("web", 5, 5)
        .pods(&[("a", "kind-worker"), ("b", "kind-worker"), ("c", "kind-worker")])
        .pods(&[("d", "kind-worker2"), ("e", "kind-worker10")])
        .at(4.0)
        .mark("watch");
    for (at, old, new) in [
        (7.7, "a", "f"),
        (17.7, "f", "g"),
        (27.7, "g", "h"),
        (37.7, "h", "i"),
    ] {
        draft = draft
            .round(at, (old, "kind-worker"), (new, "kind-worker"))
            .at(at + 0.02)
            .deployment("web", 5, 4)
            .unschedulable(new)
            .at(at + 2.0)
            .pods(&[(new, "kind-worker")])
            .at(at + 4.5)
            .deployment("web", 5, 5);
    }
    let mut timeline = draft.at(45.0).mark("stop").done();
    timeline.entries.sort_by_key(|e| e.t);
    timeline
}

pub(crate) fn outcome() -> Outcome {
    let facts = json!({
        "rounds": 4, "period_s": 10.003, "evictions_per_min": 6.0, "first_eviction_s": 3.7, "placement": [3, 1, 1]
    });
    Outcome {
        id: ArmId::new("c5_remove_duplicates_loop", Arm::Broken, None),
        verdict: Verdict::Reproduced,
        expected: Expect::Reproduced,
        expected_why: None,
        elapsed_ms: 46_812,
        ready_ms: 912,
        create_ms: None,
        needed_ms: Some(35_700),
        watched_ms: 41_000,
        provider: "local".to_owned(),
        pace: Pace::Recorded,
        components: BTreeMap::from([(
            "descheduler".to_owned(),
            ComponentVersion {
                version: "v0.36.0".to_owned(),
                sha256: "ab".to_owned(),
                origin: "built from source".to_owned(),
            },
        )]),
        evidence: PathBuf::from("target/evidence/c5_remove_duplicates_loop/broken/20260102-030405"),
        seen: "4 evict → recreate rounds of web, one a cycle, and each time the pods stand 3/1/1 again"
            .to_owned(),
        fight: Some("descheduler RemoveDuplicates against kube-scheduler: 6.0 evictions a minute".to_owned()),
        attribution: Vec::new(),
        facts: facts.as_object().unwrap().clone(),
        runs: Vec::new(),
        spread: BTreeMap::new(),
    }
}

/// An arm without a verdict.
fn failed(error: &str) -> HarnessFailure {
    HarnessFailure {
        of: Attempt::Arm {
            id: ArmId::new("c7_taint_recreate_loop", Arm::Broken, None),
            run: None,
        },
        error: error.to_owned(),
    }
}

pub(crate) fn control() -> Outcome {
    let facts = json!({"evictions": 0});
    Outcome {
        id: ArmId::new("c5_remove_duplicates_loop", Arm::Control, None),
        verdict: Verdict::Absent,
        expected: Expect::Absent,
        elapsed_ms: 82_300,
        create_ms: None,
        needed_ms: None,
        watched_ms: 77_000,
        seen: "no pod of web was evicted".to_owned(),
        fight: None,
        facts: facts.as_object().unwrap().clone(),
        ..outcome()
    }
}

/// Times with every digit as `#`: what varies from run to run goes, what it takes on the screen stays.
fn redacted(text: &str) -> String {
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    for at in 1..words.len() {
        let unit = words[at].trim_end_matches([',', '\n', ';', ')']);
        let time = words[at - 1].chars().all(|c| c.is_ascii_digit() || c == '.');
        if time && (unit == "s" || unit == "min" || unit.starts_with("s\n")) {
            words[at - 1] = words[at - 1].replace(|c: char| c.is_ascii_digit(), "#");
        }
    }
    words.join(" ")
}

/// The lines of a drawing, without the indent of this file.
fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

fn narrow() -> Style {
    Style {
        width: 72,
        ..Style::default()
    }
}

fn ascii() -> Style {
    Style {
        unicode: false,
        ..narrow()
    }
}

pub(crate) fn unexpected() -> Outcome {
    Outcome {
        id: ArmId::new("c3_two_spread_keys", Arm::Broken, Some("with-hpa")),
        verdict: Verdict::Inconclusive("the watch on pods had a gap".to_owned()),
        fight: None,
        create_ms: None,
        needed_ms: None,
        ..outcome()
    }
}

#[test]
fn the_redactor_keeps_widths() {
    assert_eq!(
        redacted("ready 0.9 s, 1 min 22 s\nweb 3"),
        "ready #.# s, # min ## s\nweb 3"
    );
}

#[test]
fn an_arm_tells_what_was_seen_and_where_it_lies() {
    let text = terminal::arm(&outcome(), Some(&Picture::of(&c5())), &narrow());
    assert_eq!(
        lines(&redacted(&text)),
        [
            "c5_remove_duplicates_loop broken: reproduced, as expected",
            "  why       4 evict → recreate rounds of web, one a cycle, and each time",
            "            the pods stand 3/1/1 again",
            "  fight     descheduler RemoveDuplicates against kube-scheduler: 6.0",
            "            evictions a minute",
            "",
            "  on kind-worker    ███████▆▆███████▆▆███████▆▆████████▆▆█████  2–3",
            "  on kind-worker2   ▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃  1",
            "  on kind-worker10  ▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃  1",
            "  web available     ███████▇▇▇▇█████▇▇▇▇█████▇▇▇▇▇█████▇▇▇▇███  4–5",
            "  unschedulable            ██·······██·······██········██·····  0–1",
            "  pods created      █      ▂        ▂        ▂         ▂        9 in all",
            "  pods deleted             █        █        █         █        4 in all",
            "                    0        10       20        30       ## s",
            "                       ▲ watch                          stop ▲",
            "",
            "  facts     rounds 4 · period_s 10.003 · evictions_per_min 6.0 ·",
            "            first_eviction_s 3.7 · placement 3/1/1",
            "  time      ready #.# s · needed ##.# s · watched ##.# s · ##.# s in all",
            "            (local, recorded pace)",
            "  evidence  target/evidence/c5_remove_duplicates_loop/broken/20260102-030405",
        ]
    );
    let wide = terminal::arm(&outcome(), Some(&Picture::of(&c5())), &Style::default());
    assert!(wide.lines().count() <= 20);
}

#[test]
fn an_arm_without_unicode_is_ascii() {
    let text = terminal::arm(&unexpected(), Some(&Picture::of(&c2())), &ascii());
    assert_eq!(
        lines(&redacted(&text)),
        [
            "c3_two_spread_keys broken (with-hpa): inconclusive, UNEXPECTED: reproduced was expected",
            "  why       the watch on pods had a gap",
            "",
            "  on kind-worker   3333333355555555555555511111333335555555555  1-5",
            "  web wanted       3333333355555555555555511111333335555555555  1-5",
            "  web available    3333333335555555555555511111133333555555555  1-5",
            "  hpa web desired  3333333355555555555555555555333335555555555  3-5",
            "  hpa web cpu %            @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@  100-101",
            "  pods created     3       2                   2    2           9 in all",
            "  pods deleted                            4                     4 in all",
            "                   0        30        60        ## s",
            "                                          ^ redeploy",
            "",
            "  facts     rounds 4 | period_s 10.003 | evictions_per_min 6.0 |",
            "            first_eviction_s 3.7 | placement 3/1/1",
            "  time      ready #.# s | watched ##.# s | ##.# s in all (local,",
            "            recorded pace)",
            "  evidence  target/evidence/c5_remove_duplicates_loop/broken/20260102-030405",
        ]
    );
    assert!(text.is_ascii());
}

#[test]
fn what_ascii_lacks_is_written_out() {
    assert_eq!(ascii().fit("a → b ⇄ c ≥ 3–5 × ü"), "a -> b <-> c >= 3-5 x ?");
    assert_eq!(narrow().fit("a → ü"), "a → ü");
}

#[test]
fn colour_is_there_only_where_it_is_allowed() {
    let colour = Style {
        colour: true,
        ..narrow()
    };
    let plain = terminal::arm(&outcome(), None, &narrow());
    assert!(!plain.contains('\u{1b}'));
    let painted = terminal::arm(&outcome(), None, &colour);
    assert!(painted.contains("\u{1b}[32;1mreproduced\u{1b}[0m"), "{painted:?}");
    let bad = terminal::arm(&unexpected(), None, &colour);
    assert!(bad.contains("\u{1b}[33;1minconclusive\u{1b}[0m"), "{bad:?}");
}

#[test]
fn the_summary_is_a_table_with_counts() {
    let outcomes = [outcome(), control(), unexpected()];
    let failures = [failed("failed to start \"etcd\": exited with 1\nlast line: …")];
    let summary = Summary {
        outcomes: &outcomes,
        failures: &failures,
        took: Duration::from_secs(131),
    };
    assert_eq!(
        lines(&redacted(&terminal::summary(&summary, &Style::default()))),
        [
            "c5_remove_duplicates_loop  broken             reproduced    ok              ##.# s  rounds 4",
            "c5_remove_duplicates_loop  control            absent        ok          # min ## s  evictions 0",
            "c3_two_spread_keys         broken (with-hpa)  inconclusive  UNEXPECTED      ##.# s  rounds 4",
            "c7_taint_recreate_loop broken                 failed        failed to start \"etcd\": exited with 1",
            "",
            "4 arms: 2 as expected, 1 inconclusive, 1 failed; # min ## s in all",
        ]
    );
}

#[test]
fn counts_leave_out_what_did_not_happen() {
    let outcomes = [outcome()];
    let summary = Summary {
        outcomes: &outcomes,
        failures: &[],
        took: Duration::from_millis(8_310),
    };
    assert_eq!(summary.counts(), "1 arm: 1 as expected; 8.3 s in all");
}

#[test]
fn a_json_line_is_one_line_with_the_documented_fields() {
    let mut written = Vec::new();
    json::write(&outcome(), &mut written).unwrap();
    let text = String::from_utf8(written).unwrap();
    assert_eq!(text.matches('\n').count(), 1);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "case",
            "arm",
            "verdict",
            "expected",
            "ok",
            "elapsed_ms",
            "ready_ms",
            "needed_ms",
            "watched_ms",
            "provider",
            "pace",
            "components",
            "evidence",
            "why",
            "fight",
            "attribution",
            "facts"
        ]
    );
    assert_eq!(serde_json::from_str::<Outcome>(&text).unwrap(), outcome());
}

#[test]
fn markdown_has_a_table_and_folds_what_went_as_expected() {
    let outcomes = [outcome(), unexpected()];
    let failures = [failed("failed | to start")];
    let summary = Summary {
        outcomes: &outcomes,
        failures: &failures,
        took: Duration::from_secs(131),
    };
    let picture = |o: &Outcome| o.ok().then(|| Picture::of(&c5()));
    assert_eq!(
        lines(&redacted(&markdown::report(&summary, picture))),
        [
            "## kubeclash",
            "",
            "3 arms: 1 as expected, 1 inconclusive, 1 failed; # min ## s in all",
            "",
            "| case | arm | verdict | | key numbers | time |",
            "|---|---|---|---|---|--:|",
            "| c5_remove_duplicates_loop | broken | reproduced | ok | rounds 4, period_s 10.003, evictions_per_min 6.0, first_eviction_s 3.7 | ##.# s |",
            "| c3_two_spread_keys | broken (with-hpa) | inconclusive | **UNEXPECTED** | rounds 4, period_s 10.003, evictions_per_min 6.0, first_eviction_s 3.7 | ##.# s |",
            "| c7_taint_recreate_loop broken | | failed | **ERROR** | failed \\| to start | |",
            "",
            "<details><summary><code>c5_remove_duplicates_loop broken</code> reproduced, as expected</summary>",
            "",
            "4 evict → recreate rounds of web, one a cycle, and each time the pods stand 3/1/1 again",
            "",
            "**Fight:** descheduler RemoveDuplicates against kube-scheduler: 6.0 evictions a minute",
            "",
            "```text",
            "on kind-worker     █████████▆▆▆███████████▆▆▆███████████▆▆███████████▆▆▆████████  2–3",
            "on kind-worker2    ▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃  1",
            "on kind-worker10   ▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃  1",
            "web available      █████████▇▇▇▇▇▇████████▇▇▇▇▇▇████████▇▇▇▇▇▇███████▇▇▇▇▇▇▇████  4–5",
            "unschedulable               ███···········███···········██···········███········  0–1",
            "pods created       █        ▂             ▂             ▂            ▂            9 in all",
            "pods deleted                █             █             █            █            4 in all",
            "                  0            10            20            30            ## s",
            "                       ▲ watch                                            stop ▲",
            "```",
            "",
            "**Facts:** rounds 4, period_s 10.003, evictions_per_min 6.0, first_eviction_s 3.7, placement 3/1/1",
            "",
            "**Time:** ready #.# s, needed ##.# s, watched ##.# s, ##.# s in all (local, recorded pace)",
            "",
            "**Evidence:** `target/evidence/c5_remove_duplicates_loop/broken/20260102-030405`",
            "",
            "</details>",
            "",
            "<details open><summary><code>c3_two_spread_keys broken (with-hpa)</code> inconclusive, UNEXPECTED: reproduced was expected</summary>",
            "",
            "the watch on pods had a gap",
            "",
            "**Facts:** rounds 4, period_s 10.003, evictions_per_min 6.0, first_eviction_s 3.7, placement 3/1/1",
            "",
            "**Time:** ready #.# s, watched ##.# s, ##.# s in all (local, recorded pace)",
            "",
            "**Evidence:** `target/evidence/c5_remove_duplicates_loop/broken/20260102-030405`",
            "",
            "</details>",
            "",
            "### c7_taint_recreate_loop broken failed",
            "",
            "```text",
            "failed | to start",
            "```",
        ]
    );
}

#[test]
fn markdown_keeps_hostile_text_in_its_place() {
    let hostile = Outcome {
        seen: "a | b\n# c <script> *d* [e](http://f) `g` \\ [3, 1]".to_owned(),
        evidence: PathBuf::from("/tmp/a`b"),
        ..outcome()
    };
    let text = markdown::arm(&hostile, None);
    let why = "\na | b # c &lt;script&gt; \\*d\\* [e\\](http://f) \\`g\\` \\\\ [3, 1]\n";
    assert!(text.contains(why), "{text}");
    assert!(text.contains("**Evidence:** <code>/tmp/a\\`b</code>"), "{text}");
    assert_eq!(markdown::cell("a | b"), "a \\| b");
}

#[test]
fn several_builds_are_told_apart_where_arms_are_listed() {
    let mut fork = outcome();
    fork.components.get_mut("descheduler").unwrap().sha256 = "cdefcdefcdef".to_owned();
    let outcomes = [outcome(), fork];
    let summary = Summary {
        outcomes: &outcomes,
        failures: &[],
        took: Duration::from_secs(131),
    };
    for text in [
        terminal::summary(&summary, &Style::default()),
        markdown::report(&summary, |_| None),
    ] {
        assert!(text.contains("broken [descheduler v0.36.0 (cdefcdef)]"), "{text}");
    }
}
