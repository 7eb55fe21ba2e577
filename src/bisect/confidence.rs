//! When a build has been asked often enough: a sequential probability ratio test. Pure.

use serde::{Deserialize, Serialize};

/// The error rates that a search accepts.
///
/// Wald's sequential test (Sequential Tests of Statistical Hypotheses, 1945) between a build that shows the failure in a part
/// `rarely` of its runs and one that shows it in a part `mostly`: it ends as soon as the runs so far are 1/error times as
/// likely under the one as under the other. With the defaults that is after three runs that agree.
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
        let shown = f64::from(tally.shown) * (self.mostly / self.rarely).ln();
        let absent = f64::from(tally.absent) * ((1.0 - self.mostly) / (1.0 - self.rarely)).ln();
        let bound = ((1.0 - self.error) / self.error).ln();
        let ratio = shown + absent;
        if ratio >= bound {
            Some(Answer::Bad)
        } else if ratio <= -bound {
            Some(Answer::Good)
        } else if tally.shown + tally.absent >= self.most {
            Some(Answer::Flaky)
        } else if tally.black >= self.black {
            Some(Answer::Black)
        } else {
            None
        }
    }

    /// How many runs that agree make an answer.
    #[must_use]
    pub fn agreeing(&self) -> u32 {
        let all = |tally: fn(u32) -> Tally| (1..=self.most).find(|n| self.answer(tally(*n)) != None);
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
        assert_eq!(test.answer(tally(3, 1, 0)), None);
        assert_eq!(test.answer(tally(4, 1, 0)), Some(Answer::Bad));
        assert_eq!(test.answer(tally(5, 4, 0)), Some(Answer::Flaky));
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
                wrong += u32::from(answer != Answer::Bad);
            }
            // 1 % of 400 are 4; six standard deviations more are 16.
            prop_assert!(wrong <= 16, "{wrong} of 400");
        }
    }
}
