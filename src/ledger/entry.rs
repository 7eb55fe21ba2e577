//! One run, as a line of a ledger has it. Plain data.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use kubeclash_timeline::{Label, LoadStep};

/// What a line says of its run: the beginning of the SHA-256 of its content.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(String);

/// How many hexadecimal digits an id has: two of a million runs would share one once in 10¹³ ledgers.
const ID_DIGITS: usize = 16;

impl Id {
    fn of(content: &[u8]) -> Self {
        let digest = Sha256::digest(content);
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(digits[..ID_DIGITS].to_owned())
    }

    /// Whether no id was given.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One run of one build.
///
/// The order of the fields is that of a line; what is not known is left out of it. Fields that this kubeclash does
/// not know are passed over, so that a later one may add some.
///
/// # Examples
///
/// ```
/// use kubeclash::ledger::Entry;
/// use kubeclash_timeline::Label;
///
/// let entry: Entry = serde_json::from_str(r#"{"build":"06/18","commits":["91f3f2bb"],"verdict":"red"}"#)?;
/// assert_eq!(entry.verdict, Some(Label::Red));
/// assert!(serde_json::from_str::<Entry>(r#"{"build":"06/18","verdict":"purple"}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// What tells this run from all others; computed where a line has none.
    #[serde(default, skip_serializing_if = "Id::is_none")]
    pub id: Id,
    /// The build, by its name or its date: `06/18`, `v1.36.3`, a commit.
    pub build: String,
    /// The commits that it was built from: one, if whoever wrote it down was careful.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<String>,
    /// The SHA-256 of each binary that took part, by component.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub binaries: BTreeMap<String, String>,
    /// When it was run, as it was written down: `Sep 22`, or a time of RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Who, or what, ran it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<String>,
    /// What was asked of the build, where a search asked it: only answers to the same question can be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// What was run, and how.
    #[serde(default, skip_serializing_if = "Setup::is_empty")]
    pub setup: Setup,
    /// What the build was labelled with; nothing where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Label>,
    /// The last step of the load test that began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<LoadStep>,
    /// What was counted or measured, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, f64>,
    /// Where its logs and reports are: paths and addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// What it was, in a line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What was written down of it, word for word.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Where that was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// What was run, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// The test, as in `density + load`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// In what this run differs from those around it, as in `with WCM`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
    /// What all runs of the source have in common, as in `5000 nodes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub common: Vec<String>,
    /// The environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// The command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<String>,
}

impl Setup {
    /// Whether nothing is known of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What all runs have in common that is about the same as what this one differs in: `WCM disabled` of `with WCM`.
    #[must_use]
    pub fn against(&self, differs: &str) -> Option<&str> {
        let about = differs.rsplit(' ').next()?;
        let item = self
            .common
            .iter()
            .find(|item| item.split_whitespace().any(|word| word == about));
        item.map(String::as_str)
    }

    /// The variables of the environment.
    #[must_use]
    pub fn variables(&self) -> BTreeMap<&str, &str> {
        let words = self.env.as_deref().unwrap_or_default().split_whitespace();
        words.filter_map(|word| word.split_once('=')).collect()
    }
}

/// Where a run was written down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The file's name.
    pub file: PathBuf,
    /// The line of its heading, counted from 1; its text begins on the next one.
    pub line: usize,
}

impl Entry {
    /// The same, named by its content. Where it was written down is none of that: a diary that has grown a line at
    /// its top tells of the same runs.
    #[must_use]
    pub fn named(mut self) -> Self {
        self.figures
            .values_mut()
            .for_each(|figure| *figure = plain(*figure));
        self.id = self.content();
        self
    }

    /// The id that its content has.
    #[must_use]
    pub fn content(&self) -> Id {
        let bare = Self {
            id: Id::default(),
            source: None,
            ..self.clone()
        };
        Id::of(&serde_json::to_vec(&bare).expect("an entry is plain data"))
    }

    /// It as a line, with its newline.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("an entry is plain data");
        line.push('\n');
        line
    }

    /// The first commit, as short as people write it.
    #[must_use]
    pub fn short_commit(&self) -> Option<&str> {
        self.commits.first().map(|commit| short(commit))
    }

    /// What it is called in a sentence about the file that it is in: `line 135`; elsewhere by its id.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.source {
            Some(source) => format!("line {}", source.line),
            None => format!("run {}", self.id),
        }
    }

    /// Its verdict in a word.
    #[must_use]
    pub fn verdict_name(&self) -> String {
        self.verdict
            .map_or("no verdict".to_owned(), |label| label.to_string())
    }
}

/// A number with 15 digits: as many as come back out of a file as they went in. No measurement has more.
fn plain(figure: f64) -> f64 {
    format!("{figure:.14e}").parse().unwrap_or(figure)
}

/// A commit as short as people write it.
#[must_use]
pub(super) fn short(commit: &str) -> &str {
    commit.get(..8).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_has_its_fields_in_order_and_no_more_than_is_known() {
        let entry = Entry {
            verdict: Some(Label::Black),
            build: "06/12".to_owned(),
            figures: [("failures".to_owned(), 1.0)].into(),
            ..Entry::default()
        };
        assert_eq!(
            entry.line(),
            "{\"build\":\"06/12\",\"verdict\":\"black\",\"figures\":{\"failures\":1.0}}\n"
        );
        let named = entry.clone().named();
        assert_eq!(named.id.to_string().len(), ID_DIGITS);
        assert_ne!(
            named.id,
            Entry {
                build: "06/13".to_owned(),
                ..entry
            }
            .named()
            .id
        );
    }

    #[test]
    fn the_same_run_written_down_elsewhere_has_the_same_id() {
        let entry = Entry {
            build: "06/12".to_owned(),
            ..Entry::default()
        };
        let moved = Entry {
            source: Some(Source {
                file: "b.md".into(),
                line: 9,
            }),
            ..entry.clone()
        };
        assert_eq!(entry.named().id, moved.named().id);
    }

    #[test]
    fn what_a_later_kubeclash_adds_is_passed_over() {
        let entry: Entry = serde_json::from_str(r#"{"build":"x","weather":"fine"}"#).unwrap();
        assert_eq!(entry.build, "x");
        assert!(serde_json::from_str::<Entry>(r#"{"commits":[]}"#).is_err());
    }

    proptest! {
        #[test]
        fn any_text_comes_back_out_of_its_one_line(build in ".*", text in "(?s).*", figure in -1e12_f64..1e12) {
            let entry = Entry {
                build,
                text,
                figures: [("x".to_owned(), figure)].into(),
                ..Entry::default()
            }.named();
            let line = entry.line();
            prop_assert_eq!(line.matches('\n').count(), 1);
            let back: Entry = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(back.content(), back.id.clone());
            prop_assert_eq!(back, entry);
        }
    }
}
