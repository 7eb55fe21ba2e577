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
