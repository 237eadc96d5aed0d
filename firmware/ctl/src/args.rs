//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    alias, app_password, audit, directory, domain, group, queue, quota, session, source, token,
    user, webhook,
};
use crate::failure::{EXIT_CODES, Failure};

/// Longest token file that is read, bytes.
const TOKEN_BYTES_MAX: u64 = 4096;

/// Runs a Postroom mail server: its domains, people, lists, queue and directory.
#[derive(Debug, Parser)]
#[command(name = "postroom", version, about, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Answers as JSON, as the server gives them; errors too, on standard error.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Shows the request that would change something and sends nothing; with `directory import` the server
    /// says what it would do.
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
    /// Deletes without asking; where standard input is no terminal nobody is asked anyway.
    #[arg(long, global = true)]
    pub(crate) yes: bool,
    #[command(subcommand)]
    pub(crate) what: What,
}

/// Which server, and who asks.
#[derive(Args, Debug)]
pub(crate) struct Place {
    /// The server, https://HOST[:PORT]. Needs a token.
    #[arg(
        long,
        global = true,
        help_heading = "Server",
        value_name = "URL",
        env = "POSTROOM_SERVER"
    )]
    pub(crate) server: Option<String>,
    /// A file with the token; the variable POSTROOM_TOKEN holds one as well.
    #[arg(
        long,
        global = true,
        help_heading = "Server",
        value_name = "FILE",
        env = "POSTROOM_TOKEN_FILE"
    )]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) of the authority that the server's certificate is from.
    #[arg(long, global = true, help_heading = "Server", value_name = "FILE", env = "POSTROOM_CA")]
    pub(crate) ca: Option<PathBuf>,
    /// SHA-256 of the server's certificate, for one that it made itself.
    #[arg(
        long,
        global = true,
        help_heading = "Server",
        value_name = "SHA256",
        env = "POSTROOM_FINGERPRINT"
    )]
    pub(crate) fingerprint: Option<String>,
    /// The data directory of a server on this machine; its unix socket is used.
    #[arg(
        long,
        global = true,
        help_heading = "Server",
        value_name = "DIR",
        conflicts_with = "server"
    )]
    data: Option<PathBuf>,
    /// The unix socket of a server on this machine.
    #[arg(long, global = true, help_heading = "Server", value_name = "FILE", conflicts_with_all = ["server", "data"])]
    socket: Option<PathBuf>,
}

impl Place {
    /// The unix socket, if it is that.
    pub(crate) fn socket(&self) -> Option<PathBuf> {
        self.socket.clone().or_else(|| self.data.as_ref().map(|data| data.join("postroom.sock")))
    }

    /// The token, for a server that wants one.
    pub(crate) fn token(&self) -> Result<Option<String>, Failure> {
        if self.socket().is_some() {
            return Ok(None);
        }
        if let Some(path) = &self.token_file {
            let broken = |err| Failure::Local(path.display().to_string(), err);
            let mut text = String::new();
            let file = std::fs::File::open(path).map_err(broken)?;
            std::io::Read::read_to_string(
                &mut std::io::Read::take(file, TOKEN_BYTES_MAX),
                &mut text,
            )
            .map_err(broken)?;
            return Ok(Some(text.trim().to_owned()));
        }
        Ok(std::env::var("POSTROOM_TOKEN").ok().map(|text| text.trim().to_owned()))
    }
}

/// What it is about.
#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Mail domains.
    #[command(subcommand)]
    Domain(domain::Command),
    /// People with an account.
    #[command(subcommand)]
    User(user::Command),
    /// Addresses that stand for others.
    #[command(subcommand)]
    Alias(alias::Command),
    /// Groups of people.
    #[command(subcommand)]
    Group(group::Command),
    /// Distribution lists: groups with an address.
    #[command(subcommand)]
    List(group::ListCommand),
    /// Room for mail.
    #[command(subcommand)]
    Quota(quota::Command),
    /// Passwords for single programs.
    #[command(subcommand)]
    AppPassword(app_password::Command),
    /// Who is logged in.
    #[command(subcommand)]
    Session(session::Command),
    /// Who did what.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Mail on its way.
    #[command(subcommand)]
    Queue(queue::Command),
    /// Tokens of the admin API.
    #[command(subcommand)]
    Token(token::Command),
    /// Programs elsewhere that are asked or told of changes.
    #[command(subcommand)]
    Webhook(webhook::Command),
    /// External directories that domains take their people from.
    #[command(subcommand)]
    Source(source::Command),
    /// The directory as a whole, as files.
    #[command(subcommand)]
    Directory(directory::Command),
    /// Prints the completion script of a shell.
    Completion {
        /// bash, zsh, fish, elvish or powershell.
        shell: clap_complete::Shell,
    },
    /// Writes the manual pages into a directory.
    Man {
        /// An existing directory.
        dir: PathBuf,
    },
}
