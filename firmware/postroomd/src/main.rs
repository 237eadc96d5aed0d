//! The one binary: `postroomd init` is PID 1, `postroomd serve` the daemon, `postroomd check` the walk over
//! a stopped store, `postroomd export` the way out of one.
//!
//! Here are only the command line and the choice of role. Standard output carries what a caller reads (the
//! READY line, findings of `check`); logs go to standard error.

mod allocator;
mod budget;
mod housekeeping;
mod keeper;
mod listen;
mod log;
mod serve;
mod sockets;

use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

/// The office mail server you flash.
#[derive(Debug, Parser)]
#[command(name = "postroomd", version)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// PID 1 of the box
    Init,
    /// The daemon
    Serve(ServeArgs),
    /// Writes the mail of an account out of a stopped store, damaged or not
    Export(ExportArgs),
    /// Walks over everything in a stopped store and says what is wrong
    Check {
        /// The data directory
        #[arg(long)]
        data: PathBuf,
        /// First makes right what can be made right
        #[arg(long)]
        repair: bool,
    },
}

/// What `export` is told.
#[derive(Debug, clap::Args)]
struct ExportArgs {
    /// The data directory
    #[arg(long)]
    data: PathBuf,
    /// Whose mail: an address, or the account's number where the directory is lost
    #[arg(long)]
    account: String,
    /// An empty folder; made if absent
    #[arg(long)]
    to: PathBuf,
    /// How it is written
    #[arg(long, value_enum, default_value_t = ExportAs::Maildir)]
    format: ExportAs,
}

/// `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExportAs {
    /// A folder per mailbox, a file per message
    Maildir,
    /// A file per mailbox
    Mbox,
}

/// What `serve` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// The data directory; made if absent
    #[arg(long)]
    data: PathBuf,
    /// Address to listen on; may be given more than once [default: 0.0.0.0 and ::]
    #[arg(long)]
    listen: Vec<IpAddr>,
    /// What is added to the standard ports
    #[arg(long, default_value_t = 0)]
    port_offset: u16,
    /// The limits of which class of box
    #[arg(long, value_enum, default_value_t = TierChoice::Auto)]
    tier: TierChoice,
    /// A provisioning file, applied once
    #[arg(long)]
    provision: Option<PathBuf>,
}

/// `--tier`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TierChoice {
    /// By the machine's RAM
    Auto,
    /// 1 GB
    #[value(name = "1g")]
    OneGb,
    /// 4 GB
    #[value(name = "4g")]
    FourGb,
}

fn main() -> ExitCode {
    // The kernel starts PID 1 as /sbin/init, without our arguments.
    let called_as = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    if called_as.file_name().is_some_and(|name| name == "init") {
        appliance::init();
    }
    match Cli::parse().role {
        Role::Init => appliance::init(),
        Role::Serve(args) => match serve::run(&args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(err) => {
                tracing::error!("{err:#}");
                ExitCode::FAILURE
            }
        },
        Role::Check { data, repair } => check(&data, repair),
        Role::Export(args) => export(&args),
    }
}

/// Writes a line to standard output; a caller that went away does not matter.
pub(crate) fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).ok();
}

/// Repairs and says what was done; false if nothing could be.
fn repaired(data: &Path) -> bool {
    let runtime = match tokio::runtime::Builder::new_current_thread().build() {
        Ok(runtime) => runtime,
        Err(err) => {
            say(&format!("the store cannot be repaired: {err}"));
            return false;
        }
    };
    match runtime.block_on(store::Store::repair(data, std::sync::Arc::new(base::SystemClock))) {
        Ok(done) => {
            done.iter().for_each(|what| say(&format!("repaired: {what}")));
            true
        }
        Err(err) => {
            say(&format!("the store cannot be repaired: {err}"));
            say("postroomd export takes mail out of it");
            false
        }
    }
}

fn check(data: &Path, repair: bool) -> ExitCode {
    log::start(None);
    // What damage makes the index library say is told in plain words.
    std::panic::set_hook(Box::new(|_| {}));
    if repair && !repaired(data) {
        return ExitCode::FAILURE;
    }
    let report = match store::Store::check(data) {
        Ok(report) => report,
        Err(err) => {
            say(&format!("the store cannot be checked: {err}"));
            return ExitCode::FAILURE;
        }
    };
    for problem in &report.problems {
        say(problem);
    }
    say(&format!(
        "{} messages in {} mailboxes, {} blobs, {} queue entries: {} problems",
        report.messages,
        report.mailboxes,
        report.blobs,
        report.queue_entries,
        report.problems.len()
    ));
    if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn export(args: &ExportArgs) -> ExitCode {
    log::start(None);
    let account = match (args.account.parse(), base::Address::parse(&args.account)) {
        (Ok(number), _) => store::ExportAccount::Id(base::AccountId(number)),
        (_, Ok(address)) => store::ExportAccount::Address(address),
        _ => {
            say(&format!("{:?} is neither an address nor a number", args.account));
            return ExitCode::FAILURE;
        }
    };
    let format = match args.format {
        ExportAs::Maildir => store::ExportFormat::Maildir,
        ExportAs::Mbox => store::ExportFormat::Mbox,
    };
    // What damage makes the index library say is in the report.
    std::panic::set_hook(Box::new(|_| {}));
    let report = match store::Store::export(&args.data, &account, &args.to, format) {
        Ok(report) => report,
        Err(err) => {
            say(&format!("nothing can be exported: {err}"));
            return ExitCode::FAILURE;
        }
    };
    for skipped in &report.skipped {
        say(skipped);
    }
    say(&format!(
        "{} messages exported, {} of them found in the log only; {} things could not be read",
        report.messages, report.salvaged, report.skipped_count
    ));
    if report.skipped_count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
