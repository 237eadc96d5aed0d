//! slapd as the reference: both servers get the same 5,000 people and are asked the same searches; entries,
//! order and result codes are the same. Where they are not, `slapd/differences.txt` says why, and a
//! difference that is listed there and is gone is a failure too.

mod active_directory;
mod answer;
mod people;
pub(crate) mod server;
mod source;
mod table;

use std::io::Write as _;
use std::process::Stdio;

use answer::{Answer, ask, tool};
use server::Slapd;
use testkit::Loopback;
use testkit::daemon::{Daemon, Options, office};

/// Runs a tool with this input; what it prints is in the panic when it fails.
fn feed(name: &str, at: Loopback, arguments: &[&str], input: &str) -> String {
    let mut command = tool(name, at);
    let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().expect("ldap-utils are installed");
    let mut stdin = child.stdin.take().unwrap();
    let done = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input.as_bytes()));
        child.wait_with_output().unwrap()
    });
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
    text
}

/// Postroom and slapd with the same entries.
pub(crate) fn both() -> (Daemon, Slapd) {
    let provision = Some(office(&[]));
    let daemon = Daemon::start(Options { provision, ..Options::default() }).unwrap();
    // What the box makes of itself: the domain and its containers.
    let all = ["-LLL", "-o", "ldif-wrap=no", "-b", "dc=office,dc=test", "(objectClass=*)", "*"];
    let begun = feed("ldapsearch", daemon.at, &all, "");
    let people = people::ldif();
    feed("ldapadd", daemon.at, &[], &people);
    let slapd = Slapd::start(&format!("{begun}{people}")).unwrap();
    (daemon, slapd)
}

fn told(search: &table::Search, ours: &Answer, theirs: &Answer) -> String {
    format!(
        "{}\n ours:\n{} slapd:\n{}",
        search.arguments.join(" "),
        ours.beside(theirs),
        theirs.beside(ours)
    )
}

#[test]
fn the_same_searches_have_the_same_answers() {
    let (daemon, slapd) = both();
    let mut known = table::differences();
    let (mut same, mut found, mut wrong) = (0, 0, Vec::new());
    let searches = table::searches();
    for search in &searches {
        let (ours, theirs) = (ask(search, daemon.at), ask(search, slapd.at));
        found += theirs.len();
        let kinds = ours.differences(&theirs, search.is_sorted);
        let number = search.number;
        match known.remove(number) {
            None if kinds.is_empty() => same += 1,
            None => wrong.push(format!("{number} {kinds:?}: {}", told(search, &ours, &theirs))),
            Some(listed) if listed.kinds == kinds => {
                println!("{number} {}: {}", listed.reason, told(search, &ours, &theirs));
            }
            Some(listed) => wrong.push(format!(
                "{number} differs in {kinds:?}, listed are {:?} ({}): {}",
                listed.kinds,
                listed.reason,
                told(search, &ours, &theirs)
            )),
        }
    }
    wrong.extend(known.keys().map(|number| format!("{number} is listed, and no search")));
    println!("{same} of {} searches are the same, {found} entries", searches.len());
    assert!(wrong.is_empty(), "{} searches:\n{}", wrong.len(), wrong.join("\n"));
    assert!(found > 50_000, "the searches find next to nothing: {found}");
}
