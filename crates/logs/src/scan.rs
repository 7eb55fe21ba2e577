//! One pass over a log of any size: chunks, in which only lines with a literal of some signature are looked at.
//!
//! What is held is one chunk of [`CHUNK`] bytes. A line up to [`WINDOW`] bytes is looked at as a whole. Of a longer one
//! the first [`HEAD`] bytes are kept, for its time, and it is looked at in windows around the literals in it, which
//! overlap by [`OVERLAP`]: what matches there within so many bytes is found, wherever it stands. A signature counts
//! once a line, however long that is. What a container's runtime wrote in parts is one line.

use std::io::{self, ErrorKind, Read};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use memchr::{memchr, memchr_iter, memrchr};
use regex::bytes::{Captures, Regex};

use super::parts::Parts;
use super::rules::Rules;
use super::times::Stamp;

/// What is read at once.
const CHUNK: usize = 1 << 20;

/// The longest line that is looked at as a whole.
pub const WINDOW: usize = 64 << 10;

/// By how much windows into a longer line overlap.
pub const OVERLAP: usize = WINDOW / 4;

/// What is kept of the beginning of a longer line.
const HEAD: usize = 512;

/// How far is looked back for the time of a line that has none itself, such as a panic's.
const LOOK_BACK: usize = 16 << 10;

/// A line that a signature was found in.
#[derive(Debug)]
pub(crate) struct Sighting<'a> {
    /// Which of [`Rules::signatures`].
    pub(crate) signature: usize,
    /// The line, counted from 1.
    pub(crate) line: u64,
    /// Its time, or that of the last line before it that has one.
    pub(crate) stamp: Option<Stamp>,
    /// What matched, and the text around it: the line, or a window of it.
    pub(crate) captures: Captures<'a>,
    /// The text that was matched against.
    pub(crate) text: &'a [u8],
}

/// The literals of signatures, in two automata: one that runs over everything, and one that tells who is meant.
#[derive(Debug)]
pub(crate) struct Sieve {
    first: AhoCorasick,
    all: AhoCorasick,
    /// Whose literal it is, of `patterns`.
    owners: Vec<usize>,
    /// Those that are looked for, with their places in [`Rules::signatures`].
    patterns: Vec<(usize, Regex)>,
}

impl Sieve {
    /// For the signatures that `wanted` takes.
    ///
    /// # Errors
    /// When there are too many literals for an automaton.
    pub(crate) fn new(rules: &Rules, wanted: impl Fn(usize) -> bool) -> Result<Self, String> {
        let mut literals: Vec<&[u8]> = Vec::new();
        let (mut owners, mut patterns) = (Vec::new(), Vec::new());
        for (at, signature) in rules.signatures.iter().enumerate().filter(|(at, _)| wanted(*at)) {
            for literal in signature.pattern.literals() {
                literals.push(literal);
                owners.push(patterns.len());
            }
            patterns.push((at, signature.pattern.regex().clone()));
        }
        let built = |kind: MatchKind| {
            AhoCorasick::builder()
                .match_kind(kind)
                .kind(Some(AhoCorasickKind::DFA))
                .build(&literals)
                .map_err(|e| e.to_string())
        };
        Ok(Self {
            first: built(MatchKind::LeftmostFirst)?,
            all: built(MatchKind::Standard)?,
            owners,
            patterns,
        })
    }

    /// Who may match in a text, in order, without doubles.
    fn candidates(&self, text: &[u8], found: &mut Vec<usize>) {
        found.clear();
        found.extend(
            self.all
                .find_overlapping_iter(text)
                .map(|hit| self.owners[hit.pattern().as_usize()]),
        );
        found.sort_unstable();
        found.dedup();
    }
}

/// Where a pass over one log is.
#[derive(Debug)]
pub(crate) struct Scanner {
    buffer: Vec<u8>,
    filled: usize,
    parts: Parts,
    /// Whether the first line in the buffer began before it.
    continues: bool,
    head: Vec<u8>,
    /// What was found already in the line that continues.
    counted: Vec<usize>,
    stamp: Option<Stamp>,
    lines: u64,
    bytes: u64,
    candidates: Vec<usize>,
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            buffer: vec![0; CHUNK],
            filled: 0,
            parts: Parts::default(),
            continues: false,
            head: Vec::new(),
            counted: Vec::new(),
            stamp: None,
            lines: 0,
            bytes: 0,
            candidates: Vec::new(),
        }
    }
}

impl Scanner {
    /// Lines that were complete so far, and an incomplete last one.
    #[must_use]
    pub(crate) fn lines(&self) -> u64 {
        let left = &self.buffer[..self.filled];
        let begun = left.last().is_some_and(|last| *last != b'\n');
        self.lines + self.parts.pending() + newlines(left) + u64::from(begun)
    }

    /// Bytes so far.
    #[must_use]
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads a source to its end, and tells every sighting.
    ///
    /// # Errors
    /// What the source says; what came before it was looked at.
    pub(crate) fn read(
        &mut self,
        source: &mut dyn Read,
        sieve: &Sieve,
        tell: &mut dyn FnMut(&Sighting<'_>),
    ) -> io::Result<()> {
        let end = loop {
            match source.read(&mut self.buffer[self.filled..]) {
                Ok(0) => break Ok(()),
                Ok(count) => self.take(count, false, sieve, tell),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => break Err(e),
            }
        };
        self.end(sieve, tell);
        end
    }

    /// Takes what was appended to a log, and tells the sightings in the lines that are complete.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], sieve: &Sieve, tell: &mut dyn FnMut(&Sighting<'_>)) {
        while !bytes.is_empty() {
            let count = bytes.len().min(self.buffer.len() - self.filled);
            self.buffer[self.filled..][..count].copy_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            self.take(count, bytes.is_empty(), sieve, tell);
        }
    }

    /// Looks at a last line that has no newline.
    pub(crate) fn end(&mut self, sieve: &Sieve, tell: &mut dyn FnMut(&Sighting<'_>)) {
        self.filled = self.parts.join(&mut self.buffer, self.filled, true);
        let filled = self.filled;
        self.look(filled, sieve, tell);
        // Of a last line without a newline, the parts and itself.
        let last = memrchr(b'\n', &self.buffer[..filled]).map_or(0, |at| at + 1);
        if last < filled {
            self.lines += self.parts.between(last, filled) + 1;
        }
        self.filled = 0;
        self.parts = Parts::default();
        self.continues = false;
        self.counted.clear();
    }

    /// So many more bytes are in the buffer. They are looked at when it is full, or at once.
    fn take(&mut self, count: usize, now: bool, sieve: &Sieve, tell: &mut dyn FnMut(&Sighting<'_>)) {
        self.filled += count;
        self.bytes += count as u64;
        let full = self.filled == self.buffer.len();
        if !full && !now {
            return;
        }
        // What was ready before has no newline, or is looked at when the buffer is full.
        let new = if full { 0 } else { self.parts.ready() };
        self.filled = self.parts.join(&mut self.buffer, self.filled, false);
        let full = self.filled == self.buffer.len();
        if full && self.parts.ready() <= OVERLAP {
            self.parts.give_up(self.filled);
        }
        let ready = self.parts.ready();
        let keep = match memrchr(b'\n', &self.buffer[new.min(ready)..ready]) {
            Some(at) => at + 1 + new,
            None if !full => return,
            // One line is longer than the buffer: its end is looked at again, with what comes next.
            None => {
                self.look(ready, sieve, tell);
                self.shift(ready - OVERLAP, true);
                return;
            }
        };
        self.look(keep, sieve, tell);
        self.shift(keep, false);
        self.counted.clear();
    }

    /// Lets go of what is before a place; `goes_on` says that it was the beginning of a line.
    fn shift(&mut self, from: usize, goes_on: bool) {
        self.buffer.copy_within(from..self.filled, 0);
        self.filled -= from;
        self.parts.shift(from, goes_on);
        self.continues = goes_on;
    }

    /// Looks at what is in the buffer up to a place: whole lines, or the next part of one.
    fn look(&mut self, until: usize, sieve: &Sieve, tell: &mut dyn FnMut(&Sighting<'_>)) {
        let chunk = &self.buffer[..until];
        let (mut at, mut counted_to, mut line) = (0, 0, self.lines + 1);
        // Where the last line that was looked at begins, as long ones are looked at more than once.
        let mut last_start = 0;
        while let Some(hit) = sieve.first.find(&chunk[at..]) {
            let hit = at + hit.start();
            let start = memrchr(b'\n', &chunk[..hit]).map_or(0, |at| at + 1);
            let end = memchr(b'\n', &chunk[hit..]).map_or(until, |at| hit + at);
            line += newlines(&chunk[counted_to..start]) + self.parts.between(counted_to, start);
            counted_to = start;
            if start != last_start {
                self.counted.clear();
                last_start = start;
            }
            let (from, to) = if end - start <= WINDOW {
                (start, end)
            } else {
                (
                    start.max(hit.saturating_sub(WINDOW / 2)),
                    end.min(hit + WINDOW / 2),
                )
            };
            let text = chunk[from..to].strip_suffix(b"\r").unwrap_or(&chunk[from..to]);
            sieve.candidates(text, &mut self.candidates);
            let mut stamp = None;
            for &candidate in &self.candidates {
                let (signature, ref regex) = sieve.patterns[candidate];
                if self.counted.contains(&signature) {
                    continue;
                }
                if let Some(captures) = regex.captures(text) {
                    let stamp = *stamp.get_or_insert_with(|| {
                        let head = if start == 0 && self.continues {
                            &self.head[..]
                        } else {
                            &chunk[start..end]
                        };
                        Stamp::of(head)
                            .or_else(|| before(&chunk[..start], !self.continues))
                            .or(self.stamp)
                    });
                    self.counted.push(signature);
                    tell(&Sighting {
                        signature,
                        line,
                        stamp,
                        captures,
                        text,
                    });
                }
            }
            at = if to == end { end } else { to.min(hit + WINDOW / 4) };
        }
        let whole = memrchr(b'\n', chunk).map_or(0, |at| at + 1);
        self.lines += newlines(chunk) + self.parts.between(0, whole);
        self.stamp = before(chunk, !self.continues).or(self.stamp);
        if !self.continues {
            // Only kept in case that the line goes on.
            self.head.clear();
            self.head.extend_from_slice(&chunk[..until.min(HEAD)]);
        }
    }
}

fn newlines(text: &[u8]) -> u64 {
    memchr_iter(b'\n', text).count() as u64
}

/// The time of the last line that has one, as far as is looked back; `whole` says that the text begins with a line.
fn before(text: &[u8], whole: bool) -> Option<Stamp> {
    let cut = text.len().saturating_sub(LOOK_BACK);
    let whole = whole && cut == 0;
    let mut text = &text[cut..];
    while !text.is_empty() {
        let newline = memrchr(b'\n', &text[..text.len() - 1]);
        // What the look back cuts off is no beginning of a line.
        if newline.is_none() && !whole {
            return None;
        }
        let start = newline.map_or(0, |at| at + 1);
        if let Some(stamp) = Stamp::of(&text[start..]) {
            return Some(stamp);
        }
        text = &text[..start];
    }
    None
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
