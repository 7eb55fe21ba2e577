//! The minor release that a component belongs to: what APIs and fields come and go with.

use std::fmt;

/// A minor release, such as v1.24.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minor {
    major: u32,
    minor: u32,
}

impl Minor {
    /// Of these numbers.
    #[must_use]
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// Of a version as a binary says it; nothing for `unknown`, and for the `v0.0.0` that a build
    /// without a version says.
    #[must_use]
    pub fn of(version: &str) -> Option<Self> {
        let mut numbers = version.trim_start_matches('v').split('.');
        let mut number = || numbers.next()?.parse::<u32>().ok();
        let found = Self::new(number()?, number()?);
        (found > Self::new(0, 0)).then_some(found)
    }

    /// The release of Kubernetes that a scheduler's version stands for.
    ///
    /// Those that are made out of tree write v0 for its v1, as all that is published out of it does: v0.32.7 of
    /// sigs.k8s.io/scheduler-plugins is v1.32.7's. A fork that counts in its own way says nothing.
    #[must_use]
    pub fn of_scheduler(version: &str) -> Option<Self> {
        let found = Self::of(version)?;
        match found.major {
            0 | 1 if found.minor >= FIRST_HERE => Some(Self::new(1, found.minor)),
            1 => Some(found),
            _ => None,
        }
    }
}

/// The minor of the oldest Kubernetes that runs here.
const FIRST_HERE: u32 = 24;

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minors_are_ordered_as_numbers_and_unknown_is_none() {
        assert_eq!(Minor::of("v1.24.17"), Some(Minor::new(1, 24)));
        assert_eq!(Minor::of("3.6.16"), Some(Minor::new(3, 6)));
        assert_eq!(Minor::of("v1.37.0-rc.1"), Some(Minor::new(1, 37)));
        assert!(Minor::new(1, 9) < Minor::new(1, 24));
        for none in ["unknown", "", "v0.0.0", "v0.0.0-master", "v1", "v1.x.0"] {
            assert_eq!(Minor::of(none), None, "{none}");
        }
        assert_eq!(Minor::new(1, 24).to_string(), "v1.24");
    }

    #[test]
    fn a_scheduler_made_out_of_tree_is_of_the_same_minor() {
        for version in ["v1.32.7", "v0.32.7", "v0.32.7-3-g0123456789ab-dirty"] {
            assert_eq!(Minor::of_scheduler(version), Some(Minor::new(1, 32)), "{version}");
        }
        assert_eq!(Minor::of_scheduler("v1.23.0"), Some(Minor::new(1, 23)));
        for own in ["v0.1.0", "v2.3.0", "unknown"] {
            assert_eq!(Minor::of_scheduler(own), None, "{own}");
        }
    }
}
