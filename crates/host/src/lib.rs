//! The machine that kubeclash runs on: what is started on it, what is left on it, and what its user sees meanwhile.
//!
//! | module | what it is |
//! |---|---|
//! | [`shell`], [`disk`], [`compression`], [`yaml`] | command lines, room, and files as they come |
//! | [`progress`], [`interrupt`] | lines on standard error, and the signals that end a run |
//! | [`docker`], [`engine`] | containers, by Docker's API and by the command of the engine that kind drives |
//! | [`run_dir`], [`sweep`](mod@sweep) | whose a process or a container is, and what killed runs left |
//!
//! Nothing in here knows of Kubernetes.
//!
//! # Examples
//!
//! What killed runs left, as `kubeclash sweep --dry-run` shows it:
//!
//! ```no_run
//! for leftover in kubeclash_host::sweep::leftovers() {
//!     println!("{}: {} processes", leftover.run.display(), leftover.processes.len());
//! }
//! ```

pub mod shell;
pub mod disk;
pub mod compression;
pub mod yaml;
pub mod progress;
pub mod interrupt;
pub mod docker;
pub mod run_dir;
pub mod engine;
pub mod sweep;
