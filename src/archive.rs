//! Images of one static program each, as a docker-archive: what `docker load`, `ctr images import` and
//! `kind load image-archive` take.
//!
//! Nothing in it depends on when or by whom it is written, so that the same programs make the same images.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use tar::{EntryType, Header};

use crate::component::{Platform, Sha256};

/// Where a container looks for a program that is named without a path, as kubeadm names those of a control plane.
const PATH: &str = "PATH=/usr/local/bin:/usr/bin:/bin";

/// An image of one program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    /// What it is called: `registry.k8s.io/pause:3.10.2`.
    pub(crate) reference: String,
    /// The program on this machine; static, as there is nothing beside it.
    pub(crate) program: PathBuf,
    /// Where it is in the image, absolute; also the image's entrypoint.
    pub(crate) path: String,
}

impl Image {
    /// With the program below `/usr/local/bin`.
    pub(crate) fn new(reference: impl Into<String>, name: &str, program: &Path) -> Self {
        Self {
            reference: reference.into(),
            program: program.to_owned(),
            path: format!("/usr/local/bin/{name}"),
        }
    }

    /// Its only layer, to be read: a tar of the program and of the folders that lead to it.
    fn layer(&self) -> io::Result<(u64, impl Read)> {
        let file = File::open(&self.program)?;
        let size = file.metadata()?.len();
        let path = Path::new(self.path.trim_start_matches('/'));
        let mut folders: Vec<_> = path.ancestors().skip(1).collect();
        folders.retain(|folder| !folder.as_os_str().is_empty());
        let mut head = Vec::new();
        for folder in folders.into_iter().rev() {
            let header = header(&folder.join(""), EntryType::Directory, 0o755, 0)?;
            head.extend_from_slice(header.as_bytes());
        }
        head.extend_from_slice(header(path, EntryType::Regular, 0o755, size)?.as_bytes());
        // Up to the end of the program's last block, and the two empty ones that end a tar.
        let tail = (BLOCK - size % BLOCK) % BLOCK + 2 * BLOCK;
        let length = head.len() as u64 + size + tail;
        let layer = io::Cursor::new(head).chain(file.take(size));
        Ok((length, layer.chain(io::repeat(0).take(tail))))
    }
}

const BLOCK: u64 = 512;

/// Makes an entry root's, and of no time.
pub(crate) fn set(header: &mut Header, kind: EntryType, mode: u32, size: u64) {
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
pub(crate) fn write(out: impl Write, images: &[Image], platform: &Platform) -> io::Result<()> {
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
        let config = json!({
            "architecture": platform.arch,
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {"Entrypoint": [image.path], "Env": [PATH]},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "kubeclash"}],
        })
        .to_string();
        let mut id = Sha256::default();
        id.update(config.as_bytes());
        let (layer_file, config_file) = (format!("{digest}/layer.tar"), format!("{}.json", id.finish()));
        let (size_again, mut layer) = image.layer()?;
        if size_again != size {
            let changed = format!("\"{}\" was changed while it was read", image.program.display());
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
