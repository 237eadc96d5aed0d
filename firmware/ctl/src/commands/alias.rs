//! `postroom alias`.

use clap::Subcommand;
use serde_json::json;

use super::Desk;
use super::pages::{Limit, Pages};
use crate::call::{Call, escaped};
use crate::failure::Failure;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the aliases.
    List(Limit),
    /// Shows one.
    Show {
        /// Its address.
        address: String,
    },
    /// Adds an alias.
    Add {
        /// Its address.
        address: String,
        /// Where its mail goes.
        #[arg(required = true)]
        targets: Vec<String>,
    },
    /// Gives it other targets.
    Set {
        /// Its address.
        address: String,
        /// Where its mail goes.
        #[arg(required = true)]
        targets: Vec<String>,
    },
    /// Deletes it.
    Delete {
        /// Its address.
        address: String,
    },
}

fn path(address: &str) -> String {
    format!("/aliases/{}", escaped(address))
}

/// Does it.
pub(crate) async fn run(desk: &mut Desk, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(limit) => {
            desk.list(Pages::from(Call::get("/aliases")).up_to(limit), &["address", "targets"])
                .await
        }
        Command::Show { address } => {
            let alias = desk.find(Call::get("/aliases"), "address", &address).await?;
            desk.show(&alias)
        }
        Command::Add { address, targets } => {
            let body = json!({ "address": address, "targets": targets });
            desk.act(Call::post("/aliases", body)).await
        }
        Command::Set { address, targets } => {
            desk.act(Call::put(path(&address), json!({ "targets": targets }))).await
        }
        Command::Delete { address } => desk.delete(Call::delete(path(&address)), &address).await,
    }
}
