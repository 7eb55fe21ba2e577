//! The steps of a submission: read, checked here and not by a pod minutes later, and with the user's own cases packed.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::Value;

use crate::cases::{Case, Library};
use crate::cli::arms::ArmFlags;
use crate::cli::cases::{CasesFlags, folder_of, names};
use crate::cli::{Cli, Failure, Verb};
use crate::exit;
use crate::submit::{PackError, PackedCases, Step};

/// The jobs in a file, as they are printed: one JSON object a line, or all in `{"include":[…]}`.
pub(super) fn read(file: &Path) -> Result<Vec<Step>, Failure> {
    let refused = |why: String| Failure::new(exit::USAGE, format!("\"{}\": {why}", file.display()));
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
    }
    .map_err(|error| refused(error.to_string()))?;
    parsed(&text).map_err(refused)
}

fn parsed(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    for (at, value) in serde_json::Deserializer::from_str(text)
        .into_iter::<Value>()
        .enumerate()
    {
        let value = value.map_err(|error| format!("job {}: {error}", at + 1))?;
        let jobs = match value.get("include") {
            Some(Value::Array(jobs)) => jobs.clone(),
            _ => vec![value],
        };
        for job in jobs {
            let field = |name: &str| job.get(name).and_then(Value::as_str);
            let number = steps.len() + 1;
            let command = field("command").ok_or_else(|| {
                format!("job {number} has no \"command\": it must be what \"kubeclash matrix --format json\" prints")
            })?;
            let words = shlex::split(command)
                .ok_or_else(|| format!("job {number}: \"{command}\" has a quote that does not end"))?;
            steps.push(Step {
                name: field("name").unwrap_or(command).to_owned(),
                command: words,
                cases: None,
            });
        }
    }
    Ok(steps)
}

impl From<PackError> for Failure {
    fn from(error: PackError) -> Self {
        Self {
            code: exit::USAGE,
            report: error.into(),
        }
    }
}

/// Checks all steps, and packs the user's cases that each runs. Gives the cases that they have together, for reports.
pub(super) fn pack(steps: Vec<Step>, cases: &CasesFlags) -> Result<(Vec<Step>, Library), Failure> {
    let mut packed = Vec::new();
    let mut folders: Vec<PathBuf> = cases.dirs.clone();
    for step in steps {
        let cli = check(&step)?;
        let Some(asked) = Asked::of(&cli.verb) else {
            packed.push(step);
            continue;
        };
        folders.extend(
            asked
                .folders()
                .filter(|folder| !folders.contains(folder))
                .collect::<Vec<_>>(),
        );
        packed.push(asked.pack(step, cases)?);
    }
    // Of two steps, each may have its own case of one name: they could not be told apart in what comes back.
    let together = CasesFlags { dirs: folders };
    Ok((packed, together.library()?))
}

/// What a step asks for of cases.
struct Asked<'a> {
    /// The words that name cases.
    words: Vec<&'a str>,
    /// The folders of `--cases`.
    dirs: &'a [PathBuf],
    /// How its cases are chosen of a library.
    choice: Choice<'a>,
}

enum Choice<'a> {
    /// As `run` does.
    Arms(&'a ArmFlags),
    /// The only one that its word names.
    Only,
}

impl<'a> Asked<'a> {
    /// `None` of a step that runs no case.
    fn of(verb: &'a Verb) -> Option<Self> {
        let of_arms = |arms: &'a ArmFlags| Self {
            words: arms.cases.iter().map(String::as_str).collect(),
            dirs: &arms.cases_flags.dirs,
            choice: Choice::Arms(arms),
        };
        match verb {
            Verb::Run(args) => Some(of_arms(&args.arms)),
            Verb::Compare(args) => Some(of_arms(&args.arms)),
            Verb::Bisect(args) => Some(Self {
                words: vec![args.case.as_deref()?],
                dirs: &args.cases.dirs,
                choice: Choice::Only,
            }),
            _ => None,
        }
    }

    /// Where its cases are: the folders of `--cases`, and those that words name.
    fn folders(&self) -> impl Iterator<Item = PathBuf> {
        let named = self.words.iter().filter_map(|word| folder_of(word));
        self.dirs.iter().cloned().chain(named)
    }

    /// The step as a pod can run it: with names in place of folders, and with the user's cases that it runs.
    fn pack(&self, step: Step, flags: &CasesFlags) -> Result<Step, Failure> {
        let mut dirs = flags.dirs.clone();
        dirs.extend(self.folders());
        let flags = CasesFlags { dirs };
        let library = flags.library()?;
        let mut chosen: Vec<Case> = match self.choice {
            Choice::Arms(arms) => {
                let selected = arms.selected(&library)?;
                selected.into_iter().map(|arm| arm.case).collect()
            }
            Choice::Only => vec![flags.only(self.words[0])?],
        };
        chosen.dedup();
        let of_folders: Vec<_> = chosen
            .iter()
            .filter_map(Case::as_folder)
            .filter(|case| case.source().is_some())
            .cloned()
            .collect();
        let packed = PackedCases::of(&of_folders)?;
        let name = |word: &str| -> Vec<String> {
            let named = chosen.iter().filter(|case| names(word, case));
            named.map(|case| case.folder().to_owned()).collect()
        };
        let command = self
            .without_folders(&step.command, name)
            .map_err(|why| refused(&step, why))?;
        Ok(Step {
            command,
            cases: packed,
            ..step
        })
    }

    /// A command without `--cases`, and with the names of cases in place of their folders.
    fn without_folders(
        &self,
        command: &[String],
        name: impl Fn(&str) -> Vec<String>,
    ) -> Result<Vec<String>, String> {
        let (mut words, mut replaced) = (Vec::new(), 0);
        let mut rest = command.iter();
        let mut options = true;
        while let Some(word) = rest.next() {
            options &= word != "--";
            if options && word == "--cases" {
                rest.next();
                continue;
            }
            if options && word.starts_with("--cases=") {
                continue;
            }
            let (option, value) = match word.strip_prefix("--case=").filter(|_| options) {
                Some(value) => ("--case=", value),
                None => ("", word.as_str()),
            };
            if self.words.contains(&value) && folder_of(value).is_some() {
                replaced += 1;
                words.extend(name(value).into_iter().map(|name| format!("{option}{name}")));
            } else {
                words.push(word.clone());
            }
        }
        let folders = self.words.iter().filter(|word| folder_of(word).is_some()).count();
        // It asks for the same as before, and no option's value was taken for a case.
        let again = parse(&words)?;
        let asked = Asked::of(&again.verb).map(|asked| asked.words.join(" "));
        let wanted = self.words.iter().flat_map(|word| match folder_of(word) {
            Some(_) => name(word),
            None => vec![(*word).to_owned()],
        });
        let wanted = wanted.collect::<Vec<_>>().join(" ");
        if asked.as_ref() == Some(&wanted) && replaced == folders {
            Ok(words)
        } else {
            Err("where its cases' folders stand is not clear: name cases by their ids, and their folders by submit's own --cases".to_owned())
        }
    }
}

fn refused(step: &Step, why: impl std::fmt::Display) -> Failure {
    let message = format!("\"{}\" can't be a step: {why}", step.command.join(" "));
    Failure::new(exit::USAGE, message)
}

fn parse(command: &[String]) -> Result<Cli, String> {
    let words = std::iter::once("kubeclash").chain(command.iter().map(String::as_str));
    Cli::try_parse_from(words).map_err(|error| {
        let error = error.to_string();
        let first = error.lines().next().unwrap_or_default();
        first.trim_start_matches("error: ").to_owned()
    })
}

/// Whether a command can be a step.
fn check(step: &Step) -> Result<Cli, Failure> {
    let refused = |why: &str| refused(step, why);
    let parsed = parse(&step.command).map_err(|why| refused(&why))?;
    let flags = match &parsed.verb {
        Verb::Run(args) => &args.flags,
        Verb::Load(args) => &args.flags,
        Verb::Compare(args) => &args.flags,
        Verb::Bisect(args) => &args.flags,
        _ => return Err(refused("it must be run, load, compare or bisect")),
    };
    if flags.provider != kubeclash_cluster::Provider::Local {
        return Err(refused("there is no container engine in a pod for kind"));
    }
    if step
        .command
        .iter()
        .any(|word| word == "--out" || word.starts_with("--out="))
    {
        return Err(refused("--out is submit's own"));
    }
    Ok(parsed)
}

#[cfg(test)]
#[path = "steps_tests.rs"]
mod tests;
