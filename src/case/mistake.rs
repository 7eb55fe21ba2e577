//! What is wrong with a case: every mistake with its file, line and column, and what to do about it.

use std::fmt;

use serde::Serialize;

/// A place in a text: line and column, both counted from 1; a column is a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// Where a text begins.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A mistake in a text, before it is said in which file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flaw {
    /// Where.
    pub place: Place,
    /// What is wrong, in a sentence without a full stop.
    pub what: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Flaw {
    /// A flaw at a place.
    pub fn new(place: Place, what: impl Into<String>) -> Self {
        Self {
            place,
            what: what.into(),
            help: None,
        }
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, with the nearest of some words where one is near.
    #[must_use]
    pub fn nearest<S: AsRef<str>>(self, word: &str, known: impl IntoIterator<Item = S>) -> Self {
        self.meant(nearest(word, known).as_deref())
    }

    /// With the word that was probably meant, if there is one.
    pub fn meant(mut self, near: Option<&str>) -> Self {
        if let Some(near) = near {
            self.what = format!("{}: did you mean \"{near}\"?", self.what);
        }
        self
    }

    /// As a mistake of a file.
    #[must_use]
    pub fn in_file(self, file: &str) -> Mistake {
        Mistake {
            file: file.to_owned(),
            line: self.place.line,
            column: self.place.column,
            what: self.what,
            help: self.help,
        }
    }
}

/// A mistake in a file of a case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Mistake {
    /// The file, as it is called in the case's folder.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted from 1 in characters.
    pub column: usize,
    /// What is wrong, in a sentence without a full stop.
    pub what: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// Everything that is wrong with a case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CaseError {
    /// The case's folder, as the user has named it.
    pub folder: String,
    /// The mistakes, by file, line and column.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for CaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.folder.trim_end_matches('/');
        match self.mistakes.len() {
            1 => write!(f, "a mistake in the case \"{folder}\"")?,
            count => write!(f, "{count} mistakes in the case \"{folder}\"")?,
        }
        for mistake in &self.mistakes {
            let Mistake {
                file,
                line,
                column,
                what,
                help,
            } = mistake;
            write!(f, "\n{folder}/{file}:{line}:{column}: {what}")?;
            if let Some(help) = help {
                write!(f, "\n  help: {help}")?;
            }
        }
        Ok(())
    }
}

impl miette::Diagnostic for CaseError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(
            "\"kubeclash case check DIR\" shows all mistakes, and runs nothing",
        ))
    }
}

/// The one of some words that a word was probably meant to be.
pub fn nearest<S: AsRef<str>>(word: &str, known: impl IntoIterator<Item = S>) -> Option<String> {
    // A word as long as a page is no slip of the pen, and comparing it takes its time.
    if word.chars().count() > 100 {
        return None;
    }
    let small = word.to_lowercase().replace('_', "-");
    known
        .into_iter()
        .filter_map(|known| {
            let known = known.as_ref();
            let distance = strsim::damerau_levenshtein(&small, &known.to_lowercase());
            let length = word.chars().count().max(known.chars().count());
            // Half of a word differs from anything.
            (distance <= (length / 3).max(1) && distance < length).then(|| (distance, known.to_owned()))
        })
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_a_slip_of_the_pen_away() {
        let known = ["apply", "delete", "server-side", "at-least"];
        assert_eq!(nearest("aply", known).as_deref(), Some("apply"));
        assert_eq!(nearest("server_side", known).as_deref(), Some("server-side"));
        assert_eq!(nearest("Apply", known).as_deref(), Some("apply"));
        assert_eq!(nearest("x", known), None);
        assert_eq!(nearest("observe", known), None);
        assert_eq!(nearest(&"a".repeat(1_000), known), None);
    }

    #[test]
    fn a_mistake_is_shown_with_its_place_and_what_to_do() {
        let error = CaseError {
            folder: "mine/c9/".to_owned(),
            mistakes: vec![
                Flaw::new(Place { line: 3, column: 5 }, "steps[0]: unknown step \"aply\"")
                    .nearest("aply", ["apply"])
                    .help("a step is named by its first field")
                    .in_file("case.yaml"),
            ],
        };
        assert_eq!(
            error.to_string(),
            "a mistake in the case \"mine/c9\"\n\
             mine/c9/case.yaml:3:5: steps[0]: unknown step \"aply\": did you mean \"apply\"?\n  \
             help: a step is named by its first field"
        );
    }
}
