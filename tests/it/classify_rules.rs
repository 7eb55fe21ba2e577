//! `kubeclash classify`: rules of the user's own, and what is not as it should be.

use std::fs;

use kubeclash::exit;

use crate::classify::{FAR, classify, run, steps};
use crate::cli_sandbox::Sandbox;

#[test]
fn a_users_signatures_are_added_and_listed_and_mistakes_in_them_have_their_lines() {
    let sandbox = Sandbox::without_components();
    let dir = sandbox.path("run");
    run(
        &dir,
        "E0930 08:00:00.000000 1 a.go:1] the sky falls\n",
        "",
        &steps(&FAR),
    );
    let (path, mine) = (dir.to_str().unwrap(), sandbox.path("mine.yaml"));
    let rules = mine.to_str().unwrap();
    fs::write(
        &mine,
        "signatures:\n- id: sky\n  severity: red\n  pattern: the sky falls\n  meaning: m\n  source: s\n",
    )
    .unwrap();
    let (ended, seen) = classify(&sandbox, &[path, "--rules", rules]);
    assert_eq!(
        (ended.code, &seen["red"][0]),
        (Some(exit::DIFFERED.into()), &"sky".into())
    );
    for format in ["text", "json", "markdown"] {
        let listed = sandbox.run(&["classify", "--list", "--rules", rules, "--format", format]);
        listed.assert(exit::EXPECTED, &[]);
        for word in ["sky", "killing-connection", "wcm-on"] {
            assert!(listed.stdout.contains(word), "{format}: no {word} in {listed}");
        }
    }
    fs::write(
        &mine,
        "signatures:\n- id: sky\n  severity: red\n  pattern: 'the (sky'\n  meaning: m\n  source: s\n",
    )
    .unwrap();
    let ended = sandbox.run(&["classify", path, "--rules", rules]);
    ended.assert(exit::USAGE, &["mine.yaml:2: sky: pattern: unclosed group"]);
    sandbox
        .run(&["classify", path, "--without", "nobody"])
        .assert(exit::USAGE, &["is called \"nobody\"", "--list"]);
}

#[test]
fn nothing_to_read_and_an_expectation_that_is_not_met_have_their_codes() {
    let sandbox = Sandbox::without_components();
    let missing = sandbox.path("missing");
    let ended = sandbox.run(&["classify", missing.to_str().unwrap()]);
    ended.assert(
        exit::NOTHING,
        &["there is nothing to read", "missing", "No such file"],
    );
    let dir = sandbox.path("run");
    run(&dir, "", "", &steps(&FAR));
    sandbox
        .run(&["classify", dir.to_str().unwrap(), "--expect", "red"])
        .assert(exit::DIFFERED, &[]);
    // What is missing beside what is there makes it black: the issue may be in that.
    let (ended, seen) = classify(&sandbox, &[dir.to_str().unwrap(), missing.to_str().unwrap()]);
    assert_eq!(
        (ended.code, &seen["black"][0]),
        (Some(exit::INCONCLUSIVE.into()), &"unread".into())
    );
    sandbox.run(&["classify"]).assert(exit::USAGE, &["PATH"]);
}
