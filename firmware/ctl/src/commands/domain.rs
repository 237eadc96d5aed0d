//! `postroom domain`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::pages::{Limit, Pages};
use super::{Desk, Fields, number_or_default};
use crate::call::{Call, escaped};
use crate::failure::Failure;

const COLUMNS: &[&str] =
    &["name", "accounts", "aliases", "groups", "catch_all", "domain_aliases", "admins"];

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the domains.
    List(Limit),
    /// Shows one.
    Show {
        /// The domain.
        name: String,
    },
    /// Adds a domain.
    Add {
        /// The domain.
        name: String,
    },
    /// Changes what is named.
    Set(Change),
    /// Deletes a domain that has no addresses any more.
    Delete {
        /// The domain.
        name: String,
    },
}

/// A change.
#[derive(Args, Debug)]
pub(crate) struct Change {
    /// The domain.
    name: String,
    /// Where mail for nobody goes; empty: it is refused.
    #[arg(long, value_name = "ADDRESS")]
    catch_all: Option<String>,
    /// A further name of the domain, all of them; empty: none.
    #[arg(long = "alias", value_name = "DOMAIN")]
    aliases: Vec<String>,
    /// Room of its people in MB, `default` or `none`.
    #[arg(long, value_name = "MB", value_parser = number_or_default)]
    default_quota_mb: Option<Value>,
}

/// Does it.
pub(crate) async fn run(desk: &mut Desk, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(limit) => {
            desk.list(Pages::from(Call::get("/domains")).up_to(limit), COLUMNS).await
        }
        Command::Show { name } => {
            let domain = desk.find(Call::get("/domains"), "name", &name).await?;
            desk.show(&domain)
        }
        Command::Add { name } => desk.act(Call::post("/domains", json!({ "name": name }))).await,
        Command::Set(change) => {
            let catch_all = change.catch_all.map(|address| match address.as_str() {
                "" => Value::Null,
                _ => Value::from(address),
            });
            let body = Fields::default()
                .with("catch_all", catch_all)
                .with_list("domain_aliases", change.aliases)
                .with("default_quota_mb", change.default_quota_mb)
                .body()?;
            desk.act(Call::patch(format!("/domains/{}", escaped(&change.name)), body)).await
        }
        Command::Delete { name } => {
            desk.delete(Call::delete(format!("/domains/{}", escaped(&name))), &name).await
        }
    }
}
