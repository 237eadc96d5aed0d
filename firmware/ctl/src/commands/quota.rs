//! `postroom quota`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::pages::{Limit, Pages};
use super::{Desk, number_or_default};
use crate::call::Call;
use crate::failure::Failure;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists what people use and may use, who uses most first.
    List {
        /// Only of this domain.
        #[arg(long)]
        domain: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Shows the room of one person, or what holds for the box.
    Show {
        /// An address.
        address: Option<String>,
    },
    /// Sets the room of one person.
    Set {
        /// An address.
        address: String,
        /// MB, `default` or `none`.
        #[arg(value_parser = number_or_default)]
        mb: Value,
    },
}

/// Does it.
pub(crate) async fn run(desk: &mut Desk, command: Command) -> Result<(), Failure> {
    match command {
        Command::List { domain, limit } => {
            let call = Call::get("/accounts")
                .with("domain", domain)
                .with("sort", Some("used"))
                .with("order", Some("desc"));
            let columns = ["address", "used_bytes", "used_messages", "limit_mb", "limit_messages"];
            desk.list(Pages::turned_by("offset", call).up_to(limit), &columns).await
        }
        Command::Show { address: None } => desk.show_one(Call::get("/storage")).await,
        Command::Show { address: Some(address) } => {
            let (_, account) = desk.account(&address).await?;
            let names = ["address", "quota_mb", "used_bytes", "limit_mb", "used_messages"];
            let fields = names.iter().map(|name| ((*name).to_owned(), account[*name].clone()));
            desk.show(&Value::Object(fields.collect()))
        }
        Command::Set { address, mb } => {
            let (id, _) = desk.account(&address).await?;
            desk.act(Call::patch(format!("/accounts/{id}"), json!({ "quota_mb": mb }))).await
        }
    }
}
