//! What a load test says while it runs: its log, in the words and the form of the load tool of the second seed.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use kubeclash_timeline::LoadStep;

/// The log's name in the evidence's `logs/`.
pub(super) const LOG: &str = "load.log";

/// The log of a load test: lines as klog writes them, after a header with the year, which they have not.
#[derive(Debug)]
pub(super) struct Log {
    file: Mutex<File>,
}

impl Log {
    /// Begins the log.
    pub(super) fn create(logs: &Path) -> std::io::Result<(Self, PathBuf)> {
        let path = logs.join(LOG);
        let mut file = File::create(&path)?;
        let now = jiff::Timestamp::now().strftime("%Y/%m/%d %H:%M:%S");
        writeln!(file, "Log file created at: {now}")?;
        writeln!(
            file,
            "Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg"
        )?;
        Ok((
            Self {
                file: Mutex::new(file),
            },
            path,
        ))
    }

    /// That a step has begun.
    pub(super) fn started(&self, step: LoadStep) {
        self.line('I', &format!("Step \"{step}\" started"));
    }

    /// That a step has ended.
    pub(super) fn ended(&self, step: LoadStep) {
        self.line('I', &format!("Step \"{step}\" ended"));
    }

    /// Anything else.
    pub(super) fn info(&self, text: &str) {
        self.line('I', text);
    }

    /// What is not as it should be.
    pub(super) fn warn(&self, text: &str) {
        self.line('W', text);
    }

    fn line(&self, severity: char, text: &str) {
        let now = jiff::Timestamp::now().strftime("%m%d %H:%M:%S%.6f");
        let pid = std::process::id();
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk is noticed where the run itself is written.
        let _ = writeln!(file, "{severity}{now} {pid:7} steps.rs:1] {text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_announced_as_the_load_tool_of_the_seed_does() {
        let dir = tempfile::tempdir().unwrap();
        let (log, path) = Log::create(dir.path()).unwrap();
        log.started(LoadStep::CreateObjects);
        log.warn("late");
        let text = std::fs::read_to_string(path).unwrap();
        let line = text
            .lines()
            .find(|line| line.ends_with("] Step \"Creating objects\" started"))
            .unwrap();
        assert!(line.starts_with('I') && line.as_bytes()[5] == b' ', "{line}");
        assert!(text.starts_with("Log file created at: 20"), "{text}");
        assert!(text.contains("\nW"), "{text}");
    }
}
