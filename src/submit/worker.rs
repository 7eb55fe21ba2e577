//! What runs in a step's container: a command of kubeclash, then a wait until its results are fetched.
//!
//! A pod that has ended can't be asked for files any more, so it stays until whoever submitted it removes it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::Stdio;

use flate2::Compression;
use flate2::write::GzEncoder;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::packed::{self, PackedCases};
use crate::{exit, session};
use kubeclash_components::Sha256;

/// Where a step's results are, in the folder in which it works.
pub(super) const OUT: &str = "out";

/// Where a step's own cases are, in the folder in which it works.
const CASES: &str = "cases";

/// What says that it has ended.
const ENDED: &str = "ended.json";

/// How a step has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The command's exit code.
    pub code: u8,
}

/// Runs a command of this program, with the cases that the step has brought, says how it ended, and waits to be told to go. Gives
/// the command's exit code.
///
/// # Errors
/// When it can't be started, the folder not be written, or the cases not be unpacked.
pub async fn run(command: &[String]) -> io::Result<u8> {
    let interrupt = kubeclash_host::interrupt::token();
    if let Some(tmp) = std::env::var_os("TMPDIR") {
        fs::create_dir_all(tmp)?;
    }
    fs::create_dir_all(OUT)?;
    let mut program = tokio::process::Command::new(std::env::current_exe()?);
    if let Ok(cases) = std::env::var(packed::VARIABLE) {
        PackedCases::read(cases).unpack(Path::new(CASES))?;
        program
            .env_remove(packed::VARIABLE)
            .env(session::CASES, std::path::absolute(CASES)?);
    }
    let mut child = program
        .args(command)
        .args(["--out", OUT])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let status = tokio::select! {
        status = child.wait() => status?,
        () = interrupt.cancelled() => {
            // It takes its cluster down.
            if let Some(pid) = child.id() {
                let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM);
            }
            child.wait().await?
        }
    };
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    let code = code.unwrap_or_else(|| {
        eprintln!("the command was killed: {status}; had it too little memory?");
        exit::ERROR
    });
    let ended = serde_json::to_string(&Ended { code })?;
    // Whoever looks finds all of it or none.
    fs::write("ended.part", ended)?;
    fs::rename("ended.part", ENDED)?;
    interrupt.cancelled().await;
    Ok(code)
}

/// Whether the command has ended.
#[must_use]
pub fn ended() -> bool {
    Path::new(ENDED).is_file()
}

/// Writes the results, as a tar packed with gzip; and what they come to, on one line of JSON.
///
/// # Errors
/// When the command has not ended, or something can't be read or written.
pub fn fetch(out: impl Write, mut sums: impl Write) -> io::Result<()> {
    let ended: Ended = serde_json::from_reader(File::open(ENDED)?)?;
    let mut counted = Counted {
        out,
        digest: Sha256::default(),
        bytes: 0,
    };
    let mut archive = tar::Builder::new(GzEncoder::new(&mut counted, Compression::fast()));
    archive.follow_symlinks(false);
    archive.append_dir_all(OUT, OUT)?;
    archive.into_inner()?.finish()?.flush()?;
    let packed = Packed {
        code: ended.code,
        bytes: counted.bytes,
        sha256: counted.digest.finish(),
    };
    writeln!(sums, "{}", serde_json::to_string(&packed)?)
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Packed {
    /// The command's exit code.
    pub(super) code: u8,
    /// How many bytes.
    pub(super) bytes: u64,
    /// Of these bytes.
    pub(super) sha256: String,
}

struct Counted<W> {
    out: W,
    digest: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
