//! When a build has been asked often enough: a sequential probability ratio test. Pure.

use serde::{Deserialize, Serialize};

/// The error rates that a search accepts.
///
/// Wald's sequential test (Sequential Tests of Statistical Hypotheses, 1945) between a build that shows the failure in a part
/// `rarely` of its runs and one that shows it in a part `mostly`: it ends as soon as the runs so far are 1/error times as
/// likely under the one as under the other. With the defaults that is after three runs that agree.
///
/// Runs that disagree are held against a third kind of build, one that tosses a coin: it takes as much to rule that out, and
/// where the runs that are left can't, the build is flaky. A coin agrees with itself three times in one of four cases; a
/// smaller error asks for more.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Confidence {
    /// How often a build without the failure shows it all the same.
    pub rarely: f64,
    /// How often a build with the failure shows it.
    pub mostly: f64,
    /// How often either answer may be wrong.
    pub error: f64,
    /// How many runs a build gets at most, those without a verdict not counted.
    pub most: u32,
    /// How many runs without a verdict a build gets at most.
    pub black: u32,
}

impl Default for Confidence {
    fn default() -> Self {
        Self {
            rarely: 0.1,
            mostly: 0.9,
            error: 0.01,
            most: 9,
            black: 3,
        }
    }
}

/// So many times a ratio of likelihoods, as a logarithm.
fn ratio(times: u32, likelihoods: f64) -> f64 {
    f64::from(times) * likelihoods.ln()
}

/// How the runs of a build ended so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// With the failure.
    pub shown: u32,
    /// Without it.
    pub absent: u32,
    /// Without a verdict.
    pub black: u32,
}

/// What the runs of a build come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It has the failure.
    Bad,
    /// It has not.
    Good,
    /// Its runs don't agree, however often it is asked.
    Flaky,
    /// Its runs have no verdict.
    Black,
}

impl Confidence {
    /// What the runs so far come to; nothing where one more is needed.
    #[must_use]
    pub fn answer(&self, tally: Tally) -> Option<Answer> {
        let Tally { shown, absent, black } = tally;
        let left = self.most.saturating_sub(shown + absent);
        // A rounding error is no reason for one run more.
        let bound = ((1.0 - self.error) / self.error).ln() - 1e-9;
        let ratio = ratio(shown, self.mostly / self.rarely)
            + ratio(absent, (1.0 - self.mostly) / (1.0 - self.rarely));
        let likely = [(ratio, Answer::Bad), (-ratio, Answer::Good)];
        let likely = likely.into_iter().find(|(ratio, _)| *ratio >= bound);
        let answer = likely.map(|(_, answer)| answer);
        if shown > 0 && absent > 0 {
            let coin = |shown: u32, absent: u32| self.against_a_coin(shown, absent);
            return match answer {
                Some(answer) if coin(shown, absent) >= bound => Some(answer),
                _ if left == 0 || coin(shown + left, absent).max(coin(shown, absent + left)) < bound => {
                    Some(Answer::Flaky)
                }
                _ => None,
            };
        }
        if answer.is_some() {
            answer
        } else if left == 0 {
            Some(Answer::Flaky)
        } else if black >= self.black {
            Some(Answer::Black)
        } else {
            None
        }
    }

    /// How much likelier runs are under the kind of build that they look like than under a coin, as a logarithm.
    fn against_a_coin(&self, shown: u32, absent: u32) -> f64 {
        let often = if shown > absent { self.mostly } else { self.rarely };
        ratio(shown, 2.0 * often) + ratio(absent, 2.0 * (1.0 - often))
    }

    /// How many runs that agree make an answer.
    #[must_use]
    pub fn agreeing(&self) -> u32 {
        let all = |tally: fn(u32) -> Tally| (1..=self.most).find(|n| self.answer(tally(*n)).is_some());
        let shown = all(|shown| Tally {
            shown,
            ..Tally::default()
        });
        let absent = all(|absent| Tally {
            absent,
            ..Tally::default()
        });
        shown.max(absent).unwrap_or(self.most)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tally(shown: u32, absent: u32, black: u32) -> Tally {
        Tally { shown, absent, black }
    }

    #[test]
    fn three_that_agree_are_enough_and_those_that_don_t_are_flaky() {
        let test = Confidence::default();
        assert_eq!(test.answer(tally(0, 0, 0)), None);
        assert_eq!(test.answer(tally(2, 0, 0)), None);
        assert_eq!(test.answer(tally(3, 0, 0)), Some(Answer::Bad));
        assert_eq!(test.answer(tally(0, 3, 2)), Some(Answer::Good));
        assert_eq!(
            test.answer(tally(1, 1, 0)),
            Some(Answer::Flaky),
            "nine runs can't rule a coin out"
        );
        let patient = Confidence { most: 30, ..test };
        assert_eq!(patient.answer(tally(3, 1, 0)), None);
        assert_eq!(patient.answer(tally(12, 1, 0)), Some(Answer::Bad));
        assert_eq!(patient.answer(tally(9, 9, 0)), Some(Answer::Flaky));
        assert_eq!(test.answer(tally(1, 0, 3)), Some(Answer::Black));
        assert_eq!(test.agreeing(), 3);
    }

    proptest! {
        /// Of builds that show the failure as often as the test takes for granted, no more are misjudged than it says.
        #[test]
        fn wrong_answers_are_as_rare_as_stated(seed in 0_u64..50) {
            let test = Confidence { most: 1_000, ..Confidence::default() };
            let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            let mut wrong = 0;
            for _ in 0..400 {
                let mut runs = Tally::default();
                let answer = loop {
                    // xorshift64
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    if (state >> 11) as f64 / ((1_u64 << 53) as f64) < test.mostly {
                        runs.shown += 1;
                    } else {
                        runs.absent += 1;
                    }
                    if let Some(answer) = test.answer(runs) {
                        break answer;
                    }
                };
                wrong += u32::from(answer == Answer::Good);
            }
            // 1 % of 400 are 4; six standard deviations more are 16.
            prop_assert!(wrong <= 16, "{wrong} of 400");
        }
    }
}
