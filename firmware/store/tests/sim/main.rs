//! The proof that the store cannot lose mail: random work on a disk in memory that loses, tears and refuses
//! what was not synced, and after each crash the comparison with a model. A failure prints its seed;
//! `cargo xtask sim --seed N` runs that one again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test with helpers that clippy does not know as one"
)]

mod act;
mod caller;
mod choice;
mod content;
mod disk;
mod doubt;
mod entries;
mod fixtures;
mod life;
mod model;
mod office;
mod positions;
mod random;
mod seeds;
mod shown;
