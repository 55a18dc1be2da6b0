//! Columns for people.

use std::fmt::Write as _;

/// Rows of cells as lines, indented by two. `sides` has a `<` for each column whose cells begin together, and a `>` for
/// each whose cells end together.
pub(crate) fn table(sides: &str, rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let columns: Vec<(char, usize)> = sides.chars().enumerate().map(|(at, side)| (side, width(at))).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, &(side, width)) in row.iter().zip(&columns) {
            let _ = match side {
                '<' => write!(line, "  {cell:<width$}"),
                _ => write!(line, "  {cell:>width$}"),
            };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}
