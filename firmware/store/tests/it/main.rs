//! The store from outside: each act, what stays after a reopen, and the walk of [`store::Store::check`]
//! at the end of every test.

mod damage;
mod directory;
mod fixture;
mod load;
mod mail;
mod model;
mod spool;
