//! `postroom session`.

use clap::{Args, Subcommand};

use super::Desk;
use super::pages::{Limit, Pages};
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
        #[command(flatten)]
        limit: Limit,
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
        Command::List { user, limit } => {
            let id = match user {
                Some(address) => Some(desk.account(&address).await?.0),
                None => None,
            };
            let call = Call::get("/sessions").with("account", id);
            desk.list(Pages::from(call).up_to(limit), &columns).await
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
