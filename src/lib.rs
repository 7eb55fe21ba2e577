//! kubeclash.
pub mod cli;
pub mod component;
pub mod evidence;
pub mod inject;
pub mod observe;
pub mod provider;
pub mod report;
pub mod rundir;
pub mod scenario;
pub mod timeline;
pub mod verdict;
