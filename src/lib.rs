//! Reproduces multi-controller failures of Kubernetes, live, on a real control plane.
//!
//! Each component is correct, and controllers with conflicting goals act against each other. Each
//! failure is an experiment with a broken arm, in which it must be observed, and a control, in which it must not.
//!
//! # The flow, which is the order of the modules
//!
//! ```text
//! Scenario ──► Provider::up ──► Recorder::arm ──► inject ──► Timeline ──► judge ──► Verdict ──► evidence ──► report
//!  (value)       └ component     (before touching)            (value)    (pure)     (value)      (files)     (views)
//! ```
//!
//! - [`experiment`]: arm, pace and shape. [`scenario`]: what is done, as a value. [`cases`]: the failures of the study, each with its steps and its judge.
//! - [`component`]: from what the user asked for to a verified binary. [`provider`]: from binaries to a cluster.
//! - [`inject`]: changes made as a user would make them. [`observe`]: watches, turned into a timeline.
//! - [`timeline`]: what was seen, and predicates on it. [`verdict`]: what a judge says. Both pure.
//! - [`signature`]: what is looked for in logs, anybody's, and what that comes to.
//! - [`expectation`]: what arms are expected to end with.
//! - [`drive`]: the one function that knows every stage; [`load`]: the same of a load test, and what measures it. [`evidence`], [`agreement`],
//!   [`comparison`], [`ledger`], [`bisect`], [`report`]: what is left, what several runs come to, and views on it.
//! - [`submit`]: steps of a sweep as Jobs on a cluster that the user names.
//! - [`session`], [`run`], [`check`](mod@check), [`cli`]: the same cases for Rust, for `cargo test` and for the command.
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
