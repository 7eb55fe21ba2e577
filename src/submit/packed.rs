//! What a Job carries of a user's own cases: the files that they are made of, packed into a variable of its container.
//!
//! A variable needs no object beside the Job, no further right, and goes with it. Packed files of cases are a few KiB; Linux gives a
//! program variables of 128 KiB at most, and what is larger is refused before anything is created.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};

use crate::case::Case;
use kubeclash_components::Spec;

/// The variable that has them in a step's container.
pub(super) const VARIABLE: &str = "KUBECLASH_PACKED_CASES";

/// How large they may be, packed: with base64 and the variable's name it stays below 128 KiB.
const MOST_PACKED: usize = 92 << 10;

/// How large their files may be, all in all.
const MOST: u64 = 16 << 20;

/// How many files they may have.
const MOST_FILES: usize = 4_096;

/// Why a case can't be taken along.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
pub enum PackError {
    /// Its files are too large.
    #[error("the files of {} are {} KiB {how}, and a Job carries {} KiB of them at most", cases.join(", "), bytes.div_ceil(1 << 10), most >> 10)]
    #[diagnostic(help("submit fewer cases a step, or take what is large out of their folders"))]
    Large {
        /// The cases, by their folders.
        cases: Vec<String>,
        /// How large they are.
        bytes: u64,
        /// Whether that is packed.
        how: &'static str,
        /// How large they may be.
        most: u64,
    },
    /// They are too many.
    #[error("{} are made of {files} files, and a Job carries {MOST_FILES} at most", cases.join(", "))]
    #[diagnostic(help("submit fewer cases a step"))]
    Many {
        /// The cases, by their folders.
        cases: Vec<String>,
        /// How many files they have.
        files: usize,
    },
    /// It brings a program that no pod can have.
    #[error("{case} brings the program \"{program}\" ({spec}), which is not there in a pod")]
    #[diagnostic(help("name it by its image: image+extract:REF"))]
    Program {
        /// The case.
        case: String,
        /// What the program is called.
        program: String,
        /// Where it comes from.
        spec: String,
    },
}

/// The files of some cases, packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedCases(String);

impl PackedCases {
    /// Packs cases: of each its `case.yaml` and the files that this names, and nothing else of its folder. `None` where there are no
    /// cases.
    ///
    /// # Errors
    /// When they are too large for a Job, or one needs a program of this machine.
    pub fn of(cases: &[Case]) -> Result<Option<Self>, PackError> {
        if cases.is_empty() {
            return Ok(None);
        }
        let names = || cases.iter().map(|case| case.folder().to_owned()).collect();
        let local = |spec: &Spec| matches!(spec, Spec::Path(_) | Spec::Source { .. } | Spec::Image(_));
        for case in cases {
            if let Some(program) = case.brings().into_iter().find(|program| local(&program.spec)) {
                return Err(PackError::Program {
                    case: case.folder().to_owned(),
                    program: program.name,
                    spec: program.spec.to_string(),
                });
            }
        }
        let large = |bytes, how, most| PackError::Large {
            cases: names(),
            bytes,
            how,
            most,
        };
        let files: Vec<(PathBuf, &str)> = cases
            .iter()
            .flat_map(|case| {
                let folder = Path::new(case.folder());
                case.files()
                    .into_iter()
                    .map(|(name, text)| (folder.join(name), text))
            })
            .collect();
        if files.len() > MOST_FILES {
            return Err(PackError::Many {
                cases: names(),
                files: files.len(),
            });
        }
        let bytes = files.iter().map(|(_, text)| text.len() as u64).sum();
        if bytes > MOST {
            return Err(large(bytes, "in all", MOST));
        }
        let packed = packed(&files).expect("a tar of texts in memory can be written");
        if packed.len() > MOST_PACKED {
            return Err(large(packed.len() as u64, "packed", MOST_PACKED as u64));
        }
        Ok(Some(Self(STANDARD.encode(packed))))
    }

    /// What a variable has of them.
    #[must_use]
    pub(super) fn read(variable: String) -> Self {
        Self(variable)
    }

    /// As a variable has them.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Unpacks them into a folder that is not there yet: each case in a folder of its own, and nothing beside these.
    ///
    /// # Errors
    /// When they are not what [`PackedCases::of`] makes, or can't be written.
    pub fn unpack(&self, to: &Path) -> io::Result<()> {
        unpack(&self.0, to)
    }
}

/// A tar of files, packed with gzip: the same bytes for the same files.
fn packed(files: &[(PathBuf, &str)]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for (path, text) in files {
        let mut header = Header::new_gnu();
        kubeclash_components::archive::set(&mut header, EntryType::Regular, 0o644, text.len() as u64);
        archive.append_data(&mut header, path, text.as_bytes())?;
    }
    archive.into_inner()?.finish()
}

fn unpack(text: &str, to: &Path) -> io::Result<()> {
    let wrong = |why: String| io::Error::other(format!("{VARIABLE}: {why}"));
    let packed = STANDARD.decode(text).map_err(|error| wrong(error.to_string()))?;
    // What is written is counted below; the rest of a tar is not much more than that.
    let unpacked = GzDecoder::new(&*packed).take(2 * MOST);
    fs::create_dir(to)?;
    let (mut room, mut seen) = (MOST, BTreeSet::new());
    for entry in tar::Archive::new(unpacked).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let refused = |why: &str| wrong(format!("\"{}\" {why}", path.display()));
        let parts: Vec<Component<'_>> = path.components().collect();
        let [Component::Normal(folder), Component::Normal(_)] = parts[..] else {
            return Err(refused("is no file of a case's folder"));
        };
        if entry.header().entry_type() != EntryType::Regular {
            return Err(refused("is no file"));
        }
        if !seen.insert(path.clone()) || seen.len() > MOST_FILES {
            return Err(refused("is there twice, or is one too many"));
        }
        let size = entry.header().size()?;
        room = room
            .checked_sub(size)
            .ok_or_else(|| refused("is one too large"))?;
        let folder = to.join(folder);
        if !folder.is_dir() {
            fs::create_dir(&folder)?;
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(to.join(&path))?;
        if io::copy(&mut entry.by_ref().take(size), &mut file)? != size {
            return Err(refused("is not whole"));
        }
        file.flush()?;
    }
    if seen.is_empty() {
        return Err(wrong("there is no case in it".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
#[path = "packed_tests.rs"]
mod tests;
