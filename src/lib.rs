//! kubeclash.
pub mod evidence;
pub mod scenario;
pub mod timeline;
pub mod verdict;
