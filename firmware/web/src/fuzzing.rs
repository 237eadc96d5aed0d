//! Doors for `tests/fuzz`: what the grammars of people's files must do with any bytes. Nothing else may use
//! them.
//!
//! # Panics
//! Where a grammar does not keep what it promises: that is what the fuzzer looks for.

use crate::exchange::{self, Format, Parsed, Wanted, cards, table};

/// Records that are read of one input.
const RECORDS_MAX: usize = 20;

fn parsed(format: Format, bytes: &[u8]) -> Parsed {
    let Ok(parsed) = exchange::parse(format, bytes, RECORDS_MAX) else { return Parsed::default() };
    assert!(parsed.records.len() <= RECORDS_MAX + 2, "no more than asked for");
    let lines: Vec<usize> = parsed.records.iter().map(|record| record.line).collect();
    assert!(lines.is_sorted() && lines.iter().all(|line| *line > 0), "{lines:?}");
    parsed
}

/// A table in any encoding. What is written of the first cells of a row is read as it was.
pub fn people_table(bytes: &[u8]) {
    for record in parsed(Format::Csv, bytes).records {
        let Ok(Wanted::Person(person)) = record.wanted else { continue };
        let Some(address) = person.addresses.first() else { continue };
        let name = person.name.clone().unwrap_or_default();
        let cells = [address.clone(), name.clone()];
        let file = [b"address,name\r\n".to_vec(), table::line(&cells, table::Separator::default())]
            .concat();
        let again = exchange::parse(Format::Csv, &file, RECORDS_MAX).ok();
        let first = again.and_then(|again| again.records.into_iter().next());
        let is_same = match first.map(|record| record.wanted) {
            Some(Ok(Wanted::Person(again))) => {
                again.addresses.first() == Some(address) && again.name.unwrap_or_default() == name
            }
            _ => false,
        };
        assert!(is_same, "{cells:?} is not read as it was");
    }
}

/// Cards. What is written of a person is a card again.
pub fn people_cards(bytes: &[u8]) {
    for record in parsed(Format::Vcard, bytes).records {
        let Ok(Wanted::Person(person)) = record.wanted else { continue };
        let mut attributes = person.attributes.clone();
        let mail: Vec<Vec<u8>> =
            person.addresses.iter().map(|address| address.clone().into_bytes()).collect();
        attributes.insert("mail".to_owned(), mail);
        let name = person.full_name().unwrap_or_default().into_bytes();
        attributes.insert("cn".to_owned(), vec![name]);
        let card = cards::card(&attributes);
        let again = exchange::parse(Format::Vcard, &card, RECORDS_MAX);
        assert!(again.is_ok_and(|again| again.records.len() == 1), "one card stays one");
    }
}
