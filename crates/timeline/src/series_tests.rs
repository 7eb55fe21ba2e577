use std::time::Duration;

use proptest::prelude::*;

use super::{Series, Span};
use crate::testing::{draw, s};

fn span(from: f64, to: f64) -> Span {
    Span {
        from: s(from),
        to: s(to),
    }
}

#[test]
fn a_drawing_has_a_point_a_change_and_ends_a_second_after_its_last_value() {
    let series = draw("5 5 1 1 3");
    assert_eq!(series.points(), [(s(0.0), 5), (s(2.0), 1), (s(4.0), 3)]);
    assert_eq!((series.start(), series.end()), (s(0.0), s(5.0)));
    assert_eq!(*series.last(), 3);
}

#[test]
fn of_several_values_at_one_time_the_last_counts() {
    let mut series = Series::starting(s(0.0), 5);
    series.push(s(1.0), 1);
    series.push(s(1.0), 5);
    assert_eq!(series.points(), [(s(0.0), 5)]);
    series.push(s(2.0), 1);
    series.push(s(2.0), 3);
    assert_eq!(series.points(), [(s(0.0), 5), (s(2.0), 3)]);
}

#[test]
fn what_comes_late_is_taken_as_of_now() {
    let mut series = draw("1 2");
    series.push(s(0.5), 7);
    assert_eq!(series.points().last(), Some(&(s(2.0), 7)));
}

#[test]
fn dips_below_names_the_time_and_the_depth_of_the_first_dip() {
    let found = draw("5 5 1 1 3 5 0").dips_below(3);
    assert_eq!(found.at, Some(s(2.0)));
    assert_eq!(found.why, "fell to 1 (floor 3)");
    let not = draw("5 4 3 4").dips_below(3);
    assert!(!not.holds());
    assert_eq!(not.why, "never below 3");
}

#[test]
fn a_dip_of_a_millisecond_is_a_dip() {
    let mut series = draw("5 5");
    series.push(s(2.0), 1);
    series.push(s(2.001), 5);
    assert!(series.dips_below(3).holds());
}

#[test]
fn reaches_names_when_or_how_far_it_got() {
    assert_eq!(draw("1 3 6 6").reaches(6).at, Some(s(2.0)));
    let not = draw("1 3 5 1").reaches(6);
    assert_eq!((not.at, not.why.as_str()), (None, "got no further than 5 of 6"));
}

#[test]
fn falls_to_is_met_at_the_level_or_below_it() {
    assert_eq!(draw("6 3 1").falls_to(3).at, Some(s(1.0)));
    let not = draw("6 4 6").falls_to(3);
    assert_eq!((not.at, not.why.as_str()), (None, "never fell below 4"));
}

#[test]
fn ends_at_least_looks_at_the_end_only() {
    assert_eq!(draw("5 1 3 5").ends_at_least(3).at, Some(s(2.0)));
    assert!(!draw("5 5 5 1").ends_at_least(3).holds());
}

#[test]
fn holds_wants_it_throughout() {
    assert_eq!(draw("0 0 0").holds("none ready", |v| *v == 0).at, Some(s(0.0)));
    let not = draw("0 0 1 0").holds("none ready", |v| *v == 0);
    assert_eq!(
        (not.at, not.why.as_str()),
        (None, "not none ready throughout: 1 at 2.0 s")
    );
}

#[test]
fn settles_wants_it_at_the_end_and_long_enough() {
    let settled = draw("0 2 1 1 1");
    assert_eq!(settled.settles(s(3.0), "even", |v| *v == 1).at, Some(s(2.0)));
    let short = settled.settles(s(4.0), "even", |v| *v == 1);
    assert_eq!(
        (short.at, short.why.as_str()),
        (None, "even only for the last 3.0 s of 4.0 s asked for")
    );
    let over = draw("1 1 1 1 2").settles(s(1.0), "even", |v| *v == 1);
    assert_eq!((over.at, over.why.as_str()), (None, "not even at the end"));
}

#[test]
fn recurs_counts_how_often_it_came_anew() {
    let series = draw("0 1 1 0 2 0 1");
    let found = series.recurs(3, "back", |v| *v > 0);
    assert_eq!(found.at, Some(s(6.0)));
    assert!(!series.recurs(4, "back", |v| *v > 0).holds());
    assert!(
        !series.recurs(0, "back", |v| *v > 0).holds(),
        "nothing recurs no times"
    );
}

#[test]
fn spans_join_neighbours_and_longest_is_the_longest() {
    let series = draw("0 1 2 0 1 0");
    assert_eq!(series.spans(|v| *v > 0), [span(1.0, 3.0), span(4.0, 5.0)]);
    assert_eq!(series.longest(|v| *v > 0), Some(span(1.0, 3.0)));
    assert_eq!(series.longest(|v| *v > 9), None);
}

#[test]
fn since_and_until_beyond_the_ends_keep_the_nearest_value() {
    let series = draw("1 2 3").since(s(1.0));
    assert_eq!(series.since(s(9.0)).points(), [(s(9.0), 3)]);
    assert_eq!(series.until(s(0.2)).points(), [(s(1.0), 2)]);
    assert_eq!(series.until(s(0.2)).end(), s(1.0));
}

/// Series of any values at any times, several at one time included.
fn any_series() -> impl Strategy<Value = (Vec<(u64, i64)>, Series<i64>)> {
    proptest::collection::vec((0_u64..40, 0_i64..6), 1..30).prop_map(|mut pushed| {
        pushed.sort_by_key(|p| p.0);
        let mut series = Series::starting(Duration::ZERO, 0);
        for (t, value) in &pushed {
            series.push(Duration::from_millis(*t), *value);
        }
        (pushed, series)
    })
}

proptest! {
    #[test]
    fn the_value_at_a_time_is_the_last_that_was_pushed_until_then((pushed, series) in any_series(), t in 0_u64..50) {
        let expected = pushed.iter().rev().find(|p| p.0 <= t).map_or(0, |p| p.1);
        prop_assert_eq!(*series.at(Duration::from_millis(t)), expected);
    }

    #[test]
    fn points_ascend_and_neighbours_differ((pushed, series) in any_series()) {
        prop_assert!(series.points().windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 != w[1].1));
        prop_assert_eq!(series.end(), Duration::from_millis(pushed[pushed.len() - 1].0));
        prop_assert_eq!(*series.last(), pushed[pushed.len() - 1].1);
    }

    #[test]
    fn where_a_value_holds_and_where_not_partition_the_time((_, series) in any_series(), floor in 0_i64..7) {
        let mut spans = series.spans(|v| *v < floor);
        spans.extend(series.spans(|v| *v >= floor));
        spans.sort_by_key(|span| (span.from, span.to));
        prop_assert_eq!(spans[0].from, series.start());
        prop_assert_eq!(spans[spans.len() - 1].to, series.end());
        prop_assert!(spans.windows(2).all(|w| w[0].to == w[1].from));
    }

    #[test]
    fn it_dips_below_a_floor_when_its_least_value_does((_, series) in any_series(), floor in 0_i64..7) {
        let found = series.dips_below(floor);
        prop_assert_eq!(found.holds(), series.min() < floor);
        prop_assert_eq!(found.at, series.spans(|v| *v < floor).first().map(|span| span.from));
        prop_assert_eq!(series.reaches(floor).holds(), series.max() >= floor);
    }

    #[test]
    fn a_part_agrees_with_the_whole((_, series) in any_series(), cut in 0_u64..50, t in 0_u64..50) {
        let (cut, t) = (Duration::from_millis(cut), Duration::from_millis(t));
        let (until, since) = (series.until(cut), series.since(cut));
        prop_assert_eq!(until.at(t), series.at(t.min(cut)));
        prop_assert_eq!(since.at(t), series.at(t.max(cut)));
        prop_assert_eq!(until.end(), series.end().min(cut));
        prop_assert_eq!(since.start(), cut);
        prop_assert!(until.points().windows(2).all(|w| w[0].1 != w[1].1));
        prop_assert!(since.points().windows(2).all(|w| w[0].1 != w[1].1));
    }
}

#[test]
fn two_series_are_read_together_at_every_change_of_either() {
    let both = draw("5 5 1 1").with(&draw("0 2 2 2 2 7"), |a, b| a + b);
    assert_eq!(
        both.points(),
        [(s(0.0), 5), (s(1.0), 7), (s(2.0), 3), (s(5.0), 8)]
    );
    assert_eq!(both.end(), s(6.0));
}
