//! The small grammars that a case has from kubectl: labels and taints; and what a claim measures with.

use kubeclash_cluster::{TaintChange, taint_change};

/// Whether a text may be a label's or a taint's key: `example.com/name`, `name`.
pub(super) fn is_key(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(p, n)| (Some(p), n));
    let domain = |prefix: &str| {
        let part = |part: &str| {
            let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-')
        };
        prefix.len() <= 253 && prefix.split('.').all(part)
    };
    !name.is_empty() && is_value(name) && prefix.is_none_or(domain)
}

/// Whether a text may be a label's value.
pub(super) fn is_value(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let edge = |b: Option<&u8>| b.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    text.len() <= 63 && bytes.iter().all(|b| inner(*b)) && edge(bytes.first()) && edge(bytes.last())
}

/// What is wrong with a label as kubectl takes it: `key=value`, or `key-` to remove it.
pub(super) fn label(text: &str) -> Result<(), String> {
    let right = match text.split_once('=') {
        Some((key, value)) => is_key(key) && is_value(value),
        None => text.strip_suffix('-').is_some_and(is_key),
    };
    let wrong = || format!("\"{text}\" is no label: write key=value, or key- to remove it");
    right.then_some(()).ok_or_else(wrong)
}

/// What is wrong with a taint as kubectl takes it: `key=value:Effect`, `key:Effect`, or with a final `-` to remove it.
pub(super) fn taint(text: &str, may_remove: bool) -> Result<(), String> {
    let key = if may_remove {
        match taint_change(text)? {
            TaintChange::Add(taint) => taint.key,
            TaintChange::Remove { key, .. } => key,
        }
    } else {
        kubeclash_cluster::taint(text)?.key
    };
    is_key(&key)
        .then_some(())
        .ok_or_else(|| format!("\"{key}\" is no key of a taint"))
}

/// What is wrong with a number of replicas that may be that of something: `names` of it, with an offset or a divisor, or a number.
pub(super) fn measure(text: &str, names: &[&str]) -> Result<(), String> {
    let wrong = || {
        let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        format!(
            "\"{text}\" is unknown here: write {} or a number",
            names.join(", ")
        )
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |word: &str| word.parse::<u32>().is_ok();
    let positive = |word: &str| word.parse::<u32>().is_ok_and(|number| number > 0);
    let right = match words[..] {
        [word] => names.contains(&word) || number(word),
        [word, "-" | "/", by] => {
            names.contains(&word) && ["hpa.min", "hpa.max", "replicas"].contains(&word) && positive(by)
        }
        _ => false,
    };
    right.then_some(()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_taints_are_those_of_kubectl() {
        for text in ["a=b", "example.com/a=", "a-", "a.b/c-", "node=1"] {
            assert_eq!(label(text), Ok(()), "{text}");
        }
        for text in ["", "a", "=b", "a=b c", "-a=b", "a/b/c=d", "A_/b=c", "a=-"] {
            assert!(label(text).is_err(), "{text}");
        }
        for text in [
            "a=b:NoSchedule",
            "a:NoExecute",
            "a:NoExecute-",
            "a-",
            "a=b:PreferNoSchedule-",
        ] {
            assert_eq!(taint(text, true), Ok(()), "{text}");
        }
        for text in ["", "a", "a=b", "a=b:", ":NoSchedule", "a=b:NoSchedule:x"] {
            assert!(taint(text, true).is_err(), "{text}");
        }
        assert!(taint("a:NoExecute-", false).is_err());
    }

    #[test]
    fn a_measure_is_a_name_of_it_or_a_number() {
        let names = ["hpa.min", "replicas", "pdb"];
        for text in ["hpa.min", "3", "replicas - 1", "pdb"] {
            assert_eq!(measure(text, &names), Ok(()), "{text}");
        }
        for text in [
            "",
            "hpa",
            "replicas -1",
            "pdb - 1",
            "replicas - 0",
            "-1",
            "replicas - x",
        ] {
            assert!(measure(text, &names).is_err(), "{text}");
        }
    }
}
