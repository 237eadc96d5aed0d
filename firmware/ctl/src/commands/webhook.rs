//! `postroom webhook`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::pages::{Limit, Pages};
use super::{Desk, Fields};
use crate::call::Call;
use crate::failure::Failure;

const MODES: [&str; 2] = ["before", "after"];
const ON_FAILURE: [&str; 2] = ["allow", "refuse"];

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the webhooks.
    List(Limit),
    /// Shows one.
    Show {
        /// Its number.
        id: u32,
    },
    /// Adds one; its secret is shown once.
    Add(New),
    /// Changes what is named.
    Set(Change),
    /// Deletes it.
    Delete {
        /// Its number.
        id: u32,
    },
    /// Calls it once.
    Test {
        /// Its number.
        id: u32,
    },
    /// Shows its last calls.
    Log {
        /// Its number.
        id: u32,
    },
}

/// A new one.
#[derive(Args, Debug)]
pub(crate) struct New {
    /// What it is called.
    name: String,
    /// Where it is.
    url: String,
    /// `account.create`, `account.*`, `*`.
    #[arg(long = "event", required = true)]
    events: Vec<String>,
    /// Before: it may refuse. After: it is told.
    #[arg(long, default_value = "after", value_parser = MODES)]
    mode: String,
    /// What a silent one means before.
    #[arg(long, default_value = "refuse", value_parser = ON_FAILURE)]
    on_failure: String,
}

/// A change.
#[derive(Args, Debug)]
pub(crate) struct Change {
    /// Its number.
    id: u32,
    /// What it is called.
    #[arg(long)]
    name: Option<String>,
    /// Where it is.
    #[arg(long)]
    url: Option<String>,
    /// All its events.
    #[arg(long = "event")]
    events: Vec<String>,
    /// Before: it may refuse. After: it is told.
    #[arg(long, value_parser = MODES)]
    mode: Option<String>,
    /// What a silent one means before.
    #[arg(long, value_parser = ON_FAILURE)]
    on_failure: Option<String>,
    /// Whether it is called.
    #[arg(long)]
    enabled: Option<bool>,
    /// Gives it another secret, which is shown once.
    #[arg(long)]
    new_secret: bool,
}

impl Change {
    fn body(self) -> Result<Value, Failure> {
        Fields::default()
            .with("name", self.name)
            .with("url", self.url)
            .with_list("events", self.events)
            .with("mode", self.mode)
            .with("on_failure", self.on_failure)
            .with("enabled", self.enabled)
            .with("new_secret", self.new_secret.then_some(true))
            .body()
    }
}

fn of(id: u32, rest: &str) -> String {
    format!("/webhooks/{id}{rest}")
}

/// Does it.
pub(crate) async fn run(desk: &mut Desk, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(limit) => {
            let columns = ["id", "name", "url", "mode", "events", "enabled"];
            desk.list(Pages::from(Call::get("/webhooks")).up_to(limit), &columns).await
        }
        Command::Show { id } => {
            let found = desk.find(Call::get("/webhooks"), "id", &id.to_string()).await?;
            desk.show(&found)
        }
        Command::Add(new) => {
            let body = json!({ "name": new.name, "url": new.url, "events": new.events,
                "mode": new.mode, "on_failure": new.on_failure });
            desk.act(Call::post("/webhooks", body)).await
        }
        Command::Set(change) => {
            let path = of(change.id, "");
            desk.act(Call::patch(path, change.body()?)).await
        }
        Command::Delete { id } => {
            desk.delete(Call::delete(of(id, "")), &format!("webhook {id}")).await
        }
        Command::Test { id } => desk.act(Call::post(of(id, "/test"), json!({}))).await,
        Command::Log { id } => {
            let columns = ["at", "event", "attempt", "ok", "status", "error", "ms"];
            desk.list(Call::get(of(id, "/log")), &columns).await
        }
    }
}
