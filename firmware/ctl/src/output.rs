//! What is shown: JSON for programs, tables for people.

use std::io::{self, Write};

use serde_json::{Map, Value};

use crate::failure::Failure;

/// Widest column, characters; a longer value moves the rest of its line.
const COLUMN_MAX: usize = 60;

/// Tells a failure on standard error.
pub(crate) fn error(failure: &Failure, is_json: bool) {
    let text = if is_json { json(&failure.as_json()) } else { format!("postroom: {failure}\n") };
    // A closed standard error leaves nobody to be told.
    drop(io::stderr().write_all(text.as_bytes()));
}

/// Writes a text to standard output. Answers whether somebody reads on.
pub(crate) fn text(text: &str) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        // Whoever reads has seen enough.
        Err(err) if err.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(err) => Err(Failure::Local("writing".to_owned(), err)),
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

/// A list that is shown a page at a time: one table, or one JSON document.
#[derive(Debug)]
pub(crate) enum Listing<'c> {
    /// The widths are those of the first page.
    Table { columns: &'c [&'c str], widths: Vec<usize> },
    /// Whether an item stands already.
    Json { is_begun: bool },
}

impl<'c> Listing<'c> {
    pub(crate) fn table(columns: &'c [&'c str]) -> Self {
        Self::Table { columns, widths: Vec::new() }
    }

    pub(crate) fn json() -> Self {
        Self::Json { is_begun: false }
    }

    /// The text of one more page.
    pub(crate) fn page(&mut self, items: &[Value]) -> String {
        match self {
            Self::Table { columns, widths } => {
                let head = widths.is_empty().then(|| columns.iter().map(|c| c.to_uppercase()));
                let rows = items
                    .iter()
                    .map(|item| columns.iter().map(|name| cell(&item[*name])).collect());
                let lines: Vec<Vec<String>> =
                    head.into_iter().map(Iterator::collect).chain(rows).collect();
                if widths.is_empty() {
                    *widths = (0..columns.len()).map(|column| width(&lines, column)).collect();
                }
                lines.iter().map(|line| aligned(line, widths)).collect()
            }
            Self::Json { is_begun } => {
                let mut out = String::new();
                for item in items {
                    out.push_str(if *is_begun { ",\n    " } else { "{\n  \"items\": [\n    " });
                    out.push_str(&indented(item, "\n    "));
                    *is_begun = true;
                }
                out
            }
        }
    }

    /// The text behind the last page, with what else the server says of the list.
    pub(crate) fn end(self, rest: Value) -> String {
        let Self::Json { is_begun } = self else { return String::new() };
        let mut out = if is_begun { "\n  ]" } else { "{\n  \"items\": []" }.to_owned();
        let fields = if let Value::Object(fields) = rest { fields } else { Map::new() };
        for (name, value) in fields.iter().filter(|(name, _)| *name != "items") {
            out.push_str(&format!(
                ",\n  {}: {}",
                Value::from(name.as_str()),
                indented(value, "\n  ")
            ));
        }
        out.push_str("\n}\n");
        out
    }
}

fn indented(value: &Value, line_start: &str) -> String {
    format!("{value:#}").replace('\n', line_start)
}

fn width(lines: &[Vec<String>], column: usize) -> usize {
    let cells = lines.iter().filter_map(|line| line.get(column));
    cells.map(|cell| cell.chars().count()).max().unwrap_or(0).min(COLUMN_MAX)
}

fn aligned(line: &[String], widths: &[usize]) -> String {
    let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
    format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
}

/// Items as lines below a head of their columns.
pub(crate) fn table(items: &[Value], columns: &[&str]) -> String {
    Listing::table(columns).page(items)
}

/// One thing, a line a field; what has fields itself is shown as `NAME.FIELD`.
pub(crate) fn fields(value: &Value) -> String {
    let Some(fields) = value.as_object() else { return format!("{}\n", cell(value)) };
    let mut lines = Vec::new();
    for (name, value) in fields {
        match value.as_object().filter(|inner| !inner.is_empty()) {
            Some(inner) => {
                lines.extend(inner.iter().map(|(field, value)| (format!("{name}.{field}"), value)));
            }
            None => lines.push((name.clone(), value)),
        }
    }
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    lines.iter().map(|(name, value)| format!("{name:width$}  {}\n", cell(value))).collect()
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
        let nested = json!({ "account": { "name": "Anna", "id": 1 }, "of": {} });
        assert_eq!(fields(&nested), "account.id    1\naccount.name  Anna\nof            {}\n");
        // The next page has the same columns and no head.
        let mut listing = Listing::table(&["name"]);
        assert_eq!(listing.page(&[json!({ "name": "anna" })]), "NAME\nanna\n");
        assert_eq!(listing.page(&[json!({ "name": "b" })]), "b\n");
        assert_eq!(listing.end(json!({ "next": null })), "");
    }

    #[test]
    fn pages_are_one_document() {
        let pages = [vec![json!({ "a": { "b": 1 } }), json!({ "a": 2 })], vec![], vec![json!([3])]];
        let rest = json!({ "items": null, "next": null, "found": 3, "more": { "x": "\n" } });
        let mut listing = Listing::json();
        let mut text: String = pages.iter().map(|page| listing.page(page)).collect();
        text.push_str(&listing.end(rest));
        let expected = json!({ "items": [{ "a": { "b": 1 } }, { "a": 2 }, [3]], "next": null,
            "found": 3, "more": { "x": "\n" } });
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected, "{text}");
        assert_eq!(
            Listing::json().end(json!({ "next": null })),
            "{\n  \"items\": [],\n  \"next\": null\n}\n"
        );
    }
}
