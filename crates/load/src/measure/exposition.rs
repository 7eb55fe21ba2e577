//! Prometheus' text exposition format (0.0.4), line by line: an API server of 5,000 nodes answers with tens of MB.
//!
//! Only what is asked for is taken apart; the rest of the lines are told apart by their first word. See
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::borrow::Cow;

use futures::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// The longest line that is read: the API server's have a few hundred bytes.
const LINE: u64 = 64 * 1024;

/// One line with a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample<'a> {
    /// The metric.
    pub(super) name: &'a str,
    /// Its labels as they stand there, without braces.
    pub(super) labels: Labels<'a>,
    /// The value.
    pub(super) value: f64,
}

/// The labels of a line, taken apart when they are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Labels<'a>(pub(super) &'a str);

/// Why a line can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadLine {
    #[error("no name at its beginning")]
    Name,
    #[error("labels that do not end, or no \"name=\\\"value\\\"\"")]
    Labels,
    #[error("\"{0}\" is no number")]
    Value(String),
}

/// The metric that a line is of; `None` for comments, empty lines and what is no metric.
pub(super) fn name(line: &str) -> Option<&str> {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    let end = line
        .find(|c: char| !first(c) && !c.is_ascii_digit())
        .unwrap_or(line.len());
    line.starts_with(first).then(|| &line[..end])
}

/// Takes a line apart. A time at its end is passed over.
pub(super) fn parse(line: &str) -> Result<Sample<'_>, BadLine> {
    let name = name(line).ok_or(BadLine::Name)?;
    let rest = line[name.len()..].trim_start();
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inner) => {
            let end = end_of_labels(inner).ok_or(BadLine::Labels)?;
            (&inner[..end], &inner[end + 1..])
        }
        None => ("", rest),
    };
    let value = rest.split_whitespace().next().unwrap_or_default();
    // Rust reads "inf", "+Inf" and "NaN" as Go does.
    let value = value.parse().map_err(|_| BadLine::Value(value.to_owned()))?;
    Ok(Sample {
        name,
        labels: Labels(labels),
        value,
    })
}

/// Where the closing brace is: not within quotes.
fn end_of_labels(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'}' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

impl<'a> Labels<'a> {
    /// Each label with its value, escapes resolved. Stops at what is no label.
    pub(super) fn iter(self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (name, after) = rest.trim_start_matches([',', ' ']).split_once("=\"")?;
            let mut escaped = false;
            let end = after.bytes().position(|byte| {
                let ends = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                ends
            })?;
            rest = &after[end + 1..];
            Some((name.trim(), unescaped(&after[..end])))
        })
    }

    /// The value of one label; empty where there is none, as Prometheus has it.
    pub(super) fn get(self, wanted: &str) -> Cow<'a, str> {
        let found = self.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| value).unwrap_or_default()
    }

    /// The text without `le`, which Go's client writes last, and `le` itself.
    pub(super) fn without_bound(self) -> Option<(&'a str, &'a str)> {
        let (before, le) = self.0.rsplit_once("le=\"")?;
        Some((before, le.trim_end_matches(',').strip_suffix('"')?))
    }
}

fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => plain.push('\n'),
                Some(other) => plain.push(other),
                None => {}
            },
            other => plain.push(other),
        }
    }
    Cow::Owned(plain)
}

/// What came of reading an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Read {
    /// How long it was.
    pub(super) bytes: u64,
    /// The first line that could not be read, and how many there were.
    pub(super) bad: Option<(String, u64)>,
}

/// Reads an answer, and gives each line of a metric that is `wanted` to `take`.
///
/// # Errors
/// When the answer breaks off, or has a line beyond all measure.
pub(super) async fn read(
    mut from: impl AsyncBufRead + Unpin,
    wanted: impl Fn(&str) -> bool,
    mut take: impl FnMut(Sample<'_>),
) -> std::io::Result<Read> {
    let mut came = Read::default();
    let mut line = String::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        let read = (&mut from).take(LINE).read_line(&mut line).await?;
        if read == 0 {
            return Ok(came);
        }
        number += 1;
        came.bytes += read as u64;
        if read as u64 == LINE && !line.ends_with('\n') {
            let message = format!("line {number} has more than {LINE} bytes");
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, message));
        }
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') || name(text).is_some_and(|name| !wanted(name)) {
            continue;
        }
        match parse(text) {
            Ok(sample) => take(sample),
            Err(why) => {
                let first = || format!("line {number}: {why}");
                came.bad.get_or_insert_with(|| (first(), 0)).1 += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;

    use super::*;

    #[test]
    fn lines_are_taken_apart() {
        let line = r#"apiserver_request_duration_seconds_bucket{component="apiserver",group="",verb="GET",le="+Inf"} 12 1700000000000"#;
        let sample = parse(line).unwrap();
        assert_eq!(
            (sample.name, sample.value),
            ("apiserver_request_duration_seconds_bucket", 12.0)
        );
        assert_eq!(sample.labels.get("verb"), "GET");
        assert_eq!(sample.labels.get("group"), "");
        assert_eq!(sample.labels.get("absent"), "");
        let (key, le) = sample.labels.without_bound().unwrap();
        assert_eq!(
            (key, le),
            (r#"component="apiserver",group="",verb="GET","#, "+Inf")
        );
        assert_eq!(parse("up 1e3").unwrap().value, 1_000.0);
        assert!(parse("up NaN").unwrap().value.is_nan());
        assert_eq!(parse("up +Inf").unwrap().value, f64::INFINITY);
    }

    #[test]
    fn quotes_braces_and_escapes_in_values_are_values() {
        let sample = parse(r#"x{a="1",path="/a}\"\\\n",} 2"#).unwrap();
        assert_eq!(sample.labels.get("path"), "/a}\"\\\n");
        assert_eq!(sample.value, 2.0);
    }

    #[test]
    fn what_is_no_line_is_named() {
        assert_eq!(parse("1up 2"), Err(BadLine::Name));
        assert_eq!(parse(r#"up{a="b 2"#), Err(BadLine::Labels));
        assert_eq!(parse("up one"), Err(BadLine::Value("one".to_owned())));
        assert_eq!(parse("up"), Err(BadLine::Value(String::new())));
    }

    #[tokio::test]
    async fn an_answer_is_read_line_by_line_and_bad_lines_are_counted() {
        let text = "# HELP up x\n# TYPE up gauge\n\nup 1\nother one\nup two\nup{x=\"1\"} 3\nup{\n";
        let mut seen = Vec::new();
        let read = read(Cursor::new(text), |name| name == "up", |s| seen.push(s.value)).await;
        let read = read.unwrap();
        assert_eq!(seen, [1.0, 3.0]);
        assert_eq!(read.bytes, text.len() as u64);
        assert_eq!(read.bad, Some(("line 6: \"two\" is no number".to_owned(), 2)));
    }

    #[tokio::test]
    async fn a_line_without_an_end_and_binary_rubbish_are_errors() {
        let long = "x".repeat(usize::try_from(LINE).unwrap() + 1);
        let error = read(Cursor::new(long), |_| true, |_| ()).await.unwrap_err();
        assert!(error.to_string().contains("line 1 has more than"), "{error}");
        assert!(read(Cursor::new(b"\xff\xfe\n"), |_| true, |_| ()).await.is_err());
    }
}
