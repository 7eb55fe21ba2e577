//! What took etcd too long, by prefix: counted in the logs of etcd and of the API server, as they grow.
//!
//! Two forms of etcd's line are known: the text of 3.4's default logger, and the JSON of 3.4's other one and of all since.
//!
//! ```text
//! … W | etcdserver: read-only range request "key:\"/registry/leases/kube-node-lease/n1\" " … took too long (120.5ms) to execute
//! {"level":"warn",…,"msg":"apply request took too long","took":"120.5ms",…,"request":"key:\"/registry/…\" ",…}
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What makes a line one of these.
const WORDS: &[u8] = b"took too long";

/// The longest part of a line that is looked at: etcd cuts what it quotes, and others may not.
const LINE: usize = 256 * 1024;

/// By how many of its last bytes a log is known again after its middle was taken out.
const ANCHOR: usize = 256;

/// What stands where the middle of a log was taken out.
const LEFT_OUT: &[u8] = b"MiB are left out here\n";

/// How many prefixes are kept apart; more would be names, not prefixes.
const PREFIXES: usize = 200;

/// The most characters of a prefix.
const KEY: usize = 200;

/// Where a line is counted that names no key.
pub const NO_KEY: &str = "(no key)";

/// Where what is beyond all bounds is counted.
pub const OTHERS: &str = "(others)";

/// What took etcd too long.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TookTooLong {
    /// How many requests.
    pub total: u64,
    /// The same by prefix, such as `/registry/leases/kube-node-lease/`.
    pub by_prefix: BTreeMap<String, Slow>,
}

/// Requests that took too long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Slow {
    /// How many.
    pub count: u64,
    /// How long all took together, milliseconds.
    pub sum_ms: f64,
    /// How long the longest took, milliseconds.
    pub max_ms: f64,
}

impl TookTooLong {
    /// Counts a line, if it is one of these.
    pub fn see(&mut self, line: &[u8]) {
        if !contains(line, WORDS) {
            return;
        }
        let text = String::from_utf8_lossy(&line[..line.len().min(LINE)]);
        let prefix = key(&text).map_or_else(|| NO_KEY.to_owned(), |key| prefix(&key));
        let took = took_ms(&text).unwrap_or_default();
        self.total += 1;
        let known = self.by_prefix.len() < PREFIXES || self.by_prefix.contains_key(&prefix);
        let slow = self
            .by_prefix
            .entry(if known { prefix } else { OTHERS.to_owned() });
        let slow = slow.or_default();
        slow.count += 1;
        slow.sum_ms += took;
        slow.max_ms = slow.max_ms.max(took);
    }
}

fn contains(line: &[u8], words: &[u8]) -> bool {
    line.windows(words.len()).any(|window| window == words)
}

/// The first key that a line quotes, however deep the quotes are.
fn key(text: &str) -> Option<String> {
    let (_, after) = text.split_once("key:")?;
    let inner = after.trim_start_matches(['\\', '"', ' ']);
    let end = inner.find(['\\', '"', ' ']).unwrap_or(inner.len());
    (end > 0).then(|| inner[..end].to_owned())
}

/// What a key is counted under: `/registry/`, its resource, and the namespaces of the system, as node leases are told
/// apart by theirs; namespaces of users are not.
fn prefix(key: &str) -> String {
    let mut parts = key.split('/').skip(1).peekable();
    let mut prefix = String::new();
    let mut take = |part: &str| {
        prefix.push('/');
        prefix.push_str(part);
    };
    let mut resource = false;
    while let Some(part) = parts.next() {
        // The last part is the object's name, but where there is no more than the resource.
        if parts.peek().is_none() && resource {
            break;
        }
        let root = part == "registry";
        // "services/specs" and "services/endpoints"; custom resources are kept by their group first.
        let first_of_two = part == "services" || part.contains('.');
        if resource {
            if part.starts_with("kube-") || part == "default" {
                take(part);
            }
            break;
        }
        take(part);
        resource = !root && !first_of_two;
    }
    prefix.push('/');
    prefix.chars().take(KEY).collect()
}

/// How long it took, milliseconds.
fn took_ms(text: &str) -> Option<f64> {
    let json = || text.split_once(r#""took":""#)?.1.split_once('"');
    let plain = || text.split_once("took too long (")?.1.split_once(')');
    let (duration, _) = json().or_else(plain)?;
    go_duration_ms(duration)
}

/// A duration as Go writes it: `1m2.5s`, `120.5ms`, `35µs`.
fn go_duration_ms(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut ms = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let value: f64 = rest[..end].parse().ok()?;
        let unit_end = rest[end..]
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .map_or(rest.len(), |at| end + at);
        ms += value
            * match &rest[end..unit_end] {
                "h" => 3_600_000.0,
                "m" => 60_000.0,
                "s" => 1_000.0,
                "ms" => 1.0,
                "µs" | "μs" | "us" => 1e-3,
                "ns" => 1e-6,
                _ => return None,
            };
        rest = &rest[unit_end..];
    }
    Some(ms)
}

/// A log that is read as it grows, from where it ended when this was made.
///
/// Components' logs lose their middle when they get long: what was read last is looked for in what is left then.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    read: u64,
    /// The beginning of a line whose end is not written yet.
    begun: Vec<u8>,
    anchor: Vec<u8>,
    /// How often lines may have been lost.
    pub(super) lost: u64,
}

impl Tail {
    /// From the end of a log, which may not be there yet.
    pub(super) fn at_end_of(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            read: std::fs::metadata(path).map_or(0, |file| file.len()),
            begun: Vec::new(),
            anchor: Vec::new(),
            lost: 0,
        }
    }

    /// Gives each line that was written since the last time.
    ///
    /// # Errors
    /// When the log is there and can't be read.
    pub(super) fn read(&mut self, mut line: impl FnMut(&[u8])) -> std::io::Result<()> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if !self.is_here(&mut file)? {
            self.find_again(&mut file)?;
        }
        file.seek(SeekFrom::Start(self.read))?;
        let mut chunk = vec![0; 256 * 1024];
        loop {
            let count = file.read(&mut chunk)?;
            if count == 0 {
                return Ok(());
            }
            self.read += count as u64;
            self.remember(&chunk[..count]);
            for piece in chunk[..count].split_inclusive(|&byte| byte == b'\n') {
                // What is longer than a line may be is cut, not kept.
                let room = LINE.saturating_sub(self.begun.len()).min(piece.len());
                self.begun.extend_from_slice(&piece[..room]);
                if piece.ends_with(b"\n") {
                    line(&self.begun);
                    self.begun.clear();
                }
            }
        }
    }

    fn remember(&mut self, bytes: &[u8]) {
        self.anchor
            .extend_from_slice(&bytes[bytes.len().saturating_sub(ANCHOR)..]);
        let excess = self.anchor.len().saturating_sub(ANCHOR);
        self.anchor.drain(..excess);
    }

    /// Whether what was read last still stands where it stood.
    fn is_here(&self, file: &mut File) -> std::io::Result<bool> {
        if file.metadata()?.len() < self.read {
            return Ok(false);
        }
        let length = self.anchor.len() as u64;
        file.seek(SeekFrom::Start(self.read - length))?;
        let mut there = Vec::new();
        file.take(length).read_to_end(&mut there)?;
        Ok(there == self.anchor)
    }

    /// Goes to where it was in a log that has lost its middle.
    fn find_again(&mut self, file: &mut File) -> std::io::Result<()> {
        /// What is kept of the end of a log.
        const END: u64 = 2 << 20;
        let length = file.metadata()?.len();
        let from = length.saturating_sub(END);
        file.seek(SeekFrom::Start(from))?;
        let mut end = Vec::new();
        file.take(END).read_to_end(&mut end)?;
        let anchor = &self.anchor;
        let found = (!anchor.is_empty())
            .then(|| end.windows(anchor.len()).rposition(|window| window == anchor))
            .flatten();
        self.read = if let Some(at) = found {
            from + (at + anchor.len()) as u64
        } else {
            // All after the gap is new, and so is a log that begins anew; what was in the gap is lost.
            self.lost += 1;
            self.begun.clear();
            let gap = end.windows(LEFT_OUT.len()).rposition(|window| window == LEFT_OUT);
            gap.map_or(0, |at| from + (at + LEFT_OUT.len()) as u64)
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use super::*;

    const TEXT: &str = r#"2020-09-30 06:17:49.991954 W | etcdserver: read-only range request "key:\"/registry/leases/kube-node-lease/hollow-node-xk2\" " with result "range_response_count:1 size:588" took too long (120.515ms) to execute"#;
    const JSON: &str = r#"{"level":"warn","ts":"2026-01-02T03:04:05.006Z","caller":"txn/util.go:93","msg":"apply request took too long","took":"1.25s","expected-duration":"100ms","prefix":"read-only range ","request":"key:\"/registry/pods/load-1/web-0\" ","response":"range_response_count:1 size:1","error":""}"#;
    const TXN: &str = r#"{"msg":"apply request took too long","took":"150ms","request":"header:<ID:1 > txn:<compare:<target:MOD key:\"/registry/services/endpoints/load-1/svc\" mod_revision:7 > success:<request_put:<key:\"/registry/services/endpoints/load-1/svc\" value_size:9 >>>"}"#;

    #[test]
    fn both_forms_are_counted_by_prefix() {
        let mut seen = TookTooLong::default();
        for line in [TEXT, JSON, JSON, TXN, "I am not one", "it took too long, he said"] {
            seen.see(line.as_bytes());
        }
        assert_eq!(seen.total, 5);
        let leases = seen.by_prefix["/registry/leases/kube-node-lease/"];
        assert_eq!((leases.count, leases.max_ms), (1, 120.515));
        let pods = seen.by_prefix["/registry/pods/"];
        assert_eq!((pods.count, pods.sum_ms, pods.max_ms), (2, 2_500.0, 1_250.0));
        assert_eq!(seen.by_prefix["/registry/services/endpoints/"].count, 1);
        assert_eq!(seen.by_prefix[NO_KEY].count, 1);
    }

    #[test]
    fn a_prefix_is_a_resource_and_the_systems_namespaces() {
        for (key, wanted) in [
            ("/registry/health", "/registry/health/"),
            ("/registry/pods/", "/registry/pods/"),
            ("/registry/minions/n1", "/registry/minions/"),
            (
                "/registry/leases/kube-node-lease/n1",
                "/registry/leases/kube-node-lease/",
            ),
            (
                "/registry/leases/kube-node-lease/",
                "/registry/leases/kube-node-lease/",
            ),
            ("/registry/leases/mine/n1", "/registry/leases/"),
            ("/registry/services/specs/mine/web", "/registry/services/specs/"),
            (
                "/registry/example.com/widgets/mine/w",
                "/registry/example.com/widgets/",
            ),
            ("foo", "/"),
        ] {
            assert_eq!(prefix(key), wanted, "{key}");
        }
    }

    #[test]
    fn durations_are_gos() {
        assert_eq!(go_duration_ms("1m2.5s"), Some(62_500.0));
        assert_eq!(go_duration_ms("250µs"), Some(0.25));
        assert_eq!(go_duration_ms("fast"), None);
        assert_eq!(go_duration_ms("5"), None);
        assert_eq!(go_duration_ms("5 parsecs"), None);
    }

    #[test]
    fn prefixes_are_bounded_whatever_is_logged() {
        let mut seen = TookTooLong::default();
        for n in 0..1_000 {
            seen.see(format!(r#"took too long "key:\"/x{n}/y\" ""#).as_bytes());
        }
        assert_eq!(seen.by_prefix.len(), PREFIXES + 1);
        assert_eq!(seen.by_prefix[OTHERS].count, 800);
        assert_eq!(seen.total, 1_000);
    }

    fn append(path: &Path, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn lines(tail: &mut Tail) -> Vec<String> {
        let mut lines = Vec::new();
        tail.read(|line| lines.push(String::from_utf8_lossy(line).trim_end().to_owned()))
            .unwrap();
        lines
    }

    #[test]
    fn a_log_is_read_from_its_end_and_over_the_loss_of_its_middle() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("etcd.log");
        let mut tail = Tail::at_end_of(&path);
        assert_eq!(lines(&mut tail), [""; 0]);
        append(&path, "before\n");
        let mut tail = Tail::at_end_of(&path);
        append(&path, "one\ntw");
        assert_eq!(lines(&mut tail), ["one"]);
        append(&path, "o\n");
        assert_eq!(lines(&mut tail), ["two"]);
        // More is written at once than is left of it.
        std::fs::write(&path, "b\n# 3 MiB are left out here\nx\n").unwrap();
        assert_eq!(lines(&mut tail), ["x"]);
        assert_eq!(tail.lost, 1);
    }

    #[test]
    fn what_was_read_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("etcd.log");
        append(&path, &"filler\n".repeat(100));
        let mut tail = Tail::at_end_of(&path);
        let numbered =
            |range: std::ops::Range<u32>| range.map(|n| format!("line {n:06}\n")).collect::<String>();
        append(&path, &numbered(0..100));
        assert_eq!(lines(&mut tail).len(), 100);
        std::fs::write(&path, format!("# 3 MiB are left out here\n{}", numbered(60..103))).unwrap();
        assert_eq!(lines(&mut tail), ["line 000100", "line 000101", "line 000102"]);
        assert_eq!(tail.lost, 0);
    }
}
