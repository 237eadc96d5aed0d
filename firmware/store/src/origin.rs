//! Who does an act. A store that was got by [`crate::Store::by`] gives its acts an origin, which goes with
//! them to the writer.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Who does an act, for the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The address of a person, `admin`, `token NAME`, `uid 0`; what no one in particular does, the box does.
    pub who: String,
    /// The way in.
    pub via: Via,
    /// The client's address, where there is one.
    pub address: Option<IpAddr>,
}

impl Origin {
    /// An origin; `address` is the client's, if it came over the network.
    #[must_use]
    pub fn new(who: impl Into<String>, via: Via, address: Option<IpAddr>) -> Self {
        Self { who: who.into(), via, address }
    }
}

/// The way in which an act came. The order is the one on disk: new ones go to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// The web pages.
    Web,
    /// The API with a token.
    Api,
    /// The API over the unix socket.
    Socket,
    /// LDAP.
    Ldap,
    /// A provisioning file.
    Provisioning,
    /// The wizard.
    Setup,
    /// The synchronisation with an external directory.
    Sync,
    /// IMAP.
    Imap,
    /// The box by itself.
    Box,
}
