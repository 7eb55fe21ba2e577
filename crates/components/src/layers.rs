//! The files of an image, as its layers have them one above the other, without unpacking any.
//!
//! Nothing is ever written by a name out of an archive: a member is looked up and its content goes where we want it.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

/// What all layers together may unpack to. The largest images that hold a component are a tenth of this.
pub(super) const UNPACKED: u64 = 4 << 30;

/// How many files an image may have.
const FILES: usize = 1_000_000;

/// How many symbolic links lead to a file at most, as on Linux.
const LINKS: usize = 40;

/// Which file of which layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The layer, counted from the lowest.
    pub(super) layer: usize,
    /// The member of its archive, counted from the first.
    member: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    File(Place),
    /// A symbolic link, as written.
    Link(PathBuf),
    Folder,
}

/// All files that an image shows.
#[derive(Debug)]
pub(super) struct Layers {
    nodes: BTreeMap<PathBuf, Node>,
    count: usize,
    left: u64,
    limit: u64,
}

impl Layers {
    /// None yet; they may unpack to so many bytes.
    pub(super) fn new(limit: u64) -> Self {
        Self {
            nodes: BTreeMap::new(),
            count: 0,
            left: limit,
            limit,
        }
    }

    /// Lays one above those that are there.
    pub(super) fn add(&mut self, reader: impl Read) -> io::Result<()> {
        let layer = self.count;
        self.count += 1;
        let (mut found, mut hidden) = (Vec::new(), Vec::new());
        let reader = Limited {
            reader,
            left: &mut self.left,
            limit: self.limit,
        };
        let mut archive = tar::Archive::new(reader);
        for (member, entry) in archive.entries()?.enumerate() {
            let entry = entry?;
            let path = inside(&entry.path()?)?;
            if path.as_os_str().is_empty() {
                continue;
            }
            if found.len() + self.nodes.len() > FILES {
                return Err(io::Error::other(format!("it has more than {FILES} files")));
            }
            if let Some(removed) = whiteout(&path) {
                hidden.push(removed);
                continue;
            }
            let kind = entry.header().entry_type();
            let target = || Ok::<_, io::Error>(entry.link_name()?.unwrap_or_default().into_owned());
            if kind.is_symlink() {
                found.push((path, Node::Link(target()?)));
            } else if kind.is_hard_link() {
                // The same file under another name, which is that of a member before it or of a layer below.
                let other = inside(&target()?)?;
                let same = found
                    .iter()
                    .rev()
                    .find(|(path, _)| *path == other)
                    .map(|(_, node)| node.clone());
                found.extend(
                    same.or_else(|| self.nodes.get(&other).cloned())
                        .map(|node| (path, node)),
                );
            } else if kind.is_dir() {
                found.push((path, Node::Folder));
            } else if kind.is_file() {
                found.push((path, Node::File(Place { layer, member })));
            }
        }
        // A whiteout never hides what its own layer has.
        for hidden in hidden {
            match hidden {
                Hidden::All(folder) => self.remove_below(&folder),
                Hidden::One(path) => {
                    self.nodes.remove(&path);
                    self.remove_below(&path);
                }
            }
        }
        for (path, node) in found {
            self.lay(path, node);
        }
        Ok(())
    }

    fn lay(&mut self, path: PathBuf, node: Node) {
        // What lies in it makes a folder, whatever a layer below had there.
        for parent in path
            .ancestors()
            .skip(1)
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            if self.nodes.get(parent) != Some(&Node::Folder) {
                self.nodes.insert(parent.to_owned(), Node::Folder);
            }
        }
        if node != Node::Folder {
            self.remove_below(&path);
        }
        self.nodes.insert(path, node);
    }

    fn remove_below(&mut self, folder: &Path) {
        // Paths sort by their parts, so what lies in a folder follows it at once.
        let below: Vec<_> = self
            .nodes
            .range(folder.to_owned()..)
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(folder))
            .filter(|path| *path != folder)
            .cloned()
            .collect();
        for path in below {
            self.nodes.remove(&path);
        }
    }

    /// The file at a path, symbolic links followed; they never lead out of the image.
    pub(super) fn find(&self, path: &Path) -> Result<Option<Place>, String> {
        let mut left: Vec<_> = parts(path);
        left.reverse();
        let mut at = PathBuf::new();
        let mut links = 0;
        while let Some(part) = left.pop() {
            if part == ".." {
                at.pop();
                continue;
            }
            let next = at.join(&part);
            match self.nodes.get(&next) {
                None => return Ok(None),
                Some(Node::Folder) => at = next,
                Some(Node::File(place)) => return Ok(left.is_empty().then_some(*place)),
                Some(Node::Link(target)) => {
                    links += 1;
                    if links > LINKS {
                        return Err(format!(
                            "\"/{}\" is a symbolic link that leads to itself",
                            next.display()
                        ));
                    }
                    if target.has_root() {
                        at = PathBuf::new();
                    }
                    left.extend(parts(target).into_iter().rev());
                }
            }
        }
        Ok(None)
    }
}

/// Copies the content of a member.
pub(super) fn extract(reader: impl Read, place: Place, to: &mut impl io::Write) -> io::Result<()> {
    let mut left = UNPACKED;
    let reader = Limited {
        reader,
        left: &mut left,
        limit: UNPACKED,
    };
    let mut archive = tar::Archive::new(reader);
    let mut entry = archive
        .entries()?
        .nth(place.member)
        .unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))?;
    io::copy(&mut entry, to).map(drop)
}

/// Why a member's name is not one of a file below the folder that an archive is unpacked into.
pub(super) fn leaves(path: &Path) -> Option<String> {
    let up = path.components().any(|part| part == Component::ParentDir);
    up.then(|| {
        format!(
            "it has a member \"{}\", which would lie outside of it",
            path.display()
        )
    })
}

/// A member's place in the image. Layers name files `bin/x`, `./bin/x` or, as ko writes them, `/bin/x`.
fn inside(path: &Path) -> io::Result<PathBuf> {
    match leaves(path) {
        Some(reason) => Err(io::Error::other(reason)),
        None => Ok(parts(path).into_iter().collect()),
    }
}

fn parts(path: &Path) -> Vec<std::ffi::OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

/// What a layer takes away of those below.
enum Hidden {
    /// This, and what lies in it.
    One(PathBuf),
    /// All that lies in this.
    All(PathBuf),
}

/// Whiteouts as in the OCI image layer specification: `.wh.x` removes `x`, `.wh..wh..opq` all that its folder had.
fn whiteout(path: &Path) -> Option<Hidden> {
    let folder = path.parent().unwrap_or(Path::new(""));
    match path.file_name()?.to_str()?.strip_prefix(".wh.")? {
        ".wh..opq" => Some(Hidden::All(folder.to_owned())),
        removed => Some(Hidden::One(folder.join(removed))),
    }
}

/// A reader that is not led on for ever: a few bytes can unpack to any number.
struct Limited<'a, R> {
    reader: R,
    left: &'a mut u64,
    limit: u64,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.reader.read(buffer)?;
        match self.left.checked_sub(got as u64) {
            Some(left) => *self.left = left,
            None => {
                let limit = indicatif::HumanBytes(self.limit);
                return Err(io::Error::other(format!(
                    "the layers unpack to more than {limit}"
                )));
            }
        }
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One layer: a name and a file's content, a link's target (`->`), a hard link's (`=`), or a folder (`/`).
    fn layer(members: &[(&str, &str)]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, what) in members {
            let mut header = tar::Header::new_ustar();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            let mut content = &b""[..];
            if let Some(target) = what.strip_prefix("->") {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_link_name(target).unwrap();
            } else if let Some(target) = what.strip_prefix('=') {
                header.set_entry_type(tar::EntryType::Link);
                header.set_link_name(target).unwrap();
            } else if *what == "/" {
                header.set_entry_type(tar::EntryType::Directory);
            } else {
                content = what.as_bytes();
                header.set_entry_type(tar::EntryType::Regular);
            }
            header.set_size(content.len() as u64);
            header.set_cksum();
            tar.append(&header, content).unwrap();
        }
        tar.into_inner().unwrap()
    }

    /// The content at a path of the image that these layers make.
    fn read(layers: &[Vec<u8>], path: &str) -> Result<Option<String>, String> {
        let mut image = Layers::new(1 << 20);
        for layer in layers {
            image.add(layer.as_slice()).map_err(|error| error.to_string())?;
        }
        let Some(place) = image.find(Path::new(path))? else {
            return Ok(None);
        };
        let mut content = Vec::new();
        extract(layers[place.layer].as_slice(), place, &mut content).unwrap();
        Ok(Some(String::from_utf8(content).unwrap()))
    }

    fn found(layers: &[Vec<u8>], path: &str) -> Option<String> {
        read(layers, path).unwrap()
    }

    #[test]
    fn upper_layers_win_and_whiteouts_hide_what_is_below_them_alone() {
        let low = layer(&[("bin", "/"), ("bin/x", "low"), ("bin/y", "y")]);
        let high = layer(&[("./bin/x", "high")]);
        assert_eq!(
            found(&[low.clone(), high.clone()], "/bin/x").as_deref(),
            Some("high")
        );
        for whiteout in ["bin/.wh.x", ".wh.bin", "bin/.wh..wh..opq", ".wh..wh..opq"] {
            let gone = layer(&[(whiteout, "")]);
            assert_eq!(found(&[low.clone(), gone.clone()], "/bin/x"), None, "{whiteout}");
            let again = [low.clone(), gone, high.clone()];
            assert_eq!(found(&again, "/bin/x").as_deref(), Some("high"), "{whiteout}");
            let own = layer(&[("/bin/x", "own"), (whiteout, "")]);
            assert_eq!(
                found(&[low.clone(), own], "/bin/x").as_deref(),
                Some("own"),
                "{whiteout}"
            );
        }
        let other = layer(&[("bin/.wh.desched", ""), ("sbin/.wh..wh..opq", ""), (".wh.b", "")]);
        assert_eq!(found(&[low, other], "/bin/x").as_deref(), Some("low"));
    }

    #[test]
    fn links_are_followed_inside_the_image() {
        let image = [layer(&[
            ("usr/bin/x-1.2", "it"),
            ("usr/bin/x", "->x-1.2"),
            ("bin", "->usr/bin"),
            ("opt/up", "->../../../../bin/x"),
            ("opt/absolute", "->/bin/x"),
            ("opt/hard", "=usr/bin/x-1.2"),
            ("opt/nowhere", "->/there/is/nothing"),
        ])];
        for path in ["/bin/x", "/usr/bin/x", "/opt/up", "/opt/absolute", "/opt/hard"] {
            assert_eq!(found(&image, path).as_deref(), Some("it"), "{path}");
        }
        for path in ["/opt/nowhere", "/usr/bin", "/bin/x/y", "/"] {
            assert_eq!(found(&image, path), None, "{path}");
        }
        let round = [layer(&[("a", "->b"), ("b", "->a")])];
        assert!(read(&round, "/a").unwrap_err().contains("leads to itself"));
    }

    #[test]
    fn names_that_leave_the_image_are_refused() {
        for name in ["../bin/x", "bin/../../x", "/../x", "bin/.."] {
            let error = read(&[layer(&[(name, "evil")])], "/bin/x").unwrap_err();
            assert!(error.contains(&format!("a member \"{name}\"")), "{error}");
        }
        assert_eq!(
            found(&[layer(&[("/ko-app/x", "it")])], "/ko-app/x").as_deref(),
            Some("it")
        );
    }

    #[test]
    fn unpacking_has_an_end() {
        let big = layer(&[("zeros", &"0".repeat(2 << 20)), ("bin/x", "it")]);
        let error = read(&[big], "/bin/x").unwrap_err();
        assert!(error.contains("unpack to more than 1.00 MiB"), "{error}");
    }
}
