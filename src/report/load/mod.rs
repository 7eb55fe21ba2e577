//! Views on a run of the load test: text for terminals, Markdown, and a page of HTML. JSON is the run itself ([`LoadRun::to_json`]).
//!
//! All show the same [`Sheet`]: what is in a table or a drawing is decided once.

mod charts;
mod html;
mod markdown;
mod sheet;
mod tables;
mod terminal;
mod words;

pub use html::page;
pub use markdown::report as markdown;
pub use sheet::{Band, Cell, Chart, Column, Line, Mark, Sheet, Table};
pub use terminal::summary;

#[cfg(doc)]
use kubeclash_load::LoadRun;
