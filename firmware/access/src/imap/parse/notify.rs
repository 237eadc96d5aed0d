//! NOTIFY. RFC 5465 §8.

use super::{Bad, FetchItem, Input, Parsed};

const GROUPS_MAX: usize = 32;
const NAMES_MAX: usize = 100;
const EVENTS_MAX: usize = 16;

/// What NOTIFY asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotifyCommand {
    None,
    Set { wants_status: bool, groups: Vec<EventGroup> },
}

/// `filter-mailboxes`; names as on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    Selected,
    SelectedDelayed,
    Inboxes,
    Personal,
    Subscribed,
    Subtree(Vec<Vec<u8>>),
    Mailboxes(Vec<Vec<u8>>),
}

impl Filter {
    pub(crate) fn is_selected(&self) -> bool {
        matches!(self, Self::Selected | Self::SelectedDelayed)
    }
}

/// `events` that can be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an event of RFC 5465")]
pub(crate) struct Events {
    pub(crate) message_new: bool,
    pub(crate) message_expunge: bool,
    pub(crate) flag_change: bool,
    pub(crate) mailbox_name: bool,
    pub(crate) subscription_change: bool,
    pub(crate) mailbox_metadata: bool,
    pub(crate) server_metadata: bool,
}

impl Events {
    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            message_new: self.message_new || other.message_new,
            message_expunge: self.message_expunge || other.message_expunge,
            flag_change: self.flag_change || other.flag_change,
            mailbox_name: self.mailbox_name || other.mailbox_name,
            subscription_change: self.subscription_change || other.subscription_change,
            mailbox_metadata: self.mailbox_metadata || other.mailbox_metadata,
            server_metadata: self.server_metadata || other.server_metadata,
        }
    }

    /// `message-event`
    pub(crate) fn has_message_event(self) -> bool {
        self.message_new || self.message_expunge || self.flag_change
    }

    fn has_other_event(self) -> bool {
        self.mailbox_name
            || self.subscription_change
            || self.mailbox_metadata
            || self.server_metadata
    }
}

/// `event-group`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventGroup {
    pub(crate) filter: Filter,
    pub(crate) events: Events,
    /// What is told of a new message in the selected mailbox.
    pub(crate) items: Vec<FetchItem>,
    /// An event that is not known: the answer is NO, not BAD.
    pub(crate) has_unknown: bool,
}

impl Input<'_> {
    /// `one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")"`
    fn one_or_more_mailboxes(&mut self) -> Parsed<Vec<Vec<u8>>> {
        self.space()?;
        let names = if self.peek() == Some(b'(') {
            self.list(NAMES_MAX, Self::astring)?
        } else {
            vec![self.astring()?]
        };
        if names.is_empty() { Err(Bad("no mailbox is named")) } else { Ok(names) }
    }

    fn filter_mailboxes(&mut self) -> Parsed<Filter> {
        Ok(match self.upper_atom()?.as_str() {
            "SELECTED" => Filter::Selected,
            "SELECTED-DELAYED" => Filter::SelectedDelayed,
            "INBOXES" => Filter::Inboxes,
            "PERSONAL" => Filter::Personal,
            "SUBSCRIBED" => Filter::Subscribed,
            "SUBTREE" => Filter::Subtree(self.one_or_more_mailboxes()?),
            "MAILBOXES" => Filter::Mailboxes(self.one_or_more_mailboxes()?),
            _ => return Err(Bad("unknown mailbox filter")),
        })
    }

    /// `event`, into the group.
    fn event(&mut self, group: &mut EventGroup) -> Parsed<()> {
        let events = &mut group.events;
        match self.upper_atom()?.as_str() {
            "MESSAGENEW" => {
                events.message_new = true;
                if matches!(self.rest, [b' ', b'(', ..]) {
                    self.space()?;
                    group.items = self.fetch_items()?;
                }
            }
            "MESSAGEEXPUNGE" => events.message_expunge = true,
            "FLAGCHANGE" => events.flag_change = true,
            "MAILBOXNAME" => events.mailbox_name = true,
            "SUBSCRIPTIONCHANGE" => events.subscription_change = true,
            "MAILBOXMETADATACHANGE" => events.mailbox_metadata = true,
            "SERVERMETADATACHANGE" => events.server_metadata = true,
            _ => {
                group.has_unknown = true;
                if matches!(self.rest, [b' ', b'(', ..]) {
                    self.space()?;
                    self.list(64, Self::astring)?;
                }
            }
        }
        Ok(())
    }

    /// `event-group = "(" filter-mailboxes SP events ")"`; the RFC's examples leave out the inner
    /// parentheses.
    fn event_group(&mut self) -> Parsed<EventGroup> {
        self.expect(b'(', "a parenthesis is missing")?;
        let filter = self.filter_mailboxes()?;
        self.space()?;
        let mut group =
            EventGroup { filter, events: Events::default(), items: Vec::new(), has_unknown: false };
        if self.peek() == Some(b'(') {
            self.list(EVENTS_MAX, |input| input.event(&mut group))?;
        } else if !self.word("NONE") {
            for _ in 0..EVENTS_MAX {
                self.event(&mut group)?;
                if !self.eat(b' ') {
                    break;
                }
            }
        }
        self.expect(b')', "an event group has no end")?;
        let events = group.events;
        // RFC 5465 §5: these two go together, and FlagChange with them.
        let is_half = events.message_new != events.message_expunge
            || events.flag_change && !events.message_new;
        if is_half && !group.has_unknown {
            return Err(Bad("MessageNew and MessageExpunge go together"));
        }
        if group.filter.is_selected() && events.has_other_event() {
            return Err(Bad("only message events are of the selected mailbox"));
        }
        Ok(group)
    }

    /// `notify = "NOTIFY" SP ("SET" [SP "STATUS"] SP event-groups / "NONE")`
    pub(super) fn notify(&mut self) -> Parsed<NotifyCommand> {
        self.space()?;
        if self.word("NONE") {
            return Ok(NotifyCommand::None);
        }
        if !self.word("SET") {
            return Err(Bad("NOTIFY is SET or NONE"));
        }
        self.space()?;
        let wants_status = self.word("STATUS");
        if wants_status {
            self.space()?;
        }
        let mut groups = vec![self.event_group()?];
        while self.eat(b' ') {
            if matches!(self.peek(), None | Some(b'\r' | b'\n' | b' ')) {
                continue;
            }
            if groups.len() == GROUPS_MAX {
                return Err(Bad("too many event groups"));
            }
            groups.push(self.event_group()?);
        }
        if groups.iter().filter(|group| group.filter.is_selected()).count() > 1 {
            return Err(Bad("the selected mailbox has one event group"));
        }
        Ok(NotifyCommand::Set { wants_status, groups })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, command};
    use super::*;

    fn parsed(text: &str) -> Option<NotifyCommand> {
        match command(format!("a NOTIFY {text}\r\n").as_bytes()).ok()?.command {
            Command::Notify(command) => Some(*command),
            _ => None,
        }
    }

    #[test]
    fn forms_of_the_rfc_are_read() {
        let text = "set status (selected MessageNew (uid body.peek[header.fields (from to subject)]) \
            MessageExpunge) (subtree Lists (MessageNew MessageExpunge))";
        let Some(NotifyCommand::Set { wants_status: true, groups }) = parsed(text) else {
            panic!()
        };
        assert_eq!((groups.len(), groups[0].items.len()), (2, 2));
        assert!(groups[0].events.message_expunge && groups[1].events.message_new);
        for text in [
            "NONE",
            "SET (personal NONE)",
            "SET (mailboxes INBOX (Messagenew messageExpunge)) (personal (SubscriptionChange))",
            "SET (selected-delayed (Messagenew (uid flags) messageExpunge FlagChange))",
            "SET (subtree (a \"b c\") (MailboxName)) (inboxes (MailboxMetadataChange ServerMetadataChange))",
        ] {
            assert!(parsed(text).is_some(), "{text}");
        }
        let text = "SET (subscribed (AnnotationChange (x) MessageNew))";
        let Some(NotifyCommand::Set { groups, .. }) = parsed(text) else { panic!() };
        assert!(groups[0].has_unknown);
    }

    #[test]
    fn bad_forms_are_refused() {
        for text in [
            "",
            "SET",
            "SET STATUS",
            "SET (personal (MessageNew))",
            "SET (personal (FlagChange))",
            "SET (selected (MailboxName))",
            "SET (selected NONE) (selected-delayed NONE)",
            "SET (everything NONE)",
            "SET (mailboxes (MessageNew MessageExpunge))",
            "SET (personal (MailboxName)",
            "SET (personal (MailboxName)) x",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
