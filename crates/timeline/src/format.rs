//! The file of a timeline: JSON lines, a header first, streamed while it happens.
//!
//! ```text
//! {"kubeclash_timeline":2,"case":"c7_taint_recreate_loop","arm":"broken",…}
//! {"t_ms":0.412,"node":{"change":"seen","name":"kind-worker","ready":true,…}}
//! {"t_ms":31.9,"step":"apply 10-web.yaml"}
//! {"t_ms":44.1,"pod":{"change":"seen","uid":"…","phase":"Pending",…}}
//! {"t_ms":6120.7,"end":"complete"}
//! ```
//!
//! Lines stand as they came. A request is known only when the API server has written it down, so its line may stand
//! after some of a later time.
//!
//! A file without its `end` line belongs to a run that was killed; what is there can be read all the same.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Entry, Header, Timeline, What, format_one};

/// The version of the format that is written. Files of format 1 are read as well.
pub const FORMAT: u64 = 2;

/// The oldest version that is read.
const OLDEST: u64 = 1;

/// What can be wrong with a timeline file.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// It can't be read or written.
    #[error("failed to {doing} \"{}\": {error}", .path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// Its first line is no header.
    #[error("\"{}\" is not a timeline: line 1 has no header (\"kubeclash_timeline\")", .path.display())]
    NoHeader {
        /// The file.
        path: PathBuf,
    },
    /// It is of another version.
    #[error("\"{}\" is a timeline of format {found}, and this kubeclash reads formats {OLDEST} to {FORMAT}: replay it with the kubeclash that wrote it", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// A line in the middle is not an entry.
    #[error("\"{}\" line {line} is not an entry of a timeline: {why}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Why not.
        why: String,
    },
}

#[derive(Serialize, Deserialize)]
struct HeaderLine<H> {
    kubeclash_timeline: u64,
    #[serde(flatten)]
    header: H,
}

/// Writes a timeline while it happens: every entry is in the file when [`Sink::write`] returns.
#[derive(Debug)]
pub struct Sink {
    path: PathBuf,
    file: File,
}

impl Sink {
    /// Creates the file and writes the header.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn create(path: &Path, header: &Header) -> Result<Self, FormatError> {
        let io = |error| FormatError::Io {
            doing: "create",
            path: path.to_owned(),
            error,
        };
        let file = File::create(path).map_err(io)?;
        let mut sink = Self {
            path: path.to_owned(),
            file,
        };
        sink.line(&HeaderLine {
            kubeclash_timeline: FORMAT,
            header,
        })?;
        Ok(sink)
    }

    /// Writes one entry.
    ///
    /// # Errors
    /// When the file can't be written, e.g. because the disk is full.
    pub fn write(&mut self, entry: &Entry) -> Result<(), FormatError> {
        self.line(entry)
    }

    fn line(&mut self, line: &impl Serialize) -> Result<(), FormatError> {
        let mut text = serde_json::to_vec(line).expect("a timeline's types are plain data");
        text.push(b'\n');
        // One write a line: whoever reads a killed run finds at most its last line cut.
        self.file.write_all(&text).map_err(|error| FormatError::Io {
            doing: "write",
            path: self.path.clone(),
            error,
        })
    }
}

/// An entry of a file of some version.
fn entry(line: &[u8], version: u64) -> serde_json::Result<Entry> {
    if version >= FORMAT {
        return serde_json::from_slice(line);
    }
    let mut entry: serde_json::Value = serde_json::from_slice(line)?;
    format_one::upgrade(&mut entry);
    serde_json::from_value(entry)
}

/// A timeline as it was found in a file.
#[derive(Debug)]
pub struct Recorded {
    /// What is there.
    pub timeline: Timeline,
    /// What is missing, in words; `None` for a complete file.
    pub cut: Option<String>,
}

/// Reads a timeline file.
///
/// A file that ends early, even in the middle of a line, is read up to there, and `cut` says so.
///
/// # Errors
/// When it is no timeline, of another version, or has a line in the middle that is none.
pub fn read(path: &Path) -> Result<Recorded, FormatError> {
    let io = |error| FormatError::Io {
        doing: "read",
        path: path.to_owned(),
        error,
    };
    let mut file = BufReader::new(File::open(path).map_err(io)?);
    let mut line = Vec::new();
    file.read_until(b'\n', &mut line).map_err(io)?;
    let no_header = || FormatError::NoHeader {
        path: path.to_owned(),
    };
    let head: serde_json::Value = serde_json::from_slice(&line).map_err(|_| no_header())?;
    let found = head["kubeclash_timeline"].as_u64().ok_or_else(no_header)?;
    if !(OLDEST..=FORMAT).contains(&found) {
        return Err(FormatError::Version {
            path: path.to_owned(),
            found,
        });
    }
    let head: HeaderLine<Header> = serde_json::from_value(head).map_err(|e| FormatError::Line {
        path: path.to_owned(),
        line: 1,
        why: e.to_string(),
    })?;
    let mut timeline = Timeline::new(head.header);
    timeline.format = found;
    let mut half_a_line = false;
    for number in 2.. {
        line.clear();
        if file.read_until(b'\n', &mut line).map_err(io)? == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match entry(&line, found) {
            Ok(entry) => timeline.insert(entry),
            // Every line is written with its newline at once: one that has none is the last, and cut.
            Err(_) if !line.ends_with(b"\n") => half_a_line = true,
            Err(e) => {
                return Err(FormatError::Line {
                    path: path.to_owned(),
                    line: number,
                    why: e.to_string(),
                });
            }
        }
    }
    let cut = match timeline.entries.last().map(|e| &e.what) {
        _ if half_a_line => Some("its last line is cut off".to_owned()),
        Some(What::End(_)) => None,
        _ => Some("it has no end line: the run was killed, or the file was cut".to_owned()),
    };
    Ok(Recorded { timeline, cut })
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
