//! Every limit of a session that does not come from the tier budget.

use std::time::Duration;

/// The first command must be whole within this time.
pub(crate) const FIRST_COMMAND: Duration = Duration::from_secs(60);
/// Each later command must be whole within this time (RFC 5321 §4.5.3.2.7).
pub(crate) const COMMAND: Duration = Duration::from_secs(300);
/// On the submission ports the login must be over within this time.
pub(crate) const LOGIN_WITHIN: Duration = Duration::from_secs(60);
/// How long a client that speaks before the greeting is listened for.
pub(crate) const EARLY_TALK: Duration = Duration::from_millis(5);

/// In each such span of time a body must bring [`BODY_SPAN_BYTES`] or its end: a byte every ten seconds is
/// no progress (RFC 5321 §4.5.3.2.5 asks for at least 3 minutes for a block).
pub(crate) const BODY_SPAN: Duration = Duration::from_secs(600);
/// See [`BODY_SPAN`].
pub(crate) const BODY_SPAN_BYTES: u64 = 1024 * 1024;

/// Longest command line, line end included. RFC 5321 §4.5.3.1.4 and what the extensions add to it.
pub(crate) const COMMAND_LINE_MAX: usize = 4096;
/// Longest line of a SASL exchange (RFC 4954 §4).
pub(crate) const SASL_LINE_MAX: usize = session::sasl::RESPONSE_MAX + 2;

/// Wrong commands before the client is sent away.
pub(crate) const ERRORS_MAX: u32 = 20;
/// Refused recipients before the client is sent away: it is guessing addresses.
pub(crate) const REFUSED_RCPT_MAX: u32 = 50;
/// Commands in a row that bring no message forward.
pub(crate) const IDLE_COMMANDS_MAX: u32 = 200;
/// Messages on one connection.
pub(crate) const TRANSACTIONS_MAX: u32 = 1000;
/// Wrong logins on one connection.
pub(crate) const AUTH_FAILURES_MAX: u32 = 3;

/// Header bytes held back until it is known which fields a submission lacks.
pub(crate) const HELD_HEADER_MAX: usize = 64 * 1024;

/// How long a client that is sent away may go on sending.
pub(crate) const LINGER: Duration = Duration::from_secs(5);
/// How much it may send then.
pub(crate) const LINGER_BYTES: usize = 1024 * 1024;
