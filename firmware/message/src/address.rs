//! Address lists of header fields. RFC 5322 §3.4, the obsolete forms of §4.4 included.
//!
//! Display names stay RFC 2047 encoded. Limit: 5,000 addresses of one field, the rest is passed over.

use crate::field::into_text;
use crate::lexer::Lexer;
use crate::structure::Addr;

/// Most addresses of one field that are kept.
const ADDRESSES_MAX: usize = 5_000;
/// Most atoms and specials of one address that are kept.
const PIECES_MAX: usize = 500;

/// A piece of an address: an atom, a quoted string or one of the specials `@` and `.`.
#[derive(Debug)]
struct Piece {
    text: Vec<u8>,
    after_space: bool,
    at_sign: bool,
}

/// What the reader has seen of the address under way.
#[derive(Debug, Default)]
struct Reader {
    addresses: Vec<Addr>,
    pieces: Vec<Piece>,
    comment: Option<Vec<u8>>,
    in_group: bool,
}

/// The addresses of a field's value; groups as RFC 9051 §7.5.2 wants them.
#[must_use]
pub fn parse_addresses(value: &[u8]) -> Vec<Addr> {
    let mut lexer = Lexer::new(value);
    let mut reader = Reader::default();
    loop {
        let after_space = lexer.skip_space();
        let Some(byte) = lexer.peek() else { break };
        if reader.addresses.len() >= ADDRESSES_MAX {
            break;
        }
        match byte {
            b'(' => reader.comment = Some(lexer.comment()),
            b'<' => {
                lexer.next();
                reader.angle(&mut lexer);
            }
            b',' => {
                lexer.next();
                reader.end_address();
            }
            b';' => {
                lexer.next();
                reader.end_address();
                reader.end_group();
            }
            b':' => {
                lexer.next();
                reader.begin_group();
            }
            _ => {
                let piece = read_piece(&mut lexer, after_space);
                reader.keep(piece);
            }
        }
    }
    reader.end_address();
    reader.end_group();
    reader.addresses
}

fn read_piece(lexer: &mut Lexer<'_>, after_space: bool) -> Option<Piece> {
    let piece = |text: Vec<u8>, at_sign| Piece { text, after_space, at_sign };
    match lexer.peek()? {
        b'"' => Some(piece(lexer.quoted(), false)),
        b'[' => {
            // RFC 5322 §3.4.1 domain-literal.
            let mut text = lexer.run(|b| b != b']' && b != b',' && b != b'>').to_vec();
            if lexer.eat(b']') {
                text.push(b']');
            }
            Some(piece(text, false))
        }
        b'@' => {
            lexer.next();
            Some(piece(vec![b'@'], true))
        }
        b'.' => {
            lexer.next();
            Some(piece(vec![b'.'], false))
        }
        _ => {
            let text = lexer.run(|b| b > b' ' && !b"()<>[]:;@,.\"".contains(&b)).to_vec();
            if text.is_empty() {
                // A stray `>`, `]` or control character.
                lexer.next();
                return None;
            }
            Some(piece(text, false))
        }
    }
}

/// The pieces as one text: a blank where there was white space, nothing where there was none.
fn join(pieces: &[Piece]) -> String {
    let mut text = Vec::new();
    for piece in pieces {
        if piece.after_space && !text.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(&piece.text);
    }
    into_text(text)
}

/// The two halves of an addr-spec; the host is empty where there is no `@`.
fn addr_spec(pieces: &[Piece]) -> (String, String) {
    match pieces.iter().rposition(|p| p.at_sign) {
        Some(at) => {
            let local = pieces.get(..at).unwrap_or_default();
            let host = pieces.get(at + 1..).unwrap_or_default();
            (join(local).replace(" .", ".").replace(". ", "."), join(host).replace(' ', ""))
        }
        None => (join(pieces), String::new()),
    }
}

impl Reader {
    fn keep(&mut self, piece: Option<Piece>) {
        if self.pieces.len() < PIECES_MAX {
            self.pieces.extend(piece);
        }
    }

    /// `[display-name] "<" addr-spec ">"`, behind the `<`.
    fn angle(&mut self, lexer: &mut Lexer<'_>) {
        let name = (!self.pieces.is_empty()).then(|| join(&self.pieces));
        self.pieces.clear();
        loop {
            let after_space = lexer.skip_space();
            match lexer.peek() {
                None => break,
                Some(b'>') => {
                    lexer.next();
                    break;
                }
                Some(b'(') => {
                    lexer.comment();
                }
                // The end of a source route `@a,@b:` (RFC 5322 §4.4), which nobody wants.
                Some(b':') => {
                    lexer.next();
                    self.pieces.clear();
                }
                // A forgotten `>`.
                Some(b',') if self.pieces.first().is_none_or(|p| !p.at_sign) => break,
                Some(b',' | b';' | b'<') => {
                    lexer.next();
                }
                Some(_) => {
                    let piece = read_piece(lexer, after_space);
                    self.keep(piece);
                }
            }
        }
        let (mailbox, host) = addr_spec(&self.pieces);
        self.pieces.clear();
        let name = name.or_else(|| self.comment.take().map(into_text));
        self.comment = None;
        self.addresses.push(Addr { name, mailbox: Some(mailbox), host: Some(host) });
    }

    fn end_address(&mut self) {
        if !self.pieces.is_empty() {
            let (mailbox, host) = addr_spec(&self.pieces);
            let name = self.comment.take().map(into_text);
            self.addresses.push(Addr { name, mailbox: Some(mailbox), host: Some(host) });
        }
        self.pieces.clear();
        self.comment = None;
    }

    fn begin_group(&mut self) {
        if self.in_group || self.pieces.is_empty() {
            return;
        }
        let name = join(&self.pieces);
        self.pieces.clear();
        self.comment = None;
        self.in_group = true;
        self.addresses.push(Addr { name: None, mailbox: Some(name), host: None });
    }

    fn end_group(&mut self) {
        if self.in_group {
            self.in_group = false;
            self.addresses.push(Addr::default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name|mailbox|host`, `-` for `None`.
    fn shown(value: &str) -> Vec<String> {
        let text = |part: &Option<String>| part.clone().unwrap_or_else(|| "-".to_owned());
        parse_addresses(value.as_bytes())
            .iter()
            .map(|a| format!("{}|{}|{}", text(&a.name), text(&a.mailbox), text(&a.host)))
            .collect()
    }

    #[test]
    fn addresses_of_rfc_5322_and_of_the_wild() {
        for (value, wanted) in [
            // RFC 5322 appendix A.1.1 to A.1.3, A.5, A.6.1.
            ("John Doe <jdoe@machine.example>", &["John Doe|jdoe|machine.example"][..]),
            (
                "\"Joe Q. Public\" <john.q.public@example.com>, <boss@nil.test>",
                &["Joe Q. Public|john.q.public|example.com", "-|boss|nil.test"],
            ),
            (
                "\"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
                &["Giant; \"Big\" Box|sysservices|example.net"],
            ),
            (
                "A Group:Ed Jones <joe@where.test>,john@doe.test;",
                &["-|A Group|-", "Ed Jones|joe|where.test", "-|john|doe.test", "-|-|-"],
            ),
            ("Undisclosed recipients:;", &["-|Undisclosed recipients|-", "-|-|-"]),
            (
                "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
                &["Pete|pete|silly.test"],
            ),
            ("joe@x.test (Joe (the first))", &["Joe (the first)|joe|x.test"]),
            (
                "Joe Q. Public <john . q . public@example . com>",
                &["Joe Q. Public|john.q.public|example.com"],
            ),
            ("<@a.test,@b.test:c@d.test>", &["-|c|d.test"]),
            ("=?utf-8?q?J=C3=B6rg?= <j@x.test>", &["=?utf-8?q?J=C3=B6rg?=|j|x.test"]),
            ("\"a b\"@x.test, u@[192.0.2.1]", &["-|a b|x.test", "-|u|[192.0.2.1]"]),
            ("root", &["-|root|"]),
            ("Mailer <>", &["Mailer||"]),
            ("a@b <c@d", &["a@b|c|d"]),
            (",,;:", &[]),
            ("", &[]),
        ] {
            assert_eq!(shown(value), wanted, "{value:?}");
        }
    }
}
