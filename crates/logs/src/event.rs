//! A row of a table of events, as `kubectl describe` and `kubectl get events` print them: it may stand for many.
//!
//! `12m (x33 over 44h)` says that the same happened 33 times; `-o wide` has a column for it, and so had `describe` before
//! v1.7. A row says how long ago, and not when: it has no time of day, and that of a line before it is not its own.

use std::sync::OnceLock;

use memchr::memmem;
use regex::bytes::Regex;

/// No row that matters is longer.
const LONGEST: usize = 4096;

/// How many events a row of a table stands for; `None` where the line is no such row.
pub(super) fn events(line: &[u8]) -> Option<u64> {
    let kind = |kind: &str| memmem::find(&line[..line.len().min(512)], kind.as_bytes()).is_some();
    if line.len() > LONGEST || !(kind("Normal") || kind("Warning")) {
        return None;
    }
    let captures = forms().iter().find_map(|form| form.captures(line))?;
    let number = captures
        .name("count")
        .and_then(|count| std::str::from_utf8(count.as_bytes()).ok());
    Some(number.and_then(|number| number.parse().ok()).unwrap_or(1).max(1))
}

fn forms() -> &'static [Regex] {
    static FORMS: OnceLock<Vec<Regex>> = OnceLock::new();
    FORMS.get_or_init(|| {
        let age = r"(?:(?:\d+[ydhms])+|<unknown>|<invalid>)";
        let often = format!(r"(?: \(x(?P<count>\d+) over {age}\))?");
        let kind = r"(?:Normal|Warning)";
        [
            // describe, before v1.7: first seen, last seen, how often.
            format!(r"^\s*{age}\s+{age}\s+(?P<count>\d+)\s.*\s{kind}\s+\S"),
            // get events -o wide, with or without the namespace: how often is near the end.
            format!(
                r"^(?:\S+\s+)?{age}\s+{kind}\s+\S+\s.*\s{age}\s+(?P<count>\d+)\s+\S+\.[0-9a-f]{{8,}}\s*$"
            ),
            // get events and events, with or without the namespace.
            format!(r"^(?:\S+\s+)?{age}{often}\s+{kind}\s+\S+\s"),
            // describe.
            format!(r"^\s*{kind}\s+\S+\s+{age}{often}\s+\S"),
        ]
        .iter()
        .map(|form| Regex::new(form).expect("a test compiles it"))
        .collect()
    })
}

/// A text without what a terminal would act on, cut off after so many signs.
pub(crate) fn printable(text: &str, most: usize) -> String {
    let signs = text.trim_matches(|sign: char| sign.is_control()).chars();
    signs
        .take(most)
        .map(|sign| if sign.is_control() { '·' } else { sign })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_stands_for_as_many_events_as_it_says() {
        let message = "Container kube-apiserver failed liveness probe, will be restarted";
        for (row, wanted) in [
            (
                format!("  Normal   Killing    12m (x33 over 44h)      kubelet  {message}"),
                Some(33),
            ),
            (
                format!("  Normal   Killing    12m (x1033 over 3d4h)   kubelet  {message}"),
                Some(1033),
            ),
            (
                format!("  Normal   Killing    37s                     kubelet  {message}"),
                Some(1),
            ),
            (
                format!("  Normal   Killing    <unknown>               kubelet  {message}"),
                Some(1),
            ),
            (
                format!("12m (x33 over 44h)   Normal   Killing   Pod/kube-apiserver-m   {message}"),
                Some(33),
            ),
            (
                format!("kube-system   2m1s (x7 over 9m)   Warning   Killing   Pod/a   {message}"),
                Some(7),
            ),
            (
                format!("12m   Normal   Killing   pod/kube-apiserver-m   {message}"),
                Some(1),
            ),
            (
                format!(
                    "12m   Normal   Killing   pod/a   spec.containers{{kube-apiserver}}   kubelet, m   {message}   44h   33   a.17a9c0ffee123456"
                ),
                Some(33),
            ),
            (
                format!(
                    "  44h  12m  33  kubelet, m  spec.containers{{kube-apiserver}}  Normal  Killing  {message}"
                ),
                Some(33),
            ),
            (format!("I0930 07:12:03.000412 4711 a.go:1] {message}"), None),
            (
                format!(
                    "I0930 07:12:03.000412 4711 event.go:1] \"Event occurred\" type=\"Normal\" message=\"{message} (x33 over 44h)\""
                ),
                None,
            ),
            (format!("Normal (x33 over 44h) {message}"), None),
        ] {
            assert_eq!(events(row.as_bytes()), wanted, "{row}");
        }
    }

    #[test]
    fn a_number_that_can_t_be_is_one_event() {
        let row = "  Normal  Killing  1s (x99999999999999999999999 over 1h)  kubelet  killed";
        assert_eq!(events(row.as_bytes()), Some(1));
        assert_eq!(
            events(b"  Normal  Killing  1s (x0 over 1h)  kubelet  killed"),
            Some(1)
        );
    }
}
