//! Result codes of LDAP, and a refusal as a value: a code with words for the client.

use std::fmt;

/// Makes the enum and its way from and to numbers from one table.
macro_rules! codes {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        /// The result codes of RFC 4511 appendix A and of the extensions that are served (RFC 2891, RFC
        /// 3909, RFC 4370, RFC 4528, VLV).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the names are those of the standard")]
        pub enum Code { $($name,)* }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The number on the wire.
            pub fn number(self) -> u32 {
                match self { $(Self::$name => $number,)* }
            }

            /// The name as the standard writes it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

codes! {
    Success = 0, "success";
    OperationsError = 1, "operationsError";
    ProtocolError = 2, "protocolError";
    TimeLimitExceeded = 3, "timeLimitExceeded";
    SizeLimitExceeded = 4, "sizeLimitExceeded";
    CompareFalse = 5, "compareFalse";
    CompareTrue = 6, "compareTrue";
    AuthMethodNotSupported = 7, "authMethodNotSupported";
    StrongerAuthRequired = 8, "strongerAuthRequired";
    Referral = 10, "referral";
    AdminLimitExceeded = 11, "adminLimitExceeded";
    UnavailableCriticalExtension = 12, "unavailableCriticalExtension";
    ConfidentialityRequired = 13, "confidentialityRequired";
    SaslBindInProgress = 14, "saslBindInProgress";
    NoSuchAttribute = 16, "noSuchAttribute";
    UndefinedAttributeType = 17, "undefinedAttributeType";
    InappropriateMatching = 18, "inappropriateMatching";
    ConstraintViolation = 19, "constraintViolation";
    AttributeOrValueExists = 20, "attributeOrValueExists";
    InvalidAttributeSyntax = 21, "invalidAttributeSyntax";
    NoSuchObject = 32, "noSuchObject";
    AliasProblem = 33, "aliasProblem";
    InvalidDnSyntax = 34, "invalidDNSyntax";
    AliasDereferencingProblem = 36, "aliasDereferencingProblem";
    InappropriateAuthentication = 48, "inappropriateAuthentication";
    InvalidCredentials = 49, "invalidCredentials";
    InsufficientAccessRights = 50, "insufficientAccessRights";
    Busy = 51, "busy";
    Unavailable = 52, "unavailable";
    UnwillingToPerform = 53, "unwillingToPerform";
    LoopDetect = 54, "loopDetect";
    SortControlMissing = 60, "sortControlMissing";
    OffsetRangeError = 61, "offsetRangeError";
    NamingViolation = 64, "namingViolation";
    ObjectClassViolation = 65, "objectClassViolation";
    NotAllowedOnNonLeaf = 66, "notAllowedOnNonLeaf";
    NotAllowedOnRdn = 67, "notAllowedOnRDN";
    EntryAlreadyExists = 68, "entryAlreadyExists";
    ObjectClassModsProhibited = 69, "objectClassModsProhibited";
    AffectsMultipleDsas = 71, "affectsMultipleDSAs";
    VirtualListViewError = 76, "virtualListViewError";
    Other = 80, "other";
    Canceled = 118, "canceled";
    NoSuchOperation = 119, "noSuchOperation";
    TooLate = 120, "tooLate";
    CannotCancel = 121, "cannotCancel";
    AssertionFailed = 122, "assertionFailed";
    AuthorizationDenied = 123, "authorizationDenied";
}

impl Code {
    /// The code of a number, if it is one of ours.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }
}

/// Why something is not done: what goes into an LDAPResult (RFC 4511 §4.1.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The result code.
    pub code: Code,
    /// The diagnostic message, for people.
    pub text: String,
    /// The DN of the last entry that was found on the way, where the code calls for one (32, 33, 34, 36).
    pub matched: Option<String>,
}

impl Refusal {
    /// A refusal without a matched DN.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), matched: None }
    }

    /// The same with the DN of the nearest entry that is there.
    #[must_use]
    pub fn with_matched(mut self, dn: impl Into<String>) -> Self {
        self.matched = Some(dn.into());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.code.name(), self.code.number(), self.text)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_leads_to_its_code_and_no_other() {
        for code in Code::ALL {
            assert_eq!(Code::from_number(code.number()), Some(*code));
        }
        assert_eq!(Code::from_number(9), None);
    }
}
