//! `postroom audit`.

use clap::{Args, Subcommand};

use super::Desk;
use super::pages::{Limit, Pages};
use crate::call::Call;
use crate::failure::Failure;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists what was done, newest first.
    List {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        limit: Limit,
        /// Only before this number of the list.
        #[arg(long)]
        before: Option<u64>,
    },
    /// Writes all of it to standard output, oldest first.
    Export {
        #[command(flatten)]
        filter: Filter,
        /// The form.
        #[arg(long, default_value = "jsonl", value_parser = ["jsonl", "csv"])]
        format: String,
    },
}

/// Which acts.
#[derive(Args, Debug)]
pub(crate) struct Filter {
    /// Part of who did it.
    #[arg(long)]
    who: Option<String>,
    /// Part of what it was done to.
    #[arg(long)]
    target: Option<String>,
    /// `account.create`, or `account` for all of them.
    #[arg(long)]
    action: Option<String>,
    /// From this date or time on.
    #[arg(long)]
    since: Option<String>,
    /// Before this date or time.
    #[arg(long)]
    until: Option<String>,
}

impl Filter {
    fn of(self, path: &str) -> Call {
        Call::get(path)
            .with("who", self.who)
            .with("target", self.target)
            .with("action", self.action)
            .with("since", self.since)
            .with("until", self.until)
    }
}

/// Does it.
pub(crate) async fn run(desk: &mut Desk, command: Command) -> Result<(), Failure> {
    match command {
        Command::List { filter, limit, before } => {
            let pages = Pages::turned_by("before", filter.of("/audit")).starting(before);
            desk.list(
                pages.up_to(limit),
                &["seq", "at", "who", "via", "address", "action", "target"],
            )
            .await
        }
        Command::Export { filter, format } => {
            desk.copy(filter.of("/audit/export").with("format", Some(format))).await
        }
    }
}
