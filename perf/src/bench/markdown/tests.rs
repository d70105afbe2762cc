use super::*;
use crate::bench::html::made_up;

/// Cells of a row: bars that are escaped end none.
fn cells(row: &str) -> usize {
    row.replace("\\|", "").matches('|').count()
}

#[test]
fn every_table_has_as_many_cells_in_each_row() {
    let text = render(&made_up::report());
    let mut width = 0;
    for row in text.lines() {
        match row.starts_with('|') {
            false => width = 0,
            true if width == 0 => width = cells(row),
            true => assert_eq!(cells(row), width, "{row}"),
        }
    }
    assert_eq!(text.matches("\n### ").count(), 5);
}

#[test]
fn a_row_has_medians_spreads_and_ratios() {
    let text = render(&made_up::report());
    let row = text
        .lines()
        .find(|row| row.starts_with("| Goodput of one TCP flow, Gbit/s (plain"))
        .unwrap();
    assert!(row.contains(" 7.12 (6.96..7.27) **1.24** |"), "{row}");
    assert!(row.contains(" 5.65 (5.54..5.79) |"), "{row}");
    assert!(
        text.contains("| Encapsulated by one core, 1,400 B, kpps"),
        "{text}"
    );
    assert!(text.contains("made-up-package"));
}

#[test]
fn a_flood_has_its_losses_by_counter_and_what_nobody_has() {
    let text = render(&made_up::report());
    assert!(
        text.contains("1,666,666 rx-ring-full (node 1: overlay port of the engine)"),
        "{text}"
    );
    assert!(
        text.contains("| -1,234 |") && text.contains("| 123,456 |"),
        "{text}"
    );
}

#[test]
fn markup_is_text() {
    assert_eq!(
        escape("a|b*c_d`<e>\n[f]\\"),
        "a\\|b\\*c\\_d\\`&lt;e> \\[f\\]\\\\"
    );
}
