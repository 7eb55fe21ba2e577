use super::*;
use crate::testing::{Draft, s};

fn seen() -> Finding {
    Finding::seen(s(7.0), "fell to 1")
}

#[test]
fn a_label_is_a_verdict_in_other_words() {
    assert_eq!(Label::of(&Verdict::Absent), Label::Green);
    assert_eq!(Label::of(&Verdict::Reproduced), Label::Red);
    assert_eq!(Label::of(&Verdict::Inconclusive("x".to_owned())), Label::Black);
    assert_eq!(Label::Red.to_string(), "red");
}

#[test]
fn a_label_has_the_colour_and_the_words_of_the_seed() {
    let told = [Label::Green, Label::Red, Label::Black].map(|label| (label.colour(), label.meaning()));
    assert_eq!(
        told,
        [
            ("#c5f015", "issue is not found"),
            ("#f03c15", "issue is found"),
            (
                "#000000",
                "this test does not fit the binary search and can be ignored"
            ),
        ]
    );
}

#[test]
fn verdicts_are_told_by_their_names_and_are_alike_whatever_kept_them() {
    let unclear = |why: &str| Verdict::Inconclusive(why.to_owned());
    let told: Vec<String> = [Verdict::Reproduced, Verdict::Absent, unclear("x")]
        .iter()
        .map(|verdict| {
            format!(
                "{verdict:>12} {:?} {}",
                verdict.reason(),
                verdict.is_inconclusive()
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "  reproduced None false",
            "      absent None false",
            "inconclusive Some(\"x\") true"
        ]
    );
    assert!(unclear("x").is_like(&unclear("y")) && Verdict::Absent.is_like(&Verdict::Absent));
    assert!(!unclear("x").is_like(&Verdict::Absent) && !Verdict::Reproduced.is_like(&Verdict::Absent));
    assert_eq!(
        [Difference::Cured, Difference::Returned].map(|change| change.to_string()),
        ["cured", "returned"]
    );
}

#[test]
fn a_finding_makes_the_verdict() {
    assert_eq!(Verdict::of(&seen()), Verdict::Reproduced);
    assert_eq!(Verdict::of(&Finding::not_seen("no")), Verdict::Absent);
}

#[test]
fn a_precondition_that_was_not_seen_leaves_no_verdict() {
    let missing = Finding::not_seen("never came back");
    let verdict = Verdict::Reproduced.provided(&missing);
    assert_eq!(verdict, Verdict::Inconclusive("never came back".to_owned()));
    assert_eq!(Verdict::Absent.provided(&seen()), Verdict::Absent);
    let first = Verdict::Inconclusive("first".to_owned());
    assert_eq!(first.clone().provided(&missing), first);
}

#[test]
fn only_the_very_verdict_meets_an_expectation() {
    let unclear = Verdict::Inconclusive("x".to_owned());
    assert!(Expect::Reproduced.met_by(&Verdict::Reproduced));
    assert!(Expect::Absent.met_by(&Verdict::Absent));
    assert!(!Expect::Absent.met_by(&Verdict::Reproduced));
    assert!(!Expect::Reproduced.met_by(&unclear) && !Expect::Absent.met_by(&unclear));
}

#[test]
fn a_failure_is_cured_or_has_returned() {
    let between = |before, after| Difference::between(before, after);
    assert_eq!(
        between(Expect::Reproduced, Expect::Absent),
        Some(Difference::Cured)
    );
    assert_eq!(
        between(Expect::Absent, Expect::Reproduced),
        Some(Difference::Returned)
    );
    assert_eq!(between(Expect::Absent, Expect::Absent), None);
    assert_eq!("absent".parse(), Ok(Expect::Absent));
    assert!("inconclusive".parse::<Expect>().is_err());
}

#[test]
fn what_a_failure_needed_counts_from_the_mark() {
    let timeline = Draft::new("c2").at(5.0).mark("redeploy").done();
    let judged = Judgement::since(&timeline, "redeploy", |_| {
        Judgement::of(&seen()).fight(|| "a fought b".to_owned())
    });
    assert_eq!(judged.verdict, Verdict::Reproduced);
    assert_eq!(judged.needed, Some(s(2.0)));
    assert_eq!(judged.fight.as_deref(), Some("a fought b"));
}

#[test]
fn a_run_that_ended_before_the_mark_has_no_verdict() {
    let judged = Judgement::since(&Draft::new("c2").done(), "redeploy", |_| Judgement::of(&seen()));
    assert_eq!(judged.verdict.name(), "inconclusive");
    assert_eq!(judged.why, "the run ended before \"redeploy\"");
}

#[test]
fn a_gap_after_the_mark_takes_verdict_fight_and_time_back_and_leaves_the_facts() {
    let timeline = Draft::new("c2")
        .at(5.0)
        .mark("redeploy")
        .at(6.5)
        .gap("pods")
        .done();
    let judged = Judgement::since(&timeline, "redeploy", |_| {
        Judgement::of(&seen())
            .fact("least", 1)
            .fight(|| "a fought b".to_owned())
    });
    assert_eq!(
        judged.verdict,
        Verdict::Inconclusive(
            "the watch on pods had a gap at 6.5 s (too old resource version): what happened in it was not seen"
                .to_owned()
        )
    );
    assert_eq!((judged.fight, judged.needed), (None, None));
    assert_eq!(judged.facts["least"], 1);
}

#[test]
fn a_gap_before_the_mark_does_no_harm() {
    let timeline = Draft::new("c2").gap("pods").at(5.0).mark("redeploy").done();
    let judged = Judgement::since(&timeline, "redeploy", |_| Judgement::of(&seen()));
    assert_eq!(judged.verdict, Verdict::Reproduced);
}

#[test]
fn a_fight_is_named_only_where_the_failure_was_observed() {
    let absent = Judgement::of(&Finding::not_seen("no")).fight(|| "a fought b".to_owned());
    assert_eq!(absent.fight, None);
    let unclear = Judgement::of(&seen())
        .fight(|| "a fought b".to_owned())
        .provided(&Finding::not_seen("never came back"));
    assert_eq!((unclear.fight, unclear.needed), (None, None));
}

#[test]
fn seconds_have_three_decimals_and_are_left_out_where_they_never_came() {
    let judged = Judgement::of(&seen())
        .seconds("fell_s", Some(s(1.234_567)))
        .seconds("back_s", None);
    assert_eq!(judged.facts["fell_s"], 1.235);
    assert!(!judged.facts.contains_key("back_s"));
}

#[test]
fn what_the_releases_lack_bars_an_absence_and_nothing_else() {
    let mut timeline = Draft::new("c5")
        .mark("m")
        .what(crate::What::End(crate::Ending::Complete))
        .done();
    timeline.header.lacks = vec!["it waits for ever".to_owned()];
    let absent = Judgement::of(&Finding::not_seen("no")).on(&timeline);
    assert_eq!(
        absent.verdict,
        Verdict::Inconclusive("it waits for ever".to_owned())
    );
    assert_eq!(Judgement::of(&seen()).on(&timeline).verdict, Verdict::Reproduced);
    timeline.header.lacks.clear();
    assert_eq!(
        Judgement::of(&Finding::not_seen("no")).on(&timeline).verdict,
        Verdict::Absent
    );
}
