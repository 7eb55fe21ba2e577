//! The harness's own tests.

mod inject_live;
mod inject_merge;
mod inject_reference;
