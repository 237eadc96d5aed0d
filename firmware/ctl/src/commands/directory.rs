//! `postroom directory`: all of it as files.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use hyper::Method;
use serde_json::{Value, json};

use super::{Desk, Fields, read};
use crate::call::{Call, Content, escaped};
use crate::failure::Failure;
use crate::output;

/// Largest file that the server takes, bytes.
const FILE_MAX: u64 = 16 * 1024 * 1024;
/// Between two looks at an import that goes on.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The form of a file.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// Entries of the directory (RFC 2849).
    Ldif,
    /// A table with a head.
    Csv,
    /// Address cards (RFC 6350).
    Vcard,
}

impl Format {
    fn word(self) -> &'static str {
        match self {
            Self::Ldif => "ldif",
            Self::Csv => "csv",
            Self::Vcard => "vcard",
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Ldif => "text/ldif",
            Self::Csv => "text/csv",
            Self::Vcard => "text/vcard",
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Writes it to standard output.
    Export {
        /// The form.
        #[arg(long, value_enum, default_value = "ldif")]
        format: Format,
        /// Only this domain.
        #[arg(long)]
        domain: Option<String>,
        /// With the hashes of passwords, for moving house; LDIF only.
        #[arg(long)]
        hashes: bool,
    },
    /// Reads people and entries from a file. With --dry-run the server says what it would do.
    Import(Import),
    /// Shows what holds for all of it.
    Show,
    /// Changes what holds for all of it.
    Set {
        /// Whether the office's network may look people up without a login.
        #[arg(long, action = clap::ArgAction::Set)]
        lan_lookup: Option<bool>,
        /// Where people may forward their own mail to: nowhere, to addresses of the server, or to all.
        #[arg(long, value_parser = ["no", "office", "anywhere"])]
        own_forwarding: Option<String>,
    },
}

/// An import.
#[derive(Args, Debug)]
pub(crate) struct Import {
    /// The file, `-` for standard input.
    file: PathBuf,
    /// The form.
    #[arg(long, value_enum)]
    format: Format,
    /// The domain of addresses without one.
    #[arg(long)]
    domain: Option<String>,
    /// What happens to people who are there already.
    #[arg(long, default_value = "skip", value_parser = ["skip", "update"])]
    existing: String,
    /// Takes the good lines although others have errors.
    #[arg(long)]
    partial: bool,
}

async fn import(desk: &mut Desk, import: Import) -> Result<(), Failure> {
    let bytes = read(&import.file, FILE_MAX)?;
    let call = Call::new(Method::POST, "/import")
        .with("format", Some(import.format.word()))
        .with("dry_run", Some(desk.is_dry))
        .with("existing", Some(&import.existing))
        .with("partial", Some(import.partial))
        .with("domain", import.domain.as_ref());
    let call = Call { content: Content::File(import.format.kind(), bytes), ..call };
    let mut report = desk.ask(call).await?;
    while report["state"] == "running" {
        tokio::time::sleep(LOOK_EVERY).await;
        let id = report["id"].as_str().unwrap_or_default();
        report = desk.ask(Call::get(format!("/import/{}", escaped(id)))).await?;
    }
    if desk.is_json {
        desk.show(&report)?;
    } else {
        output::text(&told(&report)).map(drop)?;
    }
    match report["state"].as_str() {
        Some("refused" | "failed") => Err(Failure::Refused {
            status: 422,
            body: json!({ "error": "import-refused", "detail": "nothing was changed" }),
        }),
        _ => Ok(()),
    }
}

/// A report for people: the lines that went wrong, and the sums.
fn told(report: &Value) -> String {
    let lines = report["lines"].as_array().map(Vec::as_slice).unwrap_or_default();
    let wrong: Vec<Value> =
        lines.iter().filter(|line| line["action"] == "error").cloned().collect();
    let mut text = String::new();
    if !wrong.is_empty() {
        text = output::table(&wrong, &["line", "address", "error", "field", "detail"]);
    }
    for name in ["created", "updated", "skipped", "errors"] {
        text.push_str(&format!("{name}: {}\n", report[name]));
    }
    text
}

/// Does it.
pub(crate) async fn run(desk: &mut Desk, command: Command) -> Result<(), Failure> {
    match command {
        Command::Export { format, domain, hashes } => {
            let call = Call::get("/export")
                .with("format", Some(format.word()))
                .with("domain", domain)
                .with("hashes", hashes.then_some(true));
            desk.copy(call).await
        }
        Command::Import(file) => import(desk, file).await,
        Command::Show => desk.show_one(Call::get("/directory")).await,
        Command::Set { lan_lookup, own_forwarding } => {
            let fields = Fields::default()
                .with("lan_lookup", lan_lookup)
                .with("own_forwarding", own_forwarding);
            desk.act(Call::put("/directory", fields.body()?)).await
        }
    }
}
