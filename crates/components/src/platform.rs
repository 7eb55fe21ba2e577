//! Which machine this is, and for which one a file was made.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Operating system and architecture, in Go's words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`, `darwin`, …
    pub os: String,
    /// `amd64`, `arm64`, …
    pub arch: String,
}

impl Platform {
    /// Of this process.
    #[must_use]
    pub fn host() -> Self {
        let os = match std::env::consts::OS {
            "macos" => "darwin",
            other => other,
        };
        let arch = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" => "ppc64le",
            other => other,
        };
        Self::new(os, arch)
    }

    /// Any.
    #[must_use]
    pub fn new(os: impl Into<String>, arch: impl Into<String>) -> Self {
        Self {
            os: os.into(),
            arch: arch.into(),
        }
    }

    /// Why a file with this head cannot run here, as the rest of a sentence; nothing when it can.
    ///
    /// Scripts pass: a wrapper that adds a flag to a fork is a fair thing to give.
    #[must_use]
    pub fn refuses(&self, head: &[u8]) -> Option<String> {
        match Format::of(head) {
            Format::Script => None,
            Format::Unknown => {
                Some("is not an executable: it starts like neither ELF, Mach-O nor a script".to_owned())
            }
            Format::Elf(_) if self.os == "darwin" => {
                Some(format!("is an ELF file, and this machine is {self}"))
            }
            Format::MachO(_) if self.os != "darwin" => {
                Some(format!("is a Mach-O file, and this machine is {self}"))
            }
            Format::Elf(arch) if arch == self.arch => None,
            Format::Elf(arch) => Some(format!("is made for {arch}, and this machine is {}", self.arch)),
            Format::MachO(archs) if archs.contains(&self.arch) => None,
            Format::MachO(archs) => Some(format!(
                "is made for {}, and this machine is {}",
                archs.join(" and "),
                self.arch
            )),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.arch)
    }
}

/// What the first bytes of a file say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// ELF, with its architecture in Go's words.
    Elf(String),
    /// Mach-O, with every architecture in it.
    MachO(Vec<String>),
    /// `#!`.
    Script,
    /// None of these.
    Unknown,
}

impl Format {
    /// How much of a file [`of`](Self::of) wants to see: an ELF header, or a universal header of ten architectures.
    pub const HEAD: usize = 256;

    /// Reads a head. Offsets and numbers are those of `elf.h` and `mach/machine.h`.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        match head {
            [0x7f, b'E', b'L', b'F', class, data, ..] => {
                elf_machine(head, *class, *data).map_or(Self::Unknown, Self::Elf)
            }
            [0xcf | 0xce, 0xfa, 0xed, 0xfe, rest @ ..] => number(rest, 0, u32::from_le_bytes)
                .map_or(Self::Unknown, |cpu| Self::MachO(vec![mach_cpu(cpu)])),
            [0xca, 0xfe, 0xba, 0xbe, rest @ ..] => universal(rest),
            [b'#', b'!', ..] => Self::Script,
            _ => Self::Unknown,
        }
    }
}

/// The loader that an ELF file names (`PT_INTERP`); one that names none needs no other file to run.
pub(super) fn interpreter(file: &[u8]) -> Option<String> {
    /// What `elf.h` calls it.
    const PT_INTERP: u64 = 3;
    let [0x7f, b'E', b'L', b'F', class, data, ..] = file else {
        return None;
    };
    let number = |at: u64, length: usize| -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let bytes = file.get(at..at.checked_add(length)?)?;
        let digit = |number: u64, byte: &u8| (number << 8) | u64::from(*byte);
        Some(if *data == 1 {
            bytes.iter().rev().fold(0, digit)
        } else {
            bytes.iter().fold(0, digit)
        })
    };
    // Where the program headers are, how long one is, how many there are; and of one, where its content is and how
    // long: for 64 and for 32 bits.
    let (table, each, count, offset, size, wide) = match class {
        2 => (number(32, 8)?, number(54, 2)?, number(56, 2)?, 8, 32, 8),
        _ => (number(28, 4)?, number(42, 2)?, number(44, 2)?, 4, 16, 4),
    };
    (0..count)
        .filter_map(|index| table.checked_add(index * each))
        .find(|header| number(*header, 4) == Some(PT_INTERP))
        .map(|header| {
            let text = || {
                let start = usize::try_from(number(header + offset, wide)?).ok()?;
                let length = usize::try_from(number(header + size, wide)?).ok()?;
                let text = file.get(start..start.checked_add(length)?)?;
                Some(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned())
            };
            text().unwrap_or_else(|| "a loader".to_owned())
        })
}

fn elf_machine(head: &[u8], class: u8, data: u8) -> Option<String> {
    let bytes: [u8; 2] = head.get(18..20)?.try_into().ok()?;
    let little = data == 1;
    let machine = if little {
        u16::from_le_bytes(bytes)
    } else {
        u16::from_be_bytes(bytes)
    };
    Some(match (machine, class, little) {
        (62, ..) => "amd64".to_owned(),
        (183, ..) => "arm64".to_owned(),
        (3, ..) => "386".to_owned(),
        (40, ..) => "arm".to_owned(),
        (243, 2, _) => "riscv64".to_owned(),
        (21, _, true) => "ppc64le".to_owned(),
        (22, ..) => "s390x".to_owned(),
        (258, ..) => "loong64".to_owned(),
        (other, ..) => format!("ELF machine {other}"),
    })
}

fn universal(rest: &[u8]) -> Format {
    // The same magic starts a Java class file, whose next number is its version, 45 or more.
    match number(rest, 0, u32::from_be_bytes) {
        Some(count @ 1..=10) => Format::MachO(
            (0..count as usize)
                .filter_map(|index| number(rest, 4 + index * 20, u32::from_be_bytes))
                .map(mach_cpu)
                .collect(),
        ),
        _ => Format::Unknown,
    }
}

fn number(bytes: &[u8], at: usize, read: fn([u8; 4]) -> u32) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(read)
}

fn mach_cpu(cpu: u32) -> String {
    match cpu {
        0x0100_0007 => "amd64".to_owned(),
        0x0100_000c => "arm64".to_owned(),
        other => format!("Mach-O CPU {other:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(machine: u16) -> Vec<u8> {
        let mut head = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
        head.resize(18, 0);
        head.extend(machine.to_le_bytes());
        head
    }

    #[test]
    fn heads_tell_their_architecture() {
        assert_eq!(Format::of(&elf(62)), Format::Elf("amd64".into()));
        assert_eq!(Format::of(&elf(183)), Format::Elf("arm64".into()));
        assert_eq!(Format::of(&elf(183)[..19]), Format::Unknown);
        let thin = [0xcf, 0xfa, 0xed, 0xfe, 0x0c, 0, 0, 1];
        assert_eq!(Format::of(&thin), Format::MachO(vec!["arm64".into()]));
        let mut fat = vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2, 1, 0, 0, 7];
        fat.resize(28, 0);
        fat.extend([1, 0, 0, 0x0c]);
        assert_eq!(
            Format::of(&fat),
            Format::MachO(vec!["amd64".into(), "arm64".into()])
        );
        assert_eq!(
            Format::of(&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61]),
            Format::Unknown
        );
        assert_eq!(Format::of(b"#!/bin/sh\n"), Format::Script);
        assert_eq!(Format::of(b""), Format::Unknown);
    }

    #[test]
    fn a_loader_is_found_where_there_is_one() {
        // One program header right after the file's header, and its content after that.
        let mut file = elf(62);
        file.resize(64, 0);
        file[32] = 64;
        file[54] = 56;
        file[56] = 1;
        let mut header = vec![0; 56];
        header[0] = 3;
        header[8] = 120;
        header[32] = 11;
        let with = [file.clone(), header.clone(), b"/lib/ld.so\0".to_vec()].concat();
        assert_eq!(interpreter(&with).as_deref(), Some("/lib/ld.so"));
        header[0] = 1;
        assert_eq!(interpreter(&[file.clone(), header].concat()), None);
        assert_eq!(interpreter(&file), None, "a table that is not there");
        assert_eq!(interpreter(b"#!/bin/sh"), None);
    }

    #[test]
    fn a_refusal_names_both_architectures() {
        let here = Platform::new("linux", "amd64");
        assert_eq!(here.refuses(&elf(62)), None);
        assert_eq!(
            here.refuses(&elf(183)).unwrap(),
            "is made for arm64, and this machine is amd64"
        );
        assert_eq!(
            Platform::new("darwin", "arm64").refuses(&elf(183)).unwrap(),
            "is an ELF file, and this machine is darwin/arm64"
        );
        assert!(here.refuses(b"hello").unwrap().contains("not an executable"));
    }
}
