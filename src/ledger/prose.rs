//! What people write of a run: whether the issue was found, where the logs are, which commits, which colour.
//!
//! These rules know the words in which load tests of an API server are told of. They decide nothing: a label stands as
//! it was given, and what they read differently is a contradiction for a person to look at.

use std::sync::LazyLock;

use regex::Regex;

use super::figures::straight;

/// What a sentence says of the issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remark {
    /// Its line within the text, counted from 0.
    pub(super) line: usize,
    /// Whether it says that the issue was there.
    pub(super) found: bool,
    /// The sentence.
    pub(super) quote: String,
}

/// The issue's signs: an API server that ends, and the panic that goes with it.
static SIGN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)killing connection",
        r"|api-?server[^.]*\b(?:panic|kill|restart|crash|segfault|seg fault)",
        r"|(?:kill|restart|crash)\w*[^.]*\bapi-?server",
    ))
    .expect("it is an expression")
});

/// A panic that nobody is said to have had.
static PANIC: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)\bpanic").expect("it is an expression"));

/// Others that panic.
static OTHERS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:kubelets?|tools?|perf-tests?|controllers?|scheduler|proxy|etcd)\b")
        .expect("it is an expression")
});

static NO: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:no|not|never|without|none|\w+n't)\b").expect("it is an expression")
});

/// All is well, in so many words.
static FINE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\bno (?:fail(?:s|ures?)?|issues?|problems?)\b").expect("it is an expression")
});

/// A place: `user@host:/path`, `host: /path`, `/path`, an address.
static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?P<link>\[[^\]]*\]\([^)\s]*\))",
        r"|(?P<url>https?://[^\s)\]]+)",
        // Not within a word: the key registry/leases/… is no path.
        r"|(?:^|[\s(])(?P<path>(?:[\w.-]+@)?(?:[\w.-]+:[ ]?)?(?:/[\w.@+-]+){2,}/?)",
    ))
    .expect("it is an expression")
});

static COMMIT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b[0-9a-f]{7,40}\b").expect("it is an expression"));

static IMAGE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"!\[(?P<alt>[^\]]*)\]\((?P<url>[^)\s]*)\)").expect("it is an expression"));

/// What each sentence of a text says of the issue; most say nothing of it.
pub(super) fn remarks(text: &str) -> Vec<Remark> {
    let mut remarks = Vec::new();
    for (line, said) in text.lines().enumerate() {
        // A path is no prose: "logs/crashed" says nothing.
        let said = straight(&PLACE.replace_all(said, " "));
        for sentence in said.split_inclusive(['.', ';']) {
            let sentence = sentence.trim().trim_start_matches(['-', '*', '+', ' ']);
            if let Some(found) = says(sentence) {
                remarks.push(Remark {
                    line,
                    found,
                    quote: sentence.trim_end_matches(['.', ';']).to_owned(),
                });
            }
        }
    }
    remarks
}

fn says(sentence: &str) -> Option<bool> {
    let sign = SIGN
        .find(sentence)
        .or_else(|| PANIC.find(sentence).filter(|_| !OTHERS.is_match(sentence)));
    match sign {
        Some(sign) => Some(!NO.is_match(&sentence[..sign.end()])),
        None => FINE.is_match(sentence).then_some(false),
    }
}

/// The places that a text names.
pub(super) fn evidence(text: &str) -> Vec<String> {
    let mut places: Vec<String> = Vec::new();
    for found in PLACE.captures_iter(text) {
        let said = match found.name("link") {
            // Of a link, what it shows, if that is an address: the other is how somebody's mail program got there.
            Some(link) => {
                let (shown, target) = link.as_str()[1..].split_once("](").unwrap_or_default();
                if shown.starts_with("http") {
                    shown
                } else {
                    target.trim_end_matches(')')
                }
            }
            None => {
                let place = found.name("url").or_else(|| found.name("path"));
                place.map_or("", |place| place.as_str())
            }
        };
        let said = said.trim_end_matches(['.', ',', ';']).to_owned();
        if !said.is_empty() && !places.contains(&said) {
            places.push(said);
        }
    }
    places
}

/// The commits that a text names.
pub(super) fn commits(text: &str) -> Vec<String> {
    COMMIT
        .find_iter(text)
        .map(|found| found.as_str().to_owned())
        .collect()
}

/// A picture of a colour.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Image {
    /// What is shown where pictures are not.
    pub(super) alt: String,
    /// The first colour in its address, as in `#c5f015`.
    pub(super) colour: Option<String>,
}

/// The first picture of a text.
pub(super) fn image(text: &str) -> Option<Image> {
    let found = IMAGE.captures(text)?;
    let path = found["url"].split('?').next().unwrap_or_default().to_lowercase();
    let colour = path
        .split('/')
        .find(|part| part.len() == 6 && part.bytes().all(|byte| byte.is_ascii_hexdigit()));
    Some(Image {
        alt: found["alt"].trim().to_lowercase(),
        colour: colour.map(|colour| format!("#{colour}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_says_whether_the_issue_was_there() {
        for (sentence, found) in [
            (
                "Logs don't show \"killing connection\" or panics or apiserver kills.",
                Some(false),
            ),
            ("Logs don’t show “killing connection”", Some(false)),
            ("Logs show \"killing connection\", panics.", Some(true)),
            ("Many  Kube-apiserver panics", Some(true)),
            ("No kube-apiserver panics.", Some(false)),
            ("There are kubelet panics invalid memory address as usual.", None),
            ("Perf-tests tool panic: runtime error", None),
            ("ApiServer restarted several times", Some(true)),
            ("the kubelet kills apiserver", Some(true)),
            ("lots of panics", Some(true)),
            ("06/10 No fail", Some(false)),
            ("Load test completed with object timeouts.", None),
            ("Amount of apiserver logging indicates it was very busy", None),
            ("snapshot is on h: /home/x/logs/crashed/apiserver", None),
        ] {
            let said = remarks(sentence);
            assert_eq!(said.first().map(|remark| remark.found), found, "{sentence}");
        }
    }

    #[test]
    fn places_are_taken_out_of_prose() {
        for (text, wanted) in [
            (
                "  - root@dev2:/root/logs/sep26_ark",
                vec!["root@dev2:/root/logs/sep26_ark"],
            ),
            ("found at  dev2: /home/a/logs and", vec!["dev2: /home/a/logs"]),
            (
                "at http://34.83.153.175:9090/graph and",
                vec!["http://34.83.153.175:9090/graph"],
            ),
            (
                "[http://35.1.1.1:9090/](https://mail.example/?url=x) or",
                vec!["http://35.1.1.1:9090/"],
            ),
            ("[logs](https://x.example/a)", vec!["https://x.example/a"]),
            ("killing connection/stream", vec![]),
            (
                "the key “registry/leases/kube-node-lease/hollow-node-***”",
                vec![],
            ),
        ] {
            assert_eq!(evidence(text), wanted, "{text}");
        }
    }

    #[test]
    fn commits_are_words_of_hexadecimal_digits() {
        assert_eq!(
            commits(
                "5069e78665708f7949af52a77aa8581998d573b0.   +   Commit: 79d954c790c63f6f8af0ecec665243d1d2af95f6"
            ),
            [
                "5069e78665708f7949af52a77aa8581998d573b0",
                "79d954c790c63f6f8af0ecec665243d1d2af95f6"
            ]
        );
        assert_eq!(commits("75e94764"), ["75e94764"]);
        assert_eq!(commits("none"), Vec::<String>::new());
    }
}
