//! The admin's API.

mod accounts;
mod aliases;
mod audit;
mod directory;
mod domains;
mod export;
mod groups;
mod host;
mod import;
mod log;
mod queue;
mod source;
mod status;
mod storage;
mod tokens;
mod webhooks;

use axum::http::Method;
use session::rules::Area;

use super::{Table, deleted};
use crate::guard::Access;
use crate::outbound;

fn to(area: Area) -> Access {
    Access::Use(area)
}

pub(super) fn routes(table: Table) -> Table {
    webhook_routes(deleted_routes(source_routes(directory(machine(queue_routes(table))))))
}

fn machine(table: Table) -> Table {
    table
        .on(to(Area::Machine), Method::GET, "/admin/status", status::show)
        .on(to(Area::Log), Method::GET, "/admin/log", log::tail)
        .on(to(Area::Audit), Method::GET, "/admin/audit", audit::list)
        .on(to(Area::Audit), Method::GET, "/admin/audit/export", audit::export)
        .on(to(Area::Log), Method::GET, "/admin/trace", log::trace)
        .on(to(Area::Log), Method::PUT, "/admin/trace", log::set_trace)
        .on(to(Area::Outbound), Method::GET, "/admin/outbound", outbound::show)
        .on(to(Area::Outbound), Method::PUT, "/admin/outbound", outbound::set)
        .on(to(Area::Outbound), Method::POST, "/admin/outbound/test", outbound::test)
        .on(to(Area::Machine), Method::GET, "/admin/hostname", host::hostname)
        .on(to(Area::Machine), Method::PUT, "/admin/hostname", host::set_hostname)
        .on(to(Area::Machine), Method::GET, "/admin/storage", storage::show)
        .on(to(Area::Machine), Method::PUT, "/admin/storage", storage::set)
        .on(to(Area::Machine), Method::GET, "/admin/network", host::network)
        .on(to(Area::Machine), Method::PUT, "/admin/network", host::set_network)
        .on(to(Area::Tokens), Method::GET, "/admin/tokens", tokens::list)
        .on(to(Area::Tokens), Method::POST, "/admin/tokens", tokens::add)
        .on(to(Area::Tokens), Method::DELETE, "/admin/tokens/{id}", tokens::remove)
        .on(to(Area::Machine), Method::POST, "/admin/reboot", host::reboot)
        .on(to(Area::Machine), Method::POST, "/admin/poweroff", host::power_off)
}

fn webhook_routes(table: Table) -> Table {
    let to = to(Area::Webhooks);
    table
        .on(to, Method::GET, "/admin/webhooks", webhooks::list)
        .on(to, Method::POST, "/admin/webhooks", webhooks::add)
        .on(to, Method::PATCH, "/admin/webhooks/{id}", webhooks::change)
        .on(to, Method::DELETE, "/admin/webhooks/{id}", webhooks::remove)
        .on(to, Method::POST, "/admin/webhooks/{id}/test", webhooks::test)
        .on(to, Method::GET, "/admin/webhooks/{id}/log", webhooks::log)
}

fn directory(table: Table) -> Table {
    table
        .on(to(Area::Domains), Method::GET, "/admin/domains", domains::list)
        .on(to(Area::DomainSet), Method::POST, "/admin/domains", domains::add)
        .on(to(Area::DomainSet), Method::DELETE, "/admin/domains/{name}", domains::remove)
        .on(to(Area::Domains), Method::PATCH, "/admin/domains/{name}", domains::change)
        .on(to(Area::Groups), Method::GET, "/admin/groups", groups::list)
        .on(to(Area::Groups), Method::POST, "/admin/groups", groups::add)
        .on(to(Area::Groups), Method::GET, "/admin/groups/{group}", groups::show)
        .on(to(Area::Groups), Method::PATCH, "/admin/groups/{group}", groups::change)
        .on(to(Area::Groups), Method::DELETE, "/admin/groups/{group}", groups::remove)
        .on(to(Area::Accounts), Method::GET, "/admin/accounts", accounts::list)
        .on(to(Area::Accounts), Method::POST, "/admin/accounts", accounts::add)
        .on(to(Area::Accounts), Method::GET, "/admin/accounts/{id}", accounts::show)
        .on(to(Area::Accounts), Method::PATCH, "/admin/accounts/{id}", accounts::change)
        .on(to(Area::Accounts), Method::DELETE, "/admin/accounts/{id}", accounts::remove)
        .on(
            to(Area::Accounts),
            Method::POST,
            "/admin/accounts/{id}/password",
            accounts::set_password,
        )
        .on(to(Area::Exchange), Method::POST, "/admin/import", import::run)
        .on(to(Area::Exchange), Method::GET, "/admin/import/{id}", import::show)
        .on(to(Area::Exchange), Method::GET, "/admin/export", export::run)
        .on(to(Area::Directory), Method::GET, "/admin/directory", directory::show)
        .on(to(Area::Directory), Method::PUT, "/admin/directory", directory::set)
        .on(to(Area::Aliases), Method::GET, "/admin/aliases", aliases::list)
        .on(to(Area::Aliases), Method::POST, "/admin/aliases", aliases::add)
        .on(to(Area::Aliases), Method::PUT, "/admin/aliases/{address}", aliases::change)
        .on(to(Area::Aliases), Method::DELETE, "/admin/aliases/{address}", aliases::remove)
}

fn source_routes(table: Table) -> Table {
    let at = "/admin/domains/{name}/source";
    table
        .on(to(Area::Sources), Method::GET, at, source::show)
        .on(to(Area::Sources), Method::PUT, at, source::set)
        .on(to(Area::Sources), Method::DELETE, at, source::remove)
        .on(to(Area::Sources), Method::POST, "/admin/domains/{name}/source/test", source::test)
        .on(to(Area::Sources), Method::POST, "/admin/domains/{name}/source/sync", source::sync)
        .on(to(Area::Sources), Method::GET, "/admin/domains/{name}/source/status", source::status)
}

fn queue_routes(table: Table) -> Table {
    table
        .on(to(Area::Queue), Method::GET, "/admin/queue", queue::list)
        .on(to(Area::Queue), Method::GET, "/admin/queue/{id}", queue::show)
        .on(to(Area::Queue), Method::DELETE, "/admin/queue/{id}", queue::remove)
        .on(to(Area::Queue), Method::POST, "/admin/queue/{id}/retry", queue::retry)
        .on(to(Area::Queue), Method::POST, "/admin/queue/{id}/hold", queue::hold)
        .on(to(Area::Queue), Method::POST, "/admin/queue/{id}/release", queue::release)
}

fn deleted_routes(table: Table) -> Table {
    let messages = "/admin/accounts/{id}/deleted-messages";
    table
        .on(to(Area::Deleted), Method::GET, messages, deleted::list_of_account)
        .on(
            to(Area::Deleted),
            Method::POST,
            "/admin/accounts/{id}/deleted-messages/restore",
            deleted::restore_of_account,
        )
        .on(to(Area::Deleted), Method::GET, "/admin/deleted-accounts", deleted::accounts)
        .on(
            to(Area::Deleted),
            Method::POST,
            "/admin/deleted-accounts/{id}/restore",
            deleted::restore_account,
        )
}
