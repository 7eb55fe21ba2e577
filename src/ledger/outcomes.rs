//! What people write of how a test ended: `density test passed, load test failed but completed`.

use std::sync::LazyLock;

use regex::Regex;

static ENDED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)\b(?P<names>[a-z][\w-]*(?:\s*(?:,|\+|&|\band\b)\s*[a-z][\w-]*)*)\s+tests?\s+",
        r"(?:has |have |was |were |is |are )?(?P<first>passed|failed|completed|crashed|aborted|in progress)",
        r"(?:\s+(?:but|and)\s+(?P<second>passed|failed|completed|crashed|aborted))?",
    ))
    .expect("it is an expression")
});

/// That a test ended somehow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// The test, as in `load`.
    pub(super) test: String,
    /// How it ended, in the words of whoever wrote it.
    pub(super) how: Vec<String>,
    /// The line within the text, counted from 0.
    pub(super) line: usize,
}

impl Said {
    /// The words of both that can't both be true.
    pub(super) fn against(&self, other: &Self) -> Option<(String, String)> {
        if self.test != other.test {
            return None;
        }
        let pairs = self
            .how
            .iter()
            .flat_map(|mine| other.how.iter().map(move |theirs| (mine, theirs)));
        pairs
            .map(|(mine, theirs)| (mine.clone(), theirs.clone()))
            .find(|(mine, theirs)| excludes(mine, theirs) || excludes(theirs, mine))
    }
}

/// Whether a test that ended in one way can't have ended in the other. One can have failed and completed.
fn excludes(one: &str, other: &str) -> bool {
    match one {
        "in progress" => other != one,
        "passed" => ["failed", "crashed", "aborted"].contains(&other),
        "completed" => ["crashed", "aborted"].contains(&other),
        _ => false,
    }
}

/// How each test that a text names ended.
pub(super) fn outcomes(text: &str) -> Vec<Said> {
    let mut said = Vec::new();
    for (line, words) in text.lines().enumerate() {
        for found in ENDED.captures_iter(words) {
            let how = ["first", "second"].iter().filter_map(|name| found.name(name));
            let how: Vec<String> = how.map(|how| how.as_str().to_lowercase()).collect();
            said.extend(tests(&found["names"]).into_iter().map(|test| Said {
                test,
                how: how.clone(),
                line,
            }));
        }
    }
    said
}

/// The tests of a list such as `density + load`.
pub(super) fn tests(names: &str) -> Vec<String> {
    let names = names
        .to_lowercase()
        .replace(" and ", " + ")
        .replace([',', '&'], "+");
    names
        .split('+')
        .map(|name| name.trim().trim_end_matches(" test").to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(String, String)> {
        outcomes(text)
            .into_iter()
            .map(|said| (said.test, said.how.join(" but ")))
            .collect()
    }

    fn pair(test: &str, how: &str) -> (String, String) {
        (test.to_owned(), how.to_owned())
    }

    #[test]
    fn each_test_of_a_list_ended_alike() {
        assert_eq!(
            of("density and load tests failed but completed with timeouts"),
            [
                pair("density", "failed but completed"),
                pair("load", "failed but completed")
            ]
        );
        assert_eq!(
            of("Density test passed. Load test completed with object timeouts."),
            [pair("density", "passed"), pair("load", "completed")]
        );
        assert_eq!(
            of("The load test completed with 1 failure"),
            [pair("load", "completed")]
        );
        assert_eq!(of("08/11 - load test in progress"), [pair("load", "in progress")]);
        assert_eq!(of("nothing was tested"), []);
    }

    #[test]
    fn what_can_not_both_be_true_is_told() {
        for (one, other, against) in [
            ("load test crashed", "load test completed", true),
            ("load test failed but completed", "load test completed", false),
            ("density test failed", "density test passed", true),
            ("density test failed", "load test passed", false),
            ("load test in progress", "load test completed", true),
        ] {
            let (one, other) = (outcomes(one).remove(0), outcomes(other).remove(0));
            assert_eq!(one.against(&other).is_some(), against, "{one:?} {other:?}");
            assert_eq!(other.against(&one).is_some(), against);
        }
    }
}
