//! The words between the daemon and PID 1 on their socket pair, and the names of the passed sockets.
//!
//! One JSON object a line, at most [`LINE_MAX`] bytes, request and reply in turn. The daemon asks for
//! the few things that need privilege; PID 1 (crate `appliance`) answers. Outside the appliance there
//! is no link, and the daemon then offers none of these.

use serde::{Deserialize, Serialize};

/// Longest line in either direction, bytes.
pub const LINE_MAX: usize = 16 * 1024;

/// The variable with the number of passed descriptors, from 3 on (as systemd's socket activation).
pub const LISTEN_FDS: &str = "LISTEN_FDS";
/// The variable with their names, separated by colons: a [`service`](SERVICES) name or [`LINK_NAME`].
/// A service may be named more than once (IPv4 and IPv6).
pub const LISTEN_FDNAMES: &str = "LISTEN_FDNAMES";
/// The name under which the daemon's end of the link is passed.
pub const LINK_NAME: &str = "pid1";
/// Service names with their standard ports; `serve` listens on port + N.
pub const SERVICES: [(&str, u16); 12] = [
    ("lmtp", 24),
    ("smtp", 25),
    ("http", 80),
    ("pop3", 110),
    ("imap", 143),
    ("ldap", 389),
    ("https", 443),
    ("submissions", 465),
    ("submission", 587),
    ("ldaps", 636),
    ("imaps", 993),
    ("pop3s", 995),
];

/// What the daemon asks of PID 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Request {
    /// What is the box? Answered by [`Reply::Status`].
    Status,
    /// Use this network configuration now and after each boot.
    SetNetwork {
        /// The configuration.
        network: Network,
    },
    /// The box's name (for mDNS and DHCP).
    SetHostName {
        /// Fully qualified or a single label.
        name: String,
    },
    /// What the console shows.
    SetConsole {
        /// The screen's facts.
        console: Console,
    },
    /// Stop all and start again.
    Reboot,
    /// Stop all and switch off.
    PowerOff,
    /// The daemon serves and is well; PID 1 feeds the watchdog only while this comes (every 5 s).
    Alive,
}

/// What PID 1 answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "one at a time exists; a box would only be noise")]
pub enum Reply {
    /// Done.
    Done,
    /// It could not be done; `reason` is English for the log and the admin page.
    Failed {
        /// Why.
        reason: String,
    },
    /// The state of the box.
    Status {
        /// The state.
        status: BoxStatus,
    },
}

/// How the box gets its address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Network {
    /// By DHCP.
    #[default]
    Dhcp,
    /// A fixed address.
    Static {
        /// IPv4 address with prefix length: `192.168.1.10/24`.
        address: String,
        /// Default gateway.
        gateway: String,
        /// Name servers.
        dns: Vec<String>,
    },
}

/// What stands on the console screen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Console {
    /// SHA-256 fingerprint of the certificate, `AB:CD:…`.
    pub fingerprint: String,
    /// The setup code; `None` once the box is set up.
    pub setup_code: Option<String>,
    /// Name of the box.
    pub host_name: String,
}

/// The state of the box as PID 1 knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoxStatus {
    /// Name of the network interface in use.
    pub interface: String,
    /// Addresses with prefix length.
    pub addresses: Vec<String>,
    /// Default gateway.
    pub gateway: String,
    /// Name servers, by DHCP or by setting.
    pub dns: Vec<String>,
    /// The configuration in force.
    pub network: Network,
    /// Tier name.
    pub tier: String,
    /// RAM, MB.
    pub ram_mb: u64,
    /// Cores.
    pub cores: u32,
    /// Median latency of an fdatasync of the data disk, microseconds (measured at first boot).
    pub fsync_us: u64,
    /// Name and serial of the data disk's model, as the kernel says.
    pub disk: String,
    /// True once the clock was set by the network.
    pub clock_synced: bool,
    /// Version of the image.
    pub image_version: String,
    /// Boot phases with their milliseconds since kernel start, in order.
    pub boot_phases: Vec<(String, u64)>,
    /// How often the daemon was restarted since boot.
    pub daemon_restarts: u32,
}
