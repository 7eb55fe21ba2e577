//! A pattern of a signature, and the literals without which it can't match.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

/// The least that is looked for in every byte of a log: what is shorter would be found all the time.
const LEAST: usize = 4;

/// A regular expression on bytes, of which each match contains one of a few literals.
///
/// A `"` in the text matches `\"` and `\\\"` as well, as a line has it that stands within JSON; a class without `"` is
/// without `\`, too. Otherwise the syntax is that of the [`regex`] crate, without Unicode: `.` is any byte but a
/// newline, as a log may have any.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
    literals: Vec<Vec<u8>>,
}

impl Pattern {
    /// The pattern of a text.
    ///
    /// # Errors
    /// When it is no regular expression, or no literal is part of every match.
    pub fn new(text: &str) -> Result<Self, String> {
        let escaped = with_escapes(text);
        let regex = RegexBuilder::new(&escaped)
            .unicode(false)
            .build()
            .map_err(|e| last_line(&e.to_string()))?;
        let hir = regex_syntax::ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .build()
            .parse(&escaped)
            .map_err(|e| last_line(&e.to_string()))?;
        let literals = required(&hir).filter(|literals| shortest(literals) >= LEAST);
        let literals = literals.ok_or_else(|| {
            format!(
                "every match has to contain a literal text of {LEAST} bytes or more, by which it is found in a large log"
            )
        })?;
        Ok(Self {
            text: text.to_owned(),
            regex,
            literals,
        })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The compiled expression.
    #[must_use]
    pub fn regex(&self) -> &Regex {
        &self.regex
    }

    /// One of these is in every match.
    #[must_use]
    pub fn literals(&self) -> &[Vec<u8>] {
        &self.literals
    }
}

/// The last line of an error of the regex crates; those before draw the place in a text of several lines.
fn last_line(error: &str) -> String {
    let last = error.lines().last().unwrap_or(error);
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// The text with each `"` standing for an escaped one as well.
fn with_escapes(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    let mut class = false;
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '\\' => {
                escaped.push(sign);
                escaped.extend(signs.next());
            }
            '"' if class => escaped.push_str(r#"\\""#),
            '"' => escaped.push_str(r#"(?:\\*")"#),
            '[' | ']' => {
                class = sign == '[';
                escaped.push(sign);
            }
            _ => escaped.push(sign),
        }
    }
    escaped
}

/// Literals one of which is in every match; `None` where there is no such set.
fn required(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(vec![literal.0.to_vec()]),
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub),
        HirKind::Concat(parts) => parts
            .iter()
            .filter_map(required)
            // Of two that are as long, the one that fewer literals say; of those, the first.
            .reduce(|best, next| if worth(&next) > worth(&best) { next } else { best }),
        HirKind::Alternation(parts) => {
            let parts: Option<Vec<_>> = parts.iter().map(required).collect();
            Some(parts?.concat())
        }
        HirKind::Repetition(_) | HirKind::Class(_) | HirKind::Look(_) | HirKind::Empty => None,
    }
}

fn shortest(literals: &[Vec<u8>]) -> usize {
    literals.iter().map(Vec::len).min().unwrap_or_default()
}

fn worth(literals: &[Vec<u8>]) -> (usize, std::cmp::Reverse<usize>) {
    (shortest(literals), std::cmp::Reverse(literals.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literals(pattern: &str) -> Vec<String> {
        let pattern = Pattern::new(pattern).unwrap();
        let texts = pattern.literals().iter();
        texts
            .map(|text| String::from_utf8(text.clone()).unwrap())
            .collect()
    }

    #[test]
    fn a_quote_may_be_escaped() {
        let pattern = Pattern::new(r#"Step "(?P<step>[^"]+)" started"#).unwrap();
        for line in [
            r#"Step "a b" started"#,
            r#"{"msg":"Step \"a b\" started"}"#,
            r#"{"log":"{\"msg\":\"Step \\\"a b\\\" started\"}"}"#,
        ] {
            let found = pattern.regex().captures(line.as_bytes()).unwrap();
            assert_eq!(&found["step"], b"a b", "{line}");
        }
        assert!(pattern.regex().is_match(br#"Step "a (b*)" started"#));
        assert!(!pattern.regex().is_match(b"Step a started"));
    }

    #[test]
    fn the_longest_literal_of_every_match_is_found() {
        assert_eq!(literals("a+ took too long (?:[0-9]+ key)?"), [" took too long "]);
        assert_eq!(
            literals("(?:first one|the second).*end"),
            ["first one", "the second"]
        );
        assert_eq!(literals("(abcd)+x?"), ["abcd"]);
        assert_eq!(literals("[Tt]oo many"), ["oo many"]);
    }

    #[test]
    fn a_pattern_without_a_literal_is_refused() {
        for pattern in [
            "[a-z]+",
            "(?i)context canceled",
            "abc",
            "context|[0-9]+",
            "(?:context)?",
        ] {
            let error = Pattern::new(pattern).unwrap_err();
            assert!(error.contains("literal text of 4 bytes"), "{pattern}: {error}");
        }
        assert_eq!(Pattern::new("(abcd").unwrap_err(), "unclosed group");
    }

    #[test]
    fn bytes_that_are_no_text_are_matched_as_well() {
        let pattern = Pattern::new("killed .* now").unwrap();
        assert!(pattern.regex().is_match(b"killed \xff\x00\xfe now"));
    }
}
