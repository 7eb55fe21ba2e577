//! Reports of a run of the load test: the sheet, Markdown, and the page in a real browser.
//!
//! Where there is no chromedriver with Chromium, `NOT RUN` is said; with `KUBECLASH_REQUIRE_BROWSER=1` that fails.

use std::path::PathBuf;

use kubeclash::report::Style;
use kubeclash::report::load::{Cell, Mark, Sheet, Table, markdown, page, summary};
use kubeclash_load::LoadRun;
use kubeclash_load::measure::Measured;
use kubeclash_load::run::LoadOutcome;
use serde_json::json;
use tempfile::TempDir;

use crate::browser::{PALE, browser};
use crate::load_sample::{HOSTILE, run};

fn table<'a>(sheet: &'a Sheet, title: &str) -> &'a Table {
    sheet.tables.iter().find(|table| table.title == title).unwrap()
}

fn texts(row: &[Cell]) -> Vec<&str> {
    row.iter().map(|cell| cell.text.as_str()).collect()
}

#[test]
fn a_sheet_has_every_step_and_all_that_was_measured() {
    let sheet = Sheet::of(&run());
    assert_eq!(sheet.title, "Load test 100: 1,000 nodes");
    assert_eq!(
        (sheet.outcome.as_str(), sheet.mark),
        ("completed with timeouts", Mark::Unclear)
    );
    let steps = table(&sheet, "Steps");
    assert_eq!(steps.rows.len(), 13);
    assert!(
        sheet
            .tables
            .iter()
            .all(|table| table.rows.iter().all(|row| row.len() == table.columns.len()))
    );
    assert_eq!(
        texts(&steps.rows[4][..4]),
        ["5", "Creating objects", "42.0 s", "0"]
    );
    assert_eq!(
        steps.rows[7][3],
        Cell {
            text: "12".to_owned(),
            mark: Some(Mark::Bad)
        }
    );
    let names: Vec<&str> = sheet.charts.iter().map(|chart| chart.name).collect();
    assert_eq!(
        names,
        [
            "CPU",
            "Memory",
            "Pods",
            "API latency, p99",
            "API requests",
            "etcd's database",
            "etcd's keys"
        ]
    );
    assert_eq!(sheet.bands.len(), 13);
    assert_eq!((sheet.bands[12].to, sheet.length_ms), (150_000, 150_000));
    let keys: Vec<&str> = sheet.charts[6]
        .lines
        .iter()
        .map(|line| line.what.as_str())
        .collect();
    assert_eq!(
        keys,
        ["all", "events", "pods", "leases"],
        "all first, then the most; none of nothing"
    );
    assert_eq!(
        table(&sheet, "Late objects").rows[0][2].text,
        format!("deployment load-1/small-7: 4 of 5, {HOSTILE}, and 10 more")
    );
}

#[test]
fn missed_objectives_are_marked_and_come_first() {
    let sheet = Sheet::of(&run());
    let latency = table(&sheet, "API latency");
    assert!(
        latency
            .note
            .starts_with("2 of 22 kinds of request miss their objective (https://"),
        "{}",
        latency.note
    );
    assert_eq!(
        texts(&latency.rows[0]),
        [
            "LIST pods cluster",
            "3,000",
            "11 ms",
            "80 ms",
            "> 60.00 s",
            "60.00 s",
            "30.00 s",
            "31",
            "missed"
        ]
    );
    assert_eq!(latency.rows[1][8].mark, Some(Mark::Bad));
    assert_eq!(
        latency.rows[2][8],
        Cell {
            text: "met".to_owned(),
            mark: Some(Mark::Good)
        }
    );
    assert_eq!(latency.shown, 12);
    assert!(table(&sheet, "Pod start-up").note.contains("is missed"));
}

#[test]
fn a_run_that_measured_nothing_has_a_page_all_the_same() {
    let nothing = LoadRun {
        measured: Measured {
            missing: vec!["nothing was measured".to_owned()],
            ..Measured::default()
        },
        outcome: LoadOutcome::Aborted,
        steps: run().steps[..2].to_vec(),
        label: None,
        ..run()
    };
    let sheet = Sheet::of(&nothing);
    assert!(sheet.charts.is_empty());
    assert_eq!(table(&sheet, "Steps").rows[1][4].text, "–");
    assert_eq!(sheet.mark, Mark::Bad);
    assert!(markdown(&nothing).contains("- nothing was measured\n"));
    assert!(page(&nothing).contains("nothing was measured"));
}

#[test]
fn markdown_has_the_tables_and_no_html_or_emphasis_of_names() {
    let text = markdown(&run());
    assert!(
        text.starts_with(
            "## Load test 100: 1,000 nodes\n\n**completed with timeouts**, red: issue is found: 12 objects"
        ),
        "{text}"
    );
    assert!(
        text.contains("| 5 | Creating objects | 42.0 s | 0 | 4,000 |"),
        "{text}"
    );
    assert!(text.contains(
        "| LIST pods cluster | 3,000 | 11 ms | 80 ms | &gt; 60.00 s | 60.00 s | 30.00 s | 31 | **missed** |"
    ));
    assert!(text.contains("<details><summary>10 more</summary>\n\n| request | count |"));
    assert!(
        !text.contains("<script>") && text.contains("&lt;/script&gt;"),
        "names are text"
    );
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("Waiting for objects to become scaled"))
        .collect();
    assert!(rows[1].contains("\\| \\`x\\` \\*y\\*"), "{}", rows[1]);
    assert!(text.contains("pods_per_node: 30"));
    assert!(text.len() < 64 * 1024);
}

#[test]
fn the_page_asks_for_nothing_and_its_data_can_not_end_its_element() {
    let html = page(&run());
    assert!(html.contains("default-src 'none'"));
    let (_, data) = html.split_once("id=\"data\">").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["bands"][4]["name"], "Creating objects");
    let late = data["tables"]
        .as_array()
        .unwrap()
        .iter()
        .find(|table| table["title"] == "Late objects")
        .unwrap();
    assert!(late["rows"][0][2]["text"].as_str().unwrap().contains(HOSTILE));
    assert!(html.len() < 400_000, "{}", html.len());
}

#[test]
fn a_terminal_gets_the_steps_the_figures_and_what_is_missed() {
    let text = summary(&run(), &Style::default());
    assert!(
        text.starts_with("Load test 100: 1,000 nodes: completed with timeouts, red: 12 objects were late"),
        "{text}"
    );
    assert!(text.contains("\n  took too long        130\n"), "{text}");
    assert!(text.contains("\n   5  Creating objects                           42.0 s     0     4,000        200 ms           71/s\n"), "{text}");
    assert!(
        text.contains(
            "\nmissed LIST pods cluster: p99 60.00 s of 3,000 requests, objective 30.00 s\nmissed POST"
        ),
        "{text}"
    );
    assert!(text.ends_with("connection refused\n") && !text.contains('\u{1b}'));
    let wide = |line: &str| line.chars().count();
    let table = text.lines().skip_while(|line| !line.contains("running, peak"));
    let steps: Vec<usize> = table.take(14).map(wide).collect();
    assert!(
        steps.len() == 14 && steps.iter().all(|wide| *wide <= 100),
        "{text}"
    );
    let colour = Style {
        colour: true,
        ..Style::default()
    };
    assert!(summary(&run(), &colour).contains("\u{1b}[33mcompleted with timeouts"));
}

fn laid_out() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("load.html");
    std::fs::write(&file, page(&run())).unwrap();
    (dir, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn curves_steps_and_tables_are_drawn_and_names_are_text() {
    let Some(browser) = browser("the load test's HTML report in a browser").await else {
        return;
    };
    let (_dir, file) = laid_out();
    browser.go(&file, "").await;
    let count = "return [document.querySelectorAll('.curves svg').length, document.querySelectorAll('.curves path.c').length, \
                 document.querySelectorAll('.curves:first-of-type .span').length, document.querySelectorAll('.curves .gap').length]";
    let sheet = Sheet::of(&run());
    let lines: usize = sheet.charts.iter().map(|chart| chart.lines.len()).sum();
    assert_eq!(browser.run(count).await, json!([7, lines, 7 * 13, 7 * 2]));
    let table =
        "return [...document.querySelectorAll('#table-0 tbody tr')].map((row) => row.cells[1].textContent)";
    let names: Vec<&str> = sheet.bands.iter().map(|band| band.name).collect();
    assert_eq!(browser.run(table).await, json!(names));
    // The rows that are not shown at once come when they are asked for.
    let more = "const rows = () => document.querySelectorAll('#table-1 tbody tr').length; const before = rows(); \
                document.querySelector('#table-1 button').click(); return [before, rows()]";
    assert_eq!(browser.run(more).await, json!([12, 22]));
    assert_eq!(browser.run("return typeof window.pwned").await, "undefined");
    assert_eq!(
        browser
            .run("return document.querySelectorAll('img').length")
            .await,
        0
    );
    // The pointer tells the time, the step and the values.
    let middle = browser
        .run("const box = document.querySelector('.curves svg').getBoundingClientRect(); return [box.x + box.width / 3, box.y + 80]")
        .await;
    let mouse = json!({"type": "mouseMoved", "x": middle[0], "y": middle[1]});
    browser.tools("Input.dispatchMouseEvent", mouse).await;
    let tip = browser
        .run("return document.getElementById('tip').textContent")
        .await;
    let tip = tip.as_str().unwrap();
    assert!(
        tip.contains("5. Creating objects") && tip.contains("kube-apiserver: "),
        "{tip}"
    );
    assert_eq!(browser.console().await, Vec::<String>::new());
    for url in browser.requests().await {
        assert!(url.starts_with("file:///") || url.starts_with("data:"), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_tests_page_can_be_read_in_light_and_dark_and_on_a_phone() {
    let Some(browser) = browser("the load test's HTML report in light and dark and on a phone").await else {
        return;
    };
    let (_dir, file) = laid_out();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme).await;
        for (place, width, height) in [("desktop", 1280, 1900), ("phone", 390, 1400)] {
            browser.screen(width, height).await;
            browser.go(&file, "").await;
            let name = format!("load-{place}-{scheme}.png");
            browser.shoot(&name).await;
            browser
                .run("document.getElementById('table-1').scrollIntoView({behavior: 'instant'})")
                .await;
            browser.shoot(&format!("load-tables-{place}-{scheme}.png")).await;
            assert_eq!(browser.run(PALE).await, json!([]), "{name}: contrast");
            let over = "return document.documentElement.scrollWidth - innerWidth";
            assert!(
                browser.run(over).await.as_i64().unwrap() <= 0,
                "{name}: wider than the screen"
            );
            let clear = "return [...document.querySelectorAll('.curves')].every((box) => box.firstChild.getBoundingClientRect().width <= box.clientWidth + 1)";
            assert_eq!(browser.run(clear).await, true, "{name}: a drawing is cut");
        }
    }
    assert_eq!(browser.console().await, Vec::<String>::new());
}
