//! The API as a browser meets it: the router in memory over a real store.

mod admin;
mod audit;
mod contract;
mod credentials;
mod deleted;
mod domain_admin;
mod exchange;
mod mail_routing;
mod office;
mod provision;
mod server;
mod setup;
mod sign_in;
mod source;
mod tokens;
