//! The command line as pages of the book: what `--help` says of every verb, and the variables that stand for flags.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Arg, Command, CommandFactory};

use super::Cli;

/// How wide the help is on the page.
const WIDTH: usize = 100;

/// The verb whose options the page shows in full; other verbs name those that they share with it.
const FULL: &str = "run";

/// What `--help` says of the command and of each of its verbs, as Markdown. Options that a verb shares with `run` are named
/// there, and described only once.
#[must_use]
pub fn verbs() -> String {
    let mut command = plain(Cli::command());
    command.build();
    let shared = command.find_subcommand(FULL).map(described).unwrap_or_default();
    let mut page = String::new();
    section(&command, &shared, &mut page);
    page
}

/// The variables that stand for flags, as a Markdown table.
#[must_use]
pub fn variables() -> String {
    let mut rows = BTreeSet::new();
    collect(&Cli::command(), &mut rows);
    let rows = rows
        .into_iter()
        .map(|(variable, flag, what)| format!("| `{variable}` | `--{flag}` | {what} |\n"));
    "| variable | flag | what it is |\n|---|---|---|\n".to_owned() + &rows.collect::<String>()
}

/// The same on every terminal and with every environment.
fn plain(command: Command) -> Command {
    command
        .term_width(WIDTH)
        .mut_args(|arg| arg.hide_env_values(true))
        .mut_subcommands(plain)
}

/// What is said of each option, by its name.
fn described(command: &Command) -> BTreeMap<String, String> {
    let options = command.get_arguments().filter(|arg| arg.get_id() != "help");
    options
        .filter_map(|arg| Some((arg.get_long()?.to_owned(), help_of(arg))))
        .collect()
}

fn section(command: &Command, shared: &BTreeMap<String, String>, page: &mut String) {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let own = described(command);
    let is_shared = |option: &str| {
        let elsewhere = command.get_name() != FULL && command.get_name() != "kubeclash";
        elsewhere && own.contains_key(option) && own.get(option) == shared.get(option)
    };
    let mut shown = command.clone().mut_args(|arg| {
        let hidden = arg.get_long().is_some_and(is_shared) || arg.is_hide_set();
        arg.hide(hidden)
    });
    let help = shown.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    *page += &format!("## {name}\n\n```text\n{}\n```\n\n", lines.join("\n").trim_end());
    let also: Vec<String> = own
        .keys()
        .filter(|option| is_shared(option) && *option != "color")
        .map(|option| format!("`--{option}`"))
        .collect();
    if !also.is_empty() {
        *page += &format!("As for [run](#kubeclash-run): {}.\n\n", also.join(", "));
    }
    for verb in command.get_subcommands().filter(|verb| is_shown(verb)) {
        section(verb, shared, page);
    }
}

fn collect(command: &Command, rows: &mut BTreeSet<(String, String, String)>) {
    for arg in command.get_arguments() {
        let (Some(variable), Some(flag)) = (arg.get_env(), arg.get_long()) else {
            continue;
        };
        let what = help_of(arg).trim_end_matches('.').replace('|', "\\|");
        rows.insert((variable.to_string_lossy().into_owned(), flag.to_owned(), what));
    }
    for verb in command.get_subcommands().filter(|verb| is_shown(verb)) {
        collect(verb, rows);
    }
}

fn is_shown(verb: &Command) -> bool {
    !verb.is_hide_set() && verb.get_name() != "help"
}

fn help_of(arg: &Arg) -> String {
    arg.get_help().map(ToString::to_string).unwrap_or_default()
}
