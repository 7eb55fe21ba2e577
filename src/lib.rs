//! kubeclash.
pub mod cli;
pub mod evidence;
pub mod report;
pub mod scenario;
pub mod timeline;
pub mod verdict;
