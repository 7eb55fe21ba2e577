//! All of a node image as one tar: the packages' root file system, and what comes on top of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tar::{EntryType, Header};

use super::content::Content;
use super::recipe;
use kubeclash_components::{ComponentName, Version, archive};

/// Where containerd keeps its content, and where that is in a node image: /var is copied for each node when it starts,
/// and what is not below it is not.
const CONTENT: (&str, &str) = (
    "var/lib/containerd/io.containerd.content.v1.content",
    "kind/content",
);

/// The units that systemd starts on a node.
pub(super) const UNITS: [&str; 2] = ["containerd.service", "kubelet.service"];

/// The units that systemd does not start: nobody logs in at a node's console, and each of them takes inotify instances,
/// of which a machine has 128 for all of its nodes.
pub(super) const MASKED: [&str; 4] = [
    "console-getty.service",
    "getty.target",
    "systemd-logind.service",
    "timers.target",
];

/// What is put on top of the packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// A text of ours.
    Text(Vec<u8>, u32),
    /// A program.
    Program(PathBuf),
    /// A link, with what it says.
    Link(String),
}

/// What is put on top of the packages, by its path without a slash in front.
pub(super) fn rootfs(
    files: &BTreeMap<ComponentName, &Path>,
    kubernetes: &Version,
    pause: &str,
) -> BTreeMap<String, Item> {
    let mut found = BTreeMap::new();
    for (path, contents) in recipe::files() {
        let mode = if path.contains("/bin/") { 0o755 } else { 0o644 };
        let contents = match std::str::from_utf8(contents) {
            Ok(text) if path == "etc/containerd/config.toml" => text.replace("$PAUSE", pause).into_bytes(),
            _ => contents.to_vec(),
        };
        found.insert(path, Item::Text(contents, mode));
    }
    let version = format!("{kubernetes}\n").into_bytes();
    found.insert("kind/version".to_owned(), Item::Text(version, 0o644));
    for unit in UNITS {
        found.insert(
            format!("etc/systemd/system/multi-user.target.wants/{unit}"),
            Item::Link(format!("../{unit}")),
        );
    }
    for unit in MASKED {
        let nothing = Item::Link("/dev/null".to_owned());
        found.insert(format!("etc/systemd/system/{unit}"), nothing);
    }
    for (name, file) in files {
        if let Some(folder) = folder(*name) {
            found.insert(
                format!("{folder}/{}", name.program()),
                Item::Program((*file).to_owned()),
            );
        }
    }
    found
}

/// Where kind and containerd look for a program; nothing for those that are in images.
fn folder(name: ComponentName) -> Option<&'static str> {
    use ComponentName as Name;
    match name {
        Name::Kubeadm | Name::Kubelet | Name::Kubectl => Some("usr/bin"),
        Name::Containerd | Name::ContainerdShim | Name::Ctr | Name::Crictl => Some("usr/local/bin"),
        Name::Ptp | Name::HostLocal | Name::Loopback => Some("opt/cni/bin"),
        _ => None,
    }
}

/// What an image is put together of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    /// The tar of the packages.
    pub(super) base: PathBuf,
    /// What comes on top.
    pub(super) files: BTreeMap<String, Item>,
    /// The control plane's images.
    pub(super) content: Content,
}

impl Parts {
    /// Writes the tar.
    ///
    /// # Errors
    /// When a part can't be read, or the tar not be written.
    pub(super) fn write(&self, out: &Path) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(out)?);
        let mut layer = Layer {
            // An engine refuses a tar that has a path twice.
            folders: copy_entries(&self.base, &mut out)?,
            tar: tar::Builder::new(out),
        };
        for (path, item) in &self.files {
            match item {
                Item::Text(text, mode) => layer.file(path, *mode, text.len() as u64, text.as_slice())?,
                Item::Program(file) => layer.copy(path, 0o755, file)?,
                Item::Link(target) => layer.link(path, target)?,
            }
        }
        let (kept, moved) = CONTENT;
        let root = &self.content.root;
        layer.link(kept, &format!("/{moved}"))?;
        layer.folder(&format!("{moved}/ingest"))?;
        let store = Path::new(kept).file_name().unwrap_or_default();
        for (path, file) in below(&root.join(store))? {
            layer.copy(&format!("{moved}/{path}"), 0o444, &file)?;
        }
        let database = "io.containerd.metadata.v1.bolt";
        for (path, file) in below(&root.join(database))? {
            layer.copy(&format!("var/lib/containerd/{database}/{path}"), 0o600, &file)?;
        }
        layer.tar.into_inner()?.flush()
    }
}

/// Copies the entries of a tar as they are, without the empty blocks that end it. Returns the folders among them.
fn copy_entries(from: &Path, to: &mut impl Write) -> io::Result<BTreeSet<PathBuf>> {
    let mut folders = BTreeSet::new();
    let mut file = File::open(from)?;
    let mut end = 0;
    let mut archive = tar::Archive::new(&file);
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        end = entry.raw_file_position() + entry.size().next_multiple_of(512);
        if entry.header().entry_type().is_dir() {
            let path = entry.path()?;
            folders.insert(path.strip_prefix(".").unwrap_or(&path).to_owned());
        }
    }
    file.seek(SeekFrom::Start(0))?;
    io::copy(&mut file.take(end), to)?;
    Ok(folders)
}

/// Every file below a folder, by its path in it.
fn below(root: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).map_err(io::Error::other)?;
                found.insert(name.display().to_string(), path);
            }
        }
    }
    Ok(found)
}

/// A tar that makes the folders of what is put into it.
struct Layer<W: Write> {
    tar: tar::Builder<W>,
    folders: BTreeSet<PathBuf>,
}

impl<W: Write> Layer<W> {
    fn header(kind: EntryType, mode: u32, size: u64) -> Header {
        let mut header = Header::new_gnu();
        archive::set(&mut header, kind, mode, size);
        header
    }

    fn folder(&mut self, path: &str) -> io::Result<()> {
        let mut folders: Vec<_> = Path::new(path).ancestors().collect();
        folders.retain(|folder| !folder.as_os_str().is_empty());
        for folder in folders.into_iter().rev() {
            if self.folders.insert(folder.to_owned()) {
                let mut header = Self::header(EntryType::Directory, 0o755, 0);
                self.tar.append_data(&mut header, folder.join(""), io::empty())?;
            }
        }
        Ok(())
    }

    fn parents(&mut self, path: &str) -> io::Result<()> {
        match path.rsplit_once('/') {
            Some((folder, _)) => self.folder(folder),
            None => Ok(()),
        }
    }

    fn file(&mut self, path: &str, mode: u32, size: u64, content: impl Read) -> io::Result<()> {
        self.parents(path)?;
        let mut header = Self::header(EntryType::Regular, mode, size);
        self.tar.append_data(&mut header, path, content)
    }

    fn copy(&mut self, path: &str, mode: u32, from: &Path) -> io::Result<()> {
        let file = File::open(from)?;
        let size = file.metadata()?.len();
        self.file(path, mode, size, file.take(size))
    }

    fn link(&mut self, path: &str, target: &str) -> io::Result<()> {
        self.parents(path)?;
        let mut header = Self::header(EntryType::Symlink, 0o777, 0);
        self.tar.append_link(&mut header, path, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_image_is_the_packages_and_then_ours() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let mut base = tar::Builder::new(File::create(at("base.tar")).unwrap());
        let mut header = Layer::<Vec<u8>>::header(EntryType::Regular, 0o755, 3);
        // A path that takes an entry of its own, as some of a distribution's do.
        let long = format!("./usr/lib/{}/x", "y".repeat(150));
        base.append_data(&mut header, &long, &b"abc"[..]).unwrap();
        let mut header = Layer::<Vec<u8>>::header(EntryType::Directory, 0o755, 0);
        base.append_data(&mut header, "./usr/", io::empty()).unwrap();
        base.finish().unwrap();
        drop(base);
        let store = at("root/io.containerd.content.v1.content/blobs/sha256");
        std::fs::create_dir_all(&store).unwrap();
        std::fs::write(store.join("0123"), "blob").unwrap();
        let database = at("root/io.containerd.metadata.v1.bolt");
        std::fs::create_dir_all(&database).unwrap();
        std::fs::write(database.join("meta.db"), "db").unwrap();
        std::fs::write(at("program"), "ELF").unwrap();
        let program = at("program");
        let files: BTreeMap<_, _> = ComponentName::NODE_IMAGE
            .into_iter()
            .map(|name| (name, program.as_path()))
            .collect();
        let parts = Parts {
            base: at("base.tar"),
            files: rootfs(&files, &"v1.36.3".parse().unwrap(), "3.10.2"),
            content: Content { root: at("root") },
        };
        parts.write(&at("all.tar")).unwrap();
        parts.write(&at("again.tar")).unwrap();
        let tar = std::fs::read(at("all.tar")).unwrap();
        assert!(
            tar == std::fs::read(at("again.tar")).unwrap(),
            "it depends on more than its parts"
        );
        let mut archive = tar::Archive::new(tar.as_slice());
        let mut found = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let path = path.trim_start_matches("./").to_owned();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let link = entry.link_name().unwrap().map(|link| link.display().to_string());
            let mode = entry.header().mode().unwrap();
            let before = found.insert(path.clone(), (mode, link, text));
            assert_eq!(before, None, "{path} is there twice");
        }
        let file = |path: &str| {
            let (mode, _, text) = found
                .get(path)
                .unwrap_or_else(|| panic!("no {path} in {:?}", found.keys()));
            (*mode, text.as_str())
        };
        assert_eq!(file(long.trim_start_matches("./")), (0o755, "abc"));
        assert_eq!(file("kind/version"), (0o644, "v1.36.3\n"));
        assert_eq!(file("usr/local/bin/entrypoint").0, 0o755);
        assert_eq!(file("usr/bin/kubelet"), (0o755, "ELF"));
        assert_eq!(file("opt/cni/bin/ptp"), (0o755, "ELF"));
        assert_eq!(file("kind/content/blobs/sha256/0123").1, "blob");
        assert_eq!(
            file("var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db").1,
            "db"
        );
        assert!(file("etc/containerd/config.toml").1.contains("pause:3.10.2\""));
        assert!(
            !found.contains_key("usr/local/bin/kube-apiserver"),
            "it is in an image"
        );
        let link = |path: &str| found[path].1.as_deref();
        assert_eq!(link(CONTENT.0), Some("/kind/content"));
        let wanted = "etc/systemd/system/multi-user.target.wants/kubelet.service";
        assert_eq!(link(wanted), Some("../kubelet.service"));
        assert_eq!(link("etc/systemd/system/getty.target"), Some("/dev/null"));
        assert!(found.contains_key("kind/content/ingest/"));
    }
}
