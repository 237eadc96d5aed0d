//! Identifiers of lists as text. RFC 4314 §2: `anyone`, an address, `group:NAME` or `$NAME`, each with `-`
//! before it for a negative entry.

use base::AccountId;

use super::{Principal, namespace};
use crate::StoreError;
use crate::directory::{account, group};
use crate::index::View;

const ANYONE: &str = "anyone";

/// Who is meant, and whether the entry takes away; `None` if it names nobody.
pub(crate) fn parse(view: &impl View, text: &str) -> Result<Option<(Principal, bool)>, StoreError> {
    let (name, is_negative) = match text.strip_prefix('-') {
        Some(name) => (name, true),
        None => (text, false),
    };
    let group_name = name.strip_prefix('$').or_else(|| {
        let (prefix, rest) = name.split_at_checked("group:".len())?;
        prefix.eq_ignore_ascii_case("group:").then_some(rest)
    });
    let principal = if name.eq_ignore_ascii_case(ANYONE) {
        Some(Principal::Anyone)
    } else if let Some(name) = group_name {
        group::named(view, name)?.map(Principal::Group)
    } else {
        namespace::account_of(view, name)?.map(Principal::Account)
    };
    Ok(principal.map(|principal| (principal, is_negative)))
}

/// How a principal is told; `None` if it is no more.
pub(crate) fn show(
    view: &impl View,
    principal: &Principal,
    is_negative: bool,
) -> Result<Option<String>, StoreError> {
    let name = match principal {
        Principal::Anyone => Some(ANYONE.to_owned()),
        Principal::Group(key) => group::show(view, key)?.map(|name| format!("group:{name}")),
        Principal::Account(id) => address(view, *id)?,
    };
    let sign = if is_negative { "-" } else { "" };
    Ok(name.map(|name| format!("{sign}{name}")))
}

fn address(view: &impl View, id: AccountId) -> Result<Option<String>, StoreError> {
    Ok(account::find(view, id)?.map(|account| account.address.to_string()))
}
