//! What is shown: JSON for programs, tables for people.

use std::io::{self, Write};

use serde_json::Value;

use crate::failure::Failure;

/// Widest column, characters; a longer value moves the rest of its line.
const COLUMN_MAX: usize = 60;

/// Tells a failure on standard error.
pub(crate) fn error(failure: &Failure) {
    // A closed standard error leaves nobody to be told.
    drop(writeln!(io::stderr(), "postroom: {failure}"));
}

/// Writes a text to standard output.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(err) if err.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(|err| Failure::Local("writing".to_owned(), err)),
    }
}

/// A value as one cell.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        // What comes from others must not steer the terminal.
        Value::String(text) => text.chars().filter(|c| !c.is_control()).collect(),
        Value::Bool(is_so) => if *is_so { "yes" } else { "no" }.to_owned(),
        Value::Array(all) if all.is_empty() => "-".to_owned(),
        Value::Array(all) => all.iter().map(cell).collect::<Vec<_>>().join(" "),
        Value::Number(number) => number.to_string(),
        Value::Object(_) => value.to_string(),
    }
}

/// JSON, indented, with a line end.
pub(crate) fn json(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Items as lines below a head of their columns.
pub(crate) fn table(items: &[Value], columns: &[&str]) -> String {
    let head: Vec<String> = columns.iter().map(|name| name.to_uppercase()).collect();
    let rows = items.iter().map(|item| columns.iter().map(|name| cell(&item[*name])).collect());
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).min(COLUMN_MAX)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut out = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths);
        let text: Vec<_> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
        out.push_str(text.join("  ").trim_end());
        out.push('\n');
    }
    out
}

/// One thing, a line a field.
pub(crate) fn fields(value: &Value) -> String {
    let Some(fields) = value.as_object() else { return format!("{}\n", cell(value)) };
    let width = fields.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    fields.iter().map(|(name, value)| format!("{name:width$}  {}\n", cell(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tables_are_lined_up_and_cannot_steer_the_terminal() {
        let items = [
            json!({ "address": "a@b.test", "name": "A\u{1b}[2J", "is_admin": true }),
            json!({ "address": "anna@office.test", "name": "", "is_admin": false }),
        ];
        let expected = "ADDRESS           NAME  IS_ADMIN\n\
                        a@b.test          A[2J  yes\n\
                        anna@office.test  -     no\n";
        assert_eq!(table(&items, &["address", "name", "is_admin"]), expected);
        assert_eq!(fields(&json!({ "a": [1, 2], "name": null })), "a     1 2\nname  -\n");
    }
}
