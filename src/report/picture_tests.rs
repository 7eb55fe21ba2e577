use proptest::prelude::*;

use super::rows::{NODES, level};
use super::*;
use crate::report::tests::{c2, c5};
use kubeclash_timeline::testing::{Draft, draw, s};

fn style(width: usize, unicode: bool) -> Style {
    Style {
        colour: false,
        unicode,
        width,
    }
}

/// A picture of one row over 40 s.
fn one(row: Row) -> Picture {
    let top = row.series.max();
    Picture {
        from: s(0.0),
        to: s(40.0),
        rows: vec![Row { top, ..row }],
        marks: Vec::new(),
        nodes_left_out: 0,
    }
}

fn columns(picture: &Picture, columns: usize) -> Vec<i64> {
    let values = picture.rows[0].values(picture, columns);
    values.into_iter().map(|v| v.unwrap_or(-1)).collect()
}

#[test]
fn a_dip_that_is_shorter_than_a_column_is_seen() {
    let mut series = draw("5");
    series.push(s(15.0), 1);
    series.push(s(15.02), 5);
    series.push(s(40.0), 5);
    let picture = one(level("web", series));
    assert_eq!(columns(&picture, 4), [5, 1, 5, 5]);
    assert_eq!(picture.rows[0].range(), "1–5");
}

#[test]
fn a_peak_that_is_shorter_than_a_column_is_seen_where_nothing_dips() {
    let mut series = draw("2");
    series.push(s(15.0), 6);
    series.push(s(15.02), 2);
    series.push(s(25.0), 6);
    series.push(s(25.01), 1);
    series.push(s(40.0), 1);
    assert_eq!(columns(&one(level("web", series)), 4), [2, 6, 1, 1]);
}

#[test]
fn before_there_is_anything_nothing_is_drawn_and_later_zeros_are() {
    let mut series = Series::starting(s(0.0), 0);
    for (t, value) in [(10.0, 3), (20.0, 0), (30.0, 3), (40.0, 3)] {
        series.push(s(t), value);
    }
    let picture = one(level("web", series));
    assert_eq!(columns(&picture, 4), [-1, 3, 0, 3]);
    assert_eq!(picture.rows[0].draw(&picture, 4, &style(80, true)), " █·█");
    assert_eq!(picture.rows[0].draw(&picture, 4, &style(80, false)), " 303");
}

#[test]
fn rows_that_are_zero_throughout_are_left_out() {
    let timeline = Draft::new("c7")
        .nodes(&["w1"])
        .step("apply")
        .deployment("web", 1, 0)
        .at(1.0)
        .unschedulable("a")
        .at(9.0)
        .event("x")
        .done();
    let labels: Vec<String> = Picture::of(&timeline).rows.into_iter().map(|r| r.label).collect();
    assert_eq!(labels, ["unschedulable"]);
    let c2: Vec<String> = Picture::of(&c2()).rows.into_iter().map(|r| r.label).collect();
    assert!(!c2.contains(&"unschedulable".to_owned()) && c2.contains(&"web wanted".to_owned()));
}

#[test]
fn a_pod_is_on_its_node_until_it_is_told_to_go() {
    let picture = Picture::of(&c5());
    let first = &picture.rows[0];
    assert_eq!(first.label, "on kind-worker");
    assert_eq!(*first.series.at(s(7.6)), 3);
    assert_eq!(*first.series.at(s(7.8)), 2);
    assert_eq!(*first.series.at(s(9.8)), 3);
    assert_eq!(first.range(), "2–3");
}

#[test]
fn the_busiest_nodes_have_a_row_and_the_others_are_counted() {
    let names: Vec<String> = (1..=12).map(|n| format!("w{n}")).collect();
    let mut draft = Draft::new("c5").step("apply");
    for name in &names {
        draft = draft.pod(name, Some(name));
    }
    let timeline = draft.at(1.0).terminating("w11", "w11").at(2.0).mark("x").done();
    let picture = Picture::of(&timeline);
    let on: Vec<&str> = picture
        .rows
        .iter()
        .map(|r| r.label.as_str())
        .filter(|l| l.starts_with("on "))
        .collect();
    assert_eq!(on.len(), NODES);
    assert!(on.contains(&"on w11"));
    assert_eq!(picture.nodes_left_out, 7);
    assert!(picture.draw(&style(80, true)).contains("(7 more nodes had pods)"));
}

#[test]
fn nothing_to_see_is_an_empty_picture() {
    assert_eq!(Picture::of(&Draft::new("c1").done()).draw(&Style::default()), "");
    let at_once = Draft::new("c1").pod("a", Some("w1")).done();
    assert_eq!(Picture::of(&at_once).draw(&Style::default()), "");
}

#[test]
fn marks_that_would_overlap_stand_on_lines_of_their_own() {
    let mut picture = one(level("web", draw("1 2")));
    for (t, name) in [(1.0, "drain"), (2.0, "uncordon"), (20.0, "drain"), (39.9, "done")] {
        picture.marks.push((s(t), name.to_owned()));
    }
    assert_eq!(
        picture.marks(40, &style(80, true)),
        [" ▲ drain            ▲ drain       done ▲", "  ▲ uncordon"]
    );
}

#[test]
fn the_axis_has_round_seconds_from_the_first_step_on() {
    let picture = one(level("web", draw("1 2")));
    assert_eq!(picture.axis(40), "0         10        20        30 s");
    assert_eq!(picture.axis(20), "0         20 s");
    let short = Picture {
        to: s(3.0),
        ..picture
    };
    assert_eq!(
        short.axis(60),
        "0         0.5       1.0       1.5       2.0       2.5 s"
    );
}

#[test]
fn a_pod_that_is_created_in_the_very_first_instant_is_counted() {
    let timeline = Draft::new("c7")
        .step("apply")
        .pods(&[("a", "w1"), ("b", "w1")])
        .at(5.0)
        .terminating("a", "w1")
        .at(10.0)
        .mark("end")
        .done();
    let picture = Picture::of(&timeline);
    let created = picture.rows.iter().find(|r| r.label == "pods created").unwrap();
    assert_eq!(created.values(&picture, 4), [Some(2), None, None, None]);
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_style_and_ascii_is_ascii(width in 0_usize..200, unicode: bool) {
        for timeline in [c2(), c5()] {
            let style = style(width, unicode);
            let drawn = Picture::of(&timeline).draw(&style);
            for line in drawn.lines() {
                prop_assert!(line.chars().count() <= style.columns(), "{line}");
            }
            prop_assert!(unicode || drawn.is_ascii());
        }
    }

    #[test]
    fn a_counters_columns_add_up_whatever_their_number(columns in 1_usize..120) {
        let picture = Picture::of(&c5());
        let created = picture.rows.iter().find(|r| r.label == "pods created").unwrap();
        let sum: i64 = created.values(&picture, columns).into_iter().flatten().sum();
        prop_assert_eq!(sum, 9);
    }

    #[test]
    fn a_levels_least_value_is_in_some_column_whatever_their_number(columns in 1_usize..120) {
        let picture = Picture::of(&c2());
        let wanted = picture.rows.iter().find(|r| r.label == "web wanted").unwrap();
        let values: Vec<i64> = wanted.values(&picture, columns).into_iter().flatten().collect();
        prop_assert_eq!(values.iter().min(), Some(&1));
    }
}
