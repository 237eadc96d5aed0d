//! slapd in the clothes of an Active Directory: its names, LDAPS with a CA of the office, a search that ends at
//! 1,000 entries unless it goes by pages, and passwords that only a bind can try.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use testkit::daemon::{PORT_OFFSET, fresh_address};

use super::server::{Roots, definitions};

const BASE: &str = "dc=ad,dc=test";
pub(super) const BOX: &str = "CN=Postroom,CN=Users,DC=ad,DC=test";
pub(super) const BOX_PASSWORD: &str = "bind-me-42";
const ROOT: &str = "cn=root,dc=ad,dc=test";
const ROOT_PASSWORD: &str = "root";
const PATIENCE: Duration = Duration::from_secs(60);

/// The server; it can be stopped and started again at the same place.
pub(super) struct ActiveDirectory {
    child: Option<Child>,
    dir: tempfile::TempDir,
    address: Ipv4Addr,
    pub(super) ca_pem: String,
}

impl ActiveDirectory {
    /// Loads the entries below `cn=Users` and starts it.
    pub(super) fn start(ldif: &str) -> Result<Self> {
        let (dir, address) = (tempfile::tempdir()?, fresh_address());
        let ca_pem = certificates(dir.path(), address)?;
        let mut server = Self { child: None, dir, address, ca_pem };
        let path = server.dir.path();
        fs::create_dir(path.join("db"))?;
        fs::write(path.join("slapd.conf"), server.configuration()?)?;
        let head = format!(
            "dn: {BASE}\nobjectClass: domain\ndc: ad\n\n\
             dn: cn=Users,{BASE}\nobjectClass: applicationProcess\ncn: Users\n\n\
             dn: {BOX}\nobjectClass: user\ncn: Postroom\nsAMAccountName: postroom\n\
             userPassword: {BOX_PASSWORD}\n\n"
        );
        fs::write(path.join("ad.ldif"), format!("{head}{ldif}"))?;
        let mut load = Roots::of_environment().slapd()?;
        let load = load.args(["-Tadd", "-q", "-f"]).arg(path.join("slapd.conf"));
        let loaded = load.arg("-l").arg(path.join("ad.ldif")).output()?;
        let said = String::from_utf8_lossy(&loaded.stderr).into_owned();
        ensure!(loaded.status.success(), "slapadd: {said}");
        server.up()?;
        Ok(server)
    }

    pub(super) fn url(&self) -> String {
        format!("ldaps://{}:{}", self.address, 636 + PORT_OFFSET)
    }

    pub(super) fn plain_url(&self) -> String {
        format!("ldap://{}:{}", self.address, 389 + PORT_OFFSET)
    }

    fn configuration(&self) -> Result<String> {
        let dir = self.dir.path().display();
        let modules = Roots::of_environment().find("usr/lib/ldap")?;
        let schema = include_str!("ad.schema");
        Ok(format!(
            "modulepath {}\nmoduleload back_mdb\n{}{schema}\n\
             pidfile {dir}/pid\nargsfile {dir}/args\nloglevel 0\n\
             TLSCertificateFile {dir}/leaf.pem\nTLSCertificateKeyFile {dir}/key.pem\n\
             sizelimit size.soft=1000 size.hard=1000 size.prtotal=unlimited\n\
             database mdb\nmaxsize 1073741824\nsuffix \"{BASE}\"\n\
             rootdn \"{ROOT}\"\nrootpw {ROOT_PASSWORD}\ndirectory {dir}/db\n\
             index objectClass eq\n\
             access to attrs=userPassword by anonymous auth by * none\n\
             access to * by users read by * none\n",
            modules.display(),
            definitions()
        ))
    }

    /// Starts it, and waits until it takes connections.
    pub(super) fn up(&mut self) -> Result<()> {
        let path = self.dir.path();
        let urls = format!("{} {}", self.url(), self.plain_url());
        let child = Roots::of_environment()
            .slapd()?
            .args(["-d", "0", "-h", &urls, "-f"])
            .arg(path.join("slapd.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(path.join("log"))?)
            .spawn()
            .context("slapd is not installed")?;
        let child = self.child.insert(child);
        let by = Instant::now() + PATIENCE;
        while TcpStream::connect((self.address, 636 + PORT_OFFSET)).is_err() {
            let ended = child.try_wait()?;
            if ended.is_some() || Instant::now() > by {
                bail!(
                    "slapd does not answer ({ended:?}): {}",
                    fs::read_to_string(path.join("log"))?
                );
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Ends it; nobody listens there any more.
    pub(super) fn down(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }

    /// Changes entries.
    pub(super) fn modify(&self, ldif: &str) {
        let mut command = Command::new("ldapmodify");
        let command =
            command.args(["-H", &self.plain_url(), "-x", "-D", ROOT, "-w", ROOT_PASSWORD]);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("ldap-utils are installed");
        child.stdin.take().unwrap().write_all(ldif.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for ActiveDirectory {
    fn drop(&mut self) {
        self.down();
    }
}

/// A CA and a certificate for the address; returns the CA's.
fn certificates(dir: &std::path::Path, address: Ipv4Addr) -> Result<String> {
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate()?;
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate()?;
    let leaf = CertificateParams::new(vec![address.to_string()])?.signed_by(&key, &issuer)?;
    fs::write(dir.join("leaf.pem"), leaf.pem())?;
    fs::write(dir.join("key.pem"), key.serialize_pem())?;
    Ok(ca_pem)
}
