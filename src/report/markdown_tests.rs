use std::time::Duration;

use super::*;
use crate::report::tests::outcome;
use crate::report::{Attempt, HarnessFailure};
use kubeclash_timeline::Verdict;

/// Many arms with long stories, of which every third is unexpected.
fn many(count: usize) -> Vec<Outcome> {
    let long = |at: usize| Outcome {
        verdict: if at.is_multiple_of(3) {
            Verdict::Absent
        } else {
            Verdict::Reproduced
        },
        seen: format!("number {at}: {}", "it took long. ".repeat(200)),
        ..outcome()
    };
    (0..count).map(long).collect()
}

#[test]
fn a_step_summary_holds_what_was_unexpected_first_and_says_what_it_does_not_hold() {
    let outcomes = many(400);
    let failures = [HarnessFailure {
        of: Attempt::Step("c7 broken".to_owned()),
        error: "failed to start".to_owned(),
    }];
    let summary = Summary {
        outcomes: &outcomes,
        failures: &failures,
        took: Duration::from_secs(131),
    };
    let text = report(&summary, |_| None);
    assert!((900_000..1 << 20).contains(&text.len()), "{} bytes", text.len());
    assert_eq!(text.matches("\n| c5_").count(), 400, "every arm has its row");
    assert_eq!(
        text.matches("<details open>").count(),
        134,
        "all that is unexpected"
    );
    assert!(text.contains("### c7 broken failed"));
    let left_out = 400 - 134 - text.matches("<details>").count();
    assert!(left_out > 50);
    let note = format!("Details of {left_out} arms are left out, as a summary holds no more than 1 MiB");
    assert!(text.contains(&note), "{note}");
    assert_eq!(
        text.matches("<details").count(),
        text.matches("</details>").count()
    );
}

#[test]
fn even_a_table_has_an_end() {
    let outcomes = many(9_000);
    let summary = Summary {
        outcomes: &outcomes,
        failures: &[],
        took: Duration::from_secs(131),
    };
    let text = report(&summary, |_| None);
    assert!(text.len() < 1 << 20, "{} bytes", text.len());
    let rows = text.matches("\n| c5_").count();
    assert!(
        text.contains(&format!("{} more arms have no row", 9_000 - rows)),
        "{rows}"
    );
}
