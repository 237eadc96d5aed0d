//! `postroom token`.

use clap::Subcommand;
use serde_json::json;

use super::Desk;
use super::pages::{Limit, Pages};
use crate::call::Call;
use crate::failure::Failure;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the tokens.
    List(Limit),
    /// Makes one; it is shown once.
    Add {
        /// What it is for.
        name: String,
        /// A domain that it administers; without any it administers the box.
        #[arg(long = "domain", value_name = "DOMAIN")]
        domains: Vec<String>,
        /// Until when it is good: a date or a time.
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    /// Takes one away.
    Delete {
        /// Its number or its name.
        token: String,
    },
}

/// Does it.
pub(crate) async fn run(desk: &mut Desk, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(limit) => {
            let columns = ["id", "name", "role", "domains", "expires_at", "last_used_at"];
            desk.list(Pages::from(Call::get("/tokens")).up_to(limit), &columns).await
        }
        Command::Add { name, domains, expires } => {
            let role = if domains.is_empty() { "admin" } else { "domains" };
            let body =
                json!({ "name": name, "role": role, "domains": domains, "expires_at": expires });
            desk.act(Call::post("/tokens", body)).await
        }
        Command::Delete { token } => {
            let id = match token.parse::<u32>() {
                Ok(id) => id.to_string(),
                Err(_) => desk.find(Call::get("/tokens"), "name", &token).await?["id"].to_string(),
            };
            desk.delete(Call::delete(format!("/tokens/{id}")), &format!("token {token}")).await
        }
    }
}
