//! Histograms as Prometheus has them: counts at or below bounds; their quantiles, and what was added between two looks.

use super::measured::Quantiles;

/// Counts at or below ascending bounds, the last of which is infinite.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Histogram {
    buckets: Vec<(f64, f64)>,
}

/// A quantile, and whether it lies beyond the last finite bound, which it then is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quantile {
    pub(super) value: f64,
    pub(super) beyond: bool,
}

impl Histogram {
    /// Adds to the count of a bound.
    pub(super) fn add(&mut self, bound: f64, count: f64) {
        match self
            .buckets
            .binary_search_by(|(other, _)| other.total_cmp(&bound))
        {
            Ok(at) => self.buckets[at].1 += count,
            Err(at) => self.buckets.insert(at, (bound, count)),
        }
    }

    /// Adds another with the same bounds.
    pub(super) fn absorb(&mut self, other: &Self) {
        if self.buckets.is_empty() {
            self.buckets.clone_from(&other.buckets);
            return;
        }
        for &(bound, count) in &other.buckets {
            self.add(bound, count);
        }
    }

    /// How many were observed.
    pub(super) fn count(&self) -> f64 {
        self.buckets.last().map_or(0.0, |(_, count)| *count)
    }

    /// What was added since an earlier look. Where a count has gone down, the counter began anew: all of it was added
    /// since, as PromQL's `increase` has it.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let before = |bound: f64| {
            let found = earlier.buckets.iter().find(|(other, _)| *other == bound);
            found.map_or(0.0, |(_, count)| *count)
        };
        if self.buckets.iter().any(|&(bound, count)| count < before(bound)) {
            return self.clone();
        }
        let buckets = self.buckets.iter();
        Self {
            buckets: buckets
                .map(|&(bound, count)| (bound, count - before(bound)))
                .collect(),
        }
    }

    /// How many were above a bound; `None` where there is no such bound.
    pub(super) fn above(&self, bound: f64) -> Option<f64> {
        let (_, below) = self.buckets.iter().find(|(other, _)| *other == bound)?;
        Some(self.count() - below)
    }

    /// The quantile, as `bucketQuantile` of Prometheus (promql/quantile.go) has it: within a bucket, values lie evenly.
    pub(super) fn quantile(&self, q: f64) -> Option<Quantile> {
        let (last, finite) = self.buckets.split_last()?;
        if last.0 != f64::INFINITY || finite.is_empty() || last.1 <= 0.0 {
            return None;
        }
        let rank = q * last.1;
        // Counts are read one after the other while they grow, so a wider bucket may have fewer: at least as many.
        let mut most = 0.0_f64;
        let (mut from, mut below) = (0.0, 0.0);
        for (at, &(bound, count)) in finite.iter().enumerate() {
            most = most.max(count);
            if most >= rank {
                let value = if at == 0 && bound <= 0.0 {
                    bound
                } else {
                    from + (bound - from) * share(rank - below, most - below)
                };
                return Some(Quantile { value, beyond: false });
            }
            (from, below) = (bound, most);
        }
        Some(Quantile {
            value: from,
            beyond: true,
        })
    }

    /// The usual quantiles of seconds, as milliseconds; `None` where nothing was observed.
    pub(super) fn quantiles(&self) -> Option<Quantiles> {
        let ms = |q| self.quantile(q).map(|quantile| quantile.value * 1e3);
        let p99 = self.quantile(0.99)?;
        Some(Quantiles {
            count: whole(self.count()),
            p50_ms: ms(0.5)?,
            p90_ms: ms(0.9)?,
            p99_ms: p99.value * 1e3,
            max_ms: None,
            beyond: p99.beyond,
        })
    }
}

fn share(part: f64, all: f64) -> f64 {
    if all > 0.0 { part / all } else { 0.0 }
}

/// A count as what it is: a whole number that is not negative. What is none becomes the nearest.
pub(super) fn whole(count: f64) -> u64 {
    count.round() as u64
}

/// What was added to a counter since an earlier look, as [`Histogram::since`] has it.
pub(super) fn increase(now: f64, earlier: f64) -> f64 {
    if now < earlier { now } else { now - earlier }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn histogram(buckets: &[(f64, f64)]) -> Histogram {
        let mut all = Histogram::default();
        for &(bound, count) in buckets {
            all.add(bound, count);
        }
        all
    }

    /// Cases of Prometheus' own tests (promql/promqltest/testdata/histograms.test).
    #[rstest]
    #[case(&[(0.1, 50.0), (0.2, 70.0), (1.0, 100.0), (f64::INFINITY, 110.0)], 0.75, 0.533_333, false)]
    #[case(&[(0.1, 50.0), (0.2, 70.0), (1.0, 100.0), (f64::INFINITY, 110.0)], 0.2, 0.044, false)]
    #[case(&[(0.1, 50.0), (0.2, 70.0), (1.0, 100.0), (f64::INFINITY, 110.0)], 0.99, 1.0, true)]
    #[case(&[(-0.2, 10.0), (-0.1, 20.0), (0.3, 20.0), (f64::INFINITY, 30.0)], 0.2, -0.2, false)]
    fn quantiles_are_those_of_prometheus(
        #[case] buckets: &[(f64, f64)],
        #[case] q: f64,
        #[case] value: f64,
        #[case] beyond: bool,
    ) {
        let found = histogram(buckets).quantile(q).unwrap();
        assert!((found.value - value).abs() < 1e-5, "{found:?}");
        assert_eq!(found.beyond, beyond);
    }

    #[test]
    fn there_is_no_quantile_of_nothing() {
        let inf = f64::INFINITY;
        for buckets in [&[][..], &[(1.0, 2.0)], &[(inf, 2.0)], &[(1.0, 0.0), (inf, 0.0)]] {
            assert_eq!(histogram(buckets).quantile(0.5), None, "{buckets:?}");
            assert_eq!(histogram(buckets).quantiles(), None, "{buckets:?}");
        }
    }

    #[test]
    fn a_bucket_that_was_read_too_early_has_at_least_what_narrower_ones_have() {
        let found = histogram(&[(1.0, 10.0), (2.0, 9.0), (f64::INFINITY, 10.0)]);
        assert_eq!(
            found.quantile(1.0),
            Some(Quantile {
                value: 1.0,
                beyond: false
            })
        );
    }

    #[test]
    fn what_was_added_is_the_difference_or_all_of_it_after_a_restart() {
        let inf = f64::INFINITY;
        let before = histogram(&[(1.0, 5.0), (inf, 7.0)]);
        let after = histogram(&[(1.0, 6.0), (inf, 10.0)]);
        assert_eq!(after.since(&before), histogram(&[(1.0, 1.0), (inf, 3.0)]));
        // More in all than before, but fewer below a bound: it began anew.
        let anew = histogram(&[(1.0, 2.0), (inf, 20.0)]);
        assert_eq!(anew.since(&before), anew);
        assert_eq!(after.since(&Histogram::default()), after);
        assert_eq!((increase(7.0, 5.0), increase(3.0, 5.0)), (2.0, 3.0));
    }

    #[test]
    fn those_above_a_bound_are_counted_where_there_is_one() {
        let found = histogram(&[(1.0, 5.0), (30.0, 6.0), (f64::INFINITY, 7.0)]);
        assert_eq!(
            (found.above(1.0), found.above(30.0), found.above(5.0)),
            (Some(2.0), Some(1.0), None)
        );
    }
}
