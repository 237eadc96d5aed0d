//! Notices to a sender: composed from the stored message, routed like any other mail. RFC 3461 §6.
//!
//! Never a notice about a notice: the null reverse-path ends it.

use base::{Address, Timestamp};
use message::dsn::{Action, Dsn, FULL_ORIGINAL_MAX, Original, Report};
use store::{
    BodyType, Delivery as StoreDelivery, Envelope, NewQueueEntry, Notify, READ_MAX, Resolution,
    Ret, StoreError,
};

use crate::Delivery;
use crate::accept::into_inbox;

/// What our copy of a notice has on top, and the copy for elsewhere has not.
const RETURN_PATH: &[u8] = b"Return-Path: <>\r\n";

/// The message a notice is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    pub(crate) envelope: &'a Envelope,
    pub(crate) blob: &'a base::BlobId,
    pub(crate) size: u64,
    pub(crate) skip: u32,
    pub(crate) arrived_at: Timestamp,
    /// A word that no other message has.
    pub(crate) unique: &'a str,
}

impl Delivery {
    /// A notice of one kind about some recipients, ready for the store; `None` where nobody is to be
    /// told (null reverse-path, no report, a sender of ours that is gone).
    pub(crate) fn notice(
        &self,
        about: About<'_>,
        action: Action,
        reports: &[Report],
    ) -> Result<Option<StoreDelivery>, StoreError> {
        let (Some(to), false) = (&about.envelope.reverse_path, reports.is_empty()) else {
            return Ok(None);
        };
        let (original, is_full) = self.original(about, action)?;
        let now = self.clock().now();
        let notice = Dsn {
            hostname: &self.hostname(),
            unique: &format!("{}.{}.{action:?}", about.unique, now.0),
            now,
            to,
            action,
            envid: about.envelope.envid.as_deref(),
            arrived_at: about.arrived_at,
            reports,
            original: if is_full { Original::Full(&original) } else { Original::Header(&original) },
        };
        self.address_notice(to, &notice.compose())
    }

    /// What comes back of the original, and whether it is all of it. RFC 3461 §4.3: RET speaks of
    /// failures only, the other notices have the header.
    fn original(&self, about: About<'_>, action: Action) -> Result<(Vec<u8>, bool), StoreError> {
        let skip = u64::from(about.skip);
        let size = about.size.saturating_sub(skip);
        let is_full = action == Action::Failed
            && about.envelope.ret != Some(Ret::Headers)
            && size <= FULL_ORIGINAL_MAX;
        let len = if is_full {
            size
        } else {
            let body_start = self.store().structure(about.blob)?.root.body_start;
            body_start.saturating_sub(skip).min(FULL_ORIGINAL_MAX)
        };
        let len = usize::try_from(len).unwrap_or(READ_MAX).min(READ_MAX);
        Ok((self.store().read(about.blob, skip, len)?, is_full))
    }

    fn address_notice(
        &self,
        to: &Address,
        notice: &[u8],
    ) -> Result<Option<StoreDelivery>, StoreError> {
        let (accounts, remote) = match self.store().resolve(to)? {
            Resolution::Known { accounts, remote } => (accounts, remote),
            Resolution::NotLocal => (Vec::new(), vec![to.clone()]),
            Resolution::Unknown => return Ok(None),
        };
        let mut staging = self.store().stage()?;
        staging.write(RETURN_PATH)?;
        staging.write(notice)?;
        let is_8bit = !notice.is_ascii();
        let body = if is_8bit { BodyType::EightBitMime } else { BodyType::SevenBit };
        // RFC 3461 §6.2: null reverse-path; nothing comes back of it.
        let envelope = Envelope {
            reverse_path: None,
            smtputf8: to.needs_smtputf8(),
            body,
            ret: None,
            envid: None,
        };
        let recipients: Vec<_> =
            remote.into_iter().map(|address| (address, None, Notify::default())).collect();
        let remote = (!recipients.is_empty()).then(|| NewQueueEntry {
            envelope,
            recipients,
            skip: u32::try_from(RETURN_PATH.len()).unwrap_or(0),
        });
        let local = accounts.into_iter().map(into_inbox).collect();
        Ok(Some(StoreDelivery { message: staging.finish()?, local, remote }))
    }
}
