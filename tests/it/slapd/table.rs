//! The two tables: what is asked, and where the answers are known to differ.

use std::collections::{BTreeMap, BTreeSet};

const SEARCHES: &str = include_str!("searches.txt");
const DIFFERENCES: &str = include_str!("differences.txt");

/// One search; its number is its name.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) number: &'static str,
    /// What ldapsearch is called with behind the server's address and the login.
    pub(super) arguments: Vec<String>,
    /// True if the order of the entries was asked for.
    pub(super) is_sorted: bool,
}

/// A difference that is as it should be.
#[derive(Debug)]
pub(super) struct Known {
    /// What differs: code, entries, attributes, order or controls.
    pub(super) kinds: BTreeSet<String>,
    pub(super) reason: &'static str,
}

fn lines(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split("  ").map(str::trim).filter(|part| !part.is_empty()).collect())
}

pub(super) fn searches() -> Vec<Search> {
    let all: Vec<Search> = lines(SEARCHES).map(|parts| search(&parts)).collect();
    let numbers: BTreeSet<_> = all.iter().map(|search| search.number).collect();
    assert_eq!(numbers.len(), all.len(), "a number stands twice");
    all
}

fn search(parts: &[&'static str]) -> Search {
    let [number, scope, base, filter, attributes, options @ ..] = parts else {
        panic!("{parts:?}: number, scope, base, filter, attributes, options");
    };
    let base = match *base {
        "-" => String::new(),
        "root" => "dc=office,dc=test".to_owned(),
        name if name.contains('=') || name == "nonsense" => name.to_owned(),
        name => format!("ou={name},dc=office,dc=test"),
    };
    let options = options.iter().flat_map(|part| part.split(' '));
    let mut arguments: Vec<String> = options.map(str::to_owned).collect();
    let is_sorted = arguments.iter().any(|argument| argument.contains("sss="));
    arguments.extend(["-s".to_owned(), (*scope).to_owned(), "-b".to_owned(), base]);
    arguments.push((*filter).to_owned());
    arguments.extend(attributes.split(',').map(str::to_owned));
    Search { number, arguments, is_sorted }
}

pub(super) fn differences() -> BTreeMap<&'static str, Known> {
    let known = lines(DIFFERENCES).map(|parts| {
        let [number, kinds, reason @ ..] = parts.as_slice() else { panic!("{parts:?}") };
        let [reason] = reason else { panic!("{number}: one reason") };
        let kinds = kinds.split(',').map(str::to_owned).collect();
        (*number, Known { kinds, reason })
    });
    known.collect()
}
