//! The admin's API.

mod accounts;
mod aliases;
mod domains;
mod host;
mod log;
mod queue;
mod status;
mod storage;

use axum::http::Method;

use super::{Table, deleted};
use crate::guard::Access;

pub(super) fn routes(table: Table) -> Table {
    deleted_routes(directory(machine(queue_routes(table))))
}

fn machine(table: Table) -> Table {
    let to = Access::Admin;
    table
        .on(to, Method::GET, "/admin/status", status::show)
        .on(to, Method::GET, "/admin/log", log::tail)
        .on(to, Method::GET, "/admin/trace", log::trace)
        .on(to, Method::PUT, "/admin/trace", log::set_trace)
        .on(to, Method::GET, "/admin/outbound", host::outbound)
        .on(to, Method::PUT, "/admin/outbound", host::set_outbound)
        .on(to, Method::POST, "/admin/outbound/test", host::test_outbound)
        .on(to, Method::GET, "/admin/hostname", host::hostname)
        .on(to, Method::PUT, "/admin/hostname", host::set_hostname)
        .on(to, Method::GET, "/admin/storage", storage::show)
        .on(to, Method::PUT, "/admin/storage", storage::set)
        .on(to, Method::GET, "/admin/network", host::network)
        .on(to, Method::PUT, "/admin/network", host::set_network)
        .on(to, Method::POST, "/admin/reboot", host::reboot)
        .on(to, Method::POST, "/admin/poweroff", host::power_off)
}

fn directory(table: Table) -> Table {
    let to = Access::Admin;
    table
        .on(to, Method::GET, "/admin/domains", domains::list)
        .on(to, Method::POST, "/admin/domains", domains::add)
        .on(to, Method::DELETE, "/admin/domains/{name}", domains::remove)
        .on(to, Method::GET, "/admin/accounts", accounts::list)
        .on(to, Method::POST, "/admin/accounts", accounts::add)
        .on(to, Method::GET, "/admin/accounts/{id}", accounts::show)
        .on(to, Method::PATCH, "/admin/accounts/{id}", accounts::change)
        .on(to, Method::DELETE, "/admin/accounts/{id}", accounts::remove)
        .on(to, Method::POST, "/admin/accounts/{id}/password", accounts::set_password)
        .on(to, Method::GET, "/admin/aliases", aliases::list)
        .on(to, Method::POST, "/admin/aliases", aliases::add)
        .on(to, Method::PUT, "/admin/aliases/{address}", aliases::change)
        .on(to, Method::DELETE, "/admin/aliases/{address}", aliases::remove)
}

fn queue_routes(table: Table) -> Table {
    let to = Access::Admin;
    table
        .on(to, Method::GET, "/admin/queue", queue::list)
        .on(to, Method::GET, "/admin/queue/{id}", queue::show)
        .on(to, Method::DELETE, "/admin/queue/{id}", queue::remove)
        .on(to, Method::POST, "/admin/queue/{id}/retry", queue::retry)
        .on(to, Method::POST, "/admin/queue/{id}/hold", queue::hold)
        .on(to, Method::POST, "/admin/queue/{id}/release", queue::release)
}

fn deleted_routes(table: Table) -> Table {
    let to = Access::Admin;
    let messages = "/admin/accounts/{id}/deleted-messages";
    table
        .on(to, Method::GET, messages, deleted::list_of_account)
        .on(
            to,
            Method::POST,
            "/admin/accounts/{id}/deleted-messages/restore",
            deleted::restore_of_account,
        )
        .on(to, Method::GET, "/admin/deleted-accounts", deleted::accounts)
        .on(to, Method::POST, "/admin/deleted-accounts/{id}/restore", deleted::restore_account)
}
