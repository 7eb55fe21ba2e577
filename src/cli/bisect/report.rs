//! What a search leaves: a page, the same as JSON, and what git needs to go on from it.

use serde_json::{Value, json};

use super::ask::{Asking, counted, shown};
use crate::bisect::search::End;
use crate::cli::Failure;
use crate::exit;

/// Writes the reports, and gives what is told.
pub(super) fn write(asking: &Asking, end: &End) -> Result<String, Failure> {
    let files = [
        ("bisect.md", markdown(asking, end)),
        ("bisect.json", format!("{}\n", json_of(asking, end))),
    ];
    let log = asking.of_commits().then(|| ("bisect.log", git_log(asking)));
    for (name, text) in files.into_iter().chain(log) {
        let path = asking.out.join(name);
        std::fs::write(&path, text)
            .map_err(|e| Failure::new(exit::ERROR, format!("\"{}\": {e}", path.display())))?;
    }
    Ok(format!(
        "{}\nreport: {}\nledger: {}\n",
        verdict(asking, end),
        asking.out.join("bisect.md").display(),
        asking.ledger.display()
    ))
}

fn named(asking: &Asking, at: usize) -> String {
    let build = &asking.builds[at];
    format!("{} {}", shown(&build.name), build.subject)
        .trim_end()
        .to_owned()
}

/// How it ended, in words.
pub(super) fn verdict(asking: &Asking, end: &End) -> String {
    let answer = |at: usize| asking.told[at].answer(&asking.confidence);
    match end {
        End::Found(at) => format!("the first {} build is {}", answer(*at), named(asking, *at)),
        End::Candidates(all) => {
            let last = all.last().copied().unwrap_or_default();
            let names: Vec<String> = all
                .iter()
                .map(|&at| format!("  {} ({})", named(asking, at), answer(at)))
                .collect();
            format!(
                "the first {} build is one of these; those before the last tell nothing:\n{}",
                answer(last),
                names.join("\n")
            )
        }
        End::BackAndForth(all) => {
            let names: Vec<String> = all
                .iter()
                .map(|&at| format!("  {} ({})", named(asking, at), answer(at)))
                .collect();
            format!(
                "no single build makes the difference: answers go back and forth, at or before each of\n{}",
                names.join("\n")
            )
        }
        End::NoDifference(why) => format!("nothing to find: {why}"),
    }
}

fn markdown(asking: &Asking, end: &End) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let test = asking.confidence;
    let mut text = format!(
        "## Bisect: {}\n\n**{}**\n\nA build is asked until it is {:.0} times as likely to show the failure in at least {} of its runs as in at \
         most {}, or the other way round ({} runs that agree); at most {} times.\n\n| | build | answer | with | without | no verdict | |\n|--:|---|---|--:|--:|--:|---|\n",
        asking.question.trim_start_matches("bisect: "),
        verdict(asking, end),
        (1.0 - test.error) / test.error,
        test.mostly,
        test.rarely,
        test.agreeing(),
        test.most
    );
    for (at, (build, told)) in asking.builds.iter().zip(&asking.told).enumerate() {
        let why = told.unbuildable.as_deref().unwrap_or(&build.subject);
        let why = why.lines().next().unwrap_or_default();
        text += &format!(
            "| {} | {} | {} | {} | {} | {} | {} |\n",
            at + 1,
            cell(shown(&build.name)),
            told.answer(&test),
            told.tally.shown,
            told.tally.absent,
            told.tally.black,
            cell(why)
        );
    }
    let sides = match end {
        End::Found(at) => vec![at - 1, *at],
        End::Candidates(all) => all.to_vec(),
        _ => Vec::new(),
    };
    if !sides.is_empty() {
        text += "\n### Evidence\n\n";
        for at in sides {
            for (label, place) in &asking.told[at].runs {
                text += &format!("- {}: {label}: `{place}`\n", cell(&named(asking, at)));
            }
        }
    }
    text
}

fn json_of(asking: &Asking, end: &End) -> Value {
    let builds = asking.builds.iter().zip(&asking.told).map(|(build, told)| {
        json!({
            "build": build.name, "subject": build.subject, "answer": told.answer(&asking.confidence), "tally": told.tally,
            "unbuildable": told.unbuildable,
            "runs": told.runs.iter().map(|(label, place)| json!({"label": label, "evidence": place})).collect::<Vec<_>>(),
        })
    });
    json!({
        "question": asking.question, "confidence": asking.confidence, "end": end, "verdict": verdict(asking, end),
        "counts": counted(asking), "builds": builds.collect::<Vec<_>>(),
    })
}

/// As `git bisect replay` reads it.
fn git_log(asking: &Asking) -> String {
    // Where the older end is bad, git has to be told which word is the older one's.
    let cure = asking
        .told
        .first()
        .is_some_and(|told| told.answer(&asking.confidence) == "bad");
    let terms = if cure {
        " --term-old bad --term-new good"
    } else {
        ""
    };
    let mut text = format!("git bisect start --first-parent{terms}\n");
    // The last word on the newer side counts for git: the oldest of these comes last.
    let oldest = asking.told.first().map(|told| told.answer(&asking.confidence));
    let answer = |at: usize| asking.told[at].answer(&asking.confidence);
    let (older, newer): (Vec<usize>, Vec<usize>) = (0..asking.builds.len())
        .partition(|&at| Some(answer(at)) == oldest || !["good", "bad"].contains(&answer(at)));
    for at in older.into_iter().chain(newer.into_iter().rev()) {
        let (build, word) = (&asking.builds[at], answer(at));
        let word = match word {
            "good" | "bad" => word,
            "" => continue,
            _ => "skip",
        };
        text += &format!("# {word}: {}\ngit bisect {word} {}\n", build.subject, build.name);
    }
    text
}
