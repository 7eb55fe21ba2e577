//! Images, as a docker-archive: what `docker load`, `ctr images import` and `kind load image-archive` take.
//!
//! Nothing in it depends on when or by whom it is written, so that the same programs make the same images.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use tar::{EntryType, Header};

use crate::{Platform, Sha256};

/// Where a container looks for a program that is named without a path, as kubeadm names those of a control plane.
const PATH: &str = "PATH=/usr/local/bin:/usr/bin:/bin";

/// An image of one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// What it is called: `registry.k8s.io/pause:3.10.2`.
    pub reference: String,
    /// What is in it, by its absolute path; folders that lead there are root's, unless they are named themselves.
    pub content: BTreeMap<PathBuf, Content>,
    /// The program that it starts, absolute.
    pub entrypoint: String,
    /// More environment than `PATH`: `NAME=value`.
    pub env: Vec<String>,
    /// Who runs it, and whose is what is not root's; root if not said.
    pub user: Option<u32>,
}

/// One thing in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A program of this machine.
    Program(PathBuf),
    /// A file with this text.
    Text(String),
    /// A folder that the image's user writes to.
    Writable,
    /// One that everybody writes to, as `/tmp`.
    Scratch,
}

impl Image {
    /// Of one static program, below `/usr/local/bin`, with nothing beside it.
    pub fn new(reference: impl Into<String>, name: &str, program: &Path) -> Self {
        let path = format!("/usr/local/bin/{name}");
        Self {
            reference: reference.into(),
            content: BTreeMap::from([(PathBuf::from(&path), Content::Program(program.to_owned()))]),
            entrypoint: path,
            env: Vec::new(),
            user: None,
        }
    }

    /// Its only layer, to be read: a tar of its content and of the folders that lead to it.
    fn layer(&self) -> io::Result<(u64, Box<dyn Read>)> {
        let mut length = 0;
        let mut layer: Box<dyn Read> = Box::new(io::empty());
        let mut add = |header: Header, content: Box<dyn Read>| -> io::Result<()> {
            let size = header.size()?;
            let tail = (BLOCK - size % BLOCK) % BLOCK;
            length += BLOCK + size + tail;
            let before = std::mem::replace(&mut layer, Box::new(io::empty()));
            let head = Cursor::new(header.as_bytes().to_vec());
            layer = Box::new(
                before
                    .chain(head)
                    .chain(content.take(size))
                    .chain(io::repeat(0).take(tail)),
            );
            Ok(())
        };
        let mut there = std::collections::BTreeSet::new();
        for (path, content) in &self.content {
            let path = path.strip_prefix("/").unwrap_or(path);
            let mut above: Vec<_> = path.ancestors().skip(1).collect();
            above.retain(|folder| !folder.as_os_str().is_empty());
            for folder in above.into_iter().rev() {
                if there.insert(folder) {
                    add(
                        header(&folder.join(""), EntryType::Directory, 0o755, 0)?,
                        Box::new(io::empty()),
                    )?;
                }
            }
            there.insert(path);
            match content {
                Content::Program(file) => {
                    let file = File::open(file)?;
                    let size = file.metadata()?.len();
                    add(header(path, EntryType::Regular, 0o755, size)?, Box::new(file))?;
                }
                Content::Text(text) => {
                    let header = header(path, EntryType::Regular, 0o644, text.len() as u64)?;
                    add(header, Box::new(Cursor::new(text.clone())))?;
                }
                Content::Writable | Content::Scratch => {
                    let mut folder = header(&path.join(""), EntryType::Directory, 0o1777, 0)?;
                    if *content == Content::Writable {
                        let user = u64::from(self.user.unwrap_or_default());
                        folder.set_uid(user);
                        folder.set_gid(user);
                        folder.set_mode(0o755);
                        folder.set_cksum();
                    }
                    add(folder, Box::new(io::empty()))?;
                }
            }
        }
        // Two empty blocks end a tar.
        Ok((
            length + 2 * BLOCK,
            Box::new(layer.chain(io::repeat(0).take(2 * BLOCK))),
        ))
    }

    fn config(&self, layer: &str, platform: &Platform) -> serde_json::Value {
        let env = std::iter::once(PATH).chain(self.env.iter().map(String::as_str));
        let mut config = json!({"Entrypoint": [self.entrypoint], "Env": env.collect::<Vec<_>>()});
        if let Some(user) = self.user {
            config["User"] = format!("{user}:{user}").into();
        }
        json!({
            "architecture": platform.arch,
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer}")]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "kubeclash"}],
        })
    }
}

const BLOCK: u64 = 512;

/// Makes an entry root's, and of no time.
pub fn set(header: &mut Header, kind: EntryType, mode: u32, size: u64) {
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
}

fn header(path: &Path, kind: EntryType, mode: u32, size: u64) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(path)?;
    set(&mut header, kind, mode, size);
    header.set_cksum();
    Ok(header)
}

/// Writes an archive of some images for a platform.
///
/// # Errors
/// When a program can't be read, or `out` not be written.
pub fn write(out: impl Write, images: &[Image], platform: &Platform) -> io::Result<()> {
    let mut archive = tar::Builder::new(out);
    let mut manifest = Vec::new();
    let mut add = |name: &str, size: u64, content: &mut dyn Read| -> io::Result<()> {
        archive.append(
            &header(Path::new(name), EntryType::Regular, 0o644, size)?,
            content,
        )
    };
    for image in images {
        let (size, mut layer) = image.layer()?;
        let mut digest = Hashing::default();
        io::copy(&mut layer, &mut digest)?;
        let digest = digest.0.finish();
        let config = image.config(&digest, platform).to_string();
        let mut id = Sha256::default();
        id.update(config.as_bytes());
        let (layer_file, config_file) = (format!("{digest}/layer.tar"), format!("{}.json", id.finish()));
        let (size_again, mut layer) = image.layer()?;
        if size_again != size {
            let changed = format!("a program of {} was changed while it was read", image.reference);
            return Err(io::Error::other(changed));
        }
        add(&layer_file, size, &mut layer)?;
        add(&config_file, config.len() as u64, &mut config.as_bytes())?;
        manifest.push(json!({"Config": config_file, "RepoTags": [image.reference], "Layers": [layer_file]}));
    }
    let manifest = serde_json::Value::from(manifest).to_string();
    add("manifest.json", manifest.len() as u64, &mut manifest.as_bytes())?;
    archive.into_inner()?.flush()
}

/// A digest as something to write to.
#[derive(Default)]
struct Hashing(Sha256);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;

    fn written(images: &[Image]) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, images, &Platform::new("linux", "arm64")).unwrap();
        out
    }

    /// What is in a tar: path → kind, mode, content.
    fn unpacked(tar: &[u8]) -> BTreeMap<String, (EntryType, u32, Vec<u8>)> {
        let mut archive = tar::Archive::new(tar);
        let entry = |entry: io::Result<tar::Entry<'_, &[u8]>>| {
            let mut entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.mtime().unwrap(), header.uid().unwrap()), (0, 0));
            let (kind, mode) = (header.entry_type(), header.mode().unwrap());
            let path = entry.path().unwrap().display().to_string();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (path, (kind, mode, content))
        };
        archive.entries().unwrap().map(entry).collect()
    }

    fn sha256(bytes: &[u8]) -> String {
        let mut digest = Sha256::default();
        digest.update(bytes);
        digest.finish()
    }

    #[test]
    fn an_archive_names_configurations_and_layers_by_what_is_in_them() {
        let dir = tempfile::tempdir().unwrap();
        // One that fills its blocks, and one that does not.
        let programs = [("pause", vec![7_u8; 1024]), ("burn", b"burn".to_vec())];
        let images: Vec<_> = programs
            .iter()
            .map(|(name, content)| {
                let file = dir.path().join(format!("{name}.out"));
                std::fs::write(&file, content).unwrap();
                Image::new(format!("registry.k8s.io/{name}:1"), name, &file)
            })
            .collect();
        let tar = written(&images);
        assert_eq!(tar, written(&images), "it depends on more than its images");
        let files = unpacked(&tar);
        let manifest: Value = serde_json::from_slice(&files["manifest.json"].2).unwrap();
        assert_eq!(files.len(), 5);
        for (at, (name, content)) in programs.iter().enumerate() {
            let entry = &manifest[at];
            assert_eq!(entry["RepoTags"][0], format!("registry.k8s.io/{name}:1"));
            let file = entry["Config"].as_str().unwrap();
            let config = &files[file].2;
            assert_eq!(file, format!("{}.json", sha256(config)));
            let config: Value = serde_json::from_slice(config).unwrap();
            assert_eq!(config["architecture"], "arm64");
            assert_eq!(
                config["config"]["Entrypoint"],
                json!([format!("/usr/local/bin/{name}")])
            );
            let layer = &files[entry["Layers"][0].as_str().unwrap()].2;
            assert_eq!(
                config["rootfs"]["diff_ids"][0],
                format!("sha256:{}", sha256(layer))
            );
            let layer = unpacked(layer);
            assert_eq!(
                layer.keys().collect::<Vec<_>>(),
                [
                    "usr/",
                    "usr/local/",
                    "usr/local/bin/",
                    &format!("usr/local/bin/{name}")
                ]
            );
            let program = &layer[&format!("usr/local/bin/{name}")];
            assert_eq!(program, &(EntryType::Regular, 0o755, content.clone()));
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let image = Image::new("a:1", "a", Path::new("/there/is/no/program"));
        let error = write(io::sink(), &[image], &Platform::new("linux", "amd64")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
