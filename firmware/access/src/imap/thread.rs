//! THREAD. RFC 5256 §3.
//!
//! What threads are made of comes from stored header fields; no message is opened.

use base::Uid;
use message::MailHeader;
use store::Row;

use super::parse::{Algorithm, Numbers, Thread};
use super::reply::{Outcome, ok};
use super::session::Session;
use super::sort::Collect;
use super::view::Counted;
use crate::search::pool;
use crate::search::sorting::{TooMany, sent_secs};
use crate::search::threads::{self, Threads, Token};

/// Makes threads of messages.
struct Threader {
    algorithm: Algorithm,
    numbers: threads::Numbers,
    threads: Threads,
}

impl Collect for Threader {
    fn take(&mut self, row: &Row, mail: &MailHeader) -> Result<(), TooMany> {
        let secs = sent_secs(mail, row.internal_date.secs());
        let with_references = self.algorithm == Algorithm::References;
        self.threads.add(&self.numbers.links(row.uid.0, secs, mail, with_references));
        Ok(())
    }
}

impl Session {
    pub(super) async fn thread(&mut self, thread: Thread, numbers: Numbers) -> Outcome {
        let Thread { algorithm, program } = thread;
        let found = Box::pin(self.find(program)).await?;
        let threader = Threader {
            algorithm,
            numbers: threads::Numbers::default(),
            threads: Threads::default(),
        };
        let threader = Box::pin(self.collect(found.uids, threader)).await?;
        let threading = async {
            Ok(pool::run(move |_| match algorithm {
                Algorithm::References => threader.threads.by_references(),
                Algorithm::OrderedSubject => threader.threads.by_subject(),
            })
            .await?)
        };
        let forest = self.while_here(threading).await?;
        let counted = Counted::over(self.selected()?.view.uids());
        self.conn.write(b"* THREAD");
        let mut before = Token::Close;
        for (n, token) in forest.tokens().enumerate() {
            if n == 0 {
                self.conn.write(b" ");
            }
            match token {
                Token::Open => {
                    // `thread-members = nz-number *(SP nz-number) [SP thread-nested]`
                    let blank: &[u8] =
                        if matches!(before, Token::Message(_)) { b" (" } else { b"(" };
                    self.conn.write(blank);
                }
                Token::Close => self.conn.write(b")"),
                Token::Message(uid) => {
                    let number = match numbers {
                        Numbers::Uid => uid,
                        Numbers::Sequence => counted.of(Uid(uid)).unwrap_or_default(),
                    };
                    let blank = if matches!(before, Token::Message(_)) { " " } else { "" };
                    self.conn.write(format!("{blank}{number}").as_bytes());
                }
            }
            before = token;
            self.flush_if_full().await?;
        }
        self.conn.write(b"\r\n");
        ok("THREAD completed")
    }
}
