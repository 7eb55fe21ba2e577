//! How long a watch waits before it begins again.

use std::time::Duration;

use kube::runtime::utils::Backoff;
use tokio::time::Instant;

/// The shortest wait, after the first failure.
const SHORTEST: Duration = Duration::from_millis(100);

/// The longest: an API server that comes back is to be seen again soon.
const LONGEST: Duration = Duration::from_secs(3);

/// After how long without a failure the next wait is the shortest again.
const FORGIVEN: Duration = Duration::from_secs(10);

/// The waits of a watch on a cluster of ours: each twice as long as the one before.
///
/// kube's own begin at 0.8 s and go up to 30 s, which is a whole observation. They also begin anew with whatever a watch
/// tells, and one whose list fails tells each time that it begins to list: its waits would never grow.
pub fn backoff() -> impl Backoff {
    Waits::default()
}

#[derive(Default)]
struct Waits {
    last: Option<(Instant, Duration)>,
}

impl Iterator for Waits {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let wait = match self.last {
            Some((at, wait)) if now.duration_since(at) < wait + FORGIVEN => (wait * 2).min(LONGEST),
            _ => SHORTEST,
        };
        self.last = Some((now, wait));
        Some(wait)
    }
}

impl Backoff for Waits {
    /// Time alone forgives.
    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_grow_whatever_a_watch_tells_in_between_and_time_forgives() {
        let mut waits = Waits::default();
        let mut told = Vec::new();
        for _ in 0..7 {
            let wait = waits.next().unwrap();
            told.push(wait.as_millis());
            tokio::time::advance(wait).await;
            waits.reset();
        }
        assert_eq!(told, [100, 200, 400, 800, 1_600, 3_000, 3_000]);
        tokio::time::advance(FORGIVEN).await;
        assert_eq!(waits.next(), Some(SHORTEST));
    }
}
