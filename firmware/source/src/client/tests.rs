//! The client against a server that plays a part: values in ranges, pages without end, answers that are none.

use directory::ber::{self, Parts, integer, leaf, octets, sequence};
use ldap3_lber::common::TagClass;
use ldap3_lber::structure::{PL, StructureTag};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::{Client, PAGED, Raw, Scope, Search, application};
use crate::failure::{Failure, Reason, Stage};
use crate::read;
use crate::settings::Effective;

/// The answers to one request; the number of the request comes before each.
type Answers = Vec<(StructureTag, Vec<StructureTag>)>;

fn set(values: Vec<StructureTag>) -> StructureTag {
    StructureTag { class: TagClass::Universal, id: 17, payload: PL::C(values) }
}

fn entry(dn: &str, name: &str, values: &[String]) -> StructureTag {
    let values = values.iter().map(|value| octets(value.as_bytes())).collect();
    let attribute = sequence(vec![octets(name.as_bytes()), set(values)]);
    application(4, vec![octets(dn.as_bytes()), sequence(vec![attribute])])
}

fn done(code: i64) -> StructureTag {
    application(5, vec![integer(ber::ENUMERATED, code), octets(*b""), octets(*b"said")])
}

fn page(cookie: &[u8]) -> StructureTag {
    let value = ber::encode(sequence(vec![integer(ber::INTEGER, 0), octets(cookie)]));
    sequence(vec![octets(PAGED.as_bytes()), octets(value)])
}

/// Answers each request with the next of `answers`, then closes; returns what was asked for by name.
async fn play(mut stream: DuplexStream, answers: Vec<Answers>) -> Vec<String> {
    let mut asked = Vec::new();
    for answers in answers {
        let mut bytes = Vec::new();
        while directory::frame::length(&bytes, 1 << 20) != Ok(Some(bytes.len())) {
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0);
        }
        let mut parts = Parts::of(ber::parse(&bytes).unwrap()).unwrap();
        let id = parts.number(ber::INTEGER).unwrap();
        let names = Parts::of(parts.any().unwrap()).unwrap().last().unwrap();
        let names = Parts::of(names).into_iter().flatten().filter_map(ber::primitive);
        asked.extend(names.map(|name| String::from_utf8(name).unwrap()));
        for (operation, controls) in answers {
            let mut message = vec![integer(ber::INTEGER, id), operation];
            if !controls.is_empty() {
                let payload = PL::C(controls);
                message.push(StructureTag { class: TagClass::Context, id: 0, payload });
            }
            // Who has heard enough may have gone.
            if stream.write_all(&ber::encode(sequence(message))).await.is_err() {
                return asked;
            }
        }
    }
    asked
}

fn scene(answers: Vec<Answers>) -> (Client, tokio::task::JoinHandle<Vec<String>>) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    (Client::new(Box::new(ours)), tokio::spawn(play(theirs, answers)))
}

async fn search(client: &mut Client) -> Result<Vec<Raw>, Failure> {
    let filter = directory::Filter::Present("cn".to_owned());
    let (base, scope, stage) = ("dc=x", Scope::Subtree, Stage::Search);
    let attributes = ["cn".to_owned()];
    let search = Search { base, scope, filter: &filter, attributes: &attributes, stage };
    let mut found = Vec::new();
    let mut each = |raw| {
        found.push(raw);
        Ok(true)
    };
    client.search(&search, &mut each).await?;
    Ok(found)
}

#[tokio::test]
async fn members_in_ranges_are_fetched_to_the_end() {
    let members = |from: usize, to: usize| -> Vec<String> {
        (from..to).map(|n| format!("cn=p{n},dc=x")).collect()
    };
    let answer = |name: &str, values: &[String]| {
        vec![(entry("cn=all,dc=x", name, values), Vec::new()), (done(0), Vec::new())]
    };
    let (mut client, server) = scene(vec![
        answer("member;range=0-1499", &members(0, 1500)),
        answer("member;range=1500-2999", &members(1500, 3000)),
        answer("member;Range=3000-*", &members(3000, 3001)),
    ]);
    let settings = store::SourceSettings { base: "dc=x".to_owned(), ..Default::default() };
    let effective = Effective::of(&settings);
    let budget = base::TierBudget::of(base::Tier::OneGb);
    let groups = read::groups(&mut client, &settings, &effective, &budget).await.unwrap();
    drop(client);
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].attributes["member"].len(), 3_001);
    let asked = server.await.unwrap();
    assert!(asked.contains(&"member;range=1500-*".to_owned()), "{asked:?}");
    assert_eq!(asked.last().map(String::as_str), Some("member;range=3000-*"));
}

#[tokio::test]
async fn pages_follow_one_another_and_end() {
    let one = |n: u8| entry(&format!("cn={n},dc=x"), "cn", &[n.to_string()]);
    let reference = application(19, vec![octets(*b"ldap://elsewhere.test/dc=x")]);
    let (mut client, _server) = scene(vec![
        vec![(one(1), vec![]), (reference, vec![]), (done(0), vec![page(b"a")])],
        vec![(one(2), vec![]), (done(0), vec![page(b"b")])],
        // The same place again.
        vec![(one(3), vec![]), (done(0), vec![page(b"b")])],
    ]);
    let found = search(&mut client).await.unwrap();
    let dns: Vec<&str> = found.iter().map(|raw| raw.dn.as_str()).collect();
    assert_eq!(dns, ["cn=1,dc=x", "cn=2,dc=x", "cn=3,dc=x"]);
}

#[tokio::test]
async fn what_is_no_answer_ends_with_a_reason() {
    for (answer, reason) in [
        (done(32), Reason::BaseNotFound),
        (done(10), Reason::Referral),
        (done(4), Reason::TooManyEntries),
        (done(50), Reason::NotAllowed),
        (application(5, Vec::new()), Reason::ProtocolError),
        (application(4, vec![octets(*b"cn=1")]), Reason::ProtocolError),
        (application(9, Vec::new()), Reason::ProtocolError),
        (leaf(TagClass::Application, 5, *b"x"), Reason::ProtocolError),
    ] {
        let (mut client, _server) = scene(vec![vec![(answer, Vec::new())]]);
        let failure = search(&mut client).await.unwrap_err();
        assert_eq!(failure.reason, reason, "{failure:?}");
    }
    for (bytes, reason) in [
        (&b"HTTP/1.1 400 Bad Request\r\n"[..], Reason::ProtocolError),
        (b"\x30\x84\x7f\xff\xff\xff", Reason::ProtocolError),
        (b"\x30\x05\x02\x01\x01\x65\x01", Reason::ProtocolError),
        (b"\x30\x05\x02\x01", Reason::ConnectionLost),
        (b"", Reason::ConnectionLost),
    ] {
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        theirs.write_all(bytes).await.unwrap();
        theirs.shutdown().await.unwrap();
        let mut client = Client::new(Box::new(ours));
        let failure = search(&mut client).await.unwrap_err();
        assert_eq!(failure.reason, reason, "{bytes:x?}: {failure:?}");
    }
}

#[tokio::test]
async fn a_name_without_a_password_is_never_sent() {
    let (mut client, server) = scene(Vec::new());
    let failure = client.bind("cn=anna,dc=x", b"").await.unwrap_err();
    assert_eq!(failure.reason, Reason::BindRefused);
    assert!(server.await.unwrap().is_empty());
}
