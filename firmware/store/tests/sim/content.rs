//! Messages by number: the same number is the same bytes, and the bytes tell the number.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::random::Random;

/// Numbers of contents: few, so that the same content comes again and again.
pub(crate) const CONTENTS: u64 = 48;
/// The one that is larger than what a staged message may hold in memory, and more than one frame.
const LARGE: u64 = 47;

/// The bytes of a message.
pub(crate) fn text(number: u64) -> Vec<u8> {
    let mut text = format!(
        "From: a@sim.test\r\nSubject: message {number}\r\nMessage-ID: <{number}@sim.test>\r\n\r\n"
    )
    .into_bytes();
    let mut random = Random::new(number);
    let lines = if number == LARGE { 4_500 } else { number * number % 90 };
    for line in 0..lines {
        let (a, b) = (random.next(), random.next());
        text.extend_from_slice(format!("line {line} {a:016x}{b:016x}{a:x}\r\n").as_bytes());
    }
    text
}

/// All texts by number, made once.
#[derive(Debug)]
pub(crate) struct Contents {
    texts: Vec<Vec<u8>>,
    numbers: BTreeMap<Vec<u8>, u64>,
}

impl Contents {
    pub(crate) fn new() -> Self {
        let texts: Vec<_> = (0..CONTENTS).map(text).collect();
        let numbers = texts.iter().cloned().zip(0..).collect();
        Self { texts, numbers }
    }

    /// One of them for all who cannot borrow it.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Contents> = OnceLock::new();
        SHARED.get_or_init(Self::new)
    }

    pub(crate) fn get(&self, number: u64) -> &[u8] {
        usize::try_from(number).ok().and_then(|at| self.texts.get(at)).map_or(&[], Vec::as_slice)
    }

    /// The number of a content that was read back; `None` if no message ever had these bytes.
    pub(crate) fn number_of(&self, bytes: &[u8]) -> Option<u64> {
        self.numbers.get(bytes).copied()
    }

    /// Some number, the large one seldom.
    pub(crate) fn any(random: &mut Random) -> u64 {
        if random.once_in(100) { LARGE } else { random.below(CONTENTS - 1) }
    }
}
