//! What a person is asked.
//!
//! Passwords: asked for without echo at a terminal, else the first line of standard input. Never an argument:
//! those are seen by everybody on the machine.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::failure::Failure;

/// Longest password that is read, bytes: more is none for the server either.
const BYTES_MAX: u64 = 4096;

fn broken(err: io::Error) -> Failure {
    Failure::Local("reading the password".to_owned(), err)
}

/// A password.
pub(crate) fn password(what: &str) -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return line().map_err(broken);
    }
    let first = hidden(what).map_err(broken)?;
    let again = hidden("Once more").map_err(broken)?;
    if first != again {
        return Err(Failure::Usage("these are two passwords".to_owned()));
    }
    Ok(first)
}

/// Whether a person at the terminal says yes. Where there is no terminal, the command line has said it.
pub(crate) fn is_agreed(question: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(true);
    }
    let asked = || {
        let mut stderr = io::stderr();
        write!(stderr, "{question} [y/N] ")?;
        stderr.flush()?;
        line()
    };
    let answer = asked().map_err(|err| Failure::Local("reading the answer".to_owned(), err))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn line() -> io::Result<String> {
    let mut text = String::new();
    io::Read::take(io::stdin().lock(), BYTES_MAX).read_line(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn hidden(what: &str) -> io::Result<String> {
    let mut stderr = io::stderr();
    write!(stderr, "{what}: ")?;
    stderr.flush()?;
    let stdin = io::stdin();
    let before = tcgetattr(&stdin)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Now, &silent)?;
    let text = line();
    tcsetattr(&stdin, OptionalActions::Now, &before)?;
    writeln!(stderr)?;
    text
}
