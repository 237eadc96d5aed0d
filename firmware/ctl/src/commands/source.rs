//! `postroom source`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::Value;

use super::{Desk, read};
use crate::call::{Call, escaped};
use crate::failure::Failure;
use hyper::Method;

/// Largest file of settings, bytes.
const FILE_MAX: u64 = 256 * 1024;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows the external directory of a domain.
    Show {
        /// The domain.
        domain: String,
    },
    /// Sets it from a file of JSON, which may hold the password of the bind.
    Set {
        /// The domain.
        domain: String,
        /// The file, `-` for standard input.
        file: PathBuf,
    },
    /// Forgets it; its people stay.
    Delete {
        /// The domain.
        domain: String,
    },
    /// Tries it, step by step.
    Test {
        /// The domain.
        domain: String,
        /// Settings to try instead of those that are set.
        file: Option<PathBuf>,
    },
    /// Takes over what changed there, now.
    Sync {
        /// The domain.
        domain: String,
    },
    /// Shows how the last sync went.
    Status {
        /// The domain.
        domain: String,
    },
}

fn of(domain: &str, rest: &str) -> String {
    format!("/domains/{}/source{rest}", escaped(domain))
}

fn settings(file: &Path) -> Result<Value, Failure> {
    let bytes = read(file, FILE_MAX)?;
    serde_json::from_slice(&bytes)
        .map_err(|err| Failure::Usage(format!("{}: {err}", file.display())))
}

/// Does it.
pub(crate) async fn run(desk: &mut Desk, command: Command) -> Result<(), Failure> {
    match command {
        Command::Show { domain } => desk.show_one(Call::get(of(&domain, ""))).await,
        Command::Set { domain, file } => {
            desk.act(Call::put(of(&domain, ""), settings(&file)?)).await
        }
        Command::Delete { domain } => {
            let named = format!("the external directory of {domain}");
            desk.delete(Call::delete(of(&domain, "")), &named).await
        }
        Command::Test { domain, file } => {
            let call = match file {
                Some(file) => Call::post(of(&domain, "/test"), settings(&file)?),
                None => Call::new(Method::POST, of(&domain, "/test")),
            };
            desk.act(call).await
        }
        Command::Sync { domain } => desk.act(Call::new(Method::POST, of(&domain, "/sync"))).await,
        Command::Status { domain } => desk.show_one(Call::get(of(&domain, "/status"))).await,
    }
}
