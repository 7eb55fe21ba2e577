//! The bytes of a log: unpacked by what they are, not by what the file is called, and no further than where it ended
//! when it was opened.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use serde::Serialize;

use super::origin::SAMPLE;
use kubeclash_host::compression::Frames;

/// What is read of a file at once.
const READ: usize = 256 << 10;

/// How a log is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Packed {
    /// Not at all.
    Plain,
    /// By gzip, of any number of members.
    Gzip,
    /// By zstd, of any number of frames.
    Zstd,
}

/// Ways of packing that are known, and not read: by the bytes that they begin with.
const OTHERS: [(&[u8], &str); 5] = [
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"PK\x03\x04", "zip"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
];

/// A log that is being read.
pub(crate) struct Source {
    reader: Box<dyn Read>,
    /// What it begins with.
    pub(crate) sample: Vec<u8>,
    /// What went wrong while the sample was read.
    broken: Option<io::Error>,
    pub(crate) packed: Packed,
    /// When it was last changed.
    pub(crate) modified: Option<Timestamp>,
    file: Option<(File, u64)>,
    taken: Arc<AtomicU64>,
}

impl Source {
    /// Opens a file.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let is = file.metadata()?;
        if is.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        let modified = is.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
        // A file that is written faster than it is read would have no end. Those of /proc have a size of 0.
        let end = (is.is_file() && is.len() > 0).then_some(is.len());
        let kept = file.try_clone()?;
        let mut source = Self::of(file.take(end.unwrap_or(u64::MAX)))?;
        source.modified = modified;
        source.file = end.map(|end| (kept, end));
        Ok(source)
    }

    /// Standard input.
    pub(crate) fn standard() -> io::Result<Self> {
        Self::of(io::stdin())
    }

    fn of(raw: impl Read + 'static) -> io::Result<Self> {
        let taken = Arc::new(AtomicU64::new(0));
        let mut raw = Counted {
            raw,
            taken: Arc::clone(&taken),
        };
        let mut magic = Vec::new();
        raw.by_ref().take(6).read_to_end(&mut magic)?;
        if let Some((_, name)) = OTHERS.iter().find(|(start, _)| magic.starts_with(start)) {
            return Err(io::Error::other(format!(
                "it is packed with {name}: unpack it first"
            )));
        }
        let packed = match magic[..] {
            [0x1f, 0x8b, ..] => Packed::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Packed::Zstd,
            _ => Packed::Plain,
        };
        let whole = Cursor::new(magic).chain(raw);
        let mut reader: Box<dyn Read> = match packed {
            Packed::Plain => Box::new(whole),
            Packed::Gzip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(READ, whole))),
            Packed::Zstd => Box::new(Frames::Between(BufReader::with_capacity(READ, whole))),
        };
        let mut sample = Vec::new();
        let broken = reader.by_ref().take(SAMPLE as u64).read_to_end(&mut sample).err();
        Ok(Self {
            reader,
            sample,
            broken,
            packed,
            modified: None,
            file: None,
            taken,
        })
    }

    /// How many bytes were read so far, as they are on the disk.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// What became of the file while it was read: whether something is missing for it, and how to say so.
    pub(crate) fn changed(&self) -> Option<(bool, String)> {
        let (file, end) = self.file.as_ref()?;
        let read = self.taken();
        let now = file.metadata().ok()?.len();
        if read < *end && now < *end {
            return Some((
                true,
                format!("it was truncated while it was read: of {end} bytes, {read} were there"),
            ));
        }
        (now > *end).then(|| (false, format!("it grew by {} bytes while it was read", now - end)))
    }
}

impl Read for Source {
    /// What comes after the sample.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.broken.take() {
            Some(e) => Err(e),
            None => self.reader.read(buffer),
        }
    }
}

struct Counted<R> {
    raw: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.raw.read(buffer)?;
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;

    #[test]
    fn a_file_is_read_up_to_where_it_ended_when_it_was_opened() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let whole = vec![b'a'; 3 * SAMPLE];
        fs::write(file.path(), &whole).unwrap();
        let mut source = Source::open(file.path()).unwrap();
        file.as_file().set_len(3 * SAMPLE as u64).unwrap();
        fs::OpenOptions::new()
            .append(true)
            .open(file.path())
            .unwrap()
            .write_all(b"more")
            .unwrap();
        let mut rest = Vec::new();
        source.read_to_end(&mut rest).unwrap();
        assert_eq!(source.sample.len() + rest.len(), whole.len());
        assert_eq!(
            source.changed(),
            Some((false, "it grew by 4 bytes while it was read".to_owned()))
        );
    }

    #[test]
    fn a_file_that_is_truncated_meanwhile_is_told_apart_from_one_that_was_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), vec![b'a'; 3 * SAMPLE]).unwrap();
        let mut source = Source::open(file.path()).unwrap();
        file.as_file().set_len(10).unwrap();
        source.read_to_end(&mut Vec::new()).unwrap();
        let (missing, why) = source.changed().unwrap();
        assert!(
            missing && why.contains("of 196608 bytes, 65536 were there"),
            "{why}"
        );
        file.as_file().set_len(0).unwrap();
        assert_eq!(Source::open(file.path()).unwrap().changed(), None);
    }

    #[test]
    fn other_ways_of_packing_are_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), b"BZh91AY").unwrap();
        let error = Source::open(file.path()).err().map(|e| e.to_string());
        assert_eq!(error.as_deref(), Some("it is packed with bzip2: unpack it first"));
        assert!(Source::open(Path::new("/")).is_err());
    }

    /// Unpacking must not break down, whatever it gets.
    #[test]
    fn spoilt_packed_logs_end_with_an_error_or_with_what_they_have() {
        use flate2::{Compression, write::GzEncoder};
        use ruzstd::encoding::{CompressionLevel, compress_to_vec};
        let text: Vec<u8> = (0..60_000_u32)
            .map(|n| (n.wrapping_mul(n / 7) >> 9) as u8 % 40 + b' ')
            .collect();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&text).unwrap();
        let packed = [
            encoder.finish().unwrap(),
            compress_to_vec(&text[..], CompressionLevel::Fastest),
        ];
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut broken = 0;
        for packed in packed {
            for round in 0..300_usize {
                let mut spoilt = packed.clone();
                for (at, byte) in [(round, 0xff), (round * 97, 0x0f), (round * 7919, 0)] {
                    let at = 4 + at % (spoilt.len() - 4);
                    spoilt[at] ^= byte;
                }
                fs::write(file.path(), spoilt).unwrap();
                let read =
                    Source::open(file.path()).and_then(|mut source| source.read_to_end(&mut Vec::new()));
                broken += usize::from(read.is_err());
            }
        }
        assert!(broken > 300, "{broken}");
    }
}
