//! Whose a log is: by its path, or by what it says.

use std::path::Path;

use memchr::memmem;
use serde::Serialize;

use super::rules::Component;

/// How much of a log is looked at for whose it is.
pub(crate) const SAMPLE: usize = 64 << 10;

/// How it is known whose a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KnownBy {
    /// Its name.
    Name,
    /// The name of one of the two folders above it.
    Folder,
    /// What it says.
    Content,
}

/// The component that a log is of, by its place in `components`.
#[must_use]
pub(crate) fn component(
    components: &[Component],
    path: Option<&Path>,
    sample: &[u8],
) -> Option<(usize, KnownBy)> {
    let by_path = path.and_then(|path| by_path(components, path));
    by_path.or_else(|| Some((by_content(components, sample)?, KnownBy::Content)))
}

fn by_path(components: &[Component], path: &Path) -> Option<(usize, KnownBy)> {
    // The file's own name first, then those of two folders, as container logs have them: pod/container/0.log.
    let parts = path.iter().rev().take(3);
    parts.enumerate().find_map(|(level, part)| {
        let part = part.to_string_lossy().to_lowercase();
        let named = components.iter().enumerate().flat_map(|(at, component)| {
            let fits = component.names.iter().filter(|name| {
                // A folder may be called after anything; only what is a name as a whole or a pod's says something.
                let whole = level == 0 || *name == &part || part.starts_with("kube-system_");
                whole && stands_in(&part, name)
            });
            fits.map(move |name| (name.len(), at))
        });
        // Of names that are as long, the first.
        let best = named.reduce(|best, next| if next.0 > best.0 { next } else { best });
        let by = if level == 0 {
            KnownBy::Name
        } else {
            KnownBy::Folder
        };
        best.map(|(_, at)| (at, by))
    })
}

/// Whether a name stands in a text between other signs than letters and digits.
fn stands_in(text: &str, name: &str) -> bool {
    let apart = |sign: Option<char>| sign.is_none_or(|sign| !sign.is_ascii_alphanumeric());
    text.match_indices(name)
        .any(|(at, _)| apart(text[..at].chars().next_back()) && apart(text[at + name.len()..].chars().next()))
}

/// The component that most of the tell-tales are of; none where two have as many.
fn by_content(components: &[Component], sample: &[u8]) -> Option<usize> {
    let score = |component: &Component| {
        let signs = component.content.iter();
        signs
            .filter(|sign| memmem::find(sample, sign.as_bytes()).is_some())
            .count()
    };
    let mut scores: Vec<(usize, usize)> = components.iter().map(score).zip(0..).collect();
    scores.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    match scores[..] {
        [(best, at), (second, _), ..] if best > second => Some(at),
        [(best, at)] if best > 0 => Some(at),
        _ => None,
    }
}

/// Whether a sample is of no text: a picture, a database. Zeros alone don't make it so, as a log has them where it was
/// truncated under its writer.
#[must_use]
pub(crate) fn is_rubbish(sample: &[u8]) -> bool {
    let odd = |byte: &&u8| matches!(byte, 1..=6 | 14..=26 | 28..=31 | 127);
    sample.iter().filter(odd).count() * 50 > sample.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rules;

    fn of(path: &str, sample: &[u8]) -> Option<(String, KnownBy)> {
        let components = Rules::embedded().unwrap().components;
        let found = component(&components, Some(Path::new(path)), sample);
        found.map(|(at, by)| (components[at].id.clone(), by))
    }

    #[test]
    fn a_log_is_known_by_its_path() {
        for (path, wanted) in [
            ("a/kube-apiserver.log", Some("kube-apiserver")),
            (
                "a/kube-apiserver.log-20200930-1601450000.gz",
                Some("kube-apiserver"),
            ),
            ("a/kube-apiserver-audit.log", Some("audit")),
            (
                "a/workload-controller-manager.log",
                Some("workload-controller-manager"),
            ),
            ("a/kube-controller-manager.log.1", Some("kube-controller-manager")),
            ("a/nohup.out", Some("load")),
            ("etcd-events.log", Some("etcd")),
            ("sep22_pre_alkaid_etcd343_5k_1api/a.log", None),
            ("arktos/etcd343.log", None),
            ("workload.log", None),
        ] {
            let wanted = wanted.map(|id| (id.to_owned(), KnownBy::Name));
            assert_eq!(of(path, b""), wanted, "{path}");
        }
        for folder in [
            "kube-system_kube-apiserver-m_87/kube-apiserver",
            "kube-system_kube-apiserver-m_87/a",
            "kube-apiserver",
        ] {
            let wanted = Some(("kube-apiserver".to_owned(), KnownBy::Folder));
            assert_eq!(of(&format!("pods/{folder}/0.log"), b""), wanted, "{folder}");
        }
    }

    #[test]
    fn or_by_what_it_says() {
        let log =
            br#"{"level":"warn","ts":"2026-11-22T10:00:00Z","caller":"etcdserver/util.go:93","msg":"a"}"#;
        assert_eq!(of("a.log", log), Some(("etcd".to_owned(), KnownBy::Content)));
        let log = b"I1002 06:17:49.991954    5672 simple_test_executor.go:135] Step \"a\" started";
        assert_eq!(of("out.txt", log), Some(("load".to_owned(), KnownBy::Content)));
        assert_eq!(of("out.txt", b"hello"), None);
    }

    #[test]
    fn rubbish_is_told_from_a_log_with_holes() {
        assert!(is_rubbish(&(0..=255).cycle().take(4096).collect::<Vec<u8>>()));
        assert!(!is_rubbish(
            &[&[0; 4000][..], b"I0930 18:12:03.123456 1 a.go:1] b\n"].concat()
        ));
        assert!(!is_rubbish("E0930 \u{1b}[31m röd \u{1b}[0m\n".as_bytes()));
    }
}
