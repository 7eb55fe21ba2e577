//! What a judge says of a beginning stays true of the whole.

use super::{Drawing, all_drawings};
use crate::Verdict;
use crate::claim::{judge, reproduced};

fn agrees(drawing: &Drawing) {
    let Drawing {
        name,
        scenario,
        timeline,
    } = drawing;
    let whole = judge(&scenario.claims(), timeline).verdict;
    let mut before = false;
    for length in 1..=timeline.entries.len() {
        let mut prefix = timeline.clone();
        prefix.entries.truncate(length);
        let now = reproduced(&scenario.claims(), &prefix);
        assert!(
            now || !before,
            "{name}: reproduced after {} entries, and not after {length}",
            length - 1
        );
        assert!(
            !now || whole == Verdict::Reproduced,
            "{name}: reproduced after {length} entries, and as a whole {whole:?}"
        );
        before = now;
    }
    assert_eq!(before, whole == Verdict::Reproduced, "{name}");
}

#[test]
fn a_beginning_of_a_drawing_that_is_reproduced_stays_so() {
    for drawing in all_drawings() {
        agrees(&drawing);
    }
}

#[test]
fn the_drawings_show_each_verdict() {
    let verdicts: Vec<Verdict> = all_drawings()
        .iter()
        .map(|drawing| judge(&drawing.scenario.claims(), &drawing.timeline).verdict)
        .collect();
    let count = |is: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| is(verdict)).count();
    assert!(count(|verdict| *verdict == Verdict::Reproduced) >= 16);
    assert!(count(|verdict| *verdict == Verdict::Absent) >= 10);
    assert!(count(Verdict::is_inconclusive) >= 16);
}
