//! The HTML report in a real browser: it draws what was recorded, asks nobody for anything, and can be read.
//!
//! Where there is no chromedriver with Chromium, `NOT RUN` is said; with `KUBECLASH_REQUIRE_BROWSER=1` that fails.

use std::path::PathBuf;
use std::time::Instant;

use kubeclash_timeline::{Change, Expect, Timeline, What};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::browser::{Browser, PALE, browser};
use crate::cli_sandbox::Sandbox;
use crate::report_evidence::lay_out;

/// What breaks out of a page that takes a name for HTML.
const HOSTILE: &str =
    "</script><script>window.pwned=1</script><img src=http://127.0.0.1:9/x onerror=window.pwned=2>";

/// A report over all recordings: two builds, one of which ends unexpectedly and has hostile names.
fn report() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    lay_out(&dir.path().join("a"), "1", |_, _| {});
    lay_out(&dir.path().join("b"), "1", |timeline, outcome| {
        let descheduler = outcome.components.get_mut("descheduler").unwrap();
        descheduler.sha256 = "f".repeat(64);
        descheduler.version = "v0.0.0-fork".to_owned();
        if outcome.id.case.starts_with("c5") {
            outcome.expected = match outcome.expected {
                Expect::Reproduced => Expect::Absent,
                Expect::Absent => Expect::Reproduced,
            };
            outcome.seen = HOSTILE.to_owned();
            for entry in &mut timeline.entries {
                match &mut entry.what {
                    What::Pod(pod) => pod.state.name = HOSTILE.to_owned(),
                    What::Step(name) | What::Mark(name) => *name = HOSTILE.to_owned(),
                    _ => {}
                }
            }
        }
    });
    let file = dir.path().join("report.html");
    let args = ["a", "b"].map(|name| dir.path().join(name).display().to_string());
    let ended = Sandbox::without_components().run(&[
        "report",
        &args[0],
        &args[1],
        "--html",
        &file.display().to_string(),
    ]);
    ended.assert(0, &[]);
    (dir, file)
}

/// Draws what is not yet in view.
const EVERYTHING: &str = "everything(); return document.querySelectorAll('.drawing[data-drawn]').length";

/// Scrolls to the first drawing, and gives how many there are when it is drawn.
const SCROLLED: &str = "document.querySelector('.drawing').scrollIntoView(); \
    const drawn = () => document.querySelectorAll('.drawing[data-drawn]').length; \
    return new Promise((done) => { const look = () => drawn() ? done(drawn()) : requestAnimationFrame(look); look(); })";

async fn number(browser: &Browser, script: &str) -> u64 {
    let value = browser.run(&format!("return {script}")).await;
    value.as_u64().unwrap_or_else(|| panic!("{script}: {value}"))
}

fn pods(timeline: &Timeline) -> usize {
    let seen = timeline.entries.iter().filter_map(|entry| match &entry.what {
        What::Pod(pod) if pod.change == Change::Seen => Some(pod.state.uid.clone()),
        _ => None,
    });
    seen.collect::<std::collections::BTreeSet<_>>().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_drawn_and_asks_for_nothing() {
    let Some(browser) = browser("the HTML report in a browser").await else {
        return;
    };
    let (_dir, file) = report();
    browser.go(&file, "").await;
    let drawn = browser.run(SCROLLED).await.as_u64().unwrap();
    assert!((1..18).contains(&drawn), "only what is near: {drawn} of 40");
    assert_eq!(browser.run(EVERYTHING).await, 40);
    // What is drawn of each is what was recorded of it.
    for recording in crate::report_evidence::recordings() {
        let timeline = kubeclash_timeline::read(&recording).unwrap().timeline;
        let header = &timeline.header;
        let (case, _) = header.case.split_once('_').unwrap();
        let variant = header.variant.as_ref().map(|variant| format!("-{variant}"));
        let id = format!("{case}-{}{}", header.arm, variant.unwrap_or_default());
        let steps = timeline
            .entries
            .iter()
            .filter(|e| matches!(e.what, What::Step(_)));
        let marks = timeline
            .entries
            .iter()
            .filter(|e| matches!(e.what, What::Mark(_)));
        for (what, wanted) in [
            (".pod", pods(&timeline)),
            (".step", steps.count()),
            (".markpoint", marks.count()),
        ] {
            let script = format!("document.querySelectorAll('#{id} {what}').length");
            assert_eq!(number(&browser, &script).await, wanted as u64, "{id} {what}");
        }
    }
    assert_eq!(
        number(
            &browser,
            "document.querySelectorAll('#c5-broken .eviction').length"
        )
        .await,
        3
    );
    let lines = "document.querySelectorAll('#c1-broken .panel path').length";
    assert_eq!(number(&browser, lines).await, 4, "wanted, ready, autoscaler; CPU");
    // Names are text, whatever they say.
    assert_eq!(browser.run("return typeof window.pwned").await, "undefined");
    let why = browser
        .run("return document.querySelector('#c5-broken-2 .why').textContent")
        .await;
    assert_eq!(why, HOSTILE);
    assert_eq!(
        number(&browser, "document.querySelectorAll('img').length").await,
        0
    );
    assert_eq!(browser.console().await, Vec::<String>::new());
    let requests = browser.requests().await;
    assert!(!requests.is_empty(), "the page itself is one");
    for url in requests {
        assert!(url.starts_with("file:///") || url.starts_with("data:"), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_links_and_keys_work() {
    let Some(browser) = browser("the HTML report's filters").await else {
        return;
    };
    let (_dir, file) = report();
    browser.go(&file, "#c7-control").await;
    let seen = "const box = document.getElementById('c7-control').getBoundingClientRect(); \
                return box.top >= -1 && box.top < innerHeight";
    assert_eq!(browser.run(seen).await, true, "a link leads to its arm");
    let choose = |name: &str, value: &str| {
        format!(
            "const box = document.getElementById('by-{name}'); box.value = '{value}'; \
             box.dispatchEvent(new Event('change')); \
             return [document.querySelectorAll('article:not([hidden])').length, \
                     document.querySelectorAll('.arms tbody tr:not([hidden])').length, \
                     document.getElementById('shown').textContent]"
        )
    };
    let shows = async |name: &str, value: &str| browser.run(&choose(name, value)).await;
    assert_eq!(
        shows("case", "c3_two_spread_keys").await,
        json!([8, 4, "8 of 40 shown"])
    );
    assert_eq!(shows("arm", "broken").await, json!([4, 2, "4 of 40 shown"]));
    // c3 was recorded by another build than the others, so that its two are the last of four.
    assert_eq!(shows("build", "3").await, json!([2, 2, "2 of 40 shown"]));
    assert_eq!(shows("verdict", "absent").await, json!([0, 0, "0 of 40 shown"]));
    for name in ["case", "arm", "build", "verdict"] {
        shows(name, "").await;
    }
    let unexpected = "document.getElementById('unexpected').click(); \
                      return [...document.querySelectorAll('article:not([hidden])')].map((one) => one.id)";
    assert_eq!(
        browser.run(unexpected).await,
        json!(["c5-broken-2", "c5-control-2"])
    );
    browser.run("document.getElementById('unexpected').click()").await;
    // The keyboard goes from pod to pod, and what is said of it is shown and read out.
    browser
        .run("everything(); document.querySelector('#c5-broken .time svg').focus()")
        .await;
    browser.key("End").await;
    let told = browser
        .run("return [document.getElementById('tip').hidden, document.getElementById('said').textContent, document.querySelectorAll('.pod.now').length]")
        .await;
    let said = told[1].as_str().unwrap();
    assert!(said.contains("nginx-58c4cd6857-h7lnb, on kind-worker"), "{said}");
    assert_eq!((&told[0], &told[2]), (&json!(false), &json!(1)));
    browser.key("Escape").await;
    assert_eq!(
        browser.run("return document.getElementById('tip').hidden").await,
        true
    );
    // So does the pointer.
    let point = browser
        .run("const box = document.querySelector('#c5-broken .pod .running').getBoundingClientRect(); return [box.x + 3, box.y + 3]")
        .await;
    let mouse = json!({"type": "mouseMoved", "x": point[0], "y": point[1]});
    browser.tools("Input.dispatchMouseEvent", mouse).await;
    let tip = browser
        .run("return document.getElementById('tip').textContent")
        .await;
    assert!(tip.as_str().unwrap().contains("running and ready"), "{tip}");
    let wide = "const time = () => document.querySelector('#c5-broken .time svg').clientWidth; const before = time(); \
                document.querySelector('#c5-broken [aria-label=\"Zoom in\"]').click(); return time() / before";
    assert_eq!(browser.run(wide).await.as_f64().unwrap().round(), 2.0);
    assert_eq!(browser.console().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_read_in_light_and_dark_and_on_a_phone() {
    let Some(browser) = browser("the HTML report in light and dark and on a phone").await else {
        return;
    };
    let (_dir, file) = report();
    let ground = "return getComputedStyle(document.body).backgroundColor";
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme).await;
        for (place, width, height) in [("desktop", 1280, 1600), ("phone", 390, 1400)] {
            browser.screen(width, height).await;
            browser.go(&file, "").await;
            browser.run(EVERYTHING).await;
            let name = format!("{place}-{scheme}.png");
            browser.shoot(&name).await;
            for part in ["c5-broken", "c7-broken"] {
                browser
                    .run(&format!(
                        "document.getElementById('{part}').scrollIntoView({{behavior: 'instant'}})"
                    ))
                    .await;
                browser.shoot(&format!("{part}-{name}")).await;
            }
            assert_eq!(browser.run(PALE).await, json!([]), "{name}: contrast");
            let over = "return document.documentElement.scrollWidth - innerWidth";
            assert!(
                browser.run(over).await.as_i64().unwrap() <= 0,
                "{name}: wider than the screen"
            );
            // What is scrolled to and drawn late moves nothing that is there.
            let moved = "return new Promise((done) => { let sum = 0; \
                         new PerformanceObserver((list) => list.getEntries().forEach((e) => sum += e.value)) \
                         .observe({type: 'layout-shift', buffered: true}); setTimeout(() => done(sum), 50); })";
            let moved = browser.run(moved).await.as_f64().unwrap();
            assert!(moved < 0.01, "{name}: the layout shifted by {moved}");
        }
        grounds.push(browser.run(ground).await);
    }
    assert_ne!(grounds[0], grounds[1], "light and dark differ");
    // The button overrules the system, and is remembered.
    browser.run("document.getElementById('theme').click()").await;
    assert_eq!(browser.run(ground).await, grounds[0], "light, in a dark system");
    browser.go(&file, "").await;
    assert_eq!(browser.run(ground).await, grounds[0], "remembered");
    let cards = "return getComputedStyle(document.querySelector('.arms tbody tr')).display";
    assert_eq!(browser.run(cards).await, "block", "on a phone, rows are cards");
    assert_eq!(browser.console().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_report_is_small_and_there_at_once() {
    let Some(browser) = browser("a large HTML report in a browser").await else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    for build in 0..6 {
        lay_out(&dir.path().join(build.to_string()), "1", |_, outcome| {
            let descheduler = outcome.components.get_mut("descheduler").unwrap();
            descheduler.version = format!("v0.{build}.0");
            descheduler.sha256 = build.to_string().repeat(64);
        });
    }
    let file = dir.path().join("report.html");
    let (all, html) = (dir.path().display().to_string(), file.display().to_string());
    let ended = Sandbox::without_components().run(&["report", &all, "--html", &html]);
    ended.assert(0, &[]);
    let bytes = std::fs::metadata(&file).unwrap().len();
    assert!(bytes < 4 << 20, "{bytes} bytes");
    let start = Instant::now();
    browser.go(&file, "").await;
    let loaded = browser
        .run("return performance.timing.domComplete - performance.timing.navigationStart")
        .await;
    println!(
        "{bytes} bytes, loaded after {loaded} ms, by the clock {:?}",
        start.elapsed()
    );
    // Half a second on a quiet machine.
    assert!(loaded.as_u64().unwrap() < 10_000, "{loaded} ms");
    let drawn = browser.run(SCROLLED).await.as_u64().unwrap();
    assert!(
        (1..18).contains(&drawn),
        "{drawn} of 120 drawn before anybody looks"
    );
    let columns: Value = browser
        .run("return [document.querySelectorAll('.arms thead th').length, document.querySelectorAll('article').length]")
        .await;
    // Six builds, twice: the recordings of l1 were made with others.
    assert_eq!(columns, json!([14, 120]));
    browser.shoot("large.png").await;
}
