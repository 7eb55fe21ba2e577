//! Reproduces multi-controller failures of Kubernetes, live, on a real control plane.
//!
//! Each component is correct, and controllers with conflicting goals act against each other. Each
//! failure is an experiment with a broken arm, in which it must be observed, and a control, in which it must not.
//!
//! # The flow, which is the order of the crates and of the modules
//!
//! ```text
//! Case ──► Scenario ──► Cluster ──► Recorder ──► inject ──► Timeline ──► Claims ──► Verdict ──► Outcome ──► report
//! (value)   (value)    local│kind  (armed first) (steps)    (value)     (pure)     (value)     (value)    (views)
//! ```
//!
//! What others can use as well are crates of their own, each of which knows only those before it:
//!
//! | crate | what it is |
//! |---|---|
//! | [`kubeclash_timeline`] | what was recorded, properties, claims, the verdict: pure |
//! | [`kubeclash_host`] | this machine: run directories, containers, signals, progress |
//! | [`kubeclash_components`] | from what the user asked for to a verified binary |
//! | [`kubeclash_cluster`] | control planes: on this machine, or with kind |
//! | [`kubeclash_logs`] | signatures of failures in logs |
//! | [`kubeclash_load`] | the standard load test on hollow nodes |
//!
//! The harness on top of them, in the order of its modules:
//!
//! - [`scenario`], [`case`], [`cases`]: what a case says, as a value; the built-in cases.
//! - [`inject`]: changes made as a user would make them. [`observe`]: watches, turned into a timeline.
//! - [`evidence`]: what an arm leaves. [`expectation`]: what arms are expected to end with. [`drive`]: runs an arm; the one function
//!   that knows every stage.
//! - [`agreement`], [`comparison`], [`ledger`], [`bisect`], [`report`]: what several runs come to, and views on it.
//! - [`session`], [`run`], [`check`](mod@check): the same cases for the command, for Rust, and for `cargo test`.
//! - [`submit`]: steps of a sweep as Jobs on a cluster that the user names. [`cli`]: the command.
//!
//! # Examples
//!
//! A [`Run`] is one arm of a case; it runs when it is awaited:
//!
//! ```no_run
//! use kubeclash::{Run, RunError};
//!
//! # async fn evict_loop() -> Result<(), RunError> {
//! let outcome = Run::case("c5")?.descheduler("src:.")?.await?;
//! println!("{} {}: {}", outcome.id, outcome.verdict, outcome.why());
//! # Ok(())
//! # }
//! ```
//!
//! A case as a test, with what the environment says, is a call of [`check()`](check::check):
//!
//! ```no_run
//! use kubeclash::prelude::*;
//!
//! # async fn recreate_loop() -> Result<(), CheckError> {
//! check("c7_taint_recreate_loop", None, Arm::Broken, Expect::Reproduced).await?;
//! # Ok(())
//! # }
//! ```

pub use evidence::Outcome;
pub use kubeclash_cluster::Provider;
pub use kubeclash_timeline::{Arm, ArmId, Expect, Pace, Verdict};
pub use run::{Run, RunError};

pub mod scenario;
pub mod case;
pub mod cases;
pub mod inject;
pub mod observe;
pub mod evidence;
pub mod expectation;
pub mod drive;
pub mod agreement;
pub mod comparison;
pub mod ledger;
pub mod bisect;
pub mod report;
pub mod session;
pub mod run;
pub mod check;
pub mod prelude;
pub mod exit;
pub mod submit;
pub mod cli;
