//! kubeclash.
pub mod component;
pub mod evidence;
pub mod inject;
pub mod provider;
pub mod rundir;
pub mod scenario;
pub mod timeline;
pub mod verdict;
