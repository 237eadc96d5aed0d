//! The mail that benches deliver: the n-th message is the same on every machine and for every server.

/// A word that stands in the text of every hundredth message and nowhere else.
pub(super) const RARE_WORD: &str = "zanzibar";

const WORDS: [&str; 32] = [
    "offer", "the", "invoice", "and", "meeting", "of", "Monday", "please", "find", "attached",
    "our", "contract", "with", "regards", "delivery", "week", "to", "price", "list", "a",
    "customer", "for", "travel", "budget", "is", "we", "harbour", "answer", "by", "Friday",
    "order", "number",
];
const PEOPLE: [&str; 8] = ["Anna", "Bert", "Carl", "Dora", "Emil", "Frida", "Georg", "Hanna"];

/// xorshift64*.
struct Dice(u64);

impl Dice {
    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let rolled = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        let len = from.len() as u64;
        from[usize::try_from(rolled % len).unwrap_or(0)]
    }
}

fn text(dice: &mut Dice, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 80);
    while text.len() < bytes {
        let mut line = String::new();
        while line.len() < 66 {
            line.push_str(dice.pick(&WORDS));
            line.push(' ');
        }
        text.push_str(line.trim_end());
        text.push_str("\r\n");
    }
    text
}

/// Message `n`, about 4 KB: every third with an HTML part, every fifth with an attachment. No line begins
/// with a dot.
pub(super) fn message(n: usize) -> String {
    let mut dice = Dice((n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (from, to, cc) = (dice.pick(&PEOPLE), dice.pick(&PEOPLE), dice.pick(&PEOPLE));
    let subject = text(&mut dice, 40);
    let (day, hour, minute) = (n % 28 + 1, n % 24, n % 60);
    let mut mail = format!(
        "From: {from} Example <{from}@example.org>\r\nTo: {to} Berg <{to}@office.test>\r\n\
         Cc: {cc} Holm <{cc}@office.test>\r\nSubject: {}\r\n\
         Date: {day} Sep 2026 {hour:02}:{minute:02}:00 +0200\r\nMessage-ID: <{n}.bench@example.org>\r\n\
         In-Reply-To: <{}.bench@example.org>\r\nMIME-Version: 1.0\r\nX-Mailer: bench\r\n",
        subject.trim_end(),
        n.saturating_sub(n % 10),
    );
    let rare = if n % 100 == 99 { format!("{RARE_WORD}\r\n") } else { String::new() };
    let plain = "Content-Type: text/plain; charset=utf-8\r\n\r\n";
    if n.is_multiple_of(5) {
        mail.push_str("Content-Type: multipart/mixed; boundary=\"b1\"\r\n\r\n--b1\r\n");
        mail.push_str(&format!("{plain}{}{rare}--b1\r\n", text(&mut dice, 1500)));
        mail.push_str("Content-Type: application/pdf; name=\"offer.pdf\"\r\n");
        mail.push_str("Content-Disposition: attachment; filename=\"offer.pdf\"\r\n");
        mail.push_str("Content-Transfer-Encoding: base64\r\n\r\n");
        for line in 0..24 {
            let letter = dice.pick(&["Q", "x", "7", "b", "Z", "k"]);
            mail.push_str(&format!("JVBERi0x{}{line:04}\r\n", letter.repeat(60)));
        }
        mail.push_str("--b1--\r\n");
    } else if n.is_multiple_of(3) {
        mail.push_str("Content-Type: multipart/alternative; boundary=\"b2\"\r\n\r\n--b2\r\n");
        let words = text(&mut dice, 1400);
        mail.push_str(&format!(
            "{plain}{words}{rare}--b2\r\nContent-Type: text/html; charset=utf-8\r\n"
        ));
        mail.push_str(&format!("\r\n<html><body><p>{words}</p></body></html>\r\n--b2--\r\n"));
    } else {
        mail.push_str(&format!("{plain}{}{rare}", text(&mut dice, 3300)));
    }
    mail
}
