//! The matching rules that are known: RFC 4517 §4.2, RFC 4530, RFC 3112. No rule of Active Directory.

use super::form::Form;
use super::rule::{Reach, Rule, RuleKind};
use crate::schema::Syntax;

/// Makes a constant of each rule and the list of all.
macro_rules! rules {
    ($($constant:ident = $oid:literal $name:literal $kind:expr, $form:ident, $syntax:ident;)*) => {
        $(
            #[doc = concat!("`", $name, "`")]
            pub static $constant: Rule = Rule {
                oid: $oid,
                name: $name,
                kind: $kind,
                form: Form::$form,
                syntax: Syntax::$syntax,
            };
        )*

        /// All of them.
        pub static ALL: &[&Rule] = &[$(&$constant,)*];
    };
}

const EQUALITY: RuleKind = RuleKind::Equality;
const ORDERING: RuleKind = RuleKind::Ordering;
const SUBSTRINGS: RuleKind = RuleKind::Substrings;

rules! {
    OBJECT_IDENTIFIER = "2.5.13.0" "objectIdentifierMatch" EQUALITY, Oid, Oid;
    DISTINGUISHED_NAME = "2.5.13.1" "distinguishedNameMatch" EQUALITY, Dn, Dn;
    CASE_IGNORE = "2.5.13.2" "caseIgnoreMatch" EQUALITY, CaseIgnore, DirectoryString;
    CASE_IGNORE_ORDERING = "2.5.13.3" "caseIgnoreOrderingMatch" ORDERING, CaseIgnore, DirectoryString;
    CASE_IGNORE_SUBSTRINGS = "2.5.13.4" "caseIgnoreSubstringsMatch" SUBSTRINGS, CaseIgnore, SubstringAssertion;
    CASE_EXACT = "2.5.13.5" "caseExactMatch" EQUALITY, CaseExact, DirectoryString;
    CASE_EXACT_ORDERING = "2.5.13.6" "caseExactOrderingMatch" ORDERING, CaseExact, DirectoryString;
    CASE_EXACT_SUBSTRINGS = "2.5.13.7" "caseExactSubstringsMatch" SUBSTRINGS, CaseExact, SubstringAssertion;
    NUMERIC = "2.5.13.8" "numericStringMatch" EQUALITY, Numeric, NumericString;
    NUMERIC_ORDERING = "2.5.13.9" "numericStringOrderingMatch" ORDERING, Numeric, NumericString;
    NUMERIC_SUBSTRINGS = "2.5.13.10" "numericStringSubstringsMatch" SUBSTRINGS, Numeric, SubstringAssertion;
    CASE_IGNORE_LIST = "2.5.13.11" "caseIgnoreListMatch" EQUALITY, CaseIgnoreList, PostalAddress;
    CASE_IGNORE_LIST_SUBSTRINGS = "2.5.13.12" "caseIgnoreListSubstringsMatch" SUBSTRINGS, CaseIgnoreList, SubstringAssertion;
    BOOLEAN = "2.5.13.13" "booleanMatch" EQUALITY, Boolean, Boolean;
    INTEGER = "2.5.13.14" "integerMatch" EQUALITY, Integer, Integer;
    INTEGER_ORDERING = "2.5.13.15" "integerOrderingMatch" ORDERING, Integer, Integer;
    BIT_STRING = "2.5.13.16" "bitStringMatch" EQUALITY, BitString, BitString;
    OCTET_STRING = "2.5.13.17" "octetStringMatch" EQUALITY, Octets, OctetString;
    OCTET_STRING_ORDERING = "2.5.13.18" "octetStringOrderingMatch" ORDERING, Octets, OctetString;
    TELEPHONE = "2.5.13.20" "telephoneNumberMatch" EQUALITY, Telephone, TelephoneNumber;
    TELEPHONE_SUBSTRINGS = "2.5.13.21" "telephoneNumberSubstringsMatch" SUBSTRINGS, Telephone, SubstringAssertion;
    UNIQUE_MEMBER = "2.5.13.23" "uniqueMemberMatch" EQUALITY, UniqueMember, NameAndOptionalUid;
    TIME = "2.5.13.27" "generalizedTimeMatch" EQUALITY, Time, GeneralizedTime;
    TIME_ORDERING = "2.5.13.28" "generalizedTimeOrderingMatch" ORDERING, Time, GeneralizedTime;
    INTEGER_FIRST_COMPONENT = "2.5.13.29" "integerFirstComponentMatch" EQUALITY, FirstInteger, Integer;
    OBJECT_IDENTIFIER_FIRST_COMPONENT = "2.5.13.30" "objectIdentifierFirstComponentMatch" EQUALITY, FirstOid, Oid;
    CASE_EXACT_IA5 = "1.3.6.1.4.1.1466.109.114.1" "caseExactIA5Match" EQUALITY, CaseExactIa5, Ia5String;
    CASE_IGNORE_IA5 = "1.3.6.1.4.1.1466.109.114.2" "caseIgnoreIA5Match" EQUALITY, CaseIgnoreIa5, Ia5String;
    CASE_IGNORE_IA5_SUBSTRINGS = "1.3.6.1.4.1.1466.109.114.3" "caseIgnoreIA5SubstringsMatch" SUBSTRINGS, CaseIgnoreIa5, SubstringAssertion;
    CASE_EXACT_IA5_SUBSTRINGS = "1.3.6.1.4.1.4203.1.2.1" "caseExactIA5SubstringsMatch" SUBSTRINGS, CaseExactIa5, SubstringAssertion;
    AUTH_PASSWORD_EXACT = "1.3.6.1.4.1.4203.1.2.2" "authPasswordExactMatch" EQUALITY, Octets, AuthPassword;
    UUID = "1.3.6.1.1.16.2" "uuidMatch" EQUALITY, Uuid, Uuid;
    UUID_ORDERING = "1.3.6.1.1.16.3" "uuidOrderingMatch" ORDERING, Uuid, Uuid;
    DN_SUBTREE = "1.3.6.1.4.1.4203.666.4.9" "dnSubtreeMatch" RuleKind::Subtree(Reach::Subtree), Dn, Dn;
    DN_ONE_LEVEL = "1.3.6.1.4.1.4203.666.4.8" "dnOneLevelMatch" RuleKind::Subtree(Reach::OneLevel), Dn, Dn;
    DN_SUBORDINATE = "1.3.6.1.4.1.4203.666.4.10" "dnSubordinateMatch" RuleKind::Subtree(Reach::Subordinate), Dn, Dn;
}

/// The rule of a name or OID, without regard to case.
pub fn named(name: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.name.eq_ignore_ascii_case(name) || rule.oid == name)
}
