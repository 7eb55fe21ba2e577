//! The CPU that a pod uses over its life, as a case declares it.

use std::time::Duration;

use kubeclash_timeline::WorkloadRef;

/// CPU use of one container over time since its start: a step function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuCurve {
    /// (time since the container started, millicores from then on), ascending, the first at zero.
    points: Vec<(Duration, u64)>,
}

impl CpuCurve {
    /// Burns `burst_m` millicores for `burst`, then `idle_m`.
    #[must_use]
    pub fn burst(burst_m: u64, burst: Duration, idle_m: u64) -> Self {
        Self {
            points: vec![(Duration::ZERO, burst_m), (burst, idle_m)],
        }
    }

    /// Of pieces: for how long, and how many millicores. The last one lasts for ever. `None` without any.
    #[must_use]
    pub fn of(pieces: &[(Option<Duration>, u64)]) -> Option<Self> {
        let mut from = Duration::ZERO;
        let mut points = Vec::new();
        for (lasting, usage) in pieces {
            points.push((from, *usage));
            from += lasting.unwrap_or_default();
        }
        (!points.is_empty()).then_some(Self { points })
    }

    /// How many millicores are used at a time since the start.
    #[must_use]
    pub fn rate(&self, age: Duration) -> u64 {
        let so_far = self.points.iter().take_while(|(from, _)| *from <= age);
        so_far.last().map_or(0, |(_, usage)| *usage)
    }

    /// The same curve, `factor` times as fast.
    #[must_use]
    pub fn compressed(&self, factor: u32) -> Self {
        Self {
            points: self.points.iter().map(|&(t, m)| (t / factor, m)).collect(),
        }
    }

    /// For how long after its start it uses any.
    #[must_use]
    pub fn busy(&self) -> Duration {
        let ends = self.points.iter().rev().take_while(|(_, m)| *m == 0);
        ends.last().map_or(Duration::MAX, |(t, _)| *t)
    }

    /// CPU time used from the start until `age`, in millicore-seconds.
    #[must_use]
    pub fn used(&self, age: Duration) -> f64 {
        let ends = self.points.iter().skip(1).map(|&(t, _)| t).chain([Duration::MAX]);
        self.points
            .iter()
            .zip(ends)
            .map(|(&(from, m), to)| age.min(to).saturating_sub(from).as_secs_f64() * m as f64)
            .sum()
    }
}

/// Whose curve it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuShare {
    /// Each pod's, over its own life: since its containers started.
    EachPod,
    /// That of all pods together, over time: since it was set. Those that serve share it.
    AllPods,
}

/// What the pods of a workload use of CPU, at the recorded pace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuUse {
    /// Of which workload.
    pub of: WorkloadRef,
    /// Of each pod, or of all.
    pub share: CpuShare,
    /// How much.
    pub curve: CpuCurve,
}

impl CpuUse {
    /// Whether it is used for a while and then no more: what a program can be told before it starts.
    #[must_use]
    pub fn is_burst(&self) -> bool {
        self.curve.busy() < Duration::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_used_up_and_then_idles() {
        let curve = CpuCurve::burst(100, Duration::from_secs(10), 1);
        assert_eq!(curve.used(Duration::from_secs(4)), 400.0);
        assert_eq!(curve.used(Duration::from_secs(10)), 1000.0);
        assert_eq!(curve.used(Duration::from_secs(30)), 1020.0);
        assert_eq!(curve.busy(), Duration::MAX, "it goes on with 1 m");
        let over = CpuCurve::burst(100, Duration::from_secs(10), 0);
        assert_eq!(over.busy(), Duration::from_secs(10));
    }

    #[test]
    fn compression_keeps_the_rates() {
        let curve = CpuCurve::burst(100, Duration::from_secs(150), 1).compressed(15);
        assert_eq!(curve.used(Duration::from_secs(10)), 1000.0);
        assert_eq!(curve.used(Duration::from_secs(20)), 1010.0);
    }
}
