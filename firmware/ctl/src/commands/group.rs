//! `postroom group` and `postroom list`: a list is a group with an address.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::pages::{Limit, Pages};
use super::{Desk, Fields};
use crate::call::{Call, escaped};
use crate::failure::Failure;

const COLUMNS: &[&str] = &["name", "domain", "address", "members", "description"];

/// What to do with groups.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the groups.
    List(Query),
    /// Shows one with its members.
    Show {
        /// NAME@DOMAIN.
        group: String,
    },
    /// Adds a group.
    Add(New),
    /// Changes what is named.
    Set(Change),
    /// Deletes it.
    Delete {
        /// NAME@DOMAIN.
        group: String,
    },
}

/// What to do with lists.
#[derive(Debug, Subcommand)]
pub(crate) enum ListCommand {
    /// Lists the distribution lists.
    List(Query),
    /// Shows one with its members.
    Show {
        /// Its address.
        address: String,
    },
    /// Adds a list.
    Add {
        /// Its address.
        address: String,
        /// A member: an address here or elsewhere.
        #[arg(long = "member", value_name = "ADDRESS")]
        members: Vec<String>,
        /// What it is for.
        #[arg(long)]
        description: Option<String>,
    },
    /// Changes what is named.
    Set(Change),
    /// Deletes it.
    Delete {
        /// Its address.
        address: String,
    },
}

/// Which ones.
#[derive(Args, Debug)]
pub(crate) struct Query {
    /// Only of this domain.
    #[arg(long)]
    domain: Option<String>,
    /// Part of name, address or description.
    #[arg(long)]
    search: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

/// A new group.
#[derive(Args, Debug)]
pub(crate) struct New {
    /// NAME@DOMAIN.
    group: String,
    /// Makes it a list that gets mail there.
    #[arg(long)]
    address: Option<String>,
    /// A member.
    #[arg(long = "member", value_name = "ADDRESS")]
    members: Vec<String>,
    /// What it is for.
    #[arg(long)]
    description: Option<String>,
}

/// A change.
#[derive(Args, Debug)]
pub(crate) struct Change {
    /// NAME@DOMAIN, or the address of a list.
    group: String,
    /// The address where it gets mail; empty: none.
    #[arg(long)]
    address: Option<String>,
    /// A member, all of them; empty: none.
    #[arg(long = "member", value_name = "ADDRESS", conflicts_with_all = ["add", "remove"])]
    members: Vec<String>,
    /// A member more.
    #[arg(long, value_name = "ADDRESS")]
    add: Vec<String>,
    /// A member less.
    #[arg(long, value_name = "ADDRESS")]
    remove: Vec<String>,
    /// What it is for.
    #[arg(long)]
    description: Option<String>,
}

impl Change {
    fn body(self) -> Result<Value, Failure> {
        let address = self.address.map(|address| match address.as_str() {
            "" => Value::Null,
            _ => Value::from(address),
        });
        Fields::default()
            .with("address", address)
            .with_list("members", self.members)
            .with_list("add", self.add)
            .with_list("remove", self.remove)
            .with("description", self.description)
            .body()
    }
}

fn groups(query: &Query, with_address: Option<bool>) -> Pages {
    let call = Call::get("/groups")
        .with("domain", query.domain.as_ref())
        .with("search", query.search.as_ref())
        .with("with_address", with_address);
    Pages::turned_by("offset", call).up_to(query.limit)
}

fn path(group: &str) -> String {
    format!("/groups/{}", escaped(group))
}

fn add(new: New) -> Result<Call, Failure> {
    let (name, domain) = new
        .group
        .rsplit_once('@')
        .ok_or_else(|| Failure::Usage("a group is NAME@DOMAIN".to_owned()))?;
    let body = Fields::default()
        .with("name", Some(name))
        .with("domain", Some(domain))
        .with("address", new.address.as_deref())
        .with("members", Some(new.members))
        .with("description", new.description)
        .body()?;
    Ok(Call::post("/groups", body))
}

/// Does it with groups.
pub(crate) async fn run(desk: &mut Desk, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(asked) => desk.list(groups(&asked, None), COLUMNS).await,
        Command::Show { group } => desk.show_one(Call::get(path(&group))).await,
        Command::Add(new) => desk.act(add(new)?).await,
        Command::Set(change) => {
            let path = path(&change.group);
            desk.act(Call::patch(path, change.body()?)).await
        }
        Command::Delete { group } => desk.delete(Call::delete(path(&group)), &group).await,
    }
}

/// The group that gets mail at an address.
async fn of_address(desk: &mut Desk, address: &str) -> Result<String, Failure> {
    let call = Call::get("/groups").with("search", Some(address));
    let found = desk.find(Pages::turned_by("offset", call), "address", address).await?;
    let word = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    Ok(path(&format!("{}@{}", word("name"), word("domain"))))
}

/// Does it with lists.
pub(crate) async fn run_list(desk: &mut Desk, command: ListCommand) -> Result<(), Failure> {
    match command {
        ListCommand::List(asked) => {
            let columns = &["address", "name", "members", "description"];
            desk.list(groups(&asked, Some(true)), columns).await
        }
        ListCommand::Show { address } => {
            let path = of_address(desk, &address).await?;
            desk.show_one(Call::get(path)).await
        }
        ListCommand::Add { address, members, description } => {
            let address_of = Some(address.clone());
            desk.act(add(New { group: address, address: address_of, members, description })?).await
        }
        ListCommand::Set(change) => {
            let path = of_address(desk, &change.group).await?;
            desk.act(Call::patch(path, change.body()?)).await
        }
        ListCommand::Delete { address } => {
            let path = of_address(desk, &address).await?;
            desk.delete(Call::delete(path), &address).await
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_group_is_named_with_its_domain() {
        let new = |group: &str| New {
            group: group.to_owned(),
            address: None,
            members: vec!["anna@office.test".to_owned()],
            description: None,
        };
        let call = add(new("staff@office.test")).unwrap();
        let expected = json!({ "name": "staff", "domain": "office.test",
            "members": ["anna@office.test"] });
        assert_eq!(call.shown()["body"], expected);
        assert!(add(new("staff")).is_err());
    }
}
