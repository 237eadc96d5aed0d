//! Acts of the directory done as LDAP does them: the model need not know which way an account or an alias
//! came, so some of them come that way.

use base::Address;
use directory::{Attributes, Code, Dn, Modification};
use store::{Store, StoreError};

use crate::caller::Answered;

/// True for about half of the addresses.
pub(crate) fn is_for_ldap(address: &str) -> bool {
    address.bytes().any(|c| matches!(c, b'1' | b'3' | b'5'))
}

fn name(address: &Address, attribute: &str, container: &str) -> Result<Dn, StoreError> {
    let labels: Vec<String> =
        address.domain().as_str().split('.').map(|label| format!("dc={label}")).collect();
    let text = format!("{attribute}={},ou={container},{}", address.local(), labels.join(","));
    Dn::parse(&text).map_err(StoreError::Refused)
}

/// What the typed act would have said.
fn in_typed_words(error: StoreError, gone: StoreError) -> StoreError {
    let StoreError::Refused(refusal) = error else { return error };
    match refusal.code {
        Code::EntryAlreadyExists | Code::ConstraintViolation => {
            StoreError::AddressTaken(refusal.text)
        }
        Code::UnwillingToPerform => StoreError::NoSuchDomain,
        Code::NoSuchObject => gone,
        _ => StoreError::Refused(refusal),
    }
}

async fn add(store: &Store, dn: Dn, values: &[(&str, &str)]) -> Answered {
    let mut attributes = Attributes::new();
    for (key, value) in values {
        attributes.entry((*key).to_owned()).or_default().push(value.as_bytes().to_vec());
    }
    let by = "cn=admin".to_owned();
    let added = store.add_entry(dn, attributes, by).await;
    let entry = added.map_err(|e| in_typed_words(e, StoreError::NoSuchDomain))?;
    Ok(entry.account.map_or_else(|| "done".to_owned(), |id| id.to_string()))
}

/// A person who is an account by its address.
pub(crate) async fn create_account(store: &Store, address: &Address) -> Answered {
    let mail = address.to_string();
    let values = [
        ("objectclass", "inetOrgPerson"),
        ("cn", "A B"),
        ("sn", "B"),
        ("mail", mail.as_str()),
        ("userpassword", "{SSHA}x"),
    ];
    add(store, name(address, "uid", "people")?, &values).await
}

/// A nisMailAlias that is found by its name.
pub(crate) async fn create_alias(store: &Store, address: &Address, targets: &[String]) -> Answered {
    let mut values = vec![("objectclass", "nisMailAlias"), ("cn", address.local())];
    values.extend(targets.iter().map(|target| ("rfc822mailmember", target.as_str())));
    add(store, name(address, "cn", "aliases")?, &values).await
}

pub(crate) async fn update_alias(store: &Store, address: &Address, targets: &[String]) -> Answered {
    let values = targets.iter().map(|target| target.as_bytes().to_vec()).collect();
    let change = Modification::Replace { name: "rfc822MailMember".to_owned(), values };
    let dn = name(address, "cn", "aliases")?;
    let changed = store.modify_entry(dn, vec![change], None, "cn=admin".to_owned()).await;
    changed.map_err(|e| in_typed_words(e, StoreError::NoSuchAlias))?;
    Ok("done".to_owned())
}

pub(crate) async fn delete_alias(store: &Store, address: &Address) -> Answered {
    let gone = store.delete_entry(name(address, "cn", "aliases")?, None).await;
    gone.map_err(|e| in_typed_words(e, StoreError::NoSuchAlias))?;
    Ok("done".to_owned())
}
