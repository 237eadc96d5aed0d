//! Doors for `tests/fuzz`: what framing, messages and controls must do with any bytes. Nothing else may use
//! them.
//!
//! # Panics
//! Where the grammar does not keep what it promises: that is what the fuzzer looks for.

use crate::controls::Controls;
use crate::frame;
use crate::message::{self, Bad};
use crate::reply::Kind;
use crate::{ber, extended};

const KINDS: [Kind; 8] = [
    Kind::Bind,
    Kind::Search,
    Kind::Modify,
    Kind::Add,
    Kind::Delete,
    Kind::ModifyDn,
    Kind::Compare,
    Kind::Extended,
];

/// A stream of messages; each that can be read is taken apart, with its controls for each operation.
pub fn message(bytes: &[u8]) {
    let mut rest = bytes;
    while let Ok(Some(len)) = frame::length(rest, 64 * 1024) {
        assert!(len >= 2, "a message has a head");
        let Some((one, behind)) = rest.split_at_checked(len) else { break };
        rest = behind;
        one_message(one);
    }
    extended::cancelled(bytes);
}

fn one_message(bytes: &[u8]) {
    let is_sound = frame::check(bytes).is_ok();
    assert_eq!(is_sound, ber::parse(bytes).is_some(), "the frame knows what can be read");
    match message::parse(bytes) {
        Ok(message) => {
            assert!(is_sound && message.id > 0);
            for kind in KINDS {
                let controls = message.controls.iter().map(|control| message::Control {
                    oid: control.oid.clone(),
                    is_critical: control.is_critical,
                    value: control.value.clone(),
                });
                drop(Controls::read(controls.collect(), kind));
            }
        }
        Err(Bad::Operation(id, tag)) => {
            assert!(id > 0 && tag <= 30);
        }
        Err(Bad::Message) => {}
    }
}

/// All that a server says are whole messages with the number of one of ours or none.
pub fn answers(heard: &[u8]) {
    let mut rest = heard;
    while !rest.is_empty() {
        let len = frame::length(rest, usize::MAX).expect("a message").expect("a whole head");
        let (one, behind) = rest.split_at_checked(len).expect("a whole message");
        assert_eq!(frame::check(one), Ok(()));
        rest = behind;
    }
}
