//! The answer of a predicate: seen or not, when, and in words.

use std::time::Duration;

/// The answer of a predicate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Finding {
    /// When it was first seen; `None` where it was not.
    pub at: Option<Duration>,
    /// What was seen, or what instead.
    pub why: String,
}

impl Finding {
    /// It was seen, at a time.
    pub fn seen(at: Duration, why: impl Into<String>) -> Self {
        Self {
            at: Some(at),
            why: why.into(),
        }
    }

    /// It was not seen.
    pub fn not_seen(why: impl Into<String>) -> Self {
        Self {
            at: None,
            why: why.into(),
        }
    }

    /// Seen at a time, if there is one.
    pub fn when(at: Option<Duration>, why: impl Into<String>) -> Self {
        Self { at, why: why.into() }
    }

    /// Whether it was seen.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.at.is_some()
    }

    /// Both: at the time of the later one; where one is missing, its words.
    pub fn and(self, other: Self) -> Self {
        match (self.at, other.at) {
            (Some(a), Some(b)) => Self::seen(a.max(b), format!("{}; {}", self.why, other.why)),
            (None, _) => self,
            (_, None) => other,
        }
    }

    /// Either: the earlier one.
    pub fn or(self, other: Self) -> Self {
        match (self.at, other.at) {
            (Some(a), Some(b)) if b < a => other,
            (Some(_), _) => self,
            (None, Some(_)) => other,
            (None, None) => Self::not_seen(format!("{}; {}", self.why, other.why)),
        }
    }
}
