//! `postroom session`.

use clap::{Args, Subcommand};

use super::Desk;
use crate::call::{Call, escaped};
use crate::failure::Failure;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists who is logged in, by any protocol.
    List {
        /// Only this person's.
        #[arg(long, value_name = "ADDRESS")]
        user: Option<String>,
    },
    /// Ends one, or all of a person.
    Delete(Which),
}

/// Which ones.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// Its id in the list.
    id: Option<String>,
    /// All of this person.
    #[arg(long, value_name = "ADDRESS")]
    user: Option<String>,
}

/// Does it.
pub(crate) async fn run(desk: &mut Desk, command: Command) -> Result<(), Failure> {
    let columns = ["id", "protocol", "account", "address", "since", "client", "app_password"];
    match command {
        Command::List { user: None } => desk.list(Call::get("/sessions"), &columns).await,
        Command::List { user: Some(address) } => {
            let (id, _) = desk.account(&address).await?;
            desk.list(Call::get("/sessions").with("account", Some(id)), &columns).await
        }
        Command::Delete(Which { id: Some(id), .. }) => {
            desk.act(Call::delete(format!("/sessions/{}", escaped(&id)))).await
        }
        Command::Delete(Which { user, .. }) => {
            let (id, _) = desk.account(&user.unwrap_or_default()).await?;
            desk.act(Call::delete(format!("/accounts/{id}/sessions"))).await
        }
    }
}
