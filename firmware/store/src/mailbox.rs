//! Mailboxes: their rows, names, flags, messages and change logs, and the acts on them.

pub(crate) mod acts;
pub(crate) mod adding;
pub(crate) mod changes;
pub(crate) mod copying;
pub(crate) mod expunging;
pub(crate) mod flags;
pub(crate) mod keywords;
pub(crate) mod maildrop;
pub(crate) mod marking;
pub(crate) mod message_row;
pub(crate) mod name;
pub(crate) mod reads;
pub(crate) mod row;
pub(crate) mod usage;
