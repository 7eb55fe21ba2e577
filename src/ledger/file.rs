//! The file of a ledger: read whole, appended to a line at a time.
//!
//! Lines are never rewritten. An appender holds the file's lock, writes whole lines at once and waits for the disk,
//! so that whoever is killed leaves at most one cut line, which the next appender puts aside in `<ledger>.cut`.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::entry::{Entry, Id};

/// What a file was found to have.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledger {
    /// The runs, in the order of the lines; what stands there twice, once.
    pub entries: Vec<Entry>,
    /// What a reader should know of the file itself: lines that came twice, one that was cut off.
    pub notes: Vec<String>,
}

/// Why a ledger can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The system refuses.
    #[error("failed to {doing} \"{}\": {source}", .path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A line is no run.
    #[error("{}:{line}: {why}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        why: String,
        /// What to do about it.
        help: Option<String>,
    },
}

impl LedgerError {
    /// What to do next, where there is something to do.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Io { .. } => None,
            Self::Line { help, .. } => help.clone(),
        }
    }
}

impl Ledger {
    /// Reads a file.
    ///
    /// # Errors
    /// When it can't be read, or a line other than a cut last one is no run.
    pub fn read(path: &Path) -> Result<Self, LedgerError> {
        let bytes = std::fs::read(path).map_err(|source| LedgerError::Io {
            doing: "read",
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, &bytes)
    }

    /// As [`read`](Self::read); a file that is not there has no runs.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_if_there(path: &Path) -> Result<Self, LedgerError> {
        match Self::read(path) {
            Err(LedgerError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            read => read,
        }
    }

    /// Reads what a file has, which errors call `path`.
    ///
    /// # Errors
    /// When a line other than a cut last one is no run.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, LedgerError> {
        let mut ledger = Self::default();
        let mut seen: BTreeMap<Id, (usize, Entry)> = BTreeMap::new();
        let (whole, cut) = split(bytes);
        for (number, line) in whole.split(|byte| *byte == b'\n').enumerate() {
            let number = number + 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            let entry = entry(path, number, line)?;
            match seen.get(&entry.id) {
                Some((first, known)) if *known == entry => {
                    ledger.notes.push(format!(
                        "line {number} says again what line {first} says (run {})",
                        entry.id
                    ));
                }
                Some((first, _)) => {
                    ledger.notes.push(format!(
                        "line {number} and line {first} are both run {}, and differ: one was edited; both are kept",
                        entry.id
                    ));
                    ledger.entries.push(entry);
                }
                None => {
                    seen.insert(entry.id.clone(), (number, entry.clone()));
                    ledger.entries.push(entry);
                }
            }
        }
        if !cut.is_empty() {
            let number = whole.iter().filter(|byte| **byte == b'\n').count() + 1;
            ledger.notes.push(format!(
                "line {number}, the last one, was cut off after {} bytes: it is passed over, and put aside by whoever appends next",
                cut.len()
            ));
        }
        Ok(ledger)
    }
}

/// What is whole, and what was cut off at the end. A last line without its newline is whole where it is a run.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let last = &bytes[end..];
    if last.trim_ascii().is_empty() || serde_json::from_slice::<Entry>(last).is_ok() {
        (bytes, &[])
    } else {
        bytes.split_at(end)
    }
}

fn entry(path: &Path, line: usize, bytes: &[u8]) -> Result<Entry, LedgerError> {
    let wrong = |why: String, help: Option<&str>| LedgerError::Line {
        path: path.to_owned(),
        line,
        why,
        help: help.map(str::to_owned),
    };
    if [&b"<<<<<<<"[..], b"=======", b">>>>>>>"]
        .iter()
        .any(|mark| bytes.starts_with(mark))
    {
        return Err(wrong(
            "a merge was left unfinished".to_owned(),
            Some(
                "keep the lines of both sides; \"*.jsonl merge=union\" in .gitattributes makes git do so by itself",
            ),
        ));
    }
    let entry: Entry = serde_json::from_slice(bytes).map_err(|error| {
        let text = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let why = text.strip_suffix(&place).unwrap_or(&text);
        wrong(
            format!("no run: {why} (column {})", error.column()),
            Some("a line is one JSON object with at least \"build\""),
        )
    })?;
    if let Some((name, _)) = entry.figures.iter().find(|(_, value)| !value.is_finite()) {
        return Err(wrong(format!("no run: \"{name}\" is no number"), None));
    }
    Ok(if entry.id.is_none() { entry.named() } else { entry })
}

/// Appends the runs that are not there yet, and gives how many these were, with what is to be said of the file.
///
/// # Errors
/// When the file can't be read or written, or has a line that is no run: nothing is added to a file that is not
/// understood.
pub fn append(path: &Path, entries: &[Entry]) -> Result<(usize, Vec<String>), LedgerError> {
    let io = |doing| {
        move |source| LedgerError::Io {
            doing,
            path: path.to_owned(),
            source,
        }
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(io("make the folder of"))?;
    }
    let is_new = !path.exists();
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .open(path)
        .map_err(io("open"))?;
    // Let go of by the kernel when this process is no more, however it ends.
    file.lock().map_err(io("lock"))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(io("read"))?;
    let mut there = Ledger::parse(path, &bytes)?;
    let (whole, cut) = split(&bytes);
    if !cut.is_empty() {
        put_aside(path, &mut file, whole.len(), cut)?;
    }
    let mut text = String::new();
    if !whole.is_empty() && !whole.ends_with(b"\n") {
        text.push('\n');
    }
    let mut added = 0;
    for entry in entries {
        if there.entries.iter().all(|known| known.id != entry.id) {
            text.push_str(&entry.line());
            there.entries.push(entry.clone());
            added += 1;
        }
    }
    if added > 0 {
        file.write_all(text.as_bytes()).map_err(io("write"))?;
        file.sync_all().map_err(io("write"))?;
    }
    if is_new {
        sync_folder(path).map_err(io("keep"))?;
    }
    Ok((added, there.notes))
}

/// Moves a cut line out of the way: it is beside the ledger before it is out of it.
fn put_aside(path: &Path, file: &mut File, whole: usize, cut: &[u8]) -> Result<(), LedgerError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".cut");
    let aside = path.with_file_name(name);
    let io = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| LedgerError::Io { doing, path, source }
    };
    let mut beside = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&aside)
        .map_err(io("open", &aside))?;
    beside
        .write_all(&[cut, b"\n"].concat())
        .and_then(|()| beside.sync_all())
        .map_err(io("write", &aside))?;
    file.set_len(whole as u64).map_err(io("cut", path))?;
    file.seek(SeekFrom::End(0)).map_err(io("cut", path))?;
    Ok(())
}

/// A new file is there after a power cut only when its folder knows it.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(build: &str) -> Entry {
        Entry {
            build: build.to_owned(),
            ..Entry::default()
        }
        .named()
    }

    fn builds(ledger: &Ledger) -> Vec<&str> {
        ledger.entries.iter().map(|entry| entry.build.as_str()).collect()
    }

    fn ledger() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/ledger.jsonl");
        (dir, path)
    }

    #[test]
    fn what_is_there_is_not_appended_again() {
        let (_dir, path) = ledger();
        assert_eq!(append(&path, &[entry("a"), entry("b"), entry("a")]).unwrap().0, 2);
        assert_eq!(append(&path, &[entry("b"), entry("c")]).unwrap().0, 1);
        let read = Ledger::read(&path).unwrap();
        assert_eq!(builds(&read), ["a", "b", "c"]);
        assert_eq!(read.notes, Vec::<String>::new());
    }

    #[test]
    fn a_cut_last_line_is_told_and_put_aside() {
        let (_dir, path) = ledger();
        append(&path, &[entry("a"), entry("b")]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        for end in text.find('\n').unwrap() + 2..text.len() - 1 {
            std::fs::write(&path, &text[..end]).unwrap();
            let read = Ledger::read(&path).unwrap();
            assert_eq!((builds(&read), read.notes.len()), (vec!["a"], 1), "{end}");
            assert_eq!(append(&path, &[entry("c")]).unwrap().0, 1);
            assert_eq!(builds(&Ledger::read(&path).unwrap()), ["a", "c"]);
            let aside = path.with_file_name("ledger.jsonl.cut");
            let kept = std::fs::read_to_string(&aside).unwrap();
            assert_eq!(kept.trim_end(), &text[text.find('\n').unwrap() + 1..end]);
            std::fs::remove_file(aside).unwrap();
        }
    }

    #[test]
    fn a_last_line_that_lacks_only_its_newline_is_whole() {
        let (_dir, path) = ledger();
        append(&path, &[entry("a")]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.trim_end()).unwrap();
        assert_eq!(append(&path, &[entry("b")]).unwrap(), (1, Vec::new()));
        assert_eq!(builds(&Ledger::read(&path).unwrap()), ["a", "b"]);
    }

    #[test]
    fn appends_at_the_same_time_lose_nothing() {
        let (_dir, path) = ledger();
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    for run in 0..20 {
                        append(path, &[entry(&format!("{writer}/{run}"))]).unwrap();
                    }
                });
            }
        });
        assert_eq!(Ledger::read(&path).unwrap().entries.len(), 160);
    }

    #[test]
    fn two_branches_that_appended_merge_by_union() {
        let union = [entry("a").line(), entry("b").line(), entry("a").line()].concat();
        let read = Ledger::parse(Path::new("x.jsonl"), union.as_bytes()).unwrap();
        assert_eq!(builds(&read), ["a", "b"]);
        assert_eq!(read.notes.len(), 1, "{:?}", read.notes);
        let edited = Entry {
            runner: Some("Jun".to_owned()),
            ..entry("a")
        };
        let read = Ledger::parse(Path::new("x.jsonl"), (union + &edited.line()).as_bytes()).unwrap();
        assert_eq!(read.entries.len(), 3);
        assert!(read.notes[1].contains("line 4 and line 1"), "{:?}", read.notes);
    }

    #[test]
    fn what_is_no_run_is_refused_with_its_place_and_left_alone() {
        for (text, told) in [
            (
                "{\"build\":\"a\"}\n{\"build\":7}\n",
                "x.jsonl:2: no run: invalid type",
            ),
            (
                "{\"build\":\"a\"}\n\n{}\n",
                "x.jsonl:3: no run: missing field `build`",
            ),
            (
                "{\"build\":\"a\",\"verdict\":\"blue\"}\n",
                "x.jsonl:1: no run: unknown variant `blue`",
            ),
            (
                "{\"build\":\"a\",\"reached\":\"Creating chaos\"}\n",
                "no step of the load test is called",
            ),
            (
                "{\"build\":\"a\"}\n<<<<<<< ours\n",
                "x.jsonl:2: a merge was left unfinished",
            ),
            ("\u{0}\u{1}\n", "x.jsonl:1: no run"),
        ] {
            let error = Ledger::parse(Path::new("x.jsonl"), text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
            let (_dir, path) = ledger();
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            append(&path, &[entry("b")]).unwrap_err();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
