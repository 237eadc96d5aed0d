//! Tables: CSV with a line of headings. RFC 4180, and what spreadsheets make of it: semicolons, tabs, a line
//! `sep=;` before the headings.

use csv::{ReaderBuilder, StringRecord, Trim, WriterBuilder};

use super::columns::{self, Field};
use super::{CELL_MAX, Column, Fault, Parsed, PersonText, Record, Wanted};

/// Columns of a table.
const COLUMNS_MAX: usize = 1_000;
/// What stands before a cell that a spreadsheet would take for a formula.
const FORMULA: [char; 6] = ['=', '@', '+', '-', '\t', '\r'];

/// Reads a table.
pub(crate) fn parse(text: &str, max: usize) -> Result<Parsed, Fault> {
    let (text, said, before) = separator_line(text);
    let separator = said.unwrap_or_else(|| separator_of(text));
    let mut reader = ReaderBuilder::new()
        .delimiter(separator)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let unreadable = |err: &csv::Error| Fault::new("record-invalid", err.to_string());
    let headings = reader.headers().map_err(|err| unreadable(&err))?.clone();
    if headings.len() > COLUMNS_MAX {
        return Err(Fault::new("record-invalid", "a table has at most 1,000 columns"));
    }
    let headings: Vec<String> = headings.iter().map(str::to_owned).collect();
    let fields = columns::fields(&headings);
    if !fields.contains(&Some(Field::Address)) {
        let detail = "no column is called address, email, User principal name or the like";
        return Err(Fault::new("no-address-column", detail));
    }
    let columns = headings.iter().zip(&fields).map(|(heading, field)| Column {
        column: heading.chars().take(200).collect(),
        means: field.map(|field| columns::name(field).to_owned()),
    });
    let mut parsed = Parsed { columns: columns.collect(), records: Vec::new() };
    let mut row = StringRecord::new();
    while parsed.records.len() <= max {
        let line = line_at(text, reader.position()) + before;
        let read = reader.read_record(&mut row);
        match read {
            Ok(false) => break,
            // A line of separators and nothing else: spreadsheets have many of them at the end.
            Ok(true) if row.iter().all(str::is_empty) => {}
            Ok(true) => {
                parsed.records.push(Record { line, wanted: person(&row, &fields, &headings) });
            }
            Err(err) => {
                parsed.records.push(Record { line, wanted: Err(unreadable(&err)) });
                break;
            }
        }
    }
    Ok(parsed)
}

/// The line of the next record. The reader stands behind the record before: of its line end, and of lines
/// with nothing in them, some is still to come.
fn line_at(text: &str, position: &csv::Position) -> usize {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let rest = text.as_bytes().get(number(position.byte())..).unwrap_or_default();
    let ends = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    number(position.line()) + ends.filter(|byte| **byte == b'\n').count()
}

/// Excel's first line that says the separator; how many lines that is.
fn separator_line(text: &str) -> (&str, Option<u8>, usize) {
    let line = text.lines().next().unwrap_or_default();
    let said = line.trim().strip_prefix("sep=").map(str::as_bytes);
    match (said, text.split_once('\n')) {
        (Some([separator]), Some((_, rest))) if separator.is_ascii() => (rest, Some(*separator), 1),
        _ => (text, None, 0),
    }
}

/// What parts the headings: the one there is most of outside quotation marks.
fn separator_of(text: &str) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut is_quoted = false;
    for byte in text.lines().next().unwrap_or_default().bytes() {
        is_quoted ^= byte == b'"';
        if let Some((_, count)) = counts.iter_mut().find(|(own, _)| *own == byte && !is_quoted) {
            *count += 1;
        }
    }
    // Of equals the first.
    let best = counts.iter().rev().max_by_key(|(_, count)| *count);
    best.map_or(b',', |(separator, _)| *separator)
}

fn person(
    row: &StringRecord,
    fields: &[Option<Field>],
    headings: &[String],
) -> Result<Wanted, Fault> {
    if row.len() > headings.len() && row.iter().skip(headings.len()).any(|cell| !cell.is_empty()) {
        let detail = format!("{} cells below {} headings", row.len(), headings.len());
        return Err(Fault::new("columns-missing", detail));
    }
    let mut person = PersonText::default();
    for ((cell, field), heading) in row.iter().zip(fields).zip(headings) {
        let Some(field) = field else { continue };
        if cell.len() > CELL_MAX {
            let detail = format!("a cell has at most {CELL_MAX} bytes");
            let fault = Fault::new("record-invalid", detail);
            return Err(Fault { field: Some(heading.clone()), ..fault });
        }
        let cell = unguarded(cell);
        if cell.is_empty() {
            continue;
        }
        let said = Some(cell.to_owned());
        match field {
            Field::Address => person.addresses.push(cell.to_owned()),
            Field::Name => person.name = said,
            Field::Password => person.password = said,
            Field::Aliases => person.aliases = Some(addresses(cell)),
            Field::QuotaMb => person.quota_mb = said,
            Field::Status => person.state = said,
            Field::Role => person.role = said,
            Field::Language => person.language = said,
            Field::Attribute(key) => person.say(key, cell),
        }
    }
    Ok(Wanted::Person(Box::new(person)))
}

/// Addresses in one cell: parted by commas, semicolons, blanks, or as Microsoft 365 does it
/// (`SMTP:a@b+smtp:c@d`, with addresses of other kinds among them).
fn addresses(cell: &str) -> Vec<String> {
    let cell =
        cell.replace("+smtp:", " smtp:").replace("+SMTP:", " SMTP:").replace("+sip:", " sip:");
    let parts = cell.split(|c: char| c == ',' || c == ';' || c.is_whitespace());
    let address = |part: &str| {
        let part = part.trim();
        match part.split_once(':') {
            Some((kind, address)) if kind.eq_ignore_ascii_case("smtp") => Some(address.to_owned()),
            Some(_) => None,
            None => (!part.is_empty()).then(|| part.to_owned()),
        }
    };
    parts.filter_map(address).collect()
}

/// A cell without the sign that keeps spreadsheets from computing it.
fn unguarded(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if rest.trim_start_matches('\'').starts_with(FORMULA) => rest,
        _ => cell,
    }
}

/// A cell that no spreadsheet computes. Numbers of telephones stay as they are.
fn guarded(cell: &str) -> String {
    let is_number = |c: char| c.is_ascii_digit() || "+-()/. ".contains(c);
    // What has the sign already gets another one, so that it is read as it was.
    if cell.trim_start_matches('\'').starts_with(FORMULA) && !cell.chars().all(is_number) {
        return format!("'{cell}");
    }
    cell.to_owned()
}

/// What stands before a table, so that a spreadsheet takes it for UTF-8.
pub(crate) const MARK: &[u8] = b"\xEF\xBB\xBF";

/// What parts the cells of a table that is written. Where numbers have a comma, spreadsheets open a table with
/// semicolons and put one with commas into a single column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Separator {
    #[default]
    Comma,
    Semicolon,
}

/// One line of a table.
pub(crate) fn line(cells: &[String], separator: Separator) -> Vec<u8> {
    let delimiter = if separator == Separator::Semicolon { b';' } else { b',' };
    let mut writer = WriterBuilder::new();
    writer.terminator(csv::Terminator::CRLF).delimiter(delimiter);
    let mut writer = writer.from_writer(Vec::new());
    // Into memory; a record of strings cannot fail there.
    drop(writer.write_record(cells.iter().map(|cell| guarded(cell))));
    writer.into_inner().unwrap_or_default()
}
