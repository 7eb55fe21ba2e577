//! The load test: hollow nodes, the objects of the standard load test, its 13 steps, and what is measured meanwhile.

pub mod objects;
pub mod profile;
