//! Compare. RFC 4511 §4.10.

use directory::schema::Description;
use directory::{Attributes, Code, Filter};
use ldap3_proto::proto::LdapCompareRequest;
use session::rules::{self, Operation, Target};

use crate::controls::Controls;
use crate::message::Control;
use crate::reply::{self, Fail, Kind, refused};
use crate::root;
use crate::seen::Seen;
use crate::session::{Session, dn};
use crate::view;

impl Session {
    pub(crate) fn compare(
        &mut self,
        id: i32,
        request: LdapCompareRequest,
        controls: Vec<Control>,
    ) -> Result<(), Fail> {
        let asker = self.asker()?;
        let role = asker.role;
        let controls = Controls::read(controls, Kind::Compare)?;
        let of = dn(&request.dn)?;
        let Some(attribute) = Description::parse(&request.atype) else {
            let text = format!("{}: attribute type undefined", request.atype);
            return Err(refused(Code::UndefinedAttributeType, text));
        };
        let (target, entry) = if of.is_root() {
            (Target::Server, root::dse(&self.conn, &view::contexts(&self.conn)?))
        } else if root::is_subschema(&of) {
            (Target::Server, root::subschema())
        } else if rules::may(role, Operation::Read, Target::Other) {
            let shown = self.entry_of(&of)?;
            let target = asker.target(&shown.entry);
            let mut all: Attributes = shown.entry.attributes;
            all.extend(shown.operational);
            (target, all)
        } else {
            return Err(refused(Code::InsufficientAccessRights, "bind first"));
        };
        // Passwords are in nobody's reach.
        if !rules::may_read(role, target, &request.atype) {
            return Err(refused(Code::InsufficientAccessRights, "this is not for you to know"));
        }
        let seen = Seen { dn: &of, attributes: &entry, role, target };
        if controls.assertion.is_some_and(|assertion| assertion.matches(&seen) != Some(true)) {
            return Err(refused(Code::AssertionFailed, ""));
        }
        let code = outcome(&seen, &attribute, request.val)?;
        self.answer(id, Kind::Compare, reply::result(code, ""));
        Ok(())
    }
}

fn outcome(seen: &Seen<'_>, attribute: &Description, value: Vec<u8>) -> Result<Code, Fail> {
    if !seen.has(attribute) {
        return Err(refused(Code::NoSuchAttribute, ""));
    }
    if attribute.attribute.equality.is_none() {
        return Err(refused(Code::InappropriateMatching, "no equality matching rule"));
    }
    match (Filter::Equal { attribute: attribute.name(), value }).matches(seen) {
        Some(true) => Ok(Code::CompareTrue),
        Some(false) => Ok(Code::CompareFalse),
        None => Err(refused(Code::InvalidAttributeSyntax, "the value is none of the syntax")),
    }
}
