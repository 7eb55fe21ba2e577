//! From a diary's sections to entries.

use std::path::Path;

use super::diary::{self, RUN, Section};
use super::entry::{Entry, Setup, Source};
use super::figures::figures;
use super::prose::{commits, evidence, image};
use kubeclash_timeline::{Label, LoadStep};

/// Why a diary can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file can't be read.
    #[error("\"{file}\" can't be read: {source}")]
    Read {
        /// Which.
        file: String,
        /// Why not.
        source: std::io::Error,
    },
    /// It is not text.
    #[error("{file}:{line}: it is no text in UTF-8")]
    NoText {
        /// Which file.
        file: String,
        /// Counted from 1.
        line: usize,
    },
    /// It has no runs.
    #[error("\"{file}\" has no run: no heading in it begins with \"{RUN}\"")]
    NoRuns {
        /// Which.
        file: String,
    },
    /// A label that is none of the three.
    #[error("{file}:{line}: \"{said}\" is no verdict: {why}")]
    Label {
        /// Which file.
        file: String,
        /// Counted from 1.
        line: usize,
        /// What stands there.
        said: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Reads the runs of a diary, in its order.
///
/// # Errors
/// When it can't be read, has no runs, or labels one with something else than the three verdicts.
pub fn import(file: &Path) -> Result<Vec<Entry>, ImportError> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|source| ImportError::Read {
        file: name.clone(),
        source,
    })?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        ImportError::NoText {
            file: name.clone(),
            line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
        }
    })?;
    let short = file.file_name().map_or(file, Path::new);
    entries(&name, short, text)
}

/// The runs of a text; errors call it `name`, entries `short`.
fn entries(name: &str, short: &Path, text: &str) -> Result<Vec<Entry>, ImportError> {
    let diary = diary::read(text);
    if diary.runs.is_empty() {
        return Err(ImportError::NoRuns {
            file: name.to_owned(),
        });
    }
    diary
        .runs
        .iter()
        .map(|run| {
            let verdict = match run.place("Verdict") {
                None => None,
                Some((said, line)) => Some(label(said).map_err(|why| ImportError::Label {
                    file: name.to_owned(),
                    line,
                    said: said.to_owned(),
                    why,
                })?),
            };
            Ok(entry(run, &diary.common, verdict, short))
        })
        .collect()
}

fn entry(run: &Section, common: &Section, verdict: Option<Label>, file: &Path) -> Entry {
    let Heading { build, differs } = heading(&run.heading);
    let result = run.field("Result").unwrap_or_default();
    let own = |key: &str| run.field(key).map(str::to_owned);
    let or_common = |key: &str| own(key).or_else(|| common.field(key).map(str::to_owned));
    Entry {
        build,
        commits: commits(run.field("Commit").unwrap_or_default()),
        date: own("Date of run"),
        runner: own("Runner"),
        setup: Setup {
            test: own("Test"),
            differs,
            common: common.items.clone(),
            env: or_common("Env"),
            cmd: or_common("Cmd"),
        },
        verdict,
        reached: reached(&run.text),
        figures: figures(result),
        evidence: evidence(result),
        title: run.heading.clone(),
        text: run.text.clone(),
        source: Some(Source {
            file: file.to_owned(),
            line: run.line,
        }),
        ..Entry::default()
    }
    .named()
}

struct Heading {
    build: String,
    differs: Vec<String>,
}

/// `06/12 with WCM - load test failed`: a build, in what its run differs, and what became of it.
fn heading(said: &str) -> Heading {
    let (name, _) = said.split_once(" - ").unwrap_or((said, ""));
    let (first, rest) = name.split_once(' ').unwrap_or((name, ""));
    let dated = first.split_once('/').is_some_and(|(month, day)| {
        [month, day]
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    });
    let rest = rest.trim();
    let differs = ["with ", "without "].iter().any(|word| rest.starts_with(word));
    Heading {
        build: if dated { first } else { name }.to_owned(),
        differs: if dated && differs {
            vec![rest.to_owned()]
        } else {
            Vec::new()
        },
    }
}

/// A label, as a picture of its colour or in a word.
fn label(said: &str) -> Result<Label, String> {
    let labels = [Label::Green, Label::Red, Label::Black];
    if let Some(picture) = image(said) {
        let colour = picture.colour.ok_or("its picture's address has no colour")?;
        return labels
            .into_iter()
            .find(|label| label.colour() == colour)
            .ok_or_else(|| {
                let known = labels.map(|label| format!("{label} ({})", label.colour()));
                format!("the colour {colour} is none of {}", known.join(", "))
            });
    }
    let word = said.trim().to_lowercase();
    labels
        .into_iter()
        .find(|label| label.to_string() == word)
        .ok_or_else(|| "it is neither a picture of a colour nor green, red or black".to_owned())
}

/// The furthest step that the text quotes as started.
fn reached(text: &str) -> Option<LoadStep> {
    LoadStep::ALL
        .into_iter()
        .rfind(|step| text.contains(&format!("Step \"{step}\" started")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Entry>, ImportError> {
        entries("d.md", Path::new("d.md"), text)
    }

    #[test]
    fn a_label_is_the_colour_of_the_picture_not_what_stands_for_it() {
        for (said, label) in [
            ("![#c5f015](https://x/15/c5f015/000000?text=+)", Label::Green),
            ("![#c5f015](https://x/15/000000/000000?text=+)", Label::Black),
            ("![](https://x/15/F03C15/000000?text=+)", Label::Red),
            ("Red", Label::Red),
        ] {
            let entries = read(&format!("### Build Date: 01/02\n- Verdict: {said}\n")).unwrap();
            assert_eq!(entries[0].verdict, Some(label), "{said}");
        }
        for (said, why) in [
            ("![x](https://x/15/ffffff/000000)", "d.md:3: "),
            ("![x](https://x/15)", "has no colour"),
            ("fine", "neither a picture"),
        ] {
            let error = read(&format!("### Build Date: 01/02\n\n- Verdict: {said}\n")).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn a_heading_is_a_build_and_in_what_its_run_differs() {
        for (said, build, differs) in [
            ("06/12 with WCM - load test failed", "06/12", Some("with WCM")),
            ("06/12 re-run - load", "06/12", None),
            ("06/10 No fail", "06/10", None),
            ("Pre-Alkaid - Baseline: density", "Pre-Alkaid", None),
            ("09/24", "09/24", None),
        ] {
            let heading = heading(said);
            assert_eq!(heading.build, build);
            assert_eq!(heading.differs.first().map(String::as_str), differs, "{said}");
        }
    }

    #[test]
    fn what_has_no_runs_is_refused_and_a_step_is_found() {
        assert!(read("# Notes\n").unwrap_err().to_string().contains("has no run"));
        let text = "### Build Date: 01/02\n- Result:\n  - Step \"Creating objects\" started\n";
        assert_eq!(read(text).unwrap()[0].reached, Some(LoadStep::CreateObjects));
    }
}
