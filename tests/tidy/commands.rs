//! The commands that the documents show: every one is a command line that kubeclash takes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Command, CommandFactory};
use kubeclash::cli::Cli;

use super::book::prose;
use super::{below, text};

/// The documents that show commands; records of decisions tell of the past.
fn documents() -> Vec<PathBuf> {
    let mut pages = below("docs");
    pages.retain(|file| file.extension().is_some_and(|end| end == "md"));
    // Generated out of the help, which is checked as it stands there.
    pages.retain(|file| !file.starts_with("docs/adr") && !file.ends_with("cli.md"));
    pages.extend(["README.md", "CONTRIBUTING.md"].map(PathBuf::from));
    pages
}

/// The command lines in a page's blocks: with `$ ` before them in blocks of text, every line elsewhere.
fn shown(page: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut language = None;
    let mut goes_on = false;
    for (at, line) in page.lines().enumerate() {
        if let Some(fence) = line.trim_start().strip_prefix("```") {
            language = if language.is_some() {
                None
            } else {
                Some(fence.trim())
            };
            continue;
        }
        let line = match language {
            Some("sh" | "bash" | "console") => Some(line.trim_start_matches("$ ")),
            Some("text") => line.strip_prefix("$ "),
            _ => None,
        };
        let Some(line) = line else { continue };
        match found.last_mut().filter(|_| goes_on) {
            Some((_, before)) => before.push_str(line.trim_end_matches('\\')),
            None => found.push((at + 1, line.trim_end_matches('\\').to_owned())),
        }
        goes_on = line.ends_with('\\');
    }
    found
}

/// The arguments of each kubeclash in a line of shell: after pipes and variables, without what is redirected.
fn arguments(line: &str) -> Option<Vec<Vec<String>>> {
    let words = shlex::split(line)?;
    let mut all = Vec::new();
    for part in words.split(|word| ["|", "&&", "||", ";"].contains(&word.as_str())) {
        let mut part = part
            .iter()
            .skip_while(|word| word.contains('=') || *word == "sudo");
        let program = part.next().map(String::as_str);
        let mut rest: Vec<String> = part.cloned().collect();
        if let Some(at) = rest
            .iter()
            .position(|word| [">", ">>", "<"].contains(&word.as_str()))
        {
            rest.truncate(at);
        }
        match program {
            Some("kubeclash") => all.push(rest),
            Some("cargo") if rest.first().is_some_and(|verb| verb == "run") => {
                let at = rest.iter().position(|word| word == "--")?;
                all.push(rest.split_off(at + 1));
            }
            _ => {}
        }
    }
    Some(all)
}

/// Why kubeclash would not take a command line.
fn refused(arguments: &[String], tolerated: &[ErrorKind]) -> Option<String> {
    let line = std::iter::once("kubeclash").chain(arguments.iter().map(String::as_str));
    let error = Cli::command().try_get_matches_from(line).err()?;
    let asked = [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion];
    let fine = asked.contains(&error.kind()) || tolerated.contains(&error.kind());
    (!fine).then(|| error.to_string())
}

#[test]
fn every_command_in_a_block_is_one_that_kubeclash_takes() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in documents() {
        for (at, line) in shown(&text(&page)) {
            let place = format!("{}:{at}: {line}", page.display());
            let Some(all) = arguments(&line) else {
                wrong.push(format!("{place}: it is no line of shell"));
                continue;
            };
            count += all.len();
            let errors = all.iter().filter_map(|arguments| refused(arguments, &[]));
            wrong.extend(errors.map(|error| format!("{place}\n{error}")));
        }
    }
    assert!(count > 80, "{count} commands");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn flags(command: &Command, found: &mut BTreeSet<String>) {
    found.extend(
        command
            .get_arguments()
            .filter_map(|arg| arg.get_long().map(str::to_owned)),
    );
    command.get_subcommands().for_each(|verb| flags(verb, found));
}

/// In a sentence a command may be a part of one, with words in place of its values.
#[test]
fn every_verb_and_flag_in_a_sentence_is_there() {
    let parts = [
        ErrorKind::MissingRequiredArgument,
        ErrorKind::MissingSubcommand,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
        ErrorKind::ValueValidation,
        ErrorKind::InvalidValue,
    ];
    let mut known: BTreeSet<String> = ["help", "version"].map(str::to_owned).into();
    flags(&Cli::command(), &mut known);
    let mut wrong = Vec::new();
    for page in documents() {
        for (at, line) in prose(&text(&page)) {
            for code in line.split('`').skip(1).step_by(2) {
                let all = arguments(code).unwrap_or_default();
                wrong.extend(
                    all.iter()
                        .filter_map(|one| refused(one, &parts))
                        .map(|error| format!("{}:{at}: {code}\n{error}", page.display())),
                );
                let flag = code
                    .strip_prefix("--")
                    .map(|flag| flag.split([' ', '=']).next().unwrap_or(flag));
                if flag.is_some_and(|flag| !known.contains(flag)) {
                    wrong.push(format!("{}:{at}: {code} is no flag", page.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn commands_are_found_in_lines_of_shell() {
    let of = |line: &str| arguments(line).expect("a line of shell");
    assert_eq!(of("kubeclash run c7   # both arms"), [["run", "c7"]]);
    let piped = of("A=b sudo kubeclash matrix --format json | kubeclash submit --from - > out");
    assert_eq!(
        piped,
        [vec!["matrix", "--format", "json"], vec!["submit", "--from", "-"]]
    );
    assert_eq!(of("cargo run --release -- list"), [["list"]]);
    assert!(of("cargo test").is_empty() && arguments("kubeclash 'run").is_none());
    let wrong: Vec<String> = ["run", "--no-such-flag"].map(str::to_owned).into();
    assert!(refused(&wrong, &[]).is_some());
    assert!(refused(&["fly".to_owned()], &[]).is_some());
}
