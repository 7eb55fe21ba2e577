//! Lines that a container runtime has written in parts, made whole again where they lie.
//!
//! containerd and CRI-O cut what a container says into parts, of 16 KiB where nothing else is set: each is a line with a head
//! of its own, `P` where more is to come and `F` at the end. A signature may lie across a cut. What is between two parts, the
//! newline and the next head, is taken out; where that was is kept, so that lines are numbered as in the file. Lines of the
//! other stream that came between two parts go behind the whole.

use memchr::{memchr, memmem, memrchr};

use super::times::dated;

/// No head is longer: a time, a stream, tags.
const HEAD: usize = 64;

/// How far apart the lines are at which it is looked whether there are heads at all. A part is eight times as long.
const APART: usize = 2 << 10;

/// How many lines of the other stream may come between two parts.
const BETWEEN: usize = 16;

/// How much is held for the end of a line that is the next part, or comes before it.
const LONGEST: usize = 128 << 10;

/// The parts of lines in a buffer.
#[derive(Debug)]
pub(super) struct Parts {
    /// Up to here the buffer is as it should be.
    ready: usize,
    /// Whether a line begins there.
    fresh: bool,
    /// Whether the newline there ends a part of which more is to come, and of which stream.
    open: Option<Stream>,
    /// Where newlines were taken out.
    joints: Vec<usize>,
    /// How many were taken out of a line whose beginning is no longer in the buffer.
    carried: u64,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            ready: 0,
            fresh: true,
            open: None,
            joints: Vec::new(),
            carried: 0,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

/// What a line of a container's log begins with.
struct Head {
    stream: Stream,
    more: bool,
    len: usize,
}

impl Head {
    fn of(line: &[u8]) -> Option<Self> {
        let line = &line[..line.len().min(HEAD)];
        let time = memchr(b' ', line).filter(|at| *at >= 20 && line[10] == b'T')?;
        dated(line)?;
        let rest = &line[time + 1..];
        let stream = match rest.get(..7)? {
            b"stdout " => Stream::Out,
            b"stderr " => Stream::Err,
            _ => return None,
        };
        let tags = &rest[7..];
        let more = match (tags.first()?, tags.get(1)) {
            (tag @ (b'P' | b'F'), None | Some(b' ' | b':' | b'\n')) => *tag == b'P',
            _ => return None,
        };
        let end = tags.iter().position(|byte| matches!(byte, b' ' | b'\n'));
        let end = end.map_or(tags.len(), |at| at + usize::from(tags[at] == b' '));
        Some(Self {
            stream,
            more,
            len: time + 1 + 7 + end,
        })
    }
}

/// A part of which more is to come: where its line begins, and where it ends, if it does.
struct Opening {
    start: usize,
    newline: Option<usize>,
    stream: Stream,
}

/// What comes after a part.
enum Next {
    /// What it says is not there yet.
    Unknown,
    /// Nothing that belongs to it.
    Nothing,
    /// The next part: what it says, and whether there is more.
    Part {
        from: usize,
        to: usize,
        more: bool,
        /// Up to where lines have changed places for it.
        moved: usize,
    },
}

impl Parts {
    /// Up to where the buffer may be looked at.
    pub(super) fn ready(&self) -> usize {
        self.ready
    }

    /// How many newlines were taken out between two places of the buffer; before the first, of a line that began before it.
    pub(super) fn between(&self, from: usize, to: usize) -> u64 {
        let place = |at: usize| self.joints.partition_point(|joint| *joint < at);
        let carried = if from == 0 && to > 0 { self.carried } else { 0 };
        (place(to) - place(from)) as u64 + carried
    }

    /// How many were taken out that the buffer's lines are still to be counted by.
    pub(super) fn pending(&self) -> u64 {
        self.joints.len() as u64 + self.carried
    }

    /// Forgets what was before a place; `goes_on` says that it was the beginning of a line.
    pub(super) fn shift(&mut self, from: usize, goes_on: bool) {
        let gone = self.joints.partition_point(|joint| *joint < from);
        self.carried = if goes_on { self.carried + gone as u64 } else { 0 };
        self.joints.drain(..gone);
        self.joints.iter_mut().for_each(|joint| *joint -= from);
        self.ready -= from;
    }

    /// Takes what is in the buffer as it is: it can't hold more.
    pub(super) fn give_up(&mut self, filled: usize) {
        self.open = None;
        self.ready = filled;
        self.fresh = false;
    }

    /// Joins the parts among what is new in the buffer, and says how far it is filled then; `last` says that no more comes.
    pub(super) fn join(&mut self, buffer: &mut [u8], filled: usize, last: bool) -> usize {
        let (mut read, mut write) = (self.ready, self.ready);
        let mut places = [Some(0); 2];
        let mut open = self.open.take();
        // Most logs have none; to look for them everywhere would take as long as all else.
        let any = open.is_some() || self.any(&buffer[read..filled]);
        loop {
            let stream = match open.take() {
                Some(stream) => stream,
                None => {
                    let opening = if any {
                        self.part(&buffer[..filled], read, &mut places)
                    } else {
                        None
                    };
                    let Some(Opening {
                        start,
                        newline,
                        stream,
                    }) = opening
                    else {
                        return self.rest(buffer, (read, write, filled), last);
                    };
                    match newline {
                        Some(newline) => {
                            buffer.copy_within(read..newline, write);
                            write += newline - read;
                            read = newline;
                            stream
                        }
                        None if last => return self.rest(buffer, (read, write, filled), last),
                        None => return self.wait(buffer, (start, write, filled), read),
                    }
                }
            };
            loop {
                match next(&mut buffer[..filled], read, stream, last) {
                    Next::Unknown => {
                        self.open = Some(stream);
                        return self.wait(buffer, (read, write, filled), read);
                    }
                    Next::Nothing => break,
                    Next::Part {
                        from,
                        to,
                        more,
                        moved,
                    } => {
                        let stale = places.iter_mut().flatten().filter(|at| **at < moved);
                        stale.for_each(|at| *at = 0);
                        self.joints.push(write);
                        buffer.copy_within(from..to, write);
                        write += to - from;
                        read = to;
                        if !more || read == filled {
                            break;
                        }
                    }
                }
            }
            // A newline is there, or nothing is.
            self.fresh = false;
        }
    }

    /// Leaves what begins at a place for later, when more is known of it.
    fn wait(
        &mut self,
        buffer: &mut [u8],
        (from, write, filled): (usize, usize, usize),
        read: usize,
    ) -> usize {
        buffer.copy_within(read..filled, write);
        self.ready = write + from - read;
        self.fresh = true;
        write + filled - read
    }

    /// Nothing is left to be joined, but in a last line of which too little is there.
    fn rest(&mut self, buffer: &mut [u8], (read, write, filled): (usize, usize, usize), last: bool) -> usize {
        let text = &buffer[read..filled];
        let line = memrchr(b'\n', text).map_or_else(|| self.fresh.then_some(0), |at| Some(at + 1));
        let short = line.filter(|line| !last && text.len() - line < HEAD);
        let from = short.unwrap_or(text.len());
        let filled = self.wait(buffer, (read + from, write, filled), read);
        self.fresh = short.is_some();
        filled
    }

    /// Whether there are lines with heads, by a look at some of them.
    fn any(&self, text: &[u8]) -> bool {
        let mut at = 0;
        while at < text.len() {
            let start = if at == 0 && self.fresh {
                0
            } else {
                match memchr(b'\n', &text[at..]) {
                    Some(newline) => at + newline + 1,
                    None => return false,
                }
            };
            if Head::of(&text[start..]).is_some() {
                return true;
            }
            at = start + APART;
        }
        false
    }

    /// The next line at or after a place that is a part with more to come.
    fn part(&self, text: &[u8], from: usize, places: &mut [Option<usize>; 2]) -> Option<Opening> {
        let mut after = from;
        loop {
            let signs: [&[u8]; 2] = [b" stdout P", b" stderr P"];
            for (place, sign) in places.iter_mut().zip(signs) {
                if place.is_some_and(|at| at <= after) {
                    *place = memmem::find(&text[after..], sign).map(|at| after + at);
                }
            }
            let at = places.iter().flatten().min().copied()?;
            let low = from.max(at.saturating_sub(HEAD));
            let start = match memrchr(b'\n', &text[low..at]) {
                Some(newline) => Some(low + newline + 1),
                None => (self.fresh && low == from).then_some(from),
            };
            let head = start.and_then(|start| Some((start, Head::of(&text[start..])?)));
            match head {
                Some((start, head)) if head.more && start + head.len > at => {
                    return Some(Opening {
                        start,
                        newline: memchr(b'\n', &text[at..]).map(|newline| at + newline),
                        stream: head.stream,
                    });
                }
                _ => after = at + 1,
            }
        }
    }
}

/// What comes after the part whose newline is at a place. Lines of the other stream before it are put behind it.
fn next(text: &mut [u8], newline: usize, stream: Stream, last: bool) -> Next {
    let first = newline + 1;
    let mut start = first;
    for _ in 0..=BETWEEN {
        let line = &text[start.min(text.len())..];
        let Some(len) = memchr(b'\n', line).or(last.then_some(line.len())) else {
            let held = text.len() - first.min(text.len());
            return if held > LONGEST {
                Next::Nothing
            } else {
                Next::Unknown
            };
        };
        let Some(head) = Head::of(line) else {
            return Next::Nothing;
        };
        let end = start + len;
        if head.stream == stream {
            let after = (end + 1).min(text.len());
            if start > first && end < text.len() {
                text[first..after].rotate_left(start - first);
            } else if start > first {
                return Next::Nothing;
            }
            let from = first + head.len.min(len);
            return Next::Part {
                from,
                to: first + len,
                more: head.more,
                moved: if start > first { after } else { 0 },
            };
        }
        start = end + 1;
    }
    Next::Nothing
}

#[cfg(test)]
#[path = "parts_tests.rs"]
mod tests;
