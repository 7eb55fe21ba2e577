//! What layers of images, and logs, are packed with.

use std::fs::File;
use std::io::{self, BufReader, Chain, Cursor, Read};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

/// A layer's archive, by the media type that the manifest has for it.
pub fn unpacked(file: File, kind: &str) -> io::Result<Box<dyn Read>> {
    let file = BufReader::new(file);
    match kind {
        // Layers that can be read lazily are many members behind each other.
        kind if kind.ends_with("gzip") => Ok(Box::new(MultiGzDecoder::new(file))),
        kind if kind.ends_with("zstd") => Ok(Box::new(Frames::Between(file))),
        kind if kind.ends_with("tar") => Ok(Box::new(file)),
        kind => Err(io::Error::other(format!(
            "layers of type \"{kind}\" cannot be read"
        ))),
    }
}

/// One frame, of which the magic number has been read already.
type Frame<R> = StreamingDecoder<Chain<Cursor<[u8; 4]>, R>, FrameDecoder>;

/// All frames of a Zstandard stream; the decoder reads one.
pub enum Frames<R: Read> {
    /// Before the first, or behind one.
    Between(R),
    /// In the middle of one.
    Within(Box<Frame<R>>),
    /// At the end.
    Over,
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            *self = match std::mem::replace(self, Self::Over) {
                Self::Over => return Ok(0),
                Self::Within(mut frame) => match frame.read(buffer)? {
                    0 if !buffer.is_empty() => Self::Between(frame.into_inner().into_inner().1),
                    got => {
                        *self = Self::Within(frame);
                        return Ok(got);
                    }
                },
                Self::Between(source) => Self::after(source)?,
            }
        }
    }
}

impl<R: Read> Frames<R> {
    /// What comes next. A frame of [`SKIPPED`] holds what others than decoders read.
    fn after(mut source: R) -> io::Result<Self> {
        let mut magic = [0; 4];
        if source.read(&mut magic[..1])? == 0 {
            return Ok(Self::Over);
        }
        source.read_exact(&mut magic[1..])?;
        if u32::from_le_bytes(magic) & !0xf == SKIPPED {
            let mut length = [0; 4];
            source.read_exact(&mut length)?;
            let length = u64::from(u32::from_le_bytes(length));
            io::copy(&mut source.by_ref().take(length), &mut io::sink())?;
            return Ok(Self::Between(source));
        }
        let frame = StreamingDecoder::new(Cursor::new(magic).chain(source)).map_err(io::Error::other)?;
        Ok(Self::Within(Box::new(frame)))
    }
}

/// The magic number of frames to be skipped, but for its last four bits, which are anything.
const SKIPPED: u32 = 0x184d_2a50;

#[cfg(test)]
mod tests {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        Frames::Between(bytes).read_to_end(&mut content).map(|_| content)
    }

    #[test]
    fn all_frames_are_read_and_those_for_others_are_not() {
        let frame = |text: &str| compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
        let skipped = [&0x184d_2a53_u32.to_le_bytes()[..], &3_u32.to_le_bytes(), b"abc"].concat();
        let stream = [skipped.clone(), frame("hello, "), skipped, frame("world")].concat();
        assert_eq!(read(&stream).unwrap(), b"hello, world");
        assert!(read(&stream[..stream.len() - 6]).is_err(), "cut off");
        assert!(read(b"PK").is_err());
    }
}
