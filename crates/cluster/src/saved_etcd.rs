//! An etcd on a copy of a data directory that somebody has saved, to be asked what is in it.
//!
//! The original is only read. The copy lies in a run directory and goes with it.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ports::{self, Port};
use super::process::{Invocation, Process};
use super::{ProviderError, wait};
use kubeclash_components::Binary;
use kubeclash_host::disk;
use kubeclash_host::progress::Task;
use kubeclash_host::run_dir::RunDir;

/// An etcd on a copy.
#[derive(Debug)]
pub struct SavedEtcd {
    process: Process,
    url: String,
    file_bytes: u64,
    _ports: [Port; 2],
    // Last: its directory goes when the process has.
    _run: RunDir,
}

/// Why a saved data directory can't be asked.
#[derive(Debug, thiserror::Error)]
pub enum SavedEtcdError {
    /// There is no data directory.
    #[error("\"{}\" has no data of etcd: there is no {} in it", .dir.display(), DATABASE)]
    NoData {
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// Something can't be copied.
    #[error("failed to copy \"{}\": {source}", .file.display())]
    Copy {
        /// What.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The disk is too small for a copy.
    #[error("a copy of \"{}\" takes {needed} bytes, and \"{}\" has room for {room}", .dir.display(), .to.display())]
    NoRoom {
        /// What is to be copied.
        dir: PathBuf,
        /// Where to.
        to: PathBuf,
        /// How large it is.
        needed: u64,
        /// How much room there is.
        room: u64,
    },
    /// etcd does not start on it.
    #[error(transparent)]
    Start(#[from] ProviderError),
}

impl SavedEtcdError {
    /// What to do next, where there is something to do.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NoData { .. } => Some(
                "name the directory that etcd was started with (--data-dir), or the one above it".to_owned(),
            ),
            Self::NoRoom { .. } => Some("set TMPDIR to a folder with more room".to_owned()),
            Self::Start(_) => Some(
                "data of a much older etcd needs an etcd of its time: --etcd v3.5.21, or --etcd path:./etcd"
                    .to_owned(),
            ),
            Self::Copy { .. } => None,
        }
    }
}

/// The file that makes a directory etcd's.
const DATABASE: &str = "member/snap/db";

impl SavedEtcd {
    /// Copies a data directory, and starts etcd on the copy: as a cluster of its own, on 127.0.0.1 only.
    ///
    /// # Errors
    /// When there is no data, no room for a copy, or etcd does not start on it within `patience`.
    pub async fn start(
        binary: &Binary,
        saved: &Path,
        patience: Duration,
        task: Task,
    ) -> Result<Self, SavedEtcdError> {
        let data = data_in(saved)?;
        let setup = |e: std::io::Error| ProviderError::Setup {
            what: "the run directory".to_owned(),
            why: e.to_string(),
        };
        let run = RunDir::create().map_err(setup)?;
        let copy = run.path().join("etcd");
        task.say("copying");
        let (to, from) = (copy.clone(), data.clone());
        let copied = tokio::task::spawn_blocking(move || {
            copy_data(&from, &to, &task)?;
            Ok::<_, SavedEtcdError>(task)
        });
        let task = copied.await.map_err(|e| setup(e.into()))??;
        task.say("starting etcd");
        let file = data.join(DATABASE);
        let file_bytes = fs::metadata(&file)
            .map_err(|source| SavedEtcdError::Copy { file, source })?
            .len();
        let ports: [Port; 2] = ports::claim()?;
        let [client, peer] = ports
            .each_ref()
            .map(|port| format!("http://127.0.0.1:{}", port.number));
        let args = [
            format!("--data-dir={}", copy.display()),
            "--name=kubeclash".to_owned(),
            // Its members were others, and are not there.
            "--force-new-cluster".to_owned(),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=kubeclash={peer}"),
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        let log = run.path().join("etcd.log");
        let mut process = Process::start(
            &run,
            &log,
            "etcd",
            &Invocation {
                program: &binary.program,
                args: &args,
                env: &[],
            },
            None,
        )?;
        wait::until_healthy(&mut process, &client, patience).await?;
        Ok(Self {
            process,
            url: client,
            file_bytes,
            _ports: ports,
            _run: run,
        })
    }

    /// Where it serves clients.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How large the saved database is, as a file.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Ends it; the copy goes.
    pub async fn stop(mut self) {
        self.process.kill();
        self.process.gone().await;
    }
}

/// The data directory that is meant: the one that is named, or `data` in it, as the second seed has it.
fn data_in(saved: &Path) -> Result<PathBuf, SavedEtcdError> {
    let places = [saved.to_owned(), saved.join("data")];
    let found = places.into_iter().find(|dir| dir.join(DATABASE).is_file());
    found.ok_or_else(|| SavedEtcdError::NoData {
        dir: saved.to_owned(),
    })
}

/// Copies what etcd needs: its database, snapshots and write-ahead log. Links are not followed.
fn copy_data(data: &Path, to: &Path, task: &Task) -> Result<(), SavedEtcdError> {
    let mut files = Vec::new();
    for part in ["member/snap", "member/wal"] {
        let dir = data.join(part);
        let failed = |source| SavedEtcdError::Copy {
            file: dir.clone(),
            source,
        };
        for entry in fs::read_dir(&dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let meta = entry.metadata().map_err(failed)?;
            if meta.is_file() {
                files.push((entry.path(), to.join(part).join(entry.file_name()), meta.len()));
            }
        }
        let made = fs::create_dir_all(to.join(part));
        made.map_err(failed)?;
    }
    let needed = files.iter().map(|(_, _, bytes)| bytes).sum();
    task.length(needed);
    if let Some(room) = disk::room(to).filter(|room| *room < needed) {
        return Err(SavedEtcdError::NoRoom {
            dir: data.to_owned(),
            to: to.to_owned(),
            needed,
            room,
        });
    }
    for (from, to, _) in files {
        copy_file(&from, &to, task).map_err(|source| SavedEtcdError::Copy { file: from, source })?;
    }
    Ok(())
}

/// Not with the original's rights: a copy of a file that can only be read must be writable.
fn copy_file(from: &Path, to: &Path, task: &Task) -> std::io::Result<()> {
    let mut from = fs::File::open(from)?;
    let mut to = fs::File::create(to)?;
    let mut chunk = vec![0; 1 << 20];
    loop {
        let read = from.read(&mut chunk)?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&chunk[..read])?;
        task.inc(read as u64);
    }
}

#[cfg(test)]
mod tests {
    use assert_matches::assert_matches;

    use super::*;
    use kubeclash_host::progress::Progress;

    fn saved(dir: &Path) {
        for (file, text) in [
            (DATABASE, "database"),
            ("member/wal/0-0.wal", "log"),
            ("member/snap/1.snap", "s"),
        ] {
            let file = dir.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
    }

    #[test]
    fn a_data_directory_is_found_where_it_is_named_or_below() {
        let dir = tempfile::tempdir().unwrap();
        assert_matches!(data_in(dir.path()), Err(SavedEtcdError::NoData { .. }));
        saved(&dir.path().join("data"));
        assert_eq!(data_in(dir.path()).unwrap(), dir.path().join("data"));
        assert_eq!(
            data_in(&dir.path().join("data")).unwrap(),
            dir.path().join("data")
        );
    }

    #[test]
    fn what_etcd_needs_is_copied_and_the_copy_can_be_written() {
        let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        saved(dir.path());
        let original = dir.path().join(DATABASE);
        let mut rights = fs::metadata(&original).unwrap().permissions();
        rights.set_readonly(true);
        fs::set_permissions(&original, rights).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("member/wal/link.wal")).unwrap();
        copy_data(dir.path(), to.path(), &Progress::hidden().task("x")).unwrap();
        let copy = to.path().join(DATABASE);
        assert_eq!(fs::read_to_string(&copy).unwrap(), "database");
        assert!(!fs::metadata(&copy).unwrap().permissions().readonly());
        assert!(to.path().join("member/wal/0-0.wal").is_file());
        assert!(!to.path().join("member/wal/link.wal").exists());
    }
}
