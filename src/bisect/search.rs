//! Which build to ask next, and what all answers come to: a search by halves. Pure.

use serde::{Deserialize, Serialize};

use super::confidence::Answer;

/// What is known of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// It was not asked.
    Unasked,
    /// It was asked often enough.
    Answered(Answer),
    /// It can't be built.
    Unbuildable,
}

impl Known {
    fn is(self, answer: Answer) -> bool {
        self == Self::Answered(answer)
    }

    /// Whether it is asked again, or tells nothing.
    fn tells(self) -> bool {
        self.is(Answer::Good) || self.is(Answer::Bad)
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Next {
    /// Ask this build.
    Ask(usize),
    /// Nothing is left to ask.
    Over(End),
}

/// How a search ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// This build is the first that answers as the newest does; the one before it answers as the oldest.
    Found(usize),
    /// It is one of these: those before the last can't be built, or don't agree with themselves.
    Candidates(Vec<usize>),
    /// Answers go back and forth; each of these answers otherwise than the last before it that tells anything.
    BackAndForth(Vec<usize>),
    /// Both ends answer alike, or one tells nothing.
    NoDifference(String),
}

/// What to do next for builds in order, the oldest first.
///
/// First both ends; then halves, and where a build tells nothing its nearest neighbour. When the change is found, more builds
/// are asked on either side, until no row of builds that nobody looked at is longer than half of its side: halves alone never
/// see a history that goes back and forth. One that does so for fewer builds than that may still not be seen.
#[must_use]
pub fn next(known: &[Known]) -> Next {
    let (Some(&first), Some(&last)) = (known.first(), known.last()) else {
        return Next::Over(End::NoDifference("there are no builds".to_owned()));
    };
    for (end, at) in [(first, 0), (last, known.len() - 1)] {
        if end == Known::Unasked {
            return Next::Ask(at);
        }
    }
    if !first.tells() || !last.tells() {
        return Next::Over(End::NoDifference("one of the ends has no answer".to_owned()));
    }
    if first == last {
        return Next::Over(End::NoDifference("both ends have the same answer".to_owned()));
    }
    let changes = changes(known);
    if changes.len() > 1 {
        return Next::Over(End::BackAndForth(changes));
    }
    let new = changes[0];
    let old = (0..new).rfind(|&at| known[at].tells()).unwrap_or_default();
    if let Some(at) = nearest(known, old + 1, new) {
        return Next::Ask(at);
    }
    let confirmed = [(1, old), (new + 1, known.len() - 1)]
        .into_iter()
        .find_map(|(from, to)| unconfirmed(known, from, to));
    match confirmed {
        Some(at) => Next::Ask(at),
        None if new == old + 1 => Next::Over(End::Found(new)),
        None => Next::Over(End::Candidates((old + 1..=new).collect())),
    }
}

/// The builds that answer otherwise than the last before them that tells anything.
fn changes(known: &[Known]) -> Vec<usize> {
    let telling: Vec<usize> = (0..known.len()).filter(|&at| known[at].tells()).collect();
    let pairs = telling.windows(2).filter(|pair| known[pair[0]] != known[pair[1]]);
    pairs.map(|pair| pair[1]).collect()
}

/// The build in `from..to` that was not asked and is nearest to the middle.
fn nearest(known: &[Known], from: usize, to: usize) -> Option<usize> {
    let middle = from + to.saturating_sub(from) / 2;
    let unasked = (from..to).filter(|&at| known[at] == Known::Unasked);
    unasked.min_by_key(|&at| (at.abs_diff(middle), at))
}

/// The middle of the longest row of builds on one side of the change that were not asked, if it is more than half of them.
fn unconfirmed(known: &[Known], from: usize, to: usize) -> Option<usize> {
    let mut longest = (0, from);
    let mut row = 0;
    for (at, one) in known.iter().enumerate().take(to).skip(from) {
        row = if *one == Known::Unasked { row + 1 } else { 0 };
        longest = longest.max((row, at));
    }
    let (row, last) = longest;
    (row * 2 > to.saturating_sub(from)).then(|| last - row / 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Asks until it is over; how it ended, and how many builds were asked.
    fn search(truth: &[Known]) -> (End, usize) {
        let mut known = vec![Known::Unasked; truth.len()];
        let mut asked = 0;
        loop {
            match next(&known) {
                Next::Ask(at) => {
                    assert_eq!(known[at], Known::Unasked, "asked twice");
                    known[at] = truth[at];
                    asked += 1;
                }
                Next::Over(end) => return (end, asked),
            }
        }
    }

    const GOOD: Known = Known::Answered(Answer::Good);
    const BAD: Known = Known::Answered(Answer::Bad);
    const FLAKY: Known = Known::Answered(Answer::Flaky);
    const BROKEN: Known = Known::Unbuildable;

    fn history(builds: usize, bad: usize) -> Vec<Known> {
        (0..builds).map(|at| if at < bad { GOOD } else { BAD }).collect()
    }

    #[test]
    fn the_first_bad_build_is_found_among_those_that_tell_nothing() {
        let mut truth = history(30, 17);
        (truth[15], truth[8], truth[22]) = (BROKEN, BROKEN, FLAKY);
        assert_eq!(search(&truth).0, End::Found(17));
        // The same for a cure: the first that is good.
        let cured: Vec<Known> = truth
            .iter()
            .map(|one| match *one {
                GOOD => BAD,
                BAD => GOOD,
                other => other,
            })
            .collect();
        assert_eq!(search(&cured).0, End::Found(17));
    }

    #[test]
    fn what_can_t_be_told_from_its_neighbours_is_a_candidate_with_them() {
        let mut truth = history(10, 6);
        (truth[4], truth[5]) = (BROKEN, FLAKY);
        assert_eq!(search(&truth).0, End::Candidates(vec![4, 5, 6]));
    }

    #[test]
    fn a_history_that_goes_back_and_forth_is_named() {
        let mut truth = history(16, 6);
        truth[10..13].fill(GOOD);
        let End::BackAndForth(changes) = search(&truth).0 else {
            panic!("{:?}", search(&truth))
        };
        assert!(
            changes.len() == 3 && (10..13).contains(&changes[1]),
            "{changes:?}"
        );
    }

    #[test]
    fn ends_that_don_t_differ_are_no_search() {
        assert!(matches!(search(&history(5, 5)).0, End::NoDifference(_)));
        assert!(matches!(search(&[GOOD, BAD, FLAKY]).0, End::NoDifference(_)));
        assert!(matches!(search(&[]).0, End::NoDifference(_)));
        assert_eq!(search(&[GOOD, BAD]), (End::Found(1), 2));
    }

    proptest! {
        #[test]
        fn any_history_with_one_change_is_searched_right(
            builds in 2_usize..200, change in 1_usize..200, silent in proptest::collection::vec(0_usize..200, 0..10)
        ) {
            let change = change.min(builds - 1);
            let mut truth = history(builds, change);
            for at in silent {
                if at > 0 && at + 1 < builds {
                    truth[at] = BROKEN;
                }
            }
            let few = truth.iter().filter(|one| **one == BROKEN).count();
            let (end, asked) = search(&truth);
            // Halves, both ends, those that confirm, and those that tell nothing.
            prop_assert!(asked <= builds.ilog2() as usize + 1 + 2 + 4 + 2 * few, "{asked}");
            match end {
                End::Found(at) => prop_assert_eq!(at, change),
                End::Candidates(all) => {
                    prop_assert!(all.contains(&change) || truth[change] == BROKEN);
                    prop_assert!(all[..all.len() - 1].iter().all(|&at| truth[at] == BROKEN));
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
