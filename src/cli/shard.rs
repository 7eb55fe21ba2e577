//! One of several parts of all arms, each for a machine of its own: `--shard 2/5`.

use std::fmt;
use std::str::FromStr;

/// The K-th of N parts, K from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    part: usize,
    of: usize,
}

impl Shard {
    /// The whole, as one part.
    pub const WHOLE: Self = Self { part: 1, of: 1 };

    /// What of `all` is in this part, in its order.
    ///
    /// Every item is in exactly one part, and in the same one whenever `all` is the same: from the heaviest on, each
    /// goes to the part that has least so far.
    #[must_use]
    pub fn of<T>(self, all: Vec<T>, weight: impl Fn(&T) -> u64) -> Vec<T> {
        let mut heaviest: Vec<(usize, u64)> = all.iter().map(weight).enumerate().collect();
        heaviest.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
        let mut loads = vec![0_u64; self.of];
        let mut mine = vec![false; all.len()];
        for (at, weight) in heaviest {
            let (part, load) = loads
                .iter_mut()
                .enumerate()
                .min_by_key(|(_, load)| **load)
                .expect("there is at least one part");
            // What weighs nothing must not all go to one part.
            *load += weight.max(1);
            mine[at] = part + 1 == self.part;
        }
        let mut mine = mine.into_iter();
        all.into_iter().filter(|_| mine.next().unwrap_or(false)).collect()
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text
            .split_once('/')
            .and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((part @ 1.., of @ 1..=1_000)) if part <= of => Ok(Self { part, of }),
            Some((0, _)) => Err("parts are counted from 1, as in 1/3".to_owned()),
            Some((part, of)) if of <= 1_000 => Err(format!("there is no part {part} of {of}")),
            _ => Err("write K/N, as in 1/3; N is 1000 at most".to_owned()),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_counted_from_one() {
        assert_eq!("2/5".parse::<Shard>().unwrap().to_string(), "2/5");
        for (text, why) in [
            ("0/3", "counted from 1"),
            ("4/3", "no part 4 of 3"),
            ("1/0", "no part 1 of 0"),
            ("1", "K/N"),
            ("-1/2", "K/N"),
            ("1/2/3", "K/N"),
            ("1/1001", "1000 at most"),
            ("", "K/N"),
        ] {
            let error = text.parse::<Shard>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn every_arm_is_in_exactly_one_part(weights in prop::collection::vec(0_u64..200, 0..40), of in 1_usize..12) {
            let all: Vec<(usize, u64)> = weights.into_iter().enumerate().collect();
            let mut together = Vec::new();
            let mut loads = Vec::new();
            for part in 1..=of {
                let mine = Shard { part, of }.of(all.clone(), |(_, weight)| *weight);
                prop_assert!(mine.is_sorted(), "the order has changed: {mine:?}");
                loads.push(mine.iter().map(|(_, weight)| (*weight).max(1)).sum::<u64>());
                together.extend(mine);
            }
            together.sort_unstable();
            prop_assert_eq!(&together, &all);
            // No part has more than the least one by more than the heaviest arm.
            let heaviest = all.iter().map(|(_, weight)| (*weight).max(1)).max().unwrap_or(0);
            let (most, least) = (loads.iter().max().unwrap_or(&0), loads.iter().min().unwrap_or(&0));
            prop_assert!(most - least <= heaviest, "{loads:?}");
        }
    }
}
