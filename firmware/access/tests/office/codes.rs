//! Response codes that no transcript can bring about: they need a look into the store, or very many of something.

use std::fs;

use base::Address;
use store::{AccountChange, AccountState};
use testkit::Client;

use super::{Office, reply};

fn last(client: &mut Client, command: &str) -> String {
    client.send(command).unwrap();
    let tag = command.split(' ').next().unwrap();
    reply(client, tag).pop().unwrap()
}

/// RFC 5465 §5.8: 2,000 mailboxes are watched; one more, and nothing is.
#[test]
fn too_many_mailboxes_overflow_notify() {
    let office = Office::start(&[("anna", None)]);
    let store = &office.ctx.store;
    let anna = store.account_by_address(&Address::parse("anna@office.test").unwrap());
    let anna = anna.unwrap().unwrap().id;
    office.runtime.block_on(async {
        let mut making = tokio::task::JoinSet::new();
        for n in 0..1_999 {
            let store = store.clone();
            making.spawn(async move { store.create_mailbox(anna, format!("N/{n}"), None).await });
        }
        making.join_all().await.into_iter().for_each(|made| drop(made.unwrap()));
    });
    let (mut watching, mut other) = (office.client("anna"), office.client("anna"));
    let set = "NOTIFY SET (subtree N (MessageNew MessageExpunge))";
    assert!(last(&mut watching, &format!("a1 {set}")).starts_with("a1 OK"));
    let append = "APPEND N/5 {14+}\r\nSubject: a\r\n\r\n";
    assert!(last(&mut other, &format!("b1 {append}")).starts_with("b1 OK"));
    let told = watching.read_line().unwrap().unwrap();
    assert_eq!(told, "* STATUS N/5 (UIDNEXT 2 MESSAGES 1)");
    assert!(last(&mut other, "b2 CREATE N/more").starts_with("b2 OK"));
    let told = watching.read_line().unwrap().unwrap();
    assert!(told.starts_with("* OK [NOTIFICATIONOVERFLOW] "), "{told}");
    assert!(last(&mut other, &format!("b3 {append}")).starts_with("b3 OK"));
    watching.send("a2 NOOP").unwrap();
    assert_eq!(reply(&mut watching, "a2").len(), 1);
    // RFC 5465 §3.1: too much to ask for.
    let refused = last(&mut watching, &format!("a3 {set}"));
    assert!(refused.starts_with("a3 NO [NOTIFICATIONOVERFLOW] "), "{refused}");
    let fewer = "a4 NOTIFY SET (mailboxes N/5 (MessageNew MessageExpunge))";
    assert!(last(&mut watching, fewer).starts_with("a4 OK"));
    assert!(last(&mut other, &format!("b4 {append}")).starts_with("b4 OK"));
    let told = watching.read_line().unwrap().unwrap();
    assert_eq!(told, "* STATUS N/5 (UIDNEXT 4 MESSAGES 3)");
    office.check();
}

/// RFC 5530: a message whose bytes are damaged is told as such; all else goes on.
#[test]
fn damage_is_told_as_corruption() {
    let office = Office::start(&[("anna", None)]);
    let mut client = office.client("anna");
    let text = format!("Subject: a\r\n\r\n{}", "0123456789abcdef\r\n".repeat(100));
    let append = format!("a1 APPEND INBOX {{{}+}}\r\n{text}", text.len());
    assert!(last(&mut client, &append).starts_with("a1 OK"));
    let path = office.dir.path().join("segments/00000001.seg");
    let mut bytes = fs::read(&path).unwrap();
    // Behind the head of the segment.
    bytes.iter_mut().skip(52).for_each(|byte| *byte ^= 0x55);
    fs::write(&path, bytes).unwrap();
    assert!(last(&mut client, "a2 SELECT INBOX").starts_with("a2 OK"));
    let refused = last(&mut client, "a3 FETCH 1 BODY.PEEK[TEXT]");
    assert!(refused.starts_with("a3 NO [CORRUPTION] "), "{refused}");
    client.send("a4 FETCH 1 (RFC822.SIZE)").unwrap();
    assert_eq!(reply(&mut client, "a4")[0], format!("* 1 FETCH (RFC822.SIZE {})", text.len()));
}

/// RFC 5530: an account that is switched off is not told that its password is wrong, if it is right.
#[test]
fn disabled_accounts_are_sent_to_the_admin() {
    let office = Office::start(&[("anna", None)]);
    let store = &office.ctx.store;
    let anna = store.account_by_address(&Address::parse("anna@office.test").unwrap());
    let id = anna.unwrap().unwrap().id;
    let change = AccountChange { state: Some(AccountState::Disabled), ..AccountChange::default() };
    office.runtime.block_on(store.update_account(id, change)).unwrap();
    let mut client = Client::connect(&office, 143).unwrap();
    client.read_line().unwrap().unwrap();
    let refused = last(&mut client, "a1 LOGIN anna@office.test secret-anna");
    assert!(refused.starts_with("a1 NO [CONTACTADMIN] "), "{refused}");
    let refused = last(&mut client, "a2 LOGIN anna@office.test wrong");
    assert!(refused.starts_with("a2 NO [AUTHENTICATIONFAILED] "), "{refused}");
    office.check();
}

/// RFC 5530: what takes room is refused before it comes; all else goes on.
#[test]
fn a_full_disk_is_told_before_the_message() {
    let office = Office::start_with(&[("anna", None)], u64::MAX);
    let mut client = office.client("anna");
    let refused = last(&mut client, "a1 APPEND INBOX {14}");
    assert!(refused.starts_with("a1 NO [UNAVAILABLE] "), "{refused}");
    let refused = last(&mut client, "a2 APPEND INBOX {14+}\r\nSubject: a\r\n\r\n");
    assert!(refused.starts_with("a2 NO [UNAVAILABLE] "), "{refused}");
    for (tag, command) in [("a3", "SELECT INBOX"), ("a4", "SUBSCRIBE Sent"), ("a5", "EXPUNGE")] {
        let done = last(&mut client, &format!("{tag} {command}"));
        assert!(done.starts_with(&format!("{tag} OK ")), "{done}");
    }
    office.check();
}

/// RFC 3502, RFC 7888 §4: what is too many for one command is read away and refused, and the session goes on.
#[test]
fn too_many_messages_for_one_command_are_refused() {
    let office = Office::start(&[("anna", None)]);
    let mut client = office.client("anna");
    let append = |tag: &str, count: usize| {
        format!("{tag} APPEND INBOX{}\r\n", " {14+}\r\nSubject: a\r\n\r\n".repeat(count))
    };
    for (tag, count, answer) in [
        ("a1", 1_000, "a1 OK [APPENDUID "),
        ("a2", 1_001, "a2 NO [LIMIT] "),
        ("a3", 5_000, "a3 NO [LIMIT] "),
        ("a4", 1, "a4 OK [APPENDUID "),
    ] {
        client.send_raw(append(tag, count).as_bytes()).unwrap();
        let told = reply(&mut client, tag).pop().unwrap();
        assert!(told.starts_with(answer), "{told}");
    }
    // Who waits for the invitation does not get the one too many.
    client.send_raw(append("a5", 1_000).strip_suffix("\r\n").unwrap().as_bytes()).unwrap();
    client.send_raw(b" {14}\r\n").unwrap();
    assert!(reply(&mut client, "a5")[0].starts_with("a5 NO [LIMIT] "));
    client.send("a6 STATUS INBOX (MESSAGES UIDNEXT)").unwrap();
    assert_eq!(reply(&mut client, "a6")[0], "* STATUS INBOX (MESSAGES 1001 UIDNEXT 1002)");
    office.check();
}

/// What is known of messages that wait is in memory: of those with very long headers fewer fit into a command.
#[test]
fn long_headers_make_a_command_full() {
    let office = Office::start(&[("anna", None)]);
    let mut client = office.client("anna");
    let message = format!("Subject: {}\r\n\r\n", "long ".repeat(50_000));
    let one = format!(" {{{}+}}\r\n{message}", message.len());
    for (tag, count, answer) in
        [("a1", 3, "a1 OK"), ("a2", 40, "a2 NO [LIMIT] "), ("a3", 1, "a3 OK")]
    {
        client.send_raw(format!("{tag} APPEND INBOX{}\r\n", one.repeat(count)).as_bytes()).unwrap();
        let told = reply(&mut client, tag).pop().unwrap();
        assert!(told.starts_with(answer), "{told}");
    }
    office.check();
}

/// Large messages of one command share a file; each comes back as it was.
#[test]
fn large_messages_of_one_command_stay_apart() {
    let office = Office::start(&[("anna", None)]);
    let mut client = office.client("anna");
    let mut n = 1u32;
    let mut noise = |len: usize| {
        let mut text = b"Subject: large\r\n\r\n".to_vec();
        while text.len() < len {
            n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.extend_from_slice(format!("{n:x}\r\n").as_bytes());
        }
        text
    };
    let sizes = [900_000, 50, 700_000, 3_000_000, 40_000, 1_200_000, 100, 300_000];
    let messages: Vec<Vec<u8>> = sizes.into_iter().map(&mut noise).collect();
    client.send_raw(b"a1 APPEND INBOX").unwrap();
    for message in &messages {
        client.send_raw(format!(" {{{}+}}\r\n", message.len()).as_bytes()).unwrap();
        client.send_raw(message).unwrap();
    }
    client.send_raw(b"\r\n").unwrap();
    assert!(reply(&mut client, "a1")[0].starts_with("a1 OK [APPENDUID "));
    assert!(last(&mut client, "a2 SELECT INBOX").starts_with("a2 OK"));
    for (n, message) in (1..).zip(&messages) {
        client.send(&format!("b{n} FETCH {n} BODY.PEEK[]")).unwrap();
        let head = client.read_line().unwrap().unwrap();
        assert_eq!(head, format!("* {n} FETCH (BODY[] {{{}}}", message.len()));
        assert!(client.read_exact(message.len()).unwrap() == *message);
        reply(&mut client, &format!("b{n}"));
    }
    office.check();
}

/// What ends nowhere is cut off, however small its pieces are.
#[test]
fn a_command_without_end_is_cut_off() {
    let office = Office::start(&[("anna", None)]);
    let mut client = Client::connect(&office, 143).unwrap();
    client.read_line().unwrap().unwrap();
    client.send_raw(b"a1 LOGIN {9000+}\r\n").unwrap();
    client.send_raw("x".repeat(9000).as_bytes()).unwrap();
    client.send_raw(" {0+}\r\n".repeat(2_000).as_bytes()).unwrap();
    let told = client.read_line().unwrap().unwrap();
    assert!(told.starts_with("* BYE "), "{told}");
    office.check();
}
