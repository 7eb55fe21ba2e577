//! kubeclash.
pub mod cases;
pub mod cli;
pub mod component;
pub mod drive;
pub mod evidence;
pub mod inject;
pub mod interrupt;
pub mod observe;
pub mod progress;
pub mod provider;
pub mod report;
pub mod rundir;
pub mod scenario;
pub mod timeline;
pub mod verdict;
