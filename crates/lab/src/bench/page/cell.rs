//! Numbers and rows as Markdown.

use crate::bench::record::NEVER;

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Unit {
    Whole,
    Tenth,
    /// Two places.
    Ratio,
    /// Two places and a `×`.
    Times,
    Percent,
}

/// The number, or a dash for one that was not measured.
pub fn cell(value: Option<f64>, unit: Unit) -> String {
    let Some(value) = value else { return "–".to_owned() };
    if value >= NEVER {
        return "never".to_owned();
    }
    match unit {
        Unit::Whole => format!("{value:.0}"),
        Unit::Tenth => format!("{value:.1}"),
        Unit::Ratio => format!("{value:.2}"),
        Unit::Times => format!("{value:.2}×"),
        Unit::Percent => format!("{:.1} %", value * 100.0),
    }
}

/// One line of a table.
pub fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}
