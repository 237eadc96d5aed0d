//! Requests and answers as the wire trace shows them: a line each.
//!
//! Never here: a password, a value of an entry, and what a filter asks of a password.

use directory::Filter;
use ldap3_proto::proto::{LdapOp, LdapResult};
use session::rules::is_secret;

use crate::message::{Bind, Message, Request, Search};

/// What a client asks.
pub(crate) fn request(message: &Message) -> String {
    let mut line = format!("{} {}", message.id, asked(&message.request));
    for control in &message.controls {
        line.push_str(if control.is_critical { " !" } else { " " });
        line.push_str(&control.oid);
    }
    line
}

fn asked(request: &Request) -> String {
    match request {
        Request::Bind(Bind { name, with, .. }) => format!("BIND {name:?} {with:?}"),
        Request::Unbind => "UNBIND".to_owned(),
        Request::Search(search) => searched(search),
        Request::Modify(request) => {
            let changes = request.changes.iter();
            let changes = changes.map(|c| format!("{:?} {}", c.operation, c.modification.atype));
            format!("MODIFY {:?} {}", request.dn, changes.collect::<Vec<_>>().join(", "))
        }
        Request::Add(request) => {
            let names = request.attributes.iter().map(|attribute| attribute.atype.as_str());
            format!("ADD {:?} {}", request.dn, names.collect::<Vec<_>>().join(" "))
        }
        Request::Delete(dn) => format!("DELETE {dn:?}"),
        Request::ModifyDn(request) => format!(
            "MODDN {:?} to {:?} below {:?}",
            request.dn, request.newrdn, request.new_superior
        ),
        Request::Compare(request) => format!("COMPARE {:?} {}", request.dn, request.atype),
        Request::Abandon(id) => format!("ABANDON {id}"),
        Request::Extended(request) => format!("EXTENDED {}", request.name),
    }
}

fn searched(search: &Search) -> String {
    let filter = match &search.filter {
        Ok(filter) if asks_secrets(filter) => "<secret>".to_owned(),
        Ok(filter) => filter.to_string(),
        Err(refusal) => format!("<{refusal}>"),
    };
    let Search { base, scope, size_limit, time_limit, attributes, .. } = search;
    let names = attributes.join(" ");
    format!("SEARCH {base:?} {scope:?} {filter} size {size_limit} time {time_limit} [{names}]")
}

fn asks_secrets(filter: &Filter) -> bool {
    match filter {
        Filter::And(inner) | Filter::Or(inner) => inner.iter().any(asks_secrets),
        Filter::Not(inner) => asks_secrets(inner),
        Filter::Equal { attribute, .. }
        | Filter::Substrings { attribute, .. }
        | Filter::AtLeast { attribute, .. }
        | Filter::AtMost { attribute, .. }
        | Filter::Approx { attribute, .. }
        | Filter::Present(attribute) => is_secret(attribute),
        // It may be asked of any attribute.
        Filter::Extensible { attribute, .. } => attribute.as_deref().is_none_or(is_secret),
    }
}

/// What the server answers.
pub(crate) fn answer(id: i32, op: &LdapOp) -> String {
    match op {
        LdapOp::SearchResultEntry(entry) => {
            format!("{id} ENTRY {:?}, {} attributes", entry.dn, entry.attributes.len())
        }
        LdapOp::BindResponse(response) => format!("{id} BOUND {}", told(&response.res)),
        LdapOp::ExtendedResponse(response) => format!("{id} EXTENDED {}", told(&response.res)),
        LdapOp::SearchResultDone(result)
        | LdapOp::ModifyResponse(result)
        | LdapOp::AddResponse(result)
        | LdapOp::DelResponse(result)
        | LdapOp::ModifyDNResponse(result)
        | LdapOp::CompareResult(result) => format!("{id} DONE {}", told(result)),
        _ => format!("{id} OTHER"),
    }
}

fn told(result: &LdapResult) -> String {
    let LdapResult { code, message, matcheddn, .. } = result;
    format!("{code:?} {message:?} {matcheddn:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::parse;

    fn shown(bytes: &[u8]) -> String {
        request(&parse(bytes).unwrap())
    }

    #[test]
    fn what_is_asked_is_shown_without_passwords() {
        let bind = b"\x30\x0f\x02\x01\x01\x60\x0a\x02\x01\x03\x04\x02aa\x80\x01x";
        assert_eq!(shown(bind), "1 BIND \"aa\" Simple");
        // Of the root, all below it, without limits.
        let head = b"\x04\x00\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00";
        let by_name =
            [b"\x30\x21\x02\x01\x02\x63\x1c", &head[..], b"\xa3\x07\x04\x02cn\x04\x01a\x30\x00"];
        let asked = "2 SEARCH \"\" Subtree (cn=a) size 0 time 0 []";
        assert_eq!(shown(&by_name.concat()), asked);
        let filter = b"\xa3\x11\x04\x0cuserPassword\x04\x01a\x30\x00";
        let secret = [b"\x30\x2b\x02\x01\x03\x63\x26", &head[..], filter];
        let asked = "3 SEARCH \"\" Subtree <secret> size 0 time 0 []";
        assert_eq!(shown(&secret.concat()), asked);
    }

    #[test]
    fn an_answer_is_shown_by_its_code() {
        let op =
            LdapOp::SearchResultDone(crate::reply::result(directory::Code::NoSuchObject, "no"));
        assert_eq!(answer(7, &op), "7 DONE NoSuchObject \"no\" \"\"");
    }
}
