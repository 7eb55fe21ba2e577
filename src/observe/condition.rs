//! Something to wait for: a question that is asked of the world again and again.

use std::fmt;
use std::sync::Arc;

use kubeclash_timeline::World;

/// How a wait stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll {
    /// What was waited for is there.
    Ready,
    /// Not yet, and what is missing. The last one is quoted when the wait runs out.
    Pending(String),
}

type Check = dyn Fn(&World) -> Poll + Send + Sync;

/// Something to wait for: a name and a closure over what the watches have seen.
#[derive(Clone)]
#[must_use]
pub struct Condition {
    name: String,
    check: Arc<Check>,
}

impl Condition {
    /// A condition of any closure.
    pub fn new(name: impl Into<String>, check: impl Fn(&World) -> Poll + Send + Sync + 'static) -> Self {
        Self {
            name: name.into(),
            check: Arc::new(check),
        }
    }

    /// How it stands in a world.
    #[must_use]
    pub fn look(&self, world: &World) -> Poll {
        (self.check)(world)
    }

    /// Both.
    pub fn and(self, other: Self) -> Self {
        let name = format!("{self} and {other}");
        Self::new(name, move |world| match self.look(world) {
            Poll::Ready => other.look(world),
            pending => pending,
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({})", self.name)
    }
}
