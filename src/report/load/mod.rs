//! Views on a run of the load test: Markdown, and a page of HTML. JSON is the run itself ([`LoadRun::to_json`]).
//!
//! Both show the same [`Sheet`]: what is in a table or a drawing is decided once.

mod charts;
mod html;
mod markdown;
mod sheet;
mod tables;
mod words;

pub use html::page;
pub use markdown::report as markdown;
pub use sheet::{Band, Cell, Chart, Column, Line, Mark, Sheet, Table};

#[cfg(doc)]
use crate::load::LoadRun;
