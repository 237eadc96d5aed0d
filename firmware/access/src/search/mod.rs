//! Search as every protocol of mail access needs it: text of messages decoded and folded, found in
//! pieces; sent dates, base subjects, sort keys and threads.
//!
//! A message is never whole in memory, a mailbox never as a list of texts. Never here: a protocol's
//! grammar or answers.

pub(crate) mod content;
pub(crate) mod date;
pub(crate) mod decode;
pub(crate) mod fold;
pub(crate) mod needles;
pub(crate) mod pool;
pub(crate) mod sorting;
pub(crate) mod subject;
pub(crate) mod threads;
pub(crate) mod trigrams;
pub(crate) mod words;
