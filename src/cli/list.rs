//! `kubeclash list`: the cases.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::Failure;
use super::cases::CasesFlags;
use crate::cases::CaseInfo;
use crate::cases::Library;

/// List the cases.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  kubeclash list\n  kubeclash list --format json | jq -r .case")]
pub struct ListArgs {
    /// How they are listed
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    pub format: ListFormat,
    /// Where cases are found
    #[command(flatten)]
    pub cases: CasesFlags,
}

/// How cases are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people.
    Table,
    /// One JSON object a line.
    Json,
    /// A Markdown table.
    Markdown,
}

/// Lists the cases on standard output.
///
/// # Errors
/// When a card is wrong.
pub fn run(args: &ListArgs) -> Result<(), Failure> {
    let library = args.cases.library()?;
    let mut cards = Vec::new();
    for case in &library {
        let card = case.card();
        cards.push((card, case.variants().into_iter().flatten().collect::<Vec<_>>()));
    }
    match args.format {
        ListFormat::Table => {
            let ids = cards.iter().map(|(card, _)| card.id.len() + 1);
            let width = ids.max().unwrap_or_default().max(4);
            for (card, variants) in &cards {
                let variants = if variants.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", variants.join(", "))
                };
                super::say(&format!(
                    "{:<width$}{}{variants}\n    {}\n    fix: {}\n\n",
                    card.id, card.slug, card.title, card.control
                ));
            }
        }
        ListFormat::Json => {
            for (card, variants) in &cards {
                super::say(&format!("{}\n", line(card, variants, providers(&library, card))));
            }
        }
        ListFormat::Markdown => super::say(&markdown(
            &cards.into_iter().map(|(card, _)| card).collect::<Vec<_>>(),
        )),
    }
    Ok(())
}

/// Who can run a case.
fn providers(library: &Library, card: &CaseInfo) -> &'static [&'static str] {
    match library.find(&card.case) {
        Some(case) if case.local_only() => &["local"],
        _ => &["local", "kind"],
    }
}

fn line(card: &CaseInfo, variants: &[String], providers: &[&str]) -> serde_json::Value {
    json!({
        "case": card.case, "id": card.id, "slug": card.slug, "title": card.title, "conflict": card.conflict,
        "mechanism": card.mechanism, "control": card.control, "upstream": card.upstream, "variants": variants,
        "providers": providers, "workers": card.workers, "expected_runtime_s": card.expected_runtime.as_secs(),
    })
}

/// The table of cases that the README carries.
#[must_use]
pub fn markdown(cards: &[CaseInfo]) -> String {
    let mut text =
        "| id | what goes wrong | who fights whom | the fix that the control applies |\n|---|---|---|---|\n"
            .to_owned();
    for card in cards {
        text += &format!(
            "| {} | {} | {} | {} |\n",
            card.id,
            card.title,
            card.conflict.join(" ⇄ "),
            card.control
        );
    }
    text
}
