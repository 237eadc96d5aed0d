//! The commands, a file for each thing; what they share is here.

pub(crate) mod alias;
pub(crate) mod app_password;
pub(crate) mod audit;
pub(crate) mod directory;
pub(crate) mod domain;
pub(crate) mod group;
pub(crate) mod pages;
pub(crate) mod queue;
pub(crate) mod quota;
pub(crate) mod session;
pub(crate) mod source;
pub(crate) mod token;
pub(crate) mod user;
pub(crate) mod webhook;

use clap::CommandFactory as _;
use serde_json::{Map, Value};

use crate::args::{Cli, What};
use crate::call::{Call, Content};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{self, Listing};
use crate::prompt;

use pages::Pages;

/// What every command works with.
#[derive(Debug)]
pub(crate) struct Desk {
    client: Client,
    is_json: bool,
    is_dry: bool,
    is_sure: bool,
}

/// Does what the command line says.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    match cli.what {
        What::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "postroom", &mut script);
            return output::text(&String::from_utf8_lossy(&script)).map(drop);
        }
        What::Man { dir } => {
            let written = clap_mangen::generate_to(Cli::command(), &dir);
            return written.map_err(|err| Failure::Local(dir.display().to_string(), err));
        }
        _ => {}
    }
    let client = Box::pin(Client::connect(&cli.place)).await?;
    let mut desk = Desk { client, is_json: cli.json, is_dry: cli.dry_run, is_sure: cli.yes };
    match cli.what {
        What::Domain(command) => domain::run(&mut desk, command).await,
        What::User(command) => user::run(&mut desk, command).await,
        What::Alias(command) => alias::run(&mut desk, command).await,
        What::Group(command) => group::run(&mut desk, command).await,
        What::List(command) => group::run_list(&mut desk, command).await,
        What::Quota(command) => quota::run(&mut desk, command).await,
        What::AppPassword(command) => app_password::run(&mut desk, command).await,
        What::Session(command) => session::run(&mut desk, command).await,
        What::Audit(command) => audit::run(&mut desk, command).await,
        What::Queue(command) => queue::run(&mut desk, command).await,
        What::Token(command) => token::run(&mut desk, command).await,
        What::Webhook(command) => webhook::run(&mut desk, command).await,
        What::Source(command) => source::run(&mut desk, command).await,
        What::Directory(command) => directory::run(&mut desk, command).await,
        What::Completion { .. } | What::Man { .. } => Ok(()),
    }
}

impl Desk {
    /// Asks for something that changes nothing.
    pub(crate) async fn ask(&mut self, call: Call) -> Result<Value, Failure> {
        self.client.ask(call).await
    }

    /// Shows the items of a list as they come.
    pub(crate) async fn list(
        &mut self,
        pages: impl Into<Pages>,
        columns: &[&str],
    ) -> Result<(), Failure> {
        let (mut pages, mut rest) = (pages.into(), Value::Null);
        let mut listing = if self.is_json { Listing::json() } else { Listing::table(columns) };
        while let Some((items, about)) = pages.page(&mut self.client).await? {
            if !output::text(&listing.page(&items))? {
                return Ok(());
            }
            rest = about;
        }
        output::text(&listing.end(rest)).map(drop)
    }

    /// Shows one thing.
    pub(crate) fn show(&self, value: &Value) -> Result<(), Failure> {
        let shown = if self.is_json { output::json(value) } else { output::fields(value) };
        output::text(&shown).map(drop)
    }

    /// A password, which a dry run has no use for.
    pub(crate) fn password(&self, what: &str) -> Result<String, Failure> {
        if self.is_dry { Ok(String::new()) } else { prompt::password(what) }
    }

    /// Asks for one thing and shows it.
    pub(crate) async fn show_one(&mut self, call: Call) -> Result<(), Failure> {
        let value = self.ask(call).await?;
        self.show(&value)
    }

    /// Changes something and shows what it is then; for a dry run what would be sent.
    pub(crate) async fn act(&mut self, call: Call) -> Result<(), Failure> {
        if self.is_dry {
            return self.show_call(&call);
        }
        match self.client.ask(call).await? {
            Value::Null => Ok(()),
            value => self.show(&value),
        }
    }

    /// Deletes what is `named` so; a person at a terminal is asked first.
    pub(crate) async fn delete(&mut self, call: Call, named: &str) -> Result<(), Failure> {
        if !self.is_dry && !self.is_sure && !prompt::is_agreed(&format!("Delete {named}?"))? {
            return Err(Failure::Usage("nothing was deleted".to_owned()));
        }
        self.act(call).await
    }

    fn show_call(&self, call: &Call) -> Result<(), Failure> {
        let shown = call.shown();
        if self.is_json {
            return output::text(&output::json(&serde_json::json!({ "would_send": shown })))
                .map(drop);
        }
        let word = |name: &str| shown[name].as_str().unwrap_or_default().to_owned();
        let mut text = format!("would send {} {}\n", word("method"), word("path"));
        if !matches!(call.content, Content::Nothing) {
            text.push_str(&output::json(&shown["body"]));
        }
        output::text(&text).map(drop)
    }

    /// Copies an answer to standard output as it comes.
    pub(crate) async fn copy(&mut self, call: Call) -> Result<(), Failure> {
        self.client.copy(call, &mut std::io::stdout()).await
    }

    /// The first of a list that `is_it`; `wanted` is what it was named by.
    async fn first(
        &mut self,
        pages: impl Into<Pages>,
        wanted: &str,
        is_it: impl Fn(&Value) -> bool,
    ) -> Result<Value, Failure> {
        let mut pages = pages.into();
        while let Some((items, _)) = pages.page(&mut self.client).await? {
            if let Some(found) = items.into_iter().find(&is_it) {
                return Ok(found);
            }
        }
        Err(Failure::NotFound(wanted.to_owned()))
    }

    /// The one of a list that has this value.
    pub(crate) async fn find(
        &mut self,
        pages: impl Into<Pages>,
        field: &str,
        wanted: &str,
    ) -> Result<Value, Failure> {
        let is_it = |item: &Value| match &item[field] {
            Value::String(text) => text.eq_ignore_ascii_case(wanted),
            other => other.as_u64().is_some() && other.as_u64() == wanted.parse().ok(),
        };
        self.first(pages, wanted, is_it).await
    }

    /// The account of an address, primary or further, with its number.
    pub(crate) async fn account(&mut self, address: &str) -> Result<(u64, Value), Failure> {
        let is_it =
            |value: &Value| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(address));
        let has_it = |item: &Value| {
            let further = item["aliases"].as_array().map(Vec::as_slice).unwrap_or_default();
            is_it(&item["address"]) || further.iter().any(is_it)
        };
        let call = Call::get("/accounts").with("search", Some(address));
        let found = self.first(Pages::turned_by("offset", call), address, has_it).await?;
        let id = found["id"].as_u64().ok_or_else(|| Failure::NotFound(address.to_owned()))?;
        Ok((id, found))
    }
}

/// The fields of a change: those that were named.
#[derive(Debug, Default)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// One field, if it was named.
    pub(crate) fn with<V: Into<Value>>(mut self, name: &str, value: Option<V>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
        self
    }

    /// A list, if anything of it was named; one empty text is the empty list.
    pub(crate) fn with_list(self, name: &str, values: Vec<String>) -> Self {
        if values.is_empty() {
            return self;
        }
        let values: Vec<_> = values.into_iter().filter(|value| !value.is_empty()).collect();
        self.with(name, Some(values))
    }

    /// The body of the request.
    pub(crate) fn body(self) -> Result<Value, Failure> {
        if self.0.is_empty() {
            return Err(Failure::Usage("nothing to change was named".to_owned()));
        }
        Ok(Value::Object(self.0))
    }
}

/// A number or a word that stands for none: `default`.
pub(crate) fn number_or_default(text: &str) -> Result<Value, String> {
    match text {
        "default" => Ok(Value::Null),
        "none" | "unlimited" => Ok(Value::from(0)),
        text => text
            .parse::<u64>()
            .map(Value::from)
            .map_err(|_| "a number, `default` or `none` (without limit)".to_owned()),
    }
}

/// A file, or standard input for `-`.
pub(crate) fn read(path: &std::path::Path, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let broken = |err| Failure::Local(path.display().to_string(), err);
    let mut bytes = Vec::new();
    let source: Box<dyn std::io::Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(broken)?)
    };
    let mut source = std::io::Read::take(source, bytes_max.saturating_add(1));
    std::io::Read::read_to_end(&mut source, &mut bytes).map_err(broken)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > bytes_max) {
        return Err(Failure::Usage(format!("{}: more than {bytes_max} bytes", path.display())));
    }
    Ok(bytes)
}
