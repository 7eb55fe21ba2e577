//! The minor release that a component belongs to: what APIs and fields come and go with.

use std::fmt;

/// A minor release, such as v1.24.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minor {
    major: u32,
    minor: u32,
}

impl Minor {
    /// The oldest release of Kubernetes that runs here: the generation of the study of 2023.
    pub const OLDEST_KUBERNETES: Self = Self::new(1, 24);

    /// Of these numbers.
    #[must_use]
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// Of a version as a [`Binary`](crate::component::Binary) has it; nothing for `unknown`, and for the `v0.0.0` that a build
    /// without a version says.
    #[must_use]
    pub fn of(version: &str) -> Option<Self> {
        let mut numbers = version.trim_start_matches('v').split('.');
        let mut number = || numbers.next()?.parse::<u32>().ok();
        let found = Self::new(number()?, number()?);
        (found > Self::new(0, 0)).then_some(found)
    }

    /// Which release of Kubernetes the version of a scheduler or a controller-manager means; nothing where it means
    /// none, as an out-of-tree one has versions of its own (scheduler-plugins v0.32.7).
    #[must_use]
    pub fn of_kubernetes(version: &str) -> Option<Self> {
        Self::of(version).filter(|minor| *minor >= Self::OLDEST_KUBERNETES)
    }
}

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
    fn a_version_of_its_own_is_no_release_of_kubernetes() {
        assert_eq!(Minor::of_kubernetes("v1.32.7"), Some(Minor::new(1, 32)));
        assert_eq!(Minor::of_kubernetes("v1.24.17"), Some(Minor::new(1, 24)));
        for own in ["v0.32.7", "v1.2.0", "unknown"] {
            assert_eq!(Minor::of_kubernetes(own), None, "{own}");
        }
    }
}
