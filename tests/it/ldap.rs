//! The directory by LDAP, with OpenLDAP's tools: an entry is an account, and an account an entry.
//!
//! What a hostile client may try is sent as bytes of our own making.

mod brought;
mod by_web;
mod logins;
mod passwords;
mod reach;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use testkit::daemon::{Daemon, Options, office_with_admins};

const ADMIN: &str = "cn=admin,dc=office,dc=test";
const ADMIN_PASSWORD: &str = "correct horse";
const PEOPLE: &str = "ou=people,dc=office,dc=test";

/// A box with an admin, asked by LDAP.
pub(crate) struct Office {
    pub(crate) daemon: Daemon,
}

/// What a tool said.
#[derive(Debug)]
pub(crate) struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    pub(crate) fn code(&self) -> i32 {
        self.code
    }

    pub(crate) fn out(&self) -> &str {
        &self.out
    }

    pub(crate) fn err(&self) -> &str {
        &self.err
    }

    /// The tool's exit status is LDAP's result code.
    pub(crate) fn must_be(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        self
    }

    /// The tool tells this to whoever called it.
    pub(crate) fn tells(&self, text: &str) -> &Self {
        assert!(self.err.contains(text), "{}", self.err);
        self
    }

    /// The values of an attribute, in their order.
    fn values(&self, name: &str) -> Vec<&str> {
        let head = format!("{name}: ");
        self.out.lines().filter_map(|line| line.strip_prefix(&head)).collect()
    }
}

impl Office {
    fn new() -> Self {
        Self::with(office_with_admins(&["anna", "ben", "boss"], &["boss"]))
    }

    /// An office as a provisioning file says.
    pub(crate) fn with(provision: String) -> Self {
        let provision = Some(provision);
        let daemon = Daemon::start(Options { provision, ..Options::default() }).unwrap();
        Self { daemon }
    }

    fn url(&self, scheme: &str, port: u16) -> String {
        format!("{scheme}://{}:{}", self.daemon.at.address, port + self.daemon.at.port_offset)
    }

    pub(crate) fn run(&self, tool: &str, login: &[&str], arguments: &[&str], input: &str) -> Said {
        let mut command = Command::new(tool);
        command.env("LDAPTLS_REQCERT", "never");
        command.args(["-H", &self.url("ldap", 389)]).args(login).args(arguments);
        said(&mut command, input)
    }

    /// A tool, bound as the admin.
    pub(crate) fn admin(&self, tool: &str, arguments: &[&str], input: &str) -> Said {
        self.run(tool, &["-x", "-D", ADMIN, "-w", ADMIN_PASSWORD], arguments, input)
    }

    /// A tool, bound with a mail address.
    fn person(&self, who: &str, password: &str, tool: &str, arguments: &[&str]) -> Said {
        self.person_says(who, password, tool, arguments, "")
    }

    fn person_says(
        &self,
        who: &str,
        password: &str,
        tool: &str,
        arguments: &[&str],
        input: &str,
    ) -> Said {
        let name = format!("{who}@office.test");
        self.run(tool, &["-x", "-D", &name, "-w", password], arguments, input)
    }

    fn search(&self, arguments: &[&str]) -> Said {
        let all = [&["-LLL", "-o", "ldif-wrap=no", "-b", "dc=office,dc=test"], arguments].concat();
        self.admin("ldapsearch", &all, "")
    }

    /// What RCPT is answered.
    pub(crate) fn rcpt(&self, address: &str) -> Result<String> {
        let mut client = self.daemon.client(25)?;
        client.smtp_reply()?;
        client.smtp("EHLO load.test", "250")?;
        client.smtp("MAIL FROM:<x@load.test>", "250")?;
        client.send(&format!("RCPT TO:<{address}>"))?;
        client.smtp_reply()
    }

    fn deliver(&self, address: &str) -> Result<()> {
        let mut client = self.daemon.client(25)?;
        client.smtp_reply()?;
        client.smtp("EHLO load.test", "250")?;
        client.smtp("MAIL FROM:<x@load.test>", "250")?;
        client.smtp(&format!("RCPT TO:<{address}>"), "250")?;
        client.smtp("DATA", "354")?;
        client.smtp("Subject: welcome\r\n\r\ntext\r\n.", "250")?;
        Ok(())
    }
}

fn said(command: &mut Command, input: &str) -> Said {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("ldap-utils is installed");
    // A tool that refuses its arguments reads nothing.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}

fn person(uid: &str, more: &str) -> String {
    format!(
        "dn: uid={uid},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid} Tal\nsn: Tal\n\
         mail: {uid}@office.test\n{more}\n"
    )
}

fn modify(uid: &str, changes: &str) -> String {
    format!("dn: uid={uid},{PEOPLE}\nchangetype: modify\n{changes}\n")
}

#[test]
fn a_process_of_the_box_is_the_admin_by_the_socket() {
    let office = Office::new();
    let path = office.daemon.data.join("ldapi").display().to_string().replace('/', "%2F");
    let url = format!("ldapi://{path}");
    let ask = |tool: &str, arguments: &[&str], input: &str| {
        said(Command::new(tool).args(["-H", &url]).args(arguments), input)
    };
    let external = ["-Q", "-Y", "EXTERNAL"];
    let me = ask("ldapwhoami", &external, "");
    assert_eq!(me.must_be(0).out.trim(), format!("dn:{ADMIN}"));
    let me = ask("ldapwhoami", &[&external[..], &["-X", &format!("dn:{ADMIN}")]].concat(), "");
    assert_eq!(me.must_be(0).out.trim(), format!("dn:{ADMIN}"));
    ask("ldapadd", &external, &person("carl", "userPassword: secret-carl\n")).must_be(0);
    office.person("carl", "secret-carl", "ldapwhoami", &[]).must_be(0);
    // Nobody but oneself: not even who has fewer rights.
    for other in ["dn:uid=carl,ou=people,dc=office,dc=test", "u:carl@office.test", "u:nobody"] {
        let said = ask("ldapwhoami", &[&external[..], &["-X", other]].concat(), "");
        assert_ne!(said.code, 0, "{other}: {}", said.out);
    }
    // Without saying so one is nobody, and over the network EXTERNAL says nothing.
    ask("ldapsearch", &["-x", "-b", PEOPLE], "").must_be(50);
    let said = office.run("ldapwhoami", &external, &[], "");
    assert_ne!(said.code, 0, "{}", said.out);
}

#[test]
fn an_entry_is_an_account_and_ends_with_it() -> Result<()> {
    let mut office = Office::new();
    office.admin("ldapadd", &[], &person("carl", "userPassword: secret-carl\n")).must_be(0);
    office.deliver("carl@office.test")?;
    let mut carl = office.daemon.imap("carl")?;
    ensure!(carl.imap("SELECT INBOX")?.iter().any(|line| line == "* 1 EXISTS"));
    office.person("carl", "secret-carl", "ldapwhoami", &[]).must_be(0);

    // The password that came hashed, and what is kept of it after the first login.
    let dora = person("dora", "userPassword: {SSHA}1G904nLkTkGWjKNnQuB/hpWXC/hzYWx0c2FsdA==\n");
    office.admin("ldapadd", &[], &dora).must_be(0);
    office.person("dora", "secret", "ldapwhoami", &[]).must_be(0);
    let scram = ["-Y", "SCRAM-SHA-256", "-U", "dora@office.test", "-w", "secret"];
    office.run("ldapwhoami", &scram, &[], "").must_be(0);

    // A disabled account is out at once, an enabled one in again.
    let status = |status: &str| {
        modify("carl", &format!("replace: postroomStatus\npostroomStatus: {status}"))
    };
    let account = modify("carl", "add: objectClass\nobjectClass: postroomAccount");
    office.admin("ldapmodify", &[], &account).must_be(0);
    for shut in ["disabled", "suspended"] {
        office.admin("ldapmodify", &[], &status(shut)).must_be(0);
        ensure!(office.daemon.imap("carl").is_err());
        ensure!(carl.imap("NOOP").is_err(), "the session goes on");
        office.person("carl", "secret-carl", "ldapwhoami", &[]).must_be(53);
        office.admin("ldapmodify", &[], &status("active")).must_be(0);
        carl = office.daemon.imap("carl")?;
    }
    office.admin("ldapmodify", &[], &status("locked")).must_be(19);

    // Moved out of the people, alone or with what it stands below, an account ends; moved back it is there
    // again.
    let unit =
        "dn: ou=sales,ou=people,dc=office,dc=test\nobjectClass: organizationalUnit\nou: sales\n";
    office.admin("ldapadd", &[], unit).must_be(0);
    let (people, contacts) = (PEOPLE, "ou=contacts,dc=office,dc=test");
    let sales = |above: &str| format!("ou=sales,{above}");
    let rename = |from: &str, name: &str, to: &str| {
        office.admin("ldapmodrdn", &["-s", to, from, name], "").must_be(0);
    };
    rename(&format!("uid=carl,{people}"), "uid=carl", &sales(people));
    let mut carl = office.daemon.imap("carl")?;
    rename(&sales(people), "ou=sales", contacts);
    ensure!(carl.imap("NOOP").is_err(), "the session goes on");
    ensure!(office.daemon.imap("carl").is_err());
    rename(&format!("uid=carl,{}", sales(contacts)), "uid=carl", people);
    let mut carl = office.daemon.imap("carl")?;
    ensure!(carl.imap("SELECT INBOX")?.iter().any(|line| line == "* 1 EXISTS"));

    office.admin("ldapdelete", &[&format!("uid=carl,{PEOPLE}")], "").must_be(0);
    ensure!(office.daemon.imap("carl").is_err());
    ensure!(office.rcpt("carl@office.test")?.starts_with("550"));
    office.person("carl", "secret-carl", "ldapwhoami", &[]).must_be(49);
    office.daemon.stop()?;
    office.daemon.check()
}

#[test]
fn the_tools_of_openldap_do_their_work() {
    let office = Office::new();
    let whoami = office.admin("ldapwhoami", &[], "");
    assert_eq!(whoami.must_be(0).out.trim(), format!("dn:{ADMIN}"));
    let over_tls = ["-ZZ", "-x", "-D", "anna@office.test", "-w", "secret-anna"];
    let whoami = office.run("ldapwhoami", &over_tls, &[], "");
    assert_eq!(whoami.must_be(0).out.trim(), format!("dn:uid=anna,{PEOPLE}"));
    let mut implicit = Command::new("ldapwhoami");
    implicit.env("LDAPTLS_REQCERT", "never").args(["-H", &office.url("ldaps", 636)]);
    said(implicit.args(&over_tls[1..]), "").must_be(0);
    let plain = ["-ZZ", "-Y", "PLAIN", "-U", "anna@office.test", "-w", "secret-anna"];
    office.run("ldapwhoami", &plain, &[], "").must_be(0);

    let root = office.run("ldapsearch", &["-x"], &["-LLL", "-b", "", "-s", "base", "*", "+"], "");
    assert_eq!(root.must_be(0).values("namingContexts"), ["dc=office,dc=test"]);
    assert!(root.values("supportedControl").contains(&"2.16.840.1.113730.3.4.9"), "{}", root.out);
    let schema = ["-LLL", "-b", "cn=Subschema", "-s", "base", "objectClasses", "attributeTypes"];
    assert!(
        office.run("ldapsearch", &["-x"], &schema, "").must_be(0).out.contains("inetOrgPerson")
    );

    for uid in ["emil", "fred", "gerd", "hans"] {
        office.admin("ldapadd", &[], &person(uid, "")).must_be(0);
    }
    office.admin("ldapadd", &[], &person("emil", "")).must_be(68);
    let group = "dn: cn=sales,ou=groups,dc=office,dc=test\nobjectClass: groupOfNames\ncn: sales\n";
    let member = |uid: &str| format!("member: uid={uid},{PEOPLE}\n");
    office.admin("ldapadd", &[], &format!("{group}{}", member("nobody"))).must_be(19);
    office.admin("ldapadd", &[], &format!("{group}{}", member("emil"))).must_be(0);

    let found = office.search(&["(&(mail=*)(|(cn=em*)(sn=nothing)))", "cn", "memberOf"]);
    assert_eq!(found.must_be(0).values("cn"), ["emil Tal"]);
    assert_eq!(found.values("memberOf"), ["cn=sales,ou=groups,dc=office,dc=test"]);
    assert_eq!(office.search(&["-s", "one", "1.1"]).must_be(0).values("dn").len(), 5);
    assert_eq!(office.search(&["(userPassword=*)", "userPassword"]).must_be(0).out, "");
    let uids = |said: &Said| said.values("uid").join(" ");
    let tal = "(sn=tal)";
    let paged = office.search(&["-E", "pr=2/noprompt", tal, "uid"]);
    assert_eq!(uids(paged.must_be(0)), "emil fred gerd hans");
    let sorted = office.search(&["-E", "sss=-uid", tal, "uid"]);
    assert_eq!(uids(sorted.must_be(0)), "hans gerd fred emil");
    // The tool asks for the next window; it ends with what it does not understand.
    let slice = ["-LLL", "-b", PEOPLE, "-E", "sss=uid", "-E", "vlv=1/1/3/0", tal, "uid"];
    let list = office.admin("ldapsearch", &slice, "end\n");
    assert_eq!(uids(&list), "fred gerd hans", "{}{}", list.out, list.err);
    // A list that was looked at is kept; it is another once somebody came.
    office.admin("ldapadd", &[], &person("egon", "")).must_be(0);
    let list = office.admin("ldapsearch", &slice, "end\n");
    assert_eq!(uids(&list), "emil fred gerd", "{}{}", list.out, list.err);
    office.admin("ldapdelete", &[&format!("uid=egon,{PEOPLE}")], "").must_be(0);
    assert_eq!(uids(office.search(&["-z", "2", tal, "uid"]).must_be(4)), "emil fred");
    office.search(&["-E", "!1.2.3.4", tal]).must_be(12);
    office.admin("ldapsearch", &["-b", "cn=no,dc=office,dc=test"], "").must_be(32);

    let emil = format!("uid=emil,{PEOPLE}");
    office.admin("ldapcompare", &[&emil, "cn:EMIL  tal"], "").must_be(6);
    office.admin("ldapcompare", &[&emil, "cn:x"], "").must_be(5);
    office.admin("ldapcompare", &[&emil, "userPassword:x"], "").must_be(50);
    let title = modify("emil", "add: title\ntitle: Chef");
    office.admin("ldapmodify", &[], &title).must_be(0);
    office.admin("ldapmodify", &[], &title).must_be(20);
    let asserted = ["-e", "!assert=(title=Chef)", "-e", "postread=title"];
    let changed =
        office.admin("ldapmodify", &asserted, &modify("emil", "replace: title\ntitle: Koch"));
    assert!(changed.must_be(0).out.contains("title: Koch"), "{}", changed.out);
    office.admin("ldapmodify", &asserted, &title).must_be(122);
    let taken = modify("emil", "replace: mail\nmail: anna@office.test");
    office.admin("ldapmodify", &[], &taken).must_be(19);
    office.admin("ldapmodrdn", &["-r", &emil, "uid=emilio"], "").must_be(0);
    let group = office.search(&["(cn=sales)", "member"]);
    assert_eq!(group.values("member"), [format!("uid=emilio,{PEOPLE}")]);
    office.admin("ldapdelete", &[PEOPLE], "").must_be(53);
}

#[test]
fn people_see_the_address_book_and_change_themselves() {
    let office = Office::new();
    let anna = |tool: &str, arguments: &[&str], input: &str| {
        office.person_says("anna", "secret-anna", tool, arguments, input)
    };
    let base = ["-LLL", "-b", "dc=office,dc=test"];
    let ben = anna("ldapsearch", &[&base[..], &["(uid=ben)", "*", "+"]].concat(), "");
    assert_eq!(ben.must_be(0).values("mail"), ["ben@office.test"]);
    for hidden in ["userPassword", "authPassword", "postroomRole", "postroomStatus"] {
        assert!(!ben.out.contains(&format!("\n{hidden}:")), "{}", ben.out);
        let probe = format!("({hidden}=*)");
        let found = anna("ldapsearch", &[&base[..], &[probe.as_str(), "1.1"]].concat(), "");
        assert!(!found.must_be(0).out.contains("uid=ben"), "{hidden}: {}", found.out);
    }
    anna("ldapmodify", &[], &modify("anna", "replace: mobile\nmobile: +49 30 1")).must_be(0);
    for (uid, change) in [
        ("anna", "replace: mail\nmail: boss@office.test"),
        ("anna", "replace: postroomRole\npostroomRole: admin"),
        ("ben", "replace: mobile\nmobile: +49 30 1"),
        ("ben", "replace: userPassword\nuserPassword: stolen-password"),
    ] {
        anna("ldapmodify", &[], &modify(uid, change)).must_be(50);
    }
    anna("ldapadd", &[], &person("eve", "")).must_be(50);
    anna("ldapdelete", &[&format!("uid=ben,{PEOPLE}")], "").must_be(50);
    anna("ldappasswd", &["-s", "stolen-password", &format!("uid=ben,{PEOPLE}")], "");
    office.person("ben", "secret-ben", "ldapwhoami", &[]).must_be(0);

    anna("ldappasswd", &["-a", "wrong", "-s", "another-secret"], "").must_be(1);
    anna("ldappasswd", &["-a", "secret-anna", "-s", "another-secret"], "").must_be(0);
    anna("ldapwhoami", &[], "").must_be(49);
    office.person("anna", "another-secret", "ldapwhoami", &[]).must_be(0);
    let boss = office.person("boss", "secret-boss", "ldappasswd", &[&format!("uid=ben,{PEOPLE}")]);
    let made = boss.must_be(0).values("New password").join("");
    office.person("ben", &made, "ldapwhoami", &[]).must_be(0);

    // Who did not bind sees what the server says of itself, no more.
    let nobody = |arguments: &[&str]| office.run("ldapsearch", &["-x"], arguments, "").code;
    assert_eq!(nobody(&["-b", "", "-s", "base"]), 0);
    assert_eq!(nobody(&["-b", "dc=office,dc=test"]), 50);
    assert_eq!(nobody(&["-b", "cn=no,dc=office,dc=test"]), 50);
    let empty = ["-x", "-D", ADMIN, "-w", ""];
    assert_ne!(office.run("ldapwhoami", &empty, &[], "").out.trim(), format!("dn:{ADMIN}"));
}

/// One BER element.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x84], &len[..], content].concat()
}

fn message(id: u8, operation: &[u8]) -> Vec<u8> {
    element(0x30, &[&[2, 1, id], operation].concat())
}

fn search(id: u8, filter: &[u8]) -> Vec<u8> {
    let base = element(4, b"dc=office,dc=test");
    let numbers = [0x0A, 1, 2, 0x0A, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0];
    message(id, &element(0x63, &[&base[..], &numbers, filter, &element(0x30, b"")].concat()))
}

fn bind(id: u8) -> Vec<u8> {
    let with = [element(4, ADMIN.as_bytes()), element(0x80, ADMIN_PASSWORD.as_bytes())].concat();
    message(id, &element(0x60, &[&[2, 1, 3], &with[..]].concat()))
}

struct Wire(TcpStream);

impl Wire {
    fn bound(office: &Office) -> Result<Self> {
        let mut wire = Self::new(office)?;
        wire.0.write_all(&bind(1))?;
        ensure!(wire.answer()? == (1, 0x61, 0));
        Ok(wire)
    }

    fn new(office: &Office) -> Result<Self> {
        let at = office.daemon.at;
        let stream = TcpStream::connect((at.address, 389 + at.port_offset))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self(stream))
    }

    /// Number, tag and, for results, the code of the next message; entries are passed over.
    fn answer(&mut self) -> Result<(u8, u8, u8)> {
        loop {
            let (id, tag, content) = self.any()?;
            if tag != 0x64 {
                let code = content.get(2).copied().context("no result code")?;
                return Ok((id, tag, code));
            }
        }
    }

    fn any(&mut self) -> Result<(u8, u8, Vec<u8>)> {
        let whole = self.element()?.1;
        let id = *whole.get(2).context("no number")?;
        let mut rest = whole.get(3..).context("no operation")?;
        let (tag, content) = read_element(&mut rest)?;
        Ok((id, tag, content))
    }

    fn element(&mut self) -> Result<(u8, Vec<u8>)> {
        read_element(&mut self.0)
    }
}

fn read_element(from: &mut impl std::io::Read) -> Result<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    from.read_exact(&mut head)?;
    let mut len = usize::from(head[1]);
    if len >= 0x80 {
        let mut bytes = [0; 8];
        from.read_exact(&mut bytes[..len - 0x80])?;
        len = bytes[..len - 0x80].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    }
    let mut content = vec![0; len];
    from.read_exact(&mut content)?;
    Ok((head[0], content))
}

/// TRUST: 100,000 nested filters, a filter of 10 MB, more than a stranger may send.
#[test]
fn filters_without_end_are_refused_and_the_server_goes_on() -> Result<()> {
    let office = Office::new();
    let nested = |levels: usize| {
        let mut lens = Vec::new();
        let mut len = 0;
        for _ in 0..levels {
            lens.push(len);
            len += 6;
        }
        lens.iter()
            .rev()
            .flat_map(|len| element(0xA0, &vec![0; *len])[..6].to_vec())
            .collect::<Vec<_>>()
    };
    let mut wire = Wire::bound(&office)?;
    wire.0.write_all(&search(2, &nested(40)))?;
    ensure!(wire.answer()? == (2, 0x65, 11), "beyond 32 levels: adminLimitExceeded");
    wire.0.write_all(&search(3, &nested(20_000)))?;
    ensure!(wire.answer()? == (3, 0x65, 2), "beyond all bounds: protocolError");
    let value = vec![b'x'; 10 * 1024 * 1024];
    let equal = element(0xA3, &[element(4, b"cn"), element(4, &value)].concat());
    wire.0.write_all(&search(4, &equal))?;
    ensure!(wire.answer()? == (4, 0x65, 0), "one value of 10 MB is large and nothing more");
    let present = element(0x87, b"cn").repeat(1_200_000);
    wire.0.write_all(&search(5, &element(0xA1, &present)))?;
    ensure!(wire.answer()? == (5, 0x65, 2), "a million conditions");
    wire.0.write_all(&search(6, &element(0x87, b"objectClass")))?;
    ensure!(wire.answer()? == (6, 0x65, 0), "the connection goes on");

    // Who did not bind is cut off with a word.
    let mut stranger = Wire::new(&office)?;
    stranger.0.write_all(&element(0x30, &[0; 100])[..2]).ok();
    stranger.0.write_all(&10_000_000u32.to_be_bytes()).ok();
    let (id, tag, code) = stranger.answer()?;
    ensure!((id, tag, code) == (0, 0x78, 2), "{id} {tag} {code}");
    ensure!(stranger.0.read(&mut [0; 1])? == 0);
    Ok(())
}

/// Who asks for much at once waits: nothing of it is refused, and the answers come in its order.
#[test]
fn a_client_may_ask_before_it_is_answered() -> Result<()> {
    let office = Office::new();
    let mut wire = Wire::bound(&office)?;
    let asked = (2..102).flat_map(|id| search(id, &element(0x87, b"dc")));
    wire.0.write_all(&asked.collect::<Vec<u8>>())?;
    for id in 2..102 {
        ensure!(wire.answer()? == (id, 0x65, 0), "{id}");
    }
    Ok(())
}

/// A client that asks a thousand times and reads nothing costs nothing but its connection; what it abandons is
/// not answered.
#[test]
fn abandoned_searches_and_slow_readers_hold_up_nobody() -> Result<()> {
    let office = Office::new();
    let photo = "x".repeat(40_000);
    for n in 0..50 {
        let more = format!("description: {photo}\n");
        office.admin("ldapadd", &[], &person(&format!("p{n:02}"), &more)).must_be(0);
    }
    let all = element(0x87, b"objectClass");
    // Two megabytes an answer: more than the sockets hold.
    let mut slow = Wire::bound(&office)?;
    for id in 2..8 {
        slow.0.write_all(&search(id, &all))?;
    }
    let mut quick = Wire::bound(&office)?;
    for id in 2..8 {
        quick.0.write_all(&search(id, &all))?;
        ensure!(quick.answer()? == (id, 0x65, 0), "others are served meanwhile");
    }
    for id in 2..8 {
        ensure!(slow.answer()? == (id, 0x65, 0));
    }
    // The abandon comes while the entries flow: there is no result, and the next operation has one.
    slow.0.write_all(&search(20, &all))?;
    slow.any()?;
    slow.0.write_all(&message(21, &[0x50, 1, 20]))?;
    slow.0.write_all(&search(22, &element(0x87, b"dc")))?;
    let (id, tag, code) = slow.answer()?;
    // All of it may have been in the sockets already.
    let (id, tag, code) = if id == 20 { slow.answer()? } else { (id, tag, code) };
    ensure!((id, tag, code) == (22, 0x65, 0), "{id} {tag} {code}");
    // Cancelling what is not there.
    let value = element(0x30, &[2, 1, 99]);
    let cancel = element(0x77, &[element(0x80, b"1.3.6.1.1.8"), element(0x81, &value)].concat());
    slow.0.write_all(&message(23, &cancel))?;
    ensure!(slow.answer()? == (23, 0x78, 119));
    Ok(())
}
