//! The list of signatures, and of what makes a run black.

use serde_json::json;

use super::markdown::{cell, code};
use super::terminal::{labelled, paint};
use super::{Style, terminal};
use kubeclash_logs::{BlackRule, Over, Rules, Severity, Signature};
use owo_colors::Style as Ink;

/// For people.
#[must_use]
pub fn text(rules: &Rules, style: &Style) -> String {
    let mut text = String::new();
    for signature in &rules.signatures {
        let ink = match signature.severity {
            Severity::Red => Ink::new().red().bold(),
            Severity::Note => Ink::new().bold(),
        };
        let name = terminal::paint(&signature.id, ink, style);
        text.push_str(&format!("{name}  {}, {}\n", said(signature), of(signature)));
        text.push_str(&labelled("means", &signature.meaning, style));
        text.push_str(&labelled("pattern", signature.pattern.text(), style));
        text.push_str(&labelled("source", &signature.source, style));
    }
    text.push('\n');
    for rule in &rules.black {
        let name = paint(&rule.id, Ink::new().bold(), style);
        text.push_str(&format!("{name}  black, {}\n", over(rule)));
        text.push_str(&labelled("because", &rule.because, style));
        text.push_str(&labelled("when", &when(rule), style));
    }
    text
}

/// One JSON object a line; `kind` is `signature`, `black` or `component`.
#[must_use]
pub fn json(rules: &Rules) -> String {
    let signatures = rules.signatures.iter().map(|signature| {
        json!({
            "kind": "signature", "id": signature.id, "component": signature.component,
            "versions": signature.versions.as_ref().map(ToString::to_string), "severity": signature.severity,
            "at_least": signature.at_least, "less": signature.less, "pattern": signature.pattern.text(), "meaning": signature.meaning,
            "source": signature.source,
        })
    });
    let black = rules.black.iter().map(|rule| {
        json!({"kind": "black", "id": rule.id, "over": rule.over, "because": rule.because, "when": rule.when})
    });
    let components = rules.components.iter().map(|component| {
        json!({"kind": "component", "id": component.id, "names": component.names, "content": component.content})
    });
    let lines = signatures.chain(black).chain(components);
    lines.map(|line| format!("{line}\n")).collect()
}

/// Two Markdown tables.
#[must_use]
pub fn markdown(rules: &Rules) -> String {
    let mut text =
        "| signature | | in logs of | pattern | what it means |\n|---|---|---|---|---|\n".to_owned();
    for signature in &rules.signatures {
        text += &format!(
            "| {} | {} | {} | {} | {} |\n",
            signature.id,
            said(signature),
            cell(&of(signature)),
            code(signature.pattern.text()).replace('|', "\\|"),
            cell(&signature.meaning)
        );
    }
    text += "\n| black when | | the reason | condition |\n|---|---|---|---|\n";
    for rule in &rules.black {
        text += &format!(
            "| {} | {} | {} | {} |\n",
            rule.id,
            over(rule),
            cell(&rule.because),
            cell(&when(rule))
        );
    }
    text
}

fn said(signature: &Signature) -> String {
    let said = match signature.at_least {
        1 => signature.severity.name().to_owned(),
        least => format!("{} from {least} lines on", signature.severity.name()),
    };
    if signature.less.is_empty() {
        said
    } else {
        format!("{said}, less those of {}", signature.less.join(" and "))
    }
}

fn of(signature: &Signature) -> String {
    let of = if signature.component.is_empty() {
        "any".to_owned()
    } else {
        signature.component.join(", ")
    };
    match &signature.versions {
        Some(versions) => format!("{of} {versions}"),
        None => of,
    }
}

fn over(rule: &BlackRule) -> &'static str {
    match rule.over {
        Over::Red => "before red",
        Over::Green => "before green",
    }
}

fn when(rule: &BlackRule) -> String {
    let conditions = rule.when.iter().map(|condition| json!(condition).to_string());
    conditions.collect::<Vec<_>>().join(" or ")
}
