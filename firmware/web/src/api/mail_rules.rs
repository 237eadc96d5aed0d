//! What an account's mail does beyond its mailbox, as it is given: forwarding, further sender addresses.

use std::collections::BTreeSet;

use base::Address;
use store::{Account, SendAs};

use crate::error::ApiError;
use crate::rules::{self, FORWARD_MAX, SEND_AS_MAX};

/// Addresses here or elsewhere, each once.
pub(super) fn forward(account: &Account, texts: &[String]) -> Result<Vec<Address>, ApiError> {
    check_len("forward", texts, FORWARD_MAX)?;
    let own: Vec<String> =
        [&account.address].into_iter().chain(&account.aliases).map(Address::key).collect();
    let mut seen = BTreeSet::new();
    let each = texts.iter().enumerate();
    each.map(|(n, text)| {
        let field = format!("forward.{n}");
        let address = rules::address(text).map_err(|problem| problem.at(&field))?;
        if own.contains(&address.key()) {
            return Err(ApiError::invalid("forward-to-itself").field(field));
        }
        if !seen.insert(address.key()) {
            return Err(ApiError::invalid("duplicate").field(field));
        }
        Ok(address)
    })
    .collect()
}

/// Addresses, and domains as `@office.test`, each once.
pub(super) fn send_as(texts: &[String]) -> Result<Vec<SendAs>, ApiError> {
    check_len("send_as", texts, SEND_AS_MAX)?;
    let mut seen = BTreeSet::new();
    let each = texts.iter().enumerate();
    each.map(|(n, text)| {
        let field = format!("send_as.{n}");
        let sender = rules::sender(text).map_err(|problem| problem.at(&field))?;
        if !seen.insert(sender.to_string().to_lowercase()) {
            return Err(ApiError::invalid("duplicate").field(field));
        }
        Ok(sender)
    })
    .collect()
}

fn check_len(field: &str, texts: &[String], most: usize) -> Result<(), ApiError> {
    if texts.len() <= most {
        return Ok(());
    }
    let detail = format!("there are more than {most}");
    Err(ApiError::invalid("too-many-addresses").field(field).detail(detail))
}
