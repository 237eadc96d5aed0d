//! Messages that leave a mailbox go into blocks, with their links.

use base::{AccountId, MailboxId, Uid};

use super::block::{self, Block, Kept, MESSAGES_MAX};
use super::{DeletedSum, age};
use crate::StoreError;
use crate::mailbox::flags::Marks;
use crate::mailbox::keywords::Keywords;
use crate::mailbox::message_row::MessageRow;
use crate::mailbox::row::MailboxRow;
use crate::meta;
use crate::writer::Tx;

/// Takes the messages of one act and mailbox, in any number.
#[derive(Debug)]
pub(crate) struct Keeper {
    account: AccountId,
    names: Keywords,
    block: Block,
    sum: DeletedSum,
}

impl Keeper {
    pub(crate) fn begin(
        tx: &Tx<'_, '_>,
        id: MailboxId,
        mailbox: &MailboxRow,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            account: mailbox.account,
            names: Keywords::load(&tx.tables, id)?,
            block: Block {
                age: age::now(&tx.tables)?,
                at: tx.now,
                mailbox: id,
                name: mailbox.name.clone(),
                keywords: Vec::new(),
                messages: Vec::new(),
            },
            sum: DeletedSum::default(),
        })
    }

    /// Takes a message; its content's link comes with it.
    pub(crate) fn keep(
        &mut self,
        tx: &mut Tx<'_, '_>,
        uid: Uid,
        marks: &Marks,
        message: MessageRow,
    ) -> Result<(), StoreError> {
        if self.block.messages.len() >= MESSAGES_MAX {
            self.flush(tx)?;
        }
        let slot = u8::try_from(self.block.messages.len()).unwrap_or(u8::MAX);
        let (system, keywords) = (marks.system, marks.keywords);
        self.block.messages.push(Kept { slot, uid, system, keywords, message });
        Ok(())
    }

    fn flush(&mut self, tx: &mut Tx<'_, '_>) -> Result<(), StoreError> {
        if self.block.messages.is_empty() {
            return Ok(());
        }
        let used = self.block.messages.iter().fold(0, |bits, kept| bits | kept.keywords);
        self.block.keywords = self.names.names_of(used);
        let sum = self.block.sum();
        self.sum.messages += sum.messages;
        self.sum.bytes = self.sum.bytes.saturating_add(sum.bytes);
        let number = meta::next_expunged(tx)?;
        block::store(tx, self.account, number, &self.block)?;
        self.block.messages.clear();
        Ok(())
    }

    pub(crate) fn end(mut self, tx: &mut Tx<'_, '_>) -> Result<(), StoreError> {
        self.flush(tx)?;
        let mut sum = block::sum_of(&tx.tables, self.account)?;
        sum.messages += self.sum.messages;
        sum.bytes = sum.bytes.saturating_add(self.sum.bytes);
        block::put_sum(tx, self.account, sum)
    }
}
