//! Every command of `postroom` with every token and by the socket. The commands are those that have a manual
//! page; the exit code says what became of one.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use session::rules::{Area, Role, Target, may_use};
use testkit::client::peer_certificate;

use super::http::Way;
use super::routes::fresh;
use super::{OTHER, OWN, Office, Verdict};
use crate::utilities::binary;

/// Not allowed, and not found: of what is another's a list shows nothing.
const NOT_ALLOWED: i32 = 4;
const NOT_FOUND: i32 = 5;

/// Whose it is.
#[derive(Clone, Copy, PartialEq)]
enum Whose {
    /// A domain's.
    Domain,
    /// A list, of which all see what is theirs.
    List,
    /// The box's.
    Box,
}

/// The command, its page, its area, whether it changes something, whose it is, standard input.
struct Row(&'static str, &'static str, Area, bool, Whose, &'static str);

/// In the order of a life: what a later one needs, an earlier one makes. `{D}` is the domain, `{U}`, `{A}`,
/// `{G}` and `{L}` are a person, an alias, a group and a list of it.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row("user-add", "user add {U}", Area::Accounts, true, Whose::Domain, "long-secret-1\n"),
    Row("user-list", "user list", Area::Accounts, false, Whose::List, ""),
    Row("user-show", "user show {U}", Area::Accounts, false, Whose::Domain, ""),
    Row("user-set", "user set {U} --name Other", Area::Accounts, true, Whose::Domain, ""),
    Row("user-password", "user password {U}", Area::Accounts, true, Whose::Domain, "long-secret-2\n"),
    Row("quota-list", "quota list", Area::Accounts, false, Whose::List, ""),
    Row("quota-show", "quota show {U}", Area::Accounts, false, Whose::Domain, ""),
    Row("quota-set", "quota set {U} 100", Area::Accounts, true, Whose::Domain, ""),
    Row("app-password-list", "app-password list {U}", Area::Credentials, false, Whose::Domain, ""),
    Row("app-password-add", "app-password add {U} phone --protocol imap", Area::Credentials, true, Whose::Domain, ""),
    Row("app-password-delete", "app-password delete {U} 1", Area::Credentials, true, Whose::Domain, ""),
    Row("session-list", "session list", Area::Sessions, false, Whose::List, ""),
    Row("session-delete", "session delete --user {U}", Area::Sessions, true, Whose::Domain, ""),
    Row("alias-add", "alias add {A} x@elsewhere.example", Area::Aliases, true, Whose::Domain, ""),
    Row("alias-list", "alias list", Area::Aliases, false, Whose::List, ""),
    Row("alias-show", "alias show {A}", Area::Aliases, false, Whose::Domain, ""),
    Row("alias-set", "alias set {A} y@elsewhere.example", Area::Aliases, true, Whose::Domain, ""),
    Row("alias-delete", "alias delete {A}", Area::Aliases, true, Whose::Domain, ""),
    Row("group-add", "group add {G} --member {P}", Area::Groups, true, Whose::Domain, ""),
    Row("group-list", "group list", Area::Groups, false, Whose::List, ""),
    Row("group-show", "group show {G}", Area::Groups, false, Whose::Domain, ""),
    Row("group-set", "group set {G} --description x", Area::Groups, true, Whose::Domain, ""),
    Row("group-delete", "group delete {G}", Area::Groups, true, Whose::Domain, ""),
    Row("list-add", "list add {L} --member {P}", Area::Groups, true, Whose::Domain, ""),
    Row("list-list", "list list", Area::Groups, false, Whose::List, ""),
    Row("list-show", "list show {L}", Area::Groups, false, Whose::Domain, ""),
    Row("list-set", "list set {L} --description x", Area::Groups, true, Whose::Domain, ""),
    Row("list-delete", "list delete {L}", Area::Groups, true, Whose::Domain, ""),
    Row("user-delete", "user delete {U}", Area::Accounts, true, Whose::Domain, ""),
    Row("user-deleted", "user deleted", Area::Deleted, false, Whose::List, ""),
    Row("user-restore", "user restore {U}", Area::Deleted, true, Whose::Domain, ""),
    Row("domain-list", "domain list", Area::Domains, false, Whose::List, ""),
    Row("domain-show", "domain show {D}", Area::Domains, false, Whose::Domain, ""),
    Row("domain-set", "domain set {D} --default-quota-mb default", Area::Domains, true, Whose::Domain, ""),
    Row("directory-export", "directory export --format csv --domain {D}", Area::Exchange, false, Whose::Domain, ""),
    Row("directory-import", "directory import - --format csv --domain {D} --dry-run", Area::Exchange, true, Whose::Domain, "address,name\nim@{D},Im\n"),
    Row("source-show", "source show {D}", Area::Sources, false, Whose::Domain, ""),
    Row("source-status", "source status {D}", Area::Sources, false, Whose::Domain, ""),
    Row("source-set", "source set {D} -", Area::Sources, true, Whose::Box, "{}"),
    Row("source-test", "source test {D}", Area::Sources, true, Whose::Box, ""),
    Row("source-sync", "source sync {D}", Area::Sources, true, Whose::Box, ""),
    Row("source-delete", "source delete {D}", Area::Sources, true, Whose::Box, ""),
    Row("domain-add", "domain add d{N}.test", Area::DomainSet, true, Whose::Box, ""),
    Row("domain-delete", "domain delete d{N}.test", Area::DomainSet, true, Whose::Box, ""),
    Row("directory-show", "directory show", Area::Directory, false, Whose::Box, ""),
    Row("directory-set", "directory set --lan-lookup false", Area::Directory, true, Whose::Box, ""),
    Row("queue-list", "queue list", Area::Queue, false, Whose::Box, ""),
    Row("queue-show", "queue show 1", Area::Queue, false, Whose::Box, ""),
    Row("queue-retry", "queue retry 1", Area::Queue, true, Whose::Box, ""),
    Row("queue-hold", "queue hold 1", Area::Queue, true, Whose::Box, ""),
    Row("queue-release", "queue release 1", Area::Queue, true, Whose::Box, ""),
    Row("queue-delete", "queue delete 1", Area::Queue, true, Whose::Box, ""),
    Row("audit-list", "audit list", Area::Audit, false, Whose::Box, ""),
    Row("audit-export", "audit export", Area::Audit, false, Whose::Box, ""),
    Row("token-list", "token list", Area::Tokens, false, Whose::Box, ""),
    Row("token-add", "token add t{N}", Area::Tokens, true, Whose::Box, ""),
    Row("token-delete", "token delete 9999", Area::Tokens, true, Whose::Box, ""),
    Row("webhook-list", "webhook list", Area::Webhooks, false, Whose::Box, ""),
    Row("webhook-show", "webhook show 9999", Area::Webhooks, false, Whose::Box, ""),
    Row("webhook-add", "webhook add w{N} https://127.0.0.1:1/ --event account.*", Area::Webhooks, true, Whose::Box, ""),
    Row("webhook-set", "webhook set 9999 --name x", Area::Webhooks, true, Whose::Box, ""),
    Row("webhook-test", "webhook test 9999", Area::Webhooks, true, Whose::Box, ""),
    Row("webhook-log", "webhook log 9999", Area::Webhooks, false, Whose::Box, ""),
    Row("webhook-delete", "webhook delete 9999", Area::Webhooks, true, Whose::Box, ""),
];

/// The commands that have a manual page and none below it.
fn leaves(postroom: &Path) -> Result<BTreeSet<String>> {
    let dir = tempfile::tempdir()?;
    ensure!(Command::new(postroom).arg("man").arg(dir.path()).status()?.success());
    let mut pages = BTreeSet::new();
    for file in std::fs::read_dir(dir.path())? {
        let name = file?.file_name().to_string_lossy().into_owned();
        let name = name.strip_suffix(".1").unwrap_or(&name).to_owned();
        pages.extend(name.strip_prefix("postroom-").map(str::to_owned));
    }
    let has_more = |page: &String| pages.iter().any(|other| other.starts_with(&format!("{page}-")));
    let is_server = |page: &String| {
        !page.split('-').any(|word| word == "help") && page != "completion" && page != "man"
    };
    Ok(pages.iter().filter(|page| is_server(page) && !has_more(page)).cloned().collect())
}

struct Walk {
    office: Office,
    postroom: PathBuf,
    server: String,
    fingerprint: String,
    verdict: Verdict,
}

impl Walk {
    fn run(&self, way: &Way, arguments: &str, input: &str) -> Result<(i32, String)> {
        let mut command = Command::new(&self.postroom);
        command.env_remove("POSTROOM_SERVER").env_remove("POSTROOM_TOKEN");
        match way {
            Way::Socket => {
                command.arg("--data").arg(&self.office.daemon.data);
            }
            Way::Token(token) => {
                command.args(["--server", &self.server, "--fingerprint", &self.fingerprint]);
                command.env("POSTROOM_TOKEN", token);
            }
            Way::Nobody | Way::Session(_) => {
                command.args(["--server", &self.server, "--fingerprint", &self.fingerprint]);
            }
        }
        command.args(arguments.split(' '));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        // A command that reads nothing may be gone already.
        child.stdin.take().context("a pipe")?.write_all(input.as_bytes()).ok();
        let output = child.wait_with_output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned()))
    }

    fn domain(&mut self, who: &str, role: Role, domain: &str) -> Result<()> {
        let way = self.office.way(who).clone();
        let (n, target) = (fresh(), if domain == OWN { Target::Domain } else { Target::Other });
        let is_foreign = role == Role::DomainAdmin && domain == OTHER;
        let own = |name: &str| format!("{name}{n}@{domain}");
        // Who may make nothing there tries what is there.
        let (resident, person) = if domain == OWN {
            ("carl@office.test", "carl@office.test")
        } else {
            ("dora@other.test", "dora@other.test")
        };
        let named = |name: &str, there: String| if is_foreign { there } else { own(name) };
        let (user, alias) =
            (named("us", resident.to_owned()), named("al", format!("all@{domain}")));
        let group = named("gr", format!("staff@{domain}"));
        let list = named("li", format!("staff@{domain}"));
        for Row(page, arguments, area, is_write, whose, input) in ROWS {
            let fill = |text: &str| {
                text.replace("{U}", &user)
                    .replace("{A}", &alias)
                    .replace("{G}", &group)
                    .replace("{L}", &list)
                    .replace("{P}", person)
                    .replace("{D}", domain)
                    .replace("{N}", &n.to_string())
            };
            let target = if *whose == Whose::Box { Target::Other } else { target };
            let may = match whose {
                Whose::List => Target::ALL.iter().any(|t| may_use(role, *area, *is_write, *t)),
                _ => may_use(role, *area, *is_write, target),
            };
            let (code, said) = self.run(&way, &fill(arguments), &fill(input))?;
            let is_right = match (may, whose) {
                (true, Whose::List) => code == 0 && (role == Role::Admin || !said.contains(OTHER)),
                // Some things are not there: no source, no app password, no mail in the queue.
                (true, _) if is_absent(page) => !matches!(code, 2 | 3 | NOT_ALLOWED),
                (true, _) => code == 0,
                (false, Whose::Box) => code == NOT_ALLOWED,
                (false, _) => matches!(code, 1 | NOT_ALLOWED | NOT_FOUND),
            };
            self.verdict.expect(is_right, || {
                format!("{who}: {}: may {may}, exit {code}: {said}", fill(arguments))
            });
        }
        Ok(())
    }
}

/// What it is about need not be there.
fn is_absent(page: &str) -> bool {
    ["app-password", "session", "source", "queue", "webhook"].iter().any(|n| page.starts_with(n))
        || matches!(page, "token-delete" | "directory-show" | "directory-set")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_command_does_for_every_token_what_the_table_says() -> Result<()> {
    let postroom = binary()?;
    let known: BTreeSet<String> = ROWS.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(leaves(&postroom)?, known, "each command has a row");
    let office = Office::open()?;
    let certificate = peer_certificate(&office.daemon.at, 443)?;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &certificate);
    let server = office.daemon.url.trim_end_matches('/').to_owned();
    let fingerprint = hex(digest.as_ref());
    let mut walk = Walk { office, postroom, server, fingerprint, verdict: Verdict::default() };
    for (who, role) in
        [("domain token", Role::DomainAdmin), ("admin token", Role::Admin), ("socket", Role::Admin)]
    {
        walk.domain(who, role, OWN)?;
        walk.domain(who, role, OTHER)?;
    }
    // No token, a wrong one, another server's certificate, nobody there, nonsense.
    let wrong = Way::Token(format!("postroom_1_{}", "0".repeat(64)));
    for way in [Way::Nobody, wrong] {
        let lists = ROWS.iter().filter(|row| row.4 == Whose::List);
        for Row(_, arguments, ..) in lists {
            let (code, said) = walk.run(&way, arguments, "")?;
            walk.verdict.expect(code == NOT_ALLOWED || said.contains("throttled"), || said);
        }
    }
    walk.fingerprint = "00".repeat(32);
    let (code, said) = walk.run(walk.office.way("admin token"), "user list", "")?;
    walk.verdict.expect(code == 3, || format!("a wrong certificate: {code} {said}"));
    let (code, said) = walk.run(&Way::Socket, "user nonsense", "")?;
    walk.verdict.expect(code == 2, || format!("nonsense: {code} {said}"));
    walk.verdict.hold();
    Ok(())
}
