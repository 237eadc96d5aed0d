//! The store from outside: each act, what stays after a reopen, and the walk of [`store::Store::check`]
//! at the end of every test.

#![allow(clippy::unwrap_used, reason = "clippy knows test functions, not their helpers")]

mod acl;
mod audit;
mod credentials;
mod damage;
mod directory;
mod directory_search;
mod entries;
mod export;
mod fixture;
mod full;
mod importing;
mod listing;
mod load;
mod log;
mod mail;
mod mandate;
mod memory_disk;
mod model;
mod quota;
mod routing;
mod search_index;
mod spool;
mod undelete;
mod upgrade;
