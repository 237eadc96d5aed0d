//! What an administrator does besides mail: where mail goes on to, groups, limits, rights, annotations,
//! credentials, tokens, webhooks, rows of the audit log. Done in somebody's name.

use base::{AccountId, Address, DomainName, MailboxId, Timestamp};
use store::{
    AccountChange, AclOp, AnnotationScope, AuditEvent, DomainChange, Group, OnFailure, Origin,
    Rights, SendAs, Store, StoreError, Token, Totp, Via, Webhook, WebhookMode, WebhookState,
};

use crate::caller::{Answered, DOMAIN};
use crate::choice::Chooser;

/// Who does all of this.
pub(crate) const WHO: &str = "boss@sim.test";
/// Another name that the domain may have.
pub(crate) const FURTHER: &str = "further.test";

/// An act of an administrator.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    Forward {
        account: u32,
        to: Vec<String>,
        keeps: bool,
    },
    SendAs {
        account: u32,
        addresses: Vec<String>,
    },
    /// 0 is without limit.
    MessagesMax {
        account: u32,
        most: u64,
    },
    Domain {
        has_further: bool,
        catch_all: Option<String>,
    },
    PutGroup {
        name: String,
        members: Vec<u32>,
        outside: Vec<String>,
    },
    DeleteGroup {
        name: String,
    },
    SetAcl {
        mailbox: u32,
        who: String,
        op: AclOp,
        rights: Rights,
    },
    Annotate {
        mailbox: u32,
        by: u32,
        name: String,
        value: Option<String>,
    },
    AddPassword {
        account: u32,
        name: String,
    },
    RemovePassword {
        account: u32,
        number: u32,
    },
    SetTotp {
        account: u32,
    },
    RemoveTotp {
        account: u32,
    },
    TakeStep {
        account: u32,
        step: u64,
    },
    CreateToken {
        name: String,
    },
    DeleteToken {
        id: u32,
    },
    CreateWebhook {
        name: String,
    },
    DeleteWebhook {
        id: u32,
    },
    TellWebhook {
        id: u32,
        told: u64,
    },
    Note {
        target: String,
    },
}

fn address(text: &str) -> Result<Address, StoreError> {
    Address::parse(text).map_err(|_| StoreError::Misuse("the simulation's address"))
}

fn domain(text: &str) -> Result<DomainName, StoreError> {
    DomainName::parse(text).map_err(|_| StoreError::Misuse("the simulation's domain"))
}

/// The answer of an act that found nothing to do before it got to the store: another may have made it while this
/// one was on its way.
pub(crate) const NOT_ASKED: &str = "not asked";

fn done() -> Answered {
    Ok("done".to_owned())
}

/// Does it.
pub(crate) async fn call(store: &Store, deed: &Deed) -> Answered {
    let store = &store.by(Origin::new(WHO, Via::Web, None));
    match deed {
        Deed::Forward { .. } | Deed::SendAs { .. } | Deed::MessagesMax { .. } => {
            call_account(store, deed).await
        }
        Deed::Domain { has_further, catch_all } => {
            let further = if *has_further { vec![domain(FURTHER)?] } else { Vec::new() };
            let catch_all = catch_all.as_deref().map(address).transpose()?;
            let change = DomainChange {
                catch_all: Some(catch_all),
                further: Some(further),
                ..DomainChange::default()
            };
            store.update_domain(domain(DOMAIN)?, change).await?;
            done()
        }
        Deed::PutGroup { name, members, outside } => {
            let outside: Result<Vec<_>, _> = outside.iter().map(|text| address(text)).collect();
            let group = Group {
                name: name.clone(),
                domain: domain(DOMAIN)?,
                address: Some(address(&format!("{name}@{DOMAIN}"))?),
                members: members.iter().copied().map(AccountId).collect(),
                groups: Vec::new(),
                outside: outside?,
                description: String::new(),
            };
            store.put_group(group).await?;
            done()
        }
        Deed::DeleteGroup { name } => {
            store.delete_group(name.clone(), domain(DOMAIN)?).await?;
            done()
        }
        Deed::SetAcl { mailbox, who, op, rights } => {
            store.set_acl(MailboxId(*mailbox), who.clone(), *op, *rights).await?;
            done()
        }
        Deed::Annotate { mailbox, by, name, value } => {
            let scope = AnnotationScope::Mailbox(MailboxId(*mailbox));
            let value = value.as_ref().map(|text| text.as_bytes().to_vec());
            let values = vec![(name.clone(), value)];
            store.set_annotations(scope, AccountId(*by), values, None, None).await?;
            done()
        }
        Deed::Note { target } => {
            store.audit(AuditEvent::new("box.note", target.clone())).await?;
            done()
        }
        _ => call_secrets(store, deed).await,
    }
}

async fn call_account(store: &Store, deed: &Deed) -> Answered {
    let (account, change) = match deed {
        Deed::Forward { account, to, keeps } => {
            let to: Result<Vec<_>, _> = to.iter().map(|text| address(text)).collect();
            let forward_keep = Some(*keeps);
            (account, AccountChange { forward: Some(to?), forward_keep, ..Default::default() })
        }
        Deed::SendAs { account, addresses } => {
            let all: Result<Vec<_>, _> =
                addresses.iter().map(|text| Ok(SendAs::Address(address(text)?))).collect();
            (account, AccountChange { send_as: Some(all?), ..AccountChange::default() })
        }
        Deed::MessagesMax { account, most } => {
            (account, AccountChange { quota_messages: Some(Some(*most)), ..Default::default() })
        }
        _ => return Err(StoreError::Misuse("not a change of an account")),
    };
    store.update_account(AccountId(*account), change).await?;
    done()
}

async fn call_secrets(store: &Store, deed: &Deed) -> Answered {
    match deed {
        Deed::AddPassword { account, name } => {
            let verifier = format!("v-{name}");
            let added = store.add_app_password(AccountId(*account), name.clone(), 1, verifier);
            Ok(added.await?.to_string())
        }
        Deed::RemovePassword { account, number } => {
            let gone = store.remove_app_password(AccountId(*account), *number).await?;
            Ok(format!("{gone:?}"))
        }
        Deed::SetTotp { account } => {
            let totp = Totp { secret: vec![7; 20], last_step: 0, recovery_codes: vec![[1; 32]] };
            store.set_totp(AccountId(*account), totp).await?;
            done()
        }
        Deed::RemoveTotp { account } => {
            Ok(store.remove_totp(AccountId(*account)).await?.to_string())
        }
        Deed::TakeStep { account, step } => {
            Ok(store.take_totp_step(AccountId(*account), *step).await?.to_string())
        }
        Deed::CreateToken { name } => {
            let token = Token {
                id: 0,
                name: name.clone(),
                hash: [3; 32],
                domains: None,
                created_at: Timestamp(0),
                expires_at: None,
                last_used_at: None,
            };
            Ok(store.create_token(token).await?.to_string())
        }
        Deed::DeleteToken { id } => Ok(store.delete_token(*id).await?.to_string()),
        Deed::CreateWebhook { name } => {
            let hook = Webhook {
                id: 0,
                name: name.clone(),
                url: "https://hook.test/".to_owned(),
                events: vec!["*".to_owned()],
                mode: WebhookMode::After,
                on_failure: OnFailure::Allow,
                enabled: true,
                secret: vec![1; 32],
                created_at: Timestamp(0),
                old_secret: None,
            };
            Ok(store.create_webhook(hook).await?.id.to_string())
        }
        Deed::DeleteWebhook { id } => Ok(store.delete_webhook(*id).await?.to_string()),
        Deed::TellWebhook { id, told } => {
            let hooks = store.watch_webhooks().borrow().to_vec();
            let Some(hook) = hooks.into_iter().find(|hook| hook.id == *id) else {
                return Ok(NOT_ASKED.to_owned());
            };
            let state = WebhookState { told: *told, ..WebhookState::default() };
            store.set_webhook_state(hook, state).await?;
            done()
        }
        _ => Err(StoreError::Misuse("not an act on secrets")),
    }
}

const RIGHTS: [Rights; 5] =
    [Rights::NONE, Rights::READ, Rights::LOOKUP, Rights::OWNER, Rights::ALL];

/// Deeds that mostly have something to do.
impl Chooser<'_> {
    pub(crate) fn deed(&mut self) -> Deed {
        let account = self.account();
        let name = format!("g{}", self.random.below(2));
        let outside = format!("o{}@else.test", self.random.below(3));
        match self.random.below(20) {
            0 | 1 => {
                let to = if self.random.once_in(3) { Vec::new() } else { vec![outside] };
                Deed::Forward { account, to, keeps: self.random.once_in(2) }
            }
            2 => Deed::SendAs { account, addresses: vec![outside] },
            3 => {
                let most = if self.random.once_in(2) { 0 } else { self.random.below(40) };
                Deed::MessagesMax { account, most }
            }
            4 => Deed::Domain {
                has_further: self.random.once_in(2),
                catch_all: self.random.once_in(2).then_some(outside),
            },
            5 | 6 => {
                let all: Vec<u32> = self.model.accounts.keys().copied().collect();
                let members = all.into_iter().filter(|_| self.random.once_in(2)).collect();
                Deed::PutGroup { name, members, outside: vec![outside] }
            }
            7 => Deed::DeleteGroup { name },
            8..=10 => self.set_acl(&name),
            11 | 12 => {
                let scope = *self.pick(&["private", "shared"]);
                let value = format!("v{}", self.random.below(100));
                Deed::Annotate {
                    mailbox: self.mailbox(),
                    by: account,
                    name: format!("/{scope}/n{}", self.random.below(2)),
                    value: (!self.random.once_in(3)).then_some(value),
                }
            }
            13 => Deed::Note { target: outside },
            _ => self.secret_deed(account),
        }
    }

    fn set_acl(&mut self, group: &str) -> Deed {
        let somebody = self.account();
        let mut who = match self.random.below(4) {
            0 => "anyone".to_owned(),
            1 => format!("group:{group}@{DOMAIN}"),
            _ => match self.model.accounts.get(&somebody) {
                Some(account) => account.address.clone(),
                None => format!("nobody@{DOMAIN}"),
            },
        };
        if self.random.once_in(4) {
            who.insert(0, '-');
        }
        let op = *self.pick(&[AclOp::Replace, AclOp::Add, AclOp::Remove]);
        Deed::SetAcl { mailbox: self.mailbox(), who, op, rights: *self.pick(&RIGHTS) }
    }

    fn secret_deed(&mut self, account: u32) -> Deed {
        let number = u32::try_from(1 + self.random.below(4)).unwrap_or(1);
        let name = format!("n{}", self.random.below(4));
        match self.random.below(10) {
            0 | 1 => Deed::AddPassword { account, name },
            2 => Deed::RemovePassword { account, number },
            3 => Deed::SetTotp { account },
            4 => Deed::RemoveTotp { account },
            5 => Deed::TakeStep { account, step: self.random.below(1_000) },
            6 => Deed::CreateToken { name },
            7 => Deed::DeleteToken { id: number },
            8 => Deed::CreateWebhook { name },
            _ if self.random.once_in(3) => Deed::DeleteWebhook { id: number },
            _ => Deed::TellWebhook { id: number, told: self.random.below(50) },
        }
    }
}
