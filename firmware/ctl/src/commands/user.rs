//! `postroom user`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::pages::{Limit, Pages};
use super::{Desk, Fields, number_or_default};
use crate::call::Call;
use crate::failure::Failure;

const COLUMNS: &[&str] =
    &["address", "name", "state", "is_admin", "used_bytes", "limit_mb", "aliases"];

const STATES: [&str; 3] = ["active", "disabled", "suspended"];

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists people.
    List(Query),
    /// Shows one.
    Show {
        /// An address.
        address: String,
    },
    /// Adds a person; the password is asked for, or read from standard input.
    Add(New),
    /// Changes what is named.
    Set(Box<Change>),
    /// Deletes a person; mail and settings can be restored within the retention time.
    Delete {
        /// An address.
        address: String,
    },
    /// Lists who was deleted and can be restored.
    Deleted(Limit),
    /// Restores who was deleted.
    Restore {
        /// The address that it had.
        address: String,
    },
    /// Sets a password; it is asked for, or read from standard input.
    Password {
        /// An address.
        address: String,
    },
}

/// Which people.
#[derive(Args, Debug)]
pub(crate) struct Query {
    /// Part of a name, an address or a telephone number.
    #[arg(long)]
    search: Option<String>,
    /// Only of this domain.
    #[arg(long)]
    domain: Option<String>,
    /// Only in this state.
    #[arg(long, value_parser = STATES)]
    state: Option<String>,
    /// What they are in the order of.
    #[arg(long, value_parser = ["name", "address", "used", "quota", "state"])]
    sort: Option<String>,
    /// Up or down.
    #[arg(long, value_parser = ["asc", "desc"])]
    order: Option<String>,
    /// How many to leave out at the start.
    #[arg(long)]
    offset: Option<u64>,
    #[command(flatten)]
    limit: Limit,
}

/// A new person.
#[derive(Args, Debug)]
pub(crate) struct New {
    /// The address, which is the login.
    address: String,
    /// The name as people read it.
    #[arg(long, default_value = "")]
    name: String,
    /// A further address.
    #[arg(long = "alias", value_name = "ADDRESS")]
    aliases: Vec<String>,
    /// Room for mail in MB.
    #[arg(long, value_name = "MB")]
    quota_mb: Option<u64>,
    /// Administers the box.
    #[arg(long)]
    admin: bool,
}

/// A change.
#[derive(Args, Debug)]
pub(crate) struct Change {
    /// An address.
    address: String,
    /// The name as people read it.
    #[arg(long)]
    name: Option<String>,
    /// A further address, all of them; empty: none.
    #[arg(long = "alias", value_name = "ADDRESS")]
    aliases: Vec<String>,
    /// Room for mail in MB, `default` or `none`.
    #[arg(long, value_name = "MB", value_parser = number_or_default)]
    quota_mb: Option<Value>,
    /// Disabled: may not log in. Suspended: may not log in and gets no mail for now.
    #[arg(long, value_parser = STATES)]
    state: Option<String>,
    /// Whether the person administers the box.
    #[arg(long)]
    admin: Option<bool>,
    /// A domain that the person administers, all of them; empty: none.
    #[arg(long = "manages", value_name = "DOMAIN")]
    manages: Vec<String>,
    /// A further sender address, all of them; empty: none.
    #[arg(long = "send-as", value_name = "ADDRESS")]
    send_as: Vec<String>,
    /// Where mail goes on to, all addresses; empty: nowhere.
    #[arg(long = "forward", value_name = "ADDRESS")]
    forward: Vec<String>,
    /// Whether a copy stays of mail that goes on.
    #[arg(long)]
    forward_keep: Option<bool>,
    /// Language of the web pages.
    #[arg(long, value_parser = ["en", "de", "fr", "it", "es"])]
    language: Option<String>,
}

impl Change {
    fn body(self) -> Result<Value, Failure> {
        Fields::default()
            .with("name", self.name)
            .with_list("aliases", self.aliases)
            .with("quota_mb", self.quota_mb)
            .with("state", self.state)
            .with("is_admin", self.admin)
            .with_list("manages", self.manages)
            .with_list("send_as", self.send_as)
            .with_list("forward", self.forward)
            .with("forward_keep", self.forward_keep)
            .with("language", self.language)
            .body()
    }
}

fn list(query: &Query) -> Pages {
    let call = Call::get("/accounts")
        .with("search", query.search.as_ref())
        .with("domain", query.domain.as_ref())
        .with("state", query.state.as_ref())
        .with("sort", query.sort.as_ref())
        .with("order", query.order.as_ref());
    Pages::turned_by("offset", call).starting(query.offset).up_to(query.limit)
}

fn deleted() -> Pages {
    Pages::turned_by("offset", Call::get("/deleted-accounts"))
}

fn add(new: &New, password: &str) -> Call {
    let body = json!({
        "address": new.address,
        "name": new.name,
        "password": password,
        "aliases": new.aliases,
        "quota_mb": new.quota_mb,
        "is_admin": new.admin,
    });
    Call::post("/accounts", body)
}

/// Does it.
pub(crate) async fn run(desk: &mut Desk, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(query) => desk.list(list(&query), COLUMNS).await,
        Command::Show { address } => {
            let (_, account) = desk.account(&address).await?;
            desk.show(&account)
        }
        Command::Add(new) => {
            let password = desk.password("Password")?;
            desk.act(add(&new, &password)).await
        }
        Command::Set(change) => {
            let (id, _) = desk.account(&change.address).await?;
            desk.act(Call::patch(format!("/accounts/{id}"), change.body()?)).await
        }
        Command::Delete { address } => {
            let (id, _) = desk.account(&address).await?;
            desk.delete(Call::delete(format!("/accounts/{id}")), &address).await
        }
        Command::Deleted(limit) => {
            desk.list(
                deleted().up_to(limit),
                &["address", "name", "deleted_at", "messages", "bytes"],
            )
            .await
        }
        Command::Restore { address } => {
            let id = desk.find(deleted(), "address", &address).await?["id"].clone();
            desk.act(Call::post(format!("/deleted-accounts/{id}/restore"), json!({}))).await
        }
        Command::Password { address } => {
            let (id, _) = desk.account(&address).await?;
            let password = desk.password("New password")?;
            let body = json!({ "password": password });
            desk.act(Call::post(format!("/accounts/{id}/password"), body)).await
        }
    }
}
