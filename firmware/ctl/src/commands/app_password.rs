//! `postroom app-password`.

use clap::Subcommand;
use serde_json::json;

use super::Desk;
use super::pages::{Limit, Pages};
use crate::call::Call;
use crate::failure::Failure;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the app passwords of a person.
    List {
        /// An address.
        address: String,
        #[command(flatten)]
        limit: Limit,
    },
    /// Makes one; it is shown once.
    Add {
        /// An address.
        address: String,
        /// What it is for.
        name: String,
        /// What it is good for; may be said several times.
        #[arg(long = "protocol", required = true, value_parser = ["imap", "pop3", "smtp", "ldap", "dav"])]
        protocols: Vec<String>,
    },
    /// Takes one away.
    Delete {
        /// An address.
        address: String,
        /// Its number in the list.
        id: u32,
    },
}

/// Does it.
pub(crate) async fn run(desk: &mut Desk, command: Command) -> Result<(), Failure> {
    match command {
        Command::List { address, limit } => {
            let (account, _) = desk.account(&address).await?;
            let call = Call::get(format!("/accounts/{account}/app-passwords"));
            let columns = ["id", "name", "protocols", "created_at", "last_used_at", "last_address"];
            desk.list(Pages::from(call).up_to(limit), &columns).await
        }
        Command::Add { address, name, protocols } => {
            let (account, _) = desk.account(&address).await?;
            let body = json!({ "name": name, "protocols": protocols });
            desk.act(Call::post(format!("/accounts/{account}/app-passwords"), body)).await
        }
        Command::Delete { address, id } => {
            let (account, _) = desk.account(&address).await?;
            let call = Call::delete(format!("/accounts/{account}/app-passwords/{id}"));
            desk.delete(call, &format!("app password {id} of {address}")).await
        }
    }
}
