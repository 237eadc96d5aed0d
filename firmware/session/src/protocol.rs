//! What an app password can be for.

/// A protocol in which one logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// IMAP.
    Imap,
    /// POP3.
    Pop3,
    /// SMTP, for sending.
    Smtp,
    /// LDAP.
    Ldap,
    /// CalDAV and CardDAV.
    Dav,
    /// The web pages. They take the password with the second factor, never an app password.
    Web,
}

impl Protocol {
    /// Those that an app password can be for.
    pub const OF_APPS: [Self; 5] = [Self::Imap, Self::Pop3, Self::Smtp, Self::Ldap, Self::Dav];

    /// Its name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Smtp => "smtp",
            Self::Ldap => "ldap",
            Self::Dav => "dav",
            Self::Web => "web",
        }
    }

    /// Its bit in [`store::AppPassword::protocols`]; 0 for the web, which takes none.
    #[must_use]
    pub fn bit(self) -> u8 {
        match self {
            Self::Imap => 1,
            Self::Pop3 => 2,
            Self::Smtp => 4,
            Self::Ldap => 8,
            Self::Dav => 16,
            Self::Web => 0,
        }
    }

    /// The protocols of the bits.
    pub fn of_bits(bits: u8) -> impl Iterator<Item = Self> {
        Self::OF_APPS.into_iter().filter(move |protocol| bits & protocol.bit() != 0)
    }

    /// The protocol of an app password with that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::OF_APPS.into_iter().find(|protocol| protocol.name() == name)
    }
}
