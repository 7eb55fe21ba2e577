//! `--expect` and `--update-expect`: the file of expectations, read before anything else and written after.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::cases::Library;
use crate::evidence::Outcome;
use crate::exit;
use crate::expectation::update::update;
use crate::expectation::{Expectations, Versions};
use kubeclash_host::disk;

/// What is expected, where it is not the usual.
#[derive(Debug, Clone, Default, Args)]
pub struct ExpectFlags {
    /// A file of what arms are expected to end with: a list of case, arm, verdict, reason, and releases for which that
    /// holds. What it doesn't say is the usual: broken reproduces, control doesn't
    #[arg(long, value_name = "FILE", env = crate::session::EXPECT)]
    pub expect: Option<PathBuf>,
    /// Write what was seen into that file, which need not exist; reasons are yours to write
    #[arg(long, requires = "expect")]
    pub update_expect: bool,
}

impl ExpectFlags {
    /// The expectations of the file; none without one.
    ///
    /// # Errors
    /// All mistakes of the file together.
    pub fn read(&self, library: &Library) -> Result<Expectations, String> {
        let Some(path) = &self.expect else {
            return Ok(Expectations::default());
        };
        let text = self.text(path)?;
        Expectations::parse(&path.display().to_string(), &text, library).map_err(|e| e.to_string())
    }

    /// The file's text. One that is to be written may be missing.
    fn text(&self, path: &Path) -> Result<String, String> {
        match fs::read_to_string(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.update_expect => Ok(String::new()),
            read => read.map_err(|e| format!("--expect: \"{}\" can't be read: {e}", path.display())),
        }
    }

    /// Brings the file up to what was seen, and says what has changed. It is read again, as a run takes a while.
    ///
    /// # Errors
    /// When it can't be read or written, or changed by itself; it is as it was then.
    pub fn update(
        &self,
        library: &Library,
        versions: &Versions,
        outcomes: &[Outcome],
    ) -> Result<Vec<String>, Failure> {
        let Some(path) = &self.expect else {
            return Ok(Vec::new());
        };
        let usage = |why| Failure::new(exit::USAGE, why);
        let text = self.text(path).map_err(usage)?;
        let updated =
            update(&path.display().to_string(), &text, library, versions, outcomes).map_err(usage)?;
        if !updated.changes.is_empty() {
            replace(path, &updated.text).map_err(|e| {
                Failure::new(
                    exit::ERROR,
                    format!("\"{}\" can't be written: {e}", path.display()),
                )
            })?;
        }
        Ok(updated.changes)
    }
}

/// Writes a file as a whole, or not at all; one that is there keeps its permissions, and a link to it stays a link.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let (path, mut file) = disk::beside(path)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    if let Ok(there) = fs::metadata(&path) {
        file.as_file().set_permissions(there.permissions())?;
    }
    file.persist(&path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::report::tests::outcome;
    use kubeclash_timeline::Verdict;

    fn cured() -> Outcome {
        let mut outcome = outcome();
        outcome.verdict = Verdict::Absent;
        outcome
    }

    fn flags(path: &Path) -> ExpectFlags {
        ExpectFlags {
            expect: Some(path.to_owned()),
            update_expect: true,
        }
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_with_its_permissions_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "# ours\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let changes = flags(&link)
            .update(&Library::builtin(), &Versions::new(), &[cured()])
            .unwrap();
        assert_eq!(changes.len(), 1);
        assert!(
            fs::read_to_string(&file)
                .unwrap()
                .starts_with("# ours\n- case: c5_")
        );
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_new_file_can_be_read_by_others_and_a_mistake_is_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("expect.yaml");
        assert!(flags(&file).read(&Library::builtin()).is_ok());
        flags(&file)
            .update(&Library::builtin(), &Versions::new(), &[cured()])
            .unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o600, 0o600);
        assert!(flags(&file).read(&Library::builtin()).is_ok());
        fs::write(&file, "- case: c9\n").unwrap();
        let failure = flags(&file)
            .update(&Library::builtin(), &Versions::new(), &[cured()])
            .unwrap_err();
        assert_eq!(failure.code, exit::USAGE);
        assert_eq!(fs::read_to_string(&file).unwrap(), "- case: c9\n");
        let missing = ExpectFlags {
            update_expect: false,
            ..flags(&dir.path().join("none"))
        };
        assert!(
            missing
                .read(&Library::builtin())
                .unwrap_err()
                .contains("can't be read")
        );
    }
}
