//! Which files are looked at: those that were named, and those below folders that may be logs.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::tally::path_text;

/// Ends of names that no log has; what is named by itself is read all the same.
const NO_LOGS: [&str; 26] = [
    "json",
    "jsonl",
    "yaml",
    "yml",
    "html",
    "js",
    "css",
    "md",
    "xml",
    "csv",
    "svg",
    "png",
    "pb",
    "prof",
    "pprof",
    "db",
    "wal",
    "snap",
    "kubeconfig",
    "crt",
    "key",
    "pem",
    "pub",
    "go",
    "sh",
    "so",
];

/// Something to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Standard input.
    Standard,
    /// A file. One that was named by itself, and not found below a folder, may be anything that can be read.
    File {
        /// Where it is.
        path: PathBuf,
        /// The folder that was named, for a file below one.
        below: Option<PathBuf>,
        /// Its size on the disk, where that is known.
        size: u64,
    },
}

/// Something that is not read, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PassedOver {
    /// Where it is.
    #[serde(serialize_with = "path_text")]
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

/// What was found at the paths that were named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// What is read, in order.
    pub read: Vec<Input>,
    /// What is no log by its name or kind.
    pub passed_over: Vec<PassedOver>,
    /// What can't be read.
    pub unread: Vec<PassedOver>,
}

impl Inputs {
    /// Looks for logs at paths: a file, a folder with all that is below it, or `-` for standard input.
    ///
    /// A file that several names lead to is read once. Folders behind symbolic links are left out, as they may lead in
    /// a circle.
    #[must_use]
    pub fn at(paths: &[PathBuf]) -> Self {
        let mut inputs = Self::default();
        let mut seen = BTreeSet::new();
        for path in paths {
            if path.as_os_str() == "-" {
                if !inputs.read.contains(&Input::Standard) {
                    inputs.read.push(Input::Standard);
                }
                continue;
            }
            match fs::metadata(path) {
                Ok(is) if is.is_dir() => inputs.below(path, path, &mut seen),
                Ok(is) => inputs.file(path, None, &is, &mut seen),
                Err(e) => inputs.unread(path, &e),
            }
        }
        inputs
    }

    /// The bytes on the disk.
    #[must_use]
    pub fn size(&self) -> u64 {
        let sizes = self.read.iter().map(|input| match input {
            Input::Standard => 0,
            Input::File { size, .. } => *size,
        });
        sizes.sum()
    }

    fn unread(&mut self, path: &Path, e: &io::Error) {
        self.unread.push(PassedOver {
            path: path.to_owned(),
            why: e.to_string(),
        });
    }

    fn file(&mut self, path: &Path, below: Option<&Path>, is: &Metadata, seen: &mut BTreeSet<(u64, u64)>) {
        // Two pipes may be alike; files are not.
        if is.is_file() && !seen.insert((is.dev(), is.ino())) {
            return;
        }
        self.read.push(Input::File {
            path: path.to_owned(),
            below: below.map(Path::to_owned),
            size: if is.is_file() { is.len() } else { 0 },
        });
    }

    fn below(&mut self, root: &Path, dir: &Path, seen: &mut BTreeSet<(u64, u64)>) {
        let mut entries = match fs::read_dir(dir) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect::<Vec<_>>(),
            Err(e) => return self.unread(dir, &e),
        };
        entries.sort();
        for path in entries {
            let is = match fs::symlink_metadata(&path) {
                Ok(is) if is.is_dir() => {
                    self.below(root, &path, seen);
                    continue;
                }
                // The logs of containers are links to files.
                Ok(is) if is.is_symlink() => fs::metadata(&path),
                is => is,
            };
            let why = match is {
                Err(e) => {
                    self.unread(&path, &e);
                    continue;
                }
                Ok(is) if is.is_dir() => "a link to a folder",
                Ok(is) if !is.is_file() => "not a file",
                Ok(is) => match no_log(&path) {
                    Some(why) => why,
                    None => {
                        self.file(&path, Some(root), &is, seen);
                        continue;
                    }
                },
            };
            self.passed_over.push(PassedOver {
                path,
                why: why.to_owned(),
            });
        }
    }
}

/// Why a file is no log, by its name.
fn no_log(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let name = [".gz", ".zst", ".zstd"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(&name);
    if name.contains(".log") {
        return None;
    }
    let end = name.rsplit_once('.')?.1;
    (NO_LOGS.contains(&end) || (end == "out" && name.contains("prof"))).then_some("not a log, by its name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn files_below_a_folder_are_found_once_and_circles_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("logs/deep")).unwrap();
        for name in [
            "logs/etcd.log",
            "logs/deep/kubelet.log.1",
            "logs/verdict.json",
            "logs/kubelet.log-20200930.gz",
        ] {
            fs::write(at(name), "a\n").unwrap();
        }
        symlink(at("logs"), at("logs/deep/up")).unwrap();
        symlink(at("logs/etcd.log"), at("logs/link.log")).unwrap();
        symlink(at("nowhere"), at("logs/broken.log")).unwrap();
        nix::unistd::mkfifo(&at("logs/pipe.log"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let inputs = Inputs::at(&[
            at("logs"),
            at("logs/etcd.log"),
            "-".into(),
            "-".into(),
            at("missing"),
        ]);
        let names: Vec<String> = inputs
            .read
            .iter()
            .map(|input| match input {
                Input::Standard => "-".to_owned(),
                Input::File { path, .. } => path.strip_prefix(at("logs")).unwrap().display().to_string(),
            })
            .collect();
        assert_eq!(
            names,
            ["deep/kubelet.log.1", "etcd.log", "kubelet.log-20200930.gz", "-"]
        );
        let passed: Vec<&str> = inputs
            .passed_over
            .iter()
            .map(|passed| passed.why.as_str())
            .collect();
        assert_eq!(
            passed,
            ["a link to a folder", "not a file", "not a log, by its name"]
        );
        assert_eq!(inputs.unread.len(), 2, "{:?}", inputs.unread);
        assert_eq!(inputs.size(), 6);
    }
}
