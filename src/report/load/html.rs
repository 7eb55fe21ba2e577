//! One page of HTML: figures, curves over the steps, and all tables. As self-contained as the page of cases.

use serde::Serialize;

use super::sheet::Sheet;
use crate::report::html::{self, DRAW, PARTS, STYLE};
use kubeclash_load::LoadRun;

const LOAD_STYLE: &str = include_str!("style.css");
const LOAD: &str = include_str!("page.js");

/// What the page's script gets.
#[derive(Debug, Serialize)]
struct Data {
    version: &'static str,
    #[serde(flatten)]
    sheet: Sheet,
}

/// The page.
#[must_use]
pub fn page(run: &LoadRun) -> String {
    let data = Data {
        version: env!("CARGO_PKG_VERSION"),
        sheet: Sheet::of(run),
    };
    let style = [STYLE, LOAD_STYLE].concat();
    html::assemble(&style, &[DRAW, PARTS, LOAD].concat(), &html::embedded(&data))
}
