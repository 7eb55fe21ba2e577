//! Two arms of one case in one run, which know each other: a control is watched at least twice as long as the broken arm of the
//! same run needed for its failure, or its absence means nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// What a broken arm tells the control of the same run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It is not over, or has not begun.
    Unknown,
    /// It needed this long for its failure, from the failure's mark on.
    Known(Duration),
    /// It ended without its failure: there is nothing to hold the control against.
    None,
}

/// The link between the two arms. Both hold it; the broken one writes.
#[derive(Debug, Clone)]
pub struct Sibling(Arc<watch::Sender<Need>>);

impl Default for Sibling {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Need::Unknown)))
    }
}

impl Sibling {
    /// Tells the control how long the broken arm needed; `None` where it did not show its failure.
    pub fn tell(&self, needed: Option<Duration>) {
        self.0.send_replace(needed.map_or(Need::None, Need::Known));
    }

    /// What the broken arm has told so far.
    #[must_use]
    pub fn need(&self) -> Need {
        *self.0.borrow()
    }

    /// Waits until the broken arm has told.
    pub async fn told(&self) -> Need {
        let mut changes = self.0.subscribe();
        // The sender lives as long as this does.
        let told = changes.wait_for(|need| *need != Need::Unknown).await;
        told.map_or(Need::None, |need| *need)
    }
}

/// Sees to it that a control never waits for a broken arm that is gone, however it went.
#[derive(Debug)]
pub(super) struct Promise<'a>(pub(super) &'a Sibling);

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        if self.0.need() == Need::Unknown {
            self.0.tell(None);
        }
    }
}

/// Why an absence that was watched for a time is none beside a broken arm that needed so long; `None` where it was long enough.
#[must_use]
pub fn too_short(watched: Duration, needed: Duration) -> Option<String> {
    (watched < needed * 2).then(|| {
        format!(
            "watched for {:.1} s, and the broken arm of this run needed {:.1} s: an absence takes twice that",
            watched.as_secs_f64(),
            needed.as_secs_f64()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absence_takes_twice_as_long_as_the_failure_needed() {
        assert_eq!(too_short(Duration::from_secs(20), Duration::from_secs(10)), None);
        let why = too_short(Duration::from_secs(19), Duration::from_secs(10)).unwrap();
        assert!(why.contains("19.0 s") && why.contains("10.0 s"), "{why}");
    }

    #[test]
    fn a_broken_arm_that_is_gone_has_told_that_it_has_nothing_to_tell() {
        let link = Sibling::default();
        drop(Promise(&link));
        assert_eq!(link.need(), Need::None);
        link.tell(Some(Duration::from_secs(7)));
        drop(Promise(&link));
        assert_eq!(link.need(), Need::Known(Duration::from_secs(7)));
    }

    #[tokio::test]
    async fn a_control_hears_of_the_broken_arm_whenever_that_ends() {
        let link = Sibling::default();
        assert_eq!(link.need(), Need::Unknown);
        let control = tokio::spawn({
            let link = link.clone();
            async move { link.told().await }
        });
        tokio::task::yield_now().await;
        link.tell(Some(Duration::from_secs(7)));
        assert_eq!(control.await.unwrap(), Need::Known(Duration::from_secs(7)));
        link.tell(None);
        assert_eq!(link.told().await, Need::None);
    }
}
