//! Rules that look at one run.

use std::sync::LazyLock;

use regex::Regex;

use super::super::chronicle::day_of_year;
use super::super::contradictions::{Contradiction, Kind};
use super::super::entry::{Entry, short};
use super::super::outcomes::{outcomes, tests};
use super::super::prose::{Remark, image, remarks};
use super::{contradiction, list};
use kubeclash_timeline::Label;

/// What the words of a run say of the issue.
struct Words {
    remarks: Vec<Remark>,
}

impl Words {
    /// Those of the text; of a run that has none those of its title.
    fn of(entry: &Entry) -> Self {
        let remarks = remarks(&entry.text);
        Self {
            remarks: if remarks.is_empty() {
                self::remarks(&entry.title)
            } else {
                remarks
            },
        }
    }

    /// The label that they come to, where they agree, and the first of them.
    fn label(&self) -> Option<(Label, &Remark)> {
        let first = self.remarks.first()?;
        let agree = self.remarks.iter().all(|remark| remark.found == first.found);
        let label = if first.found { Label::Red } else { Label::Green };
        agree.then_some((label, first))
    }
}

/// The line of the file that a line of the text is; the heading's where the words are the title's.
fn line(entry: &Entry, at: usize) -> usize {
    let heading = entry.source.as_ref().map_or(0, |source| source.line);
    if entry.text.is_empty() {
        heading
    } else {
        heading + 1 + at
    }
}

fn one(kind: Kind, entry: &Entry, sentence: String) -> Contradiction {
    contradiction(
        kind,
        &[entry],
        format!("{} ({}): {sentence}", entry.place(), entry.build),
    )
}

/// A run without a verdict, and what its words say.
pub(in super::super) fn no_verdict(entry: &Entry) -> Option<Contradiction> {
    if entry.verdict.is_some() {
        return None;
    }
    let words = Words::of(entry);
    let told = match words.label() {
        Some((label, remark)) => format!(
            "no verdict, though its words say {label}: \"{}\" (line {})",
            remark.quote,
            line(entry, remark.line)
        ),
        None if words.remarks.is_empty() => "no verdict, and no word from which it follows".to_owned(),
        None => "no verdict, and its words say both that the issue was there and that it was not".to_owned(),
    };
    Some(one(Kind::NoVerdict, entry, told))
}

/// A set-up that is not what the source says of all runs: `with WCM` where it has `WCM disabled`, two tests where it
/// has `Load test only`.
pub(in super::super) fn set_up(entry: &Entry) -> Vec<Contradiction> {
    let setup = &entry.setup;
    let mut told: Vec<String> = setup
        .differs
        .iter()
        .filter_map(|said| Some((said, setup.against(said)?)))
        .map(|(said, common)| format!("it was run {said}, against the common \"{common}\""))
        .collect();
    let tests = setup.test.as_deref().map(tests).unwrap_or_default();
    let only = setup.common.iter().find_map(|item| {
        let lower = item.to_lowercase();
        Some((
            item,
            lower.strip_suffix(" only")?.trim_end_matches(" test").to_owned(),
        ))
    });
    if let (Some((item, only)), Some(test)) = (only, &setup.test)
        && tests.contains(&only)
        && tests.len() > 1
    {
        told.push(format!("its test is \"{test}\", against the common \"{item}\""));
    }
    told.into_iter()
        .map(|told| one(Kind::SetUp, entry, told))
        .collect()
}

/// A label that the words don't bear out. Black ignores what they say, so it must say why.
pub(in super::super) fn label_against_text(entry: &Entry) -> Vec<Contradiction> {
    let words = Words::of(entry);
    let told = match (entry.verdict, words.label()) {
        (Some(label @ (Label::Green | Label::Red)), Some((said, remark))) if said != label => Some(format!(
            "labelled {label}, but its words say {said}: \"{}\" (line {})",
            remark.quote,
            line(entry, remark.line)
        )),
        (Some(Label::Black), _) if entry.setup.differs.is_empty() => {
            Some("labelled black, and nothing says in what its set-up differs".to_owned())
        }
        _ => None,
    };
    let told = told.map(|told| one(Kind::LabelAgainstText, entry, told));
    let split =
        (words.label().is_none() && !words.remarks.is_empty() && entry.verdict.is_some()).then(|| {
            let quotes: Vec<String> = words
                .remarks
                .iter()
                .map(|remark| format!("\"{}\" (line {})", remark.quote, line(entry, remark.line)))
                .collect();
            one(
                Kind::LabelAgainstText,
                entry,
                format!("its own words disagree: {}", list(&quotes)),
            )
        });
    told.into_iter().chain(split).collect()
}

/// A picture of one colour that is called by another.
pub(in super::super) fn label_against_its_name(entry: &Entry) -> Option<Contradiction> {
    let verdict = entry.verdict?;
    let (at, picture) = entry
        .text
        .lines()
        .enumerate()
        .find_map(|(at, line)| Some((at, image(line)?)))?;
    let named = [Label::Green, Label::Red, Label::Black]
        .into_iter()
        .find(|label| label.colour() == picture.alt)?;
    (named != verdict).then(|| {
        let told = format!(
            "the label's picture is {verdict} ({}), but its alternative text names {named} ({}): whoever sees no pictures reads {named} (line {})",
            verdict.colour(),
            picture.alt,
            line(entry, at)
        );
        one(Kind::LabelAgainstItsName, entry, told)
    })
}

/// A title that says of a test, or of the issue, what the text says otherwise.
pub(in super::super) fn title_against_text(entry: &Entry) -> Vec<Contradiction> {
    let below = outcomes(&entry.text);
    let mut found = Vec::new();
    for said in outcomes(&entry.title) {
        let against = below.iter().find_map(|other| Some((other, said.against(other)?)));
        if let Some((other, (title, text))) = against {
            let told = format!(
                "the title says that the {} test {title}, the text that it {text} (line {})",
                said.test,
                line(entry, other.line)
            );
            found.push(one(Kind::TitleAgainstText, entry, told));
        }
    }
    let title = remarks(&entry.title);
    let text = remarks(&entry.text);
    if let (Some(title), Some(text)) = (title.first(), text.first())
        && title.found != text.found
    {
        let told = format!(
            "the title says \"{}\", the text \"{}\" (line {})",
            title.quote,
            text.quote,
            line(entry, text.line)
        );
        found.push(one(Kind::TitleAgainstText, entry, told));
    }
    found
}

static MONTH_DAY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^(?:(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ ]?(?P<of>\d{1,2})|(?P<month>\d{2})(?P<day>\d{2}))$")
        .expect("it is an expression")
});

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// Month and day of `sep29`, `Sep 29` or `0929`.
fn month_day(word: &str) -> Option<(u32, u32)> {
    let found = MONTH_DAY.captures(word.trim())?;
    let (month, day) = match found.name("name") {
        Some(name) => {
            let name = name.as_str().to_lowercase();
            let at = MONTHS.iter().position(|month| *month == name)?;
            (u32::try_from(at + 1).ok()?, found["of"].parse().ok()?)
        }
        None => (found["month"].parse().ok()?, found["day"].parse().ok()?),
    };
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some((month, day))
}

/// What the folder of a log says of its run: when it was, of which build, of which commit.
#[derive(Debug, Default, PartialEq, Eq)]
struct Folder {
    run: Option<(u32, u32)>,
    build: Option<(u32, u32)>,
    commit: Option<String>,
}

impl Folder {
    /// Of `sep30_ark_jun30_3f91_etcd343`, or `0929-0618-91f3`: the first date is the run's, the second the build's.
    fn of(path: &str) -> Self {
        path.split('/')
            .map(Self::of_name)
            .find(|folder| folder.run.is_some())
            .unwrap_or_default()
    }

    fn of_name(name: &str) -> Self {
        let mut folder = Self::default();
        for word in name.split(['-', '_', '.']) {
            match month_day(word) {
                Some(date) if folder.run.is_none() => folder.run = Some(date),
                Some(date) if folder.build.is_none() => folder.build = Some(date),
                None if folder.run.is_some() && is_commit(word) => folder.commit = Some(word.to_lowercase()),
                _ => {}
            }
        }
        folder
    }
}

/// The beginning of a commit: digits and letters among hexadecimal ones, so neither a number nor a word.
fn is_commit(word: &str) -> bool {
    let hex = (3..=40).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// A path of logs that names another day, build or commit than its run.
pub(in super::super) fn path_against_run(entry: &Entry) -> Vec<Contradiction> {
    let mut found: Vec<Contradiction> = Vec::new();
    for path in entry.evidence.iter().filter(|place| !place.starts_with("http")) {
        let folder = Folder::of(path);
        let at = entry
            .text
            .lines()
            .position(|line| line.contains(path.as_str()))
            .unwrap_or(0);
        let at = line(entry, at);
        let shown = |(month, day): (u32, u32)| format!("{month:02}/{day:02}");
        let mut tell = |said: String| {
            let told = one(Kind::PathAgainstRun, entry, said);
            if !found.contains(&told) {
                found.push(told);
            }
        };
        let date = entry.date.as_deref();
        if let (Some(path), Some(date)) = (folder.run, date.and_then(month_day))
            && path != date
        {
            tell(format!(
                "it was run on {}, but its logs' folder says {} (line {at})",
                shown(date),
                shown(path)
            ));
        }
        if let (Some(path), Some(build)) = (folder.build, day_of_year(&entry.build))
            && path != build
        {
            tell(format!(
                "its build is of {}, but its logs' folder says {} (line {at})",
                shown(build),
                shown(path)
            ));
        }
        if let Some(commit) = &folder.commit
            && !entry.commits.is_empty()
            && !entry
                .commits
                .iter()
                .any(|known| known.starts_with(commit.as_str()))
        {
            let known: Vec<String> = entry
                .commits
                .iter()
                .map(|commit| short(commit).to_owned())
                .collect();
            tell(format!(
                "its commit is {}, but its logs' folder says {commit} (line {at})",
                list(&known)
            ));
        }
    }
    found
}

/// What was not written down of a run.
pub(in super::super) fn missing(entry: &Entry) -> Option<Contradiction> {
    let mut lacks: Vec<String> = [
        (entry.commits.is_empty(), "commit"),
        (entry.runner.is_none(), "runner"),
        (entry.date.is_none(), "date of run"),
        (entry.setup.test.is_none(), "test"),
        (entry.evidence.is_empty(), "place of its logs"),
    ]
    .iter()
    .filter(|(lacks, _)| *lacks)
    .map(|(_, what)| format!("no {what}"))
    .collect();
    let told: Vec<String> = outcomes(&entry.text).into_iter().map(|said| said.test).collect();
    let ran = entry.setup.test.as_deref().map(tests).unwrap_or_default();
    lacks.extend(
        ran.into_iter()
            .filter(|test| !told.contains(test))
            .map(|test| format!("no word on how the {test} test ended")),
    );
    let from_folder = entry.evidence.iter().find_map(|path| Folder::of(path).run);
    let hint = match (&entry.date, from_folder) {
        (None, Some((month, day))) => format!("; its logs' folder says {month:02}/{day:02}"),
        _ => String::new(),
    };
    (!lacks.is_empty()).then(|| one(Kind::Missing, entry, format!("{}{hint}", list(&lacks))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_says_when_its_run_was_and_of_what() {
        for (path, run, build, commit) in [
            (
                "x@dev:/home/x/sep30_ark_jun30_3f91_etcd343_5k_1api",
                Some((9, 30)),
                Some((6, 30)),
                Some("3f91"),
            ),
            (
                "dev: /home/shaoj9/gce-5000/arktos/0930-0625-1f3",
                Some((9, 30)),
                Some((6, 25)),
                Some("1f3"),
            ),
            (
                "/home/gce-5000/0929-communityperf-1a0w1e",
                Some((9, 29)),
                None,
                None,
            ),
            ("/logs/sep22_pre_alkaid_etcd343", Some((9, 22)), None, None),
            ("/logs/gce-5000/kubemark", None, None, None),
        ] {
            let folder = Folder::of(path);
            assert_eq!(
                (folder.run, folder.build, folder.commit.as_deref()),
                (run, build, commit),
                "{path}"
            );
        }
        assert_eq!(month_day("Oct 1"), Some((10, 1)));
        assert_eq!(month_day("5000"), None);
    }

    fn entry(verdict: Option<Label>, title: &str, text: &str) -> Entry {
        Entry {
            build: "06/12".to_owned(),
            verdict,
            title: title.to_owned(),
            text: text.to_owned(),
            source: Some(super::super::super::entry::Source {
                file: "d".into(),
                line: 10,
            }),
            ..Entry::default()
        }
    }

    #[test]
    fn a_label_is_held_against_the_words_below_it() {
        let text = "- Result:\n  - Logs show \"killing connection\", panics.";
        let told = |entry: &Entry| -> Vec<String> {
            label_against_text(entry)
                .into_iter()
                .map(|one| one.sentence)
                .collect()
        };
        let green = told(&entry(Some(Label::Green), "x", text));
        assert!(
            green[0].contains("labelled green, but its words say red") && green[0].contains("(line 12)"),
            "{green:?}"
        );
        assert_eq!(told(&entry(Some(Label::Red), "x", text)), Vec::<String>::new());
        assert!(told(&entry(Some(Label::Black), "x", text))[0].contains("nothing says"));
        let both = format!("{text}\n  - No apiserver panics.");
        assert!(told(&entry(Some(Label::Red), "x", &both))[0].contains("disagree"));
        let told = no_verdict(&entry(None, "06/10 No fail", "")).unwrap().sentence;
        assert!(
            told.ends_with("its words say green: \"06/10 No fail\" (line 10)"),
            "{told}"
        );
    }
}
