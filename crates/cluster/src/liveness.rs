//! What befalls an API server that is asked whether it lives, and who is told of it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use kubeclash_timeline::LivenessChange;

/// A change, when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivenessEvent {
    /// When.
    pub at: Instant,
    /// What.
    pub change: LivenessChange,
}

/// Told of each change, those before it listened as well.
pub type OnLiveness = Box<dyn Fn(&LivenessEvent) + Send + Sync>;

/// What is known of an API server's liveness; shared by who asks and who listens.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    events: Vec<LivenessEvent>,
    listener: Option<OnLiveness>,
}

impl Told {
    /// Tells of a change that happens now.
    pub(super) fn tell(&self, change: LivenessChange) {
        let event = LivenessEvent {
            at: Instant::now(),
            change,
        };
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listener) = &heard.listener {
            listener(&event);
        }
        heard.events.push(event);
    }

    /// Tells a listener of everything from the start on.
    pub(super) fn listen(&self, listener: OnLiveness) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.events.iter().for_each(&listener);
        heard.listener = Some(listener);
    }

    /// Everything so far.
    pub(super) fn so_far(&self) -> Vec<LivenessEvent> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.events.clone()
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.so_far()).finish()
    }
}
