//! The command line as pages of the book: what `--help` says of every verb, and the variables that stand for flags.

use std::collections::BTreeSet;

use clap::{Arg, Command, CommandFactory};
use indexmap::IndexMap;

use super::Cli;

/// How wide the help is on the page.
const WIDTH: usize = 100;

/// What `--help` says of the command and of each of its verbs, as Markdown.
#[must_use]
pub fn verbs() -> String {
    let mut command = plain(Cli::command());
    command.build();
    let mut page = String::new();
    section(&mut command, &mut page);
    page
}

/// The variables that stand for flags, as a Markdown table.
#[must_use]
pub fn variables() -> String {
    let mut found = IndexMap::new();
    collect(&Cli::command(), "", &mut found);
    found.sort_keys();
    let mut table = "| variable | flag | verbs | what it is |\n|---|---|---|---|\n".to_owned();
    for (variable, Variable { flag, what, verbs }) in found {
        let verbs: Vec<String> = verbs.iter().map(|verb| format!("`{verb}`")).collect();
        table += &format!("| `{variable}` | `--{flag}` | {} | {what} |\n", verbs.join(" "));
    }
    table
}

/// A variable of the environment that stands for a flag.
struct Variable {
    flag: String,
    what: String,
    verbs: BTreeSet<String>,
}

/// The same on every terminal and with every environment.
fn plain(command: Command) -> Command {
    command
        .term_width(WIDTH)
        .mut_args(|arg| arg.hide_env_values(true))
        .mut_subcommands(plain)
}

fn section(command: &mut Command, page: &mut String) {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    *page += &format!("## {name}\n\n```text\n{}\n```\n\n", lines.join("\n").trim_end());
    for verb in command.get_subcommands_mut().filter(|verb| is_shown(verb)) {
        section(verb, page);
    }
}

fn collect(command: &Command, name: &str, found: &mut IndexMap<String, Variable>) {
    for arg in command.get_arguments() {
        let (Some(variable), Some(flag)) = (arg.get_env(), arg.get_long()) else {
            continue;
        };
        let variable = variable.to_string_lossy().into_owned();
        let entry = found.entry(variable).or_insert_with(|| Variable {
            flag: flag.to_owned(),
            what: first_sentence(arg),
            verbs: BTreeSet::new(),
        });
        entry.verbs.insert(name.to_owned());
    }
    for verb in command.get_subcommands().filter(|verb| is_shown(verb)) {
        collect(verb, format!("{name} {}", verb.get_name()).trim(), found);
    }
}

fn is_shown(verb: &Command) -> bool {
    !verb.is_hide_set() && verb.get_name() != "help"
}

fn first_sentence(arg: &Arg) -> String {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    help.trim_end_matches('.').replace('|', "\\|")
}
