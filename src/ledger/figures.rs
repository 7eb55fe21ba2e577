//! Figures out of prose, where they are plain: a number, and the name of what was counted.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

/// Numbers that people write as words.
const WORDS: [&str; 11] = [
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
];

/// `256 connection refused errors`, `2712 out of the 38294 "took too long" warnings`.
static COUNTED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r#"(?i)\b(?:(?P<part>\d+)\s+(?:out\s+)?of\s+(?:the\s+)?)?"#,
        r#"(?P<all>\d+|one|two|three|four|five|six|seven|eight|nine|ten)\s+"#,
        r#"(?:"(?P<quoted>[^"]{1,60})"\s*|(?P<bare>[a-z][a-z -]{0,40}\s)??)"#,
        r#"(?P<noun>errors?|warnings?|failures?|panics?|restarts?)\b"#
    ))
    .expect("it is an expression")
});

/// `404064 of them are for the key "registry/leases/…"`.
static OF_THEM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)\b(?P<part>\d+)\s+of\s+(?:them|these)\s+(?:are\s+|were\s+)?for\s+(?:the\s+)?(?:keys?\s+)?"(?P<key>[^"]{1,200})""#)
        .expect("it is an expression")
});

/// A key of etcd in quotes.
static KEY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#""(?P<key>/?registry/[^"]{1,200})""#).expect("it is an expression"));

/// The figures of a text, by what was counted. A figure that is not plain is left in the text.
pub(super) fn figures(text: &str) -> BTreeMap<String, f64> {
    let mut figures = BTreeMap::new();
    for line in text.lines() {
        let line = straight(line);
        let key = KEY.captures(&line).map(|found| key(&found["key"]));
        let mut counted: Option<String> = None;
        for found in COUNTED.captures_iter(&line) {
            let name = name(&found);
            if let Some(all) = number(&found["all"]) {
                figures.insert(name.clone(), all);
            }
            if let (Some(part), Some(key)) = (found.name("part"), &key)
                && let Some(part) = number(part.as_str())
            {
                figures.insert(format!("{name} of {key}"), part);
            }
            counted.get_or_insert(name);
        }
        if let (Some(found), Some(name)) = (OF_THEM.captures(&line), counted)
            && let Some(part) = number(&found["part"])
        {
            figures.insert(format!("{name} of {}", self::key(&found["key"])), part);
        }
    }
    figures
}

/// What was counted: its name in quotes or before the noun, else the noun.
fn name(found: &regex::Captures<'_>) -> String {
    let said = found.name("quoted").or_else(|| found.name("bare"));
    let name = said.map(|said| said.as_str().trim().to_lowercase());
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("{}s", found["noun"].to_lowercase().trim_end_matches('s')))
}

/// A key without what stands for the rest of it: `hollow-node-***` and `hollow-node` are the same.
fn key(text: &str) -> String {
    text.trim_end_matches(['*', '-', '/', ' ']).to_owned()
}

fn number(text: &str) -> Option<f64> {
    let word = text.to_lowercase();
    match WORDS.iter().position(|known| *known == word) {
        Some(number) => Some(number as f64),
        None => text.parse().ok(),
    }
}

/// With straight quotes in place of those that word processors make.
pub(super) fn straight(text: &str) -> String {
    text.replace(['“', '”', '„'], "\"").replace(['’', '‘'], "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_figures_are_taken_out_of_prose() {
        let leases = "took too long of registry/leases/kube-node-lease/hollow-node";
        for (text, wanted) in [
            (
                "There are 256 connection refused errors in apiserver.",
                vec![("connection refused", 256.0)],
            ),
            (
                "There are 524587 “took too long” warnings. 404064 of them are for the key “registry/leases/kube-node-lease/hollow-node-***”",
                vec![("took too long", 524_587.0), (leases, 404_064.0)],
            ),
            (
                "Not many “took too long” warning of “registry/leases/kube-node-lease/hollow-node” as usual. There are only 2712 out of the 38294 “took too long” warnings. It used to be more than 80%.",
                vec![("took too long", 38_294.0), (leases, 2_712.0)],
            ),
            (
                "There are two context canceled errors in the etcd.log",
                vec![("context canceled", 2.0)],
            ),
            (
                "The load test completed with 1 failure that many objects got timed out",
                vec![("failures", 1.0)],
            ),
            ("There are many context canceled errors", vec![]),
            ("Pprof are collected every 30 minutes", vec![]),
            ("/logs/gce-5000/arktos/0929-0618-91f3", vec![]),
        ] {
            let wanted = wanted
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
            assert_eq!(figures(text), wanted, "{text}");
        }
    }
}
