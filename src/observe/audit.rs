//! The API server's audit log: who asked for which change. Each line becomes a [`RequestSeen`].
//!
//! A log is read as it grows. What is in it was written by whoever talks to the API server, so lengths are bounded,
//! characters that no name has are replaced, and a line that is none is passed over.

use kubeclash_cluster::CONTROLLER;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use kubeclash_timeline::RequestSeen;

/// The longest line that is read: the API server itself takes requests of 3 MiB, and a pod of a case has 2 KiB.
const LINE: usize = 1 << 20;

/// A request, and when the API server got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) at: jiff::Timestamp,
    pub(super) request: RequestSeen,
}

/// Reads an audit log as it grows, over rotations.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    file: Option<File>,
    /// The beginning of a line whose end is not written yet.
    part: Vec<u8>,
    /// Whether the rest of the line is passed over, because it is too long.
    too_long: bool,
    /// How many lines were passed over.
    pub(super) passed_over: usize,
}

impl Tail {
    /// From the beginning of a log, which may not be there yet.
    pub(super) fn of(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            part: Vec::new(),
            too_long: false,
            passed_over: 0,
        }
    }

    /// What was written since the last time.
    ///
    /// # Errors
    /// When the file is there and can't be read.
    pub(super) fn read(&mut self) -> std::io::Result<Vec<Heard>> {
        let mut heard = Vec::new();
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let Some(file) = &mut self.file else {
                match File::open(&self.path) {
                    Ok(file) => self.file = Some(file),
                    Err(error) if error.kind() == ErrorKind::NotFound => return Ok(heard),
                    Err(error) => return Err(error),
                }
                continue;
            };
            let read = file.read(&mut chunk)?;
            if read > 0 {
                self.take(&chunk[..read], &mut heard);
            } else if !self.begun_anew()? {
                return Ok(heard);
            }
        }
    }

    /// At the end of what there is: whether another file has come in its place, or it was cut.
    fn begun_anew(&mut self) -> std::io::Result<bool> {
        let Some(file) = &mut self.file else {
            return Ok(true);
        };
        let here = file.metadata()?;
        let cut = here.len() < file.stream_position()?;
        if cut {
            file.seek(SeekFrom::Start(0))?;
        } else {
            match std::fs::metadata(&self.path) {
                Ok(there) if there.ino() != here.ino() => self.file = None,
                Ok(_) => return Ok(false),
                // Between the renaming and the new file.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        self.passed_over += usize::from(!self.part.is_empty() || self.too_long);
        self.part.clear();
        self.too_long = false;
        Ok(true)
    }

    fn take(&mut self, bytes: &[u8], heard: &mut Vec<Heard>) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let ends = piece.ends_with(b"\n");
            if self.part.len() + piece.len() > LINE {
                self.too_long = true;
                self.part.clear();
            }
            if !self.too_long {
                self.part.extend_from_slice(piece);
            }
            if ends {
                match parse(&self.part) {
                    Some(one) if !self.too_long && is_read(&one.request.verb) => {}
                    Some(one) if !self.too_long => heard.push(one),
                    // Such as asking for the version, which is no object.
                    None if !self.too_long && only_reads(&self.part) => {}
                    _ => self.passed_over += 1,
                }
                self.part.clear();
                self.too_long = false;
            }
        }
    }
}

/// Whether a request changes nothing. Of a case's own controllers such are in the log as well, to see that they work.
fn is_read(verb: &str) -> bool {
    ["get", "list", "watch"].contains(&verb)
}

/// Whether a line is one of a request that changes nothing, whatever else is missing in it.
fn only_reads(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Asked {
        verb: String,
    }
    serde_json::from_slice(line).is_ok_and(|asked: Asked| is_read(&asked.verb))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    verb: String,
    #[serde(default)]
    user_agent: String,
    #[serde(default, rename = "requestURI")]
    request_uri: String,
    #[serde(default)]
    user: User,
    object_ref: ObjectRef,
    response_status: Status,
    #[serde(default)]
    request_object: Value,
    #[serde(default)]
    response_object: Value,
    request_received_timestamp: String,
}

#[derive(Deserialize, Default)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Deserialize)]
struct ObjectRef {
    resource: String,
    #[serde(default)]
    subresource: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Status {
    code: u16,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: Value,
}

impl Status {
    /// Why the answer is no success, in its own words.
    fn refusal(&self) -> Option<String> {
        if (200..300).contains(&self.code) {
            return None;
        }
        let said = [self.reason.as_str(), self.message.as_str()];
        let mut told = said
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(": ");
        let cause = self.details.pointer("/causes/0/message").and_then(Value::as_str);
        // A refusal by validation has its causes in its message.
        if let Some(cause) = cause.filter(|cause| !told.contains(cause)) {
            told = format!("{told} ({cause})");
        }
        (!told.is_empty()).then(|| clean(&told, 253))
    }
}

/// A line of the log; `None` where it is none of an answered request for an object.
fn parse(line: &[u8]) -> Option<Heard> {
    let line: Line = serde_json::from_slice(line).ok()?;
    let text = |body: &Value, pointer: &str| {
        let text = body.pointer(pointer)?.as_str()?;
        Some(clean(text, 253))
    };
    let ObjectRef {
        resource,
        subresource,
        namespace,
        name,
    } = &line.object_ref;
    let resource = if subresource.is_empty() {
        resource.clone()
    } else {
        format!("{resource}/{subresource}")
    };
    // A name that was generated is only in the answer.
    let name = match name.as_str() {
        "" => text(&line.response_object, "/metadata/name")
            // Of a refusal, the name that it would have had.
            .or_else(|| text(&line.response_status.details, "/name"))
            .unwrap_or_default(),
        name => clean(name, 253),
    };
    let binding = (resource == "pods/binding").then_some(&line.request_object);
    let eviction = (resource == "pods/eviction").then_some(&line.request_object);
    Some(Heard {
        at: line.request_received_timestamp.parse().ok()?,
        request: RequestSeen {
            agent: agent(&line.user_agent, &line.user.username),
            user: line
                .user
                .username
                .starts_with(CONTROLLER)
                .then(|| clean(&line.user.username, 63)),
            manager: manager(&line.request_uri),
            verb: clean(&line.verb, 40),
            namespace: clean(namespace, 63),
            name,
            code: line.response_status.code,
            node: binding.and_then(|body| text(body, "/target/name")),
            replicas: replicas(&line.response_object),
            cordoned: (resource == "nodes" && line.response_object.is_object())
                .then(|| line.response_object.pointer("/spec/unschedulable") == Some(&Value::Bool(true))),
            why: eviction
                .and_then(|body| text(body, "/metadata/annotations/reason"))
                .map(|why| plugin(&why)),
            refusal: line.response_status.refusal(),
            resource: clean(&resource, 80),
        },
    })
}

/// How many replicas an object has asked for since; a Scale leaves them out where there are to be none.
fn replicas(object: &Value) -> Option<i64> {
    let told = object.pointer("/spec/replicas").and_then(Value::as_i64);
    told.or_else(|| (object.get("kind")? == "Scale").then_some(0))
}

/// Who asked, from a user agent as client-go writes them (rest/config.go: `buildUserAgent`, `AddUserAgent`), the same
/// from v1.24 to v1.36: `kube-controller-manager/v1.36.3 (linux/amd64) kubernetes/0d1e2f3/replicaset-controller`.
/// Of any other, the first word.
fn agent(agent: &str, user: &str) -> String {
    let program = agent.split(['/', ' ']).next().unwrap_or_default();
    let program = match (program, user) {
        // Often the same program as the default one, so that only its certificate tells the two apart.
        (_, "system:second-scheduler") => "second-scheduler",
        ("", "") => "unknown",
        ("", user) => user,
        (program, _) => program,
    };
    let client = agent
        .split_whitespace()
        .find_map(|word| word.strip_prefix("kubernetes/")?.split_once('/'))
        // With a service account of its own, a controller gives that one's name.
        .map(|(_, client)| client.rsplit(':').next().unwrap_or(client));
    // What kubeclash does in another's name is told as such.
    let played = agent.split(' ').next().and_then(|word| word.split_once('/'));
    let played = played.is_some_and(|(_, version)| version.starts_with("kubeclash-"));
    match client {
        _ if played => format!("{}/kubeclash", clean(program, 63)),
        Some(client) if !client.is_empty() => format!("{}/{}", clean(program, 63), clean(client, 63)),
        _ => clean(program, 63),
    }
}

/// The field manager in a request's query.
fn manager(uri: &str) -> Option<String> {
    let (_, query) = uri.split_once('?')?;
    let value = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("fieldManager="))?;
    Some(clean(value, 63))
}

/// The plugin out of the descheduler's words (evictions.go: `triggered by PROFILE/PLUGIN: REASON`); others' as they are.
fn plugin(why: &str) -> String {
    let plugin = why
        .strip_prefix("triggered by ")
        .and_then(|rest| rest.split_once('/')?.1.split(':').next())
        .filter(|plugin| !plugin.is_empty());
    plugin.unwrap_or(why).to_owned()
}

/// A text without what could disturb a terminal or a reader, and not longer than `most` characters.
fn clean(text: &str, most: usize) -> String {
    let mut cleaned: String = text
        .chars()
        .take(most)
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .collect();
    if text.chars().nth(most).is_some() {
        cleaned.push('…');
    }
    cleaned
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
