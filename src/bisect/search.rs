//! Which build to ask next, and what all answers come to: a search by halves. Pure.

use std::ops::Range;

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
    let old = before(known, new);
    if let Some(at) = nearest(known, old + 1..new, 1, 1, &[]) {
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

/// What to ask next on several machines at once, in order: at most so many builds. With one machine that is what [`next`]
/// asks.
///
/// Both ends; then what parts the builds between the last of the old and the first of the new into rows of one length; then
/// what confirms the change. Where each build tells something, several machines never need more rounds than one. Where some
/// tell nothing they may, by as many rounds as halves happen to meet fewer of those than thirds do.
#[must_use]
pub fn next_together(known: &[Known], machines: usize) -> Vec<usize> {
    if matches!(next(known), Next::Over(_)) {
        return Vec::new();
    }
    let ends = [0, known.len() - 1];
    let mut ask: Vec<usize> = ends
        .into_iter()
        .filter(|&at| known[at] == Known::Unasked)
        .collect();
    if ask.is_empty() {
        let new = changes(known).first().copied().unwrap_or_default();
        let open = before(known, new) + 1..new;
        for part in 1..=machines {
            ask.extend(nearest(known, open.clone(), part, machines, &ask));
        }
    }
    if ask.is_empty() {
        // What confirms the change. An answer that ends the search makes the others of its round needless, not wrong.
        let mut silent = known.to_vec();
        while let Next::Ask(at) = next(&silent)
            && ask.len() < machines.max(1)
        {
            silent[at] = Known::Unbuildable;
            ask.push(at);
        }
    }
    ask.dedup();
    ask.truncate(machines.max(1));
    ask.sort_unstable();
    ask
}

/// The builds that answer otherwise than the last before them that tells anything.
fn changes(known: &[Known]) -> Vec<usize> {
    let telling: Vec<usize> = (0..known.len()).filter(|&at| known[at].tells()).collect();
    let pairs = telling.windows(2).filter(|pair| known[pair[0]] != known[pair[1]]);
    pairs.map(|pair| pair[1]).collect()
}

/// The last build before another that tells anything.
fn before(known: &[Known], at: usize) -> usize {
    (0..at).rfind(|&at| known[at].tells()).unwrap_or_default()
}

/// The build among some that was not asked, is none of `but`, and is nearest to the place that parts them: the `part`th of
/// `places` at equal distances, the middle if there is one.
fn nearest(known: &[Known], open: Range<usize>, part: usize, places: usize, but: &[usize]) -> Option<usize> {
    let point = open.start + open.len() * part / (places + 1);
    let unasked = open.filter(|at| known[*at] == Known::Unasked && !but.contains(at));
    unasked.min_by_key(|&at| (at.abs_diff(point), at))
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

    /// The same with several machines: how it ended, and in how many rounds.
    fn together(truth: &[Known], machines: usize) -> (End, usize) {
        let mut known = vec![Known::Unasked; truth.len()];
        for round in 0.. {
            let ask = next_together(&known, machines);
            assert!(ask.len() <= machines && ask.is_sorted(), "{ask:?}");
            for &at in &ask {
                assert_eq!(known[at], Known::Unasked, "asked twice");
                known[at] = truth[at];
            }
            if let Next::Over(end) = next(&known) {
                assert_eq!(next_together(&known, machines), [0; 0]);
                return (end, round + 1);
            }
            assert!(!ask.is_empty());
        }
        unreachable!()
    }

    proptest! {
        #[test]
        fn several_machines_find_what_one_finds(
            truth in proptest::collection::vec(prop_oneof![
                4 => Just(0_u8), 1 => Just(1), 1 => Just(2)], 2..60),
            at in 1_usize..59,
            machines in 1_usize..6,
        ) {
            let len = truth.len();
            let at = at.min(len - 1);
            let truth: Vec<Known> = truth.iter().enumerate().map(|(n, kind)| match kind {
                1 if n > 0 && n + 1 < len => Known::Unbuildable,
                2 if n > 0 && n + 1 < len => Known::Answered(Answer::Flaky),
                _ if n < at => Known::Answered(Answer::Good),
                _ => Known::Answered(Answer::Bad),
            }).collect();
            let (together, rounds) = together(&truth, machines);
            prop_assert_eq!(&together, &search(&truth).0);
            prop_assert!(rounds <= bound(&truth), "{} rounds", rounds);
        }
    }

    #[test]
    fn several_machines_need_no_more_rounds_than_one_where_each_build_tells_something() {
        for builds in 2..150 {
            for bad in 1..builds {
                let truth = history(builds, bad);
                let one = search(&truth).1;
                for machines in 2..6 {
                    let (end, rounds) = together(&truth, machines);
                    assert_eq!(end, End::Found(bad));
                    // Both ends at once are a round less already.
                    assert!(
                        rounds < one,
                        "{bad} of {builds}, {machines} machines: {rounds} rounds, {one}"
                    );
                }
            }
        }
    }

    /// Halves may meet fewer of the builds that tell nothing than thirds do: that is luck, and no law.
    #[test]
    fn two_machines_may_need_a_round_more_than_one_where_builds_tell_nothing() {
        let silent = |builds: usize, bad: usize, broken: std::ops::Range<usize>| {
            let mut truth = history(builds, bad);
            truth[broken].fill(BROKEN);
            truth
        };
        for (builds, bad, broken, rounds) in [(53, 26, 27..32, (8, 8)), (23, 10, 11..20, (8, 9))] {
            let truth = silent(builds, bad, broken);
            let (one, two) = (search(&truth), together(&truth, 2));
            assert_eq!((&one.0, &two.0), (&End::Found(bad), &End::Found(bad)));
            assert_eq!((one.1, two.1), rounds, "of {builds} builds");
        }
    }

    #[test]
    fn three_machines_need_half_the_rounds() {
        let truth: Vec<Known> = (0..1_000)
            .map(|n| Known::Answered(if n < 617 { Answer::Good } else { Answer::Bad }))
            .collect();
        let (one, three) = (together(&truth, 1).1, together(&truth, 3).1);
        assert!(three * 3 <= one * 2, "{three} rounds, and {one} of one machine");
    }

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

    /// The most that is asked of so many builds: both ends, halves, what confirms the change, and what tells nothing.
    fn bound(truth: &[Known]) -> usize {
        let silent = truth.iter().filter(|one| !one.tells()).count();
        2 + truth.len().ilog2() as usize + 1 + 4 + 2 * silent
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
            let (end, asked) = search(&truth);
            prop_assert!(asked <= bound(&truth), "{} asked", asked);
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
