//! The builds of a ledger in order. Pure.

use semver::Version;

use super::entry::Entry;

/// A build with its runs.
#[derive(Debug, Clone)]
pub struct Build<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Its runs, in the ledger's order.
    pub runs: Vec<&'a Entry>,
}

/// What a build's name says of its place: later builds are greater.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Day(u32, u32),
    Date(jiff::civil::Date),
    Release(Version),
}

impl Place {
    fn of(name: &str) -> Option<Self> {
        if let Some((month, day)) = day_of_year(name) {
            return Some(Self::Day(month, day));
        }
        if let Ok(date) = name.parse() {
            return Some(Self::Date(date));
        }
        let bare = name.strip_prefix('v').unwrap_or(name);
        Version::parse(bare).ok().map(Self::Release)
    }

    /// Whether both are of a kind, and the other is later.
    fn before(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other) && self < other
    }
}

/// Month and day of `06/18`.
pub(super) fn day_of_year(name: &str) -> Option<(u32, u32)> {
    let (month, day) = name.split_once('/')?;
    let (month, day) = (month.parse().ok()?, day.parse().ok()?);
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some((month, day))
}

/// The builds, oldest first.
///
/// Where names are dates or releases, these decide: a run of an old build that is added late stands where it belongs.
/// All others stand where the ledger first names them, which is the only order that is known of commits.
#[must_use]
pub fn chronicle<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<Build<'a>> {
    let mut builds: Vec<Build<'a>> = Vec::new();
    for entry in entries {
        if let Some(build) = builds.iter_mut().find(|build| build.name == entry.build) {
            build.runs.push(entry);
            continue;
        }
        let place = Place::of(&entry.build);
        let later = |build: &Build<'_>| match (&place, Place::of(build.name)) {
            (Some(mine), Some(theirs)) => mine.before(&theirs),
            _ => false,
        };
        let at = builds.iter().position(later).unwrap_or(builds.len());
        let build = Build {
            name: &entry.build,
            runs: vec![entry],
        };
        builds.insert(at, build);
    }
    builds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(names: &[&str]) -> Vec<String> {
        let entries: Vec<Entry> = names
            .iter()
            .map(|name| Entry {
                build: (*name).to_owned(),
                ..Entry::default()
            })
            .collect();
        chronicle(&entries)
            .iter()
            .map(|build| build.name.to_owned())
            .collect()
    }

    #[test]
    fn dates_and_releases_stand_where_they_belong_and_others_where_they_came() {
        assert_eq!(
            order(&["Pre", "04/05", "06/18", "05/21", "04/05"]),
            ["Pre", "04/05", "05/21", "06/18"]
        );
        assert_eq!(
            order(&["v1.36.3", "v1.30.14", "v1.9.0"]),
            ["v1.9.0", "v1.30.14", "v1.36.3"]
        );
        assert_eq!(order(&["2020-06-18", "2019-12-01"]), ["2019-12-01", "2020-06-18"]);
        assert_eq!(order(&["cafe", "beef", "cafe"]), ["cafe", "beef"]);
    }
}
