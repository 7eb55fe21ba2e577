//! The files of a case's folder: from a disk, embedded, or from a copy.
//!
//! Files stand in the folder itself. What is hidden, and folders in it (`recorded/`), are no files of the case; a link that leads
//! out of the folder is refused where a case names it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The file that says what a case is.
pub(super) const CASE_FILE: &str = "case.yaml";

/// The largest file that is read.
const LARGEST: u64 = 4 << 20;
/// How much is read of a folder, all in all.
const MOST: u64 = 64 << 20;
/// How many files a folder may have.
const MOST_FILES: usize = 4_096;
/// What the files of a case end with.
const ENDINGS: [&str; 3] = [".yaml", ".yml", ".json"];

/// The files of a folder, by name.
#[derive(Debug, Clone, Default)]
pub struct Files {
    texts: BTreeMap<String, Result<String, String>>,
    folder: Option<PathBuf>,
}

impl Files {
    /// These files.
    #[must_use]
    pub fn of(texts: BTreeMap<String, String>) -> Self {
        Self {
            texts: texts.into_iter().map(|(name, text)| (name, Ok(text))).collect(),
            folder: None,
        }
    }

    /// Those of a folder that is embedded in the program.
    #[must_use]
    pub fn embedded(folder: &include_dir::Dir<'_>) -> Self {
        let texts = folder.files().filter_map(|file| {
            let name = file.path().file_name()?.to_str()?.to_owned();
            Some((name, file.contents_utf8()?.to_owned()))
        });
        Self::of(texts.collect())
    }

    /// Those of a folder on a disk.
    ///
    /// # Errors
    /// When the folder can't be read, or has thousands of files.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let root = folder.canonicalize().map_err(|error| error.to_string())?;
        let mut files = Self {
            texts: BTreeMap::new(),
            folder: Some(folder.to_owned()),
        };
        let mut room = MOST;
        for entry in fs::read_dir(&root).map_err(|error| error.to_string())? {
            let path = entry.map_err(|error| error.to_string())?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if name.starts_with('.') || path.is_dir() {
                continue;
            }
            if files.texts.len() == MOST_FILES {
                return Err(format!("more than {MOST_FILES} files"));
            }
            files
                .texts
                .insert(name.to_owned(), text_of(&root, name, &mut room));
        }
        Ok(files)
    }

    /// The folder on the disk that they were read from.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// A file's text, or why it can't be used; `None` where there is none of that name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Result<&str, &str>> {
        let text = self.texts.get(name)?;
        Some(text.as_deref().map_err(String::as_str))
    }

    /// The names of all files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().map(String::as_str)
    }
}

fn text_of(root: &Path, name: &str, room: &mut u64) -> Result<String, String> {
    if !ENDINGS.iter().any(|ending| name.ends_with(ending)) {
        return Err(format!("a file of a case ends with {}", ENDINGS.join(", ")));
    }
    let path = root
        .join(name)
        .canonicalize()
        .map_err(|error| error.to_string())?;
    if !path.starts_with(root) {
        return Err("it leads out of the case's folder".to_owned());
    }
    let meta = fs::metadata(&path).map_err(|error| error.to_string())?;
    if !meta.is_file() {
        return Err("it is no file".to_owned());
    }
    if meta.len() > LARGEST {
        return Err(format!("it is larger than {} MiB", LARGEST >> 20));
    }
    let file = fs::File::open(&path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    // A file that grows while it is read ends all the same.
    file.take(LARGEST.min(*room) + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > *room {
        return Err(format!(
            "the files of the folder are larger than {} MiB",
            MOST >> 20
        ));
    }
    *room -= bytes.len() as u64;
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stand_in_the_folder_itself() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret.yaml"), "a: 1").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8]| fs::write(dir.path().join(name), text).unwrap();
        write("10-web.yaml", b"a: 1");
        write(".hidden.yaml", b"a: 1");
        write("latin.yaml", b"\xe4");
        write("large.yaml", &vec![b' '; LARGEST as usize + 1]);
        write("README.md", b"read");
        fs::create_dir(dir.path().join("recorded")).unwrap();
        let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, dir.path().join(name)).unwrap();
        link(&outside.path().join("secret.yaml"), "out.yaml");
        link(Path::new("10-web.yaml"), "in.yaml");
        link(Path::new("nowhere"), "dangling.yaml");
        let files = Files::read(dir.path()).unwrap();
        assert_eq!(files.text("10-web.yaml"), Some(Ok("a: 1")));
        assert_eq!(files.text("in.yaml"), Some(Ok("a: 1")));
        assert_eq!(files.text(".hidden.yaml"), None);
        assert_eq!(files.text("recorded"), None);
        let refused = |name: &str| files.text(name).unwrap().unwrap_err().to_owned();
        assert_eq!(refused("out.yaml"), "it leads out of the case's folder");
        assert_eq!(refused("latin.yaml"), "it is not UTF-8");
        assert_eq!(refused("large.yaml"), "it is larger than 4 MiB");
        assert!(refused("README.md").contains(".yaml"));
        assert!(refused("dangling.yaml").contains("No such file"));
        assert!(Files::read(&dir.path().join("none")).is_err());
    }
}
