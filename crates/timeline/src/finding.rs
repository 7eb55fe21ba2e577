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

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Duration = Duration::from_secs(1);
    const TWO: Duration = Duration::from_secs(2);

    #[test]
    fn both_are_seen_when_the_later_one_is() {
        let both = Finding::seen(TWO, "a").and(Finding::seen(ONE, "b"));
        assert_eq!(both, Finding::seen(TWO, "a; b"));
        assert_eq!(
            Finding::seen(ONE, "a").and(Finding::not_seen("no b")),
            Finding::not_seen("no b")
        );
        assert_eq!(
            Finding::not_seen("no a").and(Finding::seen(ONE, "b")),
            Finding::not_seen("no a")
        );
    }

    #[test]
    fn either_is_seen_when_the_earlier_one_is() {
        let (early, late) = (Finding::seen(ONE, "a"), Finding::seen(TWO, "b"));
        assert_eq!(early.clone().or(late.clone()), early);
        assert_eq!(late.clone().or(early.clone()), early);
        assert_eq!(Finding::not_seen("no a").or(late.clone()), late);
        assert_eq!(
            Finding::not_seen("no a").or(Finding::not_seen("no b")),
            Finding::not_seen("no a; no b")
        );
        assert!(!Finding::when(None, "never").holds());
    }
}
