//! The POP3 grammar: one line in, a command out. RFC 1939 §9, RFC 2449 §4, RFC 5034 §4.
//!
//! Lenient where clients are: any case, a bare LF, blanks at the end, blanks in a name or a password.
//! Never here: I/O, a state.

/// Why a line is no command: the text of the `-ERR` reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bad(pub(crate) &'static str);

/// A command. Message numbers are as the client wrote them; 0 is no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// A login name.
    User(Vec<u8>),
    /// A password, blanks and all (RFC 1939 §7).
    Pass(Vec<u8>),
    /// The mechanism in upper case and the initial response; both absent in the bare form with which old
    /// Outlooks ask for the mechanisms.
    Auth {
        mechanism: Option<String>,
        initial: Option<Vec<u8>>,
    },
    Stls,
    Capa,
    Quit,
    Noop,
    Rset,
    Stat,
    List(Option<u32>),
    Uidl(Option<u32>),
    Retr(u32),
    Dele(u32),
    Top {
        message: u32,
        lines: u32,
    },
    /// A browser came to the wrong port, maybe sent there by a web page.
    Http,
}

/// The line without its end.
fn content(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// `msg = 1*DIGIT`
fn number(word: &[u8]) -> Result<u32, Bad> {
    if word.is_empty() || !word.iter().all(u8::is_ascii_digit) {
        return Err(Bad("a number is expected here"));
    }
    // A number beyond 32 bits is the number of no message.
    Ok(std::str::from_utf8(word).ok().and_then(|text| text.parse().ok()).unwrap_or(u32::MAX))
}

fn none(argument: &[u8], command: Command) -> Result<Command, Bad> {
    if argument.trim_ascii().is_empty() {
        Ok(command)
    } else {
        Err(Bad("this command takes no argument"))
    }
}

fn words(argument: &[u8]) -> impl Iterator<Item = &[u8]> {
    argument.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn one_number(argument: &[u8]) -> Result<u32, Bad> {
    match maybe_number(argument)? {
        Some(number) => Ok(number),
        None => Err(Bad("the number of a message is missing")),
    }
}

fn maybe_number(argument: &[u8]) -> Result<Option<u32>, Bad> {
    let mut words = words(argument);
    let first = words.next().map(number).transpose()?;
    if words.next().is_some() {
        return Err(Bad("this command takes one argument"));
    }
    Ok(first)
}

/// `"TOP" SP msg SP n`
fn top(argument: &[u8]) -> Result<Command, Bad> {
    let mut words = words(argument);
    let (Some(message), Some(lines), None) = (words.next(), words.next(), words.next()) else {
        return Err(Bad("TOP takes a message and a number of lines"));
    };
    Ok(Command::Top { message: number(message)?, lines: number(lines)? })
}

/// `"AUTH" [SP mechanism [SP initial-response]]`
fn auth(argument: &[u8]) -> Result<Command, Bad> {
    let mut words = words(argument);
    let mechanism = words.next().map(|word| String::from_utf8_lossy(word).to_ascii_uppercase());
    let initial = words.next().map(<[u8]>::to_vec);
    if words.next().is_some() {
        return Err(Bad("AUTH takes a mechanism and one response"));
    }
    Ok(Command::Auth { mechanism, initial })
}

/// Reads a line.
pub(crate) fn command(line: &[u8]) -> Result<Command, Bad> {
    let line = content(line);
    let at = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
    let (keyword, argument) = line.split_at(at);
    // One blank belongs to the grammar; what follows it may be part of a password.
    let argument = argument.strip_prefix(b" ").unwrap_or(argument);
    match keyword.to_ascii_uppercase().as_slice() {
        b"USER" => match argument.trim_ascii() {
            b"" => Err(Bad("a name is missing")),
            name => Ok(Command::User(name.to_vec())),
        },
        b"PASS" => Ok(Command::Pass(argument.to_vec())),
        b"AUTH" => auth(argument),
        b"STLS" => none(argument, Command::Stls),
        b"CAPA" => none(argument, Command::Capa),
        b"QUIT" => none(argument, Command::Quit),
        b"NOOP" => none(argument, Command::Noop),
        b"RSET" => none(argument, Command::Rset),
        b"STAT" => none(argument, Command::Stat),
        b"LIST" => maybe_number(argument).map(Command::List),
        b"UIDL" => maybe_number(argument).map(Command::Uidl),
        b"RETR" => one_number(argument).map(Command::Retr),
        b"DELE" => one_number(argument).map(Command::Dele),
        b"TOP" => top(argument),
        b"GET" | b"POST" | b"PUT" | b"HEAD" | b"OPTIONS" | b"CONNECT" => Ok(Command::Http),
        _ => Err(Bad("unknown command")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_are_read() {
        let auth = |mechanism: Option<&str>, initial: Option<&[u8]>| Command::Auth {
            mechanism: mechanism.map(str::to_owned),
            initial: initial.map(<[u8]>::to_vec),
        };
        for (line, want) in [
            (&b"USER mrose\r\n"[..], Command::User(b"mrose".to_vec())),
            (b"user  Anna Berg \n", Command::User(b"Anna Berg".to_vec())),
            (b"PASS  two blanks \r\n", Command::Pass(b" two blanks ".to_vec())),
            (b"pass p\xc3\xa4ss\r\n", Command::Pass(b"p\xc3\xa4ss".to_vec())),
            (b"PASS\r\n", Command::Pass(Vec::new())),
            (b"AUTH\r\n", auth(None, None)),
            (b"AUTH plain\r\n", auth(Some("PLAIN"), None)),
            (b"AUTH PLAIN =\r\n", auth(Some("PLAIN"), Some(b"="))),
            (b"stls\r\n", Command::Stls),
            (b"Quit \r\n", Command::Quit),
            (b"LIST\r\n", Command::List(None)),
            (b"LIST 2\r\n", Command::List(Some(2))),
            (b"UIDL  2 \r\n", Command::Uidl(Some(2))),
            (b"RETR 010\r\n", Command::Retr(10)),
            (b"DELE 99999999999999999999\r\n", Command::Dele(u32::MAX)),
            (b"TOP 1 10\r\n", Command::Top { message: 1, lines: 10 }),
            (b"POST / HTTP/1.1\r\n", Command::Http),
        ] {
            assert_eq!(command(line), Ok(want), "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for line in [
            &b"\r\n"[..],
            b"USER\r\n",
            b"USER  \r\n",
            b"STAT 1\r\n",
            b"LIST x\r\n",
            b"LIST -1\r\n",
            b"LIST 1 2\r\n",
            b"RETR\r\n",
            b"TOP 1\r\n",
            b"TOP 1 2 3\r\n",
            b"AUTH PLAIN a b\r\n",
            b"APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n",
            b"\xff\xfe\r\n",
        ] {
            assert!(command(line).is_err(), "{}", String::from_utf8_lossy(line));
        }
    }

    proptest! {
        #[test]
        fn the_parser_never_panics(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Err(bad) = command(&line) {
                prop_assert!(!bad.0.is_empty());
            }
        }
    }
}
