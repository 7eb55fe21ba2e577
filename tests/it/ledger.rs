//! The ledger by its command: a team's real diary, read into its 19 runs with its contradictions, and what is made of it.

use std::fs;
use std::path::{Path, PathBuf};

use kubeclash::exit;
use kubeclash::ledger::{Contradiction, Entry, Kind, Ledger, contradictions, import};
use kubeclash_timeline::Label;

use crate::cli_sandbox::Sandbox;

/// The diary of a load test at 5,000 nodes, as the team kept it.
fn diary() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/load-test-bisect-log.txt")
}

fn entries() -> Vec<Entry> {
    import(&diary()).unwrap()
}

#[test]
fn each_of_the_19_runs_has_the_verdict_that_its_label_says() {
    let (green, red, black) = (Some(Label::Green), Some(Label::Red), Some(Label::Black));
    let wanted = [
        (78, "Pre-Alkaid", green),
        (89, "04/05", green),
        (100, "05/21", green),
        (111, "05/21", green),
        (122, "05/26", green),
        (133, "06/10", None),
        (135, "06/12", black),
        (147, "06/12", green),
        (158, "06/12", green),
        (169, "06/18", red),
        (187, "06/25", black),
        (199, "06/25", green),
        (210, "06/25", None),
        (227, "06/30", green),
        (238, "07/23", None),
        (248, "08/11", None),
        (255, "08/13", None),
        (266, "09/24", red),
        (283, "09/24", red),
    ];
    let entries = entries();
    let read: Vec<_> = entries
        .iter()
        .map(|entry| {
            (
                entry.source.as_ref().unwrap().line,
                entry.build.as_str(),
                entry.verdict,
            )
        })
        .collect();
    assert_eq!(read, wanted);
}

#[test]
fn what_stands_in_a_run_is_in_its_fields() {
    let entries = entries();
    let of = |line: usize| {
        entries
            .iter()
            .find(|entry| entry.source.as_ref().unwrap().line == line)
            .unwrap()
    };
    let first = of(78);
    assert_eq!(first.commits, ["75e94764"]);
    assert_eq!(
        (first.date.as_deref(), first.runner.as_deref()),
        (Some("Sep 22"), Some("Vinay"))
    );
    assert_eq!(first.setup.common.len(), 11);
    assert_eq!(first.setup.test.as_deref(), Some("density + load"));
    let [path] = &first.evidence[..] else {
        panic!("{first:?}")
    };
    assert!(
        path.starts_with("sonyafenge@sonyadev:/home/") && path.ends_with("sep22_pre_alkaid_etcd343_5k_1api")
    );

    let joes = of(169);
    assert_eq!(joes.date, None);
    let leases = "took too long of registry/leases/kube-node-lease/hollow-node";
    assert_eq!(joes.figures["took too long"], 38_294.0);
    assert_eq!(joes.figures[leases], 2_712.0);
    assert_eq!(
        joes.evidence,
        ["jundev2:/home/shaoj9/logs/perf-test/gce-5000/arktos/0929-0618-91f3"]
    );

    let juns = of(210);
    assert_eq!(juns.figures["took too long"], 524_587.0);
    assert_eq!(juns.figures[leases], 404_064.0);
    assert_eq!(juns.figures["connection refused"], 256.0);
    assert_eq!(juns.setup.variables()["NODE_DISK_SIZE"], "1000GB");
    assert!(
        juns.setup
            .cmd
            .as_ref()
            .unwrap()
            .starts_with("GOPATH=$HOME/go nohup")
    );
    assert_eq!(juns.evidence.last().unwrap(), "http://34.83.153.175:9090/");

    assert_eq!(of(248).commits.len(), 2);
    assert_eq!(of(133).text, "");
    assert!(
        of(266).evidence.iter().all(|place| !place.contains("safelinks")),
        "{:?}",
        of(266).evidence
    );
    assert_eq!(of(135).setup.differs, ["with WCM"]);
}

/// The sentences of a kind.
fn told(all: &[Contradiction], kind: Kind) -> Vec<&str> {
    all.iter()
        .filter(|one| one.kind == kind)
        .map(|one| one.sentence.as_str())
        .collect()
}

#[test]
fn the_contradictions_are_those_that_a_reader_finds() {
    let all = contradictions(&entries());
    for (kind, wanted) in [
        (
            Kind::SameCommit,
            vec![
                "6804ff1a (06/12) is green in lines 147 and 158 and black in line 135; line 135 differs",
                "6b17cef2 (06/25) is green in line 199, black in line 187 and without a verdict in line 210; line 187 \
                 differs from line 199 in its set-up: with WCM, against the common \"WCM disabled\"; line 210 differs \
                 from line 199 in its set-up: NODE_DISK_SIZE=1000GB in place of 500GB",
            ],
        ),
        (
            Kind::NoVerdict,
            vec![
                "line 133 (06/10): no verdict, though its words say green",
                "line 210 (06/25): no verdict, though its words say green",
                "line 238 (07/23): no verdict, though its words say green",
                "line 248 (08/11): no verdict, and no word from which it follows",
                "line 255 (08/13): no verdict, though its words say red",
            ],
        ),
        (
            Kind::SetUp,
            vec![
                "line 78 ",
                "line 89 ",
                "line 111 ",
                "line 135 (06/12): it was run with WCM",
                "line 158 ",
                "line 187 ",
            ],
        ),
        (Kind::LabelAgainstText, vec![]),
        (Kind::LabelAgainstItsName, vec!["line 135 ", "line 187 "]),
        (
            Kind::TitleAgainstText,
            vec![
                "line 89 (04/05): the title says that the density test failed, the text that it passed (line 96)",
                "line 255 (08/13): the title says that the load test crashed, the text that it completed (line 261)",
            ],
        ),
        (
            Kind::PathAgainstRun,
            vec![
                "line 210 (06/25): it was run on 10/01, but its logs' folder says 09/30 (line 223)",
                "line 210 (06/25): its commit is 6b17cef2, but its logs' folder says 1f3 (line 223)",
                "line 238 (07/23): it was run on 09/30, but its logs' folder says 09/29 (line 246)",
            ],
        ),
        (
            Kind::SeveralCommits,
            vec![
                "line 248 (08/11): one run of 5069e786 and 79d954c7",
                "09/24 stands for 2 commits: 40fd8c82 (line 266) and 196d649b (line 283)",
            ],
        ),
        (Kind::Order, vec!["along the builds, verdicts change 3 times"]),
        (
            Kind::Runner,
            vec!["verdicts go with who ran it: all green ones are by Vinay (9 of 9)"],
        ),
        (
            Kind::Missing,
            vec![
                "line 111 ",
                "line 133 ",
                "line 158 ",
                "line 169 ",
                "line 210 ",
                "line 248 ",
                "line 266 ",
                "line 283 ",
                "no run says which step",
            ],
        ),
    ] {
        let told = told(&all, kind);
        assert_eq!(told.len(), wanted.len(), "{kind}: {told:#?}");
        for (told, wanted) in told.iter().zip(wanted) {
            assert!(told.starts_with(wanted), "{kind}: {told}\nin place of {wanted}");
        }
    }
}

#[test]
fn a_label_that_is_changed_by_hand_is_told() {
    let text = fs::read_to_string(diary()).unwrap();
    let (before, joes) = text.split_once("### Build Date: 06/18").unwrap();
    let joes = joes.replacen("15/f03c15/", "15/c5f015/", 1);
    let sandbox = Sandbox::without_components();
    let file = sandbox.path("diary.md");
    fs::write(&file, format!("{before}### Build Date: 06/18{joes}")).unwrap();
    let all = contradictions(&import(&file).unwrap());
    let told = told(&all, Kind::LabelAgainstText);
    assert!(
        told[0].starts_with("line 169 (06/18): labelled green, but its words say red"),
        "{told:?}"
    );
}

#[test]
fn a_diary_goes_into_a_ledger_once_and_is_drawn_in_order() {
    let sandbox = Sandbox::without_components();
    let ledger = sandbox.path("ledger.jsonl");
    let (diary, ledger) = (diary().display().to_string(), ledger.display().to_string());
    let ended = sandbox.run(&["ledger", "import", &diary, "--ledger", &ledger]);
    ended.assert(exit::EXPECTED, &["19 of 19 runs added"]);
    let strip = ended.stdout.lines().nth(1).unwrap().to_owned();
    assert_eq!(strip, "G G GG G - BGG R BG- G - - - RR");
    let again = sandbox.run(&["ledger", "import", &diary, "--ledger", &ledger]);
    again.assert(exit::EXPECTED, &["0 of 19 runs added", "19 were there already"]);
    assert_eq!(Ledger::read(Path::new(&ledger)).unwrap().entries, entries());

    let shown = sandbox.run(&["ledger", "show", &ledger]);
    assert_eq!(shown.stdout, ended.stdout);
    let colours = sandbox.run(&["ledger", "show", &ledger, "--color", "always"]);
    assert_eq!(
        colours.stdout.matches("\u{1b}[38;2;240;60;21m■").count(),
        3 + 3 + 1
    );
    let json = sandbox.run(&["ledger", "show", &ledger, "--format", "json"]);
    let lines: Vec<serde_json::Value> = json
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.iter().filter(|line| line.get("run").is_some()).count(), 19);
    assert!(
        lines
            .iter()
            .any(|line| line["contradiction"]["kind"] == "same-commit")
    );
    let markdown = sandbox.run(&["ledger", "show", &ledger, "--format", "markdown"]);
    assert_eq!(markdown.stdout.matches("| 🟢 green |").count(), 9);
    sandbox
        .run(&["ledger", "check", &ledger])
        .assert(exit::DIFFERED, &[]);
}

#[test]
fn the_runs_of_a_case_are_shown_whoever_wrote_the_case() {
    let sandbox = Sandbox::without_components();
    let line =
        |test: &str| format!("{{\"build\":\"b1\",\"setup\":{{\"test\":\"{test}\"}},\"verdict\":\"red\"}}\n");
    let tests = [
        "c7_taint_recreate_loop broken",
        "c7_taint_recreate_loop control",
        "mine broken",
        "load density",
    ];
    let ledger = sandbox.path("ledger.jsonl");
    std::fs::write(&ledger, tests.map(line).concat()).unwrap();
    let ledger = ledger.display().to_string();
    let mine = sandbox.path("folders/mine").display().to_string();
    sandbox
        .run(&["case", "new", "mine", "--out", &mine])
        .assert(exit::EXPECTED, &[]);
    let folders = sandbox.path("folders").display().to_string();
    let runs = |more: &[&str]| {
        let shown = sandbox.run(&[&["ledger", "show", &ledger, "--format", "json"], more].concat());
        shown.assert(exit::EXPECTED, &[]);
        shown.stdout.matches("{\"run\"").count()
    };
    assert_eq!(runs(&[]), 4);
    assert_eq!(runs(&["--case", "c7"]), 2);
    assert_eq!(runs(&["--case", &mine]), 1);
    assert_eq!(
        runs(&["--case", "mine", "--cases", &folders, "--case", "taint*"]),
        3
    );
    let refused = |word: &str, code: u8, words: &str| {
        sandbox
            .run(&["ledger", "check", &ledger, "--case", word])
            .assert(code, &[words]);
    };
    refused("mine", exit::USAGE, "no case is called \"mine\"");
    refused("c5", exit::NOTHING, "has no run of c5");
}

#[test]
fn a_ledger_that_lost_its_end_loses_nothing_more() {
    let sandbox = Sandbox::without_components();
    let path = sandbox.path("ledger.jsonl");
    let (diary, ledger) = (diary().display().to_string(), path.display().to_string());
    sandbox
        .run(&["ledger", "import", &diary, "--ledger", &ledger])
        .assert(exit::EXPECTED, &[]);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() - 40]).unwrap();
    let shown = sandbox.run(&["ledger", "show", &ledger]);
    shown.assert(exit::EXPECTED, &["line 19, the last one, was cut off"]);
    assert!(shown.stdout.starts_with("18 runs of 13 builds"), "{shown}");
    sandbox
        .run(&["ledger", "import", &diary, "--ledger", &ledger])
        .assert(exit::EXPECTED, &["1 of 19 runs added"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    let aside = fs::read_to_string(sandbox.path("ledger.jsonl.cut")).unwrap();
    assert!(text.contains(aside.trim_end()), "{aside}");
}

#[test]
fn what_can_not_be_read_is_refused_with_its_place() {
    let sandbox = Sandbox::without_components();
    let file = |name: &str, text: &[u8]| {
        let path = sandbox.path(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let ledger = sandbox.path("no.jsonl").display().to_string();
    let orange = file(
        "a.md",
        b"### Build Date: 01/02\n- Verdict: ![](https://x/15/ffa500/0?)\n",
    );
    let latin = file("b.md", b"### Build Date: 01/02\n- Runner: J\xfcrgen\n");
    let notes = file("c.md", b"# Notes\n");
    for (diary, told) in [
        (orange.as_str(), "a.md:2: "),
        (&latin, "b.md:2: it is no text in UTF-8"),
        (&notes, "has no run"),
        ("/does/not/exist.md", "can't be read"),
    ] {
        sandbox
            .run(&["ledger", "import", diary, "--ledger", &ledger])
            .assert(exit::USAGE, &[told, "help"]);
    }
    assert!(!Path::new(&ledger).exists());
    let wrong = file(
        "wrong.jsonl",
        b"{\"build\":\"a\"}\n{\"build\":\"b\",\"verdict\":\"blue\"}\n",
    );
    sandbox
        .run(&["ledger", "show", &wrong])
        .assert(exit::USAGE, &["wrong.jsonl:2: no run: unknown variant `blue`"]);
    sandbox
        .run(&["ledger", "show", &ledger])
        .assert(exit::USAGE, &["failed to read"]);
    let empty = sandbox.path("out").display().to_string();
    sandbox
        .run(&["ledger", "add", &empty])
        .assert(exit::NOTHING, &["neither a verdict.json nor a load.json"]);
}
