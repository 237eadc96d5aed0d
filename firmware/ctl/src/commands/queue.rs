//! `postroom queue`.

use clap::Subcommand;
use serde_json::json;

use super::Desk;
use super::pages::{Limit, Pages};
use crate::call::Call;
use crate::failure::Failure;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists mail on its way.
    List(Limit),
    /// Shows one entry.
    Show {
        /// Its id.
        id: u64,
    },
    /// Throws an entry away; nobody is told.
    Delete {
        /// Its id.
        id: u64,
    },
    /// Tries it now.
    Retry {
        /// Its id.
        id: u64,
    },
    /// Keeps it until it is released.
    Hold {
        /// Its id.
        id: u64,
    },
    /// Lets it go.
    Release {
        /// Its id.
        id: u64,
    },
}

fn act(id: u64, word: &str) -> Call {
    Call::post(format!("/queue/{id}/{word}"), json!({}))
}

/// Does it.
pub(crate) async fn run(desk: &mut Desk, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(limit) => {
            let pages = Pages::turned_by("after", Call::get("/queue")).up_to(limit);
            desk.list(pages, &["id", "sender", "size", "queued_at", "hold"]).await
        }
        Command::Show { id } => desk.show_one(Call::get(format!("/queue/{id}"))).await,
        Command::Delete { id } => {
            desk.delete(Call::delete(format!("/queue/{id}")), &format!("entry {id}")).await
        }
        Command::Retry { id } => desk.act(act(id, "retry")).await,
        Command::Hold { id } => desk.act(act(id, "hold")).await,
        Command::Release { id } => desk.act(act(id, "release")).await,
    }
}
