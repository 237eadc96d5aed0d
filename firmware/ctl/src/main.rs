//! `postroom`, the server utilities: a thin client of the admin API over HTTPS or the unix socket.
//!
//! A command line becomes a request, the answer a table or JSON. Never here: a rule of what may be; the server
//! says it.

mod args;
mod call;
mod client;
mod commands;
mod failure;
mod output;
mod prompt;
mod tls;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;
use crate::failure::Failure;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let is_json = cli.json;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::error(&failure, is_json);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|err| Failure::Local("starting".to_owned(), err))?;
    runtime.block_on(commands::run(cli))
}
