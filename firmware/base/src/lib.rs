//! Words that every crate of the firmware shares: addresses, ids, the clock, the tier budget, error
//! kinds and the little language between the daemon and PID 1.
//!
//! Never here: I/O beyond reading the system's clock and random source, tokio, anything that knows a
//! protocol.

pub mod address;
pub mod box_link;
pub mod budget;
pub mod clock;
pub mod hex;
pub mod ids;
pub mod kind;
pub mod lan;

pub use address::{Address, AddressError, DomainName};
pub use budget::{Tier, TierBudget};
pub use clock::{Civil, Clock, FixedClock, SystemClock, Timestamp};
pub use ids::{
    AccountId, BlobHash, BlobId, MailboxId, ModSeq, QueueId, Uid, UidRanges, UidValidity,
};
pub use kind::Kind;
pub use lan::is_lan;
